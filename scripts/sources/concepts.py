"""The concept world: K invented villages (the concepts), eight facts about each; documents that tell some of one village's
facts in one of six genres, and a reader that says which facts any text states.

Reads concept_data/concepts.yaml and a row; makes documents.parquet with its card. It is the smallest world in which
synthetic bootstrapped pretraining (arXiv 2509.15248) can be judged: documents of one concept share a latent cause, few concepts
are told of often and many hardly ever, and whether a text is about the same concept, and true, is known exactly.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, product
from pathlib import Path
from typing import NamedTuple

import yaml

from scripts.lib.documents import document, write_documents
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of

DATA = Path(__file__).parent / "concept_data" / "concepts.yaml"
FACTS = (2, 4)  # of the eight that a document tells
NOISE, OTHER = 0.5, 0.25  # chances of a sentence that says nothing, after each fact; of one more village in closing
PRONOUN = "It"


class Fact(NamedTuple):
    """One statement: ``Fact("flag", "Beldaham", "red")``."""

    relation: str
    concept: str
    value: str


@dataclass(frozen=True, eq=False)  # compared by identity: a seed and a size have one world
class Concepts:
    """All that is true."""

    names: tuple[str, ...]  # the most told of first
    truth: dict[str, dict[str, str]]  # relation -> concept -> value

    def is_true(self, fact: Fact) -> bool:
        """Whether a fact holds; of a name that no concept has, nothing holds."""
        return self.truth[fact.relation].get(fact.concept) == fact.value


class Read(NamedTuple):
    """What a text says: its statements in order, and all names that it gives to a subject, in order."""

    facts: list[Fact]
    named: list[str]

    @property
    def subject(self) -> str | None:
        """What the text is about: what most of its statements are about, the first of equals; else the first name, or None."""
        most = Counter(fact.concept for fact in self.facts).most_common(1)
        return most[0][0] if most else self.named[0] if self.named else None


@cache
def wordings() -> dict:
    """The data file, read once."""
    return yaml.safe_load(DATA.read_text(encoding="utf-8"))


@cache
def concepts(seed: int, number: int) -> Concepts:
    """The world of a seed with ``number`` concepts; each value of a relation is that of equally many of them.

    Raises:
        ValueError: when there are not so many names.
    """
    words, rng = wordings(), random.Random(seed_of("concepts", seed))
    names = ["".join(parts) for parts in product(*words["names"])]
    if not 0 < number <= len(names):
        raise ValueError(f"{DATA}: has {len(names)} names, a row asks for {number} concepts")
    names = rng.sample(names, len(names))[:number]
    truth = {}
    for relation, entry in words["relations"].items():
        values = [entry["values"][i % len(entry["values"])] for i in range(number)]
        truth[relation] = dict(zip(names, rng.sample(values, number), strict=True))
    return Concepts(tuple(names), truth)


@cache
def weights(number: int, tail: float) -> list[float]:
    """Cumulative weights of the concepts by Zipf's law: the r-th is told of in proportion to 1 / r ** tail."""
    return list(accumulate(rank**-tail for rank in range(1, number + 1)))


def tell(rng: random.Random, fact: Fact, pronoun: float = 0.0) -> str:
    """A sentence that states the fact; with chance ``pronoun`` a sentence that opens with the concept says It."""
    template = rng.choice(wordings()["relations"][fact.relation]["tell"])
    name = PRONOUN if template.startswith("{s}") and rng.random() < pronoun else fact.concept
    return template.format(s=name, o=fact.value)


def _upper(value: str) -> str:
    return value[:1].upper() + value[1:]


def _noisy(rng: random.Random, sentences: list[str]) -> list[str]:
    """The sentences with now and then one that says nothing after them."""
    found = []
    for sentence in sentences:
        found += [sentence] + ([rng.choice(wordings()["noise"])] if rng.random() < NOISE else [])
    return found


