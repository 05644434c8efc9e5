"""Method `mga`: a document rewritten for pairs of a genre and an audience that were proposed for it.

Massive genre-audience reformulation (arXiv 2502.04235), which asks for five pairs a document; its check of each text for
consistency is not made. Pairs are taken in the order proposed, again and again with other seeds, as long as the budget wants
more.
"""

from collections.abc import Iterator

from scripts.synthesis.requests import Request, json_object

KINDS = {"mga-genres": (), "mga": ("genre", "audience")}
FIRST = "mga-genres"


def read(answer: str) -> list[dict[str, str]]:
    """The answer to the first request, {"pairs": [{"genre": str, "audience": str}, ...]}, as a list without repeats.

    Raises:
        ValueError: saying what the answer has instead.
    """
    pairs = json_object(answer).get("pairs")
    found = []
    for pair in pairs if isinstance(pairs, list) else []:
        values = [pair.get(key) if isinstance(pair, dict) else None for key in ("genre", "audience")]
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise ValueError(f"key pairs: expected a genre and an audience, found {str(pair)[:60]!r}")
        found.append(dict(zip(("genre", "audience"), (value.strip() for value in values), strict=True)))
    if not found:
        raise ValueError(f"key pairs: expected a list of pairs, found {str(pairs)[:60]!r}")
    return [pair for i, pair in enumerate(found) if pair not in found[:i]]


def texts(first: list[dict[str, str]]) -> list[str]:
    """What the first answer gives to the corpus: nothing."""
    return []


def requests(document: str, first: list[dict[str, str]], seed: int) -> Iterator[Request]:
    """A rewrite for each pair in turn, without end; nothing but a call's own seed tells rounds apart."""
    while True:
        for pair in first:
            yield Request("mga", document, dict(pair))
