"""The shards of a corpus put together: reads them in order, makes synthesized.parquet with its card, and samples.txt.

Documents are what they were in the shards; counts and rates are of the whole corpus, and the card keeps the code, versions and
seconds of every shard. Nothing here knows a model, so that joining a corpus anew never samples it anew.
"""

import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.documents import SCHEMA, write_table
from scripts.lib.files import BrokenArtifact, read_card, write_text

SHOWN = 20


def rates(ids: Sequence[np.ndarray], complete: Sequence[bool]) -> dict[str, float]:
    """Counts and rates of a corpus: tokens without BOS and EOS; unique_rate is of the samples that are not empty."""
    filled = [one.tobytes() for one in ids if len(one)]
    tokens = sum(map(len, ids))
    return {
        "samples": len(ids),
        "tokens": tokens,
        "mean_length": tokens / len(ids),
        "eos_rate": sum(complete) / len(ids),
        "empty_rate": 1 - len(filled) / len(ids),
        "unique_rate": len(set(filled)) / max(len(filled), 1),
        "most_copies": max(Counter(filled).values(), default=0),
    }


def to_read(row: dict, first: pd.DataFrame, counts: dict) -> str:
    """The first samples as a text to read: what they are, then each with its index, length and end."""
    how = "from BOS alone" if row["method"] == "bos" else f"by method {row['method']}"
    lines = [
        f"{row['name']}: the first {len(first)} of {counts['samples']} samples",
        f"written by {row['source_model']} {how} at temperature {row['temperature']}, nothing filtered",
        f"{counts['tokens']} tokens, {counts['mean_length']:.1f} a sample; ended by EOS {counts['eos_rate']:.1%}, "
        f"empty {counts['empty_rate']:.1%}, unique {counts['unique_rate']:.1%}",
    ]
    for index, one in enumerate(first.itertuples()):
        lines += ["", f"--- {index}: {len(one.ids)} tokens, {'EOS' if one.complete else 'cut'}", one.text]
    return "\n".join(lines) + "\n"


def gather(shards: Sequence[str], out: str, samples_txt: str, *, row: dict, code: str) -> None:
    """Join the shards of a corpus in the order given, and write documents, card and samples.txt.

    Raises:
        BrokenArtifact: when a shard is not the one that its card describes, or was asked for by another row or model.
    """
    cards = [read_card(path) for path in shards]
    for path, card in zip(shards, cards, strict=True):
        if (card["row"], card["model"]) != (row, cards[0]["model"]):
            raise BrokenArtifact(f"{path}: another row or other weights made it than {shards[0]}; delete it")
    table = pa.concat_tables([pq.read_table(path) for path in shards]).combine_chunks().cast(SCHEMA)  # as if written at once
    documents = table.select(["text", "complete", "ids"]).to_pandas()
    counts = rates(documents["ids"], documents["complete"])
    if counts["unique_rate"] < 0.99 and row["temperature"] >= 1:
        print(f"{row['name']}: only {counts['unique_rate']:.1%} of the samples are unique", file=sys.stderr)
    write_text(samples_txt, to_read(row, documents.head(SHOWN), counts))
    write_table(
        out,
        table,
        row=row,
        code=code,
        counts=counts,
        **{key: cards[0][key] for key in ("seeds", "bos", "eos", "model")},
        measured={"seconds": round(sum(card["measured"]["seconds"] for card in cards), 1)},
        shards=[{key: card[key] for key in ("code", "versions", "measured")} for card in cards],
    )


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        gather(
            snakemake.input.shards,
            snakemake.output.documents,
            snakemake.output.samples,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
