"""Scaling laws: planted ones come back, SciPy and brute force find nothing better, intervals cover what they say, ratios."""

import itertools
import time

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit, nnls

from scripts.lib import laws
from scripts.lib.laws import Law

# of arXiv 2510.01631, table 4 (tokens in billions): natural web text, and a third of it rephrased
CC = Law(2.82671678, 0, 0, 1.75424788, 0.55550749)
HQ = Law(2.50490252, 0, 0, 1.78983191, 0.48672269)
BUDGETS = np.array([1, 2, 5, 10, 20, 50, 100.0])
CHINCHILLA = Law(1.8172, 482.01, 0.3478, 2085.43, 0.3658)  # as refitted by Besiroglu et al. 2024
N, D = (each.ravel() for each in np.meshgrid([1e8, 3e8, 1e9, 3e9], [2e9, 1e10, 5e10, 2e11]))


def table(planted, budgets=BUDGETS, seeds=1, noise=0.005, shared=0.0, random=0):
    """Runs of arms with planted laws of tokens; a share of the noise's variance is common to the arms of a seed."""
    rng = np.random.default_rng(random)
    common, shape = rng.normal(size=(len(budgets), seeds)), (len(budgets), seeds)
    parts = []
    for arm, law in planted.items():
        error = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=shape)
        loss = laws.value(law, D=budgets)[:, None] * (1 + noise * error)
        runs = {"arm": arm, "tokens": np.repeat(budgets, seeds), "seed": np.tile(range(seeds), len(budgets))}
        parts.append(pd.DataFrame({**runs, "loss": loss.ravel()}))
    return pd.concat(parts, ignore_index=True)


def relative(found, planted):
    return max(abs(one / other - 1) if other else abs(one) for one, other in zip(found, planted, strict=True))


# --- what a law says --------------------------------------------------------------------------------------------------------


def test_values_at_published_budgets():
    """Computed by hand from the printed coefficients."""
    assert laws.value(CC, D=np.array([1, 10, 100, 8000])) == pytest.approx([4.581, 3.315, 2.963, 2.839], abs=5e-4)
    assert laws.value(Law(2.491062, 0.56088365, 0.37639592, 0, 0), N=1.0) == pytest.approx(3.052, abs=5e-4)
    assert laws.value(CHINCHILLA, 1e9, 2e10) == pytest.approx(1.8172 + 482.01 / 1e9**0.3478 + 2085.43 / 2e10**0.3658)


def test_draws_come_first_and_points_broadcast():
    drawn = Law(*(np.full(4, each) for each in CHINCHILLA))
    assert laws.value(drawn, np.ones(3) * 1e9, 1e10).shape == (4, 3) and laws.value(drawn, 1e9, 1e10).shape == (4,)
    assert laws.value(CHINCHILLA, N, D).shape == (16,)
    loss = laws.value(drawn, 1e9, np.array([1e9, 1e10]))
    assert laws.inverse_tokens(drawn, loss, 1e9) == pytest.approx(np.tile([1e9, 1e10], (4, 1)))
    with pytest.raises(ValueError, match="expected parameters N"):
        laws.value(CHINCHILLA, D=1e9)
    with pytest.raises(ValueError, match="expected parameters N"):
        laws.inverse_tokens(CHINCHILLA, 3.0)


def test_tokens_for_a_loss_and_parameters_by_exchange():
    assert laws.inverse_tokens(CC, np.array([4.580965, 2.9, 2.82, 1.0])) == pytest.approx([1, 303.8, np.inf, np.inf], rel=1e-3)
    assert laws.inverse_tokens(laws.exchanged(CHINCHILLA), laws.value(CHINCHILLA, 7e8, 1e10), 1e10) == pytest.approx(7e8)


def test_speedups_are_those_computed_from_the_printed_table():
    budgets = np.array([5, 10, 20, 50, 100, 200, 1000])
    assert laws.speedup(HQ, CC, budgets) == pytest.approx([1.64, 1.96, 2.53, 3.97, 6.07, 9.89, 37.0], rel=3e-3)
    assert laws.speedup(HQ, CC, np.array([74, 203])) == pytest.approx([5, 10], rel=0.02)


