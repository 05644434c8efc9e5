"""Exact and near-duplicates among documents in shards: reads texts, makes for each document the position of its keeper.

Near-duplicates are found by MinHash over word 5-grams, 14 bands of 8 rows: a pair of Jaccard similarity s shares a band with
probability 1 - (1 - s^8)^14, which is half at about 0.72 (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4).
Each pair that shares a band is then verified by its exact Jaccard similarity, so that what is called a near-duplicate
never is one by accident; clusters are the connected components of verified pairs.

Documents stand in order of id (shards.py), shard after shard, and a keeper is the one of its cluster with the smallest
position. Neither verified pairs nor components depend on where shards begin. A shard is sketched by itself: its folder receives
the hashes of its shingles and, for each band, the hashes of its documents' signatures in that band, sorted. Then the bands are
merged: in memory are the hashes of one band in one range, over all shards, and the shingles of documents that share one.
A document takes 8 bytes of memory for its keeper; on disk 16 bytes a band, and 8 bytes a word.
"""

import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from scripts.lib.shingles import BASE, mixed, overlap, shingles

SHINGLE = 5
BANDS, ROWS = 14, 8
THRESHOLD = (1 / BANDS) ** (1 / ROWS)  # 0.719: the usual location of the S-curve's steep part
SEED = 1
_MERGED = 1 << 21  # hashes that are compared at a time
_DIRECT = 16  # documents in a bucket up to which all its pairs are compared without further ado


def band_hashes(flat: np.ndarray, counts: np.ndarray, seed: int = SEED) -> np.ndarray:
    """One hash for each band of the MinHash signatures of sets, given as ``shingles`` yields them; one thread.

    Returns:
        (BANDS, n) uint64, equal where all rows of a band are equal (and otherwise with probability 2^-64).
    """
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    from rensa import RMinHash

    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    signatures = RMinHash.digest_matrix_from_flat_token_hashes(np.ascontiguousarray(flat), begins, BANDS * ROWS, seed).to_rows()
    rows = np.array(signatures, dtype=np.uint64).reshape(len(counts), BANDS, ROWS)
    keys = np.zeros((len(counts), BANDS), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for row in range(ROWS):
            keys = mixed(keys * BASE + rows[:, :, row] + np.uint64(1))
    return keys.T


def fingerprint(folder: Path, texts: Iterable[str]) -> None:
    """Write what exact duplicates of a shard are found by: text.npy, 128 bits of BLAKE2b of each text, sorted."""
    digests = b"".join(hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=16).digest() for t in texts)
    keys = np.frombuffer(digests, dtype="<u8").reshape(-1, 2).T
    _save(folder / "text.npy", keys, np.arange(keys.shape[1]))


def sketch(folder: Path, texts: Iterable[str]) -> None:
    """Write what near-duplicates of a shard are found by: shingles.u64 and offsets.npy, and band-00.npy to band-13.npy."""
    counts, keys = [], []
    with open(folder / "shingles.u64", "wb") as file:
        for flat, number in shingles(texts, SHINGLE):
            flat.tofile(file)
            counts.append(number)
            keys.append(band_hashes(flat, number))
    count = np.concatenate([np.zeros(0, dtype=np.int64), *counts])
    np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum(count)]))
    filled = np.flatnonzero(count)
    for band in range(BANDS):
        _save(
            folder / f"band-{band:02d}.npy",
            np.concatenate([np.zeros(0, np.uint64), *(k[band] for k in keys)])[None, filled],
            filled,
        )


def _save(path: Path, keys: np.ndarray, who: np.ndarray) -> None:
    """Write keys (c, n) uint64 in sorted order, and in a further row the positions in the shard that they belong to."""
    order = np.lexsort(keys[::-1])
    np.save(path, np.concatenate([keys[:, order], who[None, order].astype(np.uint64)]))


