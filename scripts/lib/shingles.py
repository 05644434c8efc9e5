"""Texts as sets of hashed word n-grams, and what two such sets share: what near-duplicates and copies are known by."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from scripts.lib.text import words

BASE = np.uint64(0x9E3779B97F4A7C15)
_CHUNK = 4096  # documents whose words are held as Python strings at a time
_VOCABULARY = 400_000  # words whose hashes are remembered; samples at high temperature never repeat a word


class _WordHashes(dict):
    """Word -> 64-bit hash, the same on every machine (Python's own hash of a string is not); the padding "" is 0."""

    def __missing__(self, word: str) -> int:
        value = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        self[word] = value = value if word else 0
        return value


def mixed(x: np.ndarray) -> np.ndarray:
    """Finalizer of MurmurHash3 (64 bits), a bijection: neighbouring sums become unrelated hashes."""
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


def shingles(texts: Iterable[str], size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Hashes of each text's word ``size``-grams, in order and repeated where they repeat; some thousand texts at a time.

    A text of fewer words than ``size`` has one shingle, all its words; a text without any word has none, so
    that nothing is a near-duplicate of it.

    Yields:
        For each chunk of n texts (total,) uint64, the texts' shingles one after the other, and (n,) int64, how many each has.
    """
    hashes = _WordHashes()
    chunk: list[list[str]] = []

    def rolled() -> tuple[np.ndarray, np.ndarray]:
        lengths = np.array([len(w) for w in chunk], dtype=np.int64)
        flat = np.fromiter(map(hashes.__getitem__, chain.from_iterable(chunk)), dtype=np.uint64, count=int(lengths.sum()))
        windows = max(len(flat) - size + 1, 0)
        sums = np.zeros(windows, dtype=np.uint64)
        power = np.uint64(1)
        with np.errstate(over="ignore"):
            for k in range(size):
                sums += flat[k : k + windows] * power
                power *= BASE
            sums = mixed(sums)
        starts = np.cumsum(lengths) - lengths
        number = np.where(lengths > 0, lengths - size + 1, 0)
        within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
        if len(hashes) > _VOCABULARY:
            hashes.clear()
        return sums[np.repeat(starts, number) + within], number

    for text in texts:
        found = words(text)
        if 0 < len(found) < size:
            found += [""] * (size - len(found))
        chunk.append(found)
        if len(chunk) == _CHUNK:
            yield rolled()
            chunk.clear()
    if chunk:
        yield rolled()


def overlap(one: np.ndarray, two: np.ndarray) -> int:
    """How many elements two sorted sets have in common."""
    both = np.concatenate([one, two])
    both.sort()
    return int((both[1:] == both[:-1]).sum())


def jaccard(one: np.ndarray, two: np.ndarray) -> float:
    """Jaccard similarity of two sorted sets; 0 when neither has any element."""
    both = overlap(one, two)
    return both / max(len(one) + len(two) - both, 1)
