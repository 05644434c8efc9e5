"""Figures 6 and 7: the noise that a printed error speaks for, and predictions of held-out runs that succeed and fail."""

import numpy as np
import pandas as pd
import pytest

from papers.mixtures import fig6, fig7, validation
from scripts.lib import laws
from scripts.lib.claims import read_claims
from tests.papers.mixtures import made

CLAIMS = {name: read_claims(made.CLAIMS, name) for name in ("fig6", "fig7")}


def test_leverage_is_that_of_fits_to_noisy_runs():
    """An independent reference: whole fits to redrawn losses instead of the linear formula."""
    law, x, noise = made.PRINTED.tokens["hq-33"], np.array(validation.ASSUMED["tokens"], float), 0.002
    rng = np.random.default_rng(0)
    truth, end = laws.value(law, D=x), float(laws.value(law, D=200))
    off = []
    for _ in range(150):
        fitted = laws.fit_tokens(x, truth * (1 + noise * rng.normal(size=len(x))))
        off.append(laws.value(fitted, D=200) / (end * (1 + noise * rng.normal())) - 1)
    assert np.std(off) / noise == pytest.approx(validation.leverage(law, "tokens", x, 200), rel=0.15)


def test_half_a_per_cent_of_noise_explains_the_printed_error():
    assert 0.35 < validation.implied_noise(made.PRINTED, "tokens") < 0.55
    curve = validation.noise(made.PRINTED, "tokens")
    assert (curve["low"] <= curve["y"]).all() and (curve["y"] <= curve["high"]).all() and curve["y"].iloc[0] == 0


@pytest.mark.parametrize(("axis", "name"), [("tokens", "fig6"), ("parameters", "fig7")])
def test_printed_errors_beat_the_last_value(axis, name):
    found = validation.published(made.PRINTED, axis, name)
    assert set(made.verdicts(CLAIMS[name], found).values()) == {"reproduced"}


def reproduced(tmp_path, table, axis, name):
    row = made.row(name)
    found = validation.held_out(made.read(tmp_path, table, row), row, axis)
    return found, validation.reproduced(found, name, CLAIMS[name])


@pytest.mark.parametrize(("axis", "name"), [("tokens", "fig6"), ("parameters", "fig7")])
def test_planted_laws_predict_what_was_held_out(tmp_path, axis, name):
    found, said = reproduced(tmp_path, made.along(axis), axis, name)
    assert len(found) == len(made.ARMS) * 3 and found[axis].nunique() == 1
    verdicts = made.verdicts(CLAIMS[name], said)
    assert verdicts[f"{name}-error"] == verdicts[f"{name}-baseline"] == "reproduced"
    assert verdicts[f"{name}-error-published"] == "not comparable"


def test_what_no_law_foresees_is_not_predicted(tmp_path):
    table = made.along("tokens")
    table.loc[table["tokens"] == max(made.BUDGETS), "macro"] *= 1.05
    _, said = reproduced(tmp_path, table, "tokens", "fig6")
    assert said["fig6-error"]["estimate"] == pytest.approx(5, abs=0.7)
    assert made.verdicts(CLAIMS["fig6"], said)["fig6-error"] == "not reproduced"


def test_few_runs_leave_it_undecided(tmp_path):
    found, said = reproduced(tmp_path, made.along("tokens", budgets=made.BUDGETS[:4]), "tokens", "fig6")
    assert found.empty and set(made.verdicts(CLAIMS["fig6"], said).values()) == {"undecided", "not comparable"}


def test_the_figure(tmp_path):
    out = made.drawn(tmp_path, made.along("tokens"), fig6, "fig6")
    assert set(made.judged(out[3])) == set(CLAIMS["fig6"])
    numbers = pd.read_csv(out[2])
    held = numbers[numbers["series"] == "held out"]
    assert set(held["x"]) == {4_000_000} and set(held["n"]) == {3}
    assert "Figure 7" in fig7.__doc__
