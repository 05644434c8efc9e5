"""Curation of a large corpus: time, memory and disk, and what is found of what was planted.

Makes short documents with exact and near-duplicates, and evaluation items that some documents quote; curates them as the rule
does, decontamination included, in a folder that is removed; prints a table, and what it means for 100 million documents.
`python -m benchmarks.curation --documents 250000 1000000`; the default takes some minutes.
"""

import argparse
import contextlib
import json
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.curation.curate import curate
from scripts.curation.duplicates import BANDS, ROWS, SHINGLE, THRESHOLD
from scripts.lib.documents import DEFAULTS, SCHEMA, document_id
from scripts.lib.files import write_card

VOCABULARY, MEAN, ITEMS, PIECE = 50_000, 40, 1000, 10_000  # words known, words a document, items, documents made at a time
PLANTED = {"exact": 0.05, "appended": 0.05, "changed": 0.05, "quoted": 0.001}  # kind -> share of the documents that have one
TARGET = 100_000_000
ARRAYS = 18  # bytes a document in memory: two keepers of 8, and two flags


def make(folder: Path, documents: int) -> None:
    """Write synthesized.parquet, items.parquet and planted.parquet (kind, original, copy, jaccard).

    Words follow Zipf's law. Copies stand up to 20,000 documents behind their originals: ``appended`` with one word more,
    ``changed`` with the word in the middle replaced, which in short documents is no near-duplicate. ``quoted`` holds ten words
    of an item.
    """
    rng = np.random.default_rng(0)
    words = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in range(1000)])[:VOCABULARY]
    share = np.cumsum(1 / np.arange(1, VOCABULARY + 1))

    def draw(lengths: np.ndarray) -> list[list[str]]:
        every = words[np.searchsorted(share, rng.random(lengths.sum()) * share[-1])]
        return [part.tolist() for part in np.split(every, np.cumsum(lengths)[:-1])]

    def grams(text: list[str]) -> set[tuple[str, ...]]:
        return set(zip(*(text[k:] for k in range(SHINGLE)), strict=False))

    asked = draw(np.full(ITEMS, 20))
    items = pd.DataFrame({"task": "made", "item": range(ITEMS), "text": [" ".join(one) for one in asked]})
    items.to_parquet(folder / "items.parquet")
    planted, copies = [], []
    with pq.ParquetWriter(folder / "synthesized.parquet", SCHEMA, compression="zstd") as out:
        for first in range(0, documents, PIECE):
            number = min(PIECE, documents - first)
            copies = copies[: number // 2]
            originals = draw(rng.integers(MEAN // 2, MEAN * 3 // 2, number - len(copies)))
            kinds = rng.choice([*PLANTED, ""], len(originals), p=[*PLANTED.values(), 1 - sum(PLANTED.values())]).tolist()
            for text, kind in zip(originals, kinds, strict=True):
                if kind == "quoted":
                    text[10:10] = asked[rng.integers(ITEMS)][5:15]
            texts = [" ".join(text) for text in [*(text for *_, text in copies), *originals]]
            ids = [document_id(text, "made", first + i) for i, text in enumerate(texts)]
            for (kind, one, text, copy), its in zip(copies, ids, strict=False):
                both = len(grams(text) & grams(copy))
                planted.append((kind, one, its, both / len(grams(text) | grams(copy))))
            made, copies = zip(originals, kinds, ids[len(copies) :], strict=True), []
            for text, kind, its in made:
                middle = len(text) // 2
                if kind == "quoted":
                    planted.append((kind, its, its, 1.0))
                elif kind:
                    changed = {
                        "exact": text,
                        "appended": [*text, "more"],
                        "changed": [*text[:middle], "other", *text[middle + 1 :]],
                    }
                    copies.append((kind, its, text, changed[kind]))
            values = {"id": ids, "text": texts} | {name: [value] * number for name, value in DEFAULTS.items()}
            values |= {"source": ["made"] * number, "method": ["source"] * number}
            out.write_table(pa.table({field.name: pa.array(values[field.name], field.type) for field in SCHEMA}))
    pd.DataFrame(planted, columns=["kind", "original", "copy", "jaccard"]).to_parquet(folder / "planted.parquet")
    write_card(folder / "synthesized.parquet", row={}, code="")


def measure(folder: Path, workers: int) -> dict[str, float]:
    """Curate what ``make`` made: seconds, and bytes at the peak."""
    largest, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            sizes = [0]
            for file in (folder / "work").rglob("*"):
                with contextlib.suppress(FileNotFoundError):
                    sizes.append(file.stat().st_size)
            largest.append(sum(sizes))

    watching = threading.Thread(target=watch)
    watching.start()
    start = time.perf_counter()
    paths = [folder / name for name in ("curated.parquet", "removed.parquet", "curation.json")]
    files, row = (folder / "synthesized.parquet", [folder / "items.parquet"]), {"name": "made", "near_duplicates": "drop"}
    curate(*files, *paths, row=row, code="", work=folder / "work", workers=workers)
    wall = time.perf_counter() - start
    done.set()
    watching.join()
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    first = own.ru_utime + own.ru_stime
    return {
        "wall s": wall,
        "CPU s": first + children.ru_utime + children.ru_stime,
        "first process s": first,
        "first process MiB": own.ru_maxrss / 1024,
        "worker MiB": children.ru_maxrss / 1024,
        "work folder MB": max(largest) / 1e6,
        "input and output MB": sum(path.stat().st_size for path in (files[0], *paths)) / 1e6,
    }


def found(folder: Path) -> list[str]:
    """Recall and precision of each reason, in words."""
    planted = pd.read_parquet(folder / "planted.parquet")
    removed = pd.read_parquet(folder / "removed.parquet", columns=["id", "reason", "detail"])
    keepers = [json.loads(detail).get("keeper", own) for own, detail in zip(removed["id"], removed["detail"], strict=True)]
    removed["pair"] = [" ".join(sorted(pair)) for pair in zip(removed["id"], keepers, strict=True)]
    planted["pair"] = [" ".join(sorted(pair)) for pair in zip(planted["original"], planted["copy"], strict=True)]
    close = planted["kind"].isin(["appended", "changed"]) & (planted["jaccard"] >= THRESHOLD)
    true = {"exact duplicate": planted["kind"] == "exact", "near-duplicate": close, "contaminated": planted["kind"] == "quoted"}
    lines = []
    for reason, which in true.items():
        pairs, its = planted["pair"][which], removed["pair"][removed["reason"] == reason]
        curve = ""
        if reason == "near-duplicate":
            curve = f" (S-curve {(1 - (1 - planted['jaccard'][which] ** ROWS) ** BANDS).mean():.4f})"
        recall = f"recall {pairs.isin(its).mean():.4f}{curve} of {len(pairs):,} planted"
        lines.append(f"{reason}: {recall}, precision {its.isin(pairs).mean():.4f} of {len(its):,} removed")
    far = planted["pair"][planted["kind"].isin(["appended", "changed"]) & ~close]
    lines.append(f"copies below a Jaccard of {THRESHOLD:.3f}: {int(far.isin(removed['pair']).sum())} of {len(far):,} removed")
    return lines


def alone(call: Callable, *arguments: object) -> object:
    """Call in a fresh process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def extrapolated(table: pd.DataFrame, workers: int) -> list[str]:
    """What ``TARGET`` documents take, in words, by the line through the smallest and the largest size."""
    few, many = table.index[0], table.index[-1]
    at = table.loc[many] + (table.loc[many] - table.loc[few]) / (many - few) * (TARGET - many)
    hours, gigabytes = at / 3600, at / 1000
    memory = table.loc[many, "first process MiB"] / 1024 + ARRAYS * (TARGET - many) / 2**30
    return [
        f"{TARGET:,} documents of {MEAN} words, by the line through {few:,} and {many:,}:",
        f"  time, linear: {hours['wall s']:.1f} h on {workers} processes, {hours['CPU s']:.1f} h of CPU, of them "
        f"{hours['first process s']:.1f} h in the first process, which further workers do not shorten",
        f"  memory: first process {memory:.1f} GiB, {ARRAYS} bytes a document and the rest constant; "
        f"a worker {table['worker MiB'].max() / 1024:.1f} GiB, constant",
        f"  disk, linear: work folder {gigabytes['work folder MB']:.0f} GB, "
        f"input and output {gigabytes['input and output MB']:.0f} GB",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curation", description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[250_000, 500_000, 1_000_000], help="one or more sizes")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    chosen = parser.parse_args()
    lines = {}
    for documents in chosen.documents:
        with tempfile.TemporaryDirectory() as name:
            alone(make, Path(name), documents)
            lines[documents] = alone(measure, Path(name), chosen.workers)
            print(f"{documents:,} documents", *alone(found, Path(name)), sep="\n  ", flush=True)
        table = pd.DataFrame(lines).T.sort_index()
        table.insert(1, "documents/s", table.index / table["wall s"])
        print(table.to_string(float_format=lambda value: f"{value:,.0f}"), flush=True)
    if len(table) > 1:
        print(*extrapolated(table, chosen.workers), sep="\n")
