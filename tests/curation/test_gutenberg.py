"""Near-duplicates that nobody planted: paragraphs of different Project Gutenberg editions of the same books."""

import gzip
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from scripts.curation import duplicates
from scripts.lib.text import ngrams, words

EDITIONS = {
    "alice": [
        "near_dup/gutenberg_editions/alice__11-0.txt.gz",
        "near_dup/gutenberg_editions/alice__alice30.txt.gz",
        "text_en/gutenberg/alice.txt",
    ],
    "frankenstein": ["near_dup/gutenberg_editions/frankenstein__frank10.txt.gz", "text_en/gutenberg/frankenstein.txt.gz"],
    "pride_and_prejudice": [
        "near_dup/gutenberg_editions/pride_and_prejudice__pandp10.txt.gz",
        "text_en/gutenberg/pride_and_prejudice.txt.gz",
    ],
}


def paragraphs(path: Path) -> list[str]:
    """Paragraphs of 20 words or more."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")
    return [p for p in re.split(r"\n\s*\n", text.replace("\r", "")) if len(words(p)) >= 20]


def similar_pairs(sets: list[set]) -> dict[tuple[int, int], float]:
    """Exact Jaccard similarity of every pair with a common shingle, by an inverted index."""
    where = defaultdict(list)
    for i, grams in enumerate(sets):
        for gram in grams:
            where[gram].append(i)
    common = Counter((i, j) for found in where.values() for k, i in enumerate(found) for j in found[k + 1 :])
    return {(i, j): both / (len(sets[i]) + len(sets[j]) - both) for (i, j), both in common.items()}


def test_editions_of_the_same_book(real_text, tmp_path, capsys):
    lines, caught, true = [], 0, 0
    for book, editions in EDITIONS.items():
        texts = [p for edition in editions for p in paragraphs(real_text / edition)]
        folder = tmp_path / book
        folder.mkdir()
        duplicates.sketch(folder, texts)
        candidates = {
            (i, j)
            for band in range(duplicates.BANDS)
            for positions, sizes in duplicates.alike([folder / f"band-{band:02d}.npy"], np.array([0]))
            for bucket in np.split(positions, np.cumsum(sizes)[:-1])
            for k, i in enumerate(bucket.tolist())
            for j in bucket.tolist()[k + 1 :]
        }
        exact = similar_pairs([set(ngrams(words(t), 5)) for t in texts])
        keeper = duplicates.near_duplicates([folder]).tolist()
        close = {p for p, s in exact.items() if s >= 0.8}
        near = {p for p, s in exact.items() if s >= duplicates.THRESHOLD}
        found = {p for p in candidates if exact.get(p, 0) >= duplicates.THRESHOLD}
        recall, precision = len(close & found) / len(close), len(near & candidates) / len(candidates)
        expected = np.mean([1 - (1 - exact[p] ** 8) ** 14 for p in close])
        for i, j in found:
            assert keeper[i] == keeper[j]
        linked = {frozenset((i, k)) for i, k in enumerate(keeper) if i != k}
        lines.append(
            f"{book}: {len(texts)} paragraphs, {len(close)} pairs of Jaccard >= 0.8, {len(candidates)} share a band; "
            f"recall {recall:.3f} (S-curve {expected:.3f}), precision {precision:.3f} before verification and 1 after; "
            f"{len(linked)} paragraphs have a keeper"
        )
        caught += len(close & found)
        true += len(close)
        assert abs(recall - expected) < 0.05
        assert len(linked) > 100
    with capsys.disabled():
        print("", *lines, sep="\n")
    assert caught / true > 0.95
