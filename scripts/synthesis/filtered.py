"""Method `filtered`: natural documents denoised by selection, not by rewriting; the cheapest thing that a rewrite has to beat.

Reads a source's documents and a row (source, keep), makes synthesized.parquet and samples.txt. Documents stay as they are; kept
is the share ``keep`` with the highest quality, which is what can be seen of a text without knowing the world: the share of its
characters in lines that read like sentences (C4's and Gopher's rules: a capital first, a full stop last, few signs and digits,
no shouting) and that do not stand in many documents (CCNet's). Where qualities are equal, as on pages without noise, a hash of
the id decides.
"""

import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from scripts.lib.documents import SCHEMA, write_documents
from scripts.lib.files import read_card, write_text
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of
from scripts.synthesis.replay import samples_text

WORDS, LETTERS = 4, 0.9  # of a line: words at least; share of letters, blanks and marks of sentences
MANY = 0.005  # of the documents
_LINE = re.compile(r"^[A-Z].*[a-z][.?!]$")


def reads_well(line: str) -> bool:
    """Whether a line reads like sentences.

    >>> reads_well("The owl is brown. All birds have feathers."), reads_well("Home | About | News")
    (True, False)
    """
    if not _LINE.match(line) or len(line.split()) < WORDS or "  " in line:
        return False
    return sum(c.isalpha() or c in " ,.?" for c in line) >= LETTERS * len(line)


def qualities(texts: Sequence[str]) -> np.ndarray:
    """The quality of each text among the others, (n,), from 0 (nothing reads like a sentence) to 1."""
    lines = [text.split("\n") for text in texts]
    seen, most = Counter(line for each in lines for line in set(each)), max(MANY * len(texts), 1)
    good = (sum(len(line) for line in each if seen[line] <= most and reads_well(line)) for each in lines)
    return np.array([kept / max(sum(map(len, each)), 1) for kept, each in zip(good, lines, strict=True)])


def select(documents: str | Path, out: str | Path, samples: str | Path, *, row: dict, code: str) -> None:
    """Write the kept documents in the source's order, with their card (the lowest quality kept), and 20 to read."""
    read_card(documents)
    every = pq.read_table(documents, columns=SCHEMA.names).to_pylist()
    quality = qualities([one["text"] for one in every])
    order = sorted(range(len(every)), key=lambda i: (-quality[i], seed_of(row["name"], every[i]["id"])))
    best = order[: round(row["keep"] * len(every))]
    rows = [every[i] for i in sorted(best)]
    mean = {"mean_quality": round(float(quality.mean()), 4), "mean_quality_kept": round(float(quality[best].mean()), 4)}
    write_documents(out, rows, row=row, code=code, counts={"of": len(every)}, lowest=round(float(quality[best[-1]]), 4), **mean)
    write_text(samples, samples_text(rows))
    print(f"{row['name']}: {len(rows)} of {len(every)} documents, {mean}", file=sys.stderr)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        made = (snakemake.output.documents, snakemake.output.samples)
        select(snakemake.input.documents[0], *made, row=snakemake.params.row, code=snakemake.params.code)
