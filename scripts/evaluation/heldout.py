r"""Loss on held-out documents of a model and of the checkpoints within its training: reads both, makes Parquet.

    python -m scripts.evaluation.heldout --row JSON --code HASH --model DIR --documents X.parquet --out Y.parquet \
        [--checkpoints DIR]

One line per checkpoint and document: run (the model's name), subset, epoch, item (the document's id), nats (negative
log-likelihood after BOS, EOS included where the document is complete), tokens. Epoch 0 with subset -1 is the model as it is;
epoch p with subset 0 is its checkpoint after p per cent of the steps. Float32 on a CPU, bfloat16 on a GPU.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.evaluation.checkpoints import BASE, checkpoints_of, load_weights
from scripts.lib.documents import read_documents
from scripts.lib.files import BrokenArtifact, atomic, read_card, write_card
from scripts.lib.likelihood import nats
from scripts.lib.models import BadModel, bos_of, eos_of, load_model, load_tokenizer
from scripts.lib.progress import Progress
from scripts.lib.tokens import encode, wrap


def evaluate(
    model: str | Path, checkpoints: str | Path | None, documents: str | Path, out: str | Path, *, row: dict, code: str
) -> None:
    """The file function; ``row`` is the model's: its name, and block, the tokens that it sees at once."""
    import torch

    read_card(model)
    frame = read_documents(documents, ["id", "text", "complete"])
    if frame.empty:
        raise BrokenArtifact(f"{documents}: no documents to score")
    bos, eos = bos_of(model), eos_of(model)
    ids = encode(load_tokenizer(model), frame["text"].tolist())
    sequences = [wrap(one, bos, eos if done else None) for one, done in zip(ids, frame["complete"], strict=True)]
    lengths = np.array([len(one) - 1 for one in sequences], np.int32)
    cuda = torch.cuda.is_available()
    loaded = load_model(model, "bfloat16" if cuda else "float32").to("cuda" if cuda else "cpu")
    todo, parts = [(BASE, 0, Path(model)), *checkpoints_of(checkpoints)], []
    with Progress(f"held-out loss of {row['name']}", len(todo), "checkpoints") as progress:
        for subset, epoch, folder in todo:
            load_weights(loaded, folder)
            lines = pd.DataFrame({"item": frame["id"], "nats": nats(loaded, sequences, row["block"]), "tokens": lengths})
            parts.append(lines.assign(run=row["name"], subset=subset, epoch=epoch))
            progress.add(1)
    table = pd.concat(parts, ignore_index=True)[["run", "subset", "epoch", "item", "nats", "tokens"]]
    with atomic(out) as beside:
        table.astype({"subset": "int16", "epoch": "int16"}).to_parquet(beside, index=False, compression="zstd")
    mean = round(float(parts[0]["nats"].sum() / lengths.sum()), 6)
    counts = {"checkpoints": len(todo), "documents": len(frame), "tokens": int(lengths.sum())}
    write_card(out, row=row, code=code, counts=counts, nats_per_token=mean)
    print(f"{row['name']}: {mean} nats a token", file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", type=json.loads, required=True, help="the model's row as JSON")
    for name in ("code", "model", "documents", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--checkpoints")
    a = parser.parse_args(arguments)
    try:
        evaluate(a.model, a.checkpoints, a.documents, a.out, row=a.row, code=a.code)
    except (BadModel, BrokenArtifact) as error:
        sys.exit(f"{a.row['name']}: {error}")


if __name__ == "__main__":
    main()
