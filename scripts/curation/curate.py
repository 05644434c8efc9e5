"""From a synthesized corpus to a curated one: reads documents and evaluation items, makes what students may be trained on.

In this order: empty documents, exact duplicates, MinHash near-duplicates (the row says whether they are dropped or only
reported), and 8-gram decontamination against every evaluation item; equal token budgets follow per run (budget.py). Reads
synthesized.parquet and items.parquet of suites; makes curated.parquet (documents, with near_duplicate_of), removed.parquet
(with reason and detail) and curation.json (what was counted). Text is what counts: sampled token ids are only carried along.

Documents are worked on in shards (shards.py), one at a time or one a worker, and everything is written as a stream. What is
made does not depend on how many shards or workers there are.
"""

import json
import os
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from itertools import pairwise, repeat
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.curation import contamination, duplicates
from scripts.curation.shards import load, split, texts_of
from scripts.lib.documents import SCHEMA
from scripts.lib.files import atomic, read_card, write_card, write_json
from scripts.lib.shingles import jaccard
from scripts.lib.work import work_folder

REASONS = ("empty", "exact duplicate", "near-duplicate", "contaminated")
CURATED = pa.schema([*SCHEMA, ("near_duplicate_of", pa.string())])
REMOVED = pa.schema([*SCHEMA, ("reason", pa.string()), ("detail", pa.string())])
VERDICT = pa.schema([("reason", pa.string()), ("detail", pa.string()), ("near_duplicate_of", pa.string())])
RULES = {"any": 0.0, "half": 0.5}  # ratios of the decontamination that are always counted
ROW_GROUP = 32_768  # documents
_WORTH = 20_000  # documents that take about as long as a further process takes to start


class Counted(NamedTuple):
    """What is counted of the documents of one shard."""

    sources: Counter[tuple[str, str | None]]  # (source, reason) -> documents; the reason of those kept is None
    compared: int  # documents among which near-duplicates are looked for
    near: int  # those of them that have a keeper
    rules: Counter[str]  # of RULES -> documents that contain so much of an item
    tally: contamination.Tally


def curate(
    synthesized: str | Path,
    items: list[str | Path],
    curated: str | Path,
    removed: str | Path,
    report: str | Path,
    *,
    row: dict,
    code: str,
    work: str | Path,
    workers: int = 1,
) -> None:
    """Curate a corpus.

    Args:
        synthesized: documents, with their card.
        items: Parquets of task, item, text: all that documents are decontaminated against.
        curated: documents that are kept, ordered by id.
        removed: all others, ordered by reason and id, with a detail in JSON.
        report: curation.json.
        row: of the corpus: name, near_duplicates (drop | report), and optionally ngram (8) and ratio (0: any hit drops the
            document) for the variants of the decontamination, and shards (1): how many there are at least.
        code: hash of the code.
        work: folder for the shards, removed on success; after a failure the next job there starts anew.
        workers: processes; fewer where documents are few.

    Raises:
        ValueError: when the row's near_duplicates is neither drop nor report, or ids repeat.
        scripts.lib.files.BrokenArtifact: when synthesized is not what its card says.
        scripts.lib.work.Busy: when another process is at work in the work folder.
    """
    if row["near_duplicates"] not in ("drop", "report"):
        found = row["near_duplicates"]
        raise ValueError(f"corpora: {row['name']}, key near_duplicates: expected drop or report, found {found!r}")
    read_card(synthesized)
    items = tuple(map(str, items))
    workers = min(workers, pq.read_metadata(synthesized).num_rows // _WORTH)
    with work_folder(work) as folder, _mapping(workers) as each:
        shutil.rmtree(folder / "shards", ignore_errors=True)
        shards = split(synthesized, folder / "shards", max(row.get("shards", 1), 4 * workers if workers > 1 else 1))
        first = np.cumsum([0, *each(_fingerprint, shards, repeat(str(synthesized)))]).tolist()
        exact = duplicates.exact_duplicates(shards)
        list(each(_sketch, shards, (exact[a:b] == np.arange(a, b) for a, b in pairwise(first))))
        near = duplicates.near_duplicates(shards)
        keepers = ((exact[a:b], near[a:b]) for a, b in pairwise(first))
        counted = list(each(_judge, repeat(shards), repeat(first), range(len(shards)), keepers, repeat(items), repeat(row)))
        sizes = _write_both(curated, removed, shards, folder / "shards")
    keeps = np.zeros(len(near), dtype=bool)
    for a, b in pairwise(first):
        keeps[near[a:b][near[a:b] != np.arange(a, b)]] = True
    counts = _counts(counted, _index(items, _ngram(row)), int(keeps.sum()), row)
    for path, size in zip((curated, removed), sizes, strict=True):
        write_card(path, row=row, code=code, counts={**size, **counts["documents"]})
    write_json(report, {"corpus": row["name"], **counts})
    print(f"{row['name']}: " + ", ".join(f"{n} {name}" for name, n in counts["documents"].items()), file=sys.stderr)


@contextmanager
def _mapping(workers: int) -> Iterator[Callable]:
    """A map in this process, or one over several; spawned and not forked, since Arrow and rensa have threads of their own."""
    if workers < 2:
        yield map
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_follow) as pool:
            yield pool.map


