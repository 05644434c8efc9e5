r"""How near documents stand to benchmark items: reads curated.parquet, the items of a suite and an embedder, makes Parquet.

    python -m scripts.audits.similarity --row JSON --tasks JSON --code HASH --documents X.parquet --suite DIR --embedder DIR \
        --out Y.parquet --items Z.parquet

One line a document: id; max, task and item (the nearest item of all, and its cosine); for each task max_{task} and item_{task}.
The companion has one line an item: task, item, max (over documents), document (the nearest), and among (its largest cosine to
another item of its task: how near texts come that are the benchmark's own).
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from scripts.audits.embedders import Encode, load_encoder
from scripts.audits.stream import count, pieces, writing
from scripts.lib.files import BrokenArtifact, atomic, read_card, write_card
from scripts.lib.progress import Progress

CELLS = 1 << 24  # cosines in memory at once: 64 MiB
MOST = 2048  # documents at a time


def nearest(cosines: np.ndarray, tasks: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each task (and None: all of them) the largest cosine of each document and the column it stands in.

    Args:
        cosines: (documents, items).
        tasks: (items,) names.
    """
    found = {}
    for task in [None, *dict.fromkeys(tasks.tolist())]:
        columns = np.arange(len(tasks)) if task is None else np.flatnonzero(tasks == task)
        place = columns[cosines[:, columns].argmax(1)]
        found[task] = (cosines[np.arange(len(cosines)), place], place)
    return found


def among(vectors: np.ndarray, tasks: np.ndarray) -> np.ndarray:
    """The largest cosine of each item to another item of its task, (items,); NaN for the only item of a task."""
    found = np.full(len(vectors), np.nan, np.float32)
    for task in dict.fromkeys(tasks.tolist()):
        own = np.flatnonzero(tasks == task)
        step = max(1, CELLS // len(own))
        for first in range(0, len(own) if len(own) > 1 else 0, step):
            some = own[first : first + step]
            cosines = vectors[some] @ vectors[own].T
            cosines[np.arange(len(some)), np.arange(first, first + len(some))] = -2
            found[some] = cosines.max(1)
    return np.clip(found, -1, 1)


def schema(tasks: list[str]) -> pa.Schema:
    """Of the Parquet of documents."""
    each = [(f"{key}_{task}", kind) for task in tasks for key, kind in (("max", pa.float32()), ("item", pa.int32()))]
    return pa.schema([("id", pa.string()), ("max", pa.float32()), ("task", pa.string()), ("item", pa.int32()), *each])


def compare(
    documents: str | Path,
    items: pd.DataFrame,
    encode: Encode,
    out: str | Path,
    out_items: str | Path,
    *,
    tasks: dict[str, dict],
) -> dict:
    """Write both files; returns counts for the card.

    Args:
        documents: curated.parquet, with its card.
        items: task, item, text.
        encode: texts to unit vectors.
        out, out_items: where to write documents and items.
        tasks: of the suite, in the order of the columns; tasks without items are left out.
    """
    items = items[items["task"].isin(tasks)].reset_index(drop=True)
    names, numbers = items["task"].to_numpy(object), items["item"].to_numpy(np.int32)
    vectors = encode(items["text"].tolist())
    kept = [task for task in tasks if task in set(names)]
    kind = schema(kept)
    best, where = np.full(len(items), -2, np.float32), np.full(len(items), None, object)
    without = 0
    with Progress(str(documents), count(documents), "documents") as progress, writing(out, kind) as file:
        for piece in pieces(documents, ["id", "text"], max(1, min(MOST, CELLS // len(items)))):
            ids, mine = np.array(piece["id"], object), encode(piece["text"])
            without += int((~mine.any(1)).sum())
            cosines = np.clip(mine @ vectors.T, -1, 1)
            found = nearest(cosines, names)
            high, place = found[None]
            columns = [piece["id"], high, names[place].tolist(), numbers[place]]
            for task in kept:
                columns += [found[task][0], numbers[found[task][1]]]
            file.write_table(pa.table([pa.array(c, t) for c, t in zip(columns, kind.types, strict=True)], schema=kind))
            top = cosines.argmax(0)
            value = cosines[top, np.arange(len(items))]
            better = value > best
            best[better], where[better] = value[better], ids[top[better]]
            progress.add(len(ids))
    with atomic(out_items) as beside:
        frame = pd.DataFrame({"task": names, "item": numbers, "max": best, "document": where, "among": among(vectors, names)})
        frame.to_parquet(beside, index=False)
    return {"documents": count(documents), "items": len(items), "documents_without_vector": without}


def audit(
    documents: str | Path,
    suite: str | Path,
    embedder: str | Path,
    out: str | Path,
    out_items: str | Path,
    *,
    row: dict,
    tasks: dict[str, dict],
    code: str,
) -> None:
    """The file function; ``row`` is the embedder's, ``tasks`` the suite's (task -> benchmark, ...)."""
    read_card(embedder)
    read_card(suite)
    counts = compare(
        documents, pd.read_parquet(Path(suite) / "items.parquet"), load_encoder(embedder, row), out, out_items, tasks=tasks
    )
    more = {"corpus": read_card(documents)["row"], "benchmarks": {task: how["benchmark"] for task, how in tasks.items()}}
    for path in (out, out_items):
        write_card(path, row=row, code=code, counts=counts, prompt=row.get("prompt", ""), **more)
    print(json.dumps(counts), file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", type=json.loads, required=True, help="the embedder's row as JSON")
    parser.add_argument("--tasks", type=json.loads, required=True, help="the suite's tasks as JSON")
    for name in ("code", "documents", "suite", "embedder", "out", "items"):
        parser.add_argument(f"--{name}", required=True)
    a = parser.parse_args(arguments)
    try:
        audit(a.documents, a.suite, a.embedder, a.out, a.items, row=a.row, tasks=a.tasks, code=a.code)
    except BrokenArtifact as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
