"""Suites as lm-eval's tasks: scores against lm-eval's own evaluator, and errors that name what is wrong."""

import io
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from scripts import study
from scripts.evaluation import harness, items, suites
from scripts.evaluation.items import write_items
from scripts.evaluation.sandbox import Unsafe
from scripts.evaluation.suites import NoTasks, answer, describe, items_of, load_tasks, place_data
from scripts.lib.files import read_card
from tests.hub_server import REVISION


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
def shipped(monkeypatch, tmp_path):
    """Only some folders of lm-eval's tasks are searched, which takes a moment instead of seconds."""
    import lm_eval.tasks

    folder = Path(lm_eval.tasks.__file__).parent
    original = lm_eval.tasks.TaskManager
    paths = [str(folder / "arc"), str(folder / "humaneval"), str(tmp_path / "tasks")]
    monkeypatch.setattr(lm_eval.tasks, "TaskManager", lambda **_: original(include_defaults=False, include_path=paths))
    monkeypatch.setattr(items, "quiet", lambda *_: None)  # it is for the whole process
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    data = {"repo": "maker/arc", "revision": REVISION}
    return {"name": "published", "kind": "harness", "scale": "gpu", "tasks": {"arc_easy": {}}, "data": {"arc_easy": data}}


ITEMS = [
    {
        "question": f"{i} and 1 make?",
        "choices": {"text": [str(i), str(i + 1)], "label": ["A", "B"]},
        "answerKey": "B",
        "id": str(i),
    }
    for i in range(3)
]


def card(configs: dict[str, list[str]]) -> bytes:
    """README.md of a data set: its configurations, and which file is which split."""
    about = [
        {"config_name": name, "data_files": [{"split": split, "path": f"{name}/{split}.parquet"} for split in splits]}
        for name, splits in configs.items()
    ]
    return f"---\n{yaml.safe_dump({'configs': about})}---\n".encode()


def parquet(rows: list[dict]) -> bytes:
    out = io.BytesIO()
    pd.DataFrame(rows).to_parquet(out)
    return out.getvalue()


@pytest.fixture
def arc(loopback):
    splits = ["train", "validation", "test"]
    files = {f"ARC-Easy/{split}.parquet": parquet([{**item, "id": split} for item in ITEMS]) for split in splits}
    loopback.repos["datasets/maker/arc"] = {
        "README.md": card({"ARC-Easy": splits}),
        "arc.py": b"raise",
        **files,
        ".gitattributes": b"",
    }
    return loopback


def test_data_of_the_hub_are_kept_in_the_suite_and_read_from_there_without_network(shipped, arc, tmp_path, offline_after):
    write_items(tmp_path / "published", row=shipped, code="c")
    assert arc.downloaded() == {"README.md", *(f"ARC-Easy/{split}.parquet" for split in ("train", "validation", "test"))}
    texts = pd.read_parquet(tmp_path / "published/items.parquet")
    assert texts["text"].tolist() == [f"Question: {i} and 1 make?\nAnswer: {i + 1}\n{i}" for i in range(3)]
    assert "data/arc_easy/ARC-Easy/test.parquet" in read_card(tmp_path / "published")["sha256"]
    offline_after()
    before = len(arc.asked)
    (task,) = load_tasks(shipped, tmp_path / "published")["arc_easy"]
    assert len(task.instances) == 6 and task.task_name == "arc_easy" and len(arc.asked) == before


def test_a_group_reads_one_data_set_in_all_its_tasks(shipped, loopback, tmp_path):
    """As lm-eval's minerva_math does, which needs packages that the laptop's environment has not."""
    subjects = ["algebra", "geometry"]
    (tmp_path / "tasks").mkdir()
    for name in subjects:
        task = {"task": f"sums_{name}", "dataset_path": "maker/sums", "dataset_name": name, "output_type": "generate_until"}
        task |= {"test_split": "test", "doc_to_text": "{{problem}}", "doc_to_target": "{{solution}}"}
        (tmp_path / f"tasks/sums_{name}.yaml").write_text(yaml.safe_dump(task))
    (tmp_path / "tasks/sums.yaml").write_text(yaml.safe_dump({"group": "sums", "task": [f"sums_{name}" for name in subjects]}))
    files = {f"{name}/test.parquet": parquet([{"problem": f"{name}?", "solution": "1"}] * 2) for name in subjects}
    configs = card(dict.fromkeys(subjects, ["test"]))
    loopback.repos["datasets/maker/sums"] = {"README.md": configs, **files, ".gitattributes": b""}
    row = {**shipped, "tasks": {"sums": {}}, "data": {"sums": {"repo": "maker/sums", "revision": REVISION}}}
    place_data(row, tmp_path / "data")
    tasks = load_tasks(row, tmp_path)["sums"]
    asked = {task.task_name: {instance.args[0] for instance in task.instances} for task in tasks}
    assert asked == {"sums_algebra": {"algebra?"}, "sums_geometry": {"geometry?"}}


