"""SBP's dynamics on made-up curves: a planted crossing, flat and falling ends, and curves that never cross."""

import numpy as np
import pandas as pd
import pytest

from papers.sbp import dynamics
from tests.papers.sbp import made

ARMS = ("baseline", "sbp", "oracle")
ROW = {"name": "sbp/dynamics", "scale": "laptop", "models": made.models(*ARMS)}
AT = [5, 10, 20, 30, 45, 60, 70, 80, 90, 0]
SHARE = np.array([*AT[:-1], 100]) / 100


def curves(base_end=0.0, sbp=lambda x: 0.25 - 0.45 * x):
    """The baseline falls and then changes by ``base_end`` over the last third; SBP is ``sbp`` above it, the oracle ahead."""
    base = 2 + 2 * np.exp(-25 * SHARE) + base_end * np.maximum(SHARE - 2 / 3, 0) * 3
    values = {"baseline": base, "sbp": base + sbp(SHARE), "oracle": base - 0.4 * SHARE}
    return {arm: dict(zip(AT, value, strict=True)) for arm, value in values.items()}


def drawn(folder, name="dynamics", **how):
    path = made.saved(folder, losses=made.losses(curves(**how)))["losses"]
    out = made.outputs(folder / name, "dynamics")
    dynamics.dynamics([path], made.CLAIMS, *out, row=ROW, tokens=made.TOKENS, code="c", draws=made.DRAWS)
    return out


def test_a_planted_crossing_is_found_where_it_is(tmp_path):
    out = drawn(tmp_path)
    found = made.verdicts(out[3])
    assert set(found.values()) == {"reproduced"}
    line = pd.read_csv(out[2]).query("panel == 'crossing'").iloc[0]
    assert line["y"] / made.TOKENS == pytest.approx(0.25 / 0.45, abs=0.1)
    assert line["low"] < line["y"] < line["high"] and line["share"] > 0.95


def test_sbp_that_stays_behind_never_crosses(tmp_path):
    out = drawn(tmp_path, sbp=lambda x: 0.3 + 0 * x)
    found = made.verdicts(out[3])
    assert found["behind"] == "reproduced" and found["ahead"] == found["crossover"] == "not reproduced"
    assert found["sbp-falls"] != "reproduced" and found["saturation"] != "reproduced"
    assert np.isnan(pd.read_csv(out[2]).query("panel == 'crossing'")["y"].iloc[0])


def test_a_baseline_that_overfits_is_not_flat(tmp_path):
    assert made.verdicts(drawn(tmp_path, base_end=0.2)[3])["baseline-flat"] == "not reproduced"


def test_the_slope_is_that_of_least_squares():
    at = np.array([0.2, 0.5, 0.7, 0.85, 1.0])
    loss = np.array([9.0, 5.0, 3.0, 2.9, 2.6])
    slope = np.polyfit(at[2:], loss[2:], 1)[0]
    assert dynamics.slope_weights(at) @ loss == pytest.approx(slope / 3)


def test_crossings():
    behind = np.array([[1, 1, -1.0], [1, -1, 1], [-1, -1, -1], [-1, 1, -3]])
    found = dynamics.crossing(np.array([1.0, 2, 3]), behind)
    assert found[[0, 3]] == pytest.approx([2.5, 2.25]) and np.isnan(found[1:3]).all()


def test_too_few_checkpoints_are_said():
    table = made.losses({"baseline": {50: 2.0, 0: 1.9}})
    with pytest.raises(ValueError, match=r"after \[50, 100\] per cent: expected two or more in the last third"):
        dynamics.percents(table, made.models("baseline"))
