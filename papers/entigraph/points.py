"""Accuracy after so many synthetic tokens, and loss on held-out text: what figures of trained students share.

Reads evaluations (Parquet: run, subset, epoch, task, filter, metric, item, score; epoch 0 is the base), the book of each item
(items.parquet of a suite: task, item, book) and losses (Parquet: run, subset, epoch, task, item, nats, bytes). A figure's row
has ``arms`` and ``controls``, {series: {synthetic tokens seen once: [runs of the training seeds]}}, ``tasks`` (task -> label,
metric, filter, chance, primary) and ``scale``.

A *cell* is a series at one number of tokens: runs that differ in their training seed alone, after their last epoch. Books are
resampled, not questions, since what a student knows of a book it knows for all of its questions; then training seeds, whose
spread is pooled over cells (scripts/lib/statistics.py). All cells are asked the same questions, so that books cancel where two
are compared.
"""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from scripts.lib import figures, statistics
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCORES = ["run", "subset", "epoch", "task", "filter", "metric", "item", "score"]
LOSSES = ["run", "subset", "epoch", "task", "item", "nats", "bytes"]
COVER = "which books are asked about and training seeds; not generation or pretraining seeds"
DRAWS = 10_000
BAND = 0.025  # on either side of a drawn interval
JUDGED = "judged"  # the mean over the primary tasks
UNKNOWN = 0.0, np.array([-1000.0, 1000.0])  # points, of what was not measured: bounds that decide nothing
LOOK = {
    "entigraph": {"color": figures.COLOURS["blue"], "linestyle": "-", "marker": "o"},
    "rephrase": {"color": figures.COLOURS["orange"], "linestyle": "-", "marker": "s"},
    "raw": {"color": figures.COLOURS["vermilion"], "linestyle": "-", "marker": "^"},
    "qa": {"color": figures.COLOURS["black"], "linestyle": (0, (4, 1.6)), "marker": "D"},
    "active-reading": {"color": figures.COLOURS["black"], "linestyle": (0, (1, 1.2)), "marker": "P"},
    "mga": {"color": figures.GREY, "linestyle": (0, (3, 1, 1, 1)), "marker": "v"},
    "null": {"color": figures.GREY, "linestyle": "none", "marker": "x"},
}
WORDS = {
    "entigraph": "EntiGraph",
    "rephrase": "rephrased",
    "raw": "raw, repeated",
    "qa": "QA",
    "active-reading": "Active Reading",
    "mga": "MGA",
    "null": "null: EntiGraph of false books",
}

Cell = tuple[str, int]  # series, tokens


class Table(NamedTuple):
    """One quantity of all cells and of the base; the mean over units is the value, (cells, seeds) and a number."""

    cells: list[Cell]
    values: np.ndarray  # (units, cells, seeds)
    base: np.ndarray  # (units,)
    counts: dict[str, int]  # items and books, or documents


