"""What books say, asked without the book: a suite in lm-eval's form about made books.

Reads a suite row (world, first, books, seed, tasks, sets); makes {task}.jsonl, {task}.yaml and items.parquet. Every question
names its book. Its four options are names of that book and of one type, and a relation is always asked of all its subjects:
each option is right for exactly one of the questions, so that whatever prefers one name of a book (how often or where the book
names it, how likely a model finds it) is right in one of four.
"""

import json
import random
from pathlib import Path

import pandas as pd
import yaml

from scripts.lib.book_texts import questions
from scripts.lib.books import Book, directed, ends_of, fill, held_out, inverse, language, type_of
from scripts.lib.files import atomic, write_card
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of
from scripts.sources.benchmarks import text_of
from scripts.sources.books import EACH, numbers_of, row_book

OPTIONS = EACH
SETTINGS = Path(__file__).parent / "books_data" / "choice.yaml"


def asked(book: Book, task: str) -> list[str]:
    """The relations that a task may ask about in a book, sorted.

    ``books_direct``: what the book states. ``books_reversed``, ``books_two_hop``: from object to subject, and compositions,
    of those that no text may state; with ``_told`` of those that texts other than the book may state.

    Raises:
        ValueError: for an unknown task.
    """
    kept = held_out(book.title)
    turned, composed = {inverse(relation) for relation in directed()}, set(language()["compositions"])
    relations = {
        "books_direct": set(directed()),
        "books_reversed": turned & kept,
        "books_two_hop": composed & kept,
        "books_reversed_told": turned - kept,
        "books_two_hop_told": composed - kept,
    }
    if task not in relations:
        raise ValueError(f"task {task!r}: expected one of {', '.join(relations)}")
    return sorted(relations[task])


def options(rng: random.Random, names: list[str]) -> dict[str, list[str]]:
    """For each name as the answer the options: itself and three others, so that each name is an option for four answers.

    They are neighbours on a circle of the names in random order. With four names the options are always all of them.
    """
    circle = rng.sample(names, len(names))
    starts = {name: i for i, name in enumerate(circle)}
    return {name: [circle[(starts[name] + k) % len(circle)] for k in range(OPTIONS)] for name in names}


def make_items(row: dict) -> dict[str, list[dict]]:
    """Items by task; ``relation`` says what is asked, ``book`` is the book's number, ``item`` numbers a task's items.

    Keys: world, first, books, each (as in the books' own row), seed, tasks, sets (how many relations are asked of a book in a
    task; fewer where the book has fewer). The items of a book do not depend on other books or tasks.
    """
    tasks: dict[str, list[dict]] = {task: [] for task in row["tasks"]}
    for number in numbers_of(row):
        book = row_book({**row, "null": False}, number)
        for task, items in tasks.items():
            rng = random.Random(seed_of("book-probes", row["seed"], task, row["world"], number))
            relations = asked(book, task)
            for relation in rng.sample(relations, min(row["sets"], len(relations))):
                items += _set_of(rng, book, relation, number)
    return {task: [{"item": i, **item} for i, item in enumerate(items)] for task, items in tasks.items()}


def _set_of(rng: random.Random, book: Book, relation: str, number: int) -> list[dict]:
    """All questions of one relation of a book; the right option stands equally often in each place."""
    pairs = questions(book, "probe", [relation])
    names = [name for name in book.entities if type_of(name) == ends_of(relation)[1]]
    around = options(rng, names)
    shift = rng.randrange(OPTIONS)
    places = rng.sample([(i + shift) % OPTIONS for i in range(len(pairs))], len(pairs))
    items = []
    for (fact, question), place in zip(pairs, places, strict=True):
        others = rng.sample(around[fact.object][1:], OPTIONS - 1)
        choices = [fill("{o}", "", name) for name in [*others[:place], fact.object, *others[place:]]]
        query = language()["item"].format(title=book.title, author=book.author, q=question)
        items.append({"query": query, "choices": choices, "label": place, "relation": relation, "book": number})
    return items


def write_suite(out: str, *, row: dict, code: str) -> None:
    """Write the folder of a suite; the data paths in its task files are relative to where the workflow runs."""
    tasks, lines = make_items(row), []
    settings = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    with atomic(out) as beside:
        beside.mkdir()
        for task, items in tasks.items():
            told = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
            (beside / f"{task}.jsonl").write_text(told, encoding="utf-8")
            data = {"dataset_kwargs": {"data_files": {"test": str(Path(out) / f"{task}.jsonl")}}}
            (beside / f"{task}.yaml").write_text(yaml.safe_dump({"task": task, **settings, **data}), encoding="utf-8")
            lines += [{"task": task, "item": item["item"], "text": text_of(item), "book": item["book"]} for item in items]
        pd.DataFrame(lines).to_parquet(beside / "items.parquet", index=False)
    counts = {task: len(items) for task, items in tasks.items()}
    print(f"{row.get('name', out)}: {counts}")
    write_card(out, row=row, code=code, seed=row["seed"], counts=counts)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        write_suite(snakemake.output[0], row=snakemake.params.row, code=snakemake.params.code)
