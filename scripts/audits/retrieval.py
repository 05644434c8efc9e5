r"""Which passages of documents answer a benchmark's questions: reads documents, a suite and a retriever's row, makes Parquet.

    python -m scripts.audits.retrieval --row JSON --code HASH --documents X.parquet --suite DIR --out Y.parquet \
        [--embedder DIR --embedder-row JSON] [--reranker DIR --reranker-row JSON]

Documents are cut into passages, each headed by its document's title line, as in EntiGraph's open-book evaluation (arXiv
2409.07431, section 5). A retriever ranks the passages for each question of the suite:

- bm25: by BM25 (Lucene's form), words being those that deduplication counts.
- dense: by the cosine of an embedder, and of the first of those, if the row names a reranker, by its score.
- gold: those of the question's own document, in the order of the text; other: those of the document after it, of which no
  retriever would think. The ceiling and the null of reading.

One line for each question and rank: task, item, rank (from 1), document, book, part (the passage's number in its document),
head, text, score, right (whether the passage is of the question's own book). The card has recall@k, the share of questions
with such a passage among the first k.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from scripts.audits.embedders import Encode, load_encoder
from scripts.lib.books import title_of
from scripts.lib.documents import read_documents
from scripts.lib.files import BrokenArtifact, atomic, read_card, write_card
from scripts.lib.text import words

BREAKS = ("\n\n", "\n", ". ", " ")  # where a text is cut, the first of them that makes it short enough
Rank = Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]  # questions -> passages, best first, and their scores


class Passage(NamedTuple):
    """A part of a document."""

    document: str
    book: object  # what the suite's items call the document
    part: int
    head: str
    text: str

    @property
    def whole(self) -> str:
        """What is searched: the passage under its document's title line."""
        return f"{self.head}\n{self.text}" if self.head else self.text


def cut(text: str, size: int, breaks: Sequence[str] = BREAKS) -> list[str]:
    """A text in pieces of at most ``size`` characters that follow each other without overlap, cut where paragraphs end, else
    lines, sentences, words; a longer word stays whole.

    >>> cut("One two.\\nThree four five. Six.", 16)
    ['One two.', 'Three four five.', 'Six.']
    """
    text = text.strip()
    if len(text) <= size or not breaks:
        return [text] if text else []
    mark, found = breaks[0], []
    kept = mark.rstrip()  # a sentence that ends a piece keeps its full stop
    for part in text.split(mark):
        joined = f"{found[-1]}{mark}{part}" if found else part
        if found and len(joined + kept) <= size:
            found[-1] = joined
        else:
            found.append(part)
    found[:-1] = [part + kept for part in found[:-1]]
    return [piece for part in found for piece in cut(part, size, breaks[1:])]


def passages(documents: pd.DataFrame, size: int) -> list[Passage]:
    """All passages of documents (id, text, meta), in order; a document without ``book`` in its meta goes by its id."""
    found = []
    for name, text, meta in zip(documents["id"], documents["text"], documents["meta"], strict=True):
        head, body = text.strip().split("\n", 1) if title_of(text) and "\n" in text.strip() else ("", text)
        book = json.loads(meta).get("book", name)
        found += [Passage(name, book, part, head, piece) for part, piece in enumerate(cut(body, size))]
    return found


def questions(suite: str | Path, tasks: Sequence[str]) -> pd.DataFrame:
    """task, item, book and question of every item of a suite's folder; what is asked is its ``question``, or its ``query``."""
    lines = []
    for task in tasks:
        with open(Path(suite) / f"{task}.jsonl", encoding="utf-8") as file:
            items = [json.loads(line) for line in file]
        lines += [(task, item["item"], item["book"], item.get("question", item["query"])) for item in items]
    return pd.DataFrame(lines, columns=["task", "item", "book", "question"])


