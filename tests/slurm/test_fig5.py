"""Figure 5 on Slurm, by the README's own command."""

import re

import pandas as pd
import pytest

from tests.conftest import copy_of_the_project
from tests.slurm.conftest import jobs, run
from tests.whole_figure import missing

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]


def test_figure_5_is_built_by_sbatch_jobs(node, tmp_path):
    folder = copy_of_the_project(tmp_path / "project")
    code, said, seconds = run(folder, "results/fig5.pdf", seconds=2400)
    assert code == 0, said[-6000:]
    assert missing(folder / "results/fig5.csv", "smoke") == [] and len(pd.read_csv(folder / "results/fig5.csv"))
    planned = int(re.search(r"^total +(\d+)$", said, re.MULTILINE).group(1))
    done = jobs(folder)
    print(f"figure 5 at smoke scale on Slurm: {len(done)} jobs, {seconds:.0f} s")
    assert {state for state, _ in done.values()} == {"COMPLETED"}
    assert len(done) == len({comment for _, comment in done.values()}) == planned > 30
    assert not list((folder / "results/smoke/work").glob("*/*")) and not list(folder.rglob("*.part"))
