"""Scaling laws: losses of runs in, fitted laws, their intervals and iso-loss ratios out; nothing is read or written.

L(D) = E + B / D**beta, L(N) = E + A / N**alpha and L(N, D) = E + A / N**alpha + B / D**beta (Hoffmann et al. 2022), with N
parameters, D training tokens and L nats a token; A and B have the units that N and D are given in. A run is a line of a table
with the columns arm, parameters, tokens, loss and, where there are several, seed; a cell is one arm's runs of equal N and D.

For given exponents the rest is linear and not negative, so only exponents are searched, in one dimension or two (variable
projection, Golub and Pereyra 1973): a grid of them, shared by all redrawn losses of a table, then Levenberg-Marquardt steps
from the best of the grid for each. ``fit_huber`` is the field's other way, and must agree.

E, A, alpha, B and beta vary together, so laws are compared through the losses that they predict and through what one needs to
reach the loss of another, with intervals from ``bootstrap``; these cover the noise of runs, given that the law holds.
"""

from collections.abc import Callable, Iterable
from itertools import combinations, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame
    from scipy.optimize import OptimizeResult

EXPONENTS = (0.01, 5.0)  # among which alpha and beta are looked for; one that ends there is not determined by the runs
GRIDS = {1: 64, 2: 28}  # exponents of the grid in each of one or two dimensions
DELTA = 1e-3  # of the Huber loss, in log loss (Hoffmann et al. 2022, section 3.3)


class Law(NamedTuple):
    """L = E + A / N**alpha + B / D**beta; A and alpha are 0 in L(D), B and beta in L(N). Arrays are one law a draw."""

    E: float | np.ndarray
    A: float | np.ndarray
    alpha: float | np.ndarray
    B: float | np.ndarray
    beta: float | np.ndarray


# --- what a law says --------------------------------------------------------------------------------------------------------


def value(law: Law, N: np.ndarray | float | None = None, D: np.ndarray | float | None = None) -> np.ndarray | float:
    """The loss in nats at N and D, which broadcast; draws of a law come first: (draws,) at (points,) is (draws, points).

    Raises:
        ValueError: where the law has a term of parameters or of tokens and these are not given.
    """
    if (N is None and np.any(law.A)) or (D is None and np.any(law.B)):
        raise ValueError(f"{law}: expected {'parameters N' if N is None else 'tokens D'}, of which it has a term")
    N, D = np.broadcast_arrays(1.0 if N is None else np.asarray(N, float), 1.0 if D is None else np.asarray(D, float))
    E, A, alpha, B, beta = (np.asarray(each)[(..., *[None] * N.ndim)] for each in law)
    return E + A / N**alpha + B / D**beta


def inverse_tokens(law: Law, loss: np.ndarray | float, N: float | None = None) -> np.ndarray | float:
    """The tokens at which a law (with N parameters, where it has that term) reaches a loss; infinite at its floor and below.

    ``loss`` broadcasts with the law's draws, which come first: (draws,) or (draws, points); of one law, any shape.
    """
    loss = np.asarray(loss, float)
    lead = (..., *[None] * (loss.ndim - np.ndim(law.E)))
    floor = law.E + (0.0 if N is None else law.A / float(N) ** law.alpha)
    if N is None and np.any(law.A):
        raise ValueError(f"{law}: expected parameters N, of which it has a term")
    above = loss - np.asarray(floor)[lead]
    ratio = np.asarray(law.B)[lead] / np.where(above > 0, above, 1.0)
    with np.errstate(over="ignore"):  # where a law is all but flat, more tokens than a number can hold
        return np.where(above > 0, ratio ** (1 / np.asarray(law.beta)[lead]), np.inf)[()]


def predicted(law: Law, runs: "DataFrame") -> np.ndarray:
    """The loss in nats at each run's parameters and tokens, of which the table has what the law needs: see ``value``."""
    N, D = (runs[column].to_numpy(float) if column in runs else None for column in ("parameters", "tokens"))
    return value(law, N, D)


def exchanged(law: Law) -> Law:
    """The same law with N and D exchanged, so that what is said of tokens here can be said of parameters."""
    return Law(law.E, law.B, law.beta, law.A, law.alpha)


