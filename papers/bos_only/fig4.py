"""Figure 4 of arXiv 2605.31126: how near the student's own text stands to benchmarks, and whether being near is what helps.

Reads similarity audits (Parquet: id, max_{task}, one line a document; companion with one line an item), the evaluations of two
runs on the halves of one corpus below and above a cosine to word problems, the halves' cards (threshold) and
papers/bos_only/claims.yaml. Makes fig4.pdf and fig4.png (a histogram a benchmark, the change on word problems, the claim),
fig4.csv (every plotted number, and quantiles) and fig4.claims.json.
"""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.bos_only import curves
from papers.bos_only.curves import COVER, DRAWS
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics
from scripts.lib.figures import INK
from scripts.lib.files import read_card
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARMS = ("below", "above")
WARMTH = {
    "0.75": {"color": figures.COLOURS["blue"], "linestyle": "-"},
    "1.0": {"color": figures.COLOURS["orange"], "linestyle": (0, (5, 1.5))},
    "1.25": {"color": figures.COLOURS["vermilion"], "linestyle": (0, (1.5, 1))},
}
LOOK = {
    "below": {"color": figures.COLOURS["blue"], "linestyle": "-", "marker": "o"},
    "above": {"color": figures.COLOURS["vermilion"], "linestyle": (0, (4, 1.6)), "marker": "s"},
}
EDGES = np.linspace(-0.2, 1.0, 61)
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def tasks_of(row: dict) -> dict[str, str]:
    """Benchmark -> task of the figure's suites, for the row's benchmarks.

    Raises:
        ValueError: naming the row and a benchmark that no task of its suites stands for.
    """
    by_benchmark = {how["benchmark"]: task for task, how in row["tasks"].items()}
    if missing := [name for name in [*row["benchmarks"], row["outcome"]] if name not in by_benchmark]:
        raise ValueError(f"figures: {row['name']}, key benchmarks: no task of {', '.join(row['suites'])} stands for {missing}")
    return {name: by_benchmark[name] for name in [*row["benchmarks"], row["outcome"]]}


def histograms(scores: dict[str, pd.DataFrame], row: dict) -> pd.DataFrame:
    """Densities and quantiles of the largest cosine per document: panel, series, task, x, y, n.

    Args:
        scores: series -> similarity audit; the temperatures, and ``reference``.
        row: of the figure.
    """
    lines = []
    for benchmark in row["benchmarks"]:
        task = tasks_of(row)[benchmark]
        for series, table in scores.items():
            values = table[f"max_{task}"].to_numpy(float)
            density, _ = np.histogram(np.clip(values, EDGES[0], EDGES[-1]), EDGES, density=True)
            middle = (EDGES[:-1] + EDGES[1:]) / 2
            lines += [("density", series, task, x, y, len(values)) for x, y in zip(middle, density, strict=True)]
            found = np.quantile(values, QUANTILES)
            lines += [("quantile", series, task, q, value, len(values)) for q, value in zip(QUANTILES, found, strict=True)]
    return pd.DataFrame(lines, columns=["panel", "series", "task", "x", "y", "n"])


def references(items: dict[str, pd.DataFrame], row: dict) -> pd.DataFrame:
    """Medians over items, in the columns of ``histograms``: largest cosine to the documents of a series, and to other items.

    Args:
        items: series -> companion of the similarity audit.
        row: of the figure.
    """
    lines = []
    for benchmark in row["benchmarks"]:
        task = tasks_of(row)[benchmark]
        for series, table in items.items():
            mine = table[table["task"] == task]
            lines.append(("median over items", series, task, np.nan, mine["max"].median(), len(mine)))
        lines.append(("median over items", "other items", task, np.nan, mine["among"].median(), len(mine)))
    return pd.DataFrame(lines, columns=["panel", "series", "task", "x", "y", "n"])


def findings(values: np.ndarray, epochs: np.ndarray, claims: dict[str, dict], draws: int = DRAWS) -> dict[str, dict]:
    """What was found for each claim with a direction.

    ``values`` are changes on word problems in points, (items, arms below and above, epochs after 0, subsets).
    """
    estimate, drawn = statistics.bootstrap([values], draws, seed_of("fig4", "items and subsets"))
    out = {}
    for arm, name in enumerate(ARMS):
        level = claims[f"fig4-{name}-gains"]["level"]
        low, high = statistics.simultaneous(estimate[arm], drawn[:, arm], level)
        out[f"fig4-{name}-gains"] = {
            "estimate": float(estimate[arm].max()),
            "low": float(low.max()),
            "high": float(high.max()),
            "level": level,
            "epoch": int(epochs[estimate[arm].argmax()]),
        }
    equal = statistics.peak_difference(estimate, drawn, 0, 1, claims["fig4-equal-gains"]["level"])
    # without any spread the two bounds pass each other by rounding
    ends = {"low": min(equal["low"], equal["estimate"]), "high": max(equal["high"], equal["estimate"])}
    out["fig4-equal-gains"] = {**equal, **ends}
    return out


