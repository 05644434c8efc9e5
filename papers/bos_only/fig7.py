"""Figure 7 of arXiv 2605.31126: what four benchmarks say of a model that memorises, trained on its own samples.

Reads the evaluations of the self run and its controls, and papers/bos_only/claims.yaml. Makes fig7.pdf, fig7.png (a panel a
benchmark), fig7.csv (every plotted number) and fig7.claims.json: no benchmark falls by 1.5 points or by a tenth of what the
base has above chance. Both are asked, since points weigh little where the base is far above chance and much where it is near.
"""

from typing import TYPE_CHECKING

import numpy as np

from papers.bos_only import curves
from scripts.lib import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SELF = "self"
LOOK = {
    SELF: {"color": figures.COLOURS["black"], "linestyle": (0, (4, 1.6)), "marker": "o"},
    "replay": {"color": figures.COLOURS["blue"], "linestyle": "-", "marker": "s"},
    "original": {"color": figures.COLOURS["orange"], "linestyle": "-", "marker": "^"},
    "cross_family": {"color": figures.COLOURS["vermilion"], "linestyle": "-", "marker": "D"},
}
BENCHMARKS = {"arc_challenge": "ARC-C", "hellaswag": "HellaSwag", "arc_easy": "ARC-E", "winogrande": "WinoGrande"}
SIGNS = {**{f"fig7-{key}-kept": name for key, name in BENCHMARKS.items()}, "fig7-mean": "mean of four"}
LEAST = 1.0  # points: a base nearer to chance than this counts as this far above it


def findings(found: curves.Found, epochs: np.ndarray, row: dict, claims: dict[str, dict], draws: int) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level."""
    last, out, late = curves.late(epochs), {}, []
    for key in BENCHMARKS:
        (task,) = curves.tasks_of(row, benchmark=key)
        curve = found[SELF, task]
        change = curve.change[:, last].mean(1)  # (items, subsets)
        late.append(change[:, None, None])
        start = np.broadcast_to(curve.base[:, None], change.shape)
        estimate, drawn = curves.bounds([np.stack([change, start], axis=1)[:, None]], draws, "fig7", key)
        name = f"fig7-{key}-kept"
        out[name] = curves.plain(estimate[0, 0], drawn[:, 0, 0], claims[name]["level"])
        name = f"fig7-{key}-share"
        chance = 100.0 * row["tasks"][task]["chance"]
        above, drawn_above = (np.maximum(each - chance, LEAST) for each in (estimate[0, 1], drawn[:, 0, 1]))
        share = curves.plain(estimate[0, 0] / above, drawn[:, 0, 0] / drawn_above, claims[name]["level"])
        out[name] = {**share, "headroom": float(above)}
    estimate, drawn = curves.bounds(late, draws, "fig7", "mean")
    out["fig7-mean"] = curves.plain(estimate[0, 0], drawn[:, 0, 0], claims["fig7-mean"]["level"])
    return out


def footer(table, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels: scale, n, what bands and intervals cover, verdicts."""
    subsets = table.loc[table["kind"] == "arm", "subsets"].iloc[0]
    shares = [f"{name} {figures.said(by_name[f'fig7-{key}-share'])}" for key, name in BENCHMARKS.items()]
    return [
        f"{curves.SCALES[row['scale']]}. {row['student']} trained on its own samples; controls of equal steps; {subsets} "
        "subsets of self, controls may have fewer. Lines: mean over subsets; band: \u00b11 sd across them.",
        f"All four preserved: {by_name['fig7-kept']['verdict'].upper()}. Late change (mean of the last evaluations) as a share "
        f"of the base's score above chance, which may lose no tenth: {'; '.join(shares)}. Intervals cover {curves.COVER}.",
    ]


def panel(axis: "Axes", by_name: dict[str, dict]) -> None:
    """The late changes in points with their intervals."""
    curves.verdicts_panel(axis, by_name, SIGNS, "late change of self, points")


if __name__ == "__main__":
    curves.make_as_asked(snakemake, artifact="fig7", findings=findings, panel=panel, footer=footer, look=LOOK)
