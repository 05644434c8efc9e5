"""What the figures of mixtures share: arms and how they look, printed laws, the runs table, fits with their draws, labels.

Reads papers/mixtures/published.yaml and results/{scale}/mixtures/runs.csv (one line a trained model: run, sweep, world, arm,
kind, share, generator, size, parameters, non_embedding, tokens, seed, macro, pooled). An arm is named after its kind of
synthetic text and the per cent of it: cc is none, hq-33 a third, hq-100 all.

Every figure has two layers. *Published* is what the paper's printed laws say, exactly. *Reproduced* is what this workflow's
runs at the active scale say, with intervals of scripts.lib.laws.bootstrap. Tokens and parameters are in billions in laws and
plain numbers in the runs table and in tables of plotted numbers.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from scripts.lib import figures, laws
from scripts.lib.laws import Law
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOSS = "macro"  # which mean over held-out domains is fitted: the mean of the domains' means
LEVEL = 0.025  # on either side of an interval that no claim asks for
NOTHING = 1000.0  # bounds where there is nothing to judge from; JSON has no infinity
BILLION = 1e9
COVER = "the noise of training runs (seeds, paired across arms), given the law; not other text, domains or recipes"

NATURAL = ("cc", "filtered")  # arms in which no generator has a part
REPHRASED = ("hq-33", "hq-67", "qa-33", "qa-67")  # mixtures of rephrased and natural text
KINDS = {"hq": "HQ", "qa": "QA", "txbk": "TXBK"}
COLOURS = {
    "cc": figures.COLOURS["black"],
    "filtered": figures.GREY,
    "hq": figures.COLOURS["blue"],
    "qa": figures.COLOURS["orange"],
    "txbk": figures.COLOURS["vermilion"],
}
SHARES = {  # per cent synthetic -> how it is drawn
    "100": {"linestyle": "-", "marker": "s"},
    "67": {"linestyle": (0, (5, 1.5)), "marker": "D"},
    "33": {"linestyle": (0, (1.2, 1.2)), "marker": "^"},
}
COLUMNS = {"run", "world", "arm", "kind", "generator", "size", "parameters", "non_embedding", "tokens", "seed", LOSS}


def label(arm: str) -> str:
    """An arm as figures call it: CC, HQ, 33% HQ."""
    kind, _, share = arm.partition("-")
    name = KINDS.get(kind, {"cc": "CC", "filtered": "filtered CC"}.get(kind, kind))
    return name if share in ("", "100") else f"{share}% {name}"


def look(arm: str) -> dict:
    """Colour by kind, line and marker by share of synthetic text."""
    kind, _, share = arm.partition("-")
    style = SHARES.get(share, {"linestyle": "-", "marker": "o" if arm == "cc" else "v"})
    return {"color": COLOURS.get(kind, figures.GREY), **style, "linewidth": 1.9 if arm == "cc" else 1.2}


def short(number: float) -> str:
    """A number of tokens or parameters in short: ``1.85M``."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


# --- what is given ----------------------------------------------------------------------------------------------------------


class Printed(NamedTuple):
    """The paper's printed laws by arm, D and N in billions, and the rest of published.yaml."""

    tokens: dict[str, Law]
    parameters: dict[str, Law]
    known: dict


def read_published(path: str | Path) -> Printed:
    """Tables 4 and 5 as laws, and whatever else is printed."""
    import yaml

    known = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    zero = dict.fromkeys(Law._fields, 0.0)
    of = {
        axis: {arm: Law(**{**zero, **both[axis]}) for arm, both in known["laws"].items()} for axis in ("tokens", "parameters")
    }
    return Printed(of["tokens"], of["parameters"], known)


def read_runs(path: str | Path, row: dict) -> pd.DataFrame:
    """The runs that a figure's row asks for, with their loss in a column ``loss``; there may be none.

    A row has arms, world, generator, and where one of them is fixed size (a name) or tokens (a number). A run that two sweeps
    have alike is taken once.

    Raises:
        ValueError: naming the file and the columns that are missing, or the run whose loss is no number above 0.
    """
    kinds = dict.fromkeys(("world", "arm", "generator", "size"), str) | {LOSS: float}
    kinds |= dict.fromkeys(("parameters", "non_embedding", "tokens", "seed"), "int64")
    # by default pandas takes "null", the name of a world, for a missing value
    table = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""])
    if missing := sorted(COLUMNS - set(table)):
        raise ValueError(f"{path}: columns {missing}: expected the runs table's, found {sorted(table)}")
    if not (sound := np.isfinite(table[LOSS]) & (table[LOSS] > 0)).all():
        raise ValueError(f"{path}: run {table.loc[~sound, 'run'].iloc[0]}, column {LOSS}: expected nats a token above 0")
    chosen = table["arm"].isin(row["arms"]) & (table["world"] == row["world"])
    chosen &= table["arm"].isin(NATURAL) | (table["generator"] == row["generator"])
    for key in ("size", "tokens"):
        if key in row:
            chosen &= table[key] == row[key]
    mine = table[chosen].drop_duplicates(["arm", "parameters", "tokens", "seed"])
    return mine.assign(loss=mine[LOSS]).sort_values(["arm", "parameters", "tokens", "seed"], ignore_index=True)


