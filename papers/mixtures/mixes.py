"""What the figures about mixtures share: the table of runs, losses by arm with their noise, and how a figure is put together.

Reads results/{scale}/mixtures/runs.csv, one line a trained model. Runs of one size and one token budget are a cell; in a cell
all arms start from the same weights and read natural text in the same order for the same seed. So a loss is modelled as that
of its arm plus that of its seed plus noise (randomised blocks, least squares, seeds may be missing), and only differences
between arms are looked at. Noise is estimated in its cell; a cell without replicates borrows that of the others.
"""

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from papers.mixtures import arms as arms_
from papers.mixtures.arms import short
from scripts.lib import figures

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = {"run", "sweep", "world", "arm", "kind", "share", "generator", "size", "parameters", "tokens", "seed", "macro"}
KINDS = tuple(arms_.KINDS)
NAMES = {"natural": "CC", **arms_.KINDS, "filtered": "filtered CC"}
COLOURS = {"natural": arms_.COLOURS["cc"], **arms_.COLOURS}
MARKERS = {"natural": "o", "hq": "s", "qa": "^", "txbk": "v", "filtered": "D"}
COVER = (
    "training seeds (weights and order of the text), paired across arms; not another writing of the synthetic text, nor other "
    "natural or held-out text"
)
NO_LAYER = "The paper prints this figure as a picture, without numbers: there is no published layer to regenerate."
BAND = 0.05  # on either side of bars that no claim asks for


class Cell(NamedTuple):
    """Losses of the arms of one cell, in nats a token, and how far they are known."""

    arms: list[str]
    mean: np.ndarray  # (arms,), at the average seed
    unscaled: np.ndarray  # (arms, arms), covariance of the means in units of the variance
    variance: float  # of one run about arm and seed, nats squared; infinite where no run has a replicate
    df: float  # degrees of freedom of the variance
    seeds: int


class Difference(NamedTuple):
    """A difference of losses in nats a token, its variance, and the degrees of freedom of that variance."""

    estimate: float
    variance: float
    df: float


def read_runs(path: "str | Path") -> pd.DataFrame:
    """The table of runs; each run once, whichever sweeps share it.

    Raises:
        ValueError: naming the file, the column and the run where a column is missing or a value cannot be.
    """
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])  # by default "null", a world, is a missing value
    if missing := sorted(COLUMNS - set(table)):
        raise ValueError(f"{path}: no column {', '.join(missing)}; found {', '.join(table)}")
    table = table.drop_duplicates("run").assign(generator=lambda runs: runs["generator"].fillna(""))
    right = (table["macro"] > 0) & np.isfinite(table["macro"]) & table["share"].between(0, 1) & (table["tokens"] > 0)
    if not right.all():
        wrong = table[~right].iloc[0]
        found = {key: wrong[key] for key in ("macro", "share", "tokens")}
        raise ValueError(f"{path}: run {wrong['run']}: {found}: expected a loss and tokens above 0 and a share from 0 to 1")
    return table.reset_index(drop=True)


def of_world(runs: pd.DataFrame, world: str, generator: str) -> pd.DataFrame:
    """The runs of one world whose synthetic text, where they have any, was written by one generator."""
    written = runs["kind"].isin(KINDS)
    return runs[(runs["world"] == world) & (~written | (runs["generator"] == generator))]


# --- losses and their noise ---------------------------------------------------------------------------------------------------


def _fitted(table: pd.DataFrame, where: str) -> tuple[list[str], np.ndarray, np.ndarray, float, int, int]:
    """Arms, means, unscaled covariance, sum of squares left over, degrees of freedom and seeds of one cell."""
    arms, seeds = list(dict.fromkeys(table["key"])), sorted(set(table["seed"]))
    design = np.zeros((len(table), len(arms) + len(seeds) - 1))
    design[np.arange(len(table)), [arms.index(key) for key in table["key"]]] = 1
    for line, seed in enumerate(table["seed"]):  # deviations of seeds sum to zero
        place = seeds.index(seed)
        if place < len(seeds) - 1:
            design[line, len(arms) + place] = 1
        else:
            design[line, len(arms) :] = -1
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError(f"{where}: expected seeds that link all arms, found {table[['key', 'seed']].to_dict('list')}")
    loss = table["macro"].to_numpy(float)
    found, *_ = np.linalg.lstsq(design, loss, rcond=None)
    unscaled = np.linalg.inv(design.T @ design)[: len(arms), : len(arms)]
    rest = float(((loss - design @ found) ** 2).sum())
    return arms, found[: len(arms)], unscaled, rest, len(table) - design.shape[1], len(seeds)


def cells(runs: pd.DataFrame, key: pd.Series) -> dict[tuple[int, int], Cell]:
    """The cells (parameters, tokens) of some runs, rising; ``key`` names the arm of each run.

    Raises:
        ValueError: naming the cell where an arm has a seed twice, or where seeds do not link all arms.
    """
    table, fits = runs.assign(key=key), {}
    for (parameters, tokens), mine in table.groupby(["parameters", "tokens"]):
        where = f"runs of {short(parameters)} parameters and {short(tokens)} tokens"
        if mine.duplicated(["key", "seed"]).any():
            double = mine[mine.duplicated(["key", "seed"], keep=False)]
            raise ValueError(f"{where}: {', '.join(double['run'])}: expected one run an arm and seed")
        fits[int(parameters), int(tokens)] = _fitted(mine, where)
    rest, df = sum(fit[3] for fit in fits.values()), sum(fit[4] for fit in fits.values())
    out = {}
    for cell, (arms, mean, unscaled, own_rest, own_df, seeds) in fits.items():
        variance, known = (own_rest / own_df, own_df) if own_df else (rest / df, df) if df else (math.inf, 0)
        out[cell] = Cell(arms, mean, unscaled, variance, known, seeds)
    return out


