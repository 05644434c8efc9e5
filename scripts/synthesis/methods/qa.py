"""Method `qa`: questions and answers about a document, the baseline of EntiGraph's appendix D (arXiv 2409.07431).

One call asks for several pairs, and its answer is one text; it is repeated with other seeds as long as the budget wants more.
"""

from collections.abc import Iterator

from scripts.synthesis.requests import Request

KINDS: dict[str, tuple] = {"qa": ()}
FIRST = None


def requests(document: str, first: None, seed: int) -> Iterator[Request]:
    """The same request without end; nothing but a call's own seed tells rounds apart."""
    while True:
        yield Request("qa", document, {})
