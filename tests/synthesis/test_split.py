"""Split: halves of a corpus by its similarity audit."""

import numpy as np
import pandas as pd
import pytest

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card, write_card
from scripts.synthesis.split import half, split

ROW = {"name": "below-parent", "method": "split", "corpus": "parent", "benchmark": "gsm8k", "threshold": "median"}


@pytest.fixture
def folder(tmp_path):
    rows = [document(f"text {i}", source="parent", method="bos", index=i, ids=[i, i + 1]) for i in range(41)]
    write_documents(tmp_path / "curated.parquet", rows, row={"name": "parent"}, code="c")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": [r["id"] for r in rows], "max_sums": rng.random(41), "max_ends": rng.random(41)})
    table.to_parquet(tmp_path / "audit.parquet", index=False)
    write_card(tmp_path / "audit.parquet", row={}, code="c", benchmarks={"sums": "gsm8k", "ends": "hellaswag"})
    return tmp_path


def halves(folder, **row):
    for side in ("below", "above"):
        paths = (folder / "curated.parquet", folder / "audit.parquet", folder / f"{side}.parquet", folder / f"{side}.txt")
        split(*paths, row={**ROW, "side": side, **row}, code="c")
    return [read_documents(folder / f"{side}.parquet") for side in ("below", "above")]


@pytest.mark.parametrize("threshold", ["median", 0.35])
def test_halves_are_disjoint_whole_and_on_their_side(folder, threshold):
    below, above = halves(folder, threshold=threshold)
    parent, scores = read_documents(folder / "curated.parquet"), pd.read_parquet(folder / "audit.parquet").set_index("id")
    assert sorted([*below["id"], *above["id"]]) == sorted(parent["id"])
    value = read_card(folder / "below.parquet")["threshold"]
    assert value == read_card(folder / "above.parquet")["threshold"]
    assert value == (pytest.approx(scores["max_sums"].median()) if threshold == "median" else 0.35)
    assert (scores.loc[below["id"], "max_sums"] < value).all() and (scores.loc[above["id"], "max_sums"] >= value).all()
    first = below.iloc[0]
    assert first["ids"].tolist() == parent.set_index("id").loc[first["id"], "ids"].tolist()


def test_half_by_hand():
    assert half(np.array([0.1, 0.35, 0.5]), 0.35, "above")[0].tolist() == [False, True, True]
    assert half(np.array([0.1, 0.35, 0.5]), 0.35, "below")[0].tolist() == [True, False, False]


def test_what_cannot_be_split_is_named(folder):
    with pytest.raises(ValueError, match="below-parent, key benchmark: .* has gsm8k, hellaswag, not math once"):
        halves(folder, benchmark="math")
    with pytest.raises(ValueError, match="key threshold: no document is below -0.500; the scores reach from 0.0"):
        halves(folder, threshold=-0.5)
    table = pd.read_parquet(folder / "audit.parquet").iloc[::-1]
    table.to_parquet(folder / "audit.parquet", index=False)
    write_card(folder / "audit.parquet", row={}, code="c", benchmarks={"sums": "gsm8k"})
    with pytest.raises(ValueError, match="is not of the documents"):
        halves(folder)
