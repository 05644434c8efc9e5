"""Figure 2 of arXiv 2605.31126: a student trained on its own BOS samples at three temperatures, and on replay.

Reads the evaluations of four runs and papers/bos_only/claims.yaml. Makes fig2.pdf, fig2.png (a panel a benchmark: reasoning,
comprehension, math, code), fig2.csv (every plotted number) and fig2.claims.json: transient gains in math and code, none from
replay, and as large where the word problems have other numbers. Text can be cleaned of benchmark items and weights cannot, so
contamination that resurfaces is the rival explanation of such gains. Peaks are picked over temperatures and epochs, and their
bounds are simultaneous over both.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.bos_only import curves
from scripts.lib import figures, statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REPLAY = "replay"
LOOK = {
    "t0.75": {"color": figures.COLOURS["blue"], "linestyle": "-", "marker": "s"},
    "t1.0": {"color": figures.COLOURS["orange"], "linestyle": "-", "marker": "^"},
    "t1.25": {"color": figures.COLOURS["vermilion"], "linestyle": "-", "marker": "D"},
    REPLAY: {"color": figures.COLOURS["black"], "linestyle": (0, (4, 1.6)), "marker": "o"},
}
BENCHMARKS = {"gsm8k": "GSM8K", "math": "MATH", "humaneval": "HumanEval"}  # the math and code panels that the paper names
NUMBERS = ("gsm8k", "math")  # benchmarks that may have a variant with other numbers
SIGNS = {
    **{f"fig2-{key}-gains": f"{name} gains" for key, name in BENCHMARKS.items()},
    **{f"fig2-{key}-fades": f"{name} gain fades" for key, name in BENCHMARKS.items()},
    "fig2-replay-below": "peak above replay's",
    "fig2-other-numbers": "same with other numbers",
}


def synthetic(row: dict) -> list[str]:
    """The arms that are not replay, in the row's order."""
    return [name for name in row["arms"] if name != REPLAY]


def fall(values: list[np.ndarray], epochs: np.ndarray, level: float, draws: int, *names: object) -> dict:
    """How far the late mean lies below the peak, less one sd over subsets at the peak, for the arm with the highest peak.

    ``values`` as for ``scripts.lib.statistics.bootstrap``. The sd is taken as known; bounds are simultaneous over epochs.
    """
    unit = np.mean([v.mean(0) for v in values], axis=0)  # (arms, epochs, subsets)
    best, top = np.unravel_index(unit.mean(-1).argmax(), unit.shape[:2])
    sd = unit[best, top].std(ddof=1) if unit.shape[-1] > 1 else 0.0
    last = curves.late(epochs)
    below = [(v[:, [best]] - v[:, [best]][:, :, last].mean(2, keepdims=True))[:, :, ~last] for v in values]
    estimate, drawn = curves.bounds(below, draws, *names)
    return curves.peak(estimate[0] - sd, drawn[:, 0] - sd, level)


def findings(found: curves.Found, epochs: np.ndarray, row: dict, claims: dict[str, dict], draws: int) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level."""
    arms, out = synthetic(row), {}
    for key in BENCHMARKS:
        values = curves.arms_of(found, row, arms, curves.tasks_of(row, benchmark=key))
        name = f"fig2-{key}-gains"
        estimate, drawn = curves.bounds(values, draws, name)
        out[name] = _named(curves.peak(estimate.ravel(), drawn.reshape(draws, -1), claims[name]["level"]), arms, epochs)
        name = f"fig2-{key}-fades"
        out[name] = fall(values, epochs, claims[name]["level"], draws, name)
    tasks = [task for key in BENCHMARKS for task in curves.tasks_of(row, benchmark=key)]
    name = "fig2-replay-below"
    values = curves.arms_of(found, row, [*arms, REPLAY], tasks)
    out[name] = apart([v[:, :-1] for v in values], [v[:, -1:] for v in values], claims[name]["level"], draws, name)
    name = "fig2-other-numbers"
    known, other = with_other_numbers(found, row, arms)
    return {**out, name: apart(known, other, claims[name]["level"], draws, name)}


def with_other_numbers(found: curves.Found, row: dict, arms: list[str]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Changes on the benchmarks of NUMBERS that have a variant with other numbers, and on the variant, item by item.

    Of a benchmark only the items that the variant has are taken: not every published problem can be given other numbers.
    """
    known, other = [], []
    for key in NUMBERS:
        for variant in curves.tasks_of(row, benchmark=key, perturbed=True):
            (task,) = curves.tasks_of(row, benchmark=key)
            same = np.isin(found[arms[0], task].items, found[arms[0], variant].items)
            known += [v[same] for v in curves.arms_of(found, row, arms, [task])]
            other += curves.arms_of(found, row, arms, [variant])
    return known, other


def apart(one: list[np.ndarray], other: list[np.ndarray], level: float, draws: int, *names: object) -> dict:
    """The peak over arms and epochs of some changes minus that of others on the same items, with bounds.

    Both hold one array per task, (items, arms, epochs, subsets); ``other`` may have fewer arms.
    """
    arms = one[0].shape[1]
    both = [np.concatenate([a, b], axis=1) for a, b in zip(one, other, strict=True)]
    estimate, drawn = curves.bounds(both, draws, *names)
    again = np.resize(np.arange(arms, both[0].shape[1]), arms)  # the same arms once more, so that both sides have as many
    sides = [np.arange(arms), again]
    first = np.stack([estimate[side].ravel() for side in sides])
    second = np.stack([drawn[:, side].reshape(draws, -1) for side in sides], axis=1)
    return statistics.peak_difference(first, second, 0, 1, level)


def _named(found: dict, arms: list[str], epochs: np.ndarray) -> dict:
    """Say at which arm and epoch a peak over (arms, epochs) stands."""
    place = found.pop("at")
    return {**found, "series": arms[place // len(epochs)], "epoch": int(epochs[place % len(epochs)])}


def footer(table: pd.DataFrame, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels: scale, n, what bands and intervals cover, verdicts."""
    return [
        curves.on_own_samples(table, row),
        f"Transient gains in math and code: {by_name['fig2-transient']['verdict'].upper()}. Peaks are the largest change over "
        f"temperatures and epochs, with bounds that hold for all of them at once; they cover {curves.COVER}.",
        curves.MARKED,
    ]


def panel(axis: "Axes", by_name: dict[str, dict]) -> None:
    """The claims with their intervals."""
    curves.verdicts_panel(axis, by_name, SIGNS)


if __name__ == "__main__":
    curves.make_as_asked(snakemake, artifact="fig2", findings=findings, panel=panel, footer=footer, look=LOOK)
