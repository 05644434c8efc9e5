"""Three parts of a source that share no document: what is planted, what stands around it, and what no model has seen.

Reads documents.parquet of a source; makes documents.parquet of one part. Which part a document belongs to is a hash of its id
alone: growing the source moves no document.
"""

import json

import pyarrow.parquet as pq

from scripts.lib.documents import SCHEMA, write_documents
from scripts.lib.files import read_card
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of

PARTS = {"planted": 20, "held-out": 20, "background": 60}  # per cent of the documents


def part_of(one: str) -> str:
    """The part of the document with this id: planted, held-out or background."""
    place = seed_of("part", one) % 100
    for name, share in PARTS.items():
        if place < share:
            return name
        place -= share
    raise AssertionError("shares sum to 100")


def make(documents: str, out: str, *, row: dict, code: str) -> None:
    """Write the documents of ``row["part"]``; ids and all columns stay, so that a document can be traced back."""
    read_card(documents)
    rows = pq.read_table(documents, columns=SCHEMA.names).to_pylist()
    chosen = [line for line in rows if part_of(line["id"]) == row["part"]]
    if not chosen:
        raise ValueError(f"source row {row['name']}: none of the {len(rows)} documents of {row['of']} is in part {row['part']}")
    for line in chosen:
        line["meta"] = json.dumps({**json.loads(line["meta"]), "part": row["part"]}, ensure_ascii=False, sort_keys=True)
    write_documents(out, chosen, row=row, code=code, counts={"of": len(rows)})


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        paths = (snakemake.input.documents, snakemake.output.documents)
        make(*map(str, paths), row=snakemake.params.row, code=snakemake.params.code)
