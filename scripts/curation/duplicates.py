"""Exact and near-duplicates among documents: reads texts and ids, makes for each document the id of the one that is kept.

Near-duplicates are found by MinHash over word 5-grams, 14 bands of 8 rows: a pair of Jaccard similarity s shares a band with
probability 1 - (1 - s^8)^14, which is half at about 0.72 (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4).
Each pair that shares a band is then verified by its exact Jaccard similarity, so that what is called a near-duplicate
never is one by accident; clusters are the connected components of verified pairs. Neither the verified pairs nor the components
depend on the order of documents or on how they were sharded, and the keeper is the smallest id.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from scripts.lib.text import words

SHINGLE = 5
BANDS, ROWS = 14, 8
THRESHOLD = (1 / BANDS) ** (1 / ROWS)  # 0.719: the usual location of the S-curve's steep part
SEED = 1
_CHUNK = 20_000  # documents whose words are held as Python strings at a time
_VOCABULARY = 1_000_000  # words whose hashes are remembered; samples at high temperature never repeat a word
_BASE = np.uint64(0x9E3779B97F4A7C15)


class Sketch(NamedTuple):
    """What is compared: n ids, the hashes of each document's shingles, its signature. Sketches of shards can be merged."""

    ids: np.ndarray  # (n,) str objects
    shingles: np.ndarray  # (total,) uint64, the documents' shingle hashes one after the other
    offsets: np.ndarray  # (n + 1,) int64: document i has shingles[offsets[i]:offsets[i + 1]]
    signatures: np.ndarray  # (n, BANDS * ROWS) uint32


