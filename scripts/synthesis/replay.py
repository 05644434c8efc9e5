"""Method `replay`: reads the documents of the sources in a mix, makes synthesized.parquet and samples.txt from a part of them.

The mix gives shares of characters, as a recipe's mix gives shares of tokens. Each source's documents are taken in an order that
is seeded by corpus and document id, and each next document comes from the source that is furthest behind its share, so that
a corpus can grow without changing what is there.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.lib.documents import document_id, read_documents, write_documents
from scripts.lib.files import write_text
from scripts.lib.seeds import seed_of

_COLUMNS = ["id", "text", "source", "source_model", "complete", "meta"]


def draw(sources: dict[str, pd.DataFrame], *, row: dict) -> list[dict]:
    """Draw ``row["samples"]`` documents without replacement, or fewer if one source has no more to give for its share.

    Args:
        sources: name -> documents (id, text, source, source_model, complete, meta) of every source in the mix.
        row: of the corpus: name, seed, mix (source -> share of characters), samples.

    Returns:
        Documents as dicts, in the order drawn; each names the document it is in parent_ids and keeps its source.
    """
    shares = {source: share for source, share in row["mix"].items() if share > 0}
    queues = {}
    for source in shares:
        lines = [line for line in sources[source].to_dict("records") if line["text"].strip()]
        queues[source] = sorted(lines, key=lambda line: (seed_of(row["name"], row.get("seed", 0), line["id"]), line["id"]))
    characters, taken = dict.fromkeys(shares, 0), dict.fromkeys(shares, 0)
    rows: list[dict] = []
    while len(rows) < row["samples"]:
        source = min(shares, key=lambda s: (characters[s] / shares[s], s))
        if taken[source] == len(queues[source]):
            break  # going on without it would change the shares
        line = queues[source][taken[source]]
        taken[source] += 1
        characters[source] += len(line["text"])
        rows.append(
            {
                "id": document_id(line["text"], row["name"], line["id"]),
                "text": line["text"],
                "source": line["source"],
                "method": "replay",
                "source_model": line["source_model"] if isinstance(line["source_model"], str) else None,
                "parent_ids": [line["id"]],
                "seed": seed_of(row["name"], row.get("seed", 0), line["id"]),
                "complete": bool(line["complete"]),
                "meta": line["meta"],
            }
        )
    return rows


def samples_text(rows: Sequence[dict], number: int = 20) -> str:
    """Some documents to read, evenly spread over the corpus, each under a line with its id and where it is from."""
    step = max(len(rows) // number, 1)
    shown = rows[::step][:number]
    return "".join(f"=== {r['id']} {r['method']} {r['source']}, {len(r['text'])} characters\n{r['text']}\n\n" for r in shown)


def replay(documents: dict[str, str | Path], out: str | Path, samples: str | Path, *, row: dict, code: str) -> None:
    """Make a replay corpus.

    Args:
        documents: name of each source in ``row["mix"]`` -> its documents.parquet.
        out: where to write the documents, with their card.
        samples: where to write 20 documents to read.
        row: of the corpus: name, seed, mix, samples.
        code: hash of the code.

    Raises:
        ValueError: when a source of the mix is not given, or has no documents; nothing is written.
    """
    if missing := sorted(set(row["mix"]) - set(documents)):
        raise ValueError(
            f"corpora: {row['name']}, key mix: no documents were given for {missing[0]}; expected {sorted(row['mix'])}"
        )
    frames = {source: read_documents(documents[source], _COLUMNS) for source in row["mix"]}
    rows = draw(frames, row=row)
    if not rows:
        sizes = {source: len(frame) for source, frame in frames.items()}
        raise ValueError(f"corpora: {row['name']}, key mix: a source is empty; documents by source are {sizes}")
    if len(rows) < row["samples"]:
        print(f"{row['name']}: a source ran out after {len(rows)} of {row['samples']} documents", file=sys.stderr)
    characters = Counter()
    for line in rows:
        characters[line["source"]] += len(line["text"])
    counts = {"asked": row["samples"], "characters_by_source": dict(sorted(characters.items()))}
    write_documents(out, rows, row=row, code=code, seed=row.get("seed", 0), counts=counts)
    write_text(samples, samples_text(rows))
    print(f"{row['name']}: {len(rows)} documents, {counts}", file=sys.stderr)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        mixed = dict(zip(snakemake.params.row["mix"], snakemake.input.documents, strict=True))
        made = (snakemake.output.documents, snakemake.output.samples)
        replay(mixed, *made, row=snakemake.params.row, code=snakemake.params.code)
