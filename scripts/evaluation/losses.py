"""Loss of a base and of all checkpoints of a run on held-out text, document by document.

    python -m scripts.evaluation.losses --row JSON --code HASH --base DIR --checkpoints DIR --name RUN \
        --documents A.parquet B.parquet --out heldout.parquet

Reads the base's directory, checkpoints/subset-{s}/epoch-{n}/ and documents.parquet of the sources that the suite's row names;
makes Parquet with its card: run, subset, epoch, task, item, nats, tokens, bytes; one line per checkpoint, task and document.
Epoch 0 is the base, with subset -1. Documents are scored as in scripts/evaluation/bits.py: EOS costs nats and no bytes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.evaluation.bits import sequences_of
from scripts.evaluation.checkpoints import BASE, checkpoints_of, load_weights
from scripts.lib.documents import read_documents
from scripts.lib.files import atomic, card_path, read_card, write_card
from scripts.lib.likelihood import nats
from scripts.lib.models import load_model
from scripts.lib.progress import Progress
from scripts.lib.seeds import seed_of

TYPES = {"subset": "int16", "epoch": "int16", "item": "int32", "nats": "float64", "tokens": "int32", "bytes": "int32"}


def chosen(documents: pd.DataFrame, number: int, task: str) -> pd.DataFrame:
    """At most ``number`` documents with text, drawn by the task's name, in file order; item is the place among those."""
    documents = documents[documents["text"].str.len() > 0].reset_index(drop=True)
    rng = np.random.default_rng(seed_of("held-out", task))
    kept = np.sort(rng.choice(len(documents), min(number, len(documents)), replace=False))
    return documents.iloc[kept].assign(task=task, item=kept).reset_index(drop=True)


def measure(
    base: str | Path,
    checkpoints: str | Path | None,
    documents: list[str],
    out: str | Path,
    *,
    row: dict,
    name: str,
    code: str,
) -> None:
    """Score a base and the checkpoints of a run (None: the base alone) on the tasks of ``row``.

    ``documents`` are those of the tasks in the order of their names, since a row passed as JSON keeps no other.

    Raises:
        scripts.lib.files.BrokenArtifact: naming the file that is not the one of its card.
        ValueError: naming the task without a document.
    """
    import torch

    for folder in filter(None, (base, checkpoints)):
        if card_path(folder).exists():
            read_card(folder)
    parts = []
    for task, path in zip(sorted(row["tasks"]), documents, strict=True):
        parts.append(chosen(read_documents(path, columns=["text", "complete"]), row["tasks"][task]["documents"], task))
        if parts[-1].empty:
            raise ValueError(f"{path}: holds no text; expected documents for the task {task} of suite {row['name']}")
    texts = pd.concat(parts, ignore_index=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load_model(base, "float32" if device == "cpu" else "bfloat16").to(device)
    sequences = sequences_of(base, texts)
    texts["tokens"] = [len(one) - 1 for one in sequences]
    texts["bytes"] = [len(text.encode("utf-8", "replace")) for text in texts["text"]]
    todo, lines = [(BASE, 0, Path(base)), *checkpoints_of(checkpoints)], []
    with Progress(f"loss of {name} on {row['name']}", len(todo), "checkpoints") as progress:
        for subset, epoch, folder in todo:
            load_weights(model, folder)
            scored = texts[["task", "item", "tokens", "bytes"]].assign(nats=nats(model, sequences))
            lines.append(scored.assign(run=name, subset=subset, epoch=epoch))
            progress.add(1)
    table = pd.concat(lines, ignore_index=True)[["run", "subset", "epoch", "task", "item", "nats", "tokens", "bytes"]]
    with atomic(out) as beside:
        table.astype({**TYPES, "run": "category", "task": "category"}).to_parquet(beside, index=False, compression="zstd")
    write_card(out, row=row, code=code, counts={"checkpoints": len(todo), "documents": len(texts)}, run=name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", type=json.loads, required=True, help="the suite's row: name, and tasks with their documents")
    parser.add_argument("--code", required=True)
    parser.add_argument("--base", required=True, help="directory of the base")
    parser.add_argument("--checkpoints", help="folder of subset-{s}/epoch-{n}; without it only the base is scored")
    parser.add_argument("--documents", nargs="+", required=True, help="documents.parquet of each task's source, by its name")
    parser.add_argument("--name", required=True, help="the run's name")
    parser.add_argument("--out", required=True)
    a = parser.parse_args()
    measure(a.base, a.checkpoints, a.documents, a.out, row=a.row, name=a.name, code=a.code)
