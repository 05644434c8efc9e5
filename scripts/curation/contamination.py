"""Contamination: which documents contain an n-gram of an evaluation item. Reads documents and items, makes the hits.

N-grams are of words in lower case without punctuation. An n-gram that two or more items share (boilerplate, a phrase of the
task's template) does not count, since it tells nothing about an item. In the primary rule one hit drops the whole document;
the variant ``ratio`` drops it only when it holds at least that share of one item's own n-grams.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from scripts.lib.text import words

N = 8


class Items(NamedTuple):
    """Evaluation items as what to look for; items whose words are all the same count as one."""

    n: int
    grams: dict[tuple[str, ...], int]  # an n-gram that one item alone has -> position of the item
    names: list[list[tuple[str, int]]]  # per position the (task, item) of that text, more than one if tasks repeat an item
    own: list[int]  # per position the number of its own n-grams; an item with none cannot be found
    shared: int  # n-grams that two or more items have, left out


class Hit(NamedTuple):
    """What one document holds of the items."""

    shares: dict[int, float]  # position of the item -> share of its own n-grams that the document holds, in (0, 1]
    example: str  # one of the n-grams found, the first in the document


def grams_of(text: str, n: int) -> Iterator[tuple[str, ...]]:
    """The word n-grams of a text in order, lazily; none if it is shorter."""
    found = words(text)
    return zip(*(found[k:] for k in range(n)), strict=False)


def index_items(items: pd.DataFrame, n: int = N) -> Items:
    """Index evaluation items by the n-grams that only they have.

    Args:
        items: columns task (str), item (int), text (str); an item may stand in several lines, which are not joined.

    >>> i = index_items(pd.DataFrame({"task": ["t", "t"], "item": [0, 1], "text": ["a b c", "a b d"]}), n=2)
    >>> sorted(i.grams), i.shared
    ([('b', 'c'), ('b', 'd')], 1)
    """
    missing = {"task", "item", "text"} - set(items.columns)
    if missing:
        raise ValueError(f"items: column {sorted(missing)[0]!r} is missing; expected task, item and text")
    texts: dict[tuple[str, int], list[str]] = {}
    for task, item, text in zip(items["task"], items["item"], items["text"], strict=True):
        texts.setdefault((task, int(item)), []).append(text)
    alike: dict[tuple[tuple[str, ...], ...], list[tuple[str, int]]] = {}
    for name, lines in texts.items():
        alike.setdefault(tuple(sorted(tuple(words(line)) for line in lines)), []).append(name)
    owners: dict[tuple[str, ...], int] = {}
    shared = set()
    for position, lines in enumerate(alike):
        for gram in {tuple(line[k : k + n]) for line in lines for k in range(len(line) - n + 1)}:
            if owners.setdefault(gram, position) != position:
                shared.add(gram)
    for gram in shared:
        del owners[gram]
    own = Counter(owners.values())
    return Items(n, owners, list(alike.values()), [own[p] for p in range(len(alike))], len(shared))


def find(texts: Iterable[str], items: Items) -> list[Hit | None]:
    """For each text what it holds of the items, None if nothing."""
    return [hit_of(text, items) for text in texts]


def hit_of(text: str, items: Items) -> Hit | None:
    """What one text holds of the items, None if nothing."""
    known = items.grams
    found = dict.fromkeys(gram for gram in grams_of(text, items.n) if gram in known)  # a set that keeps the order
    if not found:
        return None
    counts = Counter(known[gram] for gram in found)
    return Hit({p: count / items.own[p] for p, count in sorted(counts.items())}, " ".join(next(iter(found))))


def contaminated(hit: Hit | None, ratio: float = 0.0) -> bool:
    """Whether a document is dropped: any hit at ratio 0, otherwise one item covered by at least ``ratio``."""
    return hit is not None and max(hit.shares.values()) >= ratio


def items_hit(hit: Hit, items: Items, ratio: float = 0.0) -> dict[str, list[int]]:
    """Task -> sorted items for which the document is dropped."""
    out: dict[str, list[int]] = {}
    for position, share in hit.shares.items():
        if share >= ratio:
            for task, item in items.names[position]:
                out.setdefault(task, []).append(item)
    return {task: sorted(found) for task, found in sorted(out.items())}


class Tally(NamedTuple):
    """What is counted of documents that are dropped; those of several shards are added up by ``by_task``."""

    documents: Counter[str]  # task -> documents dropped for it
    hit: set[tuple[str, int]]  # (task, item) that a document was dropped for


def tally(hits: Iterable[Hit | None], items: Items, ratio: float = 0.0) -> Tally:
    """Count the documents that are dropped, by task, and the items that they are dropped for."""
    out = Tally(Counter(), set())
    for hit in hits:
        if contaminated(hit, ratio):
            for task, found in items_hit(hit, items, ratio).items():
                out.documents[task] += 1
                out.hit.update((task, item) for item in found)
    return out


def by_task(tallies: Iterable[Tally], items: Items) -> dict[str, dict[str, int]]:
    """Per task: its items, those that cannot be found (no n-gram of their own), documents dropped for it, items hit."""
    tasks: dict[str, dict] = {}
    for names, own in zip(items.names, items.own, strict=True):
        for task, _ in names:
            entry = tasks.setdefault(task, {"items": 0, "without_own_ngrams": 0, "documents": 0, "hit": 0})
            entry["items"] += 1
            entry["without_own_ngrams"] += own == 0
    hit: set[tuple[str, int]] = set()
    for each in tallies:
        hit |= each.hit
        for task, documents in each.documents.items():
            tasks[task]["documents"] += documents
    for task, _ in hit:
        tasks[task]["hit"] += 1
    return dict(sorted(tasks.items()))


def documents_per_second(texts: Sequence[str], items: pd.DataFrame, n: int = N) -> float:
    """Rate of decontaminating ``texts`` on this machine, indexing included, for the benchmark."""
    import time

    start = time.perf_counter()
    find(texts, index_items(items, n))
    return len(texts) / (time.perf_counter() - start)
