"""Method `active-reading`: ways to study a document, proposed for it, then each applied to it.

Active Reading (arXiv 2508.09494), in its task-agnostic form. The strategies themselves are not part of the corpus; they are
applied in the order proposed, again and again with other seeds, as long as the budget wants more.
"""

from collections.abc import Iterator

from scripts.synthesis.requests import Request, json_object, strings

KINDS = {"active-reading-strategies": (), "active-reading": ("strategy",)}
FIRST = "active-reading-strategies"


def read(answer: str) -> list[str]:
    """The answer to the first request, {"strategies": [str, ...]}, as a list.

    Raises:
        ValueError: saying what the answer has instead.
    """
    return strings(json_object(answer), "strategies", 1)


def texts(first: list[str]) -> list[str]:
    """What the first answer gives to the corpus: nothing."""
    return []


def requests(document: str, first: list[str], seed: int) -> Iterator[Request]:
    """Each strategy in turn, without end; nothing but a call's own seed tells rounds apart."""
    while True:
        for strategy in first:
            yield Request("active-reading", document, {"strategy": strategy})
