"""Method `split`: the documents of another corpus that stand below, or above, a threshold of similarity to a benchmark.

Reads the parent's curated.parquet and its similarity audit, makes synthesized.parquet and samples.txt. Documents are the
parent's, with their ids; a document's score is its largest cosine to an item of the benchmark. Above means at the threshold or
over it. Equal tokens follow per run, as for every corpus.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.documents import SCHEMA, write_documents
from scripts.lib.files import read_card, write_text
from scripts.synthesis.replay import samples_text


def half(scores: np.ndarray, threshold: float | str, side: str) -> tuple[np.ndarray, float]:
    """Which documents belong to a side, (n,) bool, and the threshold as a number.

    Args:
        scores: (n,) of the documents.
        threshold: a number, or ``median``: that of the scores.
        side: below or above; one at the threshold is above.

    >>> half(np.array([0.1, 0.2, 0.3, 0.4]), "median", "below")[0].tolist()
    [True, True, False, False]
    """
    value = float(np.median(scores)) if threshold == "median" else float(threshold)
    below = scores < value
    return (below if side == "below" else ~below), value


def split(documents: str | Path, similarity: str | Path, out: str | Path, samples: str | Path, *, row: dict, code: str) -> None:
    """Make one side of a split corpus.

    Args:
        documents: curated.parquet of the parent, with its card.
        similarity: the parent's similarity audit, with its card.
        out: where to write the documents, with their card; it holds the threshold as a number, and the shares of tokens.
        samples: where to write 20 documents to read.
        row: of the corpus: name, corpus (the parent), benchmark, threshold, side.
        code: hash of the code.

    Raises:
        ValueError: naming the row where the audit lacks the benchmark, or is of other documents, or the side is empty.
    """
    where = f"corpora: {row['name']}"
    read_card(documents)
    benchmarks = read_card(similarity)["benchmarks"]
    columns = [f"max_{task}" for task, benchmark in benchmarks.items() if benchmark == row["benchmark"]]
    if len(columns) != 1:
        raise ValueError(
            f"{where}, key benchmark: {similarity} has {', '.join(benchmarks.values())}, not {row['benchmark']} once"
        )
    table = pq.read_table(documents, columns=SCHEMA.names)
    scored = pd.read_parquet(similarity, columns=["id", columns[0]])
    if scored["id"].tolist() != table["id"].to_pylist():
        raise ValueError(f"{where}: {similarity} is not of the documents in {documents}")
    scores = scored[columns[0]].to_numpy(float)
    chosen, threshold = half(scores, row["threshold"], row["side"])
    if not chosen.any():
        raise ValueError(
            f"{where}, key threshold: no document is {row['side']} {threshold:.3f}; the scores reach from "
            f"{scores.min():.3f} to {scores.max():.3f}"
        )
    rows = table.filter(pa.array(chosen)).to_pylist()
    counts = {"parent": len(scores), "share": round(float(chosen.mean()), 6)}
    mean = {"mean_score": round(float(scores[chosen].mean()), 6)}
    write_documents(out, rows, row=row, code=code, counts=counts, threshold=threshold, **mean)
    write_text(samples, samples_text(rows))
    print(f"{row['name']}: {len(rows)} of {len(scores)} documents, threshold {threshold:.4f}", file=sys.stderr)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        paths = (str(snakemake.input.documents), str(snakemake.input.similarity))
        made = (snakemake.output.documents, snakemake.output.samples)
        split(*paths, *made, row=snakemake.params.row, code=snakemake.params.code)