class Drawn(NamedTuple):
    """Estimates with draws from what books and training seeds leave open."""

    cells: list[Cell]
    estimate: np.ndarray  # (cells,)
    draws: np.ndarray  # (draws, cells)
    base: float
    base_draws: np.ndarray  # (draws,)

    def at(self, series: str, tokens: int | None = None) -> tuple[float, np.ndarray]:
        """Value and draws of a series at some tokens, the most of it where None."""
        tokens = self.tokens(series)[-1] if tokens is None else tokens
        i = self.cells.index((series, tokens))
        return float(self.estimate[i]), self.draws[:, i]

    def change(self, series: str, tokens: int | None = None) -> tuple[float, np.ndarray]:
        """The same less the base."""
        value, draws = self.at(series, tokens)
        return value - self.base, draws - self.base_draws

    def tokens(self, series: str) -> list[int]:
        """The tokens at which a series was measured, rising."""
        return sorted(tokens for name, tokens in self.cells if name == series)

    def curve(self, series: str, tokens: Sequence[int] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """A series over its tokens (or over these): values (sizes,), draws (draws, sizes)."""
        at = [self.cells.index((series, each)) for each in (tokens or self.tokens(series))]
        return self.estimate[at], self.draws[:, at]


# --- what is given ----------------------------------------------------------------------------------------------------------


def cells_of(row: dict) -> dict[Cell, list[str]]:
    """The runs of each cell of a figure, arms first, by rising tokens."""
    named = {**row["arms"], **row.get("controls", {})}
    return {
        (series, int(tokens)): list(runs)
        for series, sizes in named.items()
        for tokens, runs in sorted(sizes.items(), key=lambda size: int(size[0]))
    }


def primary(row: dict) -> list[str]:
    """The tasks on which claims are decided."""
    return [task for task, how in row["tasks"].items() if how.get("primary")]


def read(paths: Iterable[str], columns: list[str]) -> pd.DataFrame:
    """The tables of several runs, one below the other."""
    return pd.concat([pd.read_parquet(path, columns=columns) for path in paths], ignore_index=True)


def read_books(suites: Iterable[str]) -> pd.DataFrame:
    """Which book each item is about: task, item, book, of the folders of some suites."""
    columns = ["task", "item", "book"]
    return pd.concat([pd.read_parquet(Path(suite) / "items.parquet", columns=columns) for suite in suites], ignore_index=True)


def linearised(total: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Values of units whose mean is sum(total) / sum(size), and is so to first order when units are resampled.

    Args:
        total: (units, ...), sums within each unit. ``size``: (units,), what they are divided by.

    >>> linearised(np.array([3.0, 1.0]), np.array([4.0, 4.0])).tolist()
    [0.75, 0.25]
    """
    size = size.reshape(-1, *[1] * (total.ndim - 1)).astype(float)
    mean = total.sum(0) / size.sum()
    return mean + (total - mean * size) / size.mean()


def _cube(lines: pd.DataFrame, runs: Iterable[str], value: str, where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of runs after their last epoch, (items, seeds), of their base, (items,), and the items, rising.

    Raises:
        ValueError: naming the run where lines are missing or double, or items or base differ from those of the first run.
    """
    columns, items, base = [], None, None
    of_runs = dict(list(lines.groupby("run", observed=True)))
    for run in runs:
        mine = of_runs.get(run, lines.iloc[:0])
        start = mine[mine["epoch"] == 0].sort_values("item")
        last = mine[(mine["epoch"] == mine["epoch"].max()) & (mine["epoch"] > 0)].sort_values(["item", "subset"])
        subsets = last["subset"].nunique()
        items = start["item"].to_numpy() if items is None else items
        base = start[value].to_numpy(float) if base is None else base
        if start.empty or last.empty or len(last) != len(start) * subsets or last.duplicated(["item", "subset"]).any():
            raise ValueError(
                f"{where}, run {run}: {len(start)} lines at epoch 0 and {len(last)} at the last; expected one an item"
            )
        if not np.array_equal(start["item"], items) or not np.array_equal(last["item"].unique(), items):
            raise ValueError(f"{where}, run {run}: items differ from those of the base or of the first run")
        if not np.array_equal(start[value].to_numpy(float), base):
            raise ValueError(
                f"{where}, run {run}: epoch 0 differs from the first run's; expected the same base, measured alike"
            )
        columns.append(last[value].to_numpy(float).reshape(len(items), subsets))
    return np.concatenate(columns, axis=1), base, items


def cubes(lines: pd.DataFrame, row: dict, value: str, where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of all cells, (items, cells, seeds), of the base, (items,), and the items.

    Raises:
        ValueError: as `_cube` does, and where cells differ in their number of seeds.
    """
    cells = cells_of(row)
    flat, base, items = _cube(lines, [run for runs in cells.values() for run in runs], value, where)
    number, extra = divmod(flat.shape[1], len(cells))
    if extra or len({len(runs) for runs in cells.values()}) > 1:
        seeds = {f"{series} {tokens}": len(runs) for (series, tokens), runs in cells.items()}
        raise ValueError(f"{where}: cells have different numbers of seeds: {seeds}; expected the same in all")
    return flat.reshape(len(items), len(cells), number), base, items


def accuracies(scores: pd.DataFrame, books: pd.DataFrame, row: dict, tasks: Sequence[str]) -> Table:
    """Mean accuracy over some tasks in points, by book; tasks weigh the same whatever their items.

    Raises:
        ValueError: naming figure, task and run for what is missing or does not fit.
    """
    if not tasks:
        raise ValueError(f"{row['name']}: no task to take the mean over; expected tasks with primary: true in its suites")
    parts, starts, counted = [], [], 0
    every = np.sort(books.loc[books["task"].isin(list(tasks)), "book"].unique())
    for task in tasks:
        how, where = row["tasks"][task], f"{row['name']}: task {task}"
        mine = scores[(scores["task"] == task) & (scores["filter"] == how["filter"]) & (scores["metric"] == how["metric"])]
        cube, base, items = cubes(mine, row, "score", where)
        of = books[books["task"] == task].set_index("item")["book"]
        if missing := sorted(set(items.tolist()) - set(of.index)):
            raise ValueError(f"{where}: item {missing[0]} has no book in the suite's items.parquet")
        place = np.searchsorted(every, of.loc[items].to_numpy())
        size = np.bincount(place, minlength=len(every))
        totals = np.zeros((len(every), *cube.shape[1:]))
        np.add.at(totals, place, cube)
        parts.append(linearised(100 * totals, size))
        starts.append(linearised(100 * np.bincount(place, base, len(every)), size))
        counted += len(items)
    counts = {"items": counted, "books": len(every)}
    return Table(list(cells_of(row)), np.mean(parts, axis=0), np.mean(starts, axis=0), counts)


def bits_per_byte(losses: pd.DataFrame, row: dict, task: str) -> Table:
    """Bits per byte on one task's held-out documents.

    Raises:
        ValueError: naming figure, task and run for what is missing or does not fit.
    """
    mine = losses[losses["task"] == task]
    cube, base, items = cubes(mine, row, "nats", f"{row['name']}: held-out {task}")
    size = mine.drop_duplicates("item").set_index("item")["bytes"].loc[items].to_numpy(float)
    bits = 1 / np.log(2)
    values, start = linearised(bits * cube, size), linearised(bits * base, size)
    return Table(list(cells_of(row)), values, start, {"documents": len(items)})


# --- what is judged ---------------------------------------------------------------------------------------------------------


def bootstrap(table: Table, draws: int, name: str) -> Drawn:
    """Resample units, the same ones in all cells and in the base, and training seeds; ``name`` seeds it.

    Two tables of the same units under the same name have the same units drawn.
    """
    seed = seed_of("entigraph", name, "units and seeds")
    estimate, drawn = statistics.bootstrap([table.values[:, :, None, :]], draws, seed)
    base, base_drawn = statistics.bootstrap([table.base[:, None, None, None]], draws, seed)
    return Drawn(table.cells, estimate[:, 0], drawn[:, :, 0], float(base[0, 0]), base_drawn[:, 0, 0])


def found(value: tuple[float, np.ndarray], level: float, less: float = 0.0, **more: object) -> dict:
    """A finding for `scripts.lib.claims.judge` from a value and its draws, less what it is held against."""
    estimate, draws = value
    low, high = statistics.interval(draws - less, level)
    return {"estimate": float(estimate) - less, "low": low, "high": high, "level": level, **more}


def minus(one: tuple[float, np.ndarray], other: tuple[float, np.ndarray]) -> tuple[float, np.ndarray]:
    """The difference of two values, draw by draw."""
    return one[0] - other[0], one[1] - other[1]


def mean(values: Iterable[tuple[float, np.ndarray]]) -> tuple[float, np.ndarray]:
    """The mean of several values, draw by draw."""
    estimates, draws = zip(*values, strict=True)
    return float(np.mean(estimates)), np.mean(draws, axis=0)


def slope_weights(tokens: Sequence[float]) -> np.ndarray:
    """Weights w so that ``w @ accuracy`` is the least-squares slope over log10(tokens), (sizes,).

    >>> slope_weights([10, 100]).tolist()
    [-1.0, 1.0]
    """
    x = np.log10(np.asarray(tokens, float))
    if len(x) < 2 or np.any(np.diff(x) <= 0):
        raise ValueError(f"tokens {list(tokens)}: expected two or more, rising")
    x = x - x.mean()
    return x / (x @ x)


def slope(drawn: Drawn, series: str, tokens: Sequence[int] | None = None) -> tuple[float, np.ndarray]:
    """Points per tenfold tokens of a series, over all of its tokens or over these."""
    tokens = tokens or drawn.tokens(series)
    values, draws = drawn.curve(series, tokens)
    weights = slope_weights(tokens)
    return float(weights @ values), draws @ weights


def straightness(tokens: Sequence[float], accuracy: np.ndarray) -> np.ndarray:
    """R squared of the line of accuracy over log10(tokens), (..., sizes) -> (...); 0 where accuracy is flat.

    >>> float(straightness([1, 10, 100], np.array([1.0, 2.0, 3.0])))
    1.0
    """
    accuracy = np.asarray(accuracy, float)
    x = np.log10(np.asarray(tokens, float))
    middle = accuracy - accuracy.mean(-1, keepdims=True)
    total = (middle**2).sum(-1)
    explained = (accuracy @ slope_weights(tokens)) ** 2 * ((x - x.mean()) ** 2).sum()
    return np.where(total > 1e-18, explained / np.maximum(total, 1e-18), 0.0)


def correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson's correlation over the last axis; 0 where one of both does not vary.

    >>> float(correlation(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])))
    -1.0
    """
    x, y = (each - each.mean(-1, keepdims=True) for each in (np.asarray(one, float), np.asarray(other, float)))
    size = np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    return np.where(size > 1e-15, (x * y).sum(-1) / np.maximum(size, 1e-15), 0.0)


def common(drawn: Drawn, *series: str) -> list[int]:
    """The tokens at which all of some series were measured, rising."""
    return sorted(set.intersection(*(set(drawn.tokens(one)) for one in series)))


# --- the figure -------------------------------------------------------------------------------------------------------------


def lines_of(drawn: Drawn, table: Table, panel: str, *, row: dict, unit: str, chance: float = np.nan) -> pd.DataFrame:
    """Every number of a panel, one line a cell and one of the base (tokens 0).

    Columns: panel, series, runs, tokens (millions, seen once), ratio (of the most tokens of the series), value, low, high
    (95 %), error (standard), change (against the base), change_low, change_high, seeds, what was counted, chance, unit.
    """
    runs, seeds = cells_of(row), table.values.shape[2]
    most = {series: drawn.tokens(series)[-1] for series, _ in drawn.cells}
    lines = [("base", "", 0.0, 0.0, drawn.base, drawn.base_draws, drawn.base_draws * 0)]
    for i, (series, tokens) in enumerate(drawn.cells):
        draws = drawn.draws[:, i]
        of = " ".join(runs[series, tokens]), tokens / 1e6, tokens / most[series]
        lines.append((series, *of, float(drawn.estimate[i]), draws, draws - drawn.base_draws))
    out = []
    for series, of, tokens, ratio, value, draws, change in lines:
        low, high = statistics.interval(draws, BAND)
        change_low, change_high = statistics.interval(change, BAND)
        out.append(
            {
                "panel": panel,
                "series": series,
                "runs": of,
                "tokens": tokens,
                "ratio": ratio,
                "value": value,
                "low": low,
                "high": high,
                "error": float(draws.std(ddof=1)),
                "change": value - drawn.base,
                "change_low": change_low,
                "change_high": change_high,
                "seeds": seeds if series != "base" else 0,
                **table.counts,
                "chance": chance,
                "unit": unit,
            }
        )
    return pd.DataFrame(out)


def counted(line: pd.Series) -> str:
    """What a value is the mean of, for under a panel's title."""
    if "items" in line and np.isfinite(line["items"]):
        return f"{line['items']:,.0f} questions, {line['books']:,.0f} books"
    return f"{line['documents']:,.0f} documents"


def panels_of(row: dict) -> dict[str, list[str]]:
    """What has a panel of accuracies -> its tasks: the mean that is judged, then each task unless it is that alone."""
    together = primary(row)
    return {JUDGED: together, **{task: [task] for task in row["tasks"] if [task] != together}}


def title_of(row: dict, panel: str) -> str:
    """The title of a panel of accuracies: a task's label, or words for the mean of those that are judged together."""
    tasks = primary(row) if panel == JUDGED else [panel]
    return row["tasks"][tasks[0]]["label"] if len(tasks) == 1 else "mean of the judged"


def judged_of(row: dict) -> str:
    """Which tasks are judged, for a footer."""
    return f"Judged: {'; '.join(row['tasks'][task]['label'] for task in primary(row))}."


def text_of(task: str) -> str:
    """The words for a held-out text: ``text_of("other-books")`` is ``other books``."""
    return task.replace("-", " ")


def chance_of(row: dict, tasks: Iterable[str]) -> float:
    """The mean chance of some tasks, in points."""
    return 100 * float(np.mean([row["tasks"][task]["chance"] for task in tasks]))


def short(tokens: float) -> str:
    """Tokens in few characters: ``short(174000)`` is ``174k``, ``short(1090000)`` is ``1.09M``."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:.3g}{letter}"
    return f"{tokens:g}"


def token_axis(axis: "Axes", tokens: Iterable[float]) -> None:
    """A logarithmic axis of tokens from ``tokens``, with labels at most at every third of a decade."""
    sizes = sorted(set(tokens))
    axis.set_xscale("log")
    kept = [sizes[0]]
    for size in sizes[1:]:
        if size >= kept[-1] * 2.4:
            kept.append(size)
    if kept[-1] != sizes[-1]:
        kept[-1] = sizes[-1]
    axis.set_xticks(kept, [short(size) for size in kept])
    axis.set_xticks([], minor=True)
    axis.set_xlim(sizes[0] / 1.35, sizes[-1] * 1.35)
    axis.set_xlabel("synthetic tokens seen once", labelpad=1)


def token_panel(
    axis: "Axes", table: pd.DataFrame, title: str, *, quantity: str = "value", lines: dict[str, float] | None = None
) -> None:
    """A panel of one quantity over tokens: a line with bars of 95 % a series; the base and chance across.

    ``lines`` are published values of models that are not ours, drawn across with their names.
    """
    low, high = ("low", "high") if quantity == "value" else (f"{quantity}_low", f"{quantity}_high")
    base, rest = table[table["series"] == "base"].iloc[0], table[table["series"] != "base"]
    series = list(dict.fromkeys(rest["series"]))
    for i, name in enumerate(series):
        mine = rest[rest["series"] == name].sort_values("tokens")
        x = 1e6 * mine["tokens"] * 1.04 ** (i - (len(series) - 1) / 2)  # side by side, so that no bar hides another
        bars = np.abs(mine[[low, high]].to_numpy().T - mine[quantity].to_numpy())
        axis.errorbar(x, mine[quantity], bars, label=WORDS.get(name, name), elinewidth=0.8, **LOOK.get(name, {}))
    across = {"linewidth": 0.8, "zorder": 0}
    axis.axhspan(base[low], base[high], color="#dddddd", linewidth=0, zorder=-1)
    axis.axhline(base[quantity], color=figures.INK, linestyle=(0, (6, 2)), label="base", **across)
    if quantity == "value" and np.isfinite(base["chance"]):
        axis.axhline(base["chance"], color="#999999", linestyle=(0, (1, 1.5)), label="chance", **across)
    for name, value in (lines or {}).items():
        axis.axhline(value, color="#999999", linewidth=0.6, zorder=0)
        axis.annotate(name, (0.01, value), xycoords=("axes fraction", "data"), va="bottom", fontsize=7, color=figures.INK)
    token_axis(axis, 1e6 * rest["tokens"])
    axis.set_title(title, fontweight="bold", pad=11)
    figures.under_title(axis, counted(base))


def sheet(panels: Sequence[Callable[["Axes"], None]], lines: list[str], *, unit: str) -> "Figure":
    """A figure of panels, two or three in a row; one legend of everything that panels label, and a footer of wrapped lines.

    ``unit`` labels y of the first panel of each row, unless that panel labelled it itself; empty where every panel does.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in lines for line in textwrap.wrap(part, 131)]
    across = 2 if len(panels) in (1, 2, 4) else 3
    down = -(-len(panels) // across)
    words = 0.14 + 0.137 * len(lines)
    height = 0.36 + down * 1.62 + (down - 1) * 0.62 + 0.62 + words
    with matplotlib.rc_context(figures.STYLE):
        figure, axes = plt.subplots(down, across, figsize=(figures.WIDTH, height), squeeze=False)
        bottom = (words + 0.62) / height
        sides = {"left": 0.066, "wspace": 0.28} if unit else {"left": 0.085, "wspace": 0.42}
        figure.subplots_adjust(right=0.988, top=1 - 0.36 / height, bottom=bottom, hspace=0.62 / 1.62, **sides)
        for i, axis in enumerate(axes.flat):
            if i >= len(panels):
                axis.set_visible(False)
                continue
            panels[i](axis)
            if i % across == 0 and not axis.get_ylabel():
                axis.set_ylabel(unit)
        labelled = {}
        for axis in axes.flat:
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
                labelled.setdefault(label, handle)
        place = {"loc": "lower left", "bbox_to_anchor": (0.006, (words - 0.05) / height)}
        figure.legend(labelled.values(), labelled, ncols=8, frameon=False, handlelength=2.2, columnspacing=1.2, **place)
        figures.footer(figure, lines)
    return figure


def said(entry: dict, what: str, unit: str = "points") -> str:
    """A claim in a footer: what was asked, what was found with its interval, the verdict in capitals."""
    value = f"{entry['estimate']:+.3g} [{entry['low']:+.3g}, {entry['high']:+.3g}]"
    return f"{what}: {value}{' ' if unit else ''}{unit}, {entry['verdict'].upper()}."


def opening(row: dict, table: Table) -> str:
    """The first sentences of a footer: scale, student, seeds, bars."""
    seeds = table.values.shape[2]
    return (
        f"{figures.SCALES[row['scale']]}. {row['student']} trained further on synthetic text about the books; {seeds} training "
        f"seed{'s' if seeds > 1 else ''} a point, after the last epoch. Bars: 95 %, books and seeds resampled."
    )
