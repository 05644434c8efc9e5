"""Figure 8: where the tables meet, where compute is spent best, and planted surfaces."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from papers.mixtures import arms, fig8
from scripts.lib import laws
from scripts.lib.claims import read_claims
from tests.papers.mixtures import made

CLAIMS = read_claims(made.CLAIMS, "fig8")


def found_of(tmp_path, table):
    row = made.row("fig8", arms=["cc"])
    found = arms.fitted(made.read(tmp_path, table, row), row, laws.fit_joint, "fig8")
    rest = fig8.left_over(found)
    return found, rest, made.verdicts(CLAIMS, fig8.findings(made.PRINTED, found, rest, CLAIMS))


def test_where_the_tables_meet():
    gaps = fig8.meeting(made.PRINTED)
    assert gaps["cc"] == pytest.approx(-0.838, abs=1e-3) and gaps["qa-100"] == pytest.approx(-3.401, abs=1e-3)
    assert gaps["txbk-33"] == pytest.approx(0.048, abs=1e-3)


def test_compute_is_spent_best_where_no_other_split_is_better():
    law = fig8.implied(made.PRINTED)
    for N in (0.1, 1.0, 20.0):
        compute = N * fig8.best_tokens(law, N)
        best = minimize_scalar(lambda log, c=compute: laws.value(law, np.exp(log), c / np.exp(log)), (-5, 5))
        assert np.exp(best.x) == pytest.approx(N, rel=1e-3)


def test_a_planted_surface_is_found(tmp_path):
    found, rest, said = found_of(tmp_path, made.cross(made.runs(noise=0.001)))
    assert len(rest) == 25 + 2 * 9 and rest["error"].abs().mean() < 0.2
    assert said == {
        "fig8-published-meet-cc": "reproduced",
        "fig8-published-meet": "not reproduced",
        "fig8-residual": "reproduced",
        "fig8-tokens": "reproduced",
        "fig8-parameters": "reproduced",
    }


def test_a_loss_that_rises_with_size_is_seen(tmp_path):
    table = made.runs(noise=0.001)
    table.loc[table["parameters"] == max(made.SIZES.values()), "macro"] *= 1.2
    _, _, said = found_of(tmp_path, table)
    assert said["fig8-parameters"] == said["fig8-residual"] == "not reproduced" and said["fig8-tokens"] == "reproduced"


def test_the_figure(tmp_path):
    out = made.drawn(tmp_path, made.cross(made.runs()), fig8, "fig8", arms=["cc"])
    assert set(made.judged(out[3])) == set(CLAIMS)
