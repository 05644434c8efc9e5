"""Embeddings as a file: the encoder's own vectors in the order of the documents, piece by piece."""

import json

import numpy as np
import pytest

from scripts.audits import embed, embedders, stream
from scripts.lib.files import read_card
from tests.audits.conftest import TEXTS, corpus

ROW = {"name": "lsa", "kind": "lsa", "fit": ["s"], "documents": 40, "dimensions": 6, "seed": 0}


def test_the_file_holds_what_the_encoder_says(tmp_path, monkeypatch):
    monkeypatch.setattr(stream.pieces, "__defaults__", (7,))  # documents at a time
    path = corpus(tmp_path / "documents.parquet", [*TEXTS, "xq zzv"])
    embedders.make(None, [path], tmp_path / "lsa", row=ROW, code="c")  # no suite: fitted on the source alone
    arguments = {"documents": path, "embedder": tmp_path / "lsa", "out": tmp_path / "e.npy"}
    embed.main(["--row", json.dumps(ROW), "--code", "c", *(f"--{key}={value}" for key, value in arguments.items())])
    found = np.load(tmp_path / "e.npy", mmap_mode="r")
    expected = embedders.load_encoder(tmp_path / "lsa", ROW)([*TEXTS, "xq zzv"])
    assert found.dtype == np.float32 and found.shape == (len(TEXTS) + 1, 6) and np.allclose(found, expected, atol=1e-6)
    card = read_card(tmp_path / "e.npy")
    assert card["counts"] == {"documents": len(TEXTS) + 1, "dimensions": 6, "documents_without_vector": 1}
    assert card["documents"] == read_card(path)["sha256"]


def test_no_documents(tmp_path):
    path = corpus(tmp_path / "documents.parquet", TEXTS)
    embedders.make(None, [path], tmp_path / "lsa", row=ROW, code="c")
    none = corpus(tmp_path / "none.parquet", [])
    with pytest.raises(SystemExit, match="none.parquet: no documents"):
        arguments = {"documents": none, "embedder": tmp_path / "lsa", "out": tmp_path / "e.npy"}
        embed.main(["--row", json.dumps(ROW), "--code", "c", *(f"--{key}={value}" for key, value in arguments.items())])
