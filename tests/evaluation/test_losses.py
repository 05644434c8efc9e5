"""Losses of a run's checkpoints: each is that of its weights on its documents, and their sum is bits per byte."""

import numpy as np
import pandas as pd
import pytest

from scripts.evaluation import losses
from scripts.evaluation.bits import bits_per_byte
from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card

TEXTS = ["Ana lives in Cathor.", "", "Grüße aus Aldmoor — 12 €!", "Boris bought 7 apples at the gate. " * 6, "Clara waits."]
ROW = {"name": "heldout", "tasks": {"prose": {"source": "a", "documents": 3}, "books": {"source": "b", "documents": 10}}}


def sources(folder):
    paths = []
    for name, texts in (("a", TEXTS), ("b", [text[::-1] for text in TEXTS[2:]])):
        paths.append(str(folder / f"{name}.parquet"))
        write_documents(paths[-1], [document(text, source=name, index=i) for i, text in enumerate(texts)], row={}, code="")
    return paths


def test_every_checkpoint_has_the_loss_of_its_weights(tmp_path, base, checkpoints):
    paths, out = sources(tmp_path)[::-1], tmp_path / "heldout.parquet"  # books, prose: tasks by name
    losses.measure(base, checkpoints, paths, out, row=ROW, name="run", code="c0de")
    table = pd.read_parquet(out)
    assert list(table) == ["run", "subset", "epoch", "task", "item", "nats", "tokens", "bytes"]
    assert table.groupby("task", observed=True)["item"].nunique().to_dict() == {"prose": 3, "books": 3}
    folders = {(-1, 0): base} | {(s, e): checkpoints / f"subset-{s}/epoch-{e}" for s in (0, 1) for e in (1, 5)}
    assert set(zip(table["subset"], table["epoch"], strict=True)) == set(folders)
    documents = read_documents(paths[0], ["text", "complete"])
    for (subset, epoch), folder in folders.items():
        mine = table[(table["subset"] == subset) & (table["epoch"] == epoch) & (table["task"] == "books")]
        expected = bits_per_byte(folder, documents)
        assert mine["nats"].sum() / np.log(2) / mine["bytes"].sum() == pytest.approx(expected["bits_per_byte"], rel=1e-5)
        assert (mine["tokens"].sum(), mine["bytes"].sum()) == (expected["tokens"], expected["bytes"])
    assert table.groupby(["subset", "epoch"])["nats"].sum().nunique() == 5
    assert read_card(out)["run"] == "run"


def test_documents_are_drawn_by_the_task_and_empty_ones_left_out():
    frame = pd.DataFrame({"text": ["", *"abcdefgh"], "complete": True})
    one, again, other = (losses.chosen(frame, 4, task) for task in ("prose", "prose", "books"))
    assert one.equals(again) and one["item"].is_monotonic_increasing and one["item"].nunique() == 4
    assert one["item"].tolist() != other["item"].tolist() and [*frame["text"][1:]][one["item"][0]] == one["text"][0]
    assert len(losses.chosen(frame, 100, "prose")) == 8


def test_a_source_without_text_is_named(tmp_path, base):
    path = str(tmp_path / "empty.parquet")
    write_documents(path, [document("", source="empty")], row={}, code="")
    row = {"name": "heldout", "tasks": {"prose": {"source": "empty", "documents": 3}}}
    with pytest.raises(ValueError, match="empty.parquet: holds no text.*task prose of suite heldout"):
        losses.measure(base, None, [path], tmp_path / "out.parquet", row=row, name="run", code="c")
