"""Figure 5 of arXiv 2605.31126: change in score against the base when a student trains on text of four source models.

Reads the evaluations of every run (Parquet: run, subset, epoch, task, filter, metric, item, score; epoch 0 is the base) and
papers/bos_only/claims.yaml. Makes fig5.pdf and fig5.png (one panel a benchmark and one for their mean), fig5.csv (every plotted
number) and fig5.claims.json (verdicts). Panels are descriptive; verdicts are on the macro area, see ``verdicts``.
"""

import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scripts.lib import claims as claims_
from scripts.lib import figures, statistics
from scripts.lib.files import atomic
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
SCALES = {
    "smoke": "smoke: models of seconds; no claim is judged",
    "laptop": "laptop analogue: models trained from scratch by the workflow",
    "gpu": "gpu: small models from the hub",
    "paper": "paper: the paper's models and sizes",
}
INK = "#444444"  # of notes
COVER = "items and subsets, not pretraining seeds"
DRAWS = 10_000


def series(row: dict) -> dict[str, tuple[str, str]]:
    """Role -> (kind, run) of all that is drawn, arms first: ``{"self": ("arm", "..."), ..., "twin": ("control", "...")}``."""
    arms = {role: ("arm", row["arms"][role]) for role in ARMS}
    return {**arms, **{role: ("control", run) for role, run in row["controls"].items()}}


def changes(scores: pd.DataFrame, row: dict) -> tuple[dict, dict]:
    """Changes in points against the base, and the base itself.

    Returns ``{(role, task): (array (items, epochs, subsets), epochs)}`` without epoch 0, and ``{task: array (items,)}``, the
    base's scores in points.

    Raises:
        ValueError: naming run and task where scores are missing, double, on other items than those of the base of the first
            run, or where a run's epoch 0 differs from the first run's, which would mean another base or another batch policy.
    """
    found, bases, items = {}, {}, {}
    for role, (_, run) in series(row).items():
        of_run = scores[scores["run"] == run]
        for task, how in row["tasks"].items():
            where = f"fig5: run {run}, task {task}, filter {how['filter']}, metric {how['metric']}"
            of_task = of_run[
                (of_run["task"] == task) & (of_run["filter"] == how["filter"]) & (of_run["metric"] == how["metric"])
            ]
            base = of_task[of_task["epoch"] == 0].sort_values("item")
            later = of_task[of_task["epoch"] > 0].sort_values(["item", "epoch", "subset"])
            if base.empty or later.empty:
                raise ValueError(f"{where}: no scores at epoch 0 or none after it")
            names = base["item"].to_numpy()
            axes = [np.sort(later[name].unique()) for name in ("item", "epoch", "subset")]
            shape = tuple(map(len, axes))
            if len(later) != np.prod(shape) or later.duplicated(["item", "epoch", "subset"]).any():
                raise ValueError(f"{where}: {len(later)} scores, expected one for each of {shape} items, epochs, subsets")
            if not np.array_equal(names, axes[0]) or not np.array_equal(names, items.setdefault(task, names)):
                raise ValueError(f"{where}: items differ from those of the base or of the first run")
            start = 100.0 * base["score"].to_numpy(float)
            if not np.array_equal(start, bases.setdefault(task, start)):
                raise ValueError(f"{where}: epoch 0 differs from the first run's; expected the same base, evaluated alike")
            found[role, task] = (100.0 * later["score"].to_numpy(float).reshape(shape) - start[:, None, None], axes[1])
    return found, bases


