"""Statistics against SciPy, statsmodels, closed forms, and simulations of known truth."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from scripts.lib import claims, statistics


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
        assert (found["page_l"], found["p_table"]) == (expected.statistic, pytest.approx(expected.pvalue))


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


def test_wilson_is_that_of_statsmodels():
    rng = np.random.default_rng(12)
    n = rng.integers(1, 400, 200)
    count = rng.integers(0, n + 1)
    count[:2] = 0, n[1]
    for level in (0.025, 0.1):
        expected = proportion_confint(count, n, alpha=2 * level, method="wilson")
        np.testing.assert_allclose(statistics.wilson(count, n, level), expected, atol=1e-12)
    assert np.round(statistics.wilson(10, 20, 0.025), 3).tolist() == [0.299, 0.701]
    with pytest.raises(ValueError, match="0 to n"):
        statistics.wilson(3, 2, 0.05)


def normal_draws(estimate, sd=1.0, draws=4001):
    """What a bootstrap would return for a normal estimate: its quantiles, evenly spread."""
    return estimate + sd * stats.norm.ppf((np.arange(draws) + 0.5) / draws)


def test_equivalence_and_non_inferiority_are_the_z_tests_of_statsmodels():
    rng = np.random.default_rng(13)
    for _ in range(20):
        x = rng.normal(rng.uniform(-1, 1), 1, 50)
        test = DescrStatsW(x)
        p, below, above = test.ztost_mean(-0.7, 0.7)
        found = statistics.equivalence(normal_draws(x.mean(), test.std_mean), 0.7, 0.05)
        assert found["p"] == pytest.approx(p, abs=1e-3)
        assert (-0.7 < found["low"] and found["high"] < 0.7) == (p < 0.05)
        one_sided = statistics.non_inferiority(normal_draws(x.mean(), test.std_mean), 0.7, 0.05)
        assert one_sided["p"] == pytest.approx(below[1], abs=1e-3) and (one_sided["low"] > -0.7) == (below[1] < 0.05)
        assert one_sided["p"] <= found["p"] == pytest.approx(max(below[1], above[1]), abs=1e-3)


SAME = {"direction": "=", "published": None, "tolerance": 1.5, "scales": ["laptop"]}
NO_WORSE = {"direction": ">=", "margin": 1.5, "scales": ["laptop"]}


@pytest.mark.parametrize(
    ("claim", "truth", "expected"),
    [
        (SAME, 0.0, "reproduced"),
        (SAME, 3.0, "not reproduced"),
        (SAME, -3.0, "not reproduced"),
        (NO_WORSE, 0.0, "reproduced"),
        (NO_WORSE, 3.0, "reproduced"),
        (NO_WORSE, -3.0, "not reproduced"),
    ],
)
def test_equivalence_and_non_inferiority_find_what_was_planted_and_its_reverse(claim, truth, expected):
    rng = np.random.default_rng(14)
    found = [statistics.equivalence(normal_draws(e, 0.4), 1.5, 0.05) for e in rng.normal(truth, 0.4, 300)]
    assert np.mean([claims.verdict(claim, one["low"], one["high"], "laptop") == expected for one in found]) > 0.9


@pytest.mark.parametrize("truth", [1.5, -1.5])
def test_at_the_margin_equivalence_is_declared_at_its_level(truth):
    rng = np.random.default_rng(15)
    found = [statistics.equivalence(normal_draws(e, 0.4), 1.5, 0.05) for e in rng.normal(truth, 0.4, 600)]
    wrong = sum(claims.verdict(SAME, one["low"], one["high"], "laptop") == "reproduced" for one in found)
    assert stats.binom.ppf(0.001, 600, 0.05) <= wrong <= stats.binom.ppf(0.999, 600, 0.05)
    assert wrong == sum(one["p"] <= 0.05 for one in found)


def peaked(rng, tables, lift):
    """Scores of two arms at five epochs, 200 items, one subset; the first arm is higher by ``lift`` at its third epoch."""
    for _ in range(tables):
        item = rng.standard_normal((200, 1, 1, 1))
        values = item + rng.standard_normal((200, 2, 1, 1)) + 0.5 * rng.standard_normal((200, 2, 5, 1))
        values += np.array([0, 0.4, 0.5, 0.2, 0.0])[:, None]
        values[:, 0, 2] += lift
        yield values


@pytest.mark.parametrize(("lift", "least", "most"), [(0.0, 0.0, 0.075), (0.5, 0.95, 1.0)])
def test_a_difference_of_peaks_holds_its_level_and_finds_what_was_planted(lift, least, most):
    above, below = 0, 0
    for values in peaked(np.random.default_rng(16), 300, lift):
        estimate, drawn = statistics.bootstrap([values], 300, seed=0)
        found = statistics.peak_difference(estimate, drawn, 0, 1, 0.05)
        back = statistics.peak_difference(estimate, drawn, 1, 0, 0.05)
        assert found["estimate"] == pytest.approx(values.mean((0, 3))[0].max() - values.mean((0, 3))[1].max())
        assert (back["low"], back["high"]) == (-found["high"], -found["low"]), "arms exchanged: the verdict flips"
        assert found["low"] <= found["estimate"] <= found["high"]
        above, below = above + (found["low"] > 0), below + (found["high"] < 0)
    assert least <= above / 300 <= most
    assert below / 300 <= 0.075 and (lift == 0 or below == 0)


def test_peaks_of_a_flat_and_of_a_peaked_arm_can_be_compared():
    """The truth is equal peaks; the flat arm has five chances to look high, which must not decide."""
    rng = np.random.default_rng(17)
    errors = []
    for _ in range(300):
        values = rng.standard_normal((150, 2, 5, 1))
        values[:, 1, [0, 1, 3, 4]] -= 1.0
        estimate, drawn = statistics.bootstrap([values], 300, seed=0)
        found = statistics.peak_difference(estimate, drawn, 0, 1, 0.05)
        naive = statistics.interval(drawn[:, 0].max(1) - drawn[:, 1].max(1), 0.05)
        errors.append((found["low"] > 0, found["high"] < 0, naive[0] > 0))
    low, high, naive = np.mean(errors, axis=0)
    assert low <= 0.075 and high <= 0.075
    assert naive > 0.15, "percentiles of drawn maxima would decide"


def test_the_t_interval_over_replicates_is_that_of_scipy():
    rng = np.random.default_rng(18)
    for n in (2, 3, 8):
        x = rng.normal(0.5, 1, n)
        estimate, low, high = statistics.t_interval(x, 0.05)
        assert (low, high) == pytest.approx(stats.t.interval(0.9, n - 1, x.mean(), stats.sem(x))) and estimate == x.mean()
        above = stats.ttest_1samp(x, -1.0, alternative="greater").pvalue
        below = stats.ttest_1samp(x, 1.0, alternative="less").pvalue
        assert statistics.t_p_within(x, -1.0, np.inf) == pytest.approx(above)
        assert statistics.t_p_within(x, -1.0, 1.0) == pytest.approx(max(above, below))
        assert (statistics.t_p_within(x, -1.0, 1.0) <= 0.05) == (-1.0 < low and high < 1.0)
    assert (statistics.t_p_within(np.ones(2), 0, np.inf), statistics.t_p_within(np.ones(2), 2, np.inf)) == (0.0, 1.0)
    with pytest.raises(ValueError, match="1 replicates"):
        statistics.t_interval([1.0], 0.05)


def test_the_t_interval_over_three_replicates_covers():
    x = np.random.default_rng(19).standard_normal((2000, 3))
    wrong = sum(statistics.t_interval(row, 0.05)[1] > 0 for row in x)
    assert stats.binom.ppf(0.001, 2000, 0.05) <= wrong <= stats.binom.ppf(0.999, 2000, 0.05)


def test_ratio_is_fiellers_interval_and_has_no_ends_without_a_whole():
    rng = np.random.default_rng(0)
    part, whole = rng.normal(2.0, 0.3, 200_000), rng.normal(5.0, 0.5, 200_000)
    low, high = statistics.ratio(part, whole, 0.05)
    z2, a, b = 1.644854**2, 2.0, 5.0
    # Fieller (1954), independent normal estimates: (a - r b)^2 = z^2 (0.3^2 + r^2 0.5^2)
    roots = np.roots([b**2 - z2 * 0.5**2, -2 * a * b, a**2 - z2 * 0.3**2])
    assert (low, high) == pytest.approx(tuple(sorted(roots)), abs=0.005)
    assert statistics.ratio(part, rng.normal(0.2, 0.5, 200_000), 0.05) == (-np.inf, np.inf)


def test_ratio_with_a_whole_that_is_below_zero_in_a_few_draws():
    rng = np.random.default_rng(1)
    part, whole = rng.normal(1.0, 0.2, 100_000), rng.normal(1.0, 0.5, 100_000)
    assert 0 < (whole < 0).mean() < 0.05
    low, high = statistics.ratio(part, whole, 0.05)
    z2 = 1.644854**2
    roots = np.roots([1 - z2 * 0.25, -2, 1 - z2 * 0.04])
    assert (low, high) == pytest.approx(tuple(sorted(roots)), rel=0.03)


def test_newcombes_own_example():
    estimate, low, high = statistics.newcombe(np.array([56, 48]), np.array([70, 80]), 0.025)
    assert (estimate, low, high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
