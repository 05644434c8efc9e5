"""Dry runs: every target at every scale, and what reruns when one row changes."""

import re

import pytest

from scripts import study
from tests.conftest import snakemake

pytestmark = pytest.mark.workflow


def jobs(output: str) -> set[tuple[str, str]]:
    """(rule, wildcards) of the jobs that a dry run lists."""
    found = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", output, re.MULTILINE)
    return {(rule, match.group(1) if (match := re.search(r"wildcards: (.*)", body)) else "") for rule, body in found}


@pytest.mark.parametrize("scale", study.SCALES)
def test_every_target_plans_at_every_scale(project, scale):
    planned = jobs(snakemake(project, "-n", f"--config=scale={scale}").stdout)
    rules = {rule for rule, _ in planned}
    assert {"fig5", "copy_of_the_active_scale", "bos", "curate", "budget", "train", "evaluate_run", "verdicts"} <= rules
    row = study.load()[scale]["figures"]["fig5"]
    trained = {wildcards.split("run=")[1] for rule, wildcards in planned if rule == "train"}
    assert trained == {*row["arms"].values(), *row["controls"].values()}


def test_the_slurm_profile_plans_the_papers_models(project):
    output = snakemake(project, "-n", "--profile=slurm", "results/fig5.pdf").stdout
    for model in ("Qwen2.5-0.5B", "Qwen2.5-7B", "Qwen3-8B-Base", "Llama-3.2-1B"):
        assert f"model={model}" in output


def test_gpu_scale_stops_before_any_job(project):
    done = snakemake(project, "--config=scale=paper", "results/fig5.pdf", check=False)
    assert done.returncode != 0
    assert "needs a GPU" in done.stdout and not list(project.glob("results/paper/**/*.parquet"))


def test_a_bad_row_stops_in_the_dry_run(project):
    path = project / "papers/bos_only/study.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("architecture: llama", "architecture: lama"), encoding="utf-8")
    done = snakemake(project, "-n", check=False)
    assert done.returncode != 0
    assert "row Finch-small, key architecture: expected one of qwen2, llama, found 'lama'" in done.stdout


def test_list_shows_each_artifact_with_its_caption(project):
    output = snakemake(project, "--list").stdout
    assert re.search(r"^fig5.*Figure 5: ", output, re.MULTILINE | re.DOTALL)
