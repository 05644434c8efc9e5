"""Retrieval: passages that are the text, BM25 against its formula, planted answers found, nulls that find nothing."""

import json
import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from scripts.audits import retrieval
from scripts.audits.retrieval import Passage, best, cut, passages, recall, reranked, retrieve
from scripts.lib.documents import write_documents
from scripts.lib.files import read_card
from scripts.lib.text import words
from scripts.sources.book_probes import make_items, write_suite
from scripts.sources.books import make_books

ROW = {"name": "books", "world": 1, "first": 0, "books": 12, "seed": 1, "sets": 1, "tasks": {"books_direct": {}}}
SEARCHED = {"name": "r", "characters": 400, "first": 16, "keep": 8, "k1": 1.5, "b": 0.75}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Twelve books and a question of each relation of theirs."""
    folder = tmp_path_factory.mktemp("books")
    write_documents(folder / "documents.parquet", make_books(ROW), row=ROW, code="c")
    write_suite(str(folder / "suite"), row=ROW, code="c")
    return folder


def found_by(made, kind, **more):
    how = {"code": "c", "tasks": ROW["tasks"]} | {key: more.pop(key) for key in ("encode", "score") if key in more}
    out = made / f"{kind}{len(more)}.parquet"
    retrieve(made / "documents.parquet", made / "suite", out, row={**SEARCHED, "kind": kind, **more}, **how)
    return pd.read_parquet(out), read_card(out)["counts"]


def test_pieces_are_the_text_and_short_enough():
    text = "One two.\nThree four five. Six seven eight nine. Ten.\n\nEleven " + "x" * 30
    for size in (8, 16, 20, 40, 1000):
        pieces = cut(text, size)
        assert "".join("".join(pieces).split()) == "".join(text.split())
        assert all(len(piece) <= size or " " not in piece for piece in pieces)
    assert cut(text, 20)[:2] == ["One two.", "Three four five."]
    assert cut("  ", 5) == []


def test_passages_stand_under_their_title_and_number_on():
    documents = pd.DataFrame(make_books(ROW))
    found = passages(documents, 400)
    for number, text in enumerate(documents["text"]):
        mine = [one for one in found if one.book == number]
        head, body = text.split("\n", 1)
        assert {one.head for one in mine} == {head} and [one.part for one in mine] == list(range(len(mine)))
        assert "".join("".join(one.text for one in mine).split()) == "".join(body.split())
        assert all(one.whole == f"{head}\n{one.text}" for one in mine)
    (plain,) = passages(pd.DataFrame([{"id": "a", "text": "It rains. It pours.", "meta": "{}"}]), 400)
    assert plain == Passage("a", "a", 0, "", "It rains. It pours.")


def test_bm25_is_its_formula():
    """An independent sum over terms, on made-up passages with repeated and missing words."""
    pytest.importorskip("bm25s")
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcdefgh"), rng.integers(3, 12))) for _ in range(20)]
    k1, b, lengths = 1.2, 0.6, [len(text.split()) for text in texts]

    def score(question, i):
        total, counts = 0.0, Counter(texts[i].split())
        for word in question.split():
            n = sum(word in text.split() for text in texts)
            idf = math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) if n else 0
            total += idf * counts[word] / (counts[word] + k1 * (1 - b + b * lengths[i] / np.mean(lengths)))
        return total

    asked = ["a b", "c c h", "a zebra", "zebra"]
    order, scores = retrieval.bm25([Passage("", "", 0, "", text) for text in texts], 20, k1, b)(asked)
    for question, row, values in zip(asked, order, scores, strict=True):
        assert values == pytest.approx([score(question, i) for i in row], abs=1e-5)
        assert values == pytest.approx(sorted(values, reverse=True))
    assert order[-1].tolist() == list(range(20))  # nothing known of it: the order of the passages


def test_a_named_book_is_found_and_an_unnamed_one_is_not(made):
    pytest.importorskip("bm25s")
    _, counts = found_by(made, "bm25")
    assert counts["recall"]["8"] == 1 and list(counts["recall"]) == ["1", "2", "4", "8"]
    assert counts["questions"] == 12 * 4
    nameless, row = made / "nameless", {**SEARCHED, "kind": "bm25"}
    nameless.mkdir()
    items = [{**one, "query": "who keeps it?"} for one in make_items(ROW)["books_direct"]]
    (nameless / "books_direct.jsonl").write_text("".join(json.dumps(one) + "\n" for one in items), encoding="utf-8")
    retrieve(made / "documents.parquet", nameless, made / "n.parquet", row=row, code="c", tasks=ROW["tasks"])
    assert read_card(made / "n.parquet")["counts"]["recall"]["1"] < 0.3


def test_gold_is_the_book_and_other_another(made):
    gold, counts = found_by(made, "gold")
    assert gold["right"].all() and set(counts["recall"].values()) == {1.0}
    texts = dict(enumerate(text_of_book(made)))
    for (_, item), some in gold.groupby(["task", "item"]):
        assert texts[some["book"].iloc[0]].endswith(some.sort_values("rank")["text"].iloc[-1]), item
    other, counts = found_by(made, "other")
    assert not other["right"].any() and set(counts["recall"].values()) == {0.0}


def text_of_book(made):
    return pd.read_parquet(made / "documents.parquet")["text"].tolist()


def test_dense_and_a_reranker_put_planted_passages_first(made):
    """An embedder of bags of words; a reranker that wants the last word of the question in the passage."""
    known = sorted({word for text in text_of_book(made) for word in words(text)})

    def encode(texts):
        counts = np.array([[words(text).count(word) for word in known] for text in texts], np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-6)

    found, counts = found_by(made, "dense", encode=encode, instruction="find: ")
    assert counts["recall"]["1"] > 0.9
    asked = [json.loads(line)["query"] for line in open(made / "suite/books_direct.jsonl", encoding="utf-8")]
    one = Passage("a", 0, 0, "", "nothing")
    some = [one, one._replace(text="the answer"), one]
    again = reranked(lambda q: (np.tile([2, 0, 1], (len(q), 1)), None), some, lambda pairs: ["answer" in b for _, b in pairs])
    order, _ = again(asked[:2])
    assert order.tolist() == [[1, 2, 0]] * 2  # equal ones keep their order
    _, counts = found_by(made, "dense", encode=encode, score=lambda pairs: np.zeros(len(pairs)), first=2)
    assert list(counts["recall"]) == ["1", "2"]


def test_recall_counts_questions():
    found = pd.DataFrame([("t", 0), ("t", 0), ("t", 1), ("t", 1), ("u", 0), ("u", 0)], columns=["task", "item"])
    found = found.assign(rank=[1, 2] * 3, right=[False, True, False, False, True, True])
    assert recall(found) == {1: 0.333333, 2: 0.666667}


def test_a_book_that_is_no_document_is_said(made):
    with pytest.raises(ValueError, match="book 99 of an item is none of the 12 documents"):
        found = passages(pd.read_parquet(made / "documents.parquet"), 400)
        retrieval.given(found, pd.DataFrame({"book": [99]}), 0, 4)


def test_best_is_stable():
    order, scores = best(np.array([[0.0, 2.0, 2.0, 1.0]]), 3)
    assert order.tolist() == [[1, 2, 3]] and scores.tolist() == [[2.0, 2.0, 1.0]]


def test_a_cross_encoder_is_loaded_and_scores(tmp_path):
    """A random BERT of two layers in a folder: scores in the order of the pairs, the same each time."""
    transformers = pytest.importorskip("transformers")
    from sentence_transformers import CrossEncoder

    words_ = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
    (tmp_path / "vocab.txt").write_text("\n".join(words_))
    transformers.BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=len(words_), **sizes, num_labels=1, initializer_range=1.0)
    transformers.set_seed(0)
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    assert CrossEncoder(str(tmp_path)).num_labels == 1
    score = retrieval.load_reranker(tmp_path, {"max_tokens": 32, "batch": 2})
    pairs = [("a b", "c d"), ("a b", "e f g h"), ("h", "a")]
    assert score(pairs) == pytest.approx([float(score([pair])[0]) for pair in pairs], abs=1e-5)
    assert len(set(np.round(score(pairs), 6))) == 3