def test_data_that_cannot_be_had_are_one_line(shipped, arc, tmp_path, offline_after):
    def refused(row: dict) -> str:
        with pytest.raises(NoTasks) as error:
            write_items(tmp_path / "published", row=row, code="c")
        assert "\n" not in str(error.value) and not (tmp_path / "published").exists()
        return str(error.value)

    assert "key data: nothing for arc_challenge" in refused({**shipped, "tasks": {"arc_challenge": {}}})
    gone = {**shipped, "data": {"arc_easy": {"repo": "maker/none", "revision": REVISION}}}
    assert refused(gone) == (
        "suite published, key data, arc_easy: dataset maker/none is not on the hub, or private and not open to your token"
    )
    files = arc.repos["datasets/maker/arc"]
    arc.repos["datasets/maker/arc"] = {"arc.py": files["arc.py"], "README.md": b""}
    assert "maker/arc at 0123456789abcdef0123456789abcdef01234567 has no Parquet, CSV or JSON file" in refused(shipped)
    offline_after()
    assert "`snakemake --cores 2 fetch --config scale=gpu` fills it" in refused(shipped)


def test_the_suites_read_what_lm_eval_would_read():
    """Every task of every harness suite has the repository that lm-eval's own configuration names."""
    import lm_eval.tasks
    from lm_eval.tasks._yaml_loader import load_yaml

    folder = Path(lm_eval.tasks.__file__).parent
    named = {
        "arc_easy": "arc/arc_easy",
        "arc_challenge": "arc/arc_challenge",
        "hellaswag": "hellaswag/hellaswag",
        "winogrande": "winogrande/default",
        "gsm8k": "gsm8k/gsm8k",
        "minerva_math": "minerva_math/minerva_math_algebra",
        "humaneval": "humaneval/humaneval",
        "mbpp": "mbpp/mbpp",
        "sciq": "sciq/sciq",
        "triviaqa": "triviaqa/default",
        "webqs": "webqs/webqs",
    }
    for scale in ("gpu", "paper"):
        suites = [row for row in study.load()[scale]["suites"].values() if row["kind"] == "harness"]
        assert suites
        for row in suites:
            assert set(row["data"]) == set(row["tasks"]), row["name"]
            for task, data in row["data"].items():
                assert load_yaml(folder / f"{named[task]}.yaml", resolve_func=False)["dataset_path"] == data["repo"], task


def test_a_suite_without_its_data_is_one_line(shipped, tmp_path):
    with pytest.raises(NoTasks, match=r"suite published, key tasks: .*/data/arc_easy is missing; let Snakemake make"):
        load_tasks(shipped, tmp_path)
    with pytest.raises(NoTasks, match="lm-eval has no task arc_hard"):
        load_tasks({**shipped, "tasks": {"arc_hard": {}}})


def test_tasks_that_run_code_need_a_sandbox_that_holds(shipped, row, suite, monkeypatch, offline):
    import lm_eval.api.task

    def broken():
        raise Unsafe("the sandbox does not hold: network")

    monkeypatch.setattr(suites, "self_test", broken)
    with pytest.raises(NoTasks, match="suite published, key tasks: humaneval runs code .* does not hold: network"):
        load_tasks({**shipped, "tasks": {"humaneval": {}}})
    with pytest.raises(NoTasks, match="data/humaneval is missing"):  # to read its items needs no sandbox
        load_tasks({**shipped, "tasks": {"humaneval": {}}}, answers=False)
    monkeypatch.setattr(lm_eval.api.task.ConfigurableTask, "UNSAFE_CODE", True, raising=False)
    with pytest.raises(NoTasks, match="suite small, key tasks: choice runs code"):
        load_tasks(row, suite)
