"""What Figures 1 and 2 share: loss by tokens or by parameters, each arm against natural text, printed laws beside our own fits.

``axis`` is what varies: tokens (Figure 1, Table 4) or parameters (Figure 2, Table 5).
"""

import textwrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from papers.mixtures import arms as arms_
from papers.mixtures.arms import BILLION, LEVEL, Fitted, Printed
from scripts.lib import figures, laws
from scripts.lib.laws import Law

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 121  # of a drawn curve
BEYOND = 4  # times the largest run: how far our own fits are drawn
GIVEN = {"tokens": "D", "parameters": "N"}
COLUMNS = {"published": 0.5, "reproduced": 3.93}  # inches: the left edge of a layer's panels; labels stand right of them
ACROSS = 2.3  # inches: their width
TICKS = {"tokens": [1, 10, 100, 1000, 8000], "parameters": [0.1, 1, 10, 50, 200]}  # billions, published layer


def at(law: Law, axis: str, x: np.ndarray | float) -> np.ndarray | float:
    """A law's loss at x billion tokens or parameters."""
    return laws.value(law, **{GIVEN[axis]: x})


def grid(published: Printed, axis: str, until: str = "extrapolated") -> np.ndarray:
    """Billions of tokens or parameters from the paper's least to its largest ``until`` (fitted, held_out, extrapolated)."""
    known = published.known["ranges"][axis]
    return np.geomspace(known["least"], known[until], 2001)


