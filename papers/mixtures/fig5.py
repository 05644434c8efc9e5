"""Figure 5 of arXiv 2510.01631: whether a more capable generator writes better pretraining text.

Reads runs.csv and claims.yaml. Makes fig5.pdf and fig5.png (loss by share of synthetic text with three generators, and what
the weaker and the stronger one are above the middle one, for HQ and QA), fig5.csv (every plotted number) and fig5.claims.json.

All three rewrite the same documents with the same prompts. Compared are the shares above 0 that all three have, at every size
and budget that has all three. Two statistics a comparison: the mean difference over shares, with its interval, and in how many
shares the sign is as claimed (an exact binomial interval of its chance; shares of one seed are taken as independent).
"Comparable" is read as within ``fig5-...``'s tolerance of 0.005 nats, set beforehand.
"""

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from papers.mixtures import mixes
from papers.mixtures.arms import short
from papers.mixtures.mixes import BAND, COVER, NAMES
from scripts.lib import claims as claims_
from scripts.lib import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = ("hq", "qa")
ROLES = ("weak", "middle", "strong")
LOOK = {
    "weak": {"color": figures.COLOURS["orange"], "marker": "v", "linestyle": (0, (4, 1.5))},
    "middle": {"color": figures.COLOURS["blue"], "marker": "o", "linestyle": "-"},
    "strong": {"color": figures.COLOURS["vermilion"], "marker": "^", "linestyle": (0, (1, 1))},
}


def keyed(runs: pd.DataFrame) -> pd.Series:
    """Names of arms within a cell: ``natural``, ``hq 0.1 novice``."""
    written = runs["kind"] + " " + runs["share"].map("{:.6g}".format) + " " + runs["generator"]
    return runs["kind"].where(runs["kind"] == "natural", written)


def compared(runs: pd.DataFrame, row: dict) -> tuple[dict[tuple[int, int], mixes.Cell], dict[str, list[float]], dict[str, str]]:
    """The cells in which all generators were tried, the shares that are compared, by kind, and the generators by role.

    A scale without one of the others than the middle one compares the two that it has.

    Raises:
        ValueError: where no cell has a share of all of them for one of the kinds.
    """
    tried = set(runs.loc[runs["world"] == row["world"], "generator"])
    roles = {role: row["generators"][role] for role in ROLES if row["generators"].get(role) in tried}
    generators = list(roles.values())
    mine = runs[(runs["world"] == row["world"]) & runs["kind"].isin(("natural", *STYLES)) & (runs["share"] < 1)]
    mine = mine[(mine["kind"] == "natural") | mine["generator"].isin(generators)]
    shares, cells = {}, set(map(tuple, mine[["parameters", "tokens"]].drop_duplicates().to_numpy()))
    by_style = {}
    for style in STYLES:
        of = mine[mine["kind"] == style].groupby(["parameters", "tokens", "share"])["generator"].agg(set)
        by_style[style] = of[of.map(lambda found: found >= set(generators))]
        cells &= {(parameters, tokens) for parameters, tokens, _ in by_style[style].index}
    for style, of in by_style.items():
        sets = [{share for p, t, share in of.index if (p, t) == cell} for cell in cells]
        shares[style] = sorted(set.intersection(*sets)) if sets else []
        if not shares[style] or "middle" not in roles or len(roles) < 2:
            raise ValueError(
                f"{row['name']}: {style}: expected shares of all of {', '.join(generators)} at one size and budget"
            )
    kept = mine.merge(pd.DataFrame(sorted(cells), columns=["parameters", "tokens"]), on=["parameters", "tokens"])
    return mixes.cells(kept, keyed(kept)), shares, roles


def arm(style: str, share: float, generator: str) -> str:
    """The name of an arm: ``hq 0.1 novice``."""
    return f"{style} {share:.6g} {generator}"


def above(cells: dict, shares: dict[str, list[float]], one: str, other: str) -> mixes.Difference:
    """Loss with the text of one generator less that of another, mean over cells, kinds and the shares of each kind."""
    weights: dict[str, float] = {}
    for style, mine in shares.items():
        each = 1 / len(shares) / len(mine)
        weights |= {arm(style, share, one): each for share in mine} | {arm(style, share, other): -each for share in mine}
    return mixes.together([mixes.contrast(cell, weights) for cell in cells.values()])


def by_share(cells: dict, style: str, shares: list[float], one: str, other: str) -> list[mixes.Difference]:
    """The same for one kind, at each share."""
    return [above(cells, {style: [share]}, one, other) for share in shares]