# --- fits -------------------------------------------------------------------------------------------------------------------


class Fitted(NamedTuple):
    """Laws fitted to runs, D and N in billions, and draws of them, paired across arms; arms without a fit are in neither."""

    runs: pd.DataFrame
    laws: dict[str, Law]
    draws: dict[str, Law]  # fields (replicates,)

    def has(self, *arms: str) -> bool:
        """Whether all these arms have a law."""
        return set(arms) <= set(self.laws)

    def ends(self, axis: str) -> tuple[float, float]:
        """The least and the largest size or budget, in billions, that all arms with a law have; NaN without any."""
        of = [set(self.runs.loc[self.runs["arm"] == arm, axis]) for arm in self.laws]
        shared = sorted(set.intersection(*of)) if of else []
        return (shared[0] / BILLION, shared[-1] / BILLION) if shared else (np.nan, np.nan)

    def loss(self, arm: str, N: np.ndarray | float | None = None, D: np.ndarray | float | None = None) -> tuple:
        """Predicted loss of an arm, points, and its draws, (draws, points)."""
        return laws.value(self.laws[arm], N, D), laws.value(self.draws[arm], N, D)

    def less(self, arm: str, other: str, N: np.ndarray | float | None = None, D: np.ndarray | float | None = None) -> tuple:
        """Predicted loss of one arm less that of another, as of ``loss``."""
        one, two = self.loss(arm, N, D), self.loss(other, N, D)
        return one[0] - two[0], one[1] - two[1]


def in_billions(runs: pd.DataFrame) -> pd.DataFrame:
    """The same runs with tokens and parameters in billions, as laws have them."""
    return runs.assign(tokens=runs["tokens"] / BILLION, parameters=runs["parameters"] / BILLION)


def enough(runs: pd.DataFrame, arms: Iterable[str], fit: Callable) -> list[str]:
    """The arms with enough runs for a law and its interval.

    A law of one axis has three numbers, so that it takes four different budgets (or sizes) before anything is left to tell
    whether it holds; a joint law takes three of each, and six different runs.
    """
    axes = laws.COLUMNS[fit]
    least, cells = (3, 6) if len(axes) > 1 else (4, 4)
    found = []
    for arm in arms:
        mine = runs[runs["arm"] == arm].drop_duplicates(["tokens", "parameters"])
        if len(mine) >= cells and all(mine[axis].nunique() >= least for axis in axes):
            found.append(arm)
    return found


def fitted(runs: pd.DataFrame, row: dict, fit: Callable, name: str) -> Fitted:
    """Laws of every arm that has enough runs for one; ``fit`` is one of scripts.lib.laws, ``name`` seeds the draws."""
    arms, frame = enough(runs, row["arms"], fit), in_billions(runs)
    if not arms:
        return Fitted(runs, {}, {})
    of = {arm: frame[frame["arm"] == arm] for arm in arms}
    found = {arm: fit(*(mine[column].to_numpy() for column in (*laws.COLUMNS[fit], "loss"))) for arm, mine in of.items()}
    return Fitted(runs, found, laws.bootstrap(frame, arms, fit, row["replicates"], seed_of("mixtures", name)))


def counted(runs: pd.DataFrame) -> str:
    """How many runs and seeds, as a panel says it."""
    if runs.empty:
        return "no runs"
    seeds = runs.groupby(["arm", "parameters", "tokens"])["seed"].nunique()
    each = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
    arms = runs["arm"].nunique()
    return f"n {len(runs)} runs, {arms} arm{'s' * (arms > 1)}, {each} seed{'s' * bool(seeds.max() > 1)} each"


# --- what is judged ---------------------------------------------------------------------------------------------------------


def exact(value: float) -> dict[str, float]:
    """A finding of the published layer: no interval, as printed numbers are what they are."""
    return {"estimate": float(value), "low": float(value), "high": float(value)}


def nothing(why: str) -> dict:
    """A finding where there is nothing to judge from."""
    return {"estimate": 0.0, "low": -NOTHING, "high": NOTHING, "lacking": why}


def percentiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    """The percentile interval of draws (draws,) that leaves ``level`` on either side."""
    low, high = laws.interval(draws, 1 - 2 * level)
    return float(low), float(high)


def bounds(estimate: float, draws: np.ndarray, level: float) -> dict[str, float]:
    """A finding with its percentile interval, ``level`` on either side; ends that are infinite are cut at NOTHING."""
    low, high = (float(np.clip(end, -NOTHING, NOTHING)) for end in percentiles(draws, level))
    return {"estimate": float(np.clip(estimate, -NOTHING, NOTHING)), "low": low, "high": high}


