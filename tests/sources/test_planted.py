"""Code, parts of a source, and planted passages: what is where, how often, and that a recipe goes through it exactly once."""

import json
from collections import Counter

import pandas as pd
import pytest

from scripts import study
from scripts.lib.documents import document, write_documents
from scripts.lib.text import ngrams, words
from scripts.sources import functions, packages, parts, planted

SOURCE = '''
"""A module."""
import os


@cached
def first(a, b=1):
    """Says what it does."""
    # why
    return a + b


class Thing:
    """A class."""

    def method(self):
        def inside():
            """Kept: it belongs to the method."""
            return 1

        return inside()

    def empty(self):
        """Nothing but this."""

    def short(self): """On the line"""; return 1

if os:
    async def late():
        "One line."
        return 2
'''


def test_functions_without_docstrings():
    found = dict(functions.functions(SOURCE))
    assert list(found) == ["first", "Thing.method", "late"]
    assert found["first"] == "@cached\ndef first(a, b=1):\n    # why\n    return a + b"
    assert found["Thing.method"].startswith("def method(self):\n    def inside():") and "Kept" in found["Thing.method"]
    assert found["late"] == "async def late():\n    return 2"
    assert list(functions.functions("def broken(:\n")) == []


def test_code_of_an_installed_package(tmp_path, root):
    row = {"name": "code", "packages": ["portalocker"]}
    packages.make(root / "envs/laptop.lock", tmp_path / "documents.parquet", functions.extract, "function", row=row, code="c")
    frame = pd.read_parquet(tmp_path / "documents.parquet")
    assert len(frame) > 10 and frame["text"].str.len().between(functions.SHORTEST, functions.LONGEST).all()
    assert frame["text"].str.contains("def ").all() and not frame["text"].duplicated().any()
    meta = json.loads(frame["meta"].iloc[0])
    assert meta["package"] == "portalocker" and meta["licence"] and meta["module"].startswith("portalocker")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """600 texts of distinct words; the last hundred begin as the first hundred do."""
    import random

    rng = random.Random(0)
    syllables = ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu"]

    def text():
        return " ".join("".join(rng.choices(syllables, k=2)) for _ in range(60))

    texts = [text() for _ in range(500)]
    texts += [" ".join(one.split()[:10]) + " " + text() for one in texts[:100]]
    folder = tmp_path_factory.mktemp("sources")
    path = folder / "words/documents.parquet"
    write_documents(
        path, [document(one, source="words", index=i) for i, one in enumerate(texts)], row={"name": "words"}, code="c"
    )
    return folder, texts


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory, source):
    from scripts.models.tokenizer import save_tokenizer, train_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(train_tokenizer(source[1], 400, "<|bos|>", "<|bos|>"), folder, "<|bos|>", "<|bos|>")
    return folder


def test_parts_share_no_document_and_are_all_of_it(source):
    folder, texts = source
    found = {}
    for part in parts.PARTS:
        out = folder / part / "documents.parquet"
        parts.make(folder / "words/documents.parquet", out, row={"name": part, "of": "words", "part": part}, code="c")
        found[part] = pd.read_parquet(out)
    ids = [one for frame in found.values() for one in frame["id"]]
    assert len(ids) == len(set(ids)) == len(texts)
    assert 0.5 < len(found["background"]) / len(texts) < 0.7
    assert json.loads(found["held-out"]["meta"].iloc[0])["part"] == "held-out"
    assert parts.part_of(ids[0]) == "planted"


@pytest.fixture(scope="module")
def made(source, tokenizer):
    folder, _ = source
    out = folder / "planted.parquet"
    row = {"name": "planted", "of": "words", "part": "planted", "tokens": 32, "passages": {"1": 3, "4": 4, "16": 2}}
    planted.make(folder / "words/documents.parquet", tokenizer, out, row=row, code="c")
    return pd.read_parquet(out), folder / "planted.card.json"


def test_each_passage_stands_as_often_as_planned(made, tokenizer):
    from scripts.lib.models import load_tokenizer
    from scripts.lib.tokens import encode

    frame, card = made
    copies = Counter(frame["text"])
    metas = {text: json.loads(meta) for text, meta in zip(frame["text"], frame["meta"], strict=True)}
    assert all(copies[text] == meta["repetition"] for text, meta in metas.items())
    assert Counter(copies.values()) == {1: 3, 4: 4, 16: 2}
    assert not frame["id"].duplicated().any() and frame["complete"].all()
    assert {len(one) for one in encode(load_tokenizer(tokenizer), list(copies))} == {32}
    assert json.loads(card.read_text())["counts"]["tokens"] == 51 * 33


def test_a_passage_stands_nowhere_else(made, source):
    frame, _ = made
    _, texts = source
    for meta, text in zip(frame["meta"], frame["text"], strict=True):
        grams = set(ngrams(words(text), planted.GRAM))
        assert sum(bool(grams & set(ngrams(words(other), planted.GRAM))) for other in texts) == 1, meta
        assert sum(other.startswith(text) for other in texts) == 1
    doubled = {one[:40] for one in texts[:100]}
    assert not any(text[:40] in doubled for text in frame["text"])


def test_too_few_passages_are_named(source, tokenizer, tmp_path):
    row = {"name": "many", "of": "words", "part": "planted", "tokens": 32, "passages": {"1": 5000}}
    with pytest.raises(ValueError, match=r"row many, key passages: \d+ passages qualify, 5000 are asked for"):
        planted.make(source[0] / "words/documents.parquet", tokenizer, tmp_path / "x.parquet", row=row, code="c")


@pytest.mark.parametrize("scale", ["smoke", "laptop"])
def test_recipes_go_through_planted_text_exactly_once(scale):
    tables = study.load()[scale]
    checked = 0
    for row in tables["models"].values():
        for phase in row.get("phases", []):
            for name, share in phase["mix"].items():
                source = tables["sources"].get(name)  # a corpus that a model wrote is none
                if source and source["kind"] == "planted":
                    documents = sum(max(int(r), 1) * n for r, n in source["passages"].items())
                    assert round(share * phase["tokens"]) == documents * (source["tokens"] + 1), (row["name"], name)
                    checked += 1
    assert checked >= 2
