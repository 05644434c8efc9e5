"""What documents say of the concept world: reads any documents and the row of a concept source, makes readings.parquet.

One line a document: id, subject (the concept that it is about, or null), facts (that it states), false_facts (of these). The
truth stays here; audits of what a model wrote read this file.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.documents import read_documents
from scripts.lib.files import atomic, read_card, write_card
from scripts.lib.progress import logging_to
from scripts.sources.concepts import Concepts, concepts, read

SCHEMA = pa.schema([("id", pa.string()), ("subject", pa.string()), ("facts", pa.int32()), ("false_facts", pa.int32())])


def reading(text: str, place: Concepts) -> dict:
    """Subject, facts and false_facts of a text; a subject is only what the world has, a name that it has not is none."""
    said = read(text)
    false = sum(not place.is_true(fact) for fact in said.facts)
    subject = said.subject if said.subject in place.names else None
    return {"subject": subject, "facts": len(said.facts), "false_facts": false}


def write_readings(documents: str | Path, out: str | Path, *, row: dict, code: str) -> None:
    """Read all documents; ``row`` is of a source of this world: world, concepts."""
    place, frame = concepts(row["world"], row["concepts"]), read_documents(documents, ["id", "text"])
    lines = [{"id": one.id, **reading(one.text, place)} for one in frame.itertuples()]
    with atomic(out) as beside:
        pq.write_table(pa.Table.from_pylist(lines, schema=SCHEMA), beside, compression="zstd")
    counts = {"documents": len(lines), "facts": sum(one["facts"] for one in lines)}
    counts["false_facts"] = sum(one["false_facts"] for one in lines)
    counts["documents_without_subject"] = sum(one["subject"] is None for one in lines)
    write_card(out, row=row, code=code, counts=counts, documents=read_card(documents)["sha256"])
    print(counts, file=sys.stderr)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        write_readings(snakemake.input.documents, snakemake.output[0], row=snakemake.params.row, code=snakemake.params.code)
