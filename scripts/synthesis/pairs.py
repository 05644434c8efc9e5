r"""Pairs of related documents: reads documents and their embeddings, makes pairs.parquet (d1, d2, similarity) with its card.

    python -m scripts.synthesis.pairs --row JSON --code HASH --documents X.parquet --embeddings Y.npy --out pairs.parquet \
        --work DIR [--of other/pairs.parquet]

Synthetic bootstrapped pretraining (arXiv 2509.15248, step 1): d2 is one of the nearest neighbours of d1 by inner product of
unit vectors, at or above a floor, and no near-duplicate of it: not so many of the word n-grams of the one with fewer stand in
the other. A pair has a direction, so (d1, d2) and (d2, d1) may both be there. Up to EXACT documents the search is exact;
beyond, an inverted file with 8-bit vectors proposes candidates, whose similarities are then computed from the vectors as they
are, and the card says what share of the true neighbours a sample of documents gets.

With --of, the ablation: the d1 of those pairs, one by one, each with a d2 drawn at random from all other documents.

In memory stand a block of vectors, what is found for it, the ids, and beyond EXACT one byte a dimension and document; vectors
and n-grams are mapped from disk.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.files import BrokenArtifact, atomic, read_card, write_card
from scripts.lib.progress import Progress
from scripts.lib.seeds import seed_of
from scripts.lib.shingles import overlap, shingles
from scripts.lib.work import Busy, work_folder

EXACT = 1_000_000  # documents up to which the search is exact
BLOCK = 4096  # documents whose neighbours are looked for at a time
BASE = 1 << 17  # vectors that they are compared with at a time: 192 MiB at 384 dimensions
PROBED = 32  # lists of the inverted file that are looked through
CANDIDATES = 4  # how many times the neighbours asked for it proposes
SAMPLE = 1000  # documents on which recall is measured
SCHEMA = pa.schema([("d1", pa.string()), ("d2", pa.string()), ("similarity", pa.float32())])
Found = tuple[np.ndarray, np.ndarray]  # similarities (q, k) float32, falling, and positions (q, k) int64; -inf and -1 for none


def best(similarities: np.ndarray, positions: np.ndarray, own: np.ndarray, k: int) -> Found:
    """The k largest of each row but the document itself; of equal ones that with the smaller position first.

    >>> best(np.array([[1.0, 0.5, 0.9]], np.float32), np.array([[7, 3, 5]]), np.array([7]), 2)[1].tolist()
    [[5, 3]]
    """
    similarities = np.where((positions == own[:, None]) | (positions < 0), np.float32(-np.inf), similarities)
    order = np.lexsort((positions, -similarities), axis=1)[:, :k]
    found = np.take_along_axis(similarities, order, 1)
    return found, np.where(np.isfinite(found), np.take_along_axis(positions, order, 1), -1)


def exact(vectors: np.ndarray, own: np.ndarray, k: int) -> Found:
    """The k nearest other documents of those at the positions ``own``, among all, by inner product."""
    import faiss

    queries, parts = np.ascontiguousarray(vectors[own]), []
    for start in range(0, len(vectors), BASE):
        base = np.ascontiguousarray(vectors[start : start + BASE])
        # one more than asked for, since the document itself is among them
        similarity, position = faiss.knn(queries, base, min(k + 1, len(base)), metric=faiss.METRIC_INNER_PRODUCT)
        parts.append((similarity, position + start))
    return best(*(np.concatenate(part, axis=1) for part in zip(*parts, strict=True)), own, k)


def inverted_file(vectors: np.ndarray, seed: int):
    """A faiss index of all vectors: 4 sqrt(n) lists, a byte a dimension; trained on a seeded sample, filled block by block."""
    import faiss

    number, dimensions = vectors.shape
    lists = max(1, int(4 * number**0.5))
    index = faiss.index_factory(dimensions, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    sample = np.sort(np.random.default_rng(seed).choice(number, min(number, 64 * lists), replace=False))
    index.train(np.ascontiguousarray(vectors[sample]))
    for start in range(0, number, BASE):
        index.add(np.ascontiguousarray(vectors[start : start + BASE]))
    index.nprobe = min(PROBED, lists)
    return index


def approximate(index, vectors: np.ndarray, own: np.ndarray, k: int) -> Found:
    """As ``exact``, among the candidates of an inverted file."""
    queries = np.ascontiguousarray(vectors[own])
    _, positions = index.search(queries, CANDIDATES * (k + 1))
    similarities = np.stack([vectors[np.maximum(p, 0)] @ q for p, q in zip(positions, queries, strict=True)])
    return best(similarities, positions, own, k)


def recall(found: np.ndarray, true: np.ndarray) -> float:
    """The share of true neighbours that were found, over all rows; -1 is none.

    >>> recall(np.array([[1, 2], [5, -1]]), np.array([[2, 3], [5, 6]]))
    0.5
    """
    hits = sum(len(set(a) & set(b) - {-1}) for a, b in zip(found.tolist(), true.tolist(), strict=True))
    return hits / max(int((true >= 0).sum()), 1)


class Grams:
    """The sets of word n-grams of documents, hashed, on disk; ``add`` all texts in order, then ask for sets by position."""

    def __init__(self, folder: Path, texts: Iterator[str], size: int):
        counts = [np.zeros(1, np.int64)]
        with open(folder / "grams.u64", "wb") as file:
            for flat, number in shingles(texts, size):
                sets = [np.unique(part) for part in np.split(flat, np.cumsum(number)[:-1])]
                np.concatenate(sets).tofile(file)
                counts.append(np.array([len(one) for one in sets], np.int64))
        self.offsets = np.cumsum(np.concatenate(counts))
        self.flat = np.memmap(folder / "grams.u64", np.uint64, "r") if self.offsets[-1] else np.zeros(0, np.uint64)

    def of(self, position: int) -> np.ndarray:
        """The set of one document, sorted."""
        return np.asarray(self.flat[self.offsets[position] : self.offsets[position + 1]])

    def containment(self, one: int, other: int) -> float:
        """The share of the n-grams of the document with fewer that the other has too; 0 where one has none."""
        a, b = self.of(one), self.of(other)
        return overlap(a, b) / min(len(a), len(b)) if len(a) and len(b) else 0.0


def texts_of(documents: str | Path) -> Iterator[str]:
    """The texts of a Parquet file, few of them in memory."""
    with pq.ParquetFile(documents, pre_buffer=False, buffer_size=1 << 20) as file:
        for batch in file.iter_batches(4096, columns=["text"], use_threads=False):
            yield from batch["text"].to_pylist()


def checked(documents: str | Path, embeddings: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """The ids (n,) object, and the vectors (n, dimensions) mapped from disk.

    Raises:
        BrokenArtifact: naming the file that is not what its card says, or embeddings of other documents.
    """
    read_card(documents)
    if read_card(embeddings)["documents"] != read_card(documents)["sha256"]:
        raise BrokenArtifact(f"{embeddings}: its vectors are of other documents than {documents}; delete it")
    ids = pq.read_table(documents, columns=["id"])["id"].to_numpy()
    return ids, np.load(embeddings, mmap_mode="r")


def table_of(ids: np.ndarray, one: np.ndarray, two: np.ndarray, similarity: np.ndarray) -> pa.Table:
    """Pairs by position as the table that is written."""
    return pa.table([pa.array(ids[one]), pa.array(ids[two]), pa.array(similarity, pa.float32())], schema=SCHEMA)


def pair(documents: str | Path, embeddings: str | Path, out: str | Path, work: str | Path, *, row: dict, code: str) -> None:
    """Write the pairs of all documents in the order of d1 in the file, nearest first.

    Args:
        documents: with their card.
        embeddings: of ``scripts.audits.embed``.
        out: pairs.parquet.
        work: where n-grams are kept meanwhile.
        row: name; neighbours (how many are looked at for each document), floor (of similarity), shingle (words of an n-gram),
            containment (from which a pair is a near-duplicate), seed.
        code: hash of the code.
    """
    ids, vectors = checked(documents, embeddings)
    number, k, seed = len(ids), min(row["neighbours"], max(len(ids) - 1, 1)), seed_of("pairs", row["seed"])
    near = low = pairs = paired = 0
    total = 0.0
    index = inverted_file(vectors, seed) if number > EXACT else None
    with work_folder(work) as folder, atomic(out) as beside, pq.ParquetWriter(beside, SCHEMA, compression="zstd") as file:
        grams = Grams(folder, texts_of(documents), row["shingle"])
        with Progress(row["name"], number, "documents") as progress:
            for start in range(0, number, BLOCK):
                own = np.arange(start, min(start + BLOCK, number))
                similarity, position = exact(vectors, own, k) if index is None else approximate(index, vectors, own, k)
                above = (position >= 0) & (similarity >= row["floor"])
                line, column = np.nonzero(above)
                one, two = own[line], position[line, column]
                copied = np.array([grams.containment(*p) for p in zip(one.tolist(), two.tolist(), strict=True)], float)
                keep = copied < row["containment"]
                file.write_table(table_of(ids, one[keep], two[keep], similarity[line, column][keep]))
                low += int((position >= 0).sum() - above.sum())
                near, pairs, paired = near + int((~keep).sum()), pairs + int(keep.sum()), paired + len(np.unique(one[keep]))
                total += float(similarity[line, column][keep].sum(dtype=np.float64))
                progress.add(len(own))
        del grams
    counts = {"documents": number, "documents_with_pairs": paired, "pairs": pairs, "below_floor": low, "near_duplicates": near}
    more = {"search": "exact", "mean_similarity": round(total / max(pairs, 1), 6)}
    if index is not None:
        sample = np.sort(np.random.default_rng(seed).choice(number, min(SAMPLE, number), replace=False))
        share = recall(approximate(index, vectors, sample, k)[1], exact(vectors, sample, k)[1])
        more |= {"search": f"IVF{index.nlist},SQ8, {index.nprobe} probed", "recall": round(share, 4), "recall_of": len(sample)}
    write_card(out, row=row, code=code, seed=row["seed"], counts=counts, **more)
    print(f"{row['name']}: {counts} {more}", file=sys.stderr)


def at_random(d1: np.ndarray, number: int, seed: int) -> np.ndarray:
    """For each position in ``d1`` another one of 0 .. number - 1, all others equally likely: (pairs,) int64."""
    drawn = np.random.default_rng(seed).integers(0, number - 1, len(d1))
    return drawn + (drawn >= d1)


def pair_at_random(
    documents: str | Path, embeddings: str | Path, of: str | Path, out: str | Path, *, row: dict, code: str
) -> None:
    """Write the ablation of the pairs ``of``; ``row`` has name and seed.

    Raises:
        BrokenArtifact: also when a pair's d1 is not among the documents, or there is but one document.
    """
    read_card(of)
    ids, vectors = checked(documents, embeddings)
    where = {one: position for position, one in enumerate(ids)}
    names = pq.read_table(of, columns=["d1"])["d1"].to_pylist()
    if len(ids) < 2 or not where.keys() >= set(names):
        raise BrokenArtifact(f"{of}: its pairs are of other documents than the {len(ids)} in {documents}; delete it")
    one = np.array([where[name] for name in names], np.int64)
    two = at_random(one, len(ids), seed_of("random-pairs", row["seed"]))
    similarity = np.zeros(len(one), np.float32)
    for start in range(0, len(one), BLOCK):
        part = slice(start, start + BLOCK)
        similarity[part] = np.einsum("nd,nd->n", vectors[one[part]], vectors[two[part]])
    with atomic(out) as beside:
        pq.write_table(table_of(ids, one, two, similarity), beside, compression="zstd")
    counts = {"documents": len(ids), "documents_with_pairs": len(set(names)), "pairs": len(one)}
    mean = round(float(similarity.mean()), 6) if len(one) else None
    write_card(out, row=row, code=code, seed=row["seed"], counts=counts, search="random", mean_similarity=mean)


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", type=json.loads, required=True, help="the row of the pairs as JSON")
    for name in ("code", "documents", "embeddings", "out", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--of")
    a = parser.parse_args(arguments)
    try:
        if a.of:
            pair_at_random(a.documents, a.embeddings, a.of, a.out, row=a.row, code=a.code)
        else:
            pair(a.documents, a.embeddings, a.out, a.work, row=a.row, code=a.code)
    except (Busy, BrokenArtifact) as error:
        sys.exit(f"{a.row['name']}: {error}")


if __name__ == "__main__":
    main()