def plotted(found: dict, bases: dict, row: dict) -> pd.DataFrame:
    """Every plotted number: one line per series, task, epoch and subset; mean and sd (ddof 1) over subsets stand in each line.

    The task ``macro`` is the mean over tasks. Changes, means, sd, base and chance are in points.
    """
    frames = []
    tasks = list(row["tasks"])
    for role, (kind, run) in series(row).items():
        by_task = {task: found[role, task][0].mean(0) for task in tasks}
        epochs = found[role, tasks[0]][1]
        sizes = {task: len(bases[task]) for task in tasks} | {"macro": sum(map(len, bases.values()))}
        starts = {task: bases[task].mean() for task in tasks}
        starts["macro"] = np.mean(list(starts.values()))
        by_task["macro"] = np.mean(list(by_task.values()), axis=0)
        for task, values in by_task.items():
            how = row["tasks"].get(task, {"filter": "", "metric": "macro", "label": "macro"})
            change = np.vstack([np.zeros(values.shape[1]), values])  # (1 + epochs, subsets)
            at, subset = np.indices(change.shape)
            spread = change.std(1, ddof=1) if change.shape[1] > 1 else np.full(len(change), np.nan)
            frames.append(
                pd.DataFrame(
                    {
                        "series": role,
                        "kind": kind,
                        "model": row["models"].get(role, run),
                        "run": run,
                        "task": task,
                        "filter": how["filter"],
                        "metric": how["metric"],
                        "epoch": np.append(0, epochs)[at.ravel()],
                        "subset": subset.ravel(),
                        "change": change.ravel(),
                        "mean": change.mean(1)[at.ravel()],
                        "sd": spread[at.ravel()],
                        "subsets": change.shape[1],
                        "items": sizes[task],
                        "base": starts[task],
                        "chance": 100.0 * row["tasks"][task]["chance"] if task in row["tasks"] else np.nan,
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


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


def draw(table: pd.DataFrame, judged: list[dict], row: dict) -> "Figure":
    """The figure: a panel for each task, one for the macro change, one for the claim; legend and footer below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    tasks = [*row["tasks"], "macro"]
    with matplotlib.rc_context(figures.STYLE):
        figure, cells = plt.subplots(2, 4, figsize=(figures.WIDTH, 5.4))
        figure.subplots_adjust(left=0.068, right=0.988, top=0.928, bottom=0.32, wspace=0.3, hspace=0.55)
        cells = list(cells.ravel())
        for axis, task in zip(cells, tasks, strict=False):
            _panel(axis, table[table["task"] == task], row)
        _contrasts(cells[len(tasks)], judged)
        for axis in (cells[0], cells[4]):
            axis.set_ylabel("change against base, points")
        for axis in cells[len(tasks) + 1 :]:
            axis.set_axis_off()
        handles, labels = cells[0].get_legend_handles_labels()
        arms, controls = list(range(len(ARMS))), list(range(len(ARMS), len(labels)))
        order = [i for pair in zip_longest(arms, controls) for i in pair if i is not None]  # a legend fills its columns first
        figure.legend(
            [handles[i] for i in order],
            [labels[i] for i in order],
            loc="upper left",
            bbox_to_anchor=(0.006, 0.268),
            ncols=len(ARMS),
            frameon=False,
            handlelength=3.0,
            columnspacing=1.0,
        )
        figures.footer(figure, _footer(table, judged, row))
    return figure


def _contrasts(axis: "Axes", judged: list[dict]) -> None:
    """The decided quantity: the three contrasts of the macro area with intervals, their bounds and verdicts."""
    by_name = {entry["claim"]: entry for entry in judged}
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
    axis.text(0.5, 1.025, "tick: bound of the claim", transform=axis.transAxes, ha="center", va="bottom", fontsize=7, color=INK)


def _panel(axis: "Axes", table: pd.DataFrame, row: dict) -> None:
    """One panel: bands and lines of the arms, thin grey lines of the controls; base, chance and n under the title."""
    from matplotlib.ticker import MaxNLocator

    axis.axhline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    low, high = _limits(table)
    epochs = sorted(table["epoch"].unique())
    marked = [epochs.index(epoch) for epoch in figures.spread_ticks(epochs)]
    for role, (kind, _) in series(row).items():
        line = table[(table["series"] == role) & (table["subset"] == 0)]
        label = ("\n" if kind == "arm" else ": ").join([role.replace("_", " "), row["models"].get(role, "")]).strip(": \n")
        if kind == "control":
            axis.plot(
                line["epoch"],
                line["mean"],
                color=figures.GREY,
                linewidth=0.7,
                markersize=3,
                label=label,
                zorder=1,
                **LOOK[role],
            )
            beyond = line[(line["mean"] < low) | (line["mean"] > high)]
            for below, some in beyond.groupby(beyond["mean"] < low):
                edge = low + 0.03 * (high - low) if below else high - 0.03 * (high - low)
                axis.plot(some["epoch"], [edge] * len(some), "v" if below else "^", color=figures.GREY, markersize=3, zorder=1)
        else:
            look = LOOK[role]
            axis.plot(line["epoch"], line["mean"], label=label, zorder=3, markevery=marked, **look)
            axis.fill_between(
                line["epoch"],
                line["mean"] - line["sd"],
                line["mean"] + line["sd"],
                color=look["color"],
                alpha=0.16,
                linewidth=0,
                zorder=2,
            )
    first = table.iloc[0]
    figures.epoch_axis(axis, epochs)
    axis.set_ylim(low, high)
    axis.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_xlabel("epoch", labelpad=1)
    if first["task"] == "macro":
        axis.set_title(f"macro (mean of {len(row['tasks'])})", fontweight="bold", pad=11)
        note = f"base {first['base']:.1f}, n {first['items']:,}"
    else:
        axis.set_title(row["tasks"][first["task"]]["label"], pad=11)
        note = f"base {first['base']:.1f}, chance {first['chance']:.3g}, n {first['items']:,}"
    axis.text(0.5, 1.025, note, transform=axis.transAxes, ha="center", va="bottom", fontsize=7, color=INK)


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """Limits of y: what the arms and their bands need, at least 2 points; controls widen it to twice that at most."""
    arms, controls = table[table["kind"] == "arm"], table[table["kind"] == "control"]
    low = min(0.0, (arms["mean"] - arms["sd"].fillna(0)).min())
    high = max(0.0, (arms["mean"] + arms["sd"].fillna(0)).max())
    room = max(high - low, 2.0)
    missing = max(2.0 - (high - low), 0) / 2
    low, high = low - missing, high + missing
    if len(controls):
        low = max(min(low, controls["mean"].min()), low - room / 2)
        high = min(max(high, controls["mean"].max()), high + room / 2)
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def _footer(table: pd.DataFrame, judged: list[dict], row: dict) -> list[str]:
    """The lines under the panels: scale, n, what bands and intervals cover, verdicts."""
    by_name = {entry["claim"]: entry for entry in judged}
    arms = table[table["kind"] == "arm"]
    subsets, items = arms["subsets"].iloc[0], table.loc[table["task"] == "macro", "items"].iloc[0]
    said = [
        f"{sign}: {one['estimate']:+.2f} [{one['low']:+.2f}, {one['high']:+.2f}], {one['verdict']}."
        for one, sign in ((by_name[name], sign) for name, sign in SIGNS.items())
    ]
    trend, gain = by_name["fig5-trend"], by_name["fig5-self-gains"]
    text = [
        f"{SCALES[row['scale']]}. Samples at temperature {row['temperature']}; {items:,} items, {subsets} subsets. "
        f"Lines: mean over subsets; bands: \u00b11 sd across them; grey: controls, without band; triangles: beyond the panel.",
        f"Decided on the macro change over log(1 + epoch), Holm over three. Intervals cover {COVER}.",
        f"Order: {by_name['fig5-order']['verdict'].upper()}.  " + "  ".join(said),
        f"Trend over tasks (Page): p = {trend['p']:.2g}, {trend['verdict']}.  "
        f"Largest gain of self over epochs: {gain['estimate']:+.2f} [{gain['low']:+.2f}, {gain['high']:+.2f}], "
        f"{gain['verdict']}.",
    ]
    return [line for part in text for line in textwrap.wrap(part, 131)]


def fig5(
    evaluations: list[str], claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str, draws: int = DRAWS
) -> None:
    """Draw Figure 5 and judge its claims: paths of evaluations and claims.yaml in, the four files out.

    ``row`` has arms and controls (role -> run), tasks (task -> metric, filter, label, chance), models (role -> name),
    temperature and scale.
    """
    columns = ["run", "subset", "epoch", "task", "filter", "metric", "item", "score"]
    scores = pd.concat([pd.read_parquet(path, columns=columns) for path in evaluations], ignore_index=True)
    found, bases = changes(scores, row)
    table = plotted(found, bases, row)
    epochs = found[ARMS[0], next(iter(row["tasks"]))][1]
    for role in ARMS:
        for task in row["tasks"]:
            expected = (found[ARMS[0], task][0].shape, list(epochs))
            if (found[role, task][0].shape, list(found[role, task][1])) != expected:
                raise ValueError(
                    f"fig5: run {row['arms'][role]}, task {task}: expected items, epochs, subsets {expected} as in self"
                )
    values = [np.stack([found[role, task][0] for role in ARMS], axis=1) for task in row["tasks"]]
    entries = claims_.read_claims(claims, "fig5")
    verdicts = claims_.judge(entries, findings(values, epochs, entries, draws), row["scale"])
    with atomic(csv) as beside:
        table.to_csv(beside, index=False, float_format="%.6g")
    claims_.write_claims(
        judged,
        verdicts,
        artifact="fig5",
        scale=row["scale"],
        code=code,
        intervals_cover=COVER,
        draws=draws,
        reading="low and high are one-sided bounds at level",
    )
    figures.save(draw(table, verdicts, row), pdf, png)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig5(
            snakemake.input.scores,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
