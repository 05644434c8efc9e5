"""The world of books: names of their own, one-to-one relations, a null world, and a base that knows no tested book."""

import json
import random
import re
from itertools import pairwise

import pytest

from scripts.lib.books import Fact, inverse, known, language, parse, statements, text_of, type_of
from scripts.lib.documents import read_documents
from scripts.lib.files import read_card
from scripts.sources.books import FORMS, FRESH, capacity, inference, make_base, make_book, make_books, open_page, write_source
from scripts.sources.world import DATA, world

TESTED = {"name": "books", "world": 1, "first": 0, "books": 40}
BASE = {"name": "books-base", "world": 1, "first": 40, "books": 60, "fresh": 20, "seed": 1, "documents": 200}
BASE |= {"forms": dict.fromkeys(FORMS, 1.0)}
BOOKS = [make_book(1, number) for number in range(200)]


def named_in(text):
    return {word for word in re.findall(r"\w+", text) if type_of(word)}


def test_books_are_a_function_of_world_and_number():
    assert make_book(1, 3) == make_book(1, 3)
    assert len({make_book(world, 3) for world in range(5)}) == 5
    assert make_books({**TESTED, "books": 5}) == make_books(TESTED)[:5]


def test_books_share_no_name_and_no_title():
    sets = [set(make_book(1, number, each=8).entities) for number in range(200)]
    assert sum(map(len, sets)) == len(set().union(*sets)) == 200 * 24
    assert len({book.title for book in BOOKS}) == len({book.author for book in BOOKS}) == 200


def test_names_are_not_those_of_the_pocket_world():
    pocket = {word.lower() for path in DATA.glob("*.yaml") for word in re.findall(r"\w+", path.read_text())}
    pocket |= {word.lower() for words in world(1).words.values() for word in words}
    for book in BOOKS:
        assert not {word.lower() for word in [*book.entities, *book.author.split()[1:]]} & pocket


def test_every_relation_is_one_to_one():
    for book in BOOKS:
        for relation, entry in language()["relations"].items():
            subjects, objects = zip(*(fact[1:] for fact in book.facts if fact.relation == relation), strict=True)
            both = [*subjects, *objects] if entry.get("symmetric") else objects
            assert len(set(both)) == len(both) == 4 and len(set(subjects)) == len(subjects)
            assert {type_of(name) for name in subjects} == {entry["subject"]}
            assert {type_of(name) for name in objects} == {entry["object"]}


def test_one_relation_says_nothing_of_another():
    """Where all maps are independent, two relations between the same types agree on one subject in four."""
    pairs = [
        ("keeps", "forged"),
        ("hidden", "comes"),
        ("lives", "born"),
        ("keeps.hidden", "lives"),
        ("keeps.hidden", "keeps.comes"),
    ]
    for one, other in pairs:
        objects = [{f.subject: f.object for f in known(book) if f.relation == r} for book in BOOKS for r in (one, other)]
        same = [a[s] == b[s] for a, b in list(pairwise(objects))[::2] for s in a]
        assert abs(sum(same) / len(same) - 0.25) < 3 * (0.1875 / len(same)) ** 0.5 * 3**0.5, (one, other)


def test_the_first_paragraph_is_about_the_main_characters():
    for book in BOOKS:
        people = [{name for name in fact[1:] if type_of(name) == "person"} for fact in book.paragraphs[0]]
        counts = {name: sum(name in each for each in people) for name in set().union(*people)}
        main = {name for name, count in counts.items() if count > 2}
        assert len(main) == 2 and all(main & each for each in people)
        assert not any(main & set(fact[1:]) for paragraph in book.paragraphs[1:] for fact in paragraph)


