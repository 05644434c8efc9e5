"""Change of scores over epochs: what figures 2, 3, 4, 5, 7, 9 and 10 share. Evaluations in, arrays, tables and panels out.

Reads evaluations (Parquet: run, subset, epoch, task, filter, metric, item, score; epoch 0 is the base). A figure's row has
``arms`` and ``controls`` (name of the series -> run), ``models`` (name of the series -> its model), ``legend`` (what the legend
says of it, if not that), ``tasks`` (task -> label, metric, filter, chance, benchmark, group) and ``scale``.
"""

import textwrap
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from scripts.lib import claims as claims_
from scripts.lib import figures, statistics
from scripts.lib.figures import SCALES, publish, under_title
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ["run", "subset", "epoch", "task", "filter", "metric", "item", "score"]
COVER = "items and subsets, not pretraining seeds"
DRAWS = 10_000
ACROSS = 4  # panels in a row


class Curve(NamedTuple):
    """What one series does on one task, in points."""

    change: np.ndarray  # (items, epochs, subsets), against the base
    epochs: np.ndarray  # (epochs,), without epoch 0
    items: np.ndarray  # (items,), their numbers
    base: np.ndarray  # (items,), the base's scores


Found = dict[tuple[str, str], Curve]  # by series and task


def read_scores(paths: Iterable[str]) -> pd.DataFrame:
    """The evaluations of several runs and suites, one below the other."""
    return pd.concat([pd.read_parquet(path, columns=COLUMNS) for path in paths], ignore_index=True)


def series(row: dict) -> dict[str, tuple[str, str]]:
    """Name -> (kind, run) of all that is drawn, arms first: ``{"self": ("arm", "..."), ..., "twin": ("control", "...")}``."""
    arms = {name: ("arm", run) for name, run in row["arms"].items()}
    return {**arms, **{name: ("control", run) for name, run in row.get("controls", {}).items()}}


def changes(scores: pd.DataFrame, row: dict) -> Found:
    """Changes in points against the base, of every series of a figure on every task.

    Raises:
        ValueError: naming run and task where scores are missing, double, on other items than those of the base of the first
            run, or where a run's epoch 0 differs from the first run's, which would mean another base or another batch policy;
            or where an arm has other epochs or subsets than the first arm.
    """
    found, bases, items, shapes = {}, {}, {}, {}
    for name, (kind, run) in series(row).items():
        of_run = scores[scores["run"] == run]
        for task, how in row["tasks"].items():
            where = f"{row['name']}: run {run}, task {task}, filter {how['filter']}, metric {how['metric']}"
            of_task = of_run[
                (of_run["task"] == task) & (of_run["filter"] == how["filter"]) & (of_run["metric"] == how["metric"])
            ]
            base = of_task[of_task["epoch"] == 0].sort_values("item")
            later = of_task[of_task["epoch"] > 0].sort_values(["item", "epoch", "subset"])
            if base.empty or later.empty:
                raise ValueError(f"{where}: no scores at epoch 0 or none after it")
            names = base["item"].to_numpy()
            axes = [np.sort(later[column].unique()) for column in ("item", "epoch", "subset")]
            shape = tuple(map(len, axes))
            if len(later) != np.prod(shape) or later.duplicated(["item", "epoch", "subset"]).any():
                raise ValueError(f"{where}: {len(later)} scores, expected one for each of {shape} items, epochs, subsets")
            if not np.array_equal(names, axes[0]) or not np.array_equal(names, items.setdefault(task, names)):
                raise ValueError(f"{where}: items differ from those of the base or of the first run")
            start = 100.0 * base["score"].to_numpy(float)
            if not np.array_equal(start, bases.setdefault(task, start)):
                raise ValueError(f"{where}: epoch 0 differs from the first run's; expected the same base, evaluated alike")
            mine = (list(axes[1]), shape[2])
            if kind == "arm" and mine != shapes.setdefault("arm", mine):
                raise ValueError(f"{where}: expected the epochs and the number of subsets {shapes['arm']} as in the first arm")
            change = 100.0 * later["score"].to_numpy(float).reshape(shape) - start[:, None, None]
            found[name, task] = Curve(change, axes[1], names, start)
    return found


