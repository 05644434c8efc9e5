"""Bits per byte of models on held-out documents: what compares models of different tokenizers.

Reads model directories and documents.parquet of held-out sources; makes a CSV with its card: columns model, source, documents,
bytes, tokens, bits_per_byte; one line per model and source.

A document is scored as it is trained on: its tokens and EOS (if it ended by itself), given BOS. Bits are the sum of the
negative log-likelihoods over ln 2; bytes are those of the text in UTF-8, so EOS costs bits and no bytes, alike for all models.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.documents import read_documents
from scripts.lib.files import atomic, card_path, read_card, write_card
from scripts.lib.likelihood import nats
from scripts.lib.models import bos_of, eos_of, load_model, load_tokenizer
from scripts.lib.progress import Progress
from scripts.lib.tokens import encode, wrap


def sequences_of(folder: str | Path, documents: pd.DataFrame) -> list[np.ndarray]:
    """Token ids of documents (columns text, complete) as a model directory reads them: BOS, text, EOS if they are complete."""
    bos, eos = bos_of(folder), eos_of(folder)
    ids = encode(load_tokenizer(folder), documents["text"].tolist())
    return [wrap(one, bos, eos if done else None) for one, done in zip(ids, documents["complete"], strict=True)]


def bits_per_byte(folder: str | Path, documents: pd.DataFrame) -> dict[str, float]:
    """documents, bytes, tokens (EOS included) and bits_per_byte of a model directory on documents (columns text, complete)."""
    model, sequences = load_model(folder), sequences_of(folder, documents)
    size = sum(len(text.encode("utf-8", "replace")) for text in documents["text"])
    if not size:
        raise ValueError("held-out documents hold no text; expected at least one byte")
    return {
        "documents": len(documents),
        "bytes": size,
        "tokens": sum(len(one) - 1 for one in sequences),
        "bits_per_byte": float(nats(model, sequences).sum() / math.log(2) / size),
    }


def write_bits(models: dict[str, str], heldout: dict[str, str], out: str | Path, *, row: dict, code: str) -> None:
    """Score models (name -> directory) on held-out sources (name -> documents.parquet) and write the CSV and its card."""
    texts = {source: read_documents(path, columns=["text", "complete"]) for source, path in heldout.items()}
    lines = []
    with Progress("bits per byte", len(models) * len(texts), "model and source pairs") as progress:
        for model, folder in models.items():
            if card_path(folder).exists():
                read_card(folder)
            for source, documents in texts.items():
                lines.append({"model": model, "source": source, **bits_per_byte(folder, documents)})
                progress.add(1)
    with atomic(out) as beside:
        pd.DataFrame(lines).round({"bits_per_byte": 6}).to_csv(beside, index=False)
    write_card(out, row=row, code=code, counts={"lines": len(lines)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True, help="the gate's row; its models and heldout name the paths")
    parser.add_argument("--code", required=True)
    parser.add_argument("--models", nargs="+", required=True, help="directories, in the order of the row's models")
    parser.add_argument("--heldout", nargs="+", required=True, help="documents.parquet, in the order of the row's heldout")
    parser.add_argument("--out", required=True)
    a = parser.parse_args()
    named = [dict(zip(a.row[key], paths, strict=True)) for key, paths in (("models", a.models), ("heldout", a.heldout))]
    write_bits(*named, a.out, row=a.row, code=a.code)