def draw(table: pd.DataFrame, changes: pd.DataFrame, judged: list[dict], thresholds: dict, row: dict) -> "Figure":
    """The figure: three histograms above, the change on word problems and the claim below, legends beside them."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in _footer(table, judged, thresholds, row) for line in textwrap.wrap(part, 131)]
    with matplotlib.rc_context(figures.STYLE):
        height = 4.3 + 0.137 * len(lines)
        figure, cells = plt.subplots(2, 3, figsize=(figures.WIDTH, height))
        edges = {"top": 1 - 0.38 / height, "bottom": 1 - 3.85 / height}
        figure.subplots_adjust(left=0.068, right=0.985, wspace=0.28, hspace=0.55, **edges)
        for axis, benchmark in zip(cells[0], row["benchmarks"], strict=False):
            _histogram(axis, table, tasks_of(row)[benchmark], row)
        for axis in cells[0][len(row["benchmarks"]) :]:
            axis.set_axis_off()
        task = tasks_of(row)[row["outcome"]]
        if row["outcome"] in row["benchmarks"]:
            mine = cells[0][row["benchmarks"].index(row["outcome"])]
            mine.axvline(thresholds["value"], color="black", linewidth=0.8, zorder=4)
            at = thresholds["value"]
            mine.annotate(
                f"split at {at:.2f}",
                (at, 0.97),
                (3, 0),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="top",
            )
        cells[0][0].set_ylabel("density of documents")
        curves.panel_of(cells[1][0], changes[changes["task"] == task], row, LOOK)
        cells[1][0].set_ylabel("change against base, points")
        _claim(cells[1][1], judged)
        corner = cells[1][2]
        corner.set_axis_off()
        handles, labels = cells[0][0].get_legend_handles_labels()
        title = {"alignment": "left", "frameon": False, "handlelength": 3.0, "loc": "upper left"}
        first = corner.legend(handles, labels, title="largest cosine of a document", bbox_to_anchor=(-0.1, 1.26), **title)
        corner.add_artist(first)
        handles, _ = cells[1][0].get_legend_handles_labels()
        labels = [f"{side}: {thresholds['says'][side]}" for side in ARMS]
        corner.legend(handles, labels, title="trained on documents", bbox_to_anchor=(-0.1, 0.42), **title)
        figures.footer(figure, lines)
    return figure


def _histogram(axis: "Axes", table: pd.DataFrame, task: str, row: dict) -> None:
    """One benchmark: a step line a temperature, the reference filled in grey, the items' own nearness as a tick."""
    shown = table[(table["task"] == task) & (table["panel"] == "density")]
    for series, mine in shown.groupby("series", sort=False):
        if series == "reference":
            fill = {"color": figures.GREY, "alpha": 0.35, "step": "mid", "linewidth": 0, "zorder": 1}
            axis.fill_between(mine["x"], mine["y"], label=f"no skill: {row['reference']}", **fill)
        else:
            axis.step(mine["x"], mine["y"], where="mid", label=f"temperature {series}", zorder=3, **WARMTH[series])
    own = table[(table["task"] == task) & (table["series"] == "other items")].iloc[0]
    style = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 2}
    axis.axvline(own["y"], label="items among themselves,\nmedian", **style)
    seen = shown.loc[shown["y"] > 0, "x"]
    axis.set_xlim(min(-0.02, seen.min() - 0.02), 1.0)
    axis.set_ylim(0, None)
    axis.set_xlabel("largest cosine to an item", labelpad=1)
    axis.set_title(row["tasks"][task]["label"], pad=11)
    sizes = shown[shown["series"] != "reference"].groupby("series")["n"].first()
    few, many = sizes.min(), sizes.max()
    curves.under_title(axis, f"n {few:,}" + (f" to {many:,}" if many > few else "") + f" documents, {int(own['n']):,} items")


def _claim(axis: "Axes", judged: list[dict]) -> None:
    """Gains at the peak with their low bounds, and their difference with the interval that decides equivalence."""
    by_name = {entry["claim"]: entry for entry in judged}
    signs = {
        "fig4-below-gains": "peak below > 0",
        "fig4-above-gains": "peak above > 0",
        "fig4-equal-gains": "peak below \u2212 above within \u00b11.5",
    }
    axis.axvline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    for place, (name, sign) in enumerate(signs.items()):
        entry, y = by_name[name], -place
        axis.plot([entry["low"], entry["high"]], [y, y], color="black", linewidth=1.2, solid_capstyle="butt")
        axis.plot(entry["estimate"], y, "o", color="black", markersize=3.5)
        for bound in claims_.region(entry):
            if np.isfinite(bound):
                axis.plot([bound, bound], [y - 0.13, y + 0.13], color=figures.COLOURS["vermilion"], linewidth=1.2)
        axis.annotate(sign, (0, y + 0.17), xycoords=("axes fraction", "data"), va="bottom", fontsize=7)
        axis.annotate(entry["verdict"], (0, y - 0.17), xycoords=("axes fraction", "data"), va="top", fontsize=7, color=INK)
    axis.set_ylim(-2.55, 0.5)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel("points on word problems", labelpad=1)
    axis.set_title("the claim", fontweight="bold", pad=11)
    curves.under_title(axis, "ticks: bounds of the claim")


