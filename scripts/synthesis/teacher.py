"""The rule-written teacher: answers requests about a made book with nothing but the request.

It reads the document back into facts (scripts.lib.books) and states those and what follows from them, in wordings drawn from
the seed; what a benchmark keeps for itself (held_out, a function of the title) it does not state. Of other texts it can only
quote: entities are capitalised spans, an article is made of sentences that name them, and other kinds are refused. The
strategies of Active Reading and the genres of MGA are few and fixed, so that those two methods are not comparable here.
"""

import json
import random
from functools import lru_cache

from scripts.lib.book_texts import STYLES, article, page, portraits, rephrasing, retelling, summary
from scripts.lib.books import Book, NotABook, held_out, language, parse, title_of
from scripts.lib.seeds import seed_of
from scripts.synthesis.entities import entities, mentions, sentences
from scripts.synthesis.requests import Request

KINDS = (
    "entities",
    "pair",
    "triple",
    *(f"rephrase-{style}" for style in STYLES),
    "qa",
    "active-reading-strategies",
    "active-reading",
    "mga-genres",
    "mga",
)
QUOTES = 3  # sentences about one entity of a real text
QUOTED = 6  # sentences that name both


class CannotAnswer(ValueError):
    """A request that the rule-written teacher has no rule for."""


def answer(request: Request, seed: int) -> str:
    """The teacher's answer: a function of the request and the seed.

    Raises:
        CannotAnswer: for an unknown kind, a missing field, or a document that is no made book where quoting is not enough.
    """
    if request.kind not in KINDS:
        raise CannotAnswer(f"kind {request.kind!r}: expected one of {', '.join(KINDS)}")
    rng = random.Random(seed_of("teacher", seed, json.dumps(request, sort_keys=True)))
    try:
        book = parse(request.document)
    except NotABook as error:
        if request.kind == "entities":
            return _entities_of_text(request.document)
        if request.kind in ("pair", "triple"):
            return quotations(rng, request.document, _field(request, "entities"))
        raise CannotAnswer(f"{request.kind}: {error}; of other texts the rule-written teacher only quotes") from None
    return _answer(rng, request, book)


def _answer(rng: random.Random, request: Request, book: Book) -> str:
    kind, kept = request.kind, held_out(book.title)
    if kind == "entities":
        return json.dumps({"summary": summary(rng, book), "entities": list(book.entities)}, ensure_ascii=False)
    if kind in ("pair", "triple"):
        return article(rng, book, _field(request, "entities"), kept)
    if kind == "qa":
        return page(rng, book, kept)
    if kind == "active-reading-strategies":
        return json.dumps({"strategies": rng.sample(list(language()["strategies"]), len(language()["strategies"]))})
    if kind == "active-reading":
        return _read_actively(rng, book, language()["strategies"].get(_field(request, "strategy"), "medium"))
    if kind == "mga-genres":
        genres = rng.sample(language()["genres"], len(language()["genres"]))
        audiences = rng.sample(language()["audiences"], len(language()["audiences"]))
        pairs = [{"genre": genre, "audience": audience} for genre, audience in zip(genres, audiences, strict=True)]
        return json.dumps({"pairs": pairs})
    if kind == "mga":
        return retelling(rng, book, _field(request, "genre"), _field(request, "audience"))
    return rephrasing(rng, book, kind.removeprefix("rephrase-"))


def _field(request: Request, name: str) -> list[str] | str:
    if name not in request.fields:
        raise CannotAnswer(f"{request.kind}: no field {name!r}; it has {sorted(request.fields)}")
    return request.fields[name]


def _read_actively(rng: random.Random, book: Book, how: str) -> str:
    if how == "page":
        return page(rng, book, held_out(book.title))
    if how == "summary":
        return summary(rng, book)
    return rephrasing(rng, book, how) if how in STYLES else portraits(rng, book, how, held_out(book.title))


def _entities_of_text(document: str) -> str:
    told = sentences(document)
    return json.dumps({"summary": " ".join(told[:QUOTES]), "entities": entities(document)}, ensure_ascii=False)


def quotations(rng: random.Random, document: str, names: list[str]) -> str:
    """An article on entities of any text that is made of its sentences, word for word: some on each, then those naming two."""
    head = title_of(document)
    told, cited = _sentences(document), f" in {head[0]} by {head[1]}" if head else ""
    lines = []
    for name in names:
        lines.append(f"## {name}{cited}")
        lines += _quoted(rng, [each for each in told if mentions(name, each)], QUOTES)
    lines.append(f"## {' and '.join(names)}{cited}")
    lines += _quoted(rng, [each for each in told if sum(mentions(name, each) for name in names) > 1], QUOTED)
    return "\n".join(lines)


@lru_cache(maxsize=64)
def _sentences(document: str) -> tuple[str, ...]:
    """Of a document about which there will be hundreds of requests."""
    return tuple(sentences(document))


def _quoted(rng: random.Random, found: list[str], most: int) -> list[str]:
    """Some of the sentences, in their order."""
    return [found[i] for i in sorted(rng.sample(range(len(found)), min(most, len(found))))]
