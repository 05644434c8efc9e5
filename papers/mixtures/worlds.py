"""Worlds whose outcome is known: what mixtures are ahead of natural text where they should be, and where they must not be.

Reads runs.csv and claims.yaml. Makes worlds.pdf and worlds.png (loss of each arm less natural text's, a panel a world),
worlds.csv (every plotted number) and worlds.claims.json. The paper has no such figure.

A teacher that removes noise, held-out text that is clean: rephrased text would win by construction. So beside the default
world, where the natural pages are noisy, stand: ``null``, where the "rephrase" is another sample of natural text and nothing
may differ; ``clean``, where pages have no noise and a gain by removing it must vanish; ``adverse``, where textbooks are of a
teacher without the tails, and must lose; and in the default world ``filtered``, noise removed by choosing documents rather than
by rewriting them. Differences are paired over seeds, and means over the cells of a world. A world without natural text of its
own is compared with that of the default world, which reads the same documents.
"""

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from papers.mixtures import mixes
from papers.mixtures.arms import label
from papers.mixtures.mixes import BAND, COLOURS, COVER, KINDS, MARKERS
from scripts.lib import claims as claims_
from scripts.lib import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORLDS = {
    "default": "noisy pages, teacher removes noise",
    "null": "another natural sample",
    "clean": "pages without noise",
    "adverse": "teacher without tails",
}
EXPECTED = {"null": "no difference", "clean": "no gain", "adverse": "a loss"}
REPHRASED = ("hq", "qa")


def arms_of(runs: pd.DataFrame, world: str, generator: str) -> pd.DataFrame:
    """The runs of a world and the natural ones that they are compared with, in the cells that have both.

    Of the default world those cells that another world has too, if there are any.
    """
    cell = ["parameters", "tokens"]
    mine = runs[(runs["world"] == world) & runs["kind"].isin((*KINDS, "filtered"))]
    if world == "default":
        mine = mine[(mine["kind"] == "filtered") | (mine["generator"] == generator)]
        beside = mine.merge(runs.loc[runs["world"] != world, cell].drop_duplicates())
        mine = beside if len(beside) else mine
    natural = runs[runs["kind"] == "natural"]
    own = natural[natural["world"] == world]
    natural = own if len(own) else natural[natural["world"] == "default"]
    both = mine[cell].drop_duplicates().merge(natural[cell].drop_duplicates())
    return pd.concat([natural.merge(both), mine.merge(both)], ignore_index=True)


def differences(runs: pd.DataFrame, world: str, generator: str) -> dict[str, tuple[mixes.Difference, int, str]]:
    """Arm -> its loss less natural text's, mean over the cells of the world that have the arm; how many; of how many seeds."""
    mine = arms_of(runs, world, generator)
    cells = mixes.cells(mine, mine["arm"])
    out = {}
    for arm in dict.fromkeys(mine.loc[mine["kind"] != "natural", "arm"]):
        there = [cell for cell in cells.values() if arm in cell.arms]
        out[arm] = mixes.together([mixes.minus(cell, arm, "cc") for cell in there]), len(there), mixes.seeds_of(there)
    return out


def between(runs: pd.DataFrame, one: str, other: str, generator: str) -> mixes.Difference | None:
    """The loss of one arm of the default world less that of another, mean over the cells that have both."""
    mine = arms_of(runs, "default", generator)
    there = [cell for cell in mixes.cells(mine, mine["arm"]).values() if {one, other} <= set(cell.arms)]
    return mixes.together([mixes.minus(cell, one, other) for cell in there]) if there else None


def farthest(found: dict[str, mixes.Difference], level: float, side: int) -> dict[str, object]:
    """The arm whose bounds reach farthest from natural text: either way (0), below it (-1).

    It is picked among several, so that its bounds are at the level over their number; where they keep within a tolerance, those
    of all arms do.
    """
    each = {arm: mixes.bounds(part, level / len(found)) for arm, part in found.items()}
    reach = {arm: -one["low"] if side else max(-one["low"], one["high"]) for arm, one in each.items()}
    arm = max(reach, key=reach.get)
    return {**each[arm], "level": level, "arm": arm, "arms": len(found)}


