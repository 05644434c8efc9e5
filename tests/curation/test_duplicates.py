"""Exact and near-duplicates: against exact Jaccard similarity, against other libraries, and against order and shards."""

import subprocess
import sys
import time

import datasketch
import networkx
import numpy as np
import pytest

from scripts.curation import duplicates
from scripts.lib.shingles import jaccard
from scripts.lib.text import ngrams, words


def grams(text: str) -> set:
    """Word 5-grams as tuples, independent of hashing and of windows over concatenated texts."""
    return set(ngrams(words(text), 5)) or ({tuple(words(text))} - {()})


def exact(one: str, two: str) -> float:
    """Jaccard similarity by sets of tuples."""
    a, b = grams(one), grams(two)
    return len(a & b) / max(len(a | b), 1)


def pair(rng: np.random.Generator, similarity: float, length: int = 60) -> tuple[str, str]:
    """Two texts of ``length`` words that are the same at first and differ in every word afterwards."""
    shingles = length - 4
    shared = round(2 * shingles * similarity / (1 + similarity))
    same = shared + 4 if shared else 0
    fresh = [f"w{n}" for n in rng.integers(0, 10**12, 2 * length - same)]
    return " ".join(fresh[:length]), " ".join(fresh[:same] + fresh[length:])


@pytest.fixture
def sketched(tmp_path_factory):
    """A function from texts in order to the folders of their shards, sketched."""

    def make(texts: list[str], shards: int = 1):
        folder = tmp_path_factory.mktemp("shards")
        found = []
        for k, part in enumerate(np.array_split(np.arange(len(texts)), shards)):
            found.append(folder / str(k))
            found[-1].mkdir()
            duplicates.fingerprint(found[-1], [texts[i] for i in part])
            duplicates.sketch(found[-1], [texts[i] for i in part])
        return found

    return make


def together(folders) -> set[tuple[int, int]]:
    """All pairs of positions that share a band."""
    first, found = duplicates.Shingles(folders).first[:-1], set()
    for band in range(duplicates.BANDS):
        for positions, sizes in duplicates.alike([folder / f"band-{band:02d}.npy" for folder in folders], first):
            for group in np.split(positions, np.cumsum(sizes)[:-1]):
                assert (np.diff(group) > 0).all()
                found |= {(i, j) for k, i in enumerate(group.tolist()) for j in group[k + 1 :].tolist()}
    return found


def components(n: int, pairs) -> list[int]:
    """The smallest position of each one's connected component."""
    graph = networkx.Graph(list(pairs))
    graph.add_nodes_from(range(n))
    smallest = {i: min(component) for component in networkx.connected_components(graph) for i in component}
    return [smallest[i] for i in range(n)]


def test_planted_near_duplicates_follow_the_s_curve(sketched, capsys):
    rng = np.random.default_rng(1)
    lines, found_true, true, found = [], 0, 0, 0
    for level in (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0):
        pairs = [pair(rng, level) for _ in range(400)]
        similarity = exact(*pairs[0])
        assert abs(similarity - level) < 0.02
        folders = sketched([text for two in pairs for text in two])
        candidates = together(folders)
        assert all(j == i + 1 and i % 2 == 0 for i, j in candidates), "texts without a common shingle share no band"
        caught = len(candidates) / 400
        expected = 1 - (1 - similarity**8) ** 14
        error = 4 * (expected * (1 - expected) / 400) ** 0.5 + 0.005
        assert abs(caught - expected) <= error, f"{similarity:.3f}: {caught} caught, {expected:.3f} expected"
        merged = {i for i, k in enumerate(duplicates.near_duplicates(folders).tolist()) if k != i}
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
def families():
    """Texts of 300 families of 1 to 6, each text with one to three words changed, so that many pairs are near the threshold."""
    rng = np.random.default_rng(2)
    texts = []
    for family in range(300):
        base = [f"w{n}" for n in rng.integers(0, 10**9, 50)]
        for _ in range(1 + family % 6):
            copy = list(base)
            for place in rng.integers(0, 50, rng.integers(0, 3)):
                copy[place] = f"c{rng.integers(0, 10**9)}"
            texts.append(" ".join(copy))
    return [texts[i] for i in rng.permutation(len(texts))]


@pytest.mark.parametrize("direct", [16, 0])
def test_keepers_are_the_components_of_all_pairs_that_share_a_band_and_are_similar(families, sketched, monkeypatch, direct):
    monkeypatch.setattr(duplicates, "_DIRECT", direct)  # 0: every bucket by its rare shingles
    folders = sketched(families)
    similar = {(i, j) for i, j in together(folders) if exact(families[i], families[j]) >= duplicates.THRESHOLD}
    expected = components(len(families), similar)
    assert 300 < len(set(expected)) < len(families) - 300
    assert duplicates.near_duplicates(folders).tolist() == expected


@pytest.mark.parametrize("merged", [duplicates._MERGED, 100])
def test_keepers_do_not_depend_on_shards_nor_on_how_much_is_merged_at_a_time(families, sketched, monkeypatch, merged):
    texts = [*families, *families[::7], "", "!!", "!!", "yes", "Yes."]
    near = duplicates.near_duplicates(sketched(texts)).tolist()
    same = duplicates.exact_duplicates(sketched(texts)).tolist()
    monkeypatch.setattr(duplicates, "_MERGED", merged)
    for shards in (1, 3, 16):
        folders = sketched(texts, shards)
        assert duplicates.near_duplicates(folders).tolist() == near
        assert duplicates.exact_duplicates(folders).tolist() == same
    bounds = np.cumsum([len(part) for part in np.array_split(np.arange(len(texts)), 16)])
    of = np.searchsorted(bounds, np.arange(len(texts)), side="right")
    assert sum(of[i] != of[k] for i, k in enumerate(near)) > 300, "clusters span shards, so merging is needed"
    assert same == [texts.index(text) for text in texts]


