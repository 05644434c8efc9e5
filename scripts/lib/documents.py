"""Documents: what every corpus is made of, as Parquet that pandas and `datasets` load.

Columns: id (content-addressed), text, source (the row it came from), method (how it was made: source, bos, replay, ...),
source_model (who wrote it, or null), parent_ids, seed, complete (the text ended by itself, not by a length limit),
ids (token ids as sampled, or null), meta (a JSON string: package, module, licence, genre, ...).
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.files import atomic, read_card, write_card

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("method", pa.string()),
        ("source_model", pa.string()),
        ("parent_ids", pa.list_(pa.string())),
        ("seed", pa.int64()),
        ("complete", pa.bool_()),
        ("ids", pa.list_(pa.int32())),
        ("meta", pa.string()),
    ]
)
DEFAULTS = {"source_model": None, "parent_ids": (), "seed": None, "complete": True, "ids": None, "meta": "{}"}


def document_id(text: str, *names: object) -> str:
    """A stable id of 16 hexadecimal digits from the text and the names that tell equal texts apart (source, index)."""
    digest = hashlib.blake2b("\x1f".join([*map(str, names), text]).encode("utf-8", "surrogatepass"), digest_size=8)
    return digest.hexdigest()


def document(text: str, *, source: str, method: str = "source", index: object = "", meta: dict | None = None, **more) -> dict:
    """One document as a dict of the columns; ``index`` tells documents of equal text apart."""
    extra = {**DEFAULTS, **more, "meta": json.dumps(meta or {}, ensure_ascii=False, sort_keys=True)}
    return {"id": document_id(text, source, index), "text": text, "source": source, "method": method, **extra}


def write_documents(path: str | Path, rows: Iterable[dict], *, row: dict, code: str, extra: dict | None = None, **card) -> None:
    """Write documents and their card; ``extra`` maps further column names to Arrow types (``{"subset": pa.int8()}``)."""
    rows = list(rows)
    fields = list(SCHEMA) + [pa.field(name, kind) for name, kind in (extra or {}).items()]
    table = pa.table({f.name: pa.array([r.get(f.name, DEFAULTS.get(f.name)) for r in rows], f.type) for f in fields})
    write_table(path, table, row=row, code=code, **card)


def write_table(path: str | Path, table: pa.Table, *, row: dict, code: str, **card) -> None:
    """Write documents that stand in a table already, and their card."""
    with atomic(path) as beside:
        pq.write_table(table, beside, compression="zstd")
    characters = sum(map(len, table["text"].to_pylist()))
    counts = {"documents": len(table), "characters": characters, **card.pop("counts", {})}
    write_card(path, row=row, code=code, counts=counts, **card)


def read_documents(path: str | Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Documents as a frame in file order, after checking the file against its card.

    Raises:
        scripts.lib.files.BrokenArtifact: when the file is not the one that its card describes.
    """
    read_card(path)
    return pq.read_table(path, columns=columns).to_pandas()
