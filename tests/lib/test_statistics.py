"""Statistics against SciPy, statsmodels, closed forms, and simulations of known truth."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from scripts.lib import statistics


def worlds(seed, sets, items=60, tasks=2, arms=4, columns=1, subsets=3, item=3.0, own=4.0, subset=0.7):
    """Null data sets: item effects shared by arms, noise of each score, and what a subset adds to all tasks alike."""
    rng = np.random.default_rng(seed)
    for _ in range(sets):
        lift = subset * rng.standard_normal((arms, 1, subsets))
        yield [
            item * rng.standard_normal((items, 1, columns, 1))
            + own * rng.standard_normal((items, arms, columns, subsets))
            + lift * np.ones((1, columns, 1))
            for _ in range(tasks)
        ]


@pytest.mark.parametrize("m", [1, 2, 3, 7])
def test_holm_is_that_of_statsmodels(m):
    rng = np.random.default_rng(m)
    for _ in range(10):
        p = rng.beta(0.3, 1, m)
        decided, adjusted, _, _ = multipletests(p, 0.05, method="holm")
        np.testing.assert_allclose(statistics.holm(p), adjusted)
        np.testing.assert_array_equal(p <= statistics.holm_levels(p, 0.05), decided)


def test_area_weights_are_a_trapezoid_over_log_epochs():
    epochs = np.array([0, 1, 2, 5, 10])
    change = np.random.default_rng(0).standard_normal(5)
    expected = np.trapezoid(change, np.log(1 + epochs)) / np.log(11)
    assert statistics.area_weights(epochs) @ change == pytest.approx(expected)
    assert statistics.area_weights([0, 1]).tolist() == [0.5, 0.5]
    assert statistics.area_weights(epochs) @ np.log1p(epochs) == pytest.approx(np.log(11) / 2)
    with pytest.raises(ValueError, match="from 0"):
        statistics.area_weights([1, 2])


def test_bootstrap_over_items_is_the_analytic_interval_of_a_paired_difference():
    rng = np.random.default_rng(1)
    item = 10 * rng.standard_normal((400, 1, 1, 1))
    values = item + rng.standard_normal((400, 2, 1, 1)) + np.array([1.0, 0.0])[:, None, None]
    estimate, draws = statistics.bootstrap([values], 8000, seed=3)
    paired = values[:, 0, 0, 0] - values[:, 1, 0, 0]
    low, high = statistics.interval(draws[:, 0, 0] - draws[:, 1, 0], 0.025)
    expected = stats.t.interval(0.95, 399, paired.mean(), stats.sem(paired))
    assert estimate[0, 0] - estimate[1, 0] == pytest.approx(paired.mean())
    assert (low, high) == pytest.approx(expected, abs=0.05 * (expected[1] - expected[0]))
    assert high - low < 0.3, "the large item effects are shared by both arms and must cancel"


def test_bootstrap_of_tasks_with_equal_weight():
    rng = np.random.default_rng(2)
    values = [rng.standard_normal((n, 1, 1, 1)) for n in (50, 400)]
    estimate, draws = statistics.bootstrap(values, 6000, seed=0)
    assert estimate[0, 0] == pytest.approx(np.mean([v.mean() for v in values]))
    assert draws.std() == pytest.approx(np.sqrt(sum(v.var() / len(v) for v in values)) / 2, rel=0.04)


def test_bootstrap_over_subsets_alone_is_the_pooled_t_interval():
    rng = np.random.default_rng(4)
    units = rng.standard_normal((4, 1, 3))
    _, draws = statistics.bootstrap([np.tile(units, (30, 1, 1, 1))], 20_000, seed=1)
    sd = np.sqrt(units[:, 0].var(-1, ddof=1).mean())
    half = stats.t.ppf(0.95, 8) * sd * np.sqrt(2 / 3)
    low, high = statistics.interval(draws[:, 0, 0] - draws[:, 1, 0], 0.05)
    assert high - low == pytest.approx(2 * half, rel=0.06)


@pytest.mark.parametrize("subset", [0.0, 0.7, 3.0])
def test_intervals_with_three_subsets_cover(subset):
    """One-sided errors at 5 % a side, whether subsets do not differ, differ as much as items make them, or much more."""
    errors = []
    for values in worlds(5, 400, subset=subset):
        _, draws = statistics.bootstrap(values, 400, seed=0)
        low, high = statistics.interval(draws[:, 0, 0] - draws[:, 1, 0], 0.05)
        errors.append((low > 0, high < 0))
    assert 0.05 <= np.sum(np.mean(errors, axis=0)) + 0.02 and np.mean(errors, axis=0).max() <= 0.08


def test_bootstrap_of_identical_arms_differs_by_subsets_only_and_is_the_same_each_time():
    values = next(worlds(6, 1, columns=2))
    same = [np.repeat(v[:, :1], 2, axis=1) for v in values]
    _, draws = statistics.bootstrap([v[..., :1] for v in same], 50, seed=9)
    np.testing.assert_allclose(draws[:, 0], draws[:, 1], atol=1e-6)
    np.testing.assert_array_equal(statistics.bootstrap(values, 50, seed=9)[1], statistics.bootstrap(values, 50, seed=9)[1])
    assert not np.array_equal(statistics.bootstrap(values, 50, seed=9)[1], statistics.bootstrap(values, 50, seed=8)[1])


def test_p_and_interval_agree():
    draws = np.random.default_rng(7).standard_normal(999)
    for bound in np.linspace(-3, 3, 61):
        p, (low, _) = statistics.p_above(draws, bound), statistics.interval(draws, 0.05)
        assert (p <= 0.05) == (low > bound) or abs(p - 0.05) < 0.002


def test_simultaneous_bounds_cover_all_columns_at_once():
    rng = np.random.default_rng(8)
    mix = np.eye(6) + 0.7 * rng.standard_normal((6, 6))
    draws = rng.standard_normal((4000, 6)) @ mix
    missed = {"low": 0, "high": 0, "single": 0}
    for _ in range(400):
        estimate = rng.standard_normal(6) @ mix  # the truth is zero
        low, high = statistics.simultaneous(estimate, draws + estimate, 0.05)
        missed["low"] += (low > 0).any()
        missed["high"] += (high < 0).any()
        missed["single"] += (estimate + np.quantile(draws, 0.05, axis=0) > 0).any()
    assert 8 <= missed["low"] <= 34 and 8 <= missed["high"] <= 34
    assert missed["single"] > 45, "without the correction a peak chosen afterwards would pass too often"
    one = draws[:, :1]
    low, high = statistics.simultaneous(np.zeros(1), one, 0.05)
    np.testing.assert_allclose([low[0], high[0]], np.quantile(one, [0.05, 0.95]) - [one.mean()], atol=0.15)


def test_page_statistic_and_table_are_those_of_scipy():
    rng = np.random.default_rng(9)
    for _ in range(10):
        units = rng.standard_normal((6, 4, 3))
        found = statistics.page_trend(units, 50, 0, 0.05)
        expected = stats.page_trend_test(units.mean(-1), predicted_ranks=[4, 3, 2, 1])
        assert (found["statistic"], found["p_table"]) == (expected.statistic, pytest.approx(expected.pvalue))


def test_page_by_dealing_subsets_holds_its_level_where_the_table_does_not():
    """Null units whose subsets lift all tasks at once, as training runs do."""
    rng = np.random.default_rng(10)
    found = []
    for seed in range(300):
        units = 0.5 * rng.standard_normal((6, 4, 3)) + rng.standard_normal((1, 4, 3))
        found.append(statistics.page_trend(units, 300, seed, 0.05))
    assert np.mean([one["low"] > 0 for one in found]) <= 0.08
    assert np.mean([one["p_table"] <= 0.05 for one in found]) > 0.15


def test_page_finds_a_trend_and_its_reverse():
    units = 0.5 * np.random.default_rng(11).standard_normal((6, 4, 3)) + np.array([3.0, 2, 1, 0])[:, None]
    assert statistics.page_trend(units, 500, 0, 0.05)["low"] > 0
    assert statistics.page_trend(units[:, ::-1], 500, 0, 0.05)["high"] < 0
