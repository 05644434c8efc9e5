"""A corpus as shards in order of id: reads the Parquet of a corpus, makes folders that are worked on one at a time.

A shard holds a range of ids and is sorted when it is read, so that all shards one after the other are the corpus in order of
id, however many there are. A position in that order stands for a document from then on: a smaller position is a smaller id.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.lib.documents import SCHEMA

SIZE = 128 << 20  # bytes of documents in a shard, about; a process has one in memory, two or three times over
MOST = 400  # shards are all open while they are filled, and a process may open 1,024 files; above 50 GB shards grow instead
_READ = 16_384  # documents that are distributed at a time
_BATCH = 4096  # documents that are Python strings at a time
_SAMPLE = 100_000  # ids from which the bounds of shards are taken


def split(documents: str | Path, folder: Path, at_least: int = 1) -> list[Path]:
    """Distribute documents over shards by ranges of ids that hold about equally many; the file is read as a stream.

    Args:
        documents: Parquet of documents; the columns of ``SCHEMA`` are taken.
        folder: where a folder is made for each shard.
        at_least: how many shards; there are more where one would be larger than ``SIZE``.

    Returns:
        The shards in order of id; a shard may be empty.
    """
    with ExitStack() as stack:
        file = stack.enter_context(pq.ParquetFile(documents, pre_buffer=False, buffer_size=1 << 20))
        size = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
        number = max(at_least, min(math.ceil(size / SIZE), MOST))
        bounds = _bounds(file, number)
        shards = [folder / f"{k:03d}" for k in range(number)]
        writers = []
        for shard in shards:
            shard.mkdir(parents=True)
            sink = stack.enter_context(pa.OSFile(str(shard / "documents.arrow"), "wb"))
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            writers.append(stack.enter_context(pa.ipc.new_stream(sink, SCHEMA, options=options)))
        for batch in file.iter_batches(_READ, columns=SCHEMA.names):
            which = np.searchsorted(bounds, np.array(batch["id"].to_pylist(), dtype=str), side="right")
            batch = pa.Table.from_batches([batch]).cast(SCHEMA).take(pa.array(np.argsort(which, kind="stable")))
            counts = np.bincount(which, minlength=number)
            for k in np.flatnonzero(counts).tolist():
                writers[k].write_table(batch.slice(counts[:k].sum(), counts[k]))
    return shards


def _bounds(file: pq.ParquetFile, number: int) -> np.ndarray:
    """The ids at which the second shard and all further ones begin, (number - 1,) str."""
    if number == 1 or not file.metadata.num_rows:
        return np.array([""] * (number - 1), dtype=str)
    step = math.ceil(file.metadata.num_rows / _SAMPLE)
    ids = (one for batch in file.iter_batches(_BATCH, columns=["id"]) for one in batch["id"].to_pylist())
    sample = sorted(one for i, one in enumerate(ids) if i % step == 0)
    return np.array([sample[len(sample) * k // number] for k in range(1, number)], dtype=str)


def load(shard: Path, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
    """The documents of a shard in order of id, of equal ids in order of the file; ``columns`` include the id."""
    fields = [SCHEMA.get_field_index(name) for name in columns]
    with pa.OSFile(str(shard / "documents.arrow")) as source:
        table = pa.ipc.open_stream(source, options=pa.ipc.IpcReadOptions(included_fields=fields)).read_all()
    return table.combine_chunks().take(pc.sort_indices(table["id"].combine_chunks())).select(columns)


def texts_of(table: pa.Table) -> Iterator[str]:
    """The texts of a table in order, few of them in memory as Python strings."""
    for batch in table.select(["text"]).to_batches(max_chunksize=_BATCH):
        yield from batch["text"].to_pylist()