def crossing(difference: np.ndarray, x: np.ndarray) -> np.ndarray | float:
    """Where differences (..., points) over ascending x first fall from above zero to below: infinite where they never do.

    Linear between points in log x. 0 where they are below zero from the first point on.
    """
    difference = np.asarray(difference, float)
    falls = (difference[..., :-1] > 0) & (difference[..., 1:] <= 0)
    first = falls.argmax(-1)
    one, two = (np.take_along_axis(difference, (first + i)[..., None], -1)[..., 0] for i in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(falls.any(-1), one / (one - two), 0.0)
    places = np.exp(np.log(x)[first] + share * np.log(x[first + 1] / x[first]))
    found = np.where(falls.any(-1), places, np.where(difference[..., 0] <= 0, 0.0, np.inf))
    return found[()]


def off(found: Fitted, printed: Printed, axis: str, level: float) -> dict:
    """A finding: how far our laws are off the printed ones, relative, at the worst of all arms where the paper has runs."""
    by = getattr(printed, axis)
    if not found.has(*by):
        return arms_.nothing("no law of some arm: too few runs")
    x = grid(printed, axis, "held_out")[::100]
    both = [[np.abs(each / at(by[arm], axis, x) - 1).max(-1) for each in found.loss(arm, **{GIVEN[axis]: x})] for arm in by]
    return arms_.bounds(max(one[0] for one in both), np.max([one[1] for one in both], 0), level)


# --- every plotted number ---------------------------------------------------------------------------------------------------


def plotted(published: Printed, found: Fitted, row: dict, axis: str) -> pd.DataFrame:
    """Every plotted number: layer, panel (loss, or difference from cc), series (law, run, fit, paired), arm, x, y, ends, n.

    x is a number of tokens or parameters, y nats a token. A fit's ``low`` and ``high`` are bounds at LEVEL; paired are
    differences of runs with the same seed from that of cc, mean over seeds.
    """
    parts = []
    printed, known = getattr(published, axis), published.known["ranges"][axis]
    x = np.geomspace(known["least"], known["extrapolated"], POINTS)
    for arm, law in printed.items():
        for panel, y in (("loss", at(law, axis, x)), ("difference", at(law, axis, x) - at(printed["cc"], axis, x))):
            parts.append(
                pd.DataFrame({"layer": "published", "panel": panel, "series": "law", "arm": arm, "x": x * BILLION, "y": y})
            )
    runs = found.runs
    if len(runs):
        x = np.geomspace(runs[axis].min(), BEYOND * runs[axis].max(), POINTS) / BILLION
    for arm in [arm for arm in row["arms"] if arm in set(runs["arm"])]:
        mine = runs[runs["arm"] == arm]
        cells = mine.groupby(axis)["loss"].agg(["mean", "min", "max", "size"]).reset_index()
        base = {"layer": "reproduced", "arm": arm}
        seen = {"x": cells[axis], "y": cells["mean"], "low": cells["min"], "high": cells["max"], "n": cells["size"]}
        parts.append(pd.DataFrame({**base, "panel": "loss", "series": "run", **seen}))
        if len(pairs := _paired(runs, arm, axis)):
            parts.append(pairs.assign(**base, panel="difference", series="paired"))
        for panel, of in (("loss", ()), ("difference", ("cc",))):
            if found.has(arm, *of):
                y, draws = found.less(arm, "cc", **{GIVEN[axis]: x}) if of else found.loss(arm, **{GIVEN[axis]: x})
                low, high = laws.interval(draws, 1 - 2 * LEVEL)
                curve = {"x": x * BILLION, "y": y, "low": low, "high": high, "n": len(mine)}
                parts.append(pd.DataFrame({**base, "panel": panel, "series": "fit", **curve}))
    return pd.concat(parts, ignore_index=True)


def _paired(runs: pd.DataFrame, arm: str, axis: str) -> pd.DataFrame:
    """Mean over seeds of an arm's loss less that of cc with the same seed: x, y, low, high (the seeds' least and most), n."""
    both = runs[runs["arm"] == arm].merge(runs[runs["arm"] == "cc"], on=[axis, "seed"], suffixes=("", "_cc"))
    less = both.assign(less=both["loss"] - both["loss_cc"]).groupby(axis)["less"].agg(["mean", "min", "max", "size"])
    return less.reset_index().rename(columns={axis: "x", "mean": "y", "min": "low", "max": "high", "size": "n"})


# --- the figure -------------------------------------------------------------------------------------------------------------


class Words(NamedTuple):
    """What one figure says about its panels."""

    x: str  # name of the horizontal axis
    published: str  # under the published panels' title
    fixed: str  # what was held fixed in our runs
    crosses: str = ""  # an arm whose passing of natural text is marked


def draw(table: pd.DataFrame, found: Fitted, published: Printed, axis: str, words: Words, lines: list[str]) -> "Figure":
    """Loss above, difference from natural text under it; published left, reproduced right; footer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in lines for line in textwrap.wrap(part, 131)]
    panel, gap = 1.95, 0.2
    height = 0.42 + 2 * panel + gap + 0.5 + 0.137 * len(lines)
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))
        for layer, left in COLUMNS.items():
            for i, name in enumerate(("loss", "difference")):
                bottom = height - 0.42 - panel - i * (panel + gap)
                box = (left / figures.WIDTH, bottom / height, ACROSS / figures.WIDTH, panel / height)
                axes = figure.add_axes(box)
                mine = table[(table["layer"] == layer) & (table["panel"] == name)]
                if mine.empty:
                    arms_.empty(axes, "no runs yet")
                    continue
                _panel(axes, mine, name, _range(found, published, layer, axis))
                if i:
                    _mark(axes, mine[(mine["arm"] == words.crosses) & mine["series"].isin(["law", "fit"])])
                _ticks(axes, mine, layer, axis, labels=bool(i))
                if i:
                    unit = ", billions" if layer == "published" else ""
                    axes.set_xlabel(f"{words.x}{unit}", labelpad=1)
                else:
                    axes.set_title(layer, fontweight="bold", pad=11)
                    figures.under_title(
                        axes, words.published if layer == "published" else f"{words.fixed}; {arms_.counted(found.runs)}"
                    )
                if layer == "published":
                    axes.set_ylabel("loss, nats a token" if name == "loss" else "loss less that of CC, nats", labelpad=2)
                _labels(axes, mine)
        figures.footer(figure, lines)
    return figure


def _range(found: Fitted, published: Printed, layer: str, axis: str) -> tuple[float, float]:
    known = published.known["ranges"][axis]
    if layer == "published":
        return known["least"] * BILLION, known["held_out"] * BILLION
    return found.runs[axis].min(), found.runs[axis].max()


def _panel(axes: "Axes", table: pd.DataFrame, name: str, trained: tuple[float, float]) -> None:
    """Curves, bands and dots of one panel; an arm that lies far off the others is left out of the limits and said in words."""
    axes.set_xscale("log")
    arms_.measured(axes, *trained)
    far = _far(table) if name == "difference" else []
    for arm, mine in table.groupby("arm", sort=False):
        look = arms_.look(arm)
        marks = {"color": look["color"], "marker": look["marker"], "markersize": 2.8, "linestyle": "none"}
        for series, part in mine.groupby("series"):
            if series in ("law", "fit"):
                axes.plot(part["x"], part["y"], **{key: look[key] for key in ("color", "linestyle", "linewidth")})
            if series == "fit" and arm != "cc":
                axes.fill_between(part["x"], part["low"], part["high"], color=look["color"], alpha=0.10, linewidth=0)
            if series in ("run", "paired") and not (name == "difference" and arm == "cc"):
                axes.plot(part["x"], part["y"], **marks)
    if name == "difference":
        near = table[~table["arm"].isin(far)]
        curves = near[near["series"].isin(["law", "paired"] if "law" in set(near["series"]) else ["fit", "paired"])]
        least, most = curves["y"].min(), curves["y"].max()
        pad = 0.06 * max(most - least, 1e-3)
        axes.set_ylim(least - pad, most + (3 if far else 1) * pad)
        said = [
            f"{arms_.label(arm)} off scale: {part['y'].min():+.2f} to {part['y'].max():+.2f}" for arm, part in _of(table, far)
        ]
        axes.annotate(
            "\n".join(said), (0.98, 0.985), xycoords="axes fraction", ha="right", va="top", fontsize=6.5, color=figures.INK
        )
        axes.axhline(0, color=figures.COLOURS["black"], linewidth=0.5, zorder=0)
    else:
        solid = table[table["series"].isin(["law", "run", "fit"])]
        axes.set_ylim(solid["y"].min() - 0.03 * np.ptp(solid["y"]), solid["y"].max() + 0.03 * np.ptp(solid["y"]))
    axes.set_xlim(table["x"].min() / 1.05, table["x"].max())


def _mark(axes: "Axes", curve: pd.DataFrame) -> None:
    """Where an arm's difference from natural text last changes its sign, with the number."""
    x, y = curve["x"].to_numpy(), curve["y"].to_numpy()
    changes = np.flatnonzero(y[:-1] * y[1:] < 0)
    if len(changes):
        k = changes[-1]
        place = float(np.exp(np.log(x[k]) + y[k] / (y[k] - y[k + 1]) * np.log(x[k + 1] / x[k])))
        axes.plot(place, 0, "o", color=figures.COLOURS["black"], markerfacecolor="white", markersize=4.5, zorder=6)
        axes.annotate(arms_.short(place), (place, 0), (3, 4), textcoords="offset points", fontsize=7, zorder=6)


def _of(table: pd.DataFrame, names: list[str]) -> list[tuple[str, pd.DataFrame]]:
    return [(arm, table[table["arm"] == arm]) for arm in names]


def _far(table: pd.DataFrame) -> list[str]:
    """Arms whose every difference is larger than all of the others' by a tenth of their range: they would squeeze these."""
    limits = table.groupby("arm")["y"].agg(["min", "max"])
    found = []
    for arm in limits.index:
        others = limits.drop(arm)
        if len(others) > 2 and limits.loc[arm, "min"] > others["max"].max() + 0.1 * (others["max"].max() - others["min"].min()):
            found.append(arm)
    return found


def _ticks(axes: "Axes", table: pd.DataFrame, layer: str, axis: str, labels: bool) -> None:
    if layer == "published":
        ticks = [tick * BILLION for tick in TICKS[axis]]
        names = [f"{tick:g}" for tick in TICKS[axis]]
    else:
        ticks = sorted(set(table.loc[table["series"].isin(["run", "paired"]), "x"]))
        names = [arms_.short(tick) for tick in ticks]
    axes.set_xticks(ticks, names if labels else [""] * len(ticks))
    axes.set_xticks([], minor=True)


def _labels(axes: "Axes", table: pd.DataFrame) -> None:
    """Names at the right ends of curves, or of runs where no arm has a curve."""
    curves = table[table["series"].isin(["law", "fit"])]
    curves = table if curves.empty else curves
    last = curves.sort_values("x", kind="stable").groupby("arm", sort=False).tail(1)
    arms_.direct_labels(axes, dict(zip(last["arm"], last["y"], strict=True)), table["x"].max())
