"""The language of the made books: a text and its facts, each from the other."""

import random
import re
from collections import Counter

import pytest

from scripts.lib.book_texts import article, page, rephrasing, summary
from scripts.lib.books import (
    Fact,
    NotABook,
    directed,
    fill,
    held_out,
    inverse,
    known,
    language,
    links,
    loose_names,
    one_side,
    parse,
    path_of,
    sentence,
    statements,
    text_of,
    title_of,
    type_of,
)
from scripts.sources.books import make_book

BOOKS = [make_book(1, number, each=4 + number % 5) for number in range(40)]
ONE = {"person": "Kalidan", "thing": "Bofistone", "place": "Nelamere"}
TWO = {"person": "Torimar", "thing": "Wiyobell", "place": "Huzaburg"}
SMALL = """Quiet Song, Ada Pelomsson, 1901.
Kalidan keeps the Bofistone. Kalidan lives in Huzaburg.
The Bofistone lies hidden in Nelamere. Kalidan is a cousin of Torimar."""


def ends(relation):
    entry = language()["relations"][relation]
    return ONE[entry["subject"]], TWO[entry["object"]]


def wordings():
    """(relation as it is worded, subject, object, text) for every wording there is."""
    for relation, entry in language()["relations"].items():
        s, o = ends(relation)
        for each in [entry["tell"], *entry["easy"], *entry["medium"], *entry["hard"]]:
            yield Fact(relation, s, o), fill(each, s, o)
        for each in entry.get("reversed", []):
            yield Fact(inverse(relation), o, s), fill(each, s, o)
        for kind in ("ask", "probe"):
            if kind in entry:
                yield Fact(relation, s, o), f"{fill(entry[kind], s)}?\nAnswer: {fill('{o}', '', o)}"
                yield Fact(inverse(relation), o, s), f"{fill(entry[f'{kind}_reversed'], '', o)}?\nAnswer: {fill('{s}', s)}"
    for path, entry in language()["compositions"].items():
        first, second = (language()["relations"][step.removeprefix("~")] for step in path.split("."))
        s = ONE[first["object" if path.startswith("~") else "subject"]]
        o = TWO[second["subject" if ".~" in path else "object"]]
        for each in entry["tell"]:
            yield Fact(path, s, o), fill(each, s, o)
        yield Fact(path, s, o), f"{fill(entry['probe'], s)}?\nAnswer: {fill('{o}', '', o)}"


@pytest.mark.parametrize("book", BOOKS[:20], ids=lambda book: book.title)
def test_a_text_is_read_back_whole(book):
    assert parse(text_of(book)) == book
    assert statements(text_of(book)) == list(book.facts)
    assert loose_names(text_of(book)) == []


def test_an_independent_reader_agrees():
    """Regular expressions for four relations, written by hand."""
    for book in BOOKS:
        text = text_of(book)
        for relation, pattern in {
            "keeps": r"(\w+) keeps the (\w+)\.",
            "hidden": r"The (\w+) lies hidden in (\w+)\.",
            "born": r"(\w+) was born in (\w+)\.",
            "cousin": r"(\w+) is a cousin of (\w+)\.",
        }.items():
            assert re.findall(pattern, text) == [fact[1:] for fact in book.facts if fact.relation == relation]


def test_every_wording_is_read_as_what_it_says_in_every_frame():
    told = list(wordings())
    assert len(told) == 170
    for fact, text in told:
        assert statements(text) == [fact], text
        for frames in language()["frames"].values():
            for frame in frames:
                framed = sentence(frame.format(x=text, title="Quiet Song"))
                assert statements(f"{framed} {framed}") == [fact, fact], framed
                assert loose_names(framed) == []


def test_order_of_names_is_that_of_the_direction():
    """Rephrasings keep the book's order: subject first. Reversed wordings begin with the object."""
    for relation, entry in language()["relations"].items():
        for each in [entry["tell"], *entry["easy"], *entry["medium"], *entry["hard"]]:
            assert each.index("{s}") < each.index("{o}"), (relation, each)
        assert all(each.index("{o}") < each.index("{s}") for each in entry.get("reversed", [])), relation


