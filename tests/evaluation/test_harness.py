"""A run's evaluation end to end: shape, the base as epoch 0, resuming, damaged checkpoints, and what it leaves elsewhere."""

import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from scripts.evaluation import harness
from scripts.lib.files import BrokenArtifact, read_card, write_card

LINES = (12 + 12 + 8) * 2 + 12 * 2  # items times metrics, items times filters


def run(folder, base, checkpoints, suite, row, name="student-on-corpus"):
    work = folder / "work"
    work.mkdir(exist_ok=True)
    harness.evaluate(base, checkpoints, suite, folder / "small.parquet", work, row=row, name=name, code="c0de")
    return pd.read_parquet(folder / "small.parquet")


@pytest.fixture(scope="module")
def table(tmp_path_factory, base, checkpoints, suite, row):
    return run(tmp_path_factory.mktemp("evaluation"), base, checkpoints, suite, row)


def test_one_line_per_checkpoint_task_metric_and_item(table, tmp_path, base, checkpoints, suite, row):
    assert list(table) == ["run", "subset", "epoch", "task", "filter", "metric", "item", "score"]
    assert len(table) == 5 * LINES
    assert not table.duplicated(["subset", "epoch", "task", "filter", "metric", "item"]).any()
    order = table[["subset", "epoch"]].drop_duplicates().to_numpy().tolist()
    assert order == [[-1, 0], [0, 1], [0, 5], [1, 1], [1, 5]]
    assert set(table["score"]) <= {0.0, 1.0}
    assert table.groupby(["subset", "epoch"], observed=True)["score"].sum().nunique() > 1, "checkpoints differ"


def test_epoch_0_is_the_base_exactly(table, tmp_path, base, suite, row):
    alone = run(tmp_path, base, None, suite, row, name="student")
    epoch_0 = table[table["epoch"] == 0].reset_index(drop=True)
    assert (alone["run"] == "student").all() and len(alone) == LINES
    pd.testing.assert_frame_equal(epoch_0.drop(columns="run"), alone.drop(columns="run"))
    card = read_card(tmp_path / "small.parquet")
    assert card["run"] == "student" and card["code"] == "c0de" and card["counts"] == {"checkpoints": 1, "lines": LINES}
    assert card["tasks"]["choice"] == {"items": 12, "output": "multiple_choice", "chance": 0.25}


def test_each_checkpoint_is_scored_with_its_own_weights(table, tmp_path, checkpoints, suite, row):
    alone = run(tmp_path, checkpoints / "subset-1/epoch-5", None, suite, row)
    inside = table[(table["subset"] == 1) & (table["epoch"] == 5)].reset_index(drop=True)
    pd.testing.assert_series_equal(inside["score"], alone["score"])


def test_a_killed_job_goes_on_where_it_was(table, tmp_path, base, checkpoints, suite, row, monkeypatch):
    original, calls = harness.answer, []

    def dies_at_the_third(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(harness, "answer", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, base, checkpoints, suite, row)
    assert not (tmp_path / "small.parquet").exists()
    again = run(tmp_path, base, checkpoints, suite, row)
    assert len(calls) == 3 + 3, "two of five checkpoints were not scored again"
    pd.testing.assert_frame_equal(again, table)


def flip(file, at):
    data = bytearray(file.read_bytes())
    data[at] ^= 0x41
    file.write_bytes(data)


def test_a_flipped_byte_is_found_by_the_card(tmp_path, base, checkpoints, suite, row):
    copy = shutil.copytree(checkpoints, tmp_path / "checkpoints")
    write_card(copy, row={}, code="")
    flip(copy / "subset-1/epoch-1/model.safetensors", -100)
    with pytest.raises(BrokenArtifact, match=r"subset-1/epoch-1/model\.safetensors: its sha256"):
        run(tmp_path, base, copy, suite, row)


def test_damage_without_a_card_names_the_file(tmp_path, base, checkpoints):
    import torch
    from safetensors.torch import load_file, save_file

    model = harness.load_model(base)
    folder = shutil.copytree(checkpoints / "subset-0/epoch-1", tmp_path / "epoch-1")
    file = folder / "model.safetensors"
    good = load_file(file)
    flip(file, 3)
    with pytest.raises(BrokenArtifact, match=r"epoch-1/model\.safetensors: cannot be read"):
        harness.load_weights(model, folder)
    save_file({**good, "model.norm.weight": torch.full((32,), torch.nan)}, file)
    with pytest.raises(BrokenArtifact, match=r"model\.safetensors: model\.norm\.weight holds values that are not finite"):
        harness.load_weights(model, folder)
    save_file({**good, "model.norm.weight": torch.ones(16)}, file)
    with pytest.raises(BrokenArtifact, match=r"model\.norm\.weight is of shape \(16,\), expected \(32,\)"):
        harness.load_weights(model, folder)
    save_file({name: tensor for name, tensor in good.items() if name != "model.norm.weight"}, file)
    with pytest.raises(BrokenArtifact, match=r"epoch-1: its safetensors lack model\.norm\.weight"):
        harness.load_weights(model, folder)
    file.unlink()
    with pytest.raises(BrokenArtifact, match="no \\*\\.safetensors"):
        harness.load_weights(model, folder)


def test_a_folder_without_checkpoints_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected the checkpoints of a run"):
        harness.checkpoints_of(tmp_path)
    (tmp_path / "subset-0/epoch-0").mkdir(parents=True)
    (tmp_path / "subset-0/epoch-10").mkdir()
    assert [found[:2] for found in harness.checkpoints_of(tmp_path)] == [(0, 10)]


def test_command_line_is_quiet_and_stays_out_of_the_home(table, tmp_path, root, base, suite, row):
    home = tmp_path / "home"
    home.mkdir()
    unset = {"HF_HOME", "HF_DATASETS_CACHE", "XDG_CACHE_HOME", "TQDM_DISABLE"}
    environment = {k: v for k, v in os.environ.items() if k not in unset} | {"HOME": str(home), "PYTHONPATH": str(root)}
    options = {
        "row": json.dumps(row),
        "code": "c0de",
        "base": base,
        "suite": suite,
        "name": "student",
        "out": tmp_path / "s.parquet",
    }
    command = [sys.executable, "-m", "scripts.evaluation.harness", *(str(p) for k, v in options.items() for p in (f"--{k}", v))]
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["evaluating student on small"] * len(
        done.stdout.splitlines()
    )
    assert not list(home.rglob("*")), "nothing may be written to the home"
    epoch_0 = table[table["epoch"] == 0]["score"].reset_index(drop=True)
    pd.testing.assert_series_equal(pd.read_parquet(tmp_path / "s.parquet")["score"], epoch_0)
