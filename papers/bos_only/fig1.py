"""Figure 1 of arXiv 2605.31126: the paper's argument in one picture, composed from the tables of the other figures.

Reads the CSVs of figures 5, 6, 7 and 8 and the claims.json of figures 4, 6 and 10; nothing is computed from evaluations. Makes
fig1.pdf, fig1.png, fig1.csv (every plotted number) and fig1.claims.json. Four panels: what a source scores against what its
text does; two intrinsic measures against what such text does; what a memorising model loses; two students on each other's text.

The order of the sources is judged once more from figure 5's table, by Welch's t interval over subsets of the macro area: no
bootstrap, no items, so that the two verdicts share nothing but the runs.
"""

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.bos_only import curves
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROLES = {"self": "self", "same_lineage": "same lineage", "stronger": "stronger", "cross_family": "another family"}
MARKERS = dict(zip(ROLES, "os^D", strict=True))
COLOUR = dict(zip(ROLES, ("black", "blue", "orange", "vermilion"), strict=True))
ORDER = {
    "fig1-self-above-same-lineage": ("self", "same_lineage"),
    "fig1-same-lineage-above-cross-family": ("same_lineage", "cross_family"),
}
PROXIES = {
    "fig6-own-helps": "own text, {own:.2f} nats",
    "fig6-cross-harms": "cross text, {cross:.2f} nats",
    "fig4-below-gains": "far from word problems",
    "fig4-above-gains": "near to word problems",
}
CROSSED = {
    "fig10-a-prefers-own": "A: own minus B's",
    "fig10-b-prefers-own": "B: own minus A's",
    "fig10-crossed-interaction": "their sum",
}
TABLES = ("fig5", "fig6", "fig7", "fig8")  # whose CSVs the rule gives, in this order
WIDEST = 100.0  # points: no change is larger


