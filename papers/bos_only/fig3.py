"""Figure 3 of arXiv 2605.31126: the student of the other family (Llama-3.2-1B) on its own BOS samples, and on replay.

Reads the evaluations of four runs and papers/bos_only/claims.yaml. Makes fig3.pdf, fig3.png, fig3.csv and fig3.claims.json: no
gain in math in any condition, a loss in code, narrow gains in comprehension.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.bos_only import curves
from papers.bos_only.fig2 import LOOK, _named, synthetic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIGNS = {
    "fig3-gsm8k-no-gain": "no gain, GSM8K",
    "fig3-math-no-gain": "no gain, MATH",
    "fig3-humaneval-falls": "HumanEval falls",
    "fig3-comprehension-gains": "comprehension gains",
}


def findings(found: curves.Found, epochs: np.ndarray, row: dict, claims: dict[str, dict], draws: int) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level."""
    arms, out = synthetic(row), {}
    for key in ("gsm8k", "math"):
        name = f"fig3-{key}-no-gain"
        values = curves.arms_of(found, row, row["arms"], curves.tasks_of(row, benchmark=key))
        estimate, drawn = curves.bounds(values, draws, name)
        best = curves.peak(estimate.ravel(), drawn.reshape(draws, -1), claims[name]["level"])
        out[name] = _named(best, list(row["arms"]), epochs)
    name = "fig3-humaneval-falls"
    values = curves.arms_of(found, row, arms, curves.tasks_of(row, benchmark="humaneval"))
    estimate, drawn = curves.bounds([v[:, :, curves.late(epochs)].mean(2, keepdims=True) for v in values], draws, name)
    out[name] = curves.plain(estimate.mean(), drawn.mean((1, 2)), claims[name]["level"])
    name = "fig3-comprehension-gains"
    tasks = curves.tasks_of(row, group="comprehension")
    each = [curves.bounds(curves.arms_of(found, row, arms, [task]), draws, name) for task in tasks]
    estimate = np.concatenate([one.ravel() for one, _ in each])
    drawn = np.concatenate([sample.reshape(draws, -1) for _, sample in each], axis=1)
    out[name] = curves.peak(estimate, drawn, claims[name]["level"])
    out[name]["task"] = tasks[out[name].pop("at") // (len(arms) * len(epochs))]
    return out


def footer(table: pd.DataFrame, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels: scale, n, what bands and intervals cover, verdicts."""
    return [
        curves.on_own_samples(table, row),
        "No gain: the largest change over all conditions and epochs, against a margin of 1.5 points; fall in code: the late "
        f"mean of the three temperatures. Bounds are simultaneous over what a peak is picked from; they cover {curves.COVER}.",
        curves.MARKED,
    ]


def panel(axis: "Axes", by_name: dict[str, dict]) -> None:
    """The claims with their intervals."""
    curves.verdicts_panel(axis, by_name, SIGNS)


if __name__ == "__main__":
    curves.make_as_asked(snakemake, artifact="fig3", findings=findings, panel=panel, footer=footer, look=LOOK)
