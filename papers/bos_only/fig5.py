"""Figure 5 of arXiv 2605.31126: change in score against the base when a student trains on text of four source models.

Reads the evaluations of every run (Parquet: run, subset, epoch, task, filter, metric, item, score; epoch 0 is the base) and
papers/bos_only/claims.yaml. Makes fig5.pdf and fig5.png (one panel a benchmark and one for their mean), fig5.csv (every plotted
number) and fig5.claims.json (verdicts). Panels are descriptive; verdicts are on the macro area, see ``verdicts``.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.bos_only import curves
from papers.bos_only.curves import COVER, DRAWS
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics
from scripts.lib.figures import INK
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARMS = ("self", "same_lineage", "stronger", "cross_family")  # in the claimed order
LOOK = {
    "self": {"color": figures.COLOURS["black"], "linestyle": (0, (4, 1.6)), "marker": "o"},
    "same_lineage": {"color": figures.COLOURS["blue"], "linestyle": "-", "marker": "s"},
    "stronger": {"color": figures.COLOURS["orange"], "linestyle": "-", "marker": "^"},
    "cross_family": {"color": figures.COLOURS["vermilion"], "linestyle": "-", "marker": "D"},
    "twin": {"linestyle": "-", "marker": "x"},
    "replay": {"linestyle": (0, (6, 2)), "marker": "|"},
    "fresh": {"linestyle": (0, (3, 1, 1, 1)), "marker": "+"},
    "shuffled": {"linestyle": (0, (1, 1.2)), "marker": "1"},
}
CONTRASTS = {
    "fig5-self-at-least-same-lineage": ("self", "same_lineage"),
    "fig5-same-lineage-above-stronger": ("same_lineage", "stronger"),
    "fig5-stronger-above-cross-family": ("stronger", "cross_family"),
}
SIGNS = dict(zip(CONTRASTS, ("self \u2265 same lineage", "same lineage > stronger", "stronger > cross family"), strict=True))


def findings(values: list[np.ndarray], epochs: np.ndarray, claims: dict[str, dict], draws: int = DRAWS) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, p and the level on either side.

    ``values`` has one array per task of changes in points, (items, arms in the claimed order, epochs after 0, subsets).
    """
    weights = statistics.area_weights(np.append(0, epochs))[1:]  # the change at epoch 0 is zero
    both = [
        np.concatenate([v, np.einsum("iaes,e->ias", v, weights)[:, :, None]], axis=2) for v in values
    ]  # epochs, then the area
    estimate, drawn = statistics.bootstrap(both, draws, seed_of("fig5", "items and subsets"))
    area, areas = estimate[:, -1], drawn[:, :, -1]
    contrasts, p = {}, []
    for name, (one, other) in CONTRASTS.items():
        i, j = ARMS.index(one), ARMS.index(other)
        contrasts[name] = (area[i] - area[j], areas[:, i] - areas[:, j])
        p.append(float(statistics.p_above(contrasts[name][1], claims_.region(claims[name])[0])))
    levels = statistics.holm_levels(np.array(p), claims[next(iter(CONTRASTS))]["level"])
    out = {}
    for (name, (middle, sample)), raw, adjusted, level in zip(contrasts.items(), p, statistics.holm(p), levels, strict=True):
        low, high = statistics.interval(sample, level)
        out[name] = {
            "estimate": float(middle),
            "low": low,
            "high": high,
            "level": float(level),
            "p": raw,
            "p_holm": float(adjusted),
        }

    level = claims["fig5-trend"]["level"]
    units = np.stack([v[:, :, -1].mean(0) for v in both])  # (tasks, arms, subsets)
    out["fig5-trend"] = statistics.page_trend(units, draws, seed_of("fig5", "page"), level)

    level = claims["fig5-self-gains"]["level"]
    change = estimate[0, :-1]
    low, high = statistics.simultaneous(change, drawn[:, 0, :-1], level)
    out["fig5-self-gains"] = {
        "estimate": float(change.max()),
        "low": float(low.max()),
        "high": float(high.max()),
        "level": level,
        "epoch": int(epochs[change.argmax()]),
    }
    return out