def areas(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Macro area of every source of figure 5's table, one number a subset, points."""
    macro = table[(table["task"] == "macro") & (table["kind"] == "arm")]
    found = {}
    for role in ROLES:
        wide = macro[macro["series"] == role].pivot(index="epoch", columns="subset", values="change").sort_index()
        found[role] = statistics.area_weights(wide.index.to_numpy()) @ wide.to_numpy()
    return found


def contrast(one: np.ndarray, other: np.ndarray, level: float) -> dict:
    """Welch's (1947) interval of the difference of means over subsets, ``level`` on either side; as wide as can be with one."""
    from scipy import stats

    found = {"estimate": float(one.mean() - other.mean()), "low": -WIDEST, "high": WIDEST, "level": level}
    if min(len(one), len(other)) > 1 and one.std() + other.std() > 0:
        low, high = stats.ttest_ind(one, other, equal_var=False).confidence_interval(1 - 2 * level)
        found |= {"low": float(max(low, -WIDEST)), "high": float(min(high, WIDEST))}
    return {**found, "subsets": int(len(one))}


def transfer(table: pd.DataFrame) -> pd.DataFrame:
    """Panel a: a source's own macro score (x) and the macro area of the student on its text (y), with the sd over subsets."""
    own = table[(table["kind"] == "source") & (table["task"] == "macro")].set_index("series")["base"]
    spread = {role: (v.mean(), v.std(ddof=1) if len(v) > 1 else np.nan) for role, v in areas(table).items()}
    lines = [("transfer", role, own[role], mean, mean - sd, mean + sd) for role, (mean, sd) in spread.items()]
    return pd.DataFrame(lines, columns=["panel", "series", "x", "y", "low", "high"])


def kept(utility: pd.DataFrame, extraction: pd.DataFrame) -> pd.DataFrame:
    """Panel c: what is left at the last epoch, % of the base's: extraction of text and code, and scores above chance."""
    mine = extraction[
        (extraction["series"] == "self") & (extraction["quantity"] == "share") & (extraction["half"] == "held-out")
    ]
    last = mine[mine["epoch"] == mine["epoch"].max()]
    lines = [(f"extraction, {task}", 100 * part["value"].mean()) for task, part in last.groupby("task", sort=False)]
    arm = utility[(utility["kind"] == "arm") & (utility["task"] != "macro")]
    arm = arm[(arm["epoch"] == arm["epoch"].max()) & (arm["subset"] == 0)]
    above = (arm["base"] - arm["chance"]).clip(lower=1.0)
    lines.append(("scores above chance", 100 * float(((above + arm["mean"]) / above).mean())))
    found = pd.DataFrame(lines, columns=["series", "y"])
    return found.assign(panel="kept", x=np.nan, low=np.nan, high=np.nan)


def intervals(panel: str, names: dict[str, str], found: dict[str, dict], **values: float) -> pd.DataFrame:
    """Panels b and d: claims of other figures with their intervals, named by ``names``."""
    lines = [
        (panel, said.format(**values), np.nan, found[name]["estimate"], found[name]["low"], found[name]["high"])
        for name, said in names.items()
    ]
    return pd.DataFrame(lines, columns=["panel", "series", "x", "y", "low", "high"])


def compose(csvs: dict[str, pd.DataFrame], found: dict[str, dict]) -> pd.DataFrame:
    """Every plotted number: panel, series, x, y, low, high. ``csvs`` by figure, ``found`` by claim."""
    means = csvs["fig6"][csvs["fig6"]["panel"] == "mean"]
    hottest = means[means["temperature"].astype(float) == means["temperature"].astype(float).max()].set_index("side")["y"]
    parts = [
        transfer(csvs["fig5"]),
        intervals("proxies", PROXIES, found, own=hottest["own"], cross=hottest["cross"]),
        kept(csvs["fig7"], csvs["fig8"]),
        intervals("crossed", CROSSED, found),
    ]
    return pd.concat(parts, ignore_index=True)


def draw(table: pd.DataFrame, judged: dict[str, dict], row: dict) -> "Figure":
    """The figure: four panels, footer below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with matplotlib.rc_context(figures.STYLE):
        figure, cells = plt.subplots(2, 2, figsize=(figures.WIDTH, 4.7))
        figure.subplots_adjust(left=0.125, right=0.985, top=0.94, bottom=0.205, wspace=0.56, hspace=0.58)
        (a, b), (c, d) = cells
        _transfer(a, table[table["panel"] == "transfer"])
        _intervals(b, table[table["panel"] == "proxies"], "b  likelihood, nearness and effect")
        b.set_xlabel("effect of training on it, points", labelpad=1)
        _kept(c, table[table["panel"] == "kept"])
        _intervals(d, table[table["panel"] == "crossed"], "d  own text against the other's")
        d.set_xlabel("difference of macro areas, points", labelpad=1)
        figures.footer(figure, footer(judged, row))
    return figure


def _transfer(axis: "Axes", table: pd.DataFrame) -> None:
    axis.axhline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    for line in table.itertuples():
        colour = figures.COLOURS[COLOUR[line.series]]
        axis.errorbar(line.x, line.y, [[line.y - line.low], [line.high - line.y]], color=colour, capsize=2, linewidth=1)
        axis.plot(line.x, line.y, MARKERS[line.series], color=colour, label=ROLES[line.series])
    axis.margins(0.15)
    axis.set_xlabel("the source's own score, mean of the tasks", labelpad=1)
    axis.set_ylabel("macro area of the student")
    axis.set_title("a  a source's skill and its text's effect", fontweight="bold", pad=6)
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.28 * (high - low))
    axis.legend(frameon=False, loc="upper center", ncols=2, handlelength=1, columnspacing=1.2, borderaxespad=0.1)


def _intervals(axis: "Axes", table: pd.DataFrame, title: str) -> None:
    axis.axvline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    places = range(0, -len(table), -1)
    for y, line in zip(places, table.itertuples(), strict=True):
        axis.plot([line.low, line.high], [y, y], color="black", linewidth=1.2, solid_capstyle="butt")
        axis.plot(line.y, y, "o", color="black", markersize=3.5)
    axis.set_yticks(list(places), table["series"])
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(-len(table) + 0.4, 0.6)
    axis.set_title(title, fontweight="bold", pad=6)


def _kept(axis: "Axes", table: pd.DataFrame) -> None:
    places = range(0, -len(table), -1)
    axis.axvline(100, color="#bbbbbb", linewidth=0.6, zorder=0)
    colours = [figures.COLOURS["vermilion"]] * (len(table) - 1) + [figures.COLOURS["blue"]]
    axis.barh(list(places), table["y"], height=0.55, color=colours)
    for y, value in zip(places, table["y"], strict=True):
        axis.text(value + 2, y, f"{value:.0f} %", va="center", fontsize=7)
    axis.set_yticks(list(places), [name.replace(" above", "\nabove").replace(", ", ",\n") for name in table["series"]])
    axis.tick_params(axis="y", length=0)
    axis.set_xlim(0, max(125.0, 1.15 * table["y"].max()))
    axis.set_xlabel("left at the last epoch, % of the base's", labelpad=1)
    axis.set_title("c  recitation and skill afterwards", fontweight="bold", pad=6)


def footer(judged: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels: scale, where numbers come from, the order."""
    one, other = (judged[name] for name in ORDER)
    text = [
        f"{curves.SCALES[row['scale']]}. a: figure 5; bars \u00b11 sd over subsets. b: figures 6 (likelihood at 1.25, "
        "macro area) and 4 (peak on word problems). c: figures 8 and 7. d: figure 10. Lines in b and d: their intervals.",
        f"Order of sources by t intervals over {one['subsets']} subsets: {judged['fig1-order']['verdict'].upper()}.  "
        f"Self above same lineage: {figures.said(one)}.  Same lineage above another family: {figures.said(other)}.",
    ]
    return [line for part in text for line in textwrap.wrap(part, 131)]


def fig1(
    csvs: dict[str, str],
    found: list[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    code: str,
) -> None:
    """Compose Figure 1 and judge the order: CSVs by figure, claims.json of figures and claims.yaml in, the four files out."""
    tables = {name: pd.read_csv(path) for name, path in csvs.items()}
    by_claim = {
        entry["claim"]: entry for path in found for entry in json.loads(Path(path).read_text(encoding="utf-8"))["claims"]
    }
    entries = claims_.read_claims(claims, "fig1")
    by_role = areas(tables["fig5"])
    contrasts = {name: contrast(by_role[a], by_role[b], entries[name]["level"]) for name, (a, b) in ORDER.items()}
    verdicts = claims_.judge(entries, contrasts, row["scale"])
    table = compose(tables, by_claim)
    drawn = draw(table, {entry["claim"]: entry for entry in verdicts}, row)
    about = {"artifact": "fig1", "code": code, "cover": "subsets alone, not items or pretraining seeds"}
    curves.publish(drawn, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig1(
            dict(zip(TABLES, snakemake.input.csvs, strict=True)),
            snakemake.input.found,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