def test_a_speedup_is_infinite_below_the_others_floor_and_nothing_above_ones_own():
    after = laws.speedup_after(HQ, CC, np.array([10, 33, 35, 1000]))
    assert np.isfinite(after[:2]).all() and np.isinf(after[2:]).all()  # at 34B the mix has the loss that is CC's floor
    assert after[0] == pytest.approx(laws.inverse_tokens(CC, laws.value(HQ, D=10)) / 10)
    assert (laws.speedup(CC, HQ, np.array([35.0, 1000])) == 0).all()
    assert laws.speedup(CC, CC, BUDGETS) == pytest.approx(1)
    flat = laws.fit_tokens(BUDGETS, np.full(7, 3.0))
    assert (laws.speedup(flat, CC, np.array([1.0, 100])) == [np.inf, 0]).all() and np.isfinite(laws.speedup(CC, flat, 5.0))
    drawn = np.concatenate([np.full(60, 3.0), np.full(40, np.inf)])
    assert laws.interval(drawn) == (3, np.inf) and laws.interval(np.arange(1001.0)) == (25, 975)


def test_relative_mean_absolute_error():
    assert laws.rmabe([1.1, 2], [1, 2]) == pytest.approx(5)
    assert laws.rmabe([3, 3], [2, 4]) == pytest.approx(37.5)


# --- fits -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1.0, 1e9])
@pytest.mark.parametrize("planted", [CC, HQ, Law(3.267, 0, 0, 2.256, 0.384), Law(0.9, 0, 0, 3.0, 0.08), Law(0, 0, 0, 5, 0.2)])
def test_planted_laws_of_tokens_and_of_parameters_come_back(planted, unit):
    scaled = planted._replace(B=planted.B * unit**planted.beta)
    loss = laws.value(planted, D=BUDGETS)
    assert relative(laws.fit_tokens(unit * BUDGETS, loss), scaled) < 1e-6
    assert relative(laws.fit_parameters(unit * BUDGETS, loss), laws.exchanged(scaled)) < 1e-6


@pytest.mark.parametrize("planted", [CHINCHILLA, Law(2.07, 3000, 0.459, 6e4, 0.52), Law(0.5, 60, 0.12, 9e6, 0.8)])
def test_planted_joint_laws_come_back_both_ways(planted):
    loss = laws.value(planted, N, D)
    assert relative(laws.fit_joint(N, D, loss), planted) < 1e-6
    assert relative(laws.fit_huber(laws.fit_joint, loss, N=N, D=D), planted) < 1e-6


def squares(law, loss, **at):
    return float(((laws.value(law, **at) / loss - 1) ** 2).sum())


@pytest.mark.parametrize("random", range(4))
def test_nothing_fits_noisy_runs_better(random):
    """Independent references: SciPy's curve_fit over all numbers from the truth, and a grid with SciPy's nnls."""
    rng = np.random.default_rng(random)
    loss = laws.value(CC, D=BUDGETS) * (1 + 0.005 * rng.normal(size=7))
    found = laws.fit_tokens(BUDGETS, loss)
    other, _ = curve_fit(lambda x, e, b, beta: e + b / x**beta, BUDGETS, loss, [2.8, 1.7, 0.55], loss, bounds=(0, [9, 99, 5]))
    best = squares(Law(other[0], 0, 0, *other[1:]), loss, D=BUDGETS)
    assert squares(found, loss, D=BUDGETS) <= best * (1 + 1e-9) and found == pytest.approx(
        (other[0], 0, 0, *other[1:]), rel=1e-3
    )
    joint = laws.value(CHINCHILLA, N, D) * (1 + 0.005 * rng.normal(size=len(N)))
    found = laws.fit_joint(N, D, joint)
    grid = [
        nnls(np.column_stack([np.ones(16), (N / 1e9) ** -a, (D / 1e10) ** -b]) / joint[:, None], np.ones(16))[1] ** 2
        for a, b in itertools.product(np.geomspace(0.05, 2, 24), repeat=2)
    ]
    cost = squares(found, joint, N=N, D=D)
    assert cost <= min(grid) <= 2 * cost


def test_no_number_is_negative():
    """A loss that falls ever faster wants a floor below zero; one that rises wants a negative amount."""
    falling = 5 - 0.4 * np.log(BUDGETS)
    found = laws.fit_tokens(BUDGETS, falling)
    assert found.E == 0 and found.B > 0
    powers = BUDGETS[:, None] ** -np.linspace(0.05, 1, 400)
    rest = min(nnls(np.column_stack([np.ones(7), p]) / falling[:, None], np.ones(7))[1] ** 2 for p in powers.T)
    assert squares(found, falling, D=BUDGETS) <= rest * (1 + 1e-9)
    rising = laws.fit_tokens(BUDGETS, 3 + 0.01 * BUDGETS)
    assert rising.B == 0 and rising.E > 3


