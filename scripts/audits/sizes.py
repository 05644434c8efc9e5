"""How long the texts of a corpus are, and what each was made from: reads a generated corpus, makes Parquet.

One line a text: document (the source's, its parent), kind (what the generator was asked for), tokens (in a tokenizer, EOS not
counted), named (how many entities the request named), and, the same for all texts of a document, entities (how many different
ones all requests named) and source_tokens (of the document itself). The card has the corpus' calls and tokens from its own.
"""

import json
from pathlib import Path

import pandas as pd

from scripts.lib.documents import read_documents
from scripts.lib.files import atomic, read_card, write_card
from scripts.lib.models import load_tokenizer
from scripts.lib.tokens import encode


def sizes(texts: pd.DataFrame, tokens: list[int], source_tokens: dict[str, int]) -> pd.DataFrame:
    """The lines; ``texts`` has parent_ids and meta (kind, the request's fields), ``source_tokens`` maps parents to lengths."""
    about = [json.loads(meta) for meta in texts["meta"]]
    parents = [parent[0] for parent in texts["parent_ids"]]
    entities: dict[str, set[str]] = {}
    for parent, one in zip(parents, about, strict=True):
        entities.setdefault(parent, set()).update(one.get("entities", []))
    return pd.DataFrame(
        {
            "document": parents,
            "kind": [one.get("kind", "") for one in about],
            "tokens": pd.array(tokens, "int32"),
            "named": pd.array([len(one.get("entities", [])) for one in about], "int32"),
            "entities": pd.array([len(entities[parent]) for parent in parents], "int32"),
            "source_tokens": pd.array([source_tokens[parent] for parent in parents], "int32"),
        }
    )


def measure(corpus: str | Path, source: str | Path, tokenizer: str | Path, out: str | Path, *, code: str) -> None:
    """Measure a corpus in a tokenizer; ``source`` is the documents.parquet that it was made from."""
    words = load_tokenizer(tokenizer)

    def count(frame: pd.DataFrame) -> list[int]:
        return [len(ids) for ids in encode(words, frame["text"].tolist())]

    documents, texts = read_documents(source, ["id", "text"]), read_documents(corpus, ["text", "parent_ids", "meta"])
    lengths = dict(zip(documents["id"], count(documents), strict=True))
    table = sizes(texts, count(texts), lengths)
    with atomic(out) as beside:
        table.to_parquet(beside, index=False, compression="zstd")
    made = read_card(corpus)
    kept = {key: made["counts"].get(key) for key in ("calls", "texts", "tokens", "unused", "failed", "short", "budget")}
    about = {"documents": len(documents), "source_tokens": sum(lengths.values()), "texts_tokens": int(table["tokens"].sum())}
    write_card(out, row=made["row"], code=code, counts={**about, "corpus": kept})


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        read = snakemake.input
        measure(read.corpus, read.source[0], read.tokenizer, snakemake.output[0], code=snakemake.params.code)
