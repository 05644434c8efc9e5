"""The rule-written teacher: it adds nothing, keeps what is held out, and says it differently with each seed."""

import gzip
import json
import random
import re
from functools import cache
from itertools import combinations

import pandas as pd
import pytest

from scripts.curation.contamination import find, index_items
from scripts.lib.books import Fact, directed, held_out, inverse, known, language, loose_names, parse, statements, text_of
from scripts.lib.text import ngrams, words
from scripts.sources.benchmarks import text_of as item_text
from scripts.sources.book_probes import make_items
from scripts.sources.books import make_book, row_book
from scripts.synthesis.entities import entities, mentions, sentences
from scripts.synthesis.requests import Request
from scripts.synthesis.teacher import KINDS, CannotAnswer, answer

ROW = {"name": "books", "world": 1, "first": 0, "books": 40}
BOOKS = [make_book(1, number, each=4 + (number % 3 == 2)) for number in range(12)]
NULL = [row_book({**ROW, "null": True}, number) for number in range(4)]
PLAIN = [kind for kind in KINDS if kind not in ("entities", "active-reading-strategies", "mga-genres")]


def requests(book, kind, rng):
    """A request of a kind with fields that fit, as a method would make it."""
    fields = {}
    if kind in ("pair", "triple"):
        fields = {"entities": rng.sample(book.entities, 2 if kind == "pair" else 3)}
    if kind == "active-reading":
        fields = {"strategy": rng.choice([*language()["strategies"], "Sing it"])}
    if kind == "mga":
        fields = {"genre": rng.choice(language()["genres"]), "audience": rng.choice(language()["audiences"])}
    return Request(kind, text_of(book), fields)


@cache
def answers(kind):
    """(book, answer) for all books and three seeds."""
    rng = random.Random(kind)
    return [(book, answer(requests(book, kind, rng), seed)) for book in [*BOOKS, *NULL] for seed in range(3)]


@cache
def articles(number):
    """What EntiGraph would write of one book: its summary, all pairs, and every fifth triple."""
    text = text_of(BOOKS[number])
    found = json.loads(answer(Request("entities", text, {}), 0))
    asked = [("pair", pair) for pair in combinations(found["entities"], 2)]
    asked += [("triple", triple) for triple in list(combinations(found["entities"], 3))[::5]]
    return [found["summary"], *(answer(Request(kind, text, {"entities": list(e)}), 0) for kind, e in asked)]


def problems(book, text, kept):
    """Whatever a text says that it may not: statements that do not hold or are kept, and sentences that nobody can read."""
    found = [fact for fact in statements(text) if fact not in known(book) or fact.relation in kept]
    for line in text.split("\n"):
        opening = line.startswith(("#", f"{book.title} by {book.author}", f"{book.title}, {book.author}"))
        for each in [line] if line.startswith(("Question", "Answer")) else line.split(". "):
            together = re.fullmatch(rf".* belong to {book.title}\.?", each)
            head = each == line.split(". ")[0] and opening
            if not statements(each) and not (together or head or each.startswith(("Question", "Answer"))):
                found.append(each)
            if not (together or head or each.startswith(("Question", "Answer"))) and loose_names(each):
                found.append(each)
    return found + [name for name in loose_names(text) if name not in book.entities]


@pytest.mark.parametrize("kind", PLAIN)
def test_every_answer_adds_nothing_and_keeps_what_is_held_out(kind):
    for book, text in answers(kind):
        assert statements(text), text
        assert problems(book, text, held_out(book.title)) == [], text