def alike(files: Sequence[Path], first: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Documents whose keys are equal, over all shards: buckets of two or more, those of one range of keys at a time.

    Args:
        files: of the same name from each shard, as ``_save`` writes them.
        first: (shards,) int64, the position of each shard's first document.

    Yields:
        Positions (m,) int64, bucket after bucket and rising within each, and the sizes of the buckets.
    """
    shards = [np.load(file, mmap_mode="r") for file in files]
    ranges = max(1, math.ceil(sum(shard.shape[1] for shard in shards) / _MERGED))
    bounds = np.array([(k << 64) // ranges for k in range(1, ranges)], dtype=np.uint64)
    cuts = [[0, *np.searchsorted(shard[0], bounds).tolist(), shard.shape[1]] for shard in shards]
    for k in range(ranges):
        pieces = [shard[:, cut[k] : cut[k + 1]] for shard, cut in zip(shards, cuts, strict=True)]
        keys = np.concatenate([piece[:-1] for piece in pieces], axis=1)
        positions = np.concatenate([piece[-1].astype(np.int64) + start for piece, start in zip(pieces, first, strict=True)])
        order = np.lexsort(keys[::-1])  # stable, and positions rise from shard to shard
        starts = np.flatnonzero(np.concatenate([[True], (np.diff(keys[:, order], axis=1) != 0).any(axis=0)])[: len(order)])
        sizes = np.diff(starts, append=len(order))
        several = sizes > 1
        yield positions[order[np.repeat(several, sizes)]], sizes[several]


def exact_duplicates(folders: Sequence[Path]) -> np.ndarray:
    """Position of the keeper for each document of shards with their ``fingerprint``: the first of equal text, (n,) int64."""
    files = [folder / "text.npy" for folder in folders]
    counts = [np.load(file, mmap_mode="r").shape[1] for file in files]
    keeper = np.arange(sum(counts))
    for positions, sizes in alike(files, np.cumsum(counts) - counts):
        keeper[positions] = np.repeat(positions[np.cumsum(sizes) - sizes], sizes)
    return keeper


class Shingles:
    """The shingle sets of documents of shards with their ``sketch``, read from disk one by one."""

    def __init__(self, folders: Sequence[Path]):
        self.files = [open(folder / "shingles.u64", "rb") for folder in folders]
        self.offsets = [np.load(folder / "offsets.npy", mmap_mode="r") for folder in folders]
        self.first = np.cumsum([0, *(len(offsets) - 1 for offsets in self.offsets)])

    def __enter__(self) -> "Shingles":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.files:
            file.close()

    def of(self, position: int) -> np.ndarray:
        """The set of one document, sorted: (m,) uint64."""
        shard = int(np.searchsorted(self.first, position, side="right")) - 1
        begin, end = self.offsets[shard][position - self.first[shard] :][:2].tolist()
        return np.unique(np.frombuffer(os.pread(self.files[shard].fileno(), 8 * (end - begin), 8 * begin), dtype=np.uint64))


class Clusters:
    """Documents in disjoint clusters (union-find), each known by its smallest position."""

    def __init__(self, n: int):
        self.parent = np.arange(n)
        self._at = memoryview(self.parent)  # reads and writes single elements several times as fast

    def root(self, i: int) -> int:
        """The smallest position of the cluster of i."""
        at = self._at
        while at[i] != i:
            at[i] = at[at[i]]
            i = at[i]
        return i

    def roots(self, positions: np.ndarray) -> np.ndarray:
        """As ``root``, for many."""
        found = self.parent[positions]
        while len(changed := np.flatnonzero(self.parent[found] != found)):
            found[changed] = self.parent[found[changed]]
        return found

    def join(self, i: int, j: int) -> None:
        """Make one cluster of those of i and j."""
        i, j = self.root(i), self.root(j)
        self._at[max(i, j)] = min(i, j)


def near_duplicates(folders: Sequence[Path], threshold: float = THRESHOLD) -> np.ndarray:
    """Position of the keeper for each document of shards with their ``sketch``: the first of its cluster.

    A pair is a near-duplicate if it shares a band and its exact Jaccard similarity over shingles is at least ``threshold``.

    Returns:
        (n,) int64; a document that is unique, or is itself the keeper, has its own position.
    """
    with Shingles(folders) as sets:
        clusters = Clusters(int(sets.first[-1]))
        for band in range(BANDS):
            for positions, sizes in alike([folder / f"band-{band:02d}.npy" for folder in folders], sets.first[:-1]):
                if not len(positions):
                    continue
                roots, starts = clusters.roots(positions), np.cumsum(sizes) - sizes
                apart = np.minimum.reduceat(roots, starts) != np.maximum.reduceat(roots, starts)
                for start, size in zip(starts[apart].tolist(), sizes[apart].tolist(), strict=True):
                    _link(positions[start : start + size].tolist(), clusters, sets, threshold)
    for start in range(0, len(clusters.parent), _MERGED):  # piece by piece, so that no second array of n is needed
        piece = clusters.parent[start : start + _MERGED]
        piece[:] = clusters.roots(piece)
    return clusters.parent


def _link(bucket: list[int], clusters: Clusters, shingle_sets: Shingles, threshold: float) -> None:
    """Join the documents of a bucket whose Jaccard similarity is at least ``threshold``.

    Documents meet in lists, and there each is compared with those of other clusters only, which changes no cluster and keeps k
    copies of a text at k comparisons. A small bucket is one list. In a larger one the lists are those of rare shingles, one
    of which any two near-duplicates must share, so that thousands of documents with the same boilerplate are not compared.
    """
    sets = [shingle_sets.of(i) for i in bucket]
    probed, kept = _rare(sets, threshold) if len(bucket) > _DIRECT else ([[0]] * len(bucket),) * 2
    lists: dict[int, dict[int, list[int]]] = {}  # shingle -> cluster -> its documents so far
    for x in sorted(range(len(bucket)), key=lambda x: len(sets[x])):
        met = set()
        for key in probed[x]:
            groups = lists.get(key, {})
            for old in list(groups):
                group, root = groups.pop(old), clusters.root(old)
                if root != clusters.root(bucket[x]):
                    for y in group:
                        if y in met or len(sets[y]) < threshold * len(sets[x]):
                            continue
                        met.add(y)
                        both = overlap(sets[x], sets[y])
                        if both >= threshold * (len(sets[x]) + len(sets[y]) - both):
                            clusters.join(bucket[x], bucket[y])
                            root = clusters.root(root)
                            break
                other = groups.get(root, [])
                long, short = (group, other) if len(group) > len(other) else (other, group)
                long.extend(short)
                groups[root] = long
        for key in kept[x]:
            lists.setdefault(key, {}).setdefault(clusters.root(bucket[x]), []).append(x)


def _rare(sets: list[np.ndarray], threshold: float) -> tuple[list[list[int]], list[list[int]]]:
    """For each set the elements, rarest first, by which it looks for smaller sets, and those by which larger sets find it.

    If two sets of sizes a >= b have a Jaccard similarity of at least t, they share an element that is among the rarest
    a - ceil(t a) + 1 of the one and the rarest b - ceil(2 t / (1 + t) b) + 1 of the other, in any one order of elements
    (Xiao, Wang, Lin, Yu, Efficient similarity joins for near duplicate detection, WWW 2008). Elements of one set alone are
    left out.
    """
    sizes = [len(one) for one in sets]
    _, token, times = np.unique(np.concatenate(sets), return_inverse=True, return_counts=True)
    rank = np.empty(len(times), dtype=np.int64)
    rank[np.argsort(times, kind="stable")] = np.arange(len(times))
    ranks, alone = rank[token], int((times == 1).sum())
    probed, kept = [], []
    for end, size in zip(np.cumsum(sizes).tolist(), sizes, strict=True):
        rarest = np.sort(ranks[end - size : end])
        for share, out in ((threshold, probed), (2 * threshold / (1 + threshold), kept)):
            prefix = rarest[: size - math.ceil(share * size - 1e-9) + 1]
            out.append(prefix[prefix >= alone].tolist())
    return probed, kept
