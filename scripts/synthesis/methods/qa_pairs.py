"""Method `qa-pairs`: a web document as questions and answers that cover all of it, once.

Arxiv 2510.01631, appendix B.1.2, after WRAP (Maini et al. 2024, arXiv 2401.16380).
"""

from collections.abc import Iterator

from scripts.synthesis.requests import Request

KINDS: dict[str, tuple] = {"qa-pairs": ()}
FIRST = None


def requests(document: str, first: None, seed: int) -> Iterator[Request]:
    """One request: a document is rewritten once."""
    yield Request("qa-pairs", document, {})
