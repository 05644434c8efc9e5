"""Shards put together: what the card of the whole says, and what there is to read."""

import json
import subprocess
import sys

import numpy as np
import pytest

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import BrokenArtifact, read_card
from scripts.synthesis.gather import gather, rates

ROW = {"name": "bos-Tiny-t1.0", "method": "bos", "source_model": "Tiny", "temperature": 1.0, "samples": 30, "shards": 3}


def samples(*indices: int) -> list[dict]:
    """Sample i has i % 7 tokens (0, 7, .. are empty), every third was cut."""
    return [
        document(
            f"text {i}",
            source=ROW["name"],
            method="bos",
            index=i,
            source_model="Tiny",
            seed=2**62 + i,
            complete=i % 3 > 0,
            ids=np.arange(i % 7, dtype=np.int32) + 100,
        )
        for i in indices
    ]


@pytest.fixture
def shards(tmp_path):
    """Thirty samples in three shards."""
    paths = [str(tmp_path / f"{k}-of-3.parquet") for k in (1, 2, 3)]
    card = {"seeds": "seed_of(corpus, index)", "bos": 0, "eos": [0], "model": "m"}
    for k, path in enumerate(paths):
        rows = samples(*range(10 * k, 10 * k + 10))
        write_documents(path, rows, row=ROW, code=f"code {k}", measured={"seconds": 1.5 + k}, **card)
    return paths


def join(paths, folder, **changes):
    gather(paths, folder / "synthesized.parquet", folder / "samples.txt", row={**ROW, **changes}, code="c0de")
    return folder / "synthesized.parquet"


def test_the_whole_is_the_shards_in_order(shards, tmp_path):
    whole = read_documents(join(shards, tmp_path))
    assert whole.text.tolist() == [f"text {i}" for i in range(30)]
    assert [len(ids) for ids in whole.ids] == [i % 7 for i in range(30)] and whole.id.is_unique


def test_it_is_written_as_if_it_had_never_been_in_shards(shards, tmp_path):
    write_documents(tmp_path / "at-once.parquet", samples(*range(30)), row=ROW, code="c")
    assert join(shards, tmp_path).read_bytes() == (tmp_path / "at-once.parquet").read_bytes()


def test_the_card_counts_the_whole(shards, tmp_path):
    card = read_card(join(shards, tmp_path))
    counts = card["counts"]
    tokens = sum(i % 7 for i in range(30))
    assert (counts["samples"], counts["documents"], counts["tokens"]) == (30, 30, tokens)
    assert counts["mean_length"] == tokens / 30 and counts["eos_rate"] == 20 / 30
    assert counts["empty_rate"] == pytest.approx(5 / 30)
    assert counts["unique_rate"] == 6 / 25 and counts["most_copies"] == 5, "copies in other shards are copies"
    assert (card["row"], card["code"], card["bos"], card["eos"], card["model"]) == (ROW, "c0de", 0, [0], "m")
    assert card["measured"] == {"seconds": 7.5} and [shard["code"] for shard in card["shards"]] == [
        "code 0",
        "code 1",
        "code 2",
    ]
    assert all(shard["versions"]["numpy"] for shard in card["shards"])


def test_rates_of_empty_samples_and_copies():
    drawn = [([], True), ([3, 4], False), ([3, 4], True), ([], True), ([5], True)]
    found = rates([np.array(ids, np.int32) for ids, _ in drawn], [complete for _, complete in drawn])
    assert (found["empty_rate"], found["eos_rate"], found["mean_length"]) == (0.4, 0.8, 1.0)
    assert found["unique_rate"] == 2 / 3 and found["most_copies"] == 2


def test_twenty_samples_to_read(shards, tmp_path):
    join(shards, tmp_path)
    text = (tmp_path / "samples.txt").read_text()
    head = text.split("\n\n")[0]
    assert "bos-Tiny-t1.0" in head and "from BOS alone at temperature 1.0" in head and "ended by EOS 66.7%" in head
    assert text.count("\n--- ") == 20 and "--- 3: 3 tokens, cut\ntext 3\n" in text and "--- 7: 0 tokens, EOS\n" in text


@pytest.mark.parametrize(("key", "value"), [("model", "other weights"), ("row", {**ROW, "temperature": 0.75})])
def test_a_shard_of_another_model_or_row_is_named(shards, tmp_path, key, value):
    path = tmp_path / "2-of-3.card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(BrokenArtifact, match="2-of-3.parquet: another row or other weights"):
        join(shards, tmp_path)
    assert not (tmp_path / "synthesized.parquet").exists()


def test_joining_imports_no_model():
    code = "import sys, scripts.synthesis.gather; print({'torch', 'transformers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