def signs(differences: list[mixes.Difference], level: float) -> dict[str, object]:
    """By how much the chance of a positive sign is above one half, exact (Clopper and Pearson 1934), ``level`` on either side.

    Seven of seven at 0.05 is 0.5 with bounds 0.152 and 0.5; the sign test's one-sided p stands beside it, 1/128.
    """
    from scipy.stats import binomtest

    higher, n = sum(one.estimate > 0 for one in differences), len(differences)
    test = binomtest(higher, n, alternative="greater")
    ends = binomtest(higher, n).proportion_ci(1 - 2 * level)
    found = {"estimate": higher / n - 0.5, "low": float(ends.low) - 0.5, "high": float(ends.high) - 0.5, "level": level}
    return {**found, "signs": f"{higher} of {n}", "p": float(test.pvalue)}


def findings(cells: dict, shares: dict[str, list[float]], roles: dict[str, str], claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction; unknown where a generator was not tried."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    out = {name: mixes.unknown(level[name], "generator not tried at this scale") for name in level}
    for role in [role for role in roles if role != "middle"]:
        for style, mine in shares.items():
            name = f"fig5-{role}-{style}"
            mean = above(cells, {style: mine}, roles[role], roles["middle"])
            out[name] = mixes.bounds(mean, level[name], shares=len(mine))
            if f"{name}-signs" in level:
                parts = by_share(cells, style, mine, roles[role], roles["middle"])
                out[f"{name}-signs"] = signs(parts, level[f"{name}-signs"])
    if "strong" in roles:
        out["fig5-bigger"] = mixes.bounds(above(cells, shares, roles["middle"], roles["strong"]), level["fig5-bigger"])
    return out


def plotted(cells: dict, shares: dict[str, list[float]], roles: dict[str, str]) -> pd.DataFrame:
    """Every plotted number: panel, kind, role, generator, share, y (nats), low, high (90 %), seeds, cells.

    Panels: loss (less CC's) and difference (less the middle generator's; without share their mean).
    """
    lines = []
    for style, mine in shares.items():
        base = {"kind": style, "seeds": mixes.seeds_of(cells.values()), "cells": len(cells)}
        for role, generator in roles.items():
            name = {**base, "role": role, "generator": generator}
            for share in mine:
                one = [mixes.minus(cell, arm(style, share, generator), "natural") for cell in cells.values()]
                lines.append({"panel": "loss", **name, "share": share, **mixes.bounds(mixes.together(one), BAND)})
            if role != "middle":
                each = by_share(cells, style, mine, generator, roles["middle"])
                for share, part in zip(mine, each, strict=True):
                    lines.append({"panel": "difference", **name, "share": share, **mixes.bounds(part, BAND)})
                mean = above(cells, {style: mine}, generator, roles["middle"])
                lines.append({"panel": "difference", **name, **mixes.bounds(mean, BAND)})
    table = pd.DataFrame(lines).rename(columns={"estimate": "y"})
    return table[["panel", "kind", "role", "generator", "share", "y", "low", "high", "seeds", "cells"]]


# --- the figure ---------------------------------------------------------------------------------------------------------------


def share_axis(axis: "Axes", shares: list[float], more: float = 1.0) -> None:
    """A logarithmic axis of shares in per cent, labels where they fit; ``more`` is room on the right, as a factor."""
    axis.set_xscale("log")
    kept = [shares[-1]]
    for share in shares[-2::-1]:
        kept += [share] if share <= kept[-1] / 1.5 else []
    axis.set_xticks([100 * share for share in kept], [f"{100 * share:g}" for share in kept])
    axis.set_xticks([], minor=True)
    axis.set_xlim(100 * shares[0] / 1.35, 100 * shares[-1] * 1.35 * more)
    axis.set_xlabel("synthetic share, %", labelpad=1)


def loss_panel(axis: "Axes", table: pd.DataFrame, style: str) -> None:
    """Loss less CC's by share, a line a generator."""
    mine = table[(table["panel"] == "loss") & (table["kind"] == style)]
    shares = sorted(set(mine["share"]))
    for i, (role, line) in enumerate(mine.groupby("role", sort=False)):
        x = 100 * line["share"] * 1.05 ** (i - 1)
        name = f"{line['generator'].iloc[0]} ({role})"
        axis.errorbar(x, line["y"], mixes.bars(line), elinewidth=0.7, label=name, **LOOK[role])
    mixes.across(axis)
    axis.margins(y=0.12)
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.32 * (high - low))
    share_axis(axis, shares)
    axis.set_ylabel("loss less CC's, nats", labelpad=1)
    axis.legend(frameon=False, loc="upper right", handlelength=2.6, borderpad=0.1)
    mixes.titled(axis, f"{NAMES[style]}, by generator", f"mean of {line['seeds'].iloc[0]}; bars: 90 %; line at 0: CC alone")


