"""Documents of another source that have given values in their meta: one package, several packages.

Reads documents.parquet of a source and a row (of, where, documents); makes documents.parquet of the first documents that fit,
in an order drawn from their ids. Their ids and texts stay.
"""

import json

import pyarrow.parquet as pq

from scripts.lib.documents import SCHEMA, write_documents
from scripts.lib.files import read_card
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of


def fits(meta: dict, where: dict) -> bool:
    """Whether a meta has the values of ``where``; a list stands for any of its values.

    >>> fits({"package": "scipy"}, {"package": ["nltk", "scipy"]}), fits({"package": "numpy"}, {"package": "scipy"})
    (True, False)
    """
    return all(meta.get(key) in (value if isinstance(value, list) else [value]) for key, value in where.items())


def make(documents: str, out: str, *, row: dict, code: str) -> None:
    """Write the documents of a row; as many as there are, where there are fewer than ``documents``.

    Raises:
        ValueError: naming the row, when none fits.
    """
    read_card(documents)
    lines = pq.read_table(documents, columns=SCHEMA.names).to_pylist()
    found = sorted((line for line in lines if fits(json.loads(line["meta"]), row["where"])), key=lambda one: seed_of(one["id"]))
    if not found:
        raise ValueError(f"source row {row['name']}, key where: none of the {len(lines)} documents of {row['of']} fits")
    write_documents(out, found[: row["documents"]], row=row, code=code, counts={"fit": len(found), "of": len(lines)})


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        read, made = str(snakemake.input.documents), str(snakemake.output.documents)
        make(read, made, row=snakemake.params.row, code=snakemake.params.code)