def speedup(arm: Law, other: Law, D: np.ndarray | float, N: float | None = None) -> np.ndarray | float:
    """Iso-loss speed-up S(D) at the *other's* budgets D: D over the tokens with which the arm has the other's loss.

    2 means half the tokens; 0 where the arm never gets there, as the other's loss is below its floor. Draws of both laws must
    be paired (``bootstrap``): (draws,) at (points,) is (draws, points).
    """
    with np.errstate(divide="ignore"):  # an arm that is flat, and below, needs no tokens
        return np.asarray(D, float) / inverse_tokens(arm, value(other, N, D), N)


def speedup_after(arm: Law, other: Law, D: np.ndarray | float, N: float | None = None) -> np.ndarray | float:
    """Iso-loss speed-up at the *arm's* budgets D: the tokens with which the other has the arm's loss, over D.

    Infinite where the arm's loss is below the other's floor.
    """
    return inverse_tokens(other, value(arm, N, D), N) / np.asarray(D, float)


def rmabe(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Relative mean absolute error in per cent: the mean of \\|predicted - observed\\| / observed; [1.1, 2] of [1, 2] is 5."""
    predicted, observed = np.asarray(predicted, float), np.asarray(observed, float)
    return float(100 * np.mean(np.abs(predicted - observed) / observed))


def interval(draws: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The central percentile interval over the first axis; draws may be infinite, and so may its ends."""
    low = np.quantile(draws, (1 - level) / 2, axis=0, method="lower")
    return low, np.quantile(draws, (1 + level) / 2, axis=0, method="higher")


# --- variable projection ----------------------------------------------------------------------------------------------------


def fit_tokens(D: np.ndarray, L: np.ndarray) -> Law:
    """L(D) through runs (tokens, nats), by least squares of relative residuals, E and B not negative; see ``fit_joint``."""
    return _one(fit_tokens, {"tokens": D}, L)


def fit_parameters(N: np.ndarray, L: np.ndarray) -> Law:
    """L(N) through runs (parameters, nats), by least squares of relative residuals, E and A not negative; see ``fit_joint``."""
    return _one(fit_parameters, {"parameters": N}, L)


def fit_joint(N: np.ndarray, D: np.ndarray, L: np.ndarray) -> Law:
    """L(N, D) through runs, by least squares of relative residuals with E, A and B not negative.

    Residuals are relative to the loss, as the noise of runs about is and as ``rmabe`` and the Huber log loss have it.

    Raises:
        ValueError: where numbers are not positive, where there are fewer than three sizes or budgets or fewer runs than
            numbers to choose (3, jointly 5), or where budgets are the same multiple of size in all runs.
    """
    return _one(fit_joint, {"parameters": N, "tokens": D}, L)


COLUMNS: dict[Callable, tuple[str, ...]] = {
    fit_tokens: ("tokens",),
    fit_parameters: ("parameters",),
    fit_joint: ("parameters", "tokens"),
}


def _one(fit: Callable, given: dict[str, np.ndarray], L: np.ndarray) -> Law:
    x, L = _checked(given, L)
    return Law(*(float(each[0]) for each in _fit(fit, x, L[None], L)))


def _checked(given: dict[str, np.ndarray], L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and budgets as (variables, runs), and losses, if they can be fitted."""
    L = np.asarray(L, float)
    x = np.stack([np.asarray(each, float) for each in given.values()])
    if not (np.isfinite(x).all() and np.isfinite(L).all() and (x > 0).all() and (L > 0).all()):
        raise ValueError(f"{', '.join(given)}, loss: expected finite numbers above 0")
    numbers = 1 + 2 * len(x)
    if len(L) < numbers:
        raise ValueError(f"{len(L)} runs: expected {numbers} or more, the numbers that this law chooses")
    for name, each in zip(given, x, strict=True):
        if len(np.unique(each)) < 3:
            raise ValueError(f"{name}: {len(np.unique(each))} different: expected three or more")
    if np.linalg.matrix_rank(np.column_stack([np.ones(len(L)), *np.log(x / x[:, :1])]), tol=1e-6) <= len(x):
        raise ValueError(
            "tokens are the same power of parameters in all runs: expected sizes and budgets that vary on their own"
        )
    return x, L


def _fit(fit: Callable, x: np.ndarray, losses: np.ndarray, observed: np.ndarray) -> Law:
    """Laws, one a line of ``losses`` (draws, runs); residuals are relative to the losses ``observed`` (runs,)."""
    logs = np.log(x)
    middle = logs.mean(1, keepdims=True)
    exponents, amounts = _search(logs - middle, losses / observed, 1 / observed)
    terms = dict.fromkeys(("parameters", "tokens"), (np.zeros(len(losses)), np.zeros(len(losses))))
    for column, exponent, amount, center in zip(COLUMNS[fit], exponents.T, amounts.T[1:], middle[:, 0], strict=True):
        terms[column] = (amount * np.exp(exponent * center), exponent)
    return Law(amounts[:, 0], *terms["parameters"], *terms["tokens"])


def _search(logs: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best exponents (draws, variables) and amounts (draws, 1 + variables) of weighted losses y (draws, runs)."""
    variables = len(logs)
    axis = np.linspace(*np.log(EXPONENTS), GRIDS[variables])
    grid = np.array(list(product(axis, repeat=variables)))  # logarithms of exponents
    designs = _designs(grid, logs, weights)
    gram = designs.transpose(0, 2, 1) @ designs
    starts = np.empty((len(y), variables))
    for some in np.array_split(np.arange(len(y)), max(1, len(y) * len(grid) // 100_000)):
        moments = np.einsum("rn,gnk->rgk", y[some], designs, optimize=True)
        starts[some] = grid[_nonnegative(gram, moments)[1].argmax(1)]
    return _refined(starts, logs, y, weights)


def _designs(u: np.ndarray, logs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted columns of the linear problem for logarithms u (..., variables) of exponents: (..., runs, 1 + variables)."""
    powers = np.exp(-np.exp(u)[..., None] * logs)
    return np.stack([np.broadcast_to(weights, powers[..., 0, :].shape), *np.moveaxis(powers * weights, -2, 0)], axis=-1)


def _nonnegative(gram: np.ndarray, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Non-negative least squares from X'X (..., k, k) and X'y (..., k): amounts, and the sum of squares that they take away.

    The best non-negative amounts are the unbounded best of some columns alone; of three columns or fewer all choices are tried.
    """
    k = gram.shape[-1]
    scale = np.sqrt(np.einsum("...ii->...i", gram))
    gram = gram / (scale[..., None] * scale[..., None, :]) + 1e-14 * np.eye(k)  # columns as good as equal can still be inverted
    moments = moments / scale
    amounts, gained = np.zeros(moments.shape), np.zeros(moments.shape[:-1])
    for size in range(1, k + 1):
        for chosen in map(list, combinations(range(k), size)):
            inverse = np.zeros(gram.shape)
            inverse[(..., *np.ix_(chosen, chosen))] = np.linalg.inv(gram[(..., *np.ix_(chosen, chosen))])
            found = (inverse @ moments[..., None])[..., 0]
            gain = (found * moments).sum(-1)
            better = (found >= 0).all(-1) & (gain > gained)
            amounts, gained = np.where(better[..., None], found, amounts), np.where(better, gain, gained)
    return amounts / scale, gained


def _projected(
    u: np.ndarray, logs: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For logarithms u (draws, variables) of exponents: the design, the best amounts, (X'X)^-1 of those above 0, residuals."""
    design = _designs(u, logs, weights)
    gram = design.transpose(0, 2, 1) @ design
    amounts = _nonnegative(gram, (y[:, None] @ design)[:, 0])[0]
    above = amounts > 0
    both = above[:, :, None] & above[:, None]
    inverse = np.where(both, np.linalg.inv(np.where(both, gram, np.eye(gram.shape[-1]))), 0.0)
    residuals = y - (design @ amounts[..., None])[..., 0]
    amounts = amounts + (inverse @ (design.transpose(0, 2, 1) @ residuals[..., None]))[..., 0]  # what rounding of X'X left
    amounts = np.maximum(amounts, 0)
    return design, amounts, inverse, y - (design @ amounts[..., None])[..., 0]


def _refined(u: np.ndarray, logs: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levenberg-Marquardt steps on logarithms u (draws, variables) of exponents, with Kaufman's (1975) Jacobian."""
    bounds = np.log(EXPONENTS)
    best, found = u.copy(), np.empty((len(u), 1 + len(logs)))
    rows, damping = np.arange(len(u)), np.full(len(u), 1e-4)
    state = _projected(u, logs, y, weights)
    for turn in range(100):
        design, amounts, inverse, residuals = state
        slopes = (-np.exp(u) * amounts[:, 1:])[:, None] * logs.T * design[..., 1:]  # of predictions, (draws, runs, variables)
        jacobian = slopes - design @ (inverse @ (design.transpose(0, 2, 1) @ slopes))
        normal = jacobian.transpose(0, 2, 1) @ jacobian
        damped = damping[:, None] * np.einsum("rii->ri", normal) + 1e-300
        pull = jacobian.transpose(0, 2, 1) @ residuals[..., None]
        step = np.linalg.solve(normal + damped[..., None] * np.eye(len(logs)), pull)[..., 0]
        tried = np.clip(u + np.clip(step, -1, 1), *bounds)
        new = _projected(tried, logs, y, weights)
        better = (new[-1] ** 2).sum(1) < (residuals**2).sum(1)
        done = (np.abs(tried - u).max(1) < 1e-9) | (turn == 99)
        u = np.where(better[:, None], tried, u)
        state = [np.where(better.reshape(-1, *[1] * (old.ndim - 1)), now, old) for now, old in zip(new, state, strict=True)]
        damping = np.where(better, damping / 10, damping * 10)
        best[rows[done]], found[rows[done]] = u[done], state[1][done]
        rows, u, y, damping, *state = (each[~done] for each in (rows, u, y, damping, *state))
        if not len(rows):
            break
    return np.exp(best), found


# --- the Huber loss of log losses -------------------------------------------------------------------------------------------


def fit_huber(fit: Callable, L: np.ndarray, N: np.ndarray | None = None, D: np.ndarray | None = None) -> Law:
    """The law that ``fit`` fits, by the Huber loss of log predicted less log observed loss, *summed*, from many starts.

    Hoffmann et al. 2022, equation 3: the log-sum-exp of the terms, by L-BFGS with analytic gradients. Averaged over runs, the
    loss is so small that L-BFGS stops early (Besiroglu et al. 2024); here it is summed, and in units of DELTA squared. With
    noise above DELTA it is close to the sum of absolute values, and agrees with least squares up to the noise.
    """
    from scipy.optimize import minimize

    given = {name: each for name, each in (("parameters", N), ("tokens", D)) if name in COLUMNS[fit]}
    x, L = _checked(given, L)
    logs, target = np.log(x), np.log(L)
    middle = logs.mean(1, keepdims=True)
    logs = logs - middle
    variables = len(logs)

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        exponents = theta[1 + variables :]
        terms = np.vstack([np.zeros(len(L)), -exponents[:, None] * logs]) + theta[: 1 + variables, None]
        top = terms.max(0)
        parts = np.exp(terms - top)
        total = parts.sum(0)
        error = (top + np.log(total) - target) / DELTA
        inside = np.abs(error) <= 1
        loss = np.where(inside, error**2 / 2, np.abs(error) - 0.5).sum()
        pull = np.clip(error, -1, 1) / DELTA * parts / total  # by term and run
        return loss, np.concatenate([pull.sum(1), -(pull[1:] * logs).sum(1)])

    floor, spread = L.min(), np.ptp(L) + 1e-3 * L.min()
    bounds = [(np.log(floor) - 20, np.log(L.max()) + 20)] * (1 + variables) + [EXPONENTS] * variables

    def descend(start: np.ndarray, steps: int) -> "OptimizeResult":
        stop = {"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-15, "gtol": 1e-8, "maxcor": 30}
        return minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=stop)

    found = []
    for share, split in product((0.3, 0.7, 0.95), (0.3, 0.7) if variables == 2 else (1.0,)):
        for exponents in product((0.15, 0.5, 1.5) if variables == 2 else (0.1, 0.2, 0.4, 0.8, 1.6), repeat=variables):
            amounts = np.array([split, 1 - split][:variables]) * (floor * (1 - share) + spread / 2)
            found.append(descend(np.concatenate([[np.log(share * floor)], np.log(amounts), exponents]), 200))
    best = descend(min(found, key=lambda one: one.fun).x, 10_000)
    E, *amounts = np.exp(best.x[: 1 + variables])
    terms = dict.fromkeys(("parameters", "tokens"), (0.0, 0.0))
    for name, amount, exponent, center in zip(given, amounts, best.x[1 + variables :], middle[:, 0], strict=True):
        terms[name] = (float(amount * np.exp(exponent * center)), float(exponent))
    return Law(float(E), *terms["parameters"], *terms["tokens"])


# --- intervals --------------------------------------------------------------------------------------------------------------


def bootstrap(
    frame: "DataFrame", arms: Iterable[str], fit: Callable, replicates: int, seed: int, by: str = "seed"
) -> dict[str, Law]:
    """Laws of redrawn runs of each arm, fields (replicates,), paired: the same runs are redrawn in all arms.

    Sizes and budgets stay as they are; what is redrawn among an arm's runs is by how much each is off, in log loss: from the
    mean of its cell where every cell of every arm has two or more seeds (column ``by``), so that intervals cover seeds; else
    from the arm's law, so that they cover what the law misses besides. Redrawing assumes that relative noise is alike at all
    sizes and budgets: with three seeds redrawn within each budget alone, intervals at the largest covered 85 % in simulations.

    Deviations from p means, or from a law of p numbers, are widened by sqrt(n / (n - p)); and as their variance s^2 is known
    from n - p degrees of freedom alone, each replicate puts (n - p) s^2 / chi^2 in its place (generalised confidence
    intervals, Weerahandi 1993), at the same quantile in all arms.

    Args:
        frame: runs with the columns arm, loss, those that ``fit`` needs of parameters and tokens, and perhaps ``by``.
        arms: which of its arms.
        fit: ``fit_tokens``, ``fit_parameters`` or ``fit_joint``.
        replicates: how many laws an arm gets.
        seed: of the draws.
        by: the column that tells the runs of a cell apart and pairs them across arms.

    Raises:
        ValueError: naming the arm that cannot be fitted, or whose runs leave nothing to draw from.
    """
    from scipy.special import gammaincinv

    rng = np.random.default_rng(seed)
    tables = {arm: _slots(frame, arm, fit, by) for arm in arms}
    seeds = all(table.groupby(level=CELL).size().min() > 1 for table in tables.values())
    quantile = rng.uniform(size=replicates)
    picked = _paired({arm: list(table.index) for arm, table in tables.items()}, replicates, rng)
    out = {}
    for arm, table in tables.items():
        center, deviations, freedom = _spread(table, fit, seeds, arm)
        scale = np.sqrt(freedom / (2 * gammaincinv(freedom / 2, quantile)))  # the root of freedom over chi squared
        losses = np.exp(center + deviations[picked[arm]] * scale[:, None])
        out[arm] = _fit(fit, table[list(COLUMNS[fit])].to_numpy(float).T, losses, table["loss"].to_numpy(float))
    return out


CELL = ["parameters", "tokens"]


def _slots(frame: "DataFrame", arm: str, fit: Callable, by: str) -> "DataFrame":
    """The runs of an arm, in order of what tells them apart: parameters, tokens and ``by``, which are their index.

    A column that is missing counts as one value; runs of a cell without ``by`` are numbered.
    """
    table = frame[frame["arm"] == arm]
    table = table.assign(**{column: table[column] if column in table else 1.0 for column in CELL})
    for column in CELL:
        if column not in COLUMNS[fit] and table[column].nunique() > 1:
            raise ValueError(f"arm {arm}: {table[column].nunique()} different {column}: expected one for a law without them")
    table = table.assign(**{by: table[by] if by in table else table.groupby(CELL).cumcount()})
    table = table.set_index([*CELL, by], drop=False).sort_index()
    if table.index.has_duplicates:
        slot = ", ".join(
            f"{name} {value}" for name, value in zip(table.index.names, table.index[table.index.duplicated()][0], strict=True)
        )
        raise ValueError(f"arm {arm}: two runs of {slot}")
    return table


def _spread(table: "DataFrame", fit: Callable, seeds: bool, arm: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Log losses without noise, the widened deviations from them of all runs, and the deviations' degrees of freedom."""
    try:
        x, L = _checked({column: table[column].to_numpy() for column in COLUMNS[fit]}, table["loss"].to_numpy())
    except ValueError as error:
        raise ValueError(f"arm {arm}: {error}") from None
    logs = np.log(L)
    if seeds:
        cells = np.log(table["loss"]).groupby(level=CELL)
        center, count = cells.transform("mean").to_numpy(), cells.transform("size").to_numpy()
        return center, (logs - center) * np.sqrt(count / (count - 1)), len(L) - cells.ngroups
    freedom = len(L) - 1 - 2 * len(x)
    if freedom < 1:
        raise ValueError(f"arm {arm}: {len(L)} runs, not all with two seeds: expected {2 + 2 * len(x)} or more for an interval")
    center = np.log(predicted(Law(*(float(each[0]) for each in _fit(fit, x, L[None], L))), table))
    return center, (logs - center) * np.sqrt(len(L) / freedom), freedom


def _paired(slots: dict[str, list], replicates: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """For each arm and run, which of the arm's runs it gets its deviation from: (replicates, runs).

    One draw is made for all arms. Where it is a run that an arm does not have, the arm takes the next draw.
    """
    every = sorted(set().union(*slots.values()))
    place = {slot: k for k, slot in enumerate(every)}
    at = {arm: np.array([place[slot] for slot in mine]) for arm, mine in slots.items()}
    picked = {arm: np.full((replicates, len(mine)), -1) for arm, mine in slots.items()}
    while any((each < 0).any() for each in picked.values()):
        drawn = rng.integers(len(every), size=(replicates, len(every)))
        for arm, mine in at.items():
            own = np.full(len(every), -1)
            own[mine] = np.arange(len(mine))
            picked[arm] = np.where(picked[arm] < 0, own[drawn[:, mine]], picked[arm])
    return picked


def hold_out(
    frame: "DataFrame", arms: Iterable[str], fit: Callable, column: str, replicates: int, seed: int, by: str = "seed"
) -> "DataFrame":
    """Losses of the runs with the largest value of the whole table in ``column``, predicted from all others of their arm.

    ``column`` is tokens or parameters; the other args are those of ``bootstrap``. The result has these runs, of those ``arms``
    that have any, with predicted, low and high (95 % of the law's loss, without the noise of the run itself), and ``last``: the
    arm's mean loss at the largest value that was not held out, all else equal, which is what one would predict knowing no law
    (NaN where there is no such run).
    """
    import pandas as pd

    largest = frame[column] == frame[column].max()
    kept = frame[~largest]
    held = [arm for arm in arms if (frame.loc[largest, "arm"] == arm).any()]
    draws = bootstrap(kept, held, fit, replicates, seed, by)
    parts = []
    for arm in held:
        out, rest = frame[largest & (frame["arm"] == arm)], kept[kept["arm"] == arm]
        law = fit(*(rest[each].to_numpy() for each in COLUMNS[fit]), rest["loss"].to_numpy())
        low, high = interval(predicted(draws[arm], out))
        other = [each for each in COLUMNS[fit] if each != column]
        before = []
        for _, run in out.iterrows():
            alike = rest[(rest[other] == run[other]).all(axis=1)]
            before.append(alike.loc[alike[column] == alike[column].max(), "loss"].mean())
        parts.append(out.assign(predicted=predicted(law, out), low=low, high=high, last=before))
    return pd.concat(parts) if parts else frame[:0].assign(predicted=0.0, low=0.0, high=0.0, last=0.0)
