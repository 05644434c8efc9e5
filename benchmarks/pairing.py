"""Pairing of documents: time, processor seconds and memory, and what is found of what was planted.

Makes documents of about 60 words in clusters of ten, whose unit vectors stand at a cosine of about 0.8 within a cluster, one of
the ten a near-duplicate of another; pairs them as the rule does, in a folder that is removed; prints a line.
`python -m benchmarks.pairing --documents 100000 --dimensions 384`; minutes.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from scripts.lib.documents import document, write_documents
from scripts.lib.files import read_card, write_card
from scripts.synthesis import pairs

CLUSTER, WORDS, NEAR = 10, 60, 0.8
ROW = {"name": "benchmark", "neighbours": 16, "floor": 0.6, "shingle": 13, "containment": 0.2, "seed": 0}


def make(folder: Path, number: int, dimensions: int) -> None:
    """Write documents.parquet and embeddings.npy; document 10 i + 9 is document 10 i + 8 with one word more."""
    rng = np.random.default_rng(0)
    words = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in range(500)])
    drawn = words[rng.integers(0, len(words), (number, WORDS))]
    drawn[CLUSTER - 1 :: CLUSTER] = drawn[CLUSTER - 2 :: CLUSTER]
    texts = (" ".join(line) + (" more" if i % CLUSTER == CLUSTER - 1 else "") for i, line in enumerate(drawn.tolist()))
    rows = (document(text, source="made", index=i) for i, text in enumerate(texts))
    write_documents(folder / "documents.parquet", rows, row={"name": "made"}, code="benchmark")
    vectors = np.lib.format.open_memmap(folder / "embeddings.npy", "w+", np.float32, (number, dimensions))
    for start in range(0, number, 1000):
        size = min(1000, number - start)
        noise = rng.standard_normal((size, dimensions), np.float32) / dimensions**0.5
        centres = rng.standard_normal((-(-size // CLUSTER), dimensions), np.float32) / dimensions**0.5
        one = NEAR**0.5 * np.repeat(centres, CLUSTER, axis=0)[:size] + (1 - NEAR) ** 0.5 * noise
        vectors[start : start + size] = one / np.linalg.norm(one, axis=1, keepdims=True)
    vectors.flush()
    of = read_card(folder / "documents.parquet")["sha256"]
    write_card(folder / "embeddings.npy", row={}, code="benchmark", documents=of)


def measure(number: int, dimensions: int) -> str:
    """One line of what pairing took and found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, number, dimensions)
        made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start, before = time.monotonic(), time.process_time()
        files = (folder / "documents.parquet", folder / "embeddings.npy", folder / "pairs.parquet", folder / "work")
        pairs.pair(*files, row=ROW, code="benchmark")
        wall, busy = time.monotonic() - start, time.process_time() - before
        card = read_card(files[2])
        whole = number // CLUSTER * CLUSTER
        position = {one: i for i, one in enumerate(pq.read_table(files[0], columns=["id"])["id"].to_pylist())}
        table = pq.read_table(files[2])
        within = {
            (a, b)
            for a, b in ((position[a], position[b]) for a, b in zip(*(table[c].to_pylist() for c in ("d1", "d2")), strict=True))
            if a // CLUSTER == b // CLUSTER and a < whole
        }
        planted = whole // CLUSTER * (CLUSTER * (CLUSTER - 1) - 2)  # all ordered pairs of a cluster but the near-duplicates
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    return (
        f"{number:,} documents of {dimensions} dimensions, {card['search']}, {threads} threads: {wall:.0f} s, "
        f"{busy:.0f} processor seconds, peak {peak:,.0f} MiB ({made:,.0f} before); {len(within) / planted:.2%} of "
        f"{planted:,} planted pairs, {card['counts']['near_duplicates']} of {2 * (whole // CLUSTER)} near-duplicates left out"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    a = parser.parse_args()
    print(measure(a.documents, a.dimensions))