def largest(estimates: np.ndarray, draws: np.ndarray, level: float) -> dict[str, float]:
    """The largest of several truths, from estimates (k,) and draws (draws, k).

    All lie below the high bound at ``level`` where each of them does (intersection-union, Berger 1982); the low bound is the
    largest of simultaneous low bounds.
    """
    from scripts.lib import statistics

    high = float(laws.interval(draws, 1 - 2 * level)[1].max())
    low = float(statistics.simultaneous(estimates, draws, level)[0].max())
    return {"estimate": float(estimates.max()), "low": min(low, high), "high": high}


def smallest(estimates: np.ndarray, draws: np.ndarray, level: float) -> dict[str, float]:
    """The smallest of several truths; ``largest`` mirrored."""
    found = largest(-estimates, -draws, level)
    return {"estimate": -found["estimate"], "low": -found["high"], "high": -found["low"]}


def said(entry: dict, digits: int = 3) -> str:
    """An entry of claims.json in short: ``-0.041 [-0.072, -0.010], reproduced``; without numbers where there was nothing."""
    if "lacking" in entry:
        return f"{entry['verdict']} ({entry['lacking']})"
    numbers = [f"{entry[key]:+.{digits}f}" for key in ("estimate", "low", "high")]
    if entry["low"] == entry["high"]:
        return f"{numbers[0]}, {entry['verdict']}"
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}], {entry['verdict']}"


def with_levels(found: dict[str, dict], claims: dict[str, dict]) -> dict[str, dict]:
    """Findings with the level at which their claim wants the interval."""
    return {name: {**one, "level": claims[name]["level"]} for name, one in found.items()}


# --- pictures ---------------------------------------------------------------------------------------------------------------


def spread(places: np.ndarray, apart: float, least: float, most: float) -> np.ndarray:
    """Places moved as little as may be so that neighbours are ``apart`` within [least, most], in their order.

    ``spread([0, 0.1, 3], 1, 0, 10)`` is ``[0, 1, 3]``. Isotonic regression of places less what they must be apart, by its
    min-max formula (Barlow et al. 1972), then clipped. SciPy's would take longer to import than the rest of a panel to draw.
    """
    order = np.argsort(places, kind="stable")
    steps = apart * np.arange(len(places))
    sums = np.append(0, np.cumsum(np.asarray(places, float)[order] - steps))
    first, last = np.arange(len(places))[:, None], np.arange(len(places))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(last >= first, (sums[last + 1] - sums[first]) / (last - first + 1), np.inf)
    moved = np.array([means[: i + 1, i:].min(1).max() for i in range(len(places))])
    moved = np.clip(moved, least, max(least, most - steps[-1])) + steps
    out = np.empty(len(places))
    out[order] = moved
    return out


def direct_labels(axis: "Axes", ends: dict[str, float], x: float, size: float = 6.8) -> None:
    """Each arm's name right of the panel at the height where its line ends at ``x``, moved apart, with a thin line to it.

    Limits, scale and place of the axis must be final. Ends outside of the limits get no label.
    """
    from matplotlib.lines import Line2D

    low, high = sorted(axis.get_ylim())
    ends = {arm: y for arm, y in ends.items() if np.isfinite(y) and low <= y <= high}
    if not ends:
        return
    height = axis.get_window_extent().height * 72 / axis.figure.dpi  # points
    to_axes = axis.transData + axis.transAxes.inverted()
    heights = np.array([to_axes.transform((x, y))[1] for y in ends.values()]) * height
    right = to_axes.transform((x, low if low > 0 or axis.get_yscale() == "linear" else high))[0]
    moved = spread(heights, size * 1.12, 0, height)
    for arm, old, new in zip(ends, heights, moved, strict=True):
        colour = look(arm)["color"]
        thin = {"color": colour, "linewidth": 0.5, "transform": axis.transAxes, "clip_on": False}
        axis.add_artist(Line2D([right, 1.055], [old / height, new / height], **thin))
        text = {"fontsize": size, "color": colour, "va": "center", "ha": "left"}
        axis.annotate(label(arm), (1.06, new / height), xycoords="axes fraction", annotation_clip=False, **text)


def measured(axis: "Axes", least: float, most: float) -> None:
    """Grey behind the range in which runs were trained; beyond it lines are extrapolated."""
    axis.axvspan(least, most, color="#efefef", linewidth=0, zorder=-5)


def empty(axis: "Axes", why: str) -> None:
    """A panel that has nothing to show says why."""
    axis.annotate(why, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", fontsize=7.5, color=figures.INK)
    axis.set_xticks([])
    axis.set_yticks([])
    for side in axis.spines.values():
        side.set_visible(False)