def _close(rng: random.Random, genre: str, other: str) -> list[str]:
    return [wordings()["genres"][genre]["close"].format(t=other)] if rng.random() < OTHER else []


def entry(rng: random.Random, facts: list[Fact], other: str) -> str:
    """A heading, and sentences that mostly say It."""
    said = [tell(rng, fact, pronoun=0.8) for fact in facts]
    return f"{facts[0].concept}\n{' '.join([*said, *_close(rng, 'entry', other)])}"


def letter(rng: random.Random, facts: list[Fact], other: str) -> str:
    """From the village, with chatter."""
    words, (p, q) = wordings()["genres"]["letter"], rng.sample(wordings()["people"], 2)
    said = _noisy(rng, [tell(rng, fact, pronoun=0.4) for fact in facts])
    opening, end = words["open"].format(p=p, s=facts[0].concept), words["end"].format(q=q)
    return " ".join([opening, *said, *_close(rng, "letter", other), end])


def talk(rng: random.Random, facts: list[Fact], other: str) -> str:
    """Two people in turn."""
    words, people = wordings()["genres"]["talk"], rng.sample(wordings()["people"], 2)
    said = [tell(rng, fact, pronoun=0.6) for fact in facts]
    lines = [words["open"].format(p=people[0], s=facts[0].concept), f"{people[1]}: {words['reply']} {said[0]}"]
    rest = [*_noisy(rng, said[1:]), *_close(rng, "talk", other)]
    return "\n".join(lines + [f"{people[i % 2]}: {sentence}" for i, sentence in enumerate(rest)])


def web(rng: random.Random, facts: list[Fact], other: str) -> str:
    """A page with a menu, a line each, the village named in all."""
    said = _noisy(rng, [tell(rng, fact) for fact in facts])
    return "\n".join([rng.choice(wordings()["genres"]["web"]["open"]), *said, *_close(rng, "web", other)])


def table(rng: random.Random, facts: list[Fact], other: str) -> str:
    """A heading and a list."""
    line = wordings()["genres"]["table"]["line"]
    return "\n".join([facts[0].concept, *(line.format(r=fact.relation, o=fact.value) for fact in facts)])


def quiz(rng: random.Random, facts: list[Fact], other: str) -> str:
    """Questions and answers."""
    words = wordings()
    asked = [words["relations"][fact.relation]["ask"].format(s=fact.concept) for fact in facts]
    lines = zip(asked, facts, strict=True)
    how = words["genres"]["quiz"]
    return "\n".join(f"{how['ask'].format(a=a)}\n{how['answer'].format(o=_upper(f.value))}" for a, f in lines)


GENRES: dict[str, Callable[[random.Random, list[Fact], str], str]] = {
    "entry": entry,
    "letter": letter,
    "talk": talk,
    "web": web,
    "table": table,
    "quiz": quiz,
}

# Reading: a wording becomes a regular expression in which a name is any capitalised word and a value any word, so that a
# text that a model wrote states something false rather than nothing when it has them wrong.

_NAME, _VALUE = r"(?P<s>[A-Z][a-z]+)", r"(?P<o>[A-Za-z]+)"


@cache
def _patterns() -> list[tuple[str | None, re.Pattern]]:
    """(relation, expression) of every wording that states a fact; relation None for those that only name a village."""
    words, found = wordings(), []

    def learn(relation: str | None, template: str, start: str = r"\b", end: str = "") -> None:
        expression = re.escape(template)
        for slot, pattern in (("s", _NAME), ("o", _VALUE), ("p", "[A-Z][a-z]+")):
            expression = expression.replace(re.escape(f"{{{slot}}}"), pattern)
        found.append((relation, re.compile(start + expression + end, re.MULTILINE)))

    for relation, entry in words["relations"].items():
        for template in entry["tell"]:
            learn(relation, template)
        how = words["genres"]["quiz"]
        learn(relation, f"{how['ask'].format(a=entry['ask'])}\n{how['answer']}", "^", "$")
        learn(relation, words["genres"]["table"]["line"].replace("{r}", relation), "^", "$")
    learn(None, words["genres"]["entry"]["open"], "^", "$")
    learn(None, words["genres"]["letter"]["open"])
    learn(None, words["genres"]["talk"]["open"], "^", "$")
    return found


