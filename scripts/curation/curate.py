"""From a synthesized corpus to a curated one: reads documents and evaluation items, makes what students may be trained on.

In this order: empty documents, exact duplicates, MinHash near-duplicates (the row says whether they are dropped or only
reported), and 8-gram decontamination against every evaluation item; equal token budgets follow per run (budget.py). Reads
synthesized.parquet and items.parquet of suites; makes curated.parquet (documents, with near_duplicate_of), removed.parquet
(with reason and detail) and curation.json (what was counted). Text is what counts: sampled token ids are only carried along.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.curation import contamination, duplicates
from scripts.lib.documents import SCHEMA, write_documents
from scripts.lib.files import read_card, write_json

REASONS = ("empty", "exact duplicate", "near-duplicate", "contaminated")


def curate(
    synthesized: str | Path,
    items: list[str | Path],
    curated: str | Path,
    removed: str | Path,
    report: str | Path,
    *,
    row: dict,
    code: str,
) -> None:
    """Curate a corpus.

    Args:
        synthesized: documents, with their card.
        items: Parquets of task, item, text: all that documents are decontaminated against.
        curated: documents that are kept, ordered by id.
        removed: all others, ordered by reason and id, with a detail in JSON.
        report: curation.json.
        row: of the corpus: name, near_duplicates (drop | report), and optionally ngram (8) and ratio (0: any hit drops the
            document) for the variants of the decontamination.
        code: hash of the code.

    Raises:
        ValueError: when the row's near_duplicates is neither drop nor report, or ids repeat.
        scripts.lib.files.BrokenArtifact: when synthesized is not what its card says.
    """
    if row["near_duplicates"] not in ("drop", "report"):
        found = row["near_duplicates"]
        raise ValueError(f"corpora: {row['name']}, key near_duplicates: expected drop or report, found {found!r}")
    read_card(synthesized)
    table = pq.read_table(synthesized, columns=SCHEMA.names)
    ids = table["id"].to_pylist()
    if len(set(ids)) < len(ids):
        again = next(one for one, times in Counter(ids).items() if times > 1)
        raise ValueError(f"{synthesized}: the id {again} stands twice; documents of equal text are told apart by their index")
    verdict = judge(ids, table["text"].to_pylist(), read_items(items), row=row)
    counts = _counts(verdict, table["source"].to_pylist(), row)

    def written(path: str | Path, positions: list[int], columns: list[str]) -> None:
        rows = table.take(pa.array(positions, pa.int64())).to_pylist()
        for line, i in zip(rows, positions, strict=True):
            line |= {name: verdict[name][i] for name in columns}
        write_documents(path, rows, row=row, code=code, extra=dict.fromkeys(columns, pa.string()), counts=counts["documents"])

    reasons = verdict["reason"]
    order = sorted(range(len(ids)), key=lambda i: (REASONS.index(reasons[i]) if reasons[i] else -1, ids[i]))
    written(curated, [i for i in order if not reasons[i]], ["near_duplicate_of"])
    written(removed, [i for i in order if reasons[i]], ["reason", "detail"])
    write_json(report, {"corpus": row["name"], **counts})
    print(f"{row['name']}: " + ", ".join(f"{n} {name}" for name, n in counts["documents"].items()), file=sys.stderr)


def read_items(paths: list[str | Path]) -> pd.DataFrame:
    """The items of several suites as one table: task, item, text; an item that two suites ask in the same words counts once.

    An item with other numbers ({task}_perturbed) is a further text of its item, so that words they share still tell of it.
    """
    items = pd.concat([pd.read_parquet(path, columns=["task", "item", "text"]) for path in paths], ignore_index=True)
    return items.assign(task=items["task"].str.removesuffix("_perturbed")).drop_duplicates(ignore_index=True)


def judge(ids: list[str], texts: list[str], items: pd.DataFrame, *, row: dict) -> dict:
    """Decide about every document of a corpus.

    Args:
        ids: of the n documents, all different.
        texts: of the n documents.
        items: task, item, text.
        row: as in ``curate``.

    Returns:
        Lists over the documents: reason (of ``REASONS``, None if kept), detail (JSON), near_duplicate_of (id of the keeper of
        its cluster, or None); and what the report counts: hits, index, compared and clusters.
    """
    n = len(ids)
    reason: list[str | None] = [None] * n
    detail: list[str | None] = [None] * n

    def left() -> list[int]:
        return [i for i in range(n) if reason[i] is None]

    def drop(i: int, why: str, **more: object) -> None:
        reason[i], detail[i] = why, json.dumps(more, ensure_ascii=False)

    for i in range(n):
        if not texts[i].strip():
            drop(i, "empty")

    where = left()
    for i, k in zip(where, duplicates.exact_duplicates([ids[i] for i in where], [texts[i] for i in where]), strict=True):
        if where[k] != i:
            drop(i, "exact duplicate", keeper=ids[where[k]])

    where = left()
    documents = duplicates.sketch([ids[i] for i in where], [texts[i] for i in where])
    keeper = duplicates.near_duplicates(documents).tolist()
    near: list[str | None] = [None] * n
    for position, (i, k) in enumerate(zip(where, keeper, strict=True)):
        if k != position:
            near[i] = ids[where[k]]
            if row["near_duplicates"] == "drop":
                drop(i, "near-duplicate", keeper=near[i], jaccard=round(duplicates.jaccard(documents, position, k), 4))
    clusters = {k for position, k in enumerate(keeper) if k != position}
    compared = len(where)

    where = left()
    ratio = row.get("ratio", 0.0)
    index = contamination.index_items(items, row.get("ngram", contamination.N))
    hits = contamination.find((texts[i] for i in where), index)
    for i, hit in zip(where, hits, strict=True):
        if contamination.contaminated(hit, ratio):
            drop(i, "contaminated", items=contamination.items_hit(hit, index, ratio), ngram=hit.example)
    return {
        "reason": reason,
        "detail": detail,
        "near_duplicate_of": near,
        "hits": hits,
        "index": index,
        "compared": compared,
        "clusters": len(clusters),
    }


def _counts(verdict: dict, sources: list[str], row: dict) -> dict:
    """What curation.json holds besides the corpus' name."""
    reasons, near, index = verdict["reason"], verdict["near_duplicate_of"], verdict["index"]
    ratio, n = row.get("ratio", 0.0), len(reasons)
    found = Counter(reasons)
    flagged = sum(keeper is not None for keeper in near)
    share = {"any": 0.0, "half": 0.5}
    by_source: dict[str, dict] = {}
    for source, reason in zip(sources, reasons, strict=True):
        by_source.setdefault(source, {"synthesized": 0, "kept": 0} | dict.fromkeys(REASONS, 0))
        by_source[source]["synthesized"] += 1
        by_source[source][reason or "kept"] += 1
    return {
        "documents": {"synthesized": n, **{reason: found[reason] for reason in REASONS}, "kept": found[None]},
        "share_removed": round((n - found[None]) / max(n, 1), 6),
        "near_duplicates": {
            "rule": row["near_duplicates"],
            "shingle": duplicates.SHINGLE,
            "bands": duplicates.BANDS,
            "rows": duplicates.ROWS,
            "jaccard": round(duplicates.THRESHOLD, 4),
            "compared": verdict["compared"],
            "clusters": verdict["clusters"],
            "found": flagged,
            "rate": round(flagged / max(verdict["compared"], 1), 6),
        },
        "contamination": {
            "ngram": index.n,
            "ratio": ratio,
            "own_ngrams": len(index.grams),
            "shared_ngrams": index.shared,
            "documents_by_rule": {
                name: sum(contamination.contaminated(hit, value) for hit in verdict["hits"]) for name, value in share.items()
            },
            "tasks": contamination.by_task(verdict["hits"], index, ratio),
        },
        "sources": dict(sorted(by_source.items())),
    }


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        paths = (snakemake.input.documents, [Path(suite) / "items.parquet" for suite in snakemake.input.suites])
        made = (snakemake.output.curated, snakemake.output.removed, snakemake.output.report)
        curate(*paths, *made, row=snakemake.params.row, code=snakemake.params.code)
