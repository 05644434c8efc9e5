"""Statistics of one figure: scores per item in arrays in, estimates and draws out; nothing is read or written.

Scores stand in one array per task of shape (items, arms, columns, subsets): an arm is what is compared (a source of text),
a column is what is looked at in each arm (an epoch, or the area over epochs), a subset is one sample of text and the run
trained on it. The same items are asked of every arm; a subset belongs to one arm.
"""

from functools import lru_cache

import numpy as np
from scipy import stats


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's (1979) step-down adjusted p-values: ``holm([0.01, 0.04, 0.03])`` is ``[0.03, 0.06, 0.06]``."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(adjusted, 1.0)
    return out


def holm_levels(p: np.ndarray, level: float) -> np.ndarray:
    """The level at which Holm tests each hypothesis, so that an interval at that level agrees with Holm's decision.

    The k-th smallest of m p-values is tested at level / (m - k + 1) until one fails; that one and all larger ones keep the
    level at which it failed: ``holm_levels([0.001, 0.2, 0.04], 0.05)`` is ``[0.05 / 3, 0.05 / 2, 0.05 / 2]``.
    """
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    steps = level / np.arange(len(p), 0, -1)
    failed = np.flatnonzero(p[order] > steps)
    if len(failed):
        steps[failed[0] :] = steps[failed[0]]
    out = np.empty_like(p)
    out[order] = steps
    return out


def area_weights(epochs: np.ndarray) -> np.ndarray:
    """Weights w so that ``w @ change`` is the mean change over log(1 + epoch): the trapezoid area over log(1 + last epoch).

    ``epochs`` ascend from 0; the result has their length and sums to 1, so that the area has the unit of the change. For epochs
    0 and 1 it is [1/2, 1/2].
    """
    x = np.log1p(np.asarray(epochs, float))
    if x[0] != 0 or len(x) < 2 or np.any(np.diff(x) <= 0):
        raise ValueError(f"epochs {list(epochs)}: expected ascending epochs from 0 on, two or more")
    width = np.diff(x)
    return (np.append(width, 0) + np.append(0, width)) / 2 / x[-1]


