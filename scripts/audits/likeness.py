r"""How alike the texts are that a model writes after one document: reads documents with parents, makes Parquet.

    python -m scripts.audits.likeness --code HASH --documents X.parquet --out Y.parquet

One line a document that others were written after: parent, samples (how many were), words (all of theirs), distinct (different
word 5-grams over all of theirs, Li et al. 2016) and alike (mean Jaccard similarity of word 5-grams of two of them); 5-grams
and both numbers are those of scripts.audits.quality. A document with one sample alone has no pair and is left out.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from scripts.audits.quality import alike, distinct
from scripts.lib.documents import read_documents
from scripts.lib.files import BrokenArtifact, atomic, write_card
from scripts.lib.text import words


def measure(frame: pd.DataFrame) -> pd.DataFrame:
    """One line a parent with two samples or more that have a 5-gram at all; ``frame`` has text and parent."""
    lines = []
    for parent, texts in frame.groupby("parent", sort=True)["text"]:
        if len(texts) > 1:
            found = {"distinct": distinct(texts.tolist()), "alike": alike(texts.tolist())}
            lines.append({"parent": parent, "samples": len(texts), "words": sum(len(words(one)) for one in texts), **found})
    return pd.DataFrame(lines, columns=["parent", "samples", "words", "distinct", "alike"]).dropna()


def audit(documents: str | Path, out: str | Path, *, code: str) -> None:
    """The file function.

    Raises:
        BrokenArtifact: when no document has two samples.
    """
    frame = read_documents(documents, ["text", "parent_ids"])
    frame["parent"] = [parents[0] if len(parents) else None for parents in frame["parent_ids"]]
    table = measure(frame.dropna(subset="parent"))
    if table.empty:
        raise BrokenArtifact(f"{documents}: no two documents were written after the same one; the corpus' row, key each")
    with atomic(out) as beside:
        table.to_parquet(beside, index=False)
    means = {name: round(float(table[name].mean()), 6) for name in ("distinct", "alike")}
    counts = {"documents": len(frame), "parents": len(table)}
    write_card(out, row={"name": Path(documents).parent.name}, code=code, counts=counts, means=means)
    print(counts, means, file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option in ("code", "documents", "out"):
        parser.add_argument(f"--{option}", required=True)
    a = parser.parse_args()
    try:
        audit(a.documents, a.out, code=a.code)
    except BrokenArtifact as error:
        sys.exit(str(error))
