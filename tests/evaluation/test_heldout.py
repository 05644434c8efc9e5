"""Held-out loss: of a model and of checkpoints within its pretraining, against transformers' own loss."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from scripts.evaluation import heldout
from scripts.lib.documents import document, write_documents
from scripts.lib.files import read_card, write_card
from scripts.lib.models import load_tokenizer
from scripts.models.tokenizer import save_tokenizer, train_tokenizer
from scripts.training.architecture import make_model
from scripts.training.output import save_model

ROW = {"name": "Tiny", "architecture": "qwen3", "hidden": 16, "layers": 1, "heads": 2, "feedforward": 24, "block": 32}
TEXTS = ["a b c a b", "c c c", "", "b a " * 30]


@pytest.fixture
def made(tmp_path):
    """A model with two checkpoints of other weights, and four documents, of which one is cut off, one empty and one long."""
    tokens = tmp_path / "tokenizer"
    tokens.mkdir()
    save_tokenizer(train_tokenizer(["a b c"], 258, "<s>", "</s>"), tokens, "<s>", "</s>")
    models = {}
    for seed, name in enumerate(("Tiny", "Tiny.checkpoints/subset-0/epoch-20", "Tiny.checkpoints/subset-0/epoch-60")):
        models[name] = make_model(ROW, 258, 0, 1, seed=seed)
        save_model(models[name], tmp_path / name, tokens)
    write_card(tmp_path / "Tiny", row=ROW, code="c")
    rows = [document(text, source="held-out", index=i, complete=i != 1) for i, text in enumerate(TEXTS)]
    write_documents(tmp_path / "documents.parquet", rows, row={}, code="c")
    return models


def run(tmp_path, *more):
    out = tmp_path / "out.parquet"
    heldout.main(
        ["--row", json.dumps(ROW), "--code", "c", f"--model={tmp_path / 'Tiny'}", f"--out={out}"]
        + [f"--documents={tmp_path / 'documents.parquet'}", *more]
    )
    return pd.read_parquet(out)


@torch.inference_mode()
def test_losses_are_those_of_transformers(made, tmp_path):
    table = run(tmp_path, f"--checkpoints={tmp_path / 'Tiny.checkpoints'}")
    words = load_tokenizer(tmp_path / "Tiny")
    assert table.groupby(["subset", "epoch"]).size().to_dict() == {(-1, 0): 4, (0, 20): 4, (0, 60): 4}
    for epoch, name in ((0, "Tiny"), (20, "Tiny.checkpoints/subset-0/epoch-20"), (60, "Tiny.checkpoints/subset-0/epoch-60")):
        lines = table[table["epoch"] == epoch].reset_index(drop=True)
        for i, text in enumerate(TEXTS[:3]):  # the last is longer than a block and is read in windows
            ids = torch.tensor([[0, *words.encode(text).ids, *([1] if i != 1 else [])]])
            expected = made[name](ids, labels=ids).loss.item() * (ids.shape[1] - 1)
            assert lines["nats"][i] == pytest.approx(expected, rel=1e-4) and lines["tokens"][i] == ids.shape[1] - 1
    first = table[table["epoch"] == 0]
    mean = read_card(tmp_path / "out.parquet")["nats_per_token"]
    assert mean == pytest.approx(np.average(first["nats"] / first["tokens"], weights=first["tokens"]), rel=1e-5)


def test_without_checkpoints_the_model_alone(made, tmp_path):
    table = run(tmp_path)
    assert set(table["epoch"]) == {0} and set(table["run"]) == {"Tiny"} and len(table) == 4


def test_no_documents_are_named(made, tmp_path):
    write_documents(tmp_path / "documents.parquet", [], row={}, code="c")
    with pytest.raises(SystemExit, match="no documents to score"):
        run(tmp_path)
