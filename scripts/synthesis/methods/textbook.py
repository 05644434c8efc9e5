"""Method `textbook`: an outline of ten chapters from a web document for one of four audiences, then its chapters from the
outline.

Arxiv 2510.01631, appendices B.1.3 and B.1.4. What a request about a chapter calls its document is the outline: the web document
is not seen again. The outline is no part of the corpus. A book has the audience that the document's seed draws.
"""

import random
import re
from collections.abc import Iterator

from scripts.synthesis.requests import Request

KINDS = {"textbook-outline": ("audience",), "textbook-chapter": ("audience", "chapter")}
FIRST = "textbook-outline"
AUDIENCES = ("grade school students", "college students", "field experts", "general public")
CHAPTERS = 10  # asked for
_CHAPTER = re.compile(r"^\W*Chapter\s+(\d+)\b", re.MULTILINE | re.IGNORECASE)


def fields(seed: int) -> dict[str, str]:
    """What the first request says besides the document."""
    return {"audience": random.Random(seed).choice(AUDIENCES)}


def read(answer: str) -> str:
    """The outline, when it has chapters.

    Raises:
        ValueError: when it has none.
    """
    if not _CHAPTER.search(answer):
        raise ValueError(f"expected lines such as Chapter 1, found {answer[:60]!r}")
    return answer.strip()


def texts(first: str) -> list[str]:
    """What the outline gives to the corpus: nothing."""
    return []


def requests(document: str, first: str, seed: int) -> Iterator[Request]:
    """The chapters of the outline in their order, each once, ten at most."""
    numbers = sorted({int(number) for number in _CHAPTER.findall(first)} & set(range(1, CHAPTERS + 1)))
    for number in numbers:
        yield Request("textbook-chapter", first, {**fields(seed), "chapter": str(number)})
