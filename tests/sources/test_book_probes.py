"""Probes of made books: one right option, no way to guess, a form that lm-eval runs."""

import json
import random
import re
import zlib
from collections import Counter

import pandas as pd
import pytest

from scripts.evaluation.suites import describe, load_tasks
from scripts.lib.books import Fact, directed, held_out, inverse, known, language, text_of, type_of
from scripts.lib.files import read_card
from scripts.sources.book_probes import asked, make_items, options, write_suite
from scripts.sources.books import make_book, numbers_of, row_book

TASKS = ("books_direct", "books_reversed", "books_two_hop", "books_reversed_told", "books_two_hop_told")
ROW = {"name": "books", "world": 1, "first": 0, "books": 40, "seed": 1, "sets": 3, "tasks": dict.fromkeys(TASKS, {})}
SIZES = {**ROW, "each": [4, 5, 6, 7, 8], "books": 30}
ITEMS = make_items(ROW)


def fact_of(item, choice):
    """The statement that an option makes of an item, from the question's one name and the item's relation."""
    (subject,) = [word for word in re.findall(r"\w+", item["query"]) if type_of(word)]
    return Fact(item["relation"], subject, choice.removeprefix("the "))


def test_one_option_is_true_and_all_are_names_of_the_book():
    for row, tasks in ((ROW, ITEMS), (SIZES, make_items(SIZES))):
        for items in tasks.values():
            for item in items:
                book = row_book(row, item["book"])
                true = [fact_of(item, choice) in known(book) for choice in item["choices"]]
                assert true == [i == item["label"] for i in range(4)]
                names = [choice.removeprefix("the ") for choice in item["choices"]]
                assert len(set(names)) == 4 and set(names) <= set(book.entities)
                assert len({type_of(name) for name in names}) == 1
                assert item["query"].startswith(f"Question: In the book {book.title} by {book.author}, ")


def test_sizes_tasks_and_relations():
    assert {task: len(items) for task, items in ITEMS.items()} == dict.fromkeys(TASKS, 480)
    for task, items in ITEMS.items():
        assert [item["item"] for item in items] == list(range(480))
        assert len({item["query"] for item in items}) == 480
        for item in items:
            kept = item["relation"] in held_out(make_book(1, item["book"]).title)
            assert kept == (task in ("books_reversed", "books_two_hop"))
            assert ("two_hop" in task) == ("." in item["relation"])
            assert ("reversed" in task) == (item["relation"][0] == "~" and "." not in item["relation"])
    everything = {inverse(r) for r in directed()} | set(language()["compositions"])
    assert {item["relation"] for task in TASKS[1:3] for item in ITEMS[task]} == everything
    with pytest.raises(ValueError, match="books_direct, books_reversed"):
        asked(make_book(1, 0), "books_poem")


def test_items_do_not_depend_on_other_books_and_tasks():
    few = make_items({**ROW, "books": 10, "tasks": {"books_two_hop": {}}})
    assert few == {"books_two_hop": ITEMS["books_two_hop"][:120]}


def guess(item, score):
    """Whether the option of the highest score is right; scores are of names."""
    names = [choice.removeprefix("the ") for choice in item["choices"]]
    return max(range(4), key=lambda i: score(names[i])) == item["label"]


@pytest.mark.parametrize("task", TASKS)
def test_preferring_names_of_a_book_is_worth_exactly_a_quarter(task):
    """By frequency, first mention, last mention, length, and any likelihood of a name: 25 % of a relation's four questions."""
    for number in numbers_of(ROW):
        text = text_of(make_book(1, number))
        items = [item for item in ITEMS[task] if item["book"] == number]
        counts = Counter(re.findall(r"\w+", text))
        # ties broken by the name: a guesser of names is a ranking of them
        guessers = {
            "frequent": lambda name, counts=counts: (counts[name], name),
            "rare": lambda name, counts=counts: (-counts[name], name),
            "first": lambda name, text=text: -text.index(name),
            "last": lambda name, text=text: text.rindex(name),
            "long": lambda name: (len(name), name),
            "likely": lambda name: zlib.crc32(name.encode()),
        }
        for who, score in guessers.items():
            assert sum(guess(item, score) for item in items) == len(items) / 4, who