def _follow() -> None:
    """End this worker with the process that started it; when that is killed, workers would wait for it forever."""
    threading.Thread(target=lambda: (parent_process().join(), os._exit(1)), daemon=True).start()


def read_items(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The items of several suites as one table: task, item, text; an item that two suites ask in the same words counts once.

    An item with other numbers ({task}_perturbed) is a further text of its item, so that words they share still tell of it.
    Without a suite there is none.
    """
    none = pd.DataFrame({"task": pd.Series(dtype=str), "item": pd.Series(dtype=int), "text": pd.Series(dtype=str)})
    items = pd.concat([none, *(pd.read_parquet(path, columns=["task", "item", "text"]) for path in paths)], ignore_index=True)
    return items.assign(task=items["task"].str.removesuffix("_perturbed")).drop_duplicates(ignore_index=True)


def _ngram(row: dict) -> int:
    return row.get("ngram", contamination.N)


@lru_cache(maxsize=1)
def _index(items: tuple[str, ...], n: int) -> contamination.Items:
    """Once a process, and not once a shard."""
    return contamination.index_items(read_items(items), n)


def _fingerprint(shard: Path, synthesized: str) -> int:
    """Write what exact duplicates are found by, and ids.npy; the number of documents."""
    table = load(shard, ("id", "text"))
    ids = np.array([one.encode() for one in table["id"].to_pylist()], dtype=bytes)
    again = np.flatnonzero(ids[1:] == ids[:-1])
    if len(again):
        found = ids[again[0]].decode()
        raise ValueError(f"{synthesized}: the id {found} stands twice; documents of equal text are told apart by their index")
    np.save(shard / "ids.npy", ids)
    duplicates.fingerprint(shard, texts_of(table))
    return len(ids)


def _sketch(shard: Path, compared: np.ndarray) -> None:
    """Write what near-duplicates are found by; a text that is not compared counts as one without words."""
    texts = texts_of(load(shard, ("id", "text")))
    duplicates.sketch(shard, (text if one else "" for text, one in zip(texts, compared.tolist(), strict=True)))


def _ids_at(shards: list[Path], first: list[int], positions: np.ndarray) -> dict[int, str]:
    """The ids of documents at some positions, rising."""
    cuts = np.searchsorted(positions, first).tolist()
    found: dict[int, str] = {}
    for shard, start, (a, b) in zip(shards, first, pairwise(cuts), strict=False):
        if b > a:
            ids = np.load(shard / "ids.npy", mmap_mode="r")[positions[a:b] - start]
            found.update(zip(positions[a:b].tolist(), (one.decode() for one in ids.tolist()), strict=True))
    return found


def _judge(
    shards: list[Path],
    first: list[int],
    number: int,
    keepers: tuple[np.ndarray, np.ndarray],
    items: tuple[str, ...],
    row: dict,
) -> Counted:
    """Decide about every document of a shard, and write verdict.arrow to its folder.

    Args:
        shards: all of them.
        first: position of each one's first document.
        number: which of them.
        keepers: of each of its documents the keeper among exact duplicates, and among near-duplicates.
        items: as in ``curate``.
        row: as in ``curate``.

    The verdict has a line of ``VERDICT`` for each document: reason (of ``REASONS``, None if kept), detail (JSON),
    near_duplicate_of (id of the keeper of its cluster, or None).
    """
    table, index, ratio = load(shards[number], ("id", "text", "source")), _index(items, _ngram(row)), row.get("ratio", 0.0)
    own = np.arange(first[number], first[number + 1])
    ids = _ids_at(shards, first, np.unique(np.concatenate([keeper[keeper != own] for keeper in keepers])))
    reasons: list[str | None] = []
    details: list[str | None] = []
    near: list[str | None] = []
    hits: list[contamination.Hit] = []
    compared = 0
    with duplicates.Shingles(shards) as sets:
        for i, exact, close, text in zip(own.tolist(), *(keeper.tolist() for keeper in keepers), texts_of(table), strict=True):
            reason, detail, of = None, {}, None
            if not text.strip():
                reason = "empty"
            elif exact != i:
                reason, detail = "exact duplicate", {"keeper": ids[exact]}
            else:
                compared += 1
                of = ids[close] if close != i else None
                if of and row["near_duplicates"] == "drop":
                    similarity = round(jaccard(sets.of(i), sets.of(close)), 4)
                    reason, detail = "near-duplicate", {"keeper": of, "jaccard": similarity}
                elif hit := contamination.hit_of(text, index):
                    hits.append(hit)
                    if contamination.contaminated(hit, ratio):
                        found = contamination.items_hit(hit, index, ratio)
                        reason, detail = "contaminated", {"items": found, "ngram": hit.example}
            reasons.append(reason)
            details.append(json.dumps(detail, ensure_ascii=False) if reason else None)
            near.append(of)
    with pa.ipc.new_file(str(shards[number] / "verdict.arrow"), VERDICT) as out:
        out.write_table(pa.table([reasons, details, near], schema=VERDICT))
    rules = Counter({name: sum(contamination.contaminated(hit, value) for hit in hits) for name, value in RULES.items()})
    sources = Counter(zip(table["source"].to_pylist(), reasons, strict=True))
    return Counted(sources, compared, sum(map(bool, near)), rules, contamination.tally(hits, index, ratio))


def _write_both(
    curated: str | Path,
    removed: str | Path,
    shards: list[Path],
    folder: Path,
) -> tuple[dict, dict]:
    """Write the documents of shards as their verdicts say; how many documents and characters either file has.

    Those removed are ordered by reason first, so they wait in ``folder``, one file a reason.
    """
    waiting = {reason: folder / f"{reason}.arrow" for reason in REASONS}
    with ExitStack() as stack:
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        spill = {
            why: stack.enter_context(pa.ipc.new_stream(str(path), REMOVED, options=options)) for why, path in waiting.items()
        }

        def kept() -> Iterator[pa.Table]:
            for shard in shards:
                documents = load(shard)
                with pa.ipc.open_file(str(shard / "verdict.arrow")) as file:
                    verdict = file.read_all()
                table = pa.table([*documents.columns, *verdict.columns], names=[*documents.column_names, *verdict.column_names])
                for why, out in spill.items():
                    out.write_table(table.filter(pc.equal(table["reason"], why)).select(REMOVED.names))
                yield table.filter(pc.is_null(table["reason"])).select(CURATED.names)

        first = _write(curated, kept(), CURATED)

    def gone() -> Iterator[pa.Table]:
        for path in waiting.values():
            with pa.ipc.open_stream(str(path)) as batches:
                for batch in batches:
                    yield pa.Table.from_batches([batch])

    return first, _write(removed, gone(), REMOVED)


def _write(path: str | Path, tables: Iterable[pa.Table], schema: pa.Schema) -> dict[str, int]:
    """Write tables as one file, whose row groups do not depend on where tables end; its documents and characters."""
    size = {"documents": 0, "characters": 0}
    left = schema.empty_table()
    with atomic(path) as beside, pq.ParquetWriter(beside, schema, compression="zstd") as out:
        for table in tables:
            size["documents"] += len(table)
            size["characters"] += pc.sum(pc.utf8_length(table["text"])).as_py() or 0
            left = pa.concat_tables([left, table])
            while len(left) >= ROW_GROUP:
                out.write_table(left.slice(0, ROW_GROUP).combine_chunks())
                left = left.slice(ROW_GROUP)
        if len(left) or not size["documents"]:
            out.write_table(left.combine_chunks())
    return size


def _counts(counted: list[Counted], index: contamination.Items, clusters: int, row: dict) -> dict:
    """What curation.json holds besides the corpus' name."""
    sources = sum((one.sources for one in counted), Counter())
    reasons: Counter[str | None] = Counter()
    by_source: dict[str, dict] = {}
    for (source, reason), documents in sources.items():
        reasons[reason] += documents
        entry = by_source.setdefault(source, {"synthesized": 0, "kept": 0} | dict.fromkeys(REASONS, 0))
        entry["synthesized"] += documents
        entry[reason or "kept"] += documents
    n, compared, near = sum(reasons.values()), sum(one.compared for one in counted), sum(one.near for one in counted)
    return {
        "documents": {"synthesized": n, **{reason: reasons[reason] for reason in REASONS}, "kept": reasons[None]},
        "share_removed": round((n - reasons[None]) / max(n, 1), 6),
        "near_duplicates": {
            "rule": row["near_duplicates"],
            "shingle": duplicates.SHINGLE,
            "bands": duplicates.BANDS,
            "rows": duplicates.ROWS,
            "jaccard": round(duplicates.THRESHOLD, 4),
            "compared": compared,
            "clusters": clusters,
            "found": near,
            "rate": round(near / max(compared, 1), 6),
        },
        "contamination": {
            "ngram": index.n,
            "ratio": row.get("ratio", 0.0),
            "own_ngrams": len(index.grams),
            "shared_ngrams": index.shared,
            "documents_by_rule": {name: sum(one.rules[name] for one in counted) for name in RULES},
            "tasks": contamination.by_task([one.tally for one in counted], index),
        },
        "sources": dict(sorted(by_source.items())),
    }


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        paths = (snakemake.input.documents, [Path(suite) / "items.parquet" for suite in snakemake.input.suites])
        made = (snakemake.output.curated, snakemake.output.removed, snakemake.output.report)
        params = snakemake.params
        curate(*paths, *made, row=params.row, code=params.code, work=params.work, workers=snakemake.threads)
