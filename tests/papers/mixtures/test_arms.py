"""What the figures share: printed laws in their units, the runs table, fits of planted laws, labels that do not overlap."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import isotonic_regression

from papers.mixtures import arms
from scripts.lib import figures, laws
from tests.papers.mixtures import made


def test_the_printed_laws_have_billions_as_units():
    tokens = laws.value(made.PRINTED.tokens["cc"], D=np.array([1, 5, 10, 20, 50, 100, 200, 1000, 8000]))
    assert tokens == pytest.approx([4.581, 3.544, 3.315, 3.159, 3.026, 2.963, 2.919, 2.865, 2.839], abs=6e-4)
    parameters = laws.value(made.PRINTED.parameters["cc"], N=np.array([0.1, 0.2, 0.5, 1, 2, 3, 8, 70, 200]))
    assert parameters == pytest.approx([3.825, 3.519, 3.219, 3.052, 2.923, 2.862, 2.747, 2.604, 2.567], abs=6e-4)


def test_the_order_of_arms_after_8T_tokens_and_at_200B_parameters():
    def order(by, **at):
        return sorted(by, key=lambda arm: laws.value(by[arm], **at))

    after = "hq-33 qa-67 hq-67 qa-33 txbk-33 qa-100 hq-100 txbk-67 cc txbk-100".split()
    assert order(made.PRINTED.tokens, D=8000) == after
    large = "qa-33 qa-67 hq-33 hq-67 txbk-33 cc txbk-67 hq-100 qa-100 txbk-100".split()
    assert order(made.PRINTED.parameters, N=200) == large


def test_arms_are_called_as_in_the_paper_and_look_different():
    called = [arms.label(arm) for arm in ("cc", "hq-100", "qa-33", "txbk-67", "filtered")]
    assert called == ["CC", "HQ", "33% QA", "67% TXBK", "filtered CC"]
    looks = [(look["color"], str(look["linestyle"]), look["marker"]) for look in map(arms.look, made.ARMS)]
    assert len(set(looks)) == len(made.ARMS)
    assert arms.short(819_200) == "819k" and arms.short(999_800_000) == "1B" and arms.short(2.16e10) == "21.6B"


def test_runs_are_those_that_the_row_asks_for(tmp_path):
    table = made.runs(seeds=2)
    other = table[table["arm"] == "hq-33"].assign(generator="novice", run="novice", macro=1.0)
    null = table.assign(world="null", run=lambda runs: "null-" + runs["run"])
    table = pd.concat([table, other, null, table])
    mine = made.read(tmp_path, table, made.row("fig1"))
    assert len(mine) == len(made.ARMS) * len(made.BUDGETS) * 2 and set(mine["size"]) == {made.FIXED["size"]}
    assert mine["loss"].min() > 2
    assert len(made.read(tmp_path, table, made.row("fig1", world="null"))) == len(
        mine
    )  # pandas takes "null" for a missing value
    assert set(made.read(tmp_path, table, made.row("fig1", generator="novice"))["arm"]) == {"cc", "hq-33"}
    assert set(made.read(tmp_path, table, made.row("fig2"))["tokens"]) == {made.FIXED["tokens"]}


def test_a_table_that_is_none_is_refused(tmp_path):
    table = made.along("tokens")
    with pytest.raises(ValueError, match=r"runs.csv: columns \['macro', 'seed'\]: expected"):
        made.read(tmp_path, table.drop(columns=["macro", "seed"]), made.row("fig1"))
    table.loc[7, "macro"] = 0.0
    with pytest.raises(ValueError, match=f"run {table.loc[7, 'run']}, column macro"):
        made.read(tmp_path, table, made.row("fig1"))


def test_planted_laws_come_back(tmp_path):
    mine = made.read(tmp_path, made.runs(noise=0.0, seeds=1), made.row("fig3"))
    found = arms.fitted(mine, made.row("fig3"), laws.fit_joint, "x")
    for arm, law in made.PLANTED.items():
        assert found.laws[arm] == pytest.approx(law, rel=1e-4)
    assert found.ends("tokens") == pytest.approx((0.00025, 0.004))


def test_arms_with_too_few_runs_have_no_law(tmp_path):
    table = made.along("tokens", seeds=2)
    few = table[(table["arm"] != "hq-33") | (table["tokens"] < 2_000_000)]
    found = arms.fitted(made.read(tmp_path, few, made.row("fig1")), made.row("fig1"), laws.fit_tokens, "x")
    assert set(made.ARMS) - set(found.laws) == {"hq-33"} == set(made.ARMS) - set(found.draws)
    assert not found.has("cc", "hq-33") and found.has("cc", "hq-67")
    two = arms.fitted(few[few["tokens"] < 1_000_000].assign(loss=1.0), made.row("fig1"), laws.fit_tokens, "x")
    assert two.laws == {} and np.isnan(two.ends("tokens")).all()
    joint = made.read(tmp_path, made.runs(seeds=1).query("tokens > 500_000 and parameters > 300_000"), made.row("fig3"))
    assert len(arms.enough(joint, made.ARMS, laws.fit_joint)) == len(made.ARMS)
    assert arms.enough(joint[joint["parameters"] < 1e6], made.ARMS, laws.fit_joint) == []


def test_the_largest_of_several():
    rng = np.random.default_rng(0)
    draws = np.array([-3.0, -2.0, -1.0]) + 0.1 * rng.normal(size=(4000, 3))
    found = arms.largest(np.array([-3.0, -2.0, -1.0]), draws, 0.025)
    assert found["estimate"] == -1 and found["high"] == pytest.approx(-1 + 0.196, abs=0.02) and found["low"] < -1.19
    mirrored = arms.smallest(np.array([3.0, 2.0, 1.0]), -draws, 0.025)
    assert mirrored == {"estimate": 1.0, "low": -found["high"], "high": -found["low"]}


def test_infinite_ends_are_cut():
    found = arms.bounds(np.inf, np.array([1.0, np.inf, np.inf]), 0.025)
    assert found == {"estimate": arms.NOTHING, "low": 1.0, "high": arms.NOTHING}


def test_spread():
    assert arms.spread(np.array([0, 0.1, 3]), 1, 0, 10).tolist() == [0, 1, 3]
    assert arms.spread(np.array([9.0, 9.5, 2.0]), 1, 0, 10).tolist() == pytest.approx([8.75, 9.75, 2.0])
    moved = arms.spread(np.zeros(10), 1, 0, 12)
    assert sorted(moved) == pytest.approx(list(range(10)))
    places = np.sort(np.random.default_rng(0).normal(0, 3, 9))
    reference = isotonic_regression(places - np.arange(9)).x + np.arange(9)
    assert arms.spread(places, 1, -99, 99) == pytest.approx(reference)


def test_labels_do_not_overlap():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(3, 2))
    axes.set_xlim(1, 10)
    axes.set_ylim(2, 3)
    figure.subplots_adjust(right=0.7)
    with matplotlib.rc_context(figures.STYLE):
        arms.direct_labels(axes, {arm: 2.5 + 0.001 * i for i, arm in enumerate(made.ARMS)}, 10)
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) == len(made.ARMS)
    assert not any(one.shrunk(1, 0.8).overlaps(two.shrunk(1, 0.8)) for one, two in combinations(boxes, 2))
