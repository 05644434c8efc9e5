"""The language of the made books: a book's text and its facts, each from the other, and what follows from the facts.

Reads books.yaml (names and wordings). Whoever has a book's text has all that is known of it: the writer of synthetic text gets
nothing else, and the check of a text that a model wrote is exact. scripts/sources/books.py makes the books.
"""

import random
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml

from scripts.lib.seeds import seed_of

_HEAD = re.compile(r"(.+), ([^,\n]+), (\d{4})\.")
_TOKEN = re.compile(r"[A-Za-z]+|[.?!:;]|\n+")


class NotABook(ValueError):
    """A text that is not one of the made books."""


class Fact(NamedTuple):
    """One statement. A relation with ``~`` goes from object to subject, one with a dot is two relations one after the other.

    ``Fact("keeps", "Kalidan", "Bofistone")`` and ``Fact("~keeps", "Bofistone", "Kalidan")`` are the same state of affairs, and
    ``Fact("keeps.hidden", "Kalidan", "Nelamere")`` says that what Kalidan keeps lies hidden in Nelamere.
    """

    relation: str
    subject: str
    object: str


class Book(NamedTuple):
    """A book as its text tells it; the first paragraph is about the main characters."""

    title: str
    author: str
    year: int
    paragraphs: tuple[tuple[Fact, ...], ...]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Every stated fact, in order."""
        return tuple(fact for paragraph in self.paragraphs for fact in paragraph)

    @property
    def entities(self) -> tuple[str, ...]:
        """Every name, in order of mention."""
        return tuple(dict.fromkeys(name for fact in self.facts for name in fact[1:]))


@cache
def language() -> dict:
    """books.yaml, read once."""
    return yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


@cache
def directed() -> tuple[str, ...]:
    """The relations that go from one type to another."""
    return tuple(name for name, entry in language()["relations"].items() if not entry.get("symmetric"))


@cache
def _endings() -> dict[str, re.Pattern]:
    return {kind: re.compile(rf"[A-Z][a-z]{{2,}}(?:{'|'.join(ends)})") for kind, ends in language()["types"].items()}


@lru_cache(maxsize=1 << 16)
def type_of(word: str) -> str | None:
    """person, thing or place by the word's ending; None for what is no name: ``type_of("Nelamere")`` is ``"place"``."""
    return next((kind for kind, pattern in _endings().items() if pattern.fullmatch(word)), None)


def named(name: str) -> str:
    """A name as a sentence has it: a thing with its article."""
    return f"the {name}" if type_of(name) == "thing" else name


def fill(wording: str, s: str, o: str = "") -> str:
    """A wording about two names."""
    return wording.format(s=named(s), o=named(o))


def sentence(clause: str) -> str:
    """A clause with a capital and, if it ends without a mark, a full stop."""
    clause = clause[:1].upper() + clause[1:]
    return clause if clause.endswith((".", "?")) else f"{clause}."


def text_of(book: Book) -> str:
    """The book: its title line as in the published code, and a line for each paragraph."""
    wordings = language()["relations"]
    lines = [
        " ".join(sentence(fill(wordings[fact.relation]["tell"], fact.subject, fact.object)) for fact in paragraph)
        for paragraph in book.paragraphs
    ]
    return "\n".join([f"{book.title}, {book.author}, {book.year}.", *lines])


@lru_cache(maxsize=256)
def parse(document: str) -> Book:
    """The book that a text tells; ``parse(text_of(book)) == book``.

    Raises:
        NotABook: naming the first line that is no title line, or the first sentence that is not one of a book's own.
    """
    head, *lines = document.strip().split("\n")
    match = _HEAD.fullmatch(head)
    if not match:
        raise NotABook(f"{head[:80]!r}: expected a title line, Title, Author, Year.")
    paragraphs = []
    for line in lines:
        facts = []
        for told in line.removesuffix(".").split(". "):
            read = statements(told)
            wording = language()["relations"].get(read[0].relation, {}).get("tell") if len(read) == 1 else None
            if wording is None or sentence(fill(wording, *read[0][1:])) != f"{told}.":
                raise NotABook(f"{match[1]}: {told[:80]!r} is no sentence of a made book")
            facts.append(read[0])
        paragraphs.append(tuple(facts))
    return Book(match[1], match[2], int(match[3]), tuple(paragraphs))