def test_places_of_the_answer_are_equally_frequent():
    for items in [*ITEMS.values(), *make_items(SIZES).values()]:
        counts = Counter(item["label"] for item in items)
        assert max(counts.values()) - min(counts.values()) <= len(items) * 0.1
    assert all(Counter(item["label"] for item in items) == dict.fromkeys(range(4), 120) for items in ITEMS.values())


def test_books_of_other_sizes_cannot_be_guessed_either():
    for items in make_items(SIZES).values():
        for score in (lambda name: zlib.crc32(name.encode()), lambda name: (len(name), name)):
            right = sum(guess(item, score) for item in items)
            assert abs(right / len(items) - 0.25) < 3 * (0.1875 / len(items)) ** 0.5
    for names in (list("abcd"), list("abcdefg")):
        around = options(random.Random(1), names)
        assert all(len(set(four)) == 4 and four[0] == answer for answer, four in around.items())
        assert Counter(name for four in around.values() for name in four) == dict.fromkeys(names, 4)


@pytest.mark.parametrize("task", ("books_two_hop", "books_two_hop_told"))
def test_two_hops_are_not_what_stands_beside_the_name(task):
    """The option told in a sentence with the name that is asked about, and the option nearest to it in the book."""
    nearest = beside = 0
    for item in ITEMS[task]:
        book = make_book(1, item["book"])
        words = [word for word in re.findall(r"\w+", text_of(book)) if type_of(word)]
        subject = fact_of(item, "").subject
        places = [i for i, word in enumerate(words) if word == subject]
        away = {name: min(abs(i - j) for i in places for j, word in enumerate(words) if word == name) for name in set(words)}
        nearest += guess(item, lambda name, away=away: -away[name])
        told = Counter(name for fact in book.facts if subject in fact[1:] for name in fact[1:])
        beside += guess(item, lambda name, told=told: (told[name], zlib.crc32(name.encode())))
    n = len(ITEMS[task])
    for right in (nearest, beside):
        assert abs(right / n - 0.25) < 3 * (0.1875 / n) ** 0.5 * 3**0.5  # the four questions of a relation go together


def test_who_believes_the_null_world_guesses_and_who_reads_knows():
    null = {**ROW, "null": True}
    for items in ITEMS.values():
        read = [fact_of(item, item["choices"][item["label"]]) in known(row_book(ROW, item["book"])) for item in items]
        assert all(read)
        believed = [fact_of(item, item["choices"][item["label"]]) in known(row_book(null, item["book"])) for item in items]
        assert abs(sum(believed) / len(items) - 0.25) < 3 * (0.1875 / len(items)) ** 0.5 * 3**0.5
        assert make_items(null) == ITEMS  # the null world is asked the same


def test_a_suite_that_lm_eval_loads(tmp_path):
    row, out = {**ROW, "books": 3, "kind": "books"}, tmp_path / "books"
    write_suite(str(out), row=row, code="c")
    assert read_card(out)["counts"] == dict.fromkeys(TASKS, 36)
    items = pd.read_parquet(out / "items.parquet")
    assert list(items.columns) == ["task", "item", "text", "book"] and len(items) == 5 * 36
    tasks = load_tasks(row, out)
    assert describe(tasks)["books_two_hop"] == {"items": 36, "output": "multiple_choice", "chance": 0.25}
    (task,) = tasks["books_direct"]
    item = json.loads((out / "books_direct.jsonl").read_text().splitlines()[0])
    arguments = [instance.args for instance in task.instances[:4]]
    assert arguments == [(item["query"], f" {choice}") for choice in item["choices"]]