def exact_duplicates(ids: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """Position of the keeper for each document: of equal texts the one with the smallest id (of equal ids the first).

    >>> exact_duplicates(["b", "a", "c"], ["x", "x", "y"]).tolist()
    [1, 1, 2]
    """
    best: dict[str, int] = {}
    for i, text in enumerate(texts):
        j = best.setdefault(text, i)
        if ids[i] < ids[j]:
            best[text] = i
    return np.array([best[text] for text in texts], dtype=np.int64)


class _WordHashes(dict):
    """Word -> 64-bit hash, the same on every machine (Python's own hash of a string is not); the padding "" is 0."""

    def __missing__(self, word: str) -> int:
        value = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        self[word] = value = value if word else 0
        return value


def _mix(x: np.ndarray) -> np.ndarray:
    """Finalizer of MurmurHash3 (64 bits), a bijection: neighbouring sums become unrelated hashes."""
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


def shingles(texts: Iterable[str], size: int = SHINGLE) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of each text's word ``size``-grams, in order and repeated where they repeat, and the offsets at which texts begin.

    A text of fewer words than ``size`` has one shingle, all its words; a text without any word has none, so
    that nothing is a near-duplicate of it.

    Returns:
        (total,) uint64 and (n + 1,) int64.
    """
    hashes = _WordHashes()
    flats, counts = [], []
    chunk: list[list[str]] = []

    def flush() -> None:
        lengths = np.array([len(w) for w in chunk], dtype=np.int64)
        flat = np.fromiter(map(hashes.__getitem__, chain.from_iterable(chunk)), dtype=np.uint64, count=int(lengths.sum()))
        windows = max(len(flat) - size + 1, 0)
        rolled = np.zeros(windows, dtype=np.uint64)
        power = np.uint64(1)
        with np.errstate(over="ignore"):
            for k in range(size):
                rolled += flat[k : k + windows] * power
                power *= _BASE
            rolled = _mix(rolled)
        ends = np.cumsum(lengths)
        starts = ends - lengths
        number = np.where(lengths > 0, lengths - size + 1, 0)
        within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
        flats.append(rolled[np.repeat(starts, number) + within])
        counts.append(number)
        chunk.clear()
        if len(hashes) > _VOCABULARY:
            hashes.clear()

    for text in texts:
        found = words(text)
        if 0 < len(found) < size:
            found += [""] * (size - len(found))
        chunk.append(found)
        if len(chunk) == _CHUNK:
            flush()
    if chunk:
        flush()
    if not counts:
        return np.zeros(0, dtype=np.uint64), np.zeros(1, dtype=np.int64)
    return np.concatenate(flats), np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)


def signatures(flat: np.ndarray, offsets: np.ndarray, seed: int = SEED) -> np.ndarray:
    """MinHash signatures (n, BANDS * ROWS) uint32 of the sets ``flat[offsets[i]:offsets[i + 1]]``; one thread."""
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    from rensa import RMinHash

    n = len(offsets) - 1
    out = np.zeros((n, BANDS * ROWS), dtype=np.uint32)
    for first in range(0, n, _CHUNK):
        last = min(first + _CHUNK, n)
        piece = np.ascontiguousarray(flat[offsets[first] : offsets[last]])
        begins = (offsets[first : last + 1] - offsets[first]).astype(np.uint64)
        out[first:last] = RMinHash.digest_matrix_from_flat_token_hashes(piece, begins, BANDS * ROWS, seed).to_rows()
    return out


def sketch(ids: Sequence[str], texts: Sequence[str]) -> Sketch:
    """What a shard contributes: it can be made anywhere, and sketches of shards are joined by ``merge``."""
    flat, offsets = shingles(texts)
    return Sketch(np.array(ids, dtype=object), flat, offsets, signatures(flat, offsets))


def merge(sketches: Sequence[Sketch]) -> Sketch:
    """One sketch of the documents of all shards, in the shards' order."""
    counts = np.concatenate([np.diff(s.offsets) for s in sketches])
    return Sketch(
        np.concatenate([s.ids for s in sketches]),
        np.concatenate([s.shingles for s in sketches]),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([s.signatures for s in sketches]),
    )


def buckets(signature: np.ndarray, filled: np.ndarray) -> Iterable[np.ndarray]:
    """Groups of two or more positions whose signatures agree in a whole band; a pair may come more than once.

    Args:
        signature: (n, BANDS * ROWS) uint32.
        filled: (n,) bool, False for documents without any shingle, which are in no bucket.
    """
    where = np.flatnonzero(filled)
    for band in range(BANDS):
        key = np.zeros(len(where), dtype=np.uint64)
        with np.errstate(over="ignore"):
            for value in signature[where, band * ROWS : (band + 1) * ROWS].T:
                key = _mix(key * _BASE + value.astype(np.uint64) + np.uint64(1))
        order = np.argsort(key, kind="stable")
        cuts = np.flatnonzero(np.diff(key[order])) + 1
        for first, last in zip(np.concatenate([[0], cuts]), np.concatenate([cuts, [len(order)]]), strict=True):
            if last - first > 1:
                yield where[order[first:last]]


def near_duplicates(documents: Sketch, threshold: float = THRESHOLD) -> np.ndarray:
    """Position of the keeper for each document: of a cluster of near-duplicates the one with the smallest id.

    A pair is a near-duplicate if it shares a band and its exact Jaccard similarity over shingles is at least ``threshold``.
    A pair already in one cluster is not compared again, which changes no cluster and keeps k copies of a text at k comparisons.

    Returns:
        (n,) int64; a document that is unique, or is itself the keeper, has its own position.
    """
    ids, flat, offsets, signature = documents
    sets: dict[int, frozenset] = {}
    different: set[tuple[int, int]] = set()
    parent = list(range(len(ids)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def members(i: int) -> frozenset:
        if i not in sets:
            sets[i] = frozenset(flat[offsets[i] : offsets[i + 1]].tolist())
        return sets[i]

    def near(i: int, j: int) -> bool:
        pair = (i, j) if i < j else (j, i)
        if pair in different:
            return False
        one, two = members(i), members(j)
        both = len(one & two)
        if both >= threshold * (len(one) + len(two) - both):
            return True
        different.add(pair)
        return False

    for bucket in buckets(signature, np.diff(offsets) > 0):
        clusters: dict[int, list[int]] = {}  # of this bucket, by root
        for i in bucket.tolist():
            mine = clusters.pop(root(i), [])
            for r in list(clusters):
                if any(near(i, j) for j in clusters[r]):
                    parent[r] = root(i)
                    mine += clusters.pop(r)
            clusters[root(i)] = [*mine, i]

    keeper: dict[int, int] = {}
    roots = [root(i) for i in range(len(ids))]
    for i, r in enumerate(roots):
        if ids[i] < ids[keeper.setdefault(r, i)]:
            keeper[r] = i
    return np.array([keeper[r] for r in roots], dtype=np.int64)


def jaccard(documents: Sketch, i: int, j: int) -> float:
    """Exact Jaccard similarity of the shingle sets of documents i and j; 0 when neither has any."""
    one, two = (np.unique(documents.shingles[documents.offsets[k] : documents.offsets[k + 1]]) for k in (i, j))
    both = len(np.intersect1d(one, two, assume_unique=True))
    return both / max(len(one) + len(two) - both, 1)


def documents_per_second(texts: Sequence[str]) -> float:
    """Rate of sketching and clustering ``texts`` on this machine, for the benchmark."""
    import time

    start = time.perf_counter()
    near_duplicates(sketch([f"{i:08d}" for i in range(len(texts))], texts))
    return len(texts) / (time.perf_counter() - start)
