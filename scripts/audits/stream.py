"""Documents a piece at a time, so that an audit's memory does not grow with its corpus."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.files import atomic, read_card

SIZE = 2048  # documents at a time


def count(path: str | Path) -> int:
    """How many lines a Parquet file has."""
    return pq.read_metadata(path).num_rows


def pieces(path: str | Path, columns: list[str], size: int = SIZE) -> Iterator[dict[str, list]]:
    """The columns of a Parquet file of documents, ``size`` documents at a time, in file order, as lists.

    Row groups are read in pages, since a corpus may be one row group. The file is checked against its card first.

    Raises:
        scripts.lib.files.BrokenArtifact: when the file is not the one that its card describes.
    """
    read_card(path)
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        for batch in file.iter_batches(batch_size=size, columns=columns, use_threads=False):
            yield {name: batch.column(name).to_pylist() for name in columns}


@contextmanager
def writing(path: str | Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A Parquet file to which one row group a piece is written, and which appears when the block ends well."""
    with atomic(path) as beside, pq.ParquetWriter(beside, schema, compression="zstd") as writer:
        yield writer