def test_the_check_finds_what_is_added():
    book, text = answers("pair")[0]
    other = make_book(1, 20)
    kept = held_out(book.title)
    assert problems(book, text.replace(book.entities[0], other.entities[0]), kept)
    assert problems(book, f"{text}\n{text_of(other).split(chr(10))[1]}", kept)
    assert problems(book, f"{text} It rained.", kept)
    person, *_ = [fact.subject for fact in book.facts if fact.relation == "lives"]
    wrong = next(f.object for f in book.facts if f.relation == "lives" and f.subject != person)
    assert problems(book, f"{text}\n{person} lives in {wrong}.", kept)
    relation = sorted(r for r in kept if "." not in r)[0]
    fact = next(fact for fact in known(book) if fact.relation == relation)
    (said, *_) = language()["relations"][relation[1:]]["reversed"]
    said = said.format(s=fact.object, o=fact.subject)
    assert statements(said) == [fact] and problems(book, f"{text}\n{said}.", kept)


def test_entities_and_summary():
    for book, text in answers("entities"):
        found = json.loads(text)
        assert set(found) == {"summary", "entities"} and found["entities"] == list(book.entities)
        assert set(statements(found["summary"])) == set(book.paragraphs[0])
        assert problems(book, found["summary"], held_out(book.title)) == []


@pytest.mark.parametrize("style", ("easy", "medium", "hard"))
def test_rephrasings_state_all_facts_in_their_order_and_direction(style):
    for book, text in answers(f"rephrase-{style}"):
        assert statements(text) == list(book.facts)
        own = {" ".join(each.split()) for each in re.split(r"\. |\.\n|\.$", text_of(book))}
        shared = {" ".join(each.split()) for each in re.split(r"\. |\.\n|\.$", text)} & own
        assert not shared - {""}  # in other words


def test_rephrasings_and_articles_state_the_same_facts_of_the_book():
    """Trap b: EntiGraph gets no fact that Rephrase lacks; besides, it tells all that is not held out."""
    for number, book in enumerate(BOOKS[:6]):
        told = {fact for text in articles(number) for fact in statements(text)}
        assert set(book.facts) <= told <= known(book)
        derived = {fact for fact in known(book) - set(book.facts) if fact.relation not in held_out(book.title)}
        assert len(told & derived) > 0.95 * len(derived)
        assert not {fact for fact in told if fact.relation in held_out(book.title)}


def test_an_article_is_about_its_entities():
    rng = random.Random(0)
    for book in BOOKS:
        names = rng.sample(book.entities, 3)
        text = answer(Request("triple", text_of(book), {"entities": names}), 1)
        heads = [line for line in text.split("\n") if line.startswith("## ")]
        assert len(heads) == 4 and heads[0].endswith(f"in {book.title} by {book.author}")
        assert all(book.title in head for head in heads)
        for name, part in zip(names, text.split("## ")[1:4], strict=True):
            about = {fact if fact in book.facts else Fact(inverse(fact.relation), *fact[:0:-1]) for fact in statements(part)}
            expected = {fact for fact in book.facts if name in fact[1:]}
            assert {f for f in about if f.relation in directed()} == {f for f in expected if f.relation in directed()}


def test_pages_ask_nothing_that_is_held_out_and_cover_the_rest():
    book = BOOKS[0]
    told = {fact for seed in range(30) for fact in statements(answer(Request("qa", text_of(book), {}), seed))}
    expected = {f for f in known(book) if f.relation.removeprefix("~") in directed() and f.relation not in held_out(book.title)}
    assert told == expected


@pytest.mark.parametrize("kind", PLAIN)
def test_seeds_word_it_differently(kind):
    book = BOOKS[0]
    request = requests(book, kind, random.Random(3))
    texts = [answer(request, seed) for seed in range(8)]
    assert texts == [answer(request, seed) for seed in range(8)] and len(set(texts)) == 8
    grams = [set(ngrams(words(text), 5)) for text in texts]
    alike = [len(a & b) / len(a | b) for a, b in combinations(grams, 2)]
    assert sum(alike) / len(alike) < 0.45  # near-duplicates are above 0.7


