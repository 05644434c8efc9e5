"""Method `shuffle`: another corpus with each document's tokens in random order, a control that keeps words and loses sense.

Reads the parent corpus' documents and the student's tokenizer, makes synthesized.parquet and samples.txt. The permutation of a
document is seeded by corpus and document id.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scripts.lib.documents import document_id, read_documents, write_documents
from scripts.lib.files import write_text
from scripts.lib.models import load_tokenizer
from scripts.lib.seeds import seed_of
from scripts.lib.tokens import encode
from scripts.synthesis.replay import samples_text


def permuted(ids: Sequence[np.ndarray], names: Sequence[str], *, row: dict) -> list[np.ndarray]:
    """The token ids of each document in the order that (corpus, seed, name of the document) gives; int32, lengths kept."""
    seeds = [seed_of(row["name"], row.get("seed", 0), name) for name in names]
    return [np.random.default_rng(seed).permutation(one).astype(np.int32) for one, seed in zip(ids, seeds, strict=True)]


def shuffle(
    documents: str | Path, tokenizer: str | Path, out: str | Path, samples: str | Path, *, row: dict, code: str
) -> None:
    """Make a shuffled corpus.

    Args:
        documents: of the parent corpus, with their card.
        tokenizer: folder of the tokenizer whose tokens are permuted.
        out: where to write the documents, with their card; ids are the permuted ids, text is what they decode to.
        samples: where to write 20 documents to read.
        row: of the corpus: name, seed, corpus (the parent).
        code: hash of the code.
    """
    frame = read_documents(documents, ["id", "text", "source", "source_model", "complete", "meta"])
    frame = frame[frame["text"].str.strip() != ""]
    words = load_tokenizer(tokenizer)
    names = frame["id"].tolist()
    shuffled = permuted(encode(words, frame["text"].tolist()), names, row=row)
    texts = words.decode_batch([one.tolist() for one in shuffled], skip_special_tokens=False)
    rows = [
        {
            "id": document_id(text, row["name"], parent.id),
            "text": text,
            "source": parent.source,
            "method": "shuffle",
            "source_model": parent.source_model if isinstance(parent.source_model, str) else None,
            "parent_ids": [parent.id],
            "seed": seed_of(row["name"], row.get("seed", 0), parent.id),
            "complete": bool(parent.complete),
            "ids": ids,
            "meta": parent.meta,
        }
        for parent, ids, text in zip(frame.itertuples(), shuffled, texts, strict=True)
    ]
    tokens = sum(map(len, shuffled))
    again = sum(map(len, encode(words, texts)))
    counts = {"tokens": tokens, "tokens_encoded_again": again}
    write_documents(out, rows, row=row, code=code, seed=row.get("seed", 0), counts=counts)
    write_text(samples, samples_text(rows))
    print(f"{row['name']}: {len(rows)} documents, {counts}", file=sys.stderr)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        paths = (str(snakemake.input.documents), str(snakemake.input.tokenizer))  # each a list of one path
        made = (snakemake.output.documents, snakemake.output.samples)
        shuffle(*paths, *made, row=snakemake.params.row, code=snakemake.params.code)
