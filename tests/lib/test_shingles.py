"""Hashed word n-grams: as sets they are those of each text alone, and comparisons are those of Python's sets."""

import numpy as np
import pytest

from scripts.lib import shingles as lib
from scripts.lib.text import ngrams, words


def grams(text: str, size: int = 5) -> set:
    """Word n-grams as tuples, independent of hashing and of windows over concatenated texts."""
    return set(ngrams(words(text), size)) or ({tuple(words(text))} - {()})


def exact(one: str, two: str) -> float:
    a, b = grams(one), grams(two)
    return len(a & b) / max(len(a | b), 1)


def test_shingles_are_those_of_each_text_alone(monkeypatch):
    rng = np.random.default_rng(0)
    texts = [" ".join(f"v{n}" for n in rng.integers(0, 12, size)) for size in (0, 1, 3, 4, 5, 6, 40, 200)]
    texts += ["Die Straße, die STRASSE; naïve café 数え方 は 難しい です ね", "!!! ...", "a b c d e a b c d e a b c d e"]
    ((flat, counts),) = lib.shingles(texts, 5)
    sets = [set(part.tolist()) for part in np.split(flat, np.cumsum(counts)[:-1])]
    for i, one in enumerate(texts):
        assert len(sets[i]) == len(grams(one))
        for j, two in enumerate(texts):
            both = len(sets[i] & sets[j]) / max(len(sets[i] | sets[j]), 1)
            assert both == pytest.approx(exact(one, two)), (one, two)
    monkeypatch.setattr(lib, "_CHUNK", 4)
    chunks = list(lib.shingles(texts, 5))
    assert len(chunks) == 3
    assert np.array_equal(np.concatenate([part for part, _ in chunks]), flat)
    assert np.array_equal(np.concatenate([number for _, number in chunks]), counts)


def test_comparisons_are_those_of_sets():
    rng = np.random.default_rng(1)
    for sizes in ((0, 0), (0, 5), (7, 9), (30, 30)):
        one, two = (np.unique(rng.integers(0, 20, size).astype(np.uint64)) for size in sizes)
        a, b = set(one.tolist()), set(two.tolist())
        assert lib.overlap(one, two) == len(a & b)
        assert lib.jaccard(one, two) == pytest.approx(len(a & b) / max(len(a | b), 1))