def own_scores(paths: Iterable[str], row: dict) -> pd.DataFrame:
    """What each source itself scores, in points, one line per series and task, ``macro`` for the mean: kind ``source``."""
    scores = curves.read_scores(paths)
    lines = []
    for role, model in row["models"].items():
        mine = scores[(scores["run"] == model) & (scores["epoch"] == 0)]
        if mine.empty:
            continue
        means = {}
        for task, how in row["tasks"].items():
            of_task = mine[(mine["task"] == task) & (mine["filter"] == how["filter"]) & (mine["metric"] == how["metric"])]
            means[task] = 100.0 * of_task["score"].mean()
        means["macro"] = np.mean(list(means.values()))
        lines += [{"series": role, "kind": "source", "model": model, "task": task, "base": v} for task, v in means.items()]
    return pd.DataFrame(lines)


def _contrasts(axis: "Axes", by_name: dict[str, dict]) -> None:
    """The decided quantity: the three contrasts of the macro area with intervals, their bounds and verdicts."""
    axis.axvline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    for place, (name, sign) in enumerate(SIGNS.items()):
        entry, y = by_name[name], -place
        least = claims_.region(entry)[0]
        axis.plot([entry["low"], entry["high"]], [y, y], color="black", linewidth=1.2, solid_capstyle="butt")
        axis.plot(entry["estimate"], y, "o", color="black", markersize=3.5)
        axis.plot([least, least], [y - 0.13, y + 0.13], color=figures.COLOURS["vermilion"], linewidth=1.2)
        axis.annotate(sign, (0, y + 0.17), xycoords=("axes fraction", "data"), va="bottom", fontsize=7)
        axis.annotate(entry["verdict"], (0, y - 0.17), xycoords=("axes fraction", "data"), va="top", fontsize=7, color=INK)
    axis.set_ylim(-2.55, 0.5)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel("difference of areas, points", labelpad=1)
    axis.set_title("the claim, on macro", fontweight="bold", pad=11)
    curves.under_title(axis, "tick: bound of the claim")


def _footer(table: pd.DataFrame, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels: scale, n, what bands and intervals cover, verdicts."""
    arms = table[table["kind"] == "arm"]
    subsets, items = arms["subsets"].iloc[0], table.loc[table["task"] == "macro", "items"].iloc[0]
    said = [f"{sign}: {figures.said(one)}." for one, sign in ((by_name[name], sign) for name, sign in SIGNS.items())]
    trend, gain = by_name["fig5-trend"], by_name["fig5-self-gains"]
    return [
        f"{curves.SCALES[row['scale']]}. Samples at temperature {row['temperature']}; {items:,} items, {subsets} subsets. "
        f"Lines: mean over subsets; bands: \u00b11 sd across them; grey: controls, without band; triangles: beyond the panel. "
        "Own: macro score of the source itself.",
        f"Decided on the macro change over log(1 + epoch), Holm over three. Intervals cover {COVER}.",
        f"Order: {by_name['fig5-order']['verdict'].upper()}.  " + "  ".join(said),
        f"Trend over tasks (Page): p = {trend['p']:.2g}, {trend['verdict']}.  "
        f"Largest gain of self over epochs: {figures.said(gain)}.",
    ]


def fig5(
    evaluations: list[str],
    sources: list[str],
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
    """Draw Figure 5 and judge its claims: paths of evaluations and claims.yaml in, the four files out.

    ``sources`` are evaluations of the models that wrote the text, as they are. ``row`` has arms and controls (role -> run),
    tasks (task -> metric, filter, label, chance), models (role -> name), temperature and scale.
    """

    def found_for(found, epochs, row, entries, draws):
        return findings(curves.arms_of(found, row, ARMS, row["tasks"]), epochs, entries, draws)

    row = {**row, "arms": {role: row["arms"][role] for role in ARMS}}
    own = own_scores(sources, row)
    macro = own[own["task"] == "macro"].set_index("series")["base"]
    said = {role: f"{model}, own {macro[role]:.1f}" if role in macro else model for role, model in row["models"].items()}
    curves.make(
        evaluations,
        claims,
        pdf,
        png,
        csv,
        judged,
        artifact="fig5",
        findings=found_for,
        panel=_contrasts,
        footer=_footer,
        look=LOOK,
        row={**row, "legend": said},
        code=code,
        macro=True,
        more=own,
        draws=draws,
    )


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig5(
            snakemake.input.scores,
            snakemake.input.sources,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
