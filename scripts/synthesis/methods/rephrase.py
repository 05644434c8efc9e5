"""Method `rephrase`: a document in other words, for children (easy), for everyone (medium), for scholars (hard).

The three styles of WRAP (Maini et al. 2024, arXiv 2401.16380) that EntiGraph (arXiv 2409.07431) has as its baseline; they are
asked for in turn, again and again with other seeds, as long as the budget wants more.
"""

from collections.abc import Iterator

from scripts.synthesis.requests import Request

KINDS: dict[str, tuple] = {"rephrase-easy": (), "rephrase-medium": (), "rephrase-hard": ()}
FIRST = None


def requests(document: str, first: None, seed: int) -> Iterator[Request]:
    """Easy, medium, hard, easy, ... without end; nothing but a call's own seed tells rounds apart."""
    while True:
        for kind in KINDS:
            yield Request(kind, document, {})
