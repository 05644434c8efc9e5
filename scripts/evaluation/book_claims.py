"""What a model says of a book when it is given its title alone: claims that are true, false, and salient.

Reads texts that a model wrote from titles, and the books; makes their scores in the form of every evaluation, one line a book,
metric and length. The exact counterpart of the judged summaries of EntiGraph (arXiv 2409.07431, section 4.3): a reader finds
the claims, the book decides.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from scripts.lib.books import known, one_side, parse, statements
from scripts.lib.documents import read_documents
from scripts.lib.files import atomic, read_card, write_card

_END = re.compile(r"(?<=[.?!])\s+")
TASK = "claims"


class Claims(NamedTuple):
    """Counts of different claims in a text; salient ones are among the true."""

    true: int
    false: int
    salient: int


def claims_of(document: str, text: str) -> Claims:
    """Count what a text claims, against the book that it should be about.

    A claim is a sentence in a wording of scripts/lib/books.yaml; what is worded otherwise is not seen. It is true if the book
    states it or it follows from what the book states, and salient if it is a fact of the book's first paragraph, which is
    about the main characters, told from either side. Said twice, or from both sides, a fact is one claim.
    """
    book = parse(document)
    true = known(book)
    said = {one_side(fact) for fact in statements(text)}
    salient = {one_side(fact) for fact in book.paragraphs[0]}
    return Claims(
        true=sum(fact in true for fact in said), false=sum(fact not in true for fact in said), salient=len(said & salient)
    )


def first(text: str, sentences: int) -> str:
    """The first sentences of a text: ``first("A b. C d. E", 2)`` is ``"A b. C d."``."""
    return " ".join(_END.split(text.strip())[:sentences])


def scores(books: dict[str, str], parents: Sequence[str], texts: Sequence[str], lengths: Sequence[int]) -> pd.DataFrame:
    """Claims of the first n sentences of texts, means over the texts of a book: item, filter, metric, score.

    Args:
        books: id -> text; an item is a book's place among them.
        parents: of each text the id of its book.
        lengths: numbers of sentences; the filter is ``first-8``. A text that ends before is judged as it is.

    Metrics are the counts of ``Claims``, and salient_facts: how many there are to tell.
    """
    lines, places = [], {name: i for i, name in enumerate(books)}
    facts = {name: len({one_side(fact) for fact in parse(text).paragraphs[0]}) for name, text in books.items()}
    for name, text in zip(parents, texts, strict=True):
        for length in lengths:
            counted = {**claims_of(books[name], first(text, length))._asdict(), "salient_facts": facts[name]}
            lines += [(places[name], f"first-{length}", metric, float(count)) for metric, count in counted.items()]
    table = pd.DataFrame(lines, columns=["item", "filter", "metric", "score"])
    return table.groupby(["item", "filter", "metric"], as_index=False, sort=False)["score"].mean()


def judge(books: str, prompts: str, written: dict[int, str], out: str, *, row: dict, name: str, code: str) -> None:
    """Judge what a run's base and its last checkpoint wrote, and write the scores with their card.

    Args:
        books: documents.parquet of made books. ``prompts``: of the titles, whose parents the books are.
        written: epoch (0 is the base) -> the texts, whose parents the prompts are.
        row: of the suite: name, sentences (the lengths). ``name`` is the run's.
    """
    of, documents = read_documents(prompts, ["id", "parent_ids"]), read_documents(books, ["id", "text"])
    book_of = {prompt: parents[0] for prompt, parents in zip(of["id"], of["parent_ids"], strict=True)}
    told, parts, counts = dict(zip(documents["id"], documents["text"], strict=True)), [], {"books": len(documents)}
    for epoch, path in written.items():
        texts = read_documents(path, ["text", "parent_ids"])
        parents = [book_of[one[0]] for one in texts["parent_ids"]]
        table = scores(told, parents, texts["text"].tolist(), row["sentences"])
        parts.append(table.assign(run=name, subset=0 if epoch else -1, epoch=epoch, task=TASK))
        counts[f"texts of epoch {epoch}"] = len(texts)
    table = pd.concat(parts, ignore_index=True)
    with atomic(out) as beside:
        columns = ["run", "subset", "epoch", "task", "filter", "metric", "item", "score"]
        kinds = {"subset": "int16", "epoch": "int16", "item": "int32", "score": "float32"}
        kinds |= dict.fromkeys(("run", "task", "filter", "metric"), "category")
        table[columns].astype(kinds).to_parquet(beside, index=False, compression="zstd")
    write_card(out, row=row, code=code, counts=counts, run=name, written=[read_card(path)["code"] for path in written.values()])


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        read, params = snakemake.input, snakemake.params
        how = {"row": params.row, "name": snakemake.wildcards.run, "code": params.code}
        judge(read.books[0], read.prompts[0], {0: read.base, params.epoch: read.run}, snakemake.output[0], **how)
