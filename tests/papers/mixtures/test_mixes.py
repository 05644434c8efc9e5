"""Losses by arm on made-up runs: planted differences, seeds that are missing, intervals that cover."""

import math

import numpy as np
import pytest
from scipy import stats

from papers.mixtures import arms, mixes
from tests.papers.mixtures import mixed

ONE = {"sizes": {"Tern-1": 60_000}, "budgets": (300_000,)}
EFFECTS = {("hq", 0.33, "copyist"): -0.05, ("hq", 1.0, "copyist"): 0.03}


def cell(table):
    return next(iter(mixes.cells(table, table["arm"]).values()))


def test_planted_differences_are_found_and_seeds_cancel():
    one = cell(mixed.runs(EFFECTS, noise=0, **ONE))
    assert mixes.minus(one, "hq-33", "cc").estimate == pytest.approx(-0.05)
    assert mixes.minus(one, "hq-100", "hq-33").estimate == pytest.approx(0.08)
    assert one.seeds == 3 and one.df == 4 and one.variance == pytest.approx(0, abs=1e-20)


def test_a_balanced_cell_is_the_mean_of_paired_differences_with_their_pooled_error():
    table = mixed.runs(EFFECTS, **ONE)
    wide = table.pivot(index="seed", columns="arm", values="macro")
    rest = wide - wide.mean() - wide.mean(axis=1).to_numpy()[:, None] + wide.to_numpy().mean()
    variance = float((rest**2).to_numpy().sum() / 4)
    found = mixes.bounds(mixes.minus(cell(table), "hq-33", "cc"), 0.05)
    assert found["estimate"] == pytest.approx((wide["hq-33"] - wide["cc"]).mean())
    assert found["high"] - found["estimate"] == pytest.approx(stats.t.isf(0.05, 4) * math.sqrt(2 * variance / 3))


def test_missing_seeds_are_used_and_unlinked_ones_refused():
    table = mixed.runs(EFFECTS, noise=0, **ONE)
    some = table[~((table["arm"] == "hq-33") & (table["seed"] != 1))]
    assert mixes.minus(cell(some), "hq-33", "cc").estimate == pytest.approx(-0.05)
    apart = table[(table["arm"] != "cc") == (table["seed"] > 0)]
    with pytest.raises(ValueError, match="runs of 60k parameters and 300k tokens: expected seeds that link all arms"):
        cell(apart)
    with pytest.raises(ValueError, match="expected one run an arm and seed"):
        mixes.cells(table, table["kind"])


def test_a_cell_without_replicates_borrows_noise_and_alone_knows_none():
    table = mixed.runs(EFFECTS, sizes={"Tern-1": 60_000})
    few = table[(table["tokens"] == 1_200_000) | (table["seed"] == 0)]
    alone, with_others = mixes.cells(few, few["arm"]).values()
    assert alone.variance == with_others.variance and alone.seeds == 1
    none = mixes.bounds(mixes.minus(cell(table[table["seed"] == 0]), "hq-33", "cc"), 0.05)
    assert (none["low"], none["high"]) == (none["estimate"] - arms.NOTHING, none["estimate"] + arms.NOTHING)


def test_intervals_cover_as_often_as_they_say():
    missed = 0
    for seed in range(200):
        parts = mixes.cells(table := mixed.runs(EFFECTS, sizes={"Tern-1": 60_000}, seed=seed), table["arm"]).values()
        found = mixes.bounds(mixes.together([mixes.minus(one, "hq-33", "cc") for one in parts]), 0.05)
        missed += not found["low"] < -0.05 < found["high"]
    assert 8 <= missed <= 34  # 20 expected of 200 at 5 % on either side


def test_redrawn_losses_spread_as_intervals_do():
    one = cell(mixed.runs(EFFECTS, **ONE))
    draws = mixes.drawn(one, 20_000, 0)
    away = draws[:, one.arms.index("hq-33")] - draws[:, one.arms.index("cc")]
    found = mixes.bounds(mixes.minus(one, "hq-33", "cc"), 0.05)
    assert np.quantile(away, [0.05, 0.95]) == pytest.approx([found["low"], found["high"]], abs=4e-4)


def test_a_wrong_table_is_refused_by_name(tmp_path):
    table = mixed.runs(EFFECTS, **ONE)
    with pytest.raises(ValueError, match="no column macro"):
        mixes.read_runs(mixed.saved(table.drop(columns="macro"), tmp_path / "runs.csv"))
    table.loc[2, "macro"] = np.nan
    with pytest.raises(ValueError, match=table.loc[2, "run"]):
        mixes.read_runs(mixed.saved(table, tmp_path / "runs.csv"))