def bootstrap(values: list[np.ndarray], draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Means over tasks of the means over items and subsets, (arms, columns), and draws of them, (draws, arms, columns).

    One draw has two parts. Items are resampled with replacement within each task, the same in all arms, columns and subsets.
    Subsets are resampled as rows of deviations from their arm's mean, pooled over arms: three subsets alone have ten distinct
    resamples, and their variance would be too small by a third. The pooled variance s^2 is itself uncertain, with
    f = arms * (subsets - 1) degrees of freedom: each draw puts f s^2 / chi^2_f in its place, as generalised confidence
    intervals do (Weerahandi 1993), less the part of s^2 that is item noise of single subsets, which the first part has already.
    Pooling assumes that arms spread alike (in null worlds where two of four arms spread four times as much as the others, a
    contrast passes 15 % of the time instead of 5 %). With one subset an arm only items are covered.
    """
    rng = np.random.default_rng(seed)
    values = [np.asarray(v, float) for v in values]
    tasks, (arms, columns, subsets) = len(values), values[0].shape[1:]
    units = np.mean([v.mean(0) for v in values], axis=0)  # (arms, columns, subsets)
    estimate = units.mean(-1)
    out = np.zeros((draws, arms * columns))
    for task, v in enumerate(values):
        flat = np.ascontiguousarray(v.mean(-1).reshape(len(v), -1), np.float32) / (len(v) * tasks)
        step = max(1, (1 << 20) // len(v))
        for start in range(0, draws, step):
            stop = min(start + step, draws)
            out[start:stop] += _resampling_counts(len(v), stop - start, seed, task, start).astype(np.float32) @ flat
    out = out.reshape(draws, arms, columns)
    freedom = arms * (subsets - 1)
    if freedom:
        deviations = (units - estimate[..., None]).transpose(0, 2, 1).reshape(-1, columns)  # (arms * subsets, columns)
        variance = (deviations**2).sum(0) / freedom
        scale = np.sqrt(freedom / len(deviations) * np.where(variance > 0, variance, 1))
        spread = freedom / rng.chisquare(freedom, (draws, 1)) * variance - _item_noise(values)
        picked = (deviations / scale)[rng.integers(len(deviations), size=(draws, arms, subsets))].mean(2)
        out += picked * np.sqrt(np.maximum(spread, 0))[:, None, :]
    return estimate, out


@lru_cache(maxsize=32)
def _resampling_counts(items: int, draws: int, *seeds: int) -> np.ndarray:
    """How often each item is drawn, (draws, items) as uint8; kept (1 MiB each), since they do not depend on the scores."""
    picked = np.random.default_rng(seeds).integers(items, size=(draws, items), dtype=np.int32)
    picked += np.arange(draws, dtype=np.int32)[:, None] * items
    return np.bincount(picked.ravel(), minlength=draws * items).reshape(draws, items).astype(np.uint8)


def _item_noise(values: list[np.ndarray]) -> np.ndarray:
    """The variance of one subset's mean that comes from items differing between subsets of an arm, per column."""
    total = 0.0
    for v in values:
        items, subsets = len(v), v.shape[-1]
        rest = v - v.mean(-1, keepdims=True)
        rest -= rest.mean(0, keepdims=True)
        total = total + (rest**2).sum((0, 3)).mean(0) / ((items - 1) * (subsets - 1)) / items
    return total / len(values) ** 2


def p_above(draws: np.ndarray, bound: float) -> np.ndarray:
    """One-sided p-values, over the first axis of ``draws``, for the hypothesis that the truth is at most ``bound``."""
    return (1 + (draws <= bound).sum(0)) / (1 + len(draws))


def interval(draws: np.ndarray, level: float) -> tuple[float, float]:
    """The percentile interval that leaves ``level`` on either side: each end is a one-sided bound at ``level``."""
    low, high = np.quantile(draws, [level, 1 - level])
    return float(low), float(high)


def p_below(draws: np.ndarray, bound: float) -> np.ndarray:
    """One-sided p-values, over the first axis of ``draws``, for the hypothesis that the truth is at least ``bound``."""
    return (1 + (draws >= bound).sum(0)) / (1 + len(draws))


def equivalence(draws: np.ndarray, margin: float, level: float) -> dict[str, float]:
    """Two one-sided tests (Schuirmann 1987) that the truth lies within ``margin`` of zero, as an interval statement.

    Equivalence is shown at ``level`` where the 1 - 2 level interval (low, high) lies inside (-margin, margin); ``p`` is the
    larger of the two one-sided p-values. Whether the truth differs from zero is another question: both can hold at once.
    """
    low, high = interval(draws, level)
    return {"low": low, "high": high, "level": level, "p": float(max(p_above(draws, -margin), p_below(draws, margin)))}


def non_inferiority(draws: np.ndarray, margin: float, level: float) -> dict[str, float]:
    """One one-sided test that the truth is above -margin: shown at ``level`` where ``low`` is above -margin."""
    low, high = interval(draws, level)
    return {"low": low, "high": high, "level": level, "p": float(p_above(draws, -margin))}


def peak_difference(estimate: np.ndarray, draws: np.ndarray, first: int, second: int, level: float) -> dict[str, float]:
    """The peak over columns of one arm minus that of another, with bounds, from what ``bootstrap`` returned.

    A maximum of noisy columns lies too high, the more so the flatter the arm, and percentiles of drawn maxima would find a flat
    arm above a peaked one in 24 of 100 null worlds at 5 %. So the low bound is built from columns: whichever column the second
    arm's true peak stands in, simultaneous low bounds over the first arm's columns hold against it; ``low`` is the largest
    column's smallest bound. ``high`` is that of the arms exchanged, mirrored. Both are valid one-sided bounds at ``level``,
    conservative where arms are flat.
    """

    def lowest(one: int, other: int) -> float:
        bounds = [
            simultaneous(estimate[one] - estimate[other, c], draws[:, one] - draws[:, other, c, None], level)[0]
            for c in range(estimate.shape[1])
        ]
        return float(np.min(bounds, axis=0).max())

    peaks = estimate.max(1)
    found = {"low": lowest(first, second), "high": -lowest(second, first), "level": level}
    return {"estimate": float(peaks[first] - peaks[second]), **found}


def ratio(part: np.ndarray, whole: np.ndarray, level: float) -> tuple[float, float]:
    """Bounds of the ratio of two truths, ``level`` on either side, from joint draws of them (draws,) each.

    Fieller's (1954) argument on draws: a ratio r is left in while draws of part - r * whole lie neither above nor below zero at
    ``level``. (-inf, inf) where the whole itself is not shown to be above zero at ``level``, as any ratio may be true then.
    """
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    if np.quantile(whole, level) <= 0:
        return -np.inf, np.inf
    ratios = part / whole
    order = np.argsort(ratios, kind="stable")
    # the share of draws with part - r * whole at most 0, just after each r: up by draws whose whole is above 0, else down
    below = ((whole < 0).sum() + np.cumsum(np.where(whole > 0, 1, -1)[order])) / len(whole)
    return float(ratios[order][below > level][0]), float(ratios[order][below < 1 - level][-1])


def newcombe(count: np.ndarray, n: np.ndarray, level: float) -> tuple[float, float, float]:
    """Difference of two independent shares, first less second, with Newcombe's (1998) hybrid score interval.

    (estimate, low, high), ``level`` on either side: 56 of 70 less 48 of 80 at 0.025 is (0.2, 0.0524, 0.3339), his example.
    """
    low, high = wilson(np.asarray(count), np.asarray(n), level)
    p = np.asarray(count, float) / np.asarray(n, float)
    difference = p[0] - p[1]
    down, up = np.hypot(p[0] - low[0], high[1] - p[1]), np.hypot(high[0] - p[0], p[1] - low[1])
    return float(difference), float(difference - down), float(difference + up)


def wilson(count: int | np.ndarray, n: int | np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's (1927) score interval of a share, ``level`` on either side: 10 of 20 at 0.025 is (0.299, 0.701)."""
    count, n = np.asarray(count, float), np.asarray(n, float)
    if np.any(n < 1) or np.any(count < 0) or np.any(count > n):
        raise ValueError(f"counts {count} of {n}: expected 0 to n of 1 or more")
    z2 = stats.norm.isf(level) ** 2
    middle, half = count + z2 / 2, np.sqrt(z2 * (count * (n - count) / n + z2 / 4))
    return np.where(count == 0, 0.0, (middle - half) / (n + z2)), np.where(count == n, 1.0, (middle + half) / (n + z2))


def t_interval(values: np.ndarray, level: float) -> tuple[float, float, float]:
    """Mean of independent replicates and Student's t interval with ``level`` on either side: (estimate, low, high).

    Raises:
        ValueError: with fewer than two replicates, which say nothing about their spread.
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        raise ValueError(f"{len(values)} replicates: expected two or more")
    half = stats.t.isf(level, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def t_p_within(values: np.ndarray, least: float, most: float) -> float:
    """The p-value of the t test over replicates that the truth lies in (least, most), either of which may be infinite.

    The larger of two one-sided p-values: it is at most ``level`` exactly where ``t_interval`` at that level lies inside.
    """
    values = np.asarray(values, float)
    error = values.std(ddof=1) / np.sqrt(len(values))
    p = []
    for distance in (values.mean() - least, most - values.mean()):
        if np.isfinite(distance):
            p.append(float(stats.t.sf(distance / error, len(values) - 1)) if error > 0 else float(distance <= 0))
    return max(p)


def simultaneous(estimate: np.ndarray, draws: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Simultaneous bounds (low, high) over columns by the max-statistic, each side at ``level``.

    ``estimate`` has shape (columns,), ``draws`` (draws, columns). The largest low bound is a low bound of the largest truth, so
    it tells whether a peak chosen after looking at all columns stands above zero (Westfall and Young 1993, single step).
    """
    spread = np.maximum(draws.std(0, ddof=1), 1e-12)
    standard = (draws - estimate) / spread
    above, below = np.quantile(standard.max(1), 1 - level), np.quantile((-standard).max(1), 1 - level)
    return estimate - above * spread, estimate + below * spread


def page_trend(units: np.ndarray, permutations: int, seed: int, level: float) -> dict[str, float]:
    """Page's (1963) trend test with tasks as blocks, for arms given in the claimed order from highest to lowest.

    ``units`` has shape (tasks, arms, subsets). Returns the statistic ``page_l`` and ``p_table`` from its null distribution with
    independent blocks (SciPy). But a lucky subset lifts all tasks at once, so that blocks are not independent and that p is too
    small. The null that decides deals whole subsets, less their arm's mean, to arms at random: from it are ``p``,
    ``estimate`` (L less its mean without trend), ``low`` and ``high`` (L less the null's quantiles, ``level`` on either side).
    With one subset an arm, whole arms are dealt, which four arms can hardly reject.
    """
    tasks, arms, subsets = units.shape
    ranks = np.arange(arms, 0, -1)
    observed = float((stats.rankdata(units.mean(-1), axis=-1) * ranks).sum())
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(arms * subsets), (permutations, 1)), axis=1)
    residuals = units - (units.mean(-1, keepdims=True) if subsets > 1 else 0)
    means = residuals.reshape(tasks, -1)[:, orders].reshape(tasks, permutations, arms, subsets).mean(-1)
    null = (stats.rankdata(means, axis=-1) * ranks).sum((0, 2))
    center = tasks * arms * (arms + 1) ** 2 / 4
    low, high = observed - np.quantile(null, [1 - level, level])
    return {
        "page_l": observed,
        "estimate": observed - center,
        "low": float(low),
        "high": float(high),
        "level": level,
        "p": (1 + int((null >= observed - 1e-9).sum())) / (1 + permutations),
        "p_table": float(stats.page_trend_test(units.mean(-1), predicted_ranks=ranks).pvalue),
    }
