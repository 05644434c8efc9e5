"""Suites as lm-eval's tasks: scores against lm-eval's own evaluator, and errors that name what is wrong."""

import shutil
from pathlib import Path

import pytest

from scripts.evaluation import harness, suites
from scripts.evaluation.sandbox import Unsafe
from scripts.evaluation.suites import NoTasks, answer, describe, items_of, load_tasks


def test_scores_are_those_of_lm_evals_own_evaluator(row, suite, base):
    import lm_eval

    lm = harness.make_lm(row, base)[0]
    tasks = load_tasks(row, suite)
    ours = sorted(answer(lm, tasks))
    assert ours == sorted(answer(lm, tasks)), "a second round starts from clean requests"
    flat = {name: task for name, (task,) in load_tasks(row, suite).items()}
    samples = lm_eval.evaluate(lm, {"tasks": flat}, bootstrap_iters=0, log_samples=True)["samples"]
    theirs = [
        (task, sample["filter"], metric, sample["doc_id"], float(sample[metric]))
        for task, found in samples.items()
        for sample in found
        for metric in sample["metrics"]
    ]
    assert ours == sorted(theirs)
    assert {line[:3] for line in ours} == {
        *((t, "none", m) for t in ("choice", "ending", "blank") for m in ("acc", "acc_norm")),
        *(("sum", f, "exact_match") for f in ("strict-match", "flexible-extract")),
    }


def test_chance_counts_choices(row, suite):
    found = describe(load_tasks(row, suite))
    assert {name: v["chance"] for name, v in found.items()} == {"choice": 0.25, "ending": 0.333333, "blank": 0.5, "sum": 0.0}
    assert found["blank"]["items"] == 8 and found["sum"]["output"] == "generate_until"


def test_a_group_numbers_its_items_through(row, suite):
    parts = [load_tasks(row, suite)[name][0] for name in ("choice", "blank")]
    numbers = [item for item, _, _ in items_of(parts)]
    assert numbers == list(range(20))


def test_only_the_rows_tasks_are_loaded_and_unknown_ones_are_named(row, suite):
    assert list(load_tasks({**row, "tasks": {"sum": {}}}, suite)) == ["sum"]
    with pytest.raises(NoTasks, match="suite small, key tasks: .* has no task product"):
        load_tasks({**row, "tasks": {"product": {}}}, suite)


def test_missing_files_are_named(row, suite, tmp_path):
    with pytest.raises(NoTasks, match="no {task}.yaml"):
        load_tasks(row, tmp_path)
    folder = shutil.copytree(suite, tmp_path / "suite")
    (folder / "blank.jsonl").unlink()
    with pytest.raises(NoTasks, match=r"blank\.yaml, key dataset_kwargs\.data_files\.test: .*blank\.jsonl is missing"):
        load_tasks(row, folder)
    (folder / "blank.yaml").write_text("output_type: multiple_choice\n")
    with pytest.raises(NoTasks, match=r"blank\.yaml: no task configuration"):
        load_tasks(row, folder)


@pytest.fixture
def shipped(monkeypatch):
    """Only two folders of lm-eval's tasks are searched, which takes a moment instead of seconds."""
    import lm_eval.tasks

    folder = Path(lm_eval.tasks.__file__).parent
    original = lm_eval.tasks.TaskManager
    paths = [str(folder / "arc"), str(folder / "humaneval")]
    monkeypatch.setattr(lm_eval.tasks, "TaskManager", lambda **_: original(include_defaults=False, include_path=paths))
    return {"name": "published", "kind": "harness", "tasks": {"arc_challenge": {}}}


def test_without_network_one_line_names_the_row(shipped, offline):
    with pytest.raises(NoTasks) as error:
        load_tasks(shipped)
    assert "suite published, key tasks: arc_challenge cannot be had from the hub" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(NoTasks, match="lm-eval has no task arc_hard"):
        load_tasks({**shipped, "tasks": {"arc_hard": {}}})


def test_tasks_that_run_code_need_a_sandbox_that_holds(shipped, row, suite, monkeypatch, offline):
    import lm_eval.api.task

    def broken():
        raise Unsafe("the sandbox does not hold: network")

    monkeypatch.setattr(suites, "self_test", broken)
    with pytest.raises(NoTasks, match="suite published, key tasks: humaneval runs code .* does not hold: network"):
        load_tasks({**shipped, "tasks": {"humaneval": {}}})
    with pytest.raises(NoTasks, match="humaneval cannot be had from the hub"):  # to read its items needs no sandbox
        load_tasks({**shipped, "tasks": {"humaneval": {}}}, answers=False)
    monkeypatch.setattr(lm_eval.api.task.ConfigurableTask, "UNSAFE_CODE", True, raising=False)
    with pytest.raises(NoTasks, match="suite small, key tasks: choice runs code"):
        load_tasks(row, suite)