def contrast(cell: Cell, weights: dict[str, float]) -> Difference:
    """The weighted sum of arms' losses in one cell; the weights sum to zero."""
    w = np.array([weights.get(arm, 0.0) for arm in cell.arms])
    size = float(w @ cell.unscaled @ w)
    return Difference(float(w @ cell.mean), size * cell.variance if size > 1e-15 else 0.0, cell.df)


def minus(cell: Cell, one: str, other: str) -> Difference:
    """The loss of one arm less that of another."""
    return contrast(cell, {one: 1.0, other: -1.0})


def together(parts: Sequence[Difference]) -> Difference:
    """The mean of differences found in different cells, with Satterthwaite's (1946) degrees of freedom."""
    n = len(parts)
    variances = [part.variance / n**2 for part in parts]
    total = sum(variances)
    df = math.inf
    if 0 < total < math.inf:
        df = total**2 / sum(v**2 / part.df for v, part in zip(variances, parts, strict=True) if v > 0)
    return Difference(sum(part.estimate for part in parts) / n, total, df)


def half(part: Difference, level: float) -> float:
    """How far a bound at ``level`` lies from the estimate, by Student's t; NOTHING where noise is not known."""
    from scipy import stats

    if not math.isfinite(part.variance):
        return arms_.NOTHING
    return float(stats.t.isf(level, part.df) * math.sqrt(part.variance)) if part.variance else 0.0


def bounds(part: Difference, level: float, **more: object) -> dict[str, object]:
    """What a claim is judged by: estimate, low, high, level."""
    away = half(part, level)
    return {"estimate": part.estimate, "low": part.estimate - away, "high": part.estimate + away, "level": level, **more}


def unknown(level: float, why: str) -> dict[str, object]:
    """A finding where there is nothing to judge from."""
    return {"estimate": 0.0, "low": -arms_.NOTHING, "high": arms_.NOTHING, "level": level, "why": why}


def drawn(cell: Cell, draws: int, seed: int) -> np.ndarray:
    """Losses of the arms as they might be: (draws, arms), normal, with the variance's own uncertainty; infinite noise: NaN."""
    rng = np.random.default_rng(seed)
    if not math.isfinite(cell.variance):
        return np.full((draws, len(cell.arms)), np.nan)
    variance = cell.variance * cell.df / rng.chisquare(cell.df, draws)
    normal = rng.multivariate_normal(np.zeros(len(cell.arms)), cell.unscaled, size=draws, method="eigh")
    return cell.mean + np.sqrt(variance)[:, None] * normal


# --- words --------------------------------------------------------------------------------------------------------------------


def said(entry: dict, what: str, unit: str = "nats", digits: int = 3) -> str:
    """A claim in a footer: what was asked, what was found with its interval, the verdict in capitals."""
    if not math.isfinite(entry["high"] - entry["low"]):
        return f"{what}: {entry['verdict'].upper()}{' (' + entry['why'] + ')' if 'why' in entry else ''}."
    numbers = [f"{round(entry[key], digits) + 0.0:+.{digits}f}" for key in ("estimate", "low", "high")]
    found = f"{numbers[0]} [{numbers[1]}, {numbers[2]}]".replace("-", "\u2212")
    return f"{what}: {found}{' ' if unit else ''}{unit}, {entry['verdict'].upper()}."


def seeds_of(cells: Iterable[Cell]) -> str:
    """How many seeds a mean is of: ``3 seeds``, ``1 to 3 seeds``."""
    numbers = sorted({cell.seeds for cell in cells})
    many = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    return f"{many} seed{'s' if numbers[-1] > 1 else ''}"


# --- the figure ---------------------------------------------------------------------------------------------------------------

Panel = Callable[["Axes"], None]


def sheet(rows: Sequence[tuple[str, Sequence[Panel]]], lines: Iterable[str], *, tall: float = 1.62) -> "Figure":
    """A figure of rows of panels, as wide as the page, under words that say their layer (where there are any); a footer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in lines for line in textwrap.wrap(part, 131)]
    below, left, words = 0.44, 0.6, 0.12 + 0.137 * len(lines)  # inches
    above = [0.54 if layer else 0.38 for layer, _ in rows]
    height = sum(above) + len(rows) * (tall + below) + words
    with matplotlib.rc_context(figures.STYLE):
        figure, top = plt.figure(figsize=(figures.WIDTH, height)), height
        for (layer, panels), over in zip(rows, above, strict=True):
            figure.text(0.012, (top - 0.05) / height, layer, va="top", fontsize=7.5, style="italic", color=figures.INK)
            width = (figures.WIDTH - 0.1) / len(panels) - left
            for j, panel in enumerate(panels):
                x, y = left + j * (width + left), top - over - tall
                place = x / figures.WIDTH, y / height, (width - 0.06) / figures.WIDTH, tall / height
                panel(figure.add_axes(place))
            top -= over + tall + below
        figures.footer(figure, lines)
    return figure


def titled(axis: "Axes", title: str, under: str) -> None:
    """A panel's title, and a small line below it."""
    axis.set_title(title, fontweight="bold", pad=12)
    figures.under_title(axis, under)


def bars(table: pd.DataFrame) -> np.ndarray:
    """Lengths of error bars below and above y, (2, lines), none where noise is not known; from columns y, low, high."""
    lengths = np.abs(table[["low", "high"]].to_numpy(float).T - table["y"].to_numpy(float))
    return np.where(np.isfinite(lengths), lengths, 0)


def across(axis: "Axes", value: float = 0.0) -> None:
    """A thin line across, at zero unless said otherwise."""
    axis.axhline(value, color="#bbbbbb", linewidth=0.6, zorder=0)