def difference_panel(axis: "Axes", table: pd.DataFrame, style: str, tolerance: float) -> None:
    """What the weaker and the stronger generator are above the middle one, by share, and their means at the right."""
    mine = table[(table["panel"] == "difference") & (table["kind"] == style)]
    shares = sorted(set(mine["share"].dropna()))
    right = 100 * shares[-1] * 2.1
    axis.axhspan(-tolerance, tolerance, color="#bbbbbb", alpha=0.4, linewidth=0, zorder=0)
    mixes.across(axis)
    for i, (role, line) in enumerate(mine.groupby("role", sort=False)):
        look = {**LOOK[role], "linestyle": "none"}
        each, mean = line[line["share"].notna()], line[line["share"].isna()]
        name = f"{line['generator'].iloc[0]} less the middle"
        axis.errorbar(
            100 * each["share"] * 1.06 ** (2 * i - 1), each["y"], mixes.bars(each), elinewidth=0.7, label=name, **look
        )
        axis.errorbar(right * 1.09 ** (2 * i - 1), mean["y"], mixes.bars(mean), elinewidth=1.6, markersize=5.5, **look)
    share_axis(axis, shares, 2.2)
    axis.axvline(100 * shares[-1] * 1.45, ymax=0.86, color="#bbbbbb", linewidth=0.6)
    axis.annotate("mean", (right, 0), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points", ha="center")
    axis.margins(y=0.12)
    low, high = axis.get_ylim()
    axis.set_ylim(low - 0.1 * (high - low), high + 0.24 * (high - low))
    axis.set_ylabel("difference in loss, nats", labelpad=1)
    axis.legend(frameon=False, loc="upper left", ncols=2, handlelength=1.0, handletextpad=0.4, columnspacing=1.0, borderpad=0.1)
    mixes.titled(axis, f"{NAMES[style]}, above the middle", f"bars: 90 %, paired; band: within {tolerance:g} nats")


def footer(judged: list[dict], cells: dict, shares: dict[str, list[float]], roles: dict[str, str]) -> list[str]:
    """The lines under the panels."""
    by = {entry["claim"]: entry for entry in judged}
    where = ", ".join(f"{short(size)} parameters and {short(tokens)} tokens" for size, tokens in cells)

    def sign(name: str) -> str:
        if "signs" not in by[name]:
            return ""
        return f"Shares where it is above: {by[name]['signs']}, p = {by[name]['p']:.2g}, {by[name]['verdict'].upper()}."

    return [
        f"Generators: {', '.join(f'{generator} ({role})' for role, generator in roles.items())}; the same documents, the same "
        f"prompts. Models of {where}. n = {len(shares['hq'])} shares of HQ, {len(shares['qa'])} of QA.",
        f"Published: {mixes.NO_LAYER} Its prose: the 8B generator is better than the 3B one (7 of 7 shares would be p = "
        "0.008); 70B is worse than 8B for HQ and comparable for QA.",
        *(
            mixes.said(by[f"fig5-weak-{style}"], f"{NAMES[style]}, weaker less middle", digits=4)
            + " "
            + sign(f"fig5-weak-{style}-signs")
            for style in STYLES
        ),
        mixes.said(by["fig5-strong-hq"], "HQ, stronger less middle", digits=4) + " " + sign("fig5-strong-hq-signs"),
        mixes.said(by["fig5-strong-qa"], "QA, stronger less middle", digits=4)
        + " "
        + mixes.said(by["fig5-bigger"], "Middle less stronger, both kinds", digits=4),
        f"Intervals cover {COVER}.",
    ]


def fig5(runs: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: runs.csv and claims.yaml in, the four files out."""
    cells, shares, roles = compared(mixes.read_runs(runs), row)
    entries = claims_.read_claims(claims, "fig5")
    verdicts = claims_.judge(entries, findings(cells, shares, roles, entries), row["scale"])
    table = plotted(cells, shares, roles)
    tolerance = entries["fig5-strong-qa"]["tolerance"]
    layer = f"reproduced layer: {figures.SCALES[row['scale']]}"
    figure = mixes.sheet(
        [
            (layer, [partial(loss_panel, table=table, style=style) for style in STYLES]),
            ("", [partial(difference_panel, table=table, style=style, tolerance=tolerance) for style in STYLES]),
        ],
        footer(verdicts, cells, shares, roles),
    )
    n = f"{len(shares['hq'])} shares of HQ, {len(shares['qa'])} of QA, {mixes.seeds_of(cells.values())}"
    about = {"artifact": "fig5", "code": code, "cover": COVER, "n": n}
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig5(
            snakemake.input.runs,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