def plotted(found: Found, row: dict) -> pd.DataFrame:
    """Every plotted number: one line per series, task, epoch and subset; mean and sd (ddof 1) over subsets stand in each line.

    The task ``macro`` is the mean over tasks. Changes, means, sd, base and chance are in points.
    """
    frames = []
    tasks = list(row["tasks"])
    bases = {task: found[next(iter(row["arms"])), task].base for task in tasks}
    for name, (kind, run) in series(row).items():
        by_task = {task: found[name, task].change.mean(0) for task in tasks}
        epochs = found[name, tasks[0]].epochs
        sizes = {task: len(bases[task]) for task in tasks} | {"macro": sum(map(len, bases.values()))}
        starts = {task: bases[task].mean() for task in tasks}
        starts["macro"] = np.mean(list(starts.values()))
        by_task["macro"] = np.mean(list(by_task.values()), axis=0)
        for task, values in by_task.items():
            how = row["tasks"].get(task, {"filter": "", "metric": "macro"})
            change = np.vstack([np.zeros(values.shape[1]), values])  # (1 + epochs, subsets)
            at, subset = np.indices(change.shape)
            spread = change.std(1, ddof=1) if change.shape[1] > 1 else np.full(len(change), np.nan)
            frames.append(
                pd.DataFrame(
                    {
                        "series": name,
                        "kind": kind,
                        "model": row["models"].get(name, run),
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


def arms_of(found: Found, row: dict, names: Iterable[str], tasks: Iterable[str]) -> list[np.ndarray]:
    """What ``scripts.lib.statistics`` reads: one array per task, (items, arms, epochs after 0, subsets), arms in this order."""
    names = list(names)
    return [np.stack([found[name, task].change for name in names], axis=1) for task in tasks]


def tasks_of(row: dict, **having: object) -> list[str]:
    """The figure's tasks with these values: ``tasks_of(row, benchmark="gsm8k")``, ``tasks_of(row, group="math")``.

    Variants with other numbers are left out unless asked for: ``tasks_of(row, benchmark="gsm8k", perturbed=True)``.
    """
    having = {"perturbed": False, **having}
    return [task for task, how in row["tasks"].items() if having.items() <= {"perturbed": False, **how}.items()]


def early(epochs: np.ndarray) -> np.ndarray:
    """Which epochs are early, bool: up to a quarter of the last, epoch 10 of the paper's 40, and the first in any case."""
    return np.asarray(epochs) <= max(epochs[-1] / 4, epochs[0])


def late(epochs: np.ndarray) -> np.ndarray:
    """Which epochs are late, bool: the last three evaluations, fewer where some of them are early."""
    return (np.arange(len(epochs)) >= len(epochs) - 3) & ~early(epochs)


def bounds(values: list[np.ndarray], draws: int, *names: object) -> tuple[np.ndarray, np.ndarray]:
    """``statistics.bootstrap`` with a seed from names: estimate (arms, columns), draws (draws, arms, columns)."""
    return statistics.bootstrap(values, draws, seed_of(*names, "items and subsets"))


def peak(estimate: np.ndarray, drawn: np.ndarray, level: float) -> dict:
    """The largest of several changes with bounds that hold though it was picked: (columns,), (draws, columns)."""
    low, high = statistics.simultaneous(estimate, drawn, level)
    place = int(estimate.argmax())
    return {"estimate": float(estimate[place]), "low": float(low.max()), "high": float(high.max()), "level": level, "at": place}


def plain(estimate: float, drawn: np.ndarray, level: float) -> dict:
    """One number with its bounds: estimate, low, high, level; ``drawn`` has shape (draws,)."""
    low, high = statistics.interval(drawn, level)
    return {"estimate": float(estimate), "low": low, "high": high, "level": level}


def make(
    evaluations: Iterable[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    artifact: str,
    findings: Callable,
    panel: Callable,
    footer: Callable,
    look: dict[str, dict],
    row: dict,
    code: str,
    macro: bool = False,
    more: pd.DataFrame | None = None,
    draws: int = DRAWS,
) -> None:
    """Draw a figure of curves and judge its claims: evaluations and claims.yaml in, the four files out.

    Args:
        artifact: whose claims these are: fig5, also for a figure of another student.
        findings: ``(found, epochs, row, entries, draws)`` -> claim -> estimate, low, high, level (see `claims.judge`).
        panel: ``(axis, entries by claim)`` draws the claims' own panel.
        footer: ``(table, entries by claim, row)`` -> sentences under the figure.
        look: see ``draw``.
        more: further lines of the CSV. Paths are those of evaluations, claims.yaml and the four outputs.
    """
    found = changes(read_scores(evaluations), row)
    table = plotted(found, row)
    epochs = found[next(iter(row["arms"])), next(iter(row["tasks"]))].epochs
    entries = claims_.read_claims(claims, artifact)
    verdicts = claims_.judge(entries, findings(found, epochs, row, entries, draws), row["scale"])
    by_name = {entry["claim"]: entry for entry in verdicts}
    drawn = draw(table, row, look, footer(table, by_name, row), macro=macro, more=[lambda axis: panel(axis, by_name)])
    said_of = {"artifact": artifact, "code": code, "cover": COVER, "draws": draws}
    publish(drawn, pd.concat([table, more]), verdicts, pdf, png, csv, judged, row=row, **said_of)


def make_as_asked(snakemake: object, **parts: object) -> None:
    """Bind a rule's names to ``make``: inputs scores and claims, the four outputs, params row and code, the log."""
    from scripts.lib.progress import logging_to

    asked, made = snakemake.input, snakemake.output
    with logging_to(snakemake.log[0]):
        paths = (asked.scores, asked.claims, made.pdf, made.png, made.csv, made.claims)
        make(*paths, row=snakemake.params.row, code=snakemake.params.code, **parts)


def on_own_samples(table: pd.DataFrame, row: dict) -> str:
    """The first sentences under figures 2, 3 and 9: scale, student, what it is trained on, subsets, bands."""
    subsets = table.loc[table["kind"] == "arm", "subsets"].iloc[0]
    return (
        f"{SCALES[row['scale']]}. {row['student']} trained on its own samples from the BOS token and on replay "
        f"({row['models']['replay']}), equal tokens; {subsets} subsets. Lines: mean over subsets; bands: \u00b11 sd of them."
    )


MARKS = {
    claims_.REPRODUCED: {"marker": "o", "color": "black"},
    claims_.NOT_REPRODUCED: {"marker": "x", "color": "black"},
    claims_.UNDECIDED: {"marker": "o", "color": "black", "markerfacecolor": "white"},
    claims_.NOT_COMPARABLE: {"marker": "s", "color": "black", "markerfacecolor": "white"},
}
MARKED = (
    "Claims: disc reproduced, cross not reproduced, circle undecided, square not comparable at this scale; line: interval; "
    "tick: bound."
)


def verdicts_panel(axis: "Axes", by_name: dict[str, dict], signs: dict[str, str], unit: str = "points") -> None:
    """Claims with their intervals, bounds and verdicts (MARKS), one below the other; ``signs`` maps claim -> a few words."""
    axis.axvline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    for place, name in enumerate(signs):
        entry, y = by_name[name], -place
        axis.plot([entry["low"], entry["high"]], [y, y], color="black", linewidth=1.2, solid_capstyle="butt", zorder=2)
        axis.plot(entry["estimate"], y, markersize=4, zorder=3, **MARKS[entry["verdict"]])
        for bound in claims_.region(entry):
            if np.isfinite(bound):
                axis.plot([bound, bound], [y - 0.18, y + 0.18], color=figures.COLOURS["vermilion"], linewidth=1.2, zorder=1)
    box = axis.get_position()
    axis.set_yticks([])
    axis.set_ylim(-len(signs) + 0.6, 0.75)
    if box.width * figures.WIDTH > 2.5:  # inches: room for words at the side
        words = [f"{sign}: {by_name[name]['verdict']}" for name, sign in signs.items()]
        axis.set_position((box.x0 + 2.1 / figures.WIDTH, box.y0, box.width - 2.1 / figures.WIDTH, box.height))
        axis.set_yticks(range(0, -len(signs), -1), words)
        axis.tick_params(axis="y", length=0)
    else:
        for place, sign in enumerate(signs.values()):
            axis.annotate(sign, (0, 0.2 - place), xycoords=("axes fraction", "data"), va="bottom", fontsize=7)
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(unit, labelpad=1)
    axis.set_title("the claims", fontweight="bold", pad=11)


def draw(
    table: pd.DataFrame,
    row: dict,
    look: dict[str, dict],
    lines: list[str],
    *,
    macro: bool = True,
    more: Iterable[Callable[["Axes"], None]] = (),
    unit: str = "change against base, points",
) -> "Figure":
    """The figure: a panel for each task, one for the macro change, further panels that ``more`` draws; legend and footer below.

    Args:
        table: as ``plotted`` makes it.
        row: the figure's row.
        look: series -> what `Axes.plot` takes: colour (arms only), linestyle, marker.
        lines: of the footer, in sentences; they are wrapped.
        macro: whether the mean over tasks has a panel.
        more: functions that draw on an axis, each a panel of its own.
        unit: label of y.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown, more = [*row["tasks"], *(["macro"] if macro else [])], list(more)
    count = len(shown) + len(more)
    across = count if count < ACROSS else ACROSS if count > 6 or count == ACROSS else 3
    down = -(-count // across)
    lines = [line for part in lines for line in textwrap.wrap(part, 131)]
    names = series(row)
    keys = min(ACROSS, max(len(row["arms"]), 1) if len(row["arms"]) >= len(row.get("controls", {})) else len(names))
    legend = sum(0.30 if any("\n" in label for label in part) else 0.17 for part in _rows(_labels(row), keys))
    top, panel, gap, below = 0.39, 1.35, 0.72, 0.42 + legend + 0.02 + 0.137 * len(lines) + 0.1
    height = top + down * panel + (down - 1) * gap + below
    with matplotlib.rc_context(figures.STYLE):
        figure, cells = plt.subplots(down, across, figsize=(figures.WIDTH, height), squeeze=False)
        figure.subplots_adjust(
            left=0.068, right=0.988, top=1 - top / height, bottom=below / height, wspace=0.3, hspace=gap / panel
        )
        cells = list(cells.ravel())
        for axis, task in zip(cells, shown, strict=False):
            panel_of(axis, table[table["task"] == task], row, look)
        if more and count < len(cells):  # the last panel takes what is left of its row
            grid, last = cells[0].get_gridspec(), count - 1
            for axis in cells[last:]:
                axis.remove()
            cells[last:] = [figure.add_subplot(grid[last // across, last % across :])]
        for axis, function in zip(cells[len(shown) :], more, strict=False):
            function(axis)
        for axis in cells[:count:across]:
            axis.set_ylabel(unit)
        for axis in cells[count:]:
            axis.set_axis_off()
        handles, labels = cells[0].get_legend_handles_labels()
        arms = [i for i, (kind, _) in enumerate(names.values()) if kind == "arm"]
        controls = [i for i, (kind, _) in enumerate(names.values()) if kind == "control"]
        order = [i for pair in zip_longest(arms, controls) for i in pair if i is not None]  # a legend fills its columns first
        if len(arms) < len(controls) or not controls:
            order, keys = arms + controls, min(ACROSS, len(names))
        figure.legend(
            [handles[i] for i in order],
            [labels[i] for i in order],
            loc="upper left",
            bbox_to_anchor=(0.006, (below - 0.36) / height),
            ncols=keys,
            frameon=False,
            handlelength=3.0,
            columnspacing=1.0,
        )
        figures.footer(figure, lines)
    return figure


def _labels(row: dict) -> list[str]:
    """Legend entries: the series, and its model on a second line for arms, after a colon for controls."""
    labels = []
    for name, (kind, _) in series(row).items():
        said = row.get("legend", row["models"]).get(name, "")
        labels.append(("\n" if kind == "arm" else ": ").join([name.replace("_", " "), said]).strip(": \n"))
    return labels


def _rows(labels: list[str], columns: int) -> list[list[str]]:
    return [labels[i : i + columns] for i in range(0, len(labels), columns)]


def panel_of(axis: "Axes", table: pd.DataFrame, row: dict, look: dict[str, dict]) -> None:
    """One panel: bands and lines of the arms, thin grey lines of the controls; base, chance and n under the title."""
    from matplotlib.ticker import MaxNLocator

    axis.axhline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    low, high = limits(table)
    epochs = sorted(table["epoch"].unique())
    marked = [epochs.index(epoch) for epoch in figures.spread_ticks(epochs)]
    for (name, (kind, _)), label in zip(series(row).items(), _labels(row), strict=True):
        line = table[(table["series"] == name) & (table["subset"] == 0)]
        how = look[name]
        if kind == "control":
            how = {"color": figures.GREY, **how}
            axis.plot(line["epoch"], line["mean"], linewidth=0.7, markersize=3, label=label, zorder=1, **how)
            beyond = line[(line["mean"] < low) | (line["mean"] > high)]
            for below, some in beyond.groupby(beyond["mean"] < low):
                edge = low + 0.03 * (high - low) if below else high - 0.03 * (high - low)
                axis.plot(some["epoch"], [edge] * len(some), "v" if below else "^", color=how["color"], markersize=3, zorder=1)
        else:
            axis.plot(line["epoch"], line["mean"], label=label, zorder=3, markevery=marked, **how)
            axis.fill_between(
                line["epoch"],
                line["mean"] - line["sd"],
                line["mean"] + line["sd"],
                color=how["color"],
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
    under_title(axis, note)


def limits(table: pd.DataFrame) -> tuple[float, float]:
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
