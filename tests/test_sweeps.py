"""Which runs a sweep has: arms by name, nothing trained twice, jobs of equal length; and what the study's sweeps promise."""

import json
from types import SimpleNamespace

import pytest

from scripts import answers, costs, study
from scripts.study import StudyError
from scripts.sweeps import arm_of, jobs_of, named, runs_of, texts_of

ROW = {
    "name": "one",
    "world": "default",
    "natural": "web",
    "filtered": "web-filtered",
    "synthetic": {"hq": "web-hq", "qa-long": "web-qa"},
    "generator": "copyist",
    "arms": ["cc", "hq-33"],
    "sizes": ["small", "large"],
    "tokens": [100, 200],
    "seeds": [1],
}


def test_arms_by_name():
    assert arm_of(ROW, "cc") == {"kind": "natural", "share": 0.0, "natural": "web", "synthetic": None}
    assert arm_of(ROW, "filtered") == {"kind": "filtered", "share": 0.0, "natural": "web-filtered", "synthetic": None}
    assert arm_of(ROW, "qa-long-0.5") == {"kind": "qa-long", "share": 0.005, "natural": "web", "synthetic": "web-qa"}
    for wrong in ("hq", "hq-0", "hq-101", "hq-x", "txbk-33", "natural"):
        with pytest.raises(ValueError, match=f"arm {wrong}: expected cc, filtered, hq-1 to hq-100, qa-long-1 to qa-long-100"):
            arm_of(ROW, wrong)
    assert named(ROW, "hq-33", "small", 100, 1)["run"] == "hq-33-by-copyist-small-100-s1"
    assert named({**ROW, "world": "clean"}, "cc", "small", 100, 1)["run"] == "clean-cc-small-100-s1"


def test_what_two_sweeps_name_is_trained_by_the_first_and_traced_ones_are_first():
    more = {**ROW, "name": "two", "arms": ["cc", "hq-33", "hq-67"], "tokens": [200], "seeds": [1, 2]}
    traced = {**ROW, "name": "three", "arms": ["cc"], "sizes": ["large"], "tokens": [200], "trace": True}
    found = runs_of([ROW, more, traced])
    assert len(found["three"]) == 1 and len(found["one"]) == 7
    assert sorted({(run["arm"], run["seed"]) for run in found["two"]}) == [("cc", 2), ("hq-33", 2), ("hq-67", 1), ("hq-67", 2)]
    assert runs_of([ROW, more])["one"] == runs_of([ROW])["one"]  # a sweep that is added reruns none before it
    names = [run["run"] for runs in found.values() for run in runs]
    assert len(names) == len(set(names))
    other = {**ROW, "name": "four", "block": 64}  # the same runs by another recipe would have the same names
    with pytest.raises(ValueError, match="four and one both have a run cc-small-100-s1"):
        runs_of([ROW, other])
    with pytest.raises(ValueError, match="one, key arms: arm bad-1"):
        runs_of([{**ROW, "arms": ["bad-1"]}])


def test_jobs_share_the_runs_evenly_and_keep_the_budgets_of_an_arm_together():
    runs = runs_of([{**ROW, "arms": ["cc", "hq-33", "hq-67", "hq-100"], "seeds": [1, 2]}])["one"]
    jobs = jobs_of(runs, 3, lambda run: run["tokens"] * (4 if run["size"] == "large" else 1))
    assert sorted(run["run"] for job in jobs for run in job) == sorted(run["run"] for run in runs)
    loads = [sum(run["tokens"] * (4 if run["size"] == "large" else 1) for run in job) for job in jobs]
    assert max(loads) - min(loads) <= 1200  # one unit
    for job in jobs:
        units = {(run["arm"], run["size"], run["seed"]) for run in job}
        assert len(job) == 2 * len(units)
    groups = jobs_of(runs, 16, lambda run: 1.0)
    assert [len(job) for job in groups] == [2] * 16 and all(len(texts_of(job)) <= 2 for job in groups)
    assert [len(job) for job in jobs_of(runs, 1000, lambda run: 1.0)] == [1] * 32
    assert jobs_of([], 3, lambda run: 1.0) == []


@pytest.mark.parametrize("scale", study.SCALES)
def test_the_studys_sweeps_train_nothing_twice_and_hold_the_cells_that_figures_want(scale):
    tables = study.load()[scale]
    runs = [run for row in tables["sweeps"].values() for run in row["runs"]]
    assert len(runs) == len({run["run"] for run in runs})
    cells = {(run["arm"], run["size"], run["tokens"], run["seed"]) for run in runs if run["world"] == "default"}
    for row in tables["sweeps"].values():
        jobs = costs.sweep_jobs(row["name"], scale)
        assert sum(map(len, jobs)) == len(row["runs"])
        if row["world"] == "default":  # whoever trains it, every cell of the row is there
            wanted = {(a, n, d, s) for a in row["arms"] for n in row["sizes"] for d in row["tokens"] for s in row["seeds"]}
            assert wanted <= cells


def test_what_a_job_of_a_sweep_is_told_and_reads():
    jobs = costs.sweep_jobs("grid", "gpu")
    wildcards = SimpleNamespace(scale="gpu", sweep="grid", shard=f"2-of-{len(jobs)}")
    row = json.loads(answers.sweep_row(wildcards))
    assert row["runs"] == jobs[1] and set(row["shapes"]) == {run["size"] for run in jobs[1]}
    assert not {"arms", "sizes", "seeds", "shards"} & set(row)  # what only says which runs there are reruns nothing
    folder = f"results/gpu/tokens/{study.load()['gpu']['sweeps']['grid']['tokenizer']}"
    assert set(answers.sweep_texts(wildcards)) == {f"{folder}/{text}" for text in texts_of(jobs[1])}
    wildcards.shard = f"1-of-{len(jobs) + 1}"
    with pytest.raises(StudyError, match=f"grid has jobs 1-of-{len(jobs)} to"):
        answers.sweep_row(wildcards)


def test_the_papers_sizes_are_those_of_table_1():
    """Parameters outside the embedding and one embedding matrix are the published labels."""
    labels = {"100M": 0.1e9, "200M": 0.2e9, "500M": 0.5e9, "1B": 1e9, "2B": 2e9, "3B": 3e9}
    rows = study.load()["paper"]["sizes"]
    assert list(rows) == list(labels)
    for name, row in rows.items():
        shape = costs._shape_of_size(name, "llama-3", "paper")
        assert shape.parameters == pytest.approx(labels[name], rel=0.1)  # 1.088B is the furthest from its label
        assert row["hidden"] // row["heads"] == 64 and row["feedforward"] % 256 == 0
    batch = study.load()["paper"]["sweeps"]["grid"]
    assert batch["block"] * batch["batch"] == 1_048_576


def test_a_budget_that_is_not_exact_and_an_unknown_text_are_refused():
    from scripts.study import _sweeps

    row = {**ROW, "block": 64, "scale": "laptop"}
    tables = {"sweeps": {"one": row}, "sources": {"web": {}}, "corpora": {"web-hq": {}}}
    wheres = {("sweeps", "one"): "study.yaml, table sweeps, row one"}
    with pytest.raises(
        StudyError, match="row one, key tokens: expected budgets within 0.1 % of a whole number of blocks of 64"
    ):
        _sweeps(tables, wheres)
    row["tokens"] = [6400, 64000 + 63]
    _sweeps(tables, wheres)
    assert len(row["runs"]) == 8
    row["natural"] = "elsewhere"
    with pytest.raises(StudyError, match="row one: elsewhere is no row of sources or corpora at scale laptop"):
        _sweeps(tables, wheres)