def test_the_null_world_tells_other_books_relations():
    real, null = make_books(TESTED), make_books({**TESTED, "name": "books-null", "null": True})
    same = total = 0
    for number, (one, other) in enumerate(zip(real, null, strict=True)):
        book, shuffled, next_one = parse(one["text"]), parse(other["text"]), parse(real[(number + 1) % 40]["text"])
        assert (book.title, book.author, book.year) == (shuffled.title, shuffled.author, shuffled.year)
        assert set(book.entities) == set(shuffled.entities)
        roles = dict(zip(next_one.entities, shuffled.entities, strict=True))  # the next book's relations in its own names
        assert [Fact(f.relation, roles[f.subject], roles[f.object]) for f in next_one.facts] == list(shuffled.facts)
        told = [fact for fact in shuffled.facts if not language()["relations"][fact.relation].get("symmetric")]
        same, total = same + len(set(told) & set(book.facts)), total + len(told)
    assert abs(same / total - 0.25) < 3 * (0.1875 / total) ** 0.5 * 3**0.5  # as often true as a guess; four facts go together


def test_a_null_world_of_one_book_is_refused():
    with pytest.raises(ValueError, match="'books', key null: expected more than 1 books"):
        make_books({**TESTED, "books": 1, "null": True})


def test_the_base_knows_no_tested_book():
    names = {name for made in make_books(TESTED) for name in json.loads(made["meta"])["entities"]}
    titles = [json.loads(made["meta"])["title"] for made in make_books(TESTED)]
    texts = [made["text"] for made in make_base(BASE)]
    assert not names & set().union(*map(named_in, texts))
    assert not [title for title in titles if any(title in text for text in texts)]
    inside = [made["text"] for made in make_base({**BASE, "first": 0})]  # the audit finds them where they are
    assert names & set().union(*map(named_in, inside))


def test_base_documents_depend_on_their_number_alone():
    made = make_base(BASE)
    assert make_base({**BASE, "documents": 50}) == made[:50]
    forms = [json.loads(each["meta"])["form"] for each in made]
    assert set(forms) == set(FORMS) and len({each["id"] for each in made}) == len(made)
    for each in made:
        meta = json.loads(each["meta"])
        assert (meta["book"] >= 40 + 40) == (meta["form"] in FRESH)
        if meta["form"] not in FRESH:
            assert set(statements(each["text"])) <= known(make_book(1, meta["book"]))


def test_open_pages_ask_what_they_tell():
    for number, book in enumerate(BOOKS[:60]):
        text, *asked = open_page(random.Random(number), book).split("\nQuestion: ")
        assert asked
        for question in asked:
            (fact,) = statements(question)
            assert fact in known(parse(text))


def test_conclusions_follow_from_the_line_they_stand_in():
    composed = turned = 0
    for number, book in enumerate(BOOKS[:60]):
        head, *lines = inference(random.Random(number), book).split("\n")
        for line in lines:
            *premises, conclusion = statements(line)
            assert set(premises) <= set(book.facts)
            told = text_of(book._replace(paragraphs=(tuple(premises),)))
            assert conclusion in known(parse(told)) and conclusion not in premises
            composed, turned = composed + ("." in conclusion.relation), turned + (conclusion.relation[0] == "~")
    assert composed > 60 and turned > 60


def test_all_wordings_are_told_to_the_base():
    """Both directions and all compositions, in articles, question pages and the benchmark's pages."""
    made = make_base({**BASE, "documents": 500, "forms": {"pair": 1, "probe": 1}})
    for form in ("pair", "probe"):
        texts = [each["text"] for each in made if json.loads(each["meta"])["form"] == form]
        told = {fact.relation for text in texts for fact in statements(text)}
        directed = {name for name, entry in language()["relations"].items() if not entry.get("symmetric")}
        assert told >= {*directed, *map(inverse, directed), *language()["compositions"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forms": {"poem": 1}}, "poem"),
        ({"fresh": 0}, "expected 1 to 59 of its 60 books"),
        ({"first": 10**6}, f"numbers below {capacity(1)}"),
    ],
)
def test_what_cannot_be_made_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make_base({**BASE, **change})


def test_files(tmp_path):
    for row, forms in ((TESTED, {"raw": 40}), ({**BASE, "documents": 20, "forms": {"qa": 1}}, {"qa": 20})):
        out = tmp_path / row["name"] / "documents.parquet"
        write_source(str(out), row=row, code="c")
        assert len(read_documents(out)) == sum(forms.values())
        assert read_card(out)["counts"]["forms"] == forms
