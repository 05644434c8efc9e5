"""The shards of a generated corpus put together: reads them in order, makes synthesized.parquet with its card, and samples.txt.

Documents are what they were in the shards; counts are sums over them, and the card keeps the code, versions and seconds of
each. Nothing here asks a generator, so that joining a corpus anew never generates it anew.
"""

import json
import sys
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.documents import SCHEMA, write_table
from scripts.lib.files import BrokenArtifact, read_card, write_text


def total(counts: Sequence[dict]) -> dict:
    """Counts of shards added up, key by key and however deep; what is no number (why a document was skipped) is kept.

    >>> total([{"calls": {"qa": 2}, "skipped": {"a": "No."}}, {"calls": {"qa": 3}, "skipped": {}}])
    {'calls': {'qa': 5}, 'skipped': {'a': 'No.'}}
    """
    found: dict = {}
    for one in counts:
        for key, value in one.items():
            if isinstance(value, dict):
                found[key] = total([found.get(key, {}), value])
            else:
                found[key] = found.get(key, 0) + value if isinstance(value, int) else value
    return found


def samples_text(table: pa.Table, row: dict, counts: dict, number: int = 20) -> str:
    """Some texts to read, evenly spread over the corpus, each under a line that says what was asked for it."""
    lines = [f"{row['name']}: {len(table)} texts by method {row['method']}, written by {row['source_model']}"]
    lines.append(f"{counts['tokens']} tokens of {counts['budget']} asked for; {counts['parents']} documents")
    shown = range(0, len(table), max(len(table) // number, 1))[:number]
    for one in table.take(list(shown)).to_pylist():
        about = json.loads(one["meta"])
        named = [value if isinstance(value, str) else ", ".join(value) for key, value in about.items() if key != "kind"]
        lines += ["", f"--- {one['id']} from {one['parent_ids'][0]}: {' | '.join([about['kind'], *named])}", one["text"]]
    return "\n".join(lines) + "\n"


def collect(shards: Sequence[str], out: str, samples: str, *, row: dict, code: str) -> None:
    """Join the shards of a corpus in the order given, and write documents, card and samples.txt.

    Raises:
        BrokenArtifact: when a shard is not the one that its card describes, or was asked for by another row, prompt or model.
    """
    cards = [read_card(path) for path in shards]
    for path, card in zip(shards, cards, strict=True):
        if (card["row"], card["decides"]) != (row, cards[0]["decides"]):
            raise BrokenArtifact(f"{path}: another row, prompt or model made it than {shards[0]}; delete it")
    table = pa.concat_tables([pq.read_table(path) for path in shards]).combine_chunks().cast(SCHEMA)  # as if written at once
    counts = total([card["counts"] for card in cards])
    write_text(samples, samples_text(table, row, counts))
    write_table(
        out,
        table,
        row=row,
        code=code,
        counts=counts,
        **{key: cards[0][key] for key in ("seeds", "decides")},
        measured={"seconds": round(sum(card["measured"]["seconds"] for card in cards), 1)},
        shards=[{key: card[key] for key in ("code", "versions", "measured")} for card in cards],
    )
    print(f"{row['name']}: {counts}", file=sys.stderr)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        collect(
            snakemake.input.shards,
            snakemake.output.documents,
            snakemake.output.samples,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
