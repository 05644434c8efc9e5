"""The plan: what it counts, that what is built costs nothing, and predicted beside measured."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import costs, plan
from tests.conftest import snakemake

RUN = "Qwen2.5-0.5B-on-bos-Qwen2.5-0.5B-t1.0"


def planned(project: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "scripts.plan", *arguments]
    return subprocess.run(command, cwd=project, text=True, capture_output=True, check=check)


def test_sums_are_those_of_the_jobs():
    jobs = [plan.Job("train", "paper", {"run": RUN}, None), plan.Job("train", "paper", {"run": RUN}, None)]
    jobs += [plan.Job("copy_of_the_active_scale", "", {"figure": "fig5"}, None)]
    cost = costs.cost("train", {"run": RUN}, "paper")
    text = plan.report(jobs, {"A100-80GB": 3.0, "cpu": 0.0})
    hours = 2 * cost.seconds / 3600
    assert f"3 jobs, {hours:.1f} GPU-hours on A100-80GB" in text
    assert f"${3 * hours:,.2f} at the prices in config.yaml" in text
    assert f"{plan.size(2 * cost.disk)} on disk, 0 B to download" in text
    assert "Rates of A100-80GB are published, discounted" in text


def test_a_job_that_no_card_holds_is_said(monkeypatch):
    monkeypatch.setattr(costs, "cost", lambda *job: costs.Cost(10, gpus=1, gpu_bytes=90e9))
    text = plan.report([plan.Job("train", "paper", {"run": RUN}, None)], {})
    assert "train needs 90 GB of a GPU's memory, and A100-80GB has 80 GB" in text


def test_predicted_beside_measured(tmp_path):
    timing = tmp_path / "budget.tsv"
    timing.write_text("s\th:m:s\tmax_rss\n4.0\t0:00:04\t10\n", encoding="utf-8")
    run = "Wren-small-on-bos-Wren-small-t1.0"
    jobs = [
        plan.Job("budget", "laptop", {"run": run}, timing),
        plan.Job("budget", "laptop", {"run": run}, tmp_path / "none.tsv"),
    ]
    predicted = costs.cost("budget", {"run": run}, "laptop").seconds
    lines = plan.comparison(jobs).splitlines()
    assert len(lines) == 3 and lines[1].split()[:2] == ["budget", "1"]  # a job without a benchmark file was not run
    assert lines[1].endswith(f"{predicted / 4 - 1:+.0%}")
    assert plan.comparison(jobs[1:]).startswith("No job of it has been run")


def test_the_plan_of_figure_5_was_within_30_percent_of_what_it_took():
    """measured_fig5.tsv holds the benchmark files of a cold build on two cores, of which the laptop's rates were taken."""
    with open(Path(__file__).with_name("measured_fig5.tsv"), newline="") as file:
        lines = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    planned = [costs.cost(line["rule"], json.loads(line["wildcards"]), "laptop").seconds for line in lines]
    took = [float(line["seconds"]) for line in lines]
    assert len(lines) == 72 and sum(took) > 2000
    assert 0.7 < sum(planned) / sum(took) < 1.3
    for rule in ("pretrain", "train", "bos", "evaluate_run"):
        mine = [i for i, line in enumerate(lines) if line["rule"] == rule]
        assert 0.7 < sum(planned[i] for i in mine) / sum(took[i] for i in mine) < 1.3, rule


@pytest.mark.workflow
def test_what_is_built_costs_nothing(project):
    target = "results/smoke/suites/pocket"
    before = planned(project, target, "--config", "scale=smoke").stdout
    assert re.search(r"^pocket_suite +1 ", before, re.MULTILINE)
    snakemake(project, target, "--config=scale=smoke")
    assert planned(project, target, "--config", "scale=smoke").stdout == "Nothing to do: all of it is built.\n"
    assert re.search(r"^pocket_suite +1 +1.4 s", planned(project, target, "--measured", "--config", "scale=smoke").stdout, re.M)


@pytest.mark.workflow
def test_figure_5_on_one_card_takes_under_24_gpu_hours(project):
    text = planned(project, "results/fig5.pdf", "--config", "scale=gpu").stdout
    assert 1 < float(re.search(r"([\d.]+) GPU-hours on RTX-4090", text)[1]) < 24
    assert "of a GPU's memory, and" not in text


@pytest.mark.workflow
def test_an_unknown_target_is_told_as_snakemake_tells_it(project):
    done = planned(project, "results/fig99.pdf", check=False)
    assert done.returncode != 0 and "results/fig99.pdf" in done.stderr and not done.stdout
