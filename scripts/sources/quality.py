"""QuALITY: its articles as documents, and its questions as a suite that asks them without the article.

Reads the Parquet files of a hub row (a row a question) at its pinned revision. Makes documents.parquet of a source's row, each
beginning with the line "Title, Author, Year."; or of a suite's row its folder: {task}.jsonl, {task}.yaml and items.parquet.

As in the code of EntiGraph (arXiv 2409.07431): the two sets of questions about an article are one, articles stand in the order
of their titles, a question names title, author and year, and five worked examples about other books come before it
(quality_data/examples.yaml, in our own words). Answers are decoded greedily, where theirs are drawn at temperature 0.1; a
question that is left without an answer counts as wrong, where theirs leaves it out.
"""

import json
from pathlib import Path

import pandas as pd
import yaml

from scripts.lib import hub
from scripts.lib.documents import document, write_documents
from scripts.lib.files import atomic, write_card
from scripts.lib.progress import logging_to
from scripts.sources.path import BadSource

DATA = Path(__file__).parent / "quality_data"
COLUMNS = ["title", "author", "year", "article", "question", "options", "gold_label", "difficult", "question_unique_id"]
LETTERS = "ABCD"


def read(row: dict) -> pd.DataFrame:
    """Every question of every split, with its article.

    Raises:
        BadSource: one line, when the repository cannot be had or has other columns.
    """
    try:
        files = hub.files_of(row, "dataset")
        names = sorted(name for name in files if name.endswith(".parquet"))
        folder = hub.fetch(row, names, "dataset", files)
        return pd.concat([pd.read_parquet(folder / name, columns=COLUMNS) for name in names], ignore_index=True)
    except hub.NotHad as error:
        raise BadSource(f"row {row['name']}: {error}") from None
    except (ValueError, KeyError) as error:
        raise BadSource(f"row {row['name']}, key repo: {row['repo']} has not the columns expected: {error}") from None


def articles(questions: pd.DataFrame, number: int) -> list[pd.DataFrame]:
    """The questions of each of the first ``number`` articles by title and author, in a fixed order.

    Raises:
        ValueError: when there are fewer articles.
    """
    found = [part.sort_values("question_unique_id") for _, part in questions.groupby(["title", "author"], sort=True)]
    if len(found) < number:
        raise ValueError(f"key articles: {len(found)} articles in the data, expected {number}")
    return found[:number]


def text_of(article: dict) -> str:
    """An article as it is trained on: ``Title, Author, Year.`` and its text."""
    return f"{article['title']}, {article['author']}, {article['year']}.\n{article['article']}"


def asked(one: dict) -> str:
    """A question as the prompt has it, with its choices, up to where the answer begins."""
    question = f"{one['question'][:1].lower()}{one['question'][1:].strip()}"
    about = f'In the context of "{one["title"]}", written by {one["author"]} in {one["year"]}, {question}'
    choices = "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, one["options"], strict=True))
    start = "### Thought Process and Answer\nThought process:"
    return f"### Question\n{about} There is only one correct choice.\n### Choices\n{choices}\n{start}"


def examples() -> str:
    """The worked examples, each with its thoughts and its answer."""
    found = yaml.safe_load((DATA / "examples.yaml").read_text(encoding="utf-8"))
    return "".join(f"{asked(one)} {one['thoughts']} Answer: {one['answer']}.\n\n" for one in found)


def make_items(questions: pd.DataFrame, number: int) -> list[dict]:
    """The items of the suite; ``difficult`` is QuALITY's own mark of a question, ``book`` the number of its article."""
    before, items = examples(), []
    for article, part in enumerate(articles(questions, number)):
        for one in part.to_dict("records"):
            choices = [str(choice) for choice in one["options"]]
            letter = LETTERS[int(one["gold_label"]) - 1]
            items.append(
                {
                    "item": len(items),
                    "query": before + asked(one),
                    "question": asked(one),
                    "answer": letter,
                    "difficult": bool(one["difficult"]),
                    "book": article,
                    "text": "\n".join([str(one["question"]), *choices]),
                }
            )
    return items


def write_source(out: str, *, row: dict, code: str) -> None:
    """Write the articles of a source's row, and their card."""
    made = []
    for number, part in enumerate(articles(read(row), row["articles"])):
        one = part.iloc[0].to_dict()
        about = {"book": number, "title": one["title"], "author": one["author"], "year": str(one["year"])}
        made.append(document(text_of(one), source=row["name"], index=number, meta=about))
    write_documents(out, made, row=row, code=code, revision=row["revision"], licence=row["licence"])


def write_suite(out: str, *, row: dict, code: str, questions: pd.DataFrame | None = None) -> None:
    """Write the folder of a suite's row; the data path in its task file is relative to where the workflow runs."""
    items = make_items(read(row) if questions is None else questions, row["articles"])
    settings = yaml.safe_load((DATA / "task.yaml").read_text(encoding="utf-8"))
    (task,) = row["tasks"]
    with atomic(out) as beside:
        beside.mkdir()
        told = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
        (beside / f"{task}.jsonl").write_text(told, encoding="utf-8")
        data = {"dataset_kwargs": {"data_files": {"test": str(Path(out) / f"{task}.jsonl")}}}
        (beside / f"{task}.yaml").write_text(yaml.safe_dump({"task": task, **settings, **data}), encoding="utf-8")
        lines = [{"task": task, **{key: item[key] for key in ("item", "text", "book")}} for item in items]
        pd.DataFrame(lines).to_parquet(beside / "items.parquet", index=False)
    counts = {"items": len(items), "difficult": sum(item["difficult"] for item in items)}
    print(f"{row['name']}: {counts}")
    write_card(out, row=row, code=code, counts=counts)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        write = write_suite if "tasks" in snakemake.params.row else write_source
        write(snakemake.output[0], row=snakemake.params.row, code=snakemake.params.code)