def best(scores: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    """The columns of the ``first`` highest scores of each row, best first, equal ones in their order, and the scores."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :first]
    return order, np.take_along_axis(scores, order, 1)


def bm25(found: Sequence[Passage], first: int, k1: float, b: float) -> Rank:
    """Ranks by BM25 (Robertson and Zaragoza 2009): bm25s, Lucene's idf log(1 + (N - n + 0.5) / (n + 0.5)) and term weight."""
    from bm25s import BM25

    index = BM25(k1=k1, b=b, method="lucene")
    index.index([words(one.whole) for one in found], show_progress=False)

    def rank(asked: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        return best(np.stack([index.get_scores(words(question)) for question in asked]), first)

    return rank


def dense(found: Sequence[Passage], first: int, encode: Encode, instruction: str) -> Rank:
    """Ranks by cosine; ``instruction`` stands before each question, as some embedders want it."""
    vectors = encode([one.whole for one in found])

    def rank(asked: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        return best(encode([instruction + question for question in asked]) @ vectors.T, first)

    return rank


def reranked(rank: Rank, found: Sequence[Passage], score: Callable[[list[tuple[str, str]]], np.ndarray]) -> Rank:
    """Ranks again what another has found, by a score of each pair of question and passage."""

    def again(asked: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        order, _ = rank(asked)
        pairs = [(question, found[i].whole) for question, row in zip(asked, order, strict=True) for i in row]
        places, scores = best(np.asarray(score(pairs), float).reshape(order.shape), order.shape[1])
        return np.take_along_axis(order, places, 1), scores

    return again


def load_reranker(folder: str | Path, row: dict) -> Callable[[list[tuple[str, str]]], np.ndarray]:
    """The score of a sentence-transformers cross-encoder's folder; ``row`` is of the table embedders."""
    import torch
    from sentence_transformers import CrossEncoder

    device = "cuda" if torch.cuda.is_available() else "cpu"
    limits = {"max_length": row["max_tokens"]} if "max_tokens" in row else {}
    model = CrossEncoder(str(folder), device=device, local_files_only=True, trust_remote_code=False, **limits)
    return lambda pairs: model.predict(pairs, batch_size=row.get("batch", 32), show_progress_bar=False)


def given(found: Sequence[Passage], asked: pd.DataFrame, shift: int, keep: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each question the first passages of its own document (``shift`` 0), or of one so many documents further on.

    Raises:
        ValueError: when an item's book is none of the documents.
    """
    places: dict[object, list[int]] = {}
    for i, one in enumerate(found):
        places.setdefault(one.book, []).append(i)
    books = list(places)
    if unknown := sorted(set(asked["book"]) - set(books), key=str):
        raise ValueError(f"book {unknown[0]!r} of an item is none of the {len(books)} documents")
    order = {book: i for i, book in enumerate(books)}
    chosen = [places[books[(order[book] + shift) % len(books)]][:keep] for book in asked["book"]]
    return [(np.array(some), np.zeros(len(some))) for some in chosen]


def table(found: Sequence[Passage], asked: pd.DataFrame, ranked: Sequence[tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """The lines of all questions, from the passages and scores of each, best first."""
    lines = []
    for (task, item, book, _), (order, scores) in zip(asked.itertuples(index=False), ranked, strict=True):
        for rank, (i, score) in enumerate(zip(order, scores, strict=True), 1):
            lines.append((task, item, rank, *found[i], float(score), found[i].book == book))
    return pd.DataFrame(lines, columns=["task", "item", "rank", *Passage._fields, "score", "right"])


def recall(retrieved: pd.DataFrame) -> dict[int, float]:
    """Share of questions with a passage of the right book among the first k, for k = 1, 2, 4, ... as far as there are ranks."""
    firsts = retrieved[retrieved["right"]].groupby(["task", "item"])["rank"].min()
    number = len(retrieved[["task", "item"]].drop_duplicates())
    ks = [1 << n for n in range(int(retrieved["rank"].max()).bit_length())]
    return {k: round(float((firsts <= k).sum() / number), 6) for k in ks}


def retrieve(
    documents: str | Path,
    suite: str | Path,
    out: str | Path,
    *,
    row: dict,
    code: str,
    tasks: Sequence[str],
    encode: Encode | None = None,
    score: Callable[[list[tuple[str, str]]], np.ndarray] | None = None,
) -> None:
    """Rank passages for every question of a suite and write them with their card.

    Args:
        row: of the retriever: kind, characters (of a passage at most), keep (ranks that are written), and where passages are
            searched for ``first`` (how many are found before a reranker), k1 and b of bm25, instruction of dense.
        tasks: of the suite. ``encode`` is of dense, ``score`` the reranker's.

    Raises:
        ValueError: when an item's book is none of the documents, for the kinds that take it as known.
    """
    found = passages(read_documents(documents, ["id", "text", "meta"]), row["characters"])
    asked = questions(suite, tasks)
    if row["kind"] in ("gold", "other"):
        ranked = given(found, asked, int(row["kind"] == "other"), row["keep"])
    else:
        first = min(row["first"], len(found))
        rank = (
            bm25(found, first, row["k1"], row["b"])
            if row["kind"] == "bm25"
            else dense(found, first, encode, row.get("instruction", ""))
        )
        order, scores = (reranked(rank, found, score) if score else rank)(asked["question"].tolist())
        ranked = list(zip(order[:, : row["keep"]], scores[:, : row["keep"]], strict=True))
    retrieved = table(found, asked, ranked)
    with atomic(out) as beside:
        retrieved.to_parquet(beside, index=False, compression="zstd")
    counts = {"questions": len(asked), "passages": len(found), "recall": recall(retrieved)}
    write_card(out, row=row, code=code, counts=counts)
    print(f"{row['name']}: {json.dumps(counts)}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", type=json.loads, required=True, help="the retriever's row as JSON")
    parser.add_argument("--tasks", type=json.loads, required=True, help="the suite's tasks as JSON")
    for name in ("code", "documents", "suite", "out"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("embedder", "reranker"):
        parser.add_argument(f"--{name}", nargs="?", help="its folder")
        parser.add_argument(f"--{name}-row", type=json.loads, default=None)
    a = parser.parse_args(arguments)
    try:
        for folder in filter(None, (a.suite, a.embedder, a.reranker)):
            read_card(folder)
        encode = load_encoder(a.embedder, a.embedder_row) if a.embedder else None
        score = load_reranker(a.reranker, a.reranker_row) if a.reranker else None
        how = {"row": a.row, "code": a.code, "tasks": list(a.tasks), "encode": encode, "score": score}
        retrieve(a.documents, a.suite, a.out, **how)
    except (BrokenArtifact, ValueError) as error:
        sys.exit(f"{a.row['name']}: {error}")


if __name__ == "__main__":
    main()
