"""Method `entigraph`: a document's entities, then texts that discuss pairs and triples of them.

Yang et al. (2024), Synthetic continued pretraining, arXiv 2409.07431, section 2.2, and as their code has it: one call lists the
entities and summarises the document; one call for each unordered pair; one for each of some triples. The corpus is
the summary and the texts about pairs and triples; the list of entities is dropped. Theirs take pairs in the order of the list,
and triples shuffled until generation is stopped; here both come in an order that the seed gives, since a budget may end either.
"""

import math
import random
from collections.abc import Iterator

from scripts.synthesis.requests import Request, json_object, strings

KINDS = {"entities": (), "pair": ("entities",), "triple": ("entities",)}  # its prompts, and the fields of each
FIRST = "entities"  # what is asked of a document before all else


def read(answer: str) -> dict:
    """The answer to the first request: {"summary": str, "entities": two or more different strings}.

    Raises:
        ValueError: saying what the answer has instead.
    """
    value = json_object(answer)
    summary = value.get("summary")
    if not isinstance(summary, str) or not summary.strip():
        raise ValueError(f"key summary: expected a text, found {str(summary)[:60]!r}")
    return {"summary": summary.strip(), "entities": strings(value, "entities", 2)}


def texts(first: dict) -> list[str]:
    """What the first answer gives to the corpus: the summary, as published."""
    return [first["summary"]]


def requests(document: str, first: dict, seed: int) -> Iterator[Request]:
    """All pairs in a seeded order, then all triples in a seeded order, each once; entities stand in the order of the list."""
    rng = random.Random(seed)
    for kind, size in (("pair", 2), ("triple", 3)):
        for chosen in subsets(len(first["entities"]), size, rng):
            yield Request(kind, document, {"entities": [first["entities"][i] for i in chosen]})


def subsets(n: int, size: int, rng: random.Random) -> Iterator[tuple[int, ...]]:
    """Every subset of ``size`` of range(n) once, uniformly without replacement; n = 100 has 161,700 triples, so none is stored
    before it is drawn.
    """
    seen: set[tuple[int, ...]] = set()
    while len(seen) < math.comb(n, size):
        chosen = tuple(sorted(rng.sample(range(n), size)))
        if chosen not in seen:
            seen.add(chosen)
            yield chosen
