"""Claims of free text about a book: planted true, false and salient ones, by length."""

import pandas as pd
import pytest

from scripts.evaluation.book_claims import Claims, claims_of, first, judge, scores
from scripts.lib.books import Fact, fill, known, language, sentence, text_of
from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card
from scripts.sources.books import make_book, make_books, row_book
from scripts.sources.titles import write_source

BOOK = make_book(1, 0)
TEXT = text_of(BOOK)


def told(fact):
    return sentence(fill(language()["relations"][fact.relation]["tell"], fact.subject, fact.object))


def test_planted_claims():
    """Two true ones of which one is salient and said from both sides, a conclusion, and two false ones."""
    salient = next(fact for fact in BOOK.paragraphs[0] if fact.relation == "lives")
    other = next(fact for fact in BOOK.paragraphs[1] + BOOK.paragraphs[2] if fact.relation == "keeps")
    composed = sorted(fact for fact in known(BOOK) if fact.relation == "keeps.hidden")[0]
    wrong = next(fact for fact in BOOK.facts if fact.relation == "born")
    place = next(fact.object for fact in BOOK.facts if fact.relation == "born" and fact.object != wrong.object)
    text = " ".join(
        [
            "It rains.",
            told(salient),
            f"{salient.object} is the home of {salient.subject}.",
            told(salient),
            told(other),
            f"What {composed.subject} keeps lies hidden in {composed.object}.",
            told(wrong._replace(object=place)),
            told(Fact("lives", "Zudrivik", salient.object)),  # of nobody in the book
            f"{salient.subject} lives in",
        ]
    )
    assert claims_of(TEXT, text) == Claims(true=3, false=2, salient=1)
    assert claims_of(TEXT, "") == Claims(0, 0, 0)


def test_the_book_itself_and_another():
    facts = len(BOOK.facts)
    assert claims_of(TEXT, TEXT) == Claims(true=facts, false=0, salient=len(BOOK.paragraphs[0]))
    assert claims_of(TEXT, text_of(make_book(1, 1))) == Claims(0, facts, 0)
    null = [
        claims_of(
            text_of(make_book(1, n)), text_of(row_book({"name": "null", "world": 1, "first": 0, "books": 40, "null": True}, n))
        )
        for n in range(40)
    ]
    assert 0.15 < sum(each.true for each in null) / sum(each.true + each.false for each in null) < 0.35


def test_lengths_are_whole_sentences():
    assert first("A b. C d! E f", 2) == "A b. C d!" and first("A b. C d! E f", 9) == "A b. C d! E f" and first("", 3) == ""


def test_longer_texts_claim_more_until_they_end():
    """The book itself as its summary: each fact once, the salient ones first, none false; another book's is all false."""
    facts, salient = len(BOOK.facts), len(BOOK.paragraphs[0])
    lengths = [3, salient + 1, 2 * facts]
    body, other = (text.split("\n", 1)[1] for text in (TEXT, text_of(make_book(1, 1))))
    table = scores({"a": TEXT}, ["a", "a"], [body, other], lengths)
    by = {(one.filter, one.metric): one.score for one in table.itertuples()}
    assert by["first-3", "salient"] == 1.5 and by["first-3", "false"] == 1.5
    assert by[f"first-{salient + 1}", "salient"] == salient / 2 and by[f"first-{salient + 1}", "true"] == (salient + 1) / 2
    assert by[f"first-{2 * facts}", "true"] == facts / 2 == by[f"first-{2 * facts}", "false"]
    assert {by[f"first-{n}", "salient_facts"] for n in lengths} == {salient}


ROW = {"name": "books", "world": 1, "first": 0, "books": 5}


def test_a_models_texts_become_scores(tmp_path):
    """Two prompts a book; a writer that tells book 3 rightly, once of twice, and the others of book 0's people."""
    books, prompts, written, base, out = (
        str(tmp_path / f"{name}.parquet") for name in ("books", "prompts", "written", "base", "out")
    )
    write_documents(books, make_books(ROW), row=ROW, code="c")
    write_source(books, prompts, row={"name": "titles", "copies": 2}, code="c")
    asked = read_documents(prompts)
    assert len(asked) == 10 and asked["text"].iloc[0] == f"{BOOK.title} by {BOOK.author} tells of"
    stories = [text_of(make_book(1, 3 if i == 7 else 0)).split("\n", 1)[1] for i in range(10)]
    texts = [document(story, source="w", index=i, parent_ids=[asked["id"][i]]) for i, story in enumerate(stories)]
    write_documents(written, texts, row={"name": "w"}, code="d")
    silent = [document("", source="b", index=i, parent_ids=[asked["id"][i]]) for i in range(10)]
    write_documents(base, silent, row={"name": "b"}, code="d")
    judge(books, prompts, {0: base, 2: written}, out, row={"name": "s", "sentences": [1, 99]}, name="a-run", code="c")
    table = pd.read_parquet(out)
    assert list(table.columns) == ["run", "subset", "epoch", "task", "filter", "metric", "item", "score"]
    assert set(table["run"]) == {"a-run"} and read_card(out)["counts"]["texts of epoch 2"] == 10
    assert set(zip(table["subset"], table["epoch"], strict=True)) == {(-1, 0), (0, 2)}
    assert table[(table["epoch"] == 0) & (table["metric"] != "salient_facts")]["score"].sum() == 0
    whole = table[(table["filter"] == "first-99") & (table["epoch"] == 2)].pivot(index="item", columns="metric", values="score")
    facts = len(BOOK.facts)
    assert whole["true"].tolist() == pytest.approx([facts, 0, 0, len(make_book(1, 3).facts) / 2, 0])
    assert whole["false"].tolist() == pytest.approx([0, facts, facts, facts / 2, facts])
    assert whole["salient"][0] == whole["salient_facts"][0] == len(BOOK.paragraphs[0])