def test_the_huber_loss_agrees_with_least_squares():
    """Where residuals are below its bound it is least squares of logs; above it, about their absolute values."""
    rng = np.random.default_rng(3)
    for noise, tolerance in ((1e-4, 1e-6), (0.005, 0.005)):
        loss = laws.value(CC, D=BUDGETS) * (1 + noise * rng.normal(size=7))
        found, huber = laws.fit_tokens(BUDGETS, loss), laws.fit_huber(laws.fit_tokens, loss, D=BUDGETS)
        assert laws.value(huber, D=BUDGETS) == pytest.approx(laws.value(found, D=BUDGETS), rel=tolerance)

        def objective(law, loss=loss):
            error = np.abs(np.log(laws.value(law, D=BUDGETS) / loss)) / laws.DELTA
            return np.where(error <= 1, error**2 / 2, error - 0.5).sum()

        assert objective(huber) <= objective(found)
        starts = (
            huber._replace(E=huber.E * e, B=huber.B * b, beta=huber.beta * g) for e, b, g in rng.normal(1, 3e-3, (300, 3))
        )
        assert objective(huber) <= min(map(objective, starts))


def test_the_huber_loss_is_summed():
    """An average over many runs would be so small that the search stops at once (Besiroglu et al. 2024)."""
    loss = np.tile(laws.value(CC, D=BUDGETS), 200)
    found = laws.fit_huber(laws.fit_tokens, loss, D=np.tile(BUDGETS, 200))
    assert relative(found, CC) < 1e-6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((BUDGETS, -np.ones(7)), "tokens, loss: expected finite numbers above 0"),
        ((BUDGETS[:2], np.ones(2)), "2 runs: expected 3 or more"),
        ((np.array([1, 1, 2, 2.0]), np.ones(4)), "tokens: 2 different: expected three or more"),
    ],
)
def test_what_cannot_be_fitted(given, message):
    with pytest.raises(ValueError, match=message):
        laws.fit_tokens(*given)


def test_budgets_in_proportion_to_size_leave_the_two_terms_open():
    with pytest.raises(ValueError, match="expected sizes and budgets that vary on their own"):
        laws.fit_joint(N, 20 * N, np.ones(16))


# --- intervals --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seeds", "repetitions"), [(1, 50), (3, 50)])
def test_intervals_of_losses_and_ratios_cover_90_to_99_per_cent(seeds, repetitions):
    """With one seed a budget, by residuals, and with three, by seeds: the share of 95 % intervals with the truth inside."""
    at, truth = np.array([5.0, 100, 200]), {"cc": CC, "hq": HQ}
    covered = []
    for random in range(repetitions):
        drawn = laws.bootstrap(table(truth, seeds=seeds, random=random), truth, laws.fit_tokens, 200, random)
        low, high = laws.interval(laws.value(drawn["cc"], D=at))
        exact = laws.value(CC, D=at)
        inside = [*(low <= exact) & (exact <= high)]
        low, high = laws.interval(laws.speedup(drawn["hq"], drawn["cc"], at[1:]))
        exact = laws.speedup(HQ, CC, at[1:])
        covered.append([*inside, *(low <= exact) & (exact <= high)])
    assert 0.90 <= np.mean(covered) <= 0.99, np.mean(covered, axis=0)


def test_arms_are_redrawn_together():
    both = table({"a": CC, "b": CC}, noise=0.005, shared=1.0)
    drawn = laws.bootstrap(both, ["a", "b"], laws.fit_tokens, 50, 1)
    assert all(np.array_equal(x, y) for x, y in zip(drawn["a"], drawn["b"], strict=True))
    assert len(np.unique(drawn["a"].E)) > 40
    for seeds in (1, 3):
        width = []
        for shared in (0.0, 0.98):
            drawn = laws.bootstrap(table({"a": CC, "b": HQ}, seeds=seeds, shared=shared), ["a", "b"], laws.fit_tokens, 200, 1)
            gap = laws.value(drawn["a"], D=100.0) - laws.value(drawn["b"], D=100.0)
            width.append(np.subtract(*laws.interval(gap)[::-1]))
        assert width[1] < 0.5 * width[0], "what arms share must cancel from their difference"


