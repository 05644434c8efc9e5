"""Claims of free text about a book: planted true, false and salient ones."""

import pytest

from scripts.evaluation.book_claims import Claims, claims_of, prompt_of
from scripts.lib.books import Fact, NotABook, fill, known, language, sentence, text_of
from scripts.sources.books import make_book, row_book

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


def test_the_prompt_is_a_summarys_beginning():
    assert prompt_of(TEXT) == f"{BOOK.title} by {BOOK.author} tells of"
    with pytest.raises(NotABook):
        prompt_of("It rains.")
