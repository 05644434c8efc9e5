"""Dry runs of the tables from which all figures are drawn: which jobs there are, and that they are few."""

import pytest

from scripts import costs, study
from scripts.sweeps import texts_of
from tests.conftest import snakemake
from tests.test_dag import jobs

pytestmark = pytest.mark.workflow

TABLES = ("runs.csv", "domains.parquet", "traces.parquet", "unigrams.parquet")


@pytest.mark.parametrize("scale", ["smoke", "paper"])
def test_the_four_tables_are_planned_from_every_sweep(project, scale):
    targets = [f"results/{scale}/mixtures/{name}" for name in TABLES]
    planned = jobs(snakemake(project, "-n", f"--config=scale={scale}", *targets).stdout)
    by_rule: dict[str, set] = {}
    for rule, wildcards in planned:
        by_rule.setdefault(rule, set()).add(wildcards)
    sweeps = study.load()[scale]["sweeps"]
    shards = {name: len(costs.sweep_jobs(name, scale)) for name in sweeps}
    wanted = {f"scale={scale}, sweep={name}, shard={k}-of-{n}" for name, n in shards.items() for k in range(1, n + 1)}
    assert by_rule["sweep"] == wanted and len(wanted) <= 70
    texts = texts_of(run for row in sweeps.values() for run in row["runs"])
    tokenizer = sweeps["grid"]["tokenizer"]
    assert by_rule["tokens"] == {f"scale={scale}, tokenizer={tokenizer}, written={text}" for text in texts}
    assert len(by_rule["mixtures_runs"]) == len(by_rule["mixtures_unigrams"]) == 1
