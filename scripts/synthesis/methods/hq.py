"""Method `hq`: a web document rewritten as an article of high quality, once, as "Demystifying Synthetic Data" has it.

Arxiv 2510.01631, appendix B.1.1, after WRAP (Maini et al. 2024, arXiv 2401.16380).
"""

from collections.abc import Iterator

from scripts.synthesis.requests import Request

KINDS: dict[str, tuple] = {"hq": ()}
FIRST = None


def requests(document: str, first: None, seed: int) -> Iterator[Request]:
    """One request: a document is rewritten once."""
    yield Request("hq", document, {})