def test_an_arm_without_some_budget_is_redrawn_with_the_others():
    runs = table({"a": CC, "b": CC}, seeds=2, shared=1.0)
    short = runs[(runs["arm"] == "a") | (runs["tokens"] < 100)]
    seeds = laws.bootstrap(short, ["a", "b"], laws.fit_tokens, 30, 1)
    whole = laws.bootstrap(runs, ["a"], laws.fit_tokens, 30, 1)
    assert np.array_equal(seeds["a"].E, whole["a"].E) and seeds["b"].E.shape == (30,)
    one = short[short["seed"] == 0]
    assert np.isfinite(laws.bootstrap(one, ["a", "b"], laws.fit_tokens, 30, 1)["b"].E).all()


def test_seeds_are_compared_with_their_budget_and_single_runs_with_the_law():
    """With no noise between seeds, only a law that does not hold leaves anything; seeds know nothing of it."""
    bent = table({"a": CC}, seeds=2, noise=0.0)
    bent["loss"] *= 1 + 0.01 * np.sin(3 * np.log(bent["tokens"]))
    seeds = laws.bootstrap(bent, ["a"], laws.fit_tokens, 40, 1)["a"]
    assert np.ptp(laws.value(seeds, D=100.0)) < 1e-9
    residuals = laws.bootstrap(bent[bent["seed"] == 0], ["a"], laws.fit_tokens, 40, 1)["a"]
    assert np.ptp(laws.value(residuals, D=100.0)) > 0.01


def test_joint_laws_have_intervals_too():
    rng = np.random.default_rng(2)
    runs = pd.DataFrame({"arm": "a", "parameters": N, "tokens": D, "loss": laws.value(CHINCHILLA, N, D)})
    runs["loss"] *= 1 + 0.002 * rng.normal(size=16)
    drawn = laws.bootstrap(runs, ["a"], laws.fit_joint, 60, 1)["a"]
    low, high = laws.interval(laws.value(drawn, 3e9, 4e11))
    assert low < laws.value(CHINCHILLA, 3e9, 4e11) < high < low * 1.03


@pytest.mark.parametrize(
    ("change", "fit", "message"),
    [
        (lambda t: t[t["tokens"] < 10], laws.fit_tokens, "arm a: 3 runs, not all with two seeds: expected 4 or more"),
        (lambda t: t.assign(parameters=t["tokens"]), laws.fit_tokens, "arm a: 7 different parameters: expected one"),
        (lambda t: pd.concat([t, t]), laws.fit_tokens, "arm a: two runs of parameters 1.0, tokens 1.0, seed 0"),
        (lambda t: t.assign(tokens=1.0, seed=range(7)), laws.fit_tokens, "arm a: tokens: 1 different: expected three"),
    ],
)
def test_what_has_no_interval_is_named(change, fit, message):
    with pytest.raises(ValueError, match=message):
        laws.bootstrap(change(table({"a": CC})), ["a"], fit, 10, 1)


def test_held_out_runs_are_predicted_from_the_others():
    runs = table({"a": CC, "b": HQ}, noise=0.0)
    runs = runs[(runs["arm"] == "a") | (runs["tokens"] < 100)]
    held = laws.hold_out(runs, ["a", "b"], laws.fit_tokens, "tokens", 20, 1)
    assert list(held["arm"]) == ["a"] and laws.rmabe(held["predicted"], held["loss"]) < 1e-6
    assert held["last"].item() == pytest.approx(laws.value(CC, D=50.0))
    changed = runs.assign(loss=runs["loss"].where(runs["tokens"] < 100, 9.0))
    assert laws.hold_out(changed, ["a"], laws.fit_tokens, "tokens", 20, 1)["predicted"].item() == pytest.approx(
        held["predicted"].item()
    ), "what is held out must not be looked at"
    assert laws.hold_out(runs, ["b"], laws.fit_tokens, "tokens", 20, 1).empty
    joint = pd.DataFrame({"arm": "a", "parameters": N, "tokens": D, "loss": laws.value(CHINCHILLA, N, D)})
    held = laws.hold_out(joint, ["a"], laws.fit_joint, "parameters", 20, 1)
    assert len(held) == 4 and laws.rmabe(held["predicted"], held["loss"]) < 1e-5
    assert held["last"].to_numpy() == pytest.approx(laws.value(CHINCHILLA, 1e9, held["tokens"].to_numpy()))


def test_ten_arms_a_thousand_times_in_seconds():
    """The bar is 60 s on one slow core; this takes about two."""
    arms = {f"arm {k}": CC._replace(E=CC.E - 0.02 * k) for k in range(10)}
    runs = table(arms)
    start = time.process_time()
    drawn = laws.bootstrap(runs, arms, laws.fit_tokens, 1000, 1)
    assert time.process_time() - start < 30
    assert all(law.E.shape == (1000,) for law in drawn.values())
