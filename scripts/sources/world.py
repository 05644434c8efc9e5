"""The pocket world: invented people, places, things, quantities and everyday events whose truth is known.

Reads pocket_data/lexicon.yaml (the words); makes a World from a seed. Nothing here knows how a fact is worded: genres.py
renders the world as documents, benchmarks.py asks about it.
"""

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from scripts.lib.seeds import seed_of
from scripts.lib.text import words

DATA = Path(__file__).parent / "pocket_data"
PEOPLE, FAMILY = 240, 6
# Few are told of often, as in real text: small models learn those, and hardly the rest.
KNOWN, KNOWN_SHARE = 24, 0.8  # well-known people, and how much of what is told is about them
COMMON = 5  # so many members of each kind are told of in KNOWN_SHARE of the cases
NEIGHBOURS = 16  # word problems and notes are about these people only
ATTRIBUTES = ("home", "born", "job", "pet", "food", "hobby", "plays")
PRONOUNS = ("she", "he")


class Fact(NamedTuple):
    """One statement: ``Fact("home", "Tana", "Arbeck")``, ``Fact("+", "7 5", "12")``, ``Fact("then", step, next step)``."""

    relation: str
    subject: str
    object: str


@dataclass(frozen=True, eq=False)  # compared by identity: a seed has one world
class World:
    """All that is true: facts by relation and subject, and the words by class."""

    seed: int
    people: tuple[str, ...]  # first names, unique; the most told of first
    common: tuple[str, ...]  # the things most told of
    surname: dict[str, str]
    pronoun: dict[str, str]
    truth: dict[str, dict[str, tuple[str, ...]]]
    words: dict[str, tuple[str, ...]]  # class -> its words: person, town, thing, kind, colour, ...
    plural: dict[str, str]  # of things and kinds
    scripts: tuple[dict, ...]  # goal, variants, steps
    steps: dict[str, tuple[tuple[int, int], ...]]  # step as told -> (script, position)
    traits: tuple[dict, ...]  # of each pair everyone has one: truth["trait"]
    deeds: dict[str, str]  # deed -> the trait of those who do it

    def one(self, relation: str, subject: str) -> str:
        """The object of a relation that has one object a subject."""
        return self.truth[relation][subject][0]

    def is_true(self, fact: Fact) -> bool:
        """Whether a fact holds here; of words that the world does not have, nothing holds."""
        relation, subject, obj = fact
        if relation == "then":
            after = dict(self.steps.get(obj, ()))
            return any(position < after.get(script, -1) for script, position in self.steps.get(subject, ()))
        if relation == "did":
            return self.deeds.get(obj) in self.truth["trait"].get(subject, ())
        if relation == "code":
            return calls_to(subject) == obj
        if relation == ">":
            return int(subject) > int(obj)
        if relation in OPERATIONS:
            return str(OPERATIONS[relation](*map(int, subject.split()))) == obj
        return obj in self.truth.get(relation, {}).get(subject, ())

    def person(self, rng: random.Random) -> str:
        """A person, drawn by how often each is told of."""
        return rng.choice(self.people[:KNOWN] if rng.random() < KNOWN_SHARE else self.people[KNOWN:])

    def thing(self, rng: random.Random) -> str:
        """A thing, drawn by how often each is told of."""
        return rng.choice(self.common if rng.random() < KNOWN_SHARE else self.words["thing"])

    def neighbours(self, rng: random.Random) -> tuple[str, str]:
        """Two different people of those whom problems and notes are about."""
        a, b = rng.sample(self.people[:NEIGHBOURS], 2)
        return a, b

    def deed_of(self, person: str, number: int) -> str:
        """What a person does because of a trait."""
        pair = self.traits[number]
        return pair["one_did" if self.truth["trait"][person][number] == pair["one"] else "other_did"]

    def opposites(self, rng: random.Random, number: int) -> tuple[str, str]:
        """Two neighbours who differ in a trait."""
        while True:
            a, b = self.neighbours(rng)
            if self.truth["trait"][a][number] != self.truth["trait"][b][number]:
                return a, b


OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
}
FUNCTIONS: dict[str, Callable[..., int]] = {
    "add": lambda k, n: n + k,
    "take": lambda k, n: n - k,
    "times": lambda k, n: n * k,
    "larger": max,
    "smaller": min,
    "total": lambda a, b: a + b,
    "gap": lambda a, b: abs(a - b),
}


def calls_to(call: str) -> str | None:
    """What a call of a small function gives: ``calls_to("add_3(4)")`` is ``"7"``; None for a function that is not known."""
    name, _, rest = call.partition("(")
    base, *constants = name.split("_")
    try:
        return str(FUNCTIONS[base](*map(int, constants), *map(int, rest.rstrip(")").split(","))))
    except (KeyError, TypeError, ValueError):
        return None


