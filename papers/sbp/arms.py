"""What the figures of SBP share: losses and scores of pretrained models as arrays, intervals, and how arms look.

Reads held-out losses (scripts.evaluation.heldout: run, subset, epoch, item, nats, tokens) and evaluations (run, subset, epoch,
task, filter, metric, item, score) of models. Epoch 0 is the model as it is, epoch p its checkpoint after p per cent of the
steps. A figure's row has ``models``: arm -> its models, one a pretraining seed. The same documents and items are put to all.

Intervals are percentiles of scripts.lib.statistics.bootstrap: documents (or items) are resampled for all arms alike, and seeds
are a further level, whose spread is pooled over arms.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scripts.lib import figures, statistics
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWS = 10_000
LEVEL = 0.05  # of intervals that no claim asks for
COVER = "held-out documents or items, and pretraining seeds; not another draw of the real documents, nor another synthesizer"
NAMES = {
    "baseline": "baseline, repeats real",
    "sbp": "SBP",
    "oracle": "oracle, all unique",
    "random": "SBP of random pairs",
    "reseeded": "baseline, other seeds",
}
LOOK = {
    "baseline": {"color": figures.COLOURS["black"], "linestyle": (0, (4, 1.6)), "marker": "o"},
    "sbp": {"color": figures.COLOURS["orange"], "linestyle": "-", "marker": "^"},
    "oracle": {"color": figures.COLOURS["blue"], "linestyle": "-", "marker": "s"},
    "random": {"color": figures.COLOURS["vermilion"], "linestyle": (0, (1, 1)), "marker": "v"},
    "reseeded": {"color": figures.GREY, "linestyle": (0, (4, 1.6)), "marker": "D"},
}


def read(paths: Iterable[str]) -> pd.DataFrame:
    """Tables of several models, one below the other."""
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


def block(table: pd.DataFrame, models: dict[str, list[str]], epochs: list[int], column: str, where: str) -> np.ndarray:
    """One number an item, arm, epoch and seed: (items, arms, epochs, seeds), items in the order of their names.

    Raises:
        ValueError: naming the model whose lines are missing, double, or of other items than the first model's.
    """
    if len({len(names) for names in models.values()}) != 1:
        raise ValueError(f"{where}: {models}: expected as many models in each arm")
    found, items = [], None
    wanted = table[table["epoch"].isin(epochs)]
    by_run = {name: part for name, part in wanted.groupby("run", observed=True)}
    for names in models.values():
        of_arm = []
        for name in names:
            part = by_run.get(name, wanted[:0])
            if part.duplicated(["item", "epoch"]).any():
                raise ValueError(f"{where}: model {name}: several lines for an item; expected one an epoch")
            wide = part.pivot(index="item", columns="epoch", values=column).reindex(columns=epochs).sort_index()
            if wide.empty or wide.isna().any(axis=None):
                raise ValueError(f"{where}: model {name}: expected all items at the epochs {epochs}")
            items = wide.index if items is None else items
            if not wide.index.equals(items):
                raise ValueError(f"{where}: model {name}: has other items than the first model")
            of_arm.append(wide.to_numpy(float))
        found.append(np.stack(of_arm, axis=-1))
    return np.stack(found, axis=1)


def losses(table: pd.DataFrame, models: dict[str, list[str]], epochs: list[int], where: str) -> np.ndarray:
    """Held-out losses whose mean over documents is in nats a token: a document's nats over the mean number of tokens."""
    tokens = table.drop_duplicates("item")["tokens"].mean()
    return block(table, models, epochs, "nats", where) / tokens


def scores(table: pd.DataFrame, row: dict, epochs: list[int]) -> list[np.ndarray]:
    """Scores in points, one array a task of the row, (items, arms, epochs, seeds)."""
    found = []
    for task, how in row["tasks"].items():
        chosen = table[(table["task"] == task) & (table["filter"] == how["filter"]) & (table["metric"] == how["metric"])]
        found.append(100 * block(chosen, row["models"], epochs, "score", f"{row['name']}, task {task}"))
    return found


def drawn(values: list[np.ndarray], name: str, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """Means (arms, epochs) and draws of them (draws, arms, epochs); see scripts.lib.statistics.bootstrap."""
    return statistics.bootstrap(values, draws, seed_of("sbp", name))


def bounds(estimate: float, draws: np.ndarray, level: float) -> dict[str, float]:
    """What a claim is judged by: estimate, low, high, level."""
    low, high = statistics.interval(draws, level)
    return {"estimate": float(estimate), "low": low, "high": high, "level": level}


def share(part: tuple[float, np.ndarray], whole: tuple[float, np.ndarray], level: float) -> dict[str, float]:
    """A part of a whole, both as (estimate, draws): Fieller's interval, without ends where the whole is not shown to be one."""
    low, high = statistics.ratio(part[1], whole[1], level)
    estimate = part[0] / whole[0] if np.isfinite(low) else float("nan")
    return {"estimate": float(estimate), "low": low, "high": high, "level": level}


def mark(axis: "Axes", place: float, line: pd.Series, arm: str, **more: object) -> None:
    """A dot with its interval on a horizontal axis, at a height; ``line`` has y, low, high."""
    look, kept = LOOK[arm], float(line["y"])
    ends = [[kept - line["low"]], [line["high"] - kept]]
    how = {"color": look["color"], "fmt": look["marker"], "markersize": 4.5, "linewidth": 1.2, "capsize": 2} | more
    axis.errorbar(kept, place, xerr=ends, **how)


def said(entry: dict, digits: int = 2) -> str:
    """An entry of claims.json in short: ``+0.041 [+0.012, +0.070], reproduced``."""
    numbers = [f"{entry[key]:+.{digits}f}" for key in ("estimate", "low", "high")]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}], {entry['verdict']}"


def grouped(number: float) -> str:
    """A number of tokens in short: ``1.85M``."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"
