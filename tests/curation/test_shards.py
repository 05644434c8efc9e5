"""Shards: together they are the corpus in order of id, however many there are."""

import numpy as np
import pyarrow as pa
import pytest

from scripts.curation import shards
from scripts.lib.documents import SCHEMA, document, write_documents


def corpus(tmp_path, ids):
    """A file of documents with these ids, and its lines in order of id."""
    rows = [document(f"text {i}", source="s", method="bos", ids=[i], seed=i) | {"id": one} for i, one in enumerate(ids)]
    write_documents(tmp_path / "synthesized.parquet", rows, row={}, code="c")
    order = sorted(range(len(ids)), key=lambda i: ids[i])
    return tmp_path / "synthesized.parquet", [rows[i]["text"] for i in order]


@pytest.mark.parametrize("number", [1, 3, 16, 60])
def test_shards_are_the_corpus_in_order_of_id(tmp_path, monkeypatch, number):
    monkeypatch.setattr(shards, "_READ", 37)
    rng = np.random.default_rng(number)
    ids = [f"{n:06x}" for n in rng.permutation(1000)] + ["é", "z", "ｚ", "𝔞"]  # code points, not UTF-16 units, give the order
    file, expected = corpus(tmp_path, [ids[i] for i in rng.permutation(len(ids))])
    folders = shards.split(file, tmp_path / "shards", number)
    assert len(folders) == number
    tables = [shards.load(folder) for folder in folders]
    assert all(table.schema == SCHEMA for table in tables)
    assert pa.concat_tables(tables)["text"].to_pylist() == expected
    assert max(map(len, tables)) < 1.3 * len(ids) / number + 5
    parts = [shards.load(folder, ("id", "text")) for folder in folders]
    assert [text for part in parts for text in shards.texts_of(part)] == expected


def test_a_large_corpus_has_more_shards_than_asked_for(tmp_path, monkeypatch):
    file, expected = corpus(tmp_path, [f"{n:04d}" for n in range(1000)])
    monkeypatch.setattr(shards, "SIZE", 4096)
    folders = shards.split(file, tmp_path / "shards")
    assert 5 < len(folders) < 20
    monkeypatch.setattr(shards, "MOST", 4)
    folders = shards.split(file, tmp_path / "fewer")
    assert len(folders) == 4
    assert [text for folder in folders for text in shards.texts_of(shards.load(folder))] == expected


@pytest.mark.parametrize("ids", [[], ["b"], ["b", "a", "b"]])
def test_more_shards_than_documents(tmp_path, ids):
    file, expected = corpus(tmp_path, ids)
    folders = shards.split(file, tmp_path / "shards", 5)
    assert [text for folder in folders for text in shards.texts_of(shards.load(folder))] == expected