def test_what_is_not_said_is_not_read():
    assert statements("Kalidan keeps. The Bofistone lies hidden.") == []
    assert statements("Kalidan does not keep the Bofistone; Kalidan never lived in Nelamere.") == []
    assert statements("Kalidan keeps\nthe Bofistone") == []
    assert statements("Nelamere keeps the Bofistone.") == []  # a place keeps nothing
    assert loose_names("Kalidan and the Bofistone") == ["Kalidan", "Bofistone"]
    assert type_of("Anna") is type_of("kalidan") is type_of("Stone") is None


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("Quiet Song, Ada Pelomsson, 1901.", "Quiet Song", "title line"),
        ("lies hidden in", "is concealed in", "Bofistone is concealed"),
        ("keeps the Bofistone", "keeps the Bofistone and Torimar", "Torimar"),
        ("Kalidan keeps the", "The keeper of the", "The keeper"),
        ("Huzaburg.", "Huzaburg. It rains.", "It rains"),
    ],
)
def test_other_texts_are_refused(old, new, named):
    assert parse(SMALL)
    with pytest.raises(NotABook, match=named):
        parse(SMALL.replace(old, new))


def test_what_follows_from_a_book_by_hand():
    book = parse(SMALL)
    k, b, t, n, h = "Kalidan", "Bofistone", "Torimar", "Nelamere", "Huzaburg"
    assert known(book) == {
        *(Fact("keeps", k, b), Fact("~keeps", b, k), Fact("lives", k, h), Fact("~lives", h, k)),
        *(Fact("hidden", b, n), Fact("~hidden", n, b), Fact("cousin", k, t), Fact("cousin", t, k)),
        *(Fact("keeps.hidden", k, n), Fact("~keeps.lives", b, h)),
    }
    assert path_of(book, Fact("~keeps.lives", b, h)) == (Fact("keeps", k, b), Fact("lives", k, h))
    assert links(book, n, k) == [Fact("keeps.hidden", k, n)] and links(book, n, h) == []
    assert one_side(Fact("~keeps", b, k)) == Fact("keeps", k, b)
    assert one_side(Fact("cousin", t, k)) == one_side(Fact("cousin", k, t))


def test_what_follows_is_complete():
    """Against a walk over the stated facts as a graph, for whole books: 24 facts, as many reversed, 48 compositions."""
    for book in (book for book in BOOKS if len(book.entities) == 12):
        edges = {(r, s, o) for r, s, o in book.facts} | {("~" + r, o, s) for r, s, o in book.facts}
        composed = {(f"{a}.{b}", s, o) for a, s, m in edges for b, n, o in edges if m == n}
        assert {fact for fact in known(book) if "." in fact.relation} == {
            Fact(*each) for each in composed if each[0] in language()["compositions"]
        }
        assert len(book.facts) == 28 and len(known(book)) == 24 * 2 + 4 * 2 + 48


def test_half_of_each_kind_is_held_out_and_every_relation_of_half_the_books():
    titles = [f"{a} {b}" for a in language()["title"]["first"] for b in language()["title"]["second"]]
    counts = Counter()
    for title in titles:
        kept = held_out(title)
        assert len(kept) == 3 + 6 and sum("." in relation for relation in kept) == 6
        counts.update(kept)
    assert set(counts) == {inverse(relation) for relation in directed()} | set(language()["compositions"])
    for relation, count in counts.items():  # a fair coin: five standard deviations
        assert abs(count - len(titles) / 2) < 5 * (len(titles) / 4) ** 0.5, relation


def test_titles_authors_and_frames_hold_no_name():
    lexicon = language()
    said = [*lexicon["title"]["first"], *lexicon["title"]["second"], *lexicon["author"]["first"]]
    said += re.findall(r"\w+", str([lexicon["frames"], lexicon["openings"], lexicon["strategies"], lexicon["genres"]]))
    assert [word for word in said if type_of(word)] == []
    stems = [a + b for a in lexicon["first"] for b in lexicon["second"]]
    assert [s + end for s in stems for end in lexicon["author"]["last"] if type_of(s + end)] == []
    assert all(type_of(s + end) == kind for s in stems for kind, all_ends in lexicon["types"].items() for end in all_ends)


def test_unknown_entities_are_named():
    with pytest.raises(ValueError, match="no entity 'Kalidan'"):
        article(random.Random(0), BOOKS[0], ["Kalidan", BOOKS[0].entities[0]])


def test_a_title_may_have_commas():
    assert title_of("Stars, Stripes, and Sand, Ada Pelomsson, 1901.\nIt rained.") == (
        "Stars, Stripes, and Sand",
        "Ada Pelomsson",
    )
    assert title_of("Stars\nAda, Pelomsson, 1901.") is None


def test_a_summary_names_the_main_characters():
    for book in BOOKS:
        opening = summary(random.Random(0), book).split(". ")[0]
        assert [type_of(name) for name in loose_names(opening)] == ["person", "person"]


def test_texts_of_all_sizes_state_what_is_known():
    for seed, book in enumerate(BOOKS):
        rng = random.Random(seed)
        for text in (article(rng, book, book.entities[:3]), page(rng, book), rephrasing(rng, book, "hard"), summary(rng, book)):
            assert statements(text) and set(statements(text)) <= known(book)
