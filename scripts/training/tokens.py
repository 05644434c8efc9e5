"""A source or a corpus as token ids on disk, which many runs read without encoding it again or holding it in memory.

Reads documents.parquet (of a corpus synthesized.parquet) and a tokenizer's folder; makes a folder of ids.bin, the documents end
to end, each [BOS] tokens [EOS if complete], as uint16 or, of more than 65,536 words, uint32; and ends.npy, where each ends.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from scripts.lib.files import BrokenArtifact, atomic, card_path, read_card, write_card
from scripts.lib.models import load_tokenizer, special_token
from scripts.lib.tokens import encode, wrap

BATCH = 8192  # documents in memory at once


class Text(NamedTuple):
    """Documents end to end: ids, mapped from disk; where each document ends, int64 (documents,); the sha256 of the ids."""

    ids: np.ndarray
    ends: np.ndarray
    sha256: str


def write_tokens(documents: str | Path, tokenizer: str | Path, out: str | Path, *, code: str) -> None:
    """Encode the documents into the folder ``out``, and write its card; empty documents are left out."""
    read_card(documents)
    words = load_tokenizer(tokenizer)
    bos, eos = (special_token(tokenizer, key) for key in ("bos_token", "eos_token"))
    kind = np.uint16 if words.get_vocab_size() <= 1 << 16 else np.uint32
    lengths = []
    with atomic(out) as beside:
        beside.mkdir()
        with open(beside / "ids.bin", "wb") as file:
            for piece in pq.ParquetFile(documents).iter_batches(BATCH, columns=["text", "complete"]):
                found = zip(encode(words, piece["text"].to_pylist()), piece["complete"].to_pylist(), strict=True)
                whole = [wrap(ids, bos, eos if done else None) for ids, done in found if len(ids)]
                lengths += map(len, whole)
                file.write(np.concatenate([np.zeros(0, np.int32), *whole]).astype(kind).tobytes())
        if not lengths:
            raise BrokenArtifact(f"{documents}: no document has text; expected some to train on")
        np.save(beside / "ends.npy", np.cumsum(lengths, dtype=np.int64))
    counts = {"documents": len(lengths), "tokens": int(sum(lengths)), "bytes_each": np.dtype(kind).itemsize}
    write_card(out, row={"name": Path(out).name, "tokenizer": Path(tokenizer).name}, code=code, counts=counts)


def read_tokens(folder: str | Path, check: bool = True) -> Text:
    """What ``write_tokens`` wrote, after checking it against its card; of many processes one is enough to ``check``.

    Raises:
        BrokenArtifact: when it is not what its card describes.
    """
    card = read_card(folder) if check else json.loads(card_path(folder).read_text(encoding="utf-8"))
    ids = np.memmap(Path(folder) / "ids.bin", dtype=f"u{card['counts']['bytes_each']}", mode="r")
    return Text(ids, np.load(Path(folder) / "ends.npy"), card["sha256"]["ids.bin"])


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        paths = (snakemake.input.documents, snakemake.input.tokenizer, snakemake.output.folder)
        write_tokens(*paths, code=snakemake.params.code)
