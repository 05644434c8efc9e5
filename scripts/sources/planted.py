"""Passages of real text that a recipe repeats a known number of times, so that how often a model has seen each is known.

Reads documents.parquet of a source and the tokenizer of the model that is to memorise; makes documents.parquet in which a
passage stands as often as its repetition says (once, if that is 0: for passages that no model is trained on), with repetition,
passage and the document that it opens in ``meta``. A model that goes through this source exactly once sees each so often.

A passage is the first ``tokens`` tokens of a document, so that all passages are equally long and the tokens of the source
can be counted on paper: documents * (tokens + 1), EOS included. It is a passage only if it re-tokenises to the same tokens,
if none of its word 8-grams stands in another document of the source, and if no other document begins as its first third does.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scripts.lib.documents import document, document_id, read_documents, write_documents
from scripts.lib.models import load_tokenizer
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of
from scripts.lib.text import ngrams, words
from scripts.lib.tokens import encode
from scripts.sources.parts import part_of

GRAM = 8  # words: as in decontamination


def passages(ids: Sequence[str], texts: Sequence[str], tokenizer, tokens: int, part: str) -> Iterator[tuple[str, str]]:
    """Yield (id of the document, passage) of all that qualify in ``part``, in an order drawn from the documents' ids.

    Args:
        ids, texts: of all documents of the source, not of the part alone: a passage must be unlike any of them.
        tokenizer: of the model that is to memorise.
        tokens: of a passage.
        part: planted or held-out.
    """
    grams = Counter(gram for text in texts for gram in set(ngrams(words(text), GRAM)))
    encoded = encode(tokenizer, list(texts))
    third = max(tokens // 3, 1)
    openings = Counter(one[:third].tobytes() for one in encoded)
    where = [i for i in range(len(ids)) if part_of(ids[i]) == part and len(encoded[i]) >= tokens]
    cut = [tokenizer.decode(encoded[i][:tokens].tolist(), skip_special_tokens=False) for i in where]
    again = encode(tokenizer, cut)
    order = sorted(range(len(where)), key=lambda k: (seed_of("planted", ids[where[k]]), ids[where[k]]))
    for k in order:
        first = encoded[where[k]]
        own = set(ngrams(words(cut[k]), GRAM))
        alone = bool(own) and all(grams[gram] <= 1 for gram in own) and openings[first[:third].tobytes()] == 1
        if alone and np.array_equal(again[k], first[:tokens]):
            yield ids[where[k]], cut[k]


def plant(found: Iterator[tuple[str, str]], plan: dict[int, int], name: str) -> list[dict]:
    """The documents of a planted source: ``plan`` maps a repetition to how many passages have it.

    Passages get their repetition in turn, so that no level has what an order might favour.

    Raises:
        ValueError: naming the row, how many passages qualify and how many are asked for.
    """
    left, levels = dict(plan), []
    while any(left.values()):
        for repetition in sorted(left):
            if left[repetition]:
                left[repetition] -= 1
                levels.append(repetition)
    rows = []
    for repetition, (parent, text) in zip(levels, found, strict=False):
        passage = document_id(text, name)
        meta = {"repetition": repetition, "passage": passage, "document": parent}
        rows.append([document(text, source=name, index=i, meta=meta, parent_ids=[parent]) for i in range(max(repetition, 1))])
    if len(rows) < len(levels):
        raise ValueError(f"source row {name}, key passages: {len(rows)} passages qualify, {len(levels)} are asked for")
    return [copy for copies in rows for copy in copies]


def make(documents: str, tokenizer: str | Path, out: str, *, row: dict, code: str) -> None:
    """Write the documents of a planted row: ``of``, ``part``, ``tokens`` of a passage, ``passages`` (repetition -> number)."""
    frame = read_documents(documents, columns=["id", "text"])
    words_ = load_tokenizer(tokenizer)
    plan = {int(repetition): count for repetition, count in row["passages"].items()}
    found = passages(frame["id"].tolist(), frame["text"].tolist(), words_, row["tokens"], row["part"])
    rows = plant(found, plan, row["name"])
    counts = {"passages": sum(plan.values()), "tokens": len(rows) * (row["tokens"] + 1)}
    write_documents(out, rows, row=row, code=code, counts=counts)
    print(f"{row['name']}: {json.dumps(counts)}, {len(rows)} documents")


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        paths = (snakemake.input.documents, snakemake.input.tokenizer, snakemake.output.documents)
        make(*map(str, paths), row=snakemake.params.row, code=snakemake.params.code)