def held_out(*key: object) -> bool:
    """Whether an instance (numbers of a problem, who meets which event) is kept for the benchmarks: a fifth of all are.

    Training genres never tell these instances, and benchmarks ask no others.
    """
    return zlib.crc32("|".join(map(str, key)).encode()) % 5 == 0


@cache
def lexicon(name: str = "lexicon") -> dict:
    """A data file of pocket_data, read once."""
    return yaml.load((DATA / f"{name}.yaml").read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def world(seed: int) -> World:
    """The world of a seed: 240 people in 40 families, 32 towns in 6 regions, 11 kinds of things with 115 members, 14 events.

    Raises:
        ValueError: when a word of the lexicon belongs to two classes, since then no reader could tell them apart.
    """
    lex, rng = lexicon(), random.Random(seed_of("pocket-world", seed))
    taken = {word for file in DATA.glob("*.yaml") for word in words(file.read_text(encoding="utf-8"))}
    built = {p: [a + b for a in lex["names"]["first"] for b in lex["names"][p]] for p in PRONOUNS}
    first = {p: [name for name in built[p] if name.lower() not in taken] for p in PRONOUNS}
    names = {p: rng.sample(first[p], PEOPLE // 2) for p in PRONOUNS}
    pronoun = {name: p for p in PRONOUNS for name in names[p]}
    truth: dict[str, dict[str, tuple[str, ...]]] = {}
    surname = _families(rng, names, lex["surnames"], truth)
    people = rng.sample(sorted(pronoun), PEOPLE)
    things = {member: kind for kind, entry in lex["kinds"].items() for member in entry["members"]}
    plural = {word: lex["plurals"].get(word, word + "s") for word in things} | {k: e["plural"] for k, e in lex["kinds"].items()}
    classes = {name: lex[name] for name in ("town", "region", "weather", "goods", "landform", "job", "hobby", "colour")}
    classes |= {name: [entry[name] for entry in lex["kinds"].values()] for name in ("part", "place", "use")}
    classes |= {"person": people, "thing": list(things), "kind": list(lex["kinds"])}
    _check_disjoint({**classes, "plural": [p for w, p in plural.items() if p != w], "surname": lex["surnames"]})

    def deal(subjects: list[str], values: list[str]) -> dict[str, tuple[str, ...]]:
        """Each subject one value, every value equally often."""
        pack = [values[i % len(values)] for i in range(len(subjects))]
        return {s: (v,) for s, v in zip(subjects, rng.sample(pack, len(pack)), strict=True)}

    pets, foods = ([t for t, k in things.items() if k in lex[use]] for use in ("pets", "foods"))
    objects = {"home": lex["town"], "born": lex["town"], "job": lex["job"], "pet": pets, "food": foods, "hobby": lex["hobby"]}
    truth |= {attribute: deal(people, values) for attribute, values in objects.items()}
    truth["plays"] = deal(people, lex["kinds"]["instrument"]["members"])
    truth |= {relation: deal(lex["town"], lex[relation]) for relation in ("region", "goods", "landform")}
    truth["weather"] = deal(lex["region"], lex["weather"])
    truth["kind"] = {thing: (kind,) for thing, kind in things.items()}
    truth["colour"], truth["origin"] = deal(list(things), lex["colour"]), deal(list(things), lex["town"])
    truth |= {relation: {k: (e[relation],) for k, e in lex["kinds"].items()} for relation in ("part", "place", "use")}
    dealt = [
        deal(people[:NEIGHBOURS], [t["one"], t["other"]]) | deal(people[NEIGHBOURS:], [t["one"], t["other"]])
        for t in lex["traits"]
    ]
    truth["trait"] = {person: tuple(pair[person][0] for pair in dealt) for person in people}
    steps: dict[str, tuple[tuple[int, int], ...]] = {}
    for number, script in enumerate(lex["scripts"]):
        for position, step in enumerate(script["steps"]):
            for told in dict.fromkeys(step.format(x=x) for x in script["variants"]):
                steps[told] = (*steps.get(told, ()), (number, position))
    return World(
        seed=seed,
        people=tuple(people),
        common=tuple(member for entry in lex["kinds"].values() for member in entry["members"][:COMMON]),
        surname=surname,
        pronoun=pronoun,
        truth=truth,
        words={name: tuple(values) for name, values in classes.items()},
        plural=plural,
        scripts=tuple(lex["scripts"]),
        steps=steps,
        traits=tuple(lex["traits"]),
        deeds={t[f"{who}_did"]: t[who] for t in lex["traits"] for who in ("one", "other")},
    )


def _families(rng: random.Random, names: dict[str, list[str]], surnames: list[str], truth: dict) -> dict[str, str]:
    """Fill in mother, father, sibling and friend; give the surname of everyone: families of two parents and four children."""
    for relation in ("mother", "father", "sibling", "friend"):
        truth[relation] = {}
    surname = {}
    half = FAMILY // 2
    for number in range(PEOPLE // FAMILY):
        women, men = (names[p][number * half : (number + 1) * half] for p in PRONOUNS)
        children = women[1:] + men[1:]
        surname |= dict.fromkeys(women + men, surnames[number])
        for child in children:
            truth["mother"][child], truth["father"][child] = (women[0],), (men[0],)
            truth["sibling"][child] = tuple(other for other in children if other != child)
    pairs = rng.sample(sorted(surname), PEOPLE)
    for a, b in zip(pairs[::2], pairs[1::2], strict=True):
        truth["friend"][a], truth["friend"][b] = (b,), (a,)
    return surname


def _check_disjoint(classes: dict[str, list[str]]) -> None:
    seen: dict[str, str] = {}
    for name, values in classes.items():
        for word in sorted(set(values)):
            if other := seen.get(word.lower()):
                raise ValueError(f"{DATA / 'lexicon.yaml'}: {word!r} is both {other} and {name}; a word has one class only")
            seen[word.lower()] = name


class Worked(NamedTuple):
    """A question about quantities: its type, what fills its wording, and the work as (x, operation, y, z)."""

    type: str
    slots: dict[str, object]
    work: tuple[tuple[int, str, int, int], ...]
    answer: int
    key: tuple  # equal keys are the same instance; `held_out` of it decides between training and benchmark


def operand(rng: random.Random, low: int = 1) -> int:
    """A number up to 20, mostly of one digit."""
    return rng.randint(low, 9) if rng.random() < 0.95 else rng.randint(10, 20)


def problem(rng: random.Random, place: World) -> Worked:
    """A word problem of one or two steps about two people and a kind of thing; all numbers from 0 to 40."""
    kind = rng.choices(("gain", "loss", "both", "groups", "compare"), (3, 3, 1.5, 1, 2))[0]
    a, b = place.neighbours(rng)
    x, y, z = operand(rng, 2), operand(rng, 2), operand(rng, 2)  # not "1 apples"
    if kind == "groups":
        x, y = 2 + x % 5, 2 + y % 5
    if kind in ("loss", "compare"):
        x, y = max(x, y) + (x == y), min(x, y)
    if kind == "both":
        z = min(z, x + y - 1)
    operation = {"gain": "+", "both": "+", "loss": "-", "compare": "-", "groups": "*"}[kind]
    answer = OPERATIONS[operation](x, y)
    work = [(x, operation, y, answer)]
    if kind == "both":
        work.append((answer, "-", z, answer - z))
        answer -= z
    thing = place.plural[rng.choice(lexicon()["counted"])]
    slots = {"a": a, "b": b, "t": thing, "x": x, "y": y, "z": z}
    return Worked(kind, slots, tuple(work), answer, (kind, a, thing, x, y, z if kind == "both" else 0))


def calculation(rng: random.Random) -> Worked:
    """A plain calculation: a chain of one or two operations, an equation, the largest of three, or the next of a sequence."""
    kind = rng.choices(("chain", "equation", "largest", "sequence"), (60, 20, 12, 8))[0]
    x, y, z = operand(rng), operand(rng), operand(rng)
    if kind == "chain":
        first, second = rng.choice("+-"), rng.choice("+-")
        if first == "-":
            x, y = max(x, y) + (x == y), min(x, y)
        between = OPERATIONS[first](x, y)
        if rng.random() < 0.5:
            return Worked(kind, {"e": f"{x}{first}{y}"}, ((x, first, y, between),), between, (kind, x, first, y))
        if second == "-" and z > between:
            second = "+"
        answer = OPERATIONS[second](between, z)
        slots = {"e": f"{x}{first}{y}{second}{z}"}
        return Worked(kind, slots, ((x, first, y, between), (between, second, z, answer)), answer, (kind, x, y, z))
    if kind == "equation":
        return Worked(kind, {"y": y, "z": x + y}, ((x + y, "-", y, x),), x, (kind, x, y))
    if kind == "largest":
        x, y, z = rng.sample(range(1, 21), 3)
        top, *others = sorted((x, y, z), reverse=True)
        work = tuple((top, ">", other, top) for other in others)
        return Worked(kind, {"x": x, "y": y, "z": z}, work, top, (kind, x, y, z))
    start, step = rng.randint(1, 20), rng.randint(1, 6)
    x, y, z = start, start + step, start + 2 * step
    return Worked(kind, {"x": x, "y": y, "z": z}, ((z, "+", step, z + step),), z + step, (kind, start, step))
