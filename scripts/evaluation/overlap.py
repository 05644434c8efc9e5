"""Do the candidates' suffixes stand in the text that a run is trained on? If so, extraction is rehearsed, not remembered.

Reads a suite of kind extraction, the curated corpus of a run, the run's documents and the base's tokenizer; makes a table with
its card: item, task, half, corpus and trained (documents that hold the whole suffix, token for token, in corpus and run).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.documents import read_documents
from scripts.lib.files import atomic, write_card
from scripts.lib.models import load_tokenizer
from scripts.lib.progress import logging_to
from scripts.lib.tokens import encode


def documents_with(suffixes: Sequence[Sequence[int]], documents: Iterable[np.ndarray]) -> np.ndarray:
    """How many documents hold each suffix as a run of tokens, int64 [n]; a document counts once for a suffix.

    >>> documents_with([[2, 3], [9, 9]], [np.array([1, 2, 3, 2, 3]), np.array([3, 2])]).tolist()
    [1, 0]
    """
    wanted: dict[bytes, list[int]] = {}
    lengths = set()
    for i, suffix in enumerate(suffixes):
        wanted.setdefault(np.asarray(suffix, np.int32).tobytes(), []).append(i)
        lengths.add(len(suffix))
    counts = np.zeros(len(suffixes), np.int64)
    for ids in documents:
        ids = np.asarray(ids, np.int32)
        seen = {ids[at : at + n].tobytes() for n in lengths for at in range(len(ids) - n + 1)}
        for each in seen & wanted.keys():
            counts[wanted[each]] += 1
    return counts


def search(suite: str | Path, corpus: str, trained: str, model: str | Path, out: str, *, row: dict, code: str) -> None:
    """Write how many documents of the curated corpus, and of those trained on, hold each candidate's suffix."""
    candidates = pd.read_parquet(Path(suite) / "candidates.parquet", columns=["item", "task", "half", "suffix"])
    tokenizer, suffixes = load_tokenizer(model), candidates["suffix"].tolist()
    found = {}
    for name, path in (("corpus", corpus), ("trained", trained)):
        texts = read_documents(path, columns=["text"])["text"].tolist()
        candidates[name] = documents_with(suffixes, encode(tokenizer, texts))
        found[name] = {"documents": len(texts), "suffixes_found": int((candidates[name] > 0).sum())}
    with atomic(out) as beside:
        candidates.drop(columns="suffix").to_parquet(beside, index=False, compression="zstd")
    write_card(out, row=row, code=code, counts={"candidates": len(candidates), **found})
    print(f"{row['name']}: {found}")


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        given = snakemake.input
        paths = (str(given.suite), given.corpus[0], given.trained, given.model[0])
        search(*paths, snakemake.output.table, row=snakemake.params.row, code=snakemake.params.code)