def test_recall_against_all_pairs_and_against_datasketch(families, sketched):
    """The same bands over other hash functions find about as many of the pairs that brute force finds."""
    sets = [grams(text) for text in families]
    all_pairs = {
        (i, j)
        for i, one in enumerate(sets)
        for j, two in enumerate(sets[:i])
        if not one.isdisjoint(two) and len(one & two) >= duplicates.THRESHOLD * len(one | two)
    }
    index = datasketch.MinHashLSH(num_perm=112, params=(duplicates.BANDS, duplicates.ROWS))
    for i, one in enumerate(sets):
        signature = datasketch.MinHash(num_perm=112, seed=3)
        signature.update_batch([" ".join(gram).encode() for gram in one])
        others = index.query(signature)
        index.insert(i, signature)
        sets[i] = {(i, j) for j in others} & all_pairs
    theirs = sum(len(found) for found in sets) / len(all_pairs)
    ours = len({(j, i) for i, j in together(sketched(families))} & all_pairs) / len(all_pairs)
    expected = np.mean([1 - (1 - exact(families[i], families[j]) ** 8) ** 14 for i, j in all_pairs])
    assert len(all_pairs) > 500
    assert ours == pytest.approx(expected, abs=0.03) and theirs == pytest.approx(expected, abs=0.03)
    truth = components(len(families), all_pairs)
    agree = np.mean([i == j for i, j in zip(duplicates.near_duplicates(sketched(families)).tolist(), truth, strict=True)])
    assert agree > 0.95


def test_clusters_are_connected_components(sketched):
    chain = [[f"c{n}" for n in range(first, first + 100)] for first in (16, 0, 8)]  # neighbours 0.84, ends 0.71
    texts = [" ".join(c) for c in chain]
    assert exact(texts[0], texts[1]) < duplicates.THRESHOLD < exact(texts[0], texts[2])
    folders = sketched(texts)
    assert duplicates.near_duplicates(folders).tolist() == [0, 0, 0]
    with duplicates.Shingles(folders) as sets:
        assert jaccard(sets.of(0), sets.of(1)) == pytest.approx(exact(texts[0], texts[1]))


def test_texts_without_words_are_no_duplicates_and_short_ones_only_of_equal_words(sketched):
    texts = ["!!!", "???", "yes", "Yes.", "no", "one two three", "one two four"]
    assert duplicates.near_duplicates(sketched(texts, 2)).tolist() == [0, 1, 2, 2, 4, 5, 6]


def test_no_documents(sketched):
    for shards in (1, 3):
        assert duplicates.near_duplicates(sketched([], shards)).tolist() == []
        assert duplicates.exact_duplicates(sketched([], shards)).tolist() == []


def test_exact_duplicates_keep_the_first(sketched):
    for shards in (1, 2, 4):
        found = duplicates.exact_duplicates(sketched(["same", "same ", "same", "same"], shards))
        assert found.tolist() == [0, 1, 0, 0], "a blank at the end is a difference, left to the near-duplicates"


def timed(folders) -> tuple[list[int], float]:
    """Keepers, and CPU seconds that finding them took."""
    start = time.process_time()
    return duplicates.near_duplicates(folders).tolist(), time.process_time() - start


def test_a_large_family_of_copies_is_not_compared_pair_by_pair(sketched):
    base = [f"w{n}" for n in range(200)]
    texts = [" ".join(base[:k] + ["x"] + base[k + 1 :]) for k in range(200)] * 10
    found, seconds = timed(sketched(texts))
    assert set(found) == {0}
    assert seconds < 3, "2 million comparisons of 200 shingles take longer"


def test_thousands_with_the_same_boilerplate_are_not_compared_pair_by_pair(sketched):
    rng = np.random.default_rng(5)
    boilerplate = [f"b{n}" for n in range(64)]
    texts = [" ".join([*boilerplate, *(f"w{n}" for n in rng.integers(0, 10**9, 16))]) for _ in range(4000)]
    texts += [f"{text} more" for text in texts[::50]]
    folders = sketched(texts)
    first, largest = duplicates.Shingles(folders).first[:-1], 0
    for band in range(duplicates.BANDS):
        for _, sizes in duplicates.alike([folder / f"band-{band:02d}.npy" for folder in folders], first):
            largest = max(largest, *sizes.tolist())
    assert largest > 1000, "without such a bucket nothing is tested"
    assert 0.5 < exact(texts[0], texts[1]) < duplicates.THRESHOLD
    found, seconds = timed(folders)
    assert found == [*range(4000), *range(0, 4000, 50)]
    assert seconds < 10, "comparing all pairs of one bucket of a thousand documents takes 3 seconds, and there are many"


def test_sketches_do_not_depend_on_the_process(sketched, tmp_path, monkeypatch):
    code = (
        "import sys; from pathlib import Path; from scripts.curation.duplicates import sketch; sketch(Path(sys.argv[1]), {!r})"
    )
    texts = ["some words that are hashed here, and more", "and other words of another text"]
    (here,) = sketched(texts)
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        monkeypatch.setenv("RAYON_NUM_THREADS", seed)
        subprocess.run([sys.executable, "-c", code.format(texts), str(tmp_path / seed)], check=True)
        for file in (tmp_path / seed).iterdir():
            assert file.read_bytes() == (here / file.name).read_bytes()
        assert len(list((tmp_path / seed).iterdir())) == duplicates.BANDS + 2