def findings(runs: pd.DataFrame, claims: dict[str, dict], generator: str) -> dict[str, dict]:
    """What was found for each claim with a direction; unknown where a world or an arm was not trained."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    out = {name: mixes.unknown(level[name], "not trained at this scale") for name in level}
    known = {world: {arm: part[0] for arm, part in differences(runs, world, generator).items()} for world in WORLDS}
    if "hq-33" in known["default"]:
        part = known["default"]["hq-33"]
        out["worlds-gain"] = mixes.bounds(part._replace(estimate=-part.estimate), level["worlds-gain"])
    if known["null"]:
        out["worlds-null"] = farthest(known["null"], level["worlds-null"], 0)
    if rephrased := {arm: part for arm, part in known["clean"].items() if arm.startswith(REPHRASED)}:
        found = farthest(rephrased, level["worlds-clean"], -1)
        out["worlds-clean"] = {**found, "estimate": -found["estimate"], "low": -found["high"], "high": -found["low"]}
    if "txbk-100" in known["adverse"]:
        out["worlds-adverse"] = mixes.bounds(known["adverse"]["txbk-100"], level["worlds-adverse"])
    if "filtered" in known["default"]:
        part = known["default"]["filtered"]
        out["worlds-filtered"] = mixes.bounds(part._replace(estimate=-part.estimate), level["worlds-filtered"])
        if rewriting := between(runs, "filtered", "hq-100", generator):
            out["worlds-rewriting"] = mixes.bounds(rewriting, level["worlds-rewriting"])
    return out


def plotted(runs: pd.DataFrame, generator: str) -> pd.DataFrame:
    """Every plotted number: world, arm, y (nats above natural text), low, high (90 %), cells, seeds."""
    lines = []
    for world in WORLDS:
        for arm, (part, cells, seeds) in differences(runs, world, generator).items():
            lines.append({"world": world, "arm": arm, **mixes.bounds(part, BAND), "cells": cells, "seeds": seeds})
    columns = ["world", "arm", "y", "low", "high", "cells", "seeds"]
    return pd.DataFrame(lines).rename(columns={"estimate": "y"}).reindex(columns=columns)


# --- the figure ---------------------------------------------------------------------------------------------------------------


def order_of(arm: str) -> tuple[int, float]:
    """Arms by kind, then by share; filtered text last."""
    kind, _, share = arm.partition("-")
    return (*KINDS, "filtered").index(kind), float(share or 0)


def world_panel(axis: "Axes", table: pd.DataFrame, world: str, tolerance: float) -> None:
    """Differences of a world, an arm a line; left is better than natural text."""
    mine = table[table["world"] == world]
    mine = mine.loc[sorted(mine.index, key=lambda i: order_of(mine.loc[i, "arm"]))].reset_index(drop=True)
    for i, one in mine.iterrows():
        kind = one["arm"].partition("-")[0]
        look = {"color": COLOURS[kind], "fmt": MARKERS[kind], "elinewidth": 0.9, "markersize": 4}
        axis.errorbar([one["y"]], [-i], xerr=mixes.bars(mine.loc[[i]]), **look)
    if world in ("null", "clean"):
        axis.axvspan(-tolerance, tolerance, color="#bbbbbb", alpha=0.4, linewidth=0, zorder=0)
    axis.axvline(0, color="#888888", linewidth=0.7, zorder=0)
    axis.set_yticks([-i for i in range(len(mine))], [label(arm) for arm in mine["arm"]])
    axis.tick_params(axis="y", length=0, labelsize=6.5)
    axis.set_ylim(0.7 - max(len(mine), 1), 0.7)
    axis.locator_params(axis="x", nbins=5)
    axis.set_xlabel("loss less CC's, nats (left: better)", labelpad=1)
    if mine.empty:
        axis.set_xlim(-1, 1)
        axis.annotate("not trained at this scale", (0.5, 0.5), xycoords="axes fraction", ha="center", color=figures.INK)
        mixes.titled(axis, world, WORLDS[world])
    else:
        cells, seeds = mine["cells"].max(), mine.loc[mine["cells"].idxmax(), "seeds"]
        under = f"n = {cells} cell{'s' if cells > 1 else ''}, {seeds}; bars: 90 %"
        expected = f"expected: {EXPECTED[world]}; " if world in EXPECTED else ""
        mixes.titled(axis, f"{world}: {WORLDS[world]}", expected + under)


def footer(judged: list[dict]) -> list[str]:
    """The lines under the panels."""
    by = {entry["claim"]: entry for entry in judged}

    def of(name: str) -> str:
        return f" ({label(by[name]['arm'])} of {by[name]['arms']})" if "arm" in by[name] else ""

    return [
        "Not in the paper: worlds whose outcome is known, to show that verdicts can fail. Bands: what is called no difference.",
        mixes.said(by["worlds-gain"], "Default, CC less 33% HQ")
        + " "
        + mixes.said(by["worlds-null"], f"Null, farthest arm from CC{of('worlds-null')}"),
        mixes.said(by["worlds-clean"], f"Clean, largest gain of rephrased text{of('worlds-clean')}")
        + " "
        + mixes.said(by["worlds-adverse"], "Adverse, TXBK less CC"),
        mixes.said(by["worlds-filtered"], "Choosing documents, CC less filtered")
        + " "
        + mixes.said(by["worlds-rewriting"], "Filtered less HQ"),
        f"Intervals cover {COVER}.",
    ]


def worlds(runs: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: runs.csv and claims.yaml in, the four files out."""
    table = mixes.read_runs(runs)
    entries = claims_.read_claims(claims, "worlds")
    verdicts = claims_.judge(entries, findings(table, entries, row["generator"]), row["scale"])
    numbers = plotted(table, row["generator"])
    layer, names = f"reproduced layer: {figures.SCALES[row['scale']]}", list(WORLDS)
    panels = [
        partial(world_panel, table=numbers, world=world, tolerance=entries["worlds-null"]["tolerance"]) for world in names
    ]
    figure = mixes.sheet([(layer, panels[:2]), ("", panels[2:])], footer(verdicts))
    n = f"{len(numbers)} differences of {numbers['world'].nunique()} worlds"
    about = {"artifact": "worlds", "code": code, "cover": COVER, "n": n}
    figures.publish(figure, numbers, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        worlds(
            snakemake.input.runs,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