def test_no_text_holds_8_words_of_a_probe():
    """Of any probe, held out or not: pages about a book are worded as the benchmark is not."""
    tasks = ("books_direct", "books_reversed", "books_two_hop", "books_reversed_told", "books_two_hop_told")
    items = make_items({**ROW, "each": [4, 4, 5], "books": 12, "seed": 1, "sets": 6, "tasks": dict.fromkeys(tasks, {})})
    asked = {gram for made in items.values() for item in made for gram in ngrams(words(item_text(item)), 8)}
    texts = [text for number in range(4) for text in articles(number)]
    texts += [text for kind in PLAIN for _, text in answers(kind)] + [text_of(book) for book in BOOKS]
    assert not [text for text in texts if asked & set(ngrams(words(text), 8))]
    # the audit finds a probe where one stands
    assert asked & set(ngrams(words(items["books_direct"][0]["query"] + " it is"), 8))


def test_real_curation_finds_no_contamination():
    tasks = {"books_two_hop": {}, "books_reversed": {}}
    items = make_items({**ROW, "each": [4, 4, 5], "books": 4, "seed": 1, "sets": 6, "tasks": tasks})
    frame = pd.DataFrame([{"task": t, "item": i["item"], "text": item_text(i)} for t, made in items.items() for i in made])
    index = index_items(frame)
    texts = [text for number in range(4) for text in articles(number)]
    planted = f"{items['books_two_hop'][3]['query']} {items['books_two_hop'][3]['choices'][0]}"
    found = [bool(hit) for hit in find([*texts, planted], index)]
    assert found == [False] * len(texts) + [True]


def test_the_teacher_sees_the_request_alone():
    """Another document with the same title: facts are those of the document, wherever its books come from."""
    book, null = make_book(1, 0), NULL[0]
    assert book.title == null.title and set(book.facts) != set(null.facts)
    text = answer(Request("rephrase-easy", text_of(null), {}), 1)
    assert statements(text) == list(null.facts)


def test_fixed_strategies_and_genres():
    strategies = json.loads(answer(Request("active-reading-strategies", text_of(BOOKS[0]), {}), 1))["strategies"]
    assert sorted(strategies) == sorted(language()["strategies"])
    pairs = json.loads(answer(Request("mga-genres", text_of(BOOKS[0]), {}), 1))["pairs"]
    assert len(pairs) == 5 and all(set(pair) == {"genre", "audience"} for pair in pairs)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request("poem", text_of(BOOKS[0]), {}), "'poem': expected one of entities, pair"),
        (Request("pair", text_of(BOOKS[0]), {}), "pair: no field 'entities'"),
        (Request("qa", "It rains.", {}), "qa: 'It rains.': expected a title line"),
    ],
)
def test_what_it_cannot_answer_is_said(request_, message):
    with pytest.raises(CannotAnswer, match=message):
        answer(request_, 1)


def test_real_stories_are_quoted(real_text):
    with gzip.open(real_text / "squality/squality_v1-3_txt_dev.jsonl.gz", "rt", encoding="utf-8") as file:
        stories = [json.loads(line)["document"] for line, _ in zip(file, range(3), strict=False)]
    for story in stories:
        found = json.loads(answer(Request("entities", story, {}), 1))
        assert 3 <= len(found["entities"]) <= 12 and found["summary"]
        told = " ".join(story.split())
        quoted = 0
        for pair in combinations(found["entities"][:4], 2):
            text = answer(Request("pair", story, {"entities": list(pair)}), 1)
            both = text.split("\n## ")[-1].split("\n")[1:]
            assert all(line.startswith("## ") or line in told for line in text.split("\n"))
            assert all(mentions(name, line) for line in both for name in pair)
            quoted += len(both)
        assert quoted > 3
        with pytest.raises(CannotAnswer, match="only quotes"):
            answer(Request("rephrase-easy", story, {}), 1)


def test_a_book_is_no_story_and_reads_back():
    assert parse(text_of(BOOKS[0])) == BOOKS[0]
    assert len(sentences(text_of(BOOKS[0]))) == len(BOOKS[0].facts) + 1
    assert set(entities(text_of(BOOKS[0]), most=20)) & set(BOOKS[0].entities)
