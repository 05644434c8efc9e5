"""Exact and near-duplicates: against exact Jaccard similarity, and against order and shards."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from scripts.curation import duplicates
from scripts.lib.text import ngrams, words


def exact(one: str, two: str) -> float:
    """Jaccard similarity by sets of tuples, independent of hashing and windows over concatenated texts."""
    a, b = (set(ngrams(words(t), 5)) or ({tuple(words(t))} - {()}) for t in (one, two))
    return len(a & b) / max(len(a | b), 1)


def pair(rng: np.random.Generator, similarity: float, length: int = 60) -> tuple[str, str]:
    """Two texts of ``length`` words that are the same at first and differ in every word afterwards."""
    shingles = length - 4
    shared = round(2 * shingles * similarity / (1 + similarity))
    same = shared + 4 if shared else 0
    fresh = [f"w{n}" for n in rng.integers(0, 10**12, 2 * length - same)]
    return " ".join(fresh[:length]), " ".join(fresh[:same] + fresh[length:])


def together(documents: duplicates.Sketch) -> set[tuple[int, int]]:
    """All pairs of positions that share a band."""
    filled = np.diff(documents.offsets) > 0
    groups = [sorted(bucket.tolist()) for bucket in duplicates.buckets(documents.signatures, filled)]
    return {(i, j) for group in groups for k, i in enumerate(group) for j in group[k + 1 :]}


def keepers(documents: duplicates.Sketch) -> dict[str, str]:
    """Id -> id of its keeper."""
    found = duplicates.near_duplicates(documents)
    return {one: documents.ids[k] for one, k in zip(documents.ids, found, strict=True)}


def test_shingles_are_those_of_each_text_alone():
    rng = np.random.default_rng(0)
    texts = [" ".join(f"v{n}" for n in rng.integers(0, 12, size)) for size in (0, 1, 3, 4, 5, 6, 40, 200)]
    texts += ["Die Straße, die STRASSE; naïve café 数え方 は 難しい です ね", "!!! ...", "a b c d e a b c d e a b c d e"]
    flat, offsets = duplicates.shingles(texts)
    sets = [set(flat[a:b].tolist()) for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
    for i, one in enumerate(texts):
        assert len(sets[i]) == len(set(ngrams(words(one), 5)) or ({tuple(words(one))} - {()}))
        for j, two in enumerate(texts):
            both = len(sets[i] & sets[j]) / max(len(sets[i] | sets[j]), 1)
            assert both == pytest.approx(exact(one, two)), (one, two)


def test_shingles_do_not_depend_on_the_chunks_in_which_texts_are_read(monkeypatch):
    texts = [" ".join(f"w{i}{k}" for k in range(i % 9)) for i in range(50)]
    whole = duplicates.shingles(texts)
    monkeypatch.setattr(duplicates, "_CHUNK", 7)
    for a, b in zip(whole, duplicates.shingles(texts), strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(duplicates.signatures(*whole), duplicates.sketch(["x"] * 50, texts).signatures)


def test_planted_near_duplicates_follow_the_s_curve(capsys):
    rng = np.random.default_rng(1)
    lines, found_true, true, found = [], 0, 0, 0
    for level in (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0):
        pairs = [pair(rng, level) for _ in range(400)]
        similarity = exact(*pairs[0])
        assert abs(similarity - level) < 0.02
        documents = duplicates.sketch([f"{i:04d}" for i in range(800)], [text for two in pairs for text in two])
        candidates = together(documents)
        assert all(j == i + 1 and i % 2 == 0 for i, j in candidates), "texts without a common shingle share no band"
        caught = len(candidates) / 400
        expected = 1 - (1 - similarity**8) ** 14
        error = 4 * (expected * (1 - expected) / 400) ** 0.5 + 0.005
        assert abs(caught - expected) <= error, f"{similarity:.3f}: {caught} caught, {expected:.3f} expected"
        merged = {i for i, k in enumerate(duplicates.near_duplicates(documents).tolist()) if k != i}
        assert merged == ({j for _, j in candidates} if similarity >= duplicates.THRESHOLD else set())
        lines.append(f"{similarity:.3f}  {caught:.3f}  {expected:.3f}  {len(merged)}")
        true += 400 * (similarity >= duplicates.THRESHOLD)
        found_true += len(merged) * (similarity >= duplicates.THRESHOLD)
        found += len(merged)
    with capsys.disabled():
        print("\nJaccard  share a band  1-(1-s^8)^14  near-duplicates of 400", *lines, sep="\n")
        print(f"precision {found_true / found:.3f}, recall {found_true / true:.3f} at exact Jaccard {duplicates.THRESHOLD:.3f}")
    assert found_true == found
    assert found_true / true > 0.9


@pytest.fixture(scope="module")
def corpus():
    """Ids and texts with clusters of 1 to 6 near-duplicates, ids in random order."""
    rng = np.random.default_rng(2)
    texts = []
    for cluster in range(300):
        base = [f"w{n}" for n in rng.integers(0, 10**9, 50)]
        for _ in range(1 + cluster % 6):
            copy = list(base)
            copy[rng.integers(0, 50)] = "changed"
            texts.append(" ".join(copy))
    ids = [f"{n:05d}" for n in rng.permutation(len(texts))]
    return ids, texts


def test_the_keeper_does_not_depend_on_order(corpus):
    ids, texts = corpus
    expected = keepers(duplicates.sketch(ids, texts))
    assert 200 < len(set(expected.values())) < len(ids)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(ids))
        assert keepers(duplicates.sketch([ids[i] for i in order], [texts[i] for i in order])) == expected
    for one, keeper in expected.items():
        assert keeper <= one and expected[keeper] == keeper


def test_three_shards_merged_give_the_same_keepers(corpus):
    ids, texts = corpus
    order = np.random.default_rng(9).permutation(len(ids))
    shards = [duplicates.sketch([ids[i] for i in part], [texts[i] for i in part]) for part in np.array_split(order, 3)]
    assert keepers(duplicates.merge(shards)) == keepers(duplicates.sketch(ids, texts))
    alone = {one: keeper for shard in shards for one, keeper in keepers(shard).items()}
    assert alone != keepers(duplicates.sketch(ids, texts)), "a cluster spans shards, so merging is needed"


def test_clusters_are_connected_components():
    chain = [[f"c{n}" for n in range(first, first + 100)] for first in (0, 8, 16)]  # neighbours 0.84, ends 0.71
    texts = [" ".join(c) for c in chain]
    assert exact(texts[0], texts[2]) < duplicates.THRESHOLD < exact(texts[0], texts[1])
    documents = duplicates.sketch(["b", "c", "a"], texts)
    assert keepers(documents) == {"a": "a", "b": "a", "c": "a"}
    assert duplicates.jaccard(documents, 0, 2) == pytest.approx(exact(texts[0], texts[2]))


def test_texts_without_words_are_no_duplicates_and_short_ones_only_of_equal_words():
    texts = ["!!!", "???", "yes", "Yes.", "no", "one two three", "one two four"]
    found = keepers(duplicates.sketch(list("abcdefg"), texts))
    assert found == {"a": "a", "b": "b", "c": "c", "d": "c", "e": "e", "f": "f", "g": "g"}


def test_no_documents():
    assert duplicates.near_duplicates(duplicates.sketch([], [])).tolist() == []
    assert duplicates.exact_duplicates([], []).tolist() == []


def test_exact_duplicates_keep_the_smallest_id():
    found = duplicates.exact_duplicates(["c", "a", "b", "d"], ["same", "same", "same ", "same"])
    assert found.tolist() == [1, 1, 2, 1], "a blank at the end is a difference, left to the near-duplicates"


def test_a_large_family_of_copies_is_not_compared_pair_by_pair():
    base = [f"w{n}" for n in range(200)]
    texts = [" ".join(base[:k] + ["x"] + base[k + 1 :]) for k in range(200)] * 10
    documents = duplicates.sketch([f"{i:05d}" for i in range(2000)], texts)
    start = time.process_time()
    assert set(duplicates.near_duplicates(documents).tolist()) == {0}
    assert time.process_time() - start < 3, "2 million comparisons of 200 shingles take longer"


def test_signatures_do_not_depend_on_the_process():
    code = "from scripts.curation.duplicates import sketch as s; print(s(['a'], ['some words that are hashed here, and more']))"
    seeds = [{**os.environ, "PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": seed} for seed in ("1", "2")]
    runs = [subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True) for env in seeds]
    assert runs[0].stdout == runs[1].stdout and "Sketch" in runs[0].stdout