@cache
def _values() -> dict[str, str]:
    """Value in lower case -> value as it is written."""
    return {value.lower(): value for entry in wordings()["relations"].values() for value in entry["values"]}


def read(text: str) -> Read:
    """What any text states, by the wordings of the genres; It, and a line of a table, are about the last village named.

    A statement before which no village is named states nothing.
    """
    met = sorted(
        ((match.start(), relation, match.groupdict()) for relation, pattern in _patterns() for match in pattern.finditer(text)),
        key=lambda one: one[0],
    )
    facts, named, last = [], [], None
    for _, relation, groups in met:
        name = groups.get("s")
        if name and name != PRONOUN:
            last = name
            named.append(name)
        if relation and last:
            value = groups["o"].lower()
            facts.append(Fact(relation, last, _values().get(value, value)))
    return Read(facts, named)


def render(rng: random.Random, place: Concepts, genre: str, concept: str) -> tuple[str, list[Fact]]:
    """A document of a genre about a concept, and the facts that it tells, in order."""
    relations = rng.sample(sorted(place.truth), rng.randint(*FACTS))
    facts = [Fact(relation, concept, place.truth[relation][concept]) for relation in relations]
    other = rng.choice(place.names)
    while other == concept and len(place.names) > 1:
        other = rng.choice(place.names)
    return GENRES[genre](rng, facts, other), facts


def make_documents(row: dict) -> list[dict]:
    """The documents of a row; document i is a function of (world, concepts, tail, genres, seed, i) alone.

    So a row with the same seed and more documents begins with the same texts, as the unlimited data of an oracle do, and one
    with another seed holds none of them but by chance.

    Keys: name, world (seed of the world), concepts (how many), tail (exponent of Zipf's law), genres ({genre: share}), seed,
    documents (how many).
    """
    place, cumulative = concepts(row["world"], row["concepts"]), weights(row["concepts"], row["tail"])
    if unknown := sorted(set(row["genres"]) - set(GENRES)):
        raise ValueError(f"source {row['name']!r}, key genres: {unknown} unknown; expected some of {sorted(GENRES)}")
    genres, shares = list(row["genres"]), list(row["genres"].values())
    made = []
    for index in range(row["documents"]):
        seed = seed_of("concepts", row["world"], row["seed"], index)
        rng = random.Random(seed)
        concept = rng.choices(place.names, cum_weights=cumulative)[0]
        genre = rng.choices(genres, shares)[0]
        text, facts = render(rng, place, genre, concept)
        meta = {"genre": genre, "concept": concept, "facts": [list(fact) for fact in facts]}
        made.append(document(text, source=row["name"], index=index, seed=seed, meta=meta))
    return made


def write_source(out: str, *, row: dict, code: str) -> None:
    """Write documents.parquet and its card, which counts genres, concepts and facts told, and how often facts are told."""
    documents = make_documents(row)
    metas = [json.loads(made["meta"]) for made in documents]
    told = Counter(tuple(fact) for meta in metas for fact in meta["facts"])
    possible = len(wordings()["relations"]) * row["concepts"]
    counts = {
        "genres": dict(Counter(meta["genre"] for meta in metas)),
        "concepts": len({meta["concept"] for meta in metas}),
        "facts": sum(told.values()),
        "facts_told": {"never": possible - len(told), "once": sum(n == 1 for n in told.values()), "of": possible},
    }
    print(f"{row['name']}: {len(documents)} documents, {counts}")
    write_documents(out, documents, row=row, code=code, seed=row["seed"], counts=counts)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        write_source(snakemake.output[0], row=snakemake.params.row, code=snakemake.params.code)