def title_of(document: str) -> tuple[str, str] | None:
    """Title and author from a text's title line; None where it begins otherwise."""
    match = _HEAD.fullmatch(document.strip().split("\n")[0])
    return (match[1], match[2]) if match else None


def inverse(relation: str) -> str:
    """``inverse("keeps")`` is ``"~keeps"``, and back."""
    return relation[1:] if relation.startswith("~") else f"~{relation}"


@lru_cache(maxsize=256)
def known(book: Book) -> frozenset[Fact]:
    """What the book states and what follows: relations from object to subject, and the compositions of two.

    All of it stands in the closure, and nothing else is true in the book.
    """
    wordings = language()["relations"]
    found = set(book.facts)
    for relation, subject, obj in book.facts:
        found.add(Fact(relation if wordings[relation].get("symmetric") else inverse(relation), obj, subject))
    after = {(fact.relation, fact.subject): fact.object for fact in found}
    for path in language()["compositions"]:
        first, second = path.split(".")
        for fact in [fact for fact in found if fact.relation == first]:
            if (second, fact.object) in after:
                found.add(Fact(path, fact.subject, after[second, fact.object]))
    return frozenset(found)


@lru_cache(maxsize=1024)
def held_out(title: str) -> frozenset[str]:
    """The relations of a book that no text about it may state: half of those from object to subject, half of the compositions.

    Whole relations are held out, all pairs of them: were three of four pairs told, the fourth would follow. The choice is a
    function of the title, so that a writer that sees only the document can keep to it, and a benchmark can ask for the rest.
    Of the four compositions between any two types two are held out.
    """
    rng = random.Random(seed_of("held-out", title))
    groups: dict[tuple, list[str]] = {}
    for relation in directed():
        groups.setdefault(("~",), []).append(inverse(relation))
    for path in language()["compositions"]:
        groups.setdefault(ends_of(path), []).append(path)
    return frozenset(name for names in groups.values() for name in rng.sample(names, len(names) // 2))


def ends_of(relation: str) -> tuple[str, str]:
    """The types of subject and object: ``ends_of("~keeps.lives")`` is ``("thing", "place")``."""
    first, last = relation.split(".")[0], relation.split(".")[-1]
    wordings = language()["relations"]
    start = wordings[first.removeprefix("~")]["object" if first.startswith("~") else "subject"]
    return start, wordings[last.removeprefix("~")]["subject" if last.startswith("~") else "object"]


def path_of(book: Book, fact: Fact) -> tuple[Fact, Fact]:
    """The two stated facts that a composition joins."""
    first, second = fact.relation.split(".")
    facts = known(book)
    middle = next(f.object for f in facts if f.relation == first and f.subject == fact.subject)
    return one_side(Fact(first, fact.subject, middle)), one_side(Fact(second, middle, fact.object))


def one_side(fact: Fact) -> Fact:
    """The one direction that stands for a fact and its reverse: that in which books state it; of symmetric ones, by name."""
    relation, subject, obj = fact
    if relation.startswith("~") and "." not in relation:
        return Fact(relation[1:], obj, subject)
    if language()["relations"].get(relation, {}).get("symmetric"):
        return Fact(relation, *sorted((subject, obj)))
    return fact


def links(book: Book, a: str, b: str) -> list[Fact]:
    """What ties two entities: stated facts, and compositions, in a fixed order."""
    direct = [fact for fact in book.facts if {fact.subject, fact.object} == {a, b}]
    composed = [fact for fact in known(book) if "." in fact.relation and {fact.subject, fact.object} == {a, b}]
    return sorted(direct) + sorted(composed)


# Reading: a text becomes a row of words, in which each name is also its type and a thing has lost its article. A wording
# becomes such a row too ("<person> lives in <place>"), and is looked up wherever it could start, the longest first.


def _row(text: str, slots: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A wording as a row, and its slots in order."""
    parts = re.split(r"(\{[so]\})", text)
    order = tuple(part[1] for part in parts if part in slots)
    row = [token for part in parts for token in ([f"<{slots[part]}>"] if part in slots else _TOKEN.findall(part))]
    return tuple(row), order


@cache
def _wordings() -> tuple[dict, dict[str, list[int]]]:
    """Row -> (relation, whether the subject comes first); the lengths of rows by their first word."""
    rows: dict[tuple[str, ...], tuple[str, bool]] = {}

    def learn(wording: str, relation: str, first: str) -> None:
        """``first`` is the slot that the relation starts from."""
        ends = ends_of(relation.removeprefix("~") if "." not in relation else relation)
        row, order = _row(wording, {"{s}": ends[0], "{o}": ends[1]})
        entry = relation, order[0] == first
        if rows.setdefault(row, entry) != entry:
            raise ValueError(f"books.yaml: {wording!r} of {relation} reads like a wording of {rows[row][0]}")

    for relation, entry in language()["relations"].items():
        for wording in [entry["tell"], *entry["easy"], *entry["medium"], *entry["hard"]]:
            learn(wording, relation, "s")
        for wording in entry.get("reversed", []):
            learn(wording, inverse(relation), "o")
        for key, end, name, first in (("", "o", relation, "s"), ("_reversed", "s", inverse(relation), "o")):
            for kind in ("ask", "probe"):
                for label in ("Answer", "A"):
                    if kind + key in entry:
                        learn(f"{entry[kind + key]}?\n{label}: {{{end}}}", name, first)
    for path, entry in language()["compositions"].items():
        for wording in [*entry["tell"], f"{entry['probe']}?\nAnswer: {{o}}"]:
            learn(wording, path, "s")
    lengths: dict[str, set[int]] = {}
    for row in rows:
        lengths.setdefault(row[0], set()).add(len(row))
    return rows, {start: sorted(sizes, reverse=True) for start, sizes in lengths.items()}


def _scan(text: str) -> Iterator[tuple[Fact | None, str]]:
    """(fact, "") for each statement in order, and (None, name) for each name outside statements."""
    rows, lengths = _wordings()
    tokens: list[str] = []
    names: list[str] = []
    for word in _TOKEN.findall(text):
        kind = type_of(word) if word[0].isupper() else None
        if kind == "thing" and tokens and tokens[-1] == "the":
            tokens.pop()
            names.pop()
        token = f"<{kind}>" if kind else "\n" if word[0] == "\n" else word if word in ("Answer", "A") else word.lower()
        tokens.append(token)
        names.append(word)
    i = 0
    while i < len(tokens):
        for size in lengths.get(tokens[i], ()):
            if entry := rows.get(tuple(tokens[i : i + size])):
                relation, in_order = entry
                one, two = (n for t, n in zip(tokens[i : i + size], names[i : i + size], strict=True) if t[0] == "<")
                yield Fact(relation, *((one, two) if in_order else (two, one))), ""
                i += size
                break
        else:
            if tokens[i][0] == "<":
                yield None, names[i]
            i += 1


def statements(text: str) -> list[Fact]:
    """What a text states, true or not, in order, in the direction in which it is worded; also of text that a model wrote.

    A question with its answer is a statement. What is worded as nothing in books.yaml is not seen.
    """
    return [fact for fact, _ in _scan(text) if fact]


def loose_names(text: str) -> list[str]:
    """The names that stand outside every statement, of which nothing is said: headings, lists."""
    return [name for fact, name in _scan(text) if fact is None]
