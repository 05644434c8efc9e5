"""Open-book questions: the same questions under what was retrieved, whole books as they are, the best document last."""

import json

import pandas as pd
import pytest

from scripts.audits.retrieval import retrieve
from scripts.evaluation.suites import load_tasks
from scripts.lib.books import text_of
from scripts.lib.documents import write_documents
from scripts.sources import book_probes, open_book
from scripts.sources.books import make_book, make_books
from scripts.sources.open_book import context_of, opened

TASKS = {"books_direct": {}, "books_two_hop": {}}
ROW = {"name": "books", "world": 1, "first": 0, "books": 6, "seed": 1, "sets": 2, "tasks": TASKS}
GOLD = {"name": "gold", "kind": "gold", "characters": 500, "keep": 16}


@pytest.fixture
def suites(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_documents("documents.parquet", make_books(ROW), row=ROW, code="c")
    book_probes.write_suite("closed", row=ROW, code="c")
    retrieve("documents.parquet", "closed", "gold.parquet", row=GOLD, code="c", tasks=TASKS)
    row = {"name": "open", "kind": "open-book", "tasks": {"books_two_hop": {}}, "passages": 16}
    open_book.write_suite("closed", "gold.parquet", "open", row=row, code="c")
    return tmp_path


def items(folder, suite, task):
    return [json.loads(line) for line in (folder / suite / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_book_found_whole_stands_as_it_is_before_the_same_question(suites):
    closed, opened_ = (items(suites, suite, "books_two_hop") for suite in ("closed", "open"))
    assert len(closed) == len(opened_) == 6 * 2 * 4
    for one, other in zip(closed, opened_, strict=True):
        assert other["query"] == f"{text_of(make_book(1, one['book']))}\n{one['query']}"
        assert {**other, "query": ""} == {**one, "query": ""}
    assert not (suites / "open/books_direct.yaml").exists()


def test_lm_eval_asks_with_the_passages(suites):
    row = {"name": "open", "kind": "open-book", "tasks": {"books_two_hop": {}}}
    (task,) = load_tasks(row, "open")["books_two_hop"]
    context, choice = task.instances[0].args
    first = items(suites, "open", "books_two_hop")[0]
    assert context == first["query"] and choice.strip() == first["choices"][0]


def found(*lines):
    return pd.DataFrame(lines, columns=["item", "rank", "document", "part", "head", "text"])


def test_the_best_document_is_last_and_parts_are_in_order():
    some = found(
        (0, 1, "b", 2, "B, X, 1900.", "b two"),
        (0, 2, "a", 0, "A, Y, 1901.", "a zero"),
        (0, 3, "b", 0, "B, X, 1900.", "b zero"),
        (0, 4, "c", 5, "", "c five"),
    )
    assert context_of(some) == "c five\n\nA, Y, 1901.\na zero\n\nB, X, 1900.\nb zero\nb two"
    (one,) = opened([{"item": 0, "query": "Q"}], some, 1)
    assert one["query"] == "B, X, 1900.\nb two\nQ"
    (one,) = opened([{"item": 0, "query": "An example.\n\nQ", "question": "Q"}], some, 1)
    assert one["query"] == "An example.\n\nB, X, 1900.\nb two\nQ"


def test_an_item_without_passages_is_said(suites):
    with pytest.raises(ValueError, match="item 3: nothing was retrieved"):
        opened([{"item": 3, "query": "Q"}], found((0, 1, "a", 0, "", "a")), 4)
    pd.read_parquet("gold.parquet").query("item != 2").to_parquet("some.parquet")
    row = {"name": "open", "tasks": TASKS, "passages": 4}
    with pytest.raises(ValueError, match="suite open, task books_direct, item 2: nothing was retrieved.*some.parquet be made"):
        open_book.write_suite("closed", "some.parquet", "more", row=row, code="c")
    assert not (suites / "more").exists()
