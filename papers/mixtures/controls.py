"""Controls of Figure 1: worlds in which synthetic text must not help, or must harm, and text that was selected instead of rewritten.

The worlds: null (a "rephrase" is an independent natural sample), clean (web pages without noise, so that there is nothing to clean
away), adverse (textbooks of a teacher whose distribution has its tail cut off). In the default world the arm ``filtered`` is natural
text from which noise was removed by selection.

A gap is an arm's loss less that of cc in the same world, paired by seed, at the largest budget that both have. Few seeds say little
about their own spread, so the standard deviation of gaps over seeds is pooled over all worlds, arms and budgets with two seeds or
more: Student's t with those degrees of freedom.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.mixtures import arms as arms_
from papers.mixtures.arms import LEVEL, nothing
from scripts.lib import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORLDS = {"default": "default", "null": "null: independent natural text", "clean": "clean: pages without noise", "adverse": "adverse: tail-cut teacher"}


def gaps(runs: pd.DataFrame) -> tuple[pd.DataFrame, float, int]:
    """World, arm, tokens, gap in nats and its number of seeds; the pooled standard deviation of gaps over seeds, and its freedom.

    The deviation is NaN and the freedom 0 where no arm has two seeds.
    """
    keys = ["world", "parameters", "tokens", "seed"]
    both = runs[runs["arm"] != "cc"].merge(runs[runs["arm"] == "cc"], on=keys, suffixes=("", "_cc"))
    both = both.assign(gap=both["loss"] - both["loss_cc"])
    cells = both.groupby(["world", "arm", "parameters", "tokens"])["gap"].agg(["mean", "size", "var"]).reset_index()
    freedom = int((cells["size"] - 1).sum())
    several = cells[cells["size"] > 1]
    variance = (several["var"] * (several["size"] - 1)).sum() / freedom if freedom else np.nan
    last = cells.sort_values("tokens", kind="stable").groupby(["world", "arm"], sort=False).tail(1)
    found = last.rename(columns={"mean": "gap", "size": "seeds"})[["world", "arm", "tokens", "gap", "seeds"]]
    return found.reset_index(drop=True), float(np.sqrt(variance)), freedom


def bounds(gap: float, seeds: int, deviation: float, freedom: int, level: float) -> dict:
    """A finding: the gap and Student's t interval with ``level`` on either side."""
    from scipy.stats import t

    if not freedom:
        return {**nothing("no arm has two seeds"), "estimate": gap}
    half = float(t.isf(level, freedom)) * deviation / np.sqrt(seeds)
    return {"estimate": gap, "low": gap - half, "high": gap + half, "seeds": int(seeds)}


def plotted(runs: pd.DataFrame) -> pd.DataFrame:
    """Every plotted gap: layer, panel, world, arm, x (tokens), y, low, high at LEVEL, n (seeds)."""
    found, deviation, freedom = gaps(runs)
    lines = []
    for one in found.itertuples():
        ends = bounds(one.gap, one.seeds, deviation, freedom, LEVEL)
        known = {"layer": "reproduced", "panel": "controls", "series": one.world, "arm": one.arm, "x": one.tokens, "n": one.seeds}
        lines.append({**known, "y": one.gap, "low": ends["low"], "high": ends["high"]})
    return pd.DataFrame(lines, columns=["layer", "panel", "series", "arm", "x", "y", "low", "high", "n"])


def findings(runs: pd.DataFrame, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for the claims on controls."""
    found, deviation, freedom = gaps(runs)
    by = found.set_index(["world", "arm"])

    def gap(world: str, arm: str, level: float) -> dict:
        if (world, arm) not in by.index:
            return nothing(f"no runs of {arm} and cc in the world {world}")
        one = by.loc[(world, arm)]
        return bounds(float(one["gap"]), int(one["seeds"]), deviation, freedom, level)

    out = {"fig1-clean": gap("clean", "hq-33", claims["fig1-clean"]["level"])}
    out["fig1-adverse"] = gap("adverse", "txbk-100", claims["fig1-adverse"]["level"])
    out["fig1-filtered"] = nothing("no runs of filtered and hq-33 with the same seeds")
    pair = runs[(runs["world"] == "default") & runs["arm"].isin(["filtered", "hq-33"])]
    pair, spread, free = gaps(pair.assign(arm=pair["arm"].map({"filtered": "filtered", "hq-33": "cc"})))
    if len(pair):
        one = pair.iloc[0]
        out["fig1-filtered"] = bounds(float(one["gap"]), int(one["seeds"]), spread, free, claims["fig1-filtered"]["level"])
    null = found[found["world"] == "null"]
    out["fig1-null"] = nothing("no runs in the null world")
    if len(null) and freedom:
        level = claims["fig1-null"]["level"] / len(null)
        ends = [bounds(one.gap, one.seeds, deviation, freedom, level) for one in null.itertuples()]
        away = max(max(one["low"], -one["high"]) for one in ends)  # above 0 where an interval leaves zero out
        farthest = float(null["gap"].iloc[null["gap"].abs().argmax()])
        out["fig1-null"] = {"estimate": away, "low": away, "high": away, "arms": len(null), "farthest": farthest}
    return out


def draw(axes: "Axes", table: pd.DataFrame) -> None:
    """Gaps with their intervals, a row a world and arm; ``table`` is of ``plotted``."""
    if table.empty:
        arms_.empty(axes, "no runs of controls yet")
        return
    worlds = [*WORLDS, *sorted(set(table["series"]) - set(WORLDS))]
    place, ticks = 0, {}
    for world in [world for world in worlds if world in set(table["series"])]:
        axes.annotate(WORLDS.get(world, world), (-0.165, place + 0.1), xycoords=("axes fraction", "data"), fontsize=6.8,
                      color=figures.INK, ha="right", va="center")  # fmt: skip
        for one in table[table["series"] == world].itertuples():
            look = arms_.look(one.arm)
            axes.plot(one.y, place, color=look["color"], marker=look["marker"], markersize=4, linestyle="none")
            if abs(one.low) < arms_.NOTHING:
                axes.plot([one.low, one.high], [place, place], color=look["color"], linewidth=1.1)
            ticks[place] = f"{arms_.label(one.arm)} ({one.n})"
            place -= 1
        place -= 0.4
    axes.axvline(0, color=figures.COLOURS["black"], linewidth=0.5, zorder=0)
    axes.set_yticks(list(ticks), ticks.values())
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(place + 0.9, 0.6)
    axes.margins(x=0.06)
