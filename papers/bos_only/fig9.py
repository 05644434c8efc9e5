"""Figure 9 of arXiv 2605.31126: figure 2 with examples in the prompt (few-shot).

Reads the few-shot evaluations of figure 2's runs and papers/bos_only/claims.yaml. Makes fig9.pdf, fig9.png, fig9.csv and
fig9.claims.json: in ARC-Challenge and HellaSwag temperature 1.25 is highest late and above replay; in GSM8K 0.75 and 1.0 gain
early and decay.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.bos_only import curves
from papers.bos_only.fig2 import LOOK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HOT = "t1.25"
COOL = ("t0.75", "t1.0")
SUSTAINED = {"arc_challenge": "ARC-C", "hellaswag": "HellaSwag"}
SIGNS = {
    **{f"fig9-{key}-hot-sustained": f"{name}: 1.25 top late" for key, name in SUSTAINED.items()},
    **{f"fig9-gsm8k-{arm}-early": f"GSM8K: {arm[1:]} gains early" for arm in COOL},
    **{f"fig9-gsm8k-{arm}-decays": f"GSM8K: {arm[1:]} decays" for arm in COOL},
}


def findings(found: curves.Found, epochs: np.ndarray, row: dict, claims: dict[str, dict], draws: int) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level."""
    out, first, last = {}, curves.early(epochs), curves.late(epochs)
    for key in SUSTAINED:
        name = f"fig9-{key}-hot-sustained"
        arms = [HOT, *(arm for arm in row["arms"] if arm != HOT)]
        values = curves.arms_of(found, row, arms, curves.tasks_of(row, benchmark=key))
        estimate, drawn = curves.bounds([v[:, :, last].mean(2, keepdims=True) for v in values], draws, name)
        level = claims[name]["level"]
        # above each of the others: an intersection of claims, each tested at the full level (Berger 1982)
        parts = [curves.plain(estimate[0, 0] - estimate[i, 0], drawn[:, 0, 0] - drawn[:, i, 0], level) for i in (1, 2, 3)]
        least = min(range(3), key=lambda i: parts[i]["estimate"])
        ends = {end: min(part[end] for part in parts) for end in ("low", "high")}
        out[name] = {**parts[least], **ends, "against": arms[1 + least]}
    for arm in COOL:
        values = curves.arms_of(found, row, [arm], curves.tasks_of(row, benchmark="gsm8k"))
        name = f"fig9-gsm8k-{arm}-early"
        estimate, drawn = curves.bounds([v[:, :, first] for v in values], draws, name)
        out[name] = curves.peak(estimate[0], drawn[:, 0], claims[name]["level"])
        out[name]["epoch"] = int(epochs[first][out[name].pop("at")])
        name = f"fig9-gsm8k-{arm}-decays"
        estimate, drawn = curves.bounds([v[:, :, first] - v[:, :, last].mean(2, keepdims=True) for v in values], draws, name)
        out[name] = curves.peak(estimate[0], drawn[:, 0], claims[name]["level"])
        out[name]["epoch"] = int(epochs[first][out[name].pop("at")])
    return out


def footer(table: pd.DataFrame, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels: scale, n, shots, what bands and intervals cover."""
    epochs = np.array(sorted(set(table["epoch"]) - {0}))
    shots = ", ".join(f"{how['label']} {how.get('shots', 0)}" for how in row["tasks"].values())
    return [
        curves.on_own_samples(table, row),
        f"Examples in the prompt: {shots}. Early: epochs to {epochs[curves.early(epochs)].max()}; late: mean of epochs "
        f"{', '.join(map(str, epochs[curves.late(epochs)]))}. Bounds cover {curves.COVER}.",
        curves.MARKED,
    ]


def panel(axis: "Axes", by_name: dict[str, dict]) -> None:
    """The claims with their intervals."""
    curves.verdicts_panel(axis, by_name, SIGNS)


if __name__ == "__main__":
    curves.make_as_asked(snakemake, artifact="fig9", findings=findings, panel=panel, footer=footer, look=LOOK)