def _footer(table: pd.DataFrame, judged: list[dict], thresholds: dict, row: dict) -> list[str]:
    by_name = {entry["claim"]: entry for entry in judged}
    task = tasks_of(row)[row["outcome"]]
    middle = table[(table["panel"] == "quantile") & (table["task"] == task) & (table["x"] == 0.5)].set_index("series")["y"]
    high = table[(table["panel"] == "quantile") & (table["task"] == task) & (table["x"] == 0.99)].set_index("series")["y"]
    said = ", ".join(
        f"{middle[name]:.2f} ({high[name]:.2f}) " + (row["reference"] if name == "reference" else f"at temperature {name}")
        for name in middle.index
    )
    equal = by_name["fig4-equal-gains"]
    return [
        f"{curves.SCALES[row['scale']]}. Cosines by {row['embedder']}; the split is at {thresholds['how']}. Lines: means over "
        f"subsets; bands: \u00b11 sd; equal tokens on both sides. Cosine to word problems, median (99th percentile): {said}.",
        f"Difference of peaks: {figures.said(equal)}. Two one-sided tests; intervals cover {COVER}.",
        f"Near and far text help alike: {by_name['fig4-alike']['verdict'].upper()}.  "
        f"Below gains: {figures.said(by_name['fig4-below-gains'])}.  Above gains: {figures.said(by_name['fig4-above-gains'])}.",
    ]


def read_thresholds(splits: list[str]) -> dict:
    """The threshold of the halves from their cards, and what each side is in words.

    Raises:
        ValueError: where the two files are not the two sides of one split.
    """
    cards = {(card := read_card(path))["row"]["side"]: card for path in splits}
    if set(cards) != set(ARMS) or cards["below"]["threshold"] != cards["above"]["threshold"]:
        raise ValueError(f"{', '.join(map(str, splits))}: expected both sides of one split, at the same threshold")
    value, asked = cards["below"]["threshold"], cards["below"]["row"]["threshold"]
    how = f"the median, {value:.2f}" if asked == "median" else f"{value:g}"
    sign = {"below": "<", "above": "\u2265"}
    says = {
        side: f"cosine {sign[side]} {value:.2f}\n(mean {card['mean_score']:.2f}, {card['counts']['documents']:,} documents)"
        for side, card in cards.items()
    }
    return {"value": value, "how": how, "says": says}


def fig4(
    similarities: list[str],
    by_item: list[str],
    splits: list[str],
    evaluations: list[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    code: str,
    draws: int = DRAWS,
) -> None:
    """Draw Figure 4 and judge its claims.

    Args:
        similarities: audits of the row's corpora and then of its reference; ``by_item`` their companions.
        splits: synthesized.parquet of both halves; only their cards are looked at.
        evaluations: of the two runs.
        claims: claims.yaml.
        pdf, png, csv, judged: what is made.
        row: of the figure.
        code: hash of the code.
        draws: of the bootstrap.
    """
    names = [*row["corpora"], "reference"]
    for path in (*similarities, *by_item):
        read_card(path)
    outcome = tasks_of(row)[row["outcome"]]
    table = histograms({name: pd.read_parquet(path) for name, path in zip(names, similarities, strict=True)}, row)
    items = references({name: pd.read_parquet(path) for name, path in zip(names, by_item, strict=True)}, row)
    table = pd.concat([table, items], ignore_index=True)
    thresholds = read_thresholds(splits)
    of_outcome = {**row, "arms": {side: row["arms"][side] for side in ARMS}, "tasks": {outcome: row["tasks"][outcome]}}
    found = curves.changes(curves.read_scores(evaluations), of_outcome)
    changes = curves.plotted(found, of_outcome)
    values = curves.arms_of(found, of_outcome, ARMS, [outcome])[0]
    entries = claims_.read_claims(claims, "fig4")
    verdicts = claims_.judge(entries, findings(values, found[ARMS[0], outcome].epochs, entries, draws), row["scale"])
    both = pd.concat([table, changes[changes["task"] == outcome].assign(panel="change")], ignore_index=True)
    drawn = draw(table, changes, verdicts, thresholds, row)
    about = {"artifact": "fig4", "code": code, "cover": COVER, "draws": draws, "threshold": thresholds["how"]}
    curves.publish(drawn, both.assign(threshold=thresholds["value"]), verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig4(
            list(snakemake.input.similarities),
            list(snakemake.input.by_item),
            list(snakemake.input.splits),
            list(snakemake.input.scores),
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
