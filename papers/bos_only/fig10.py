"""Figure 10 of arXiv 2605.31126, and the crossed interaction: two students, each on its own text and on the other's.

Reads evaluations and papers/bos_only/claims.yaml. Makes fig10.pdf, fig10.png (a panel a benchmark for the Llama-role student on
text of the Qwen-role source, against its own), fig10.csv and fig10.claims.json.

One student alone cannot tell a poor source from an incompatible one: text of B may help A less because B writes worse text.
With both students trained on both texts the quality of a text adds the same to either student's change and drops out of

    (A on A minus A on B) + (B on B minus B on A),

which is above zero only where each student does better on its own.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.bos_only import curves
from papers.bos_only.curves import DRAWS
from scripts.lib import figures, statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OWN = "own t1.25"
LOOK = {
    "other t0.75": {"color": figures.COLOURS["blue"], "linestyle": "-", "marker": "s"},
    "other t1.0": {"color": figures.COLOURS["orange"], "linestyle": "-", "marker": "^"},
    "other t1.25": {"color": figures.COLOURS["vermilion"], "linestyle": "-", "marker": "D"},
    OWN: {"color": figures.COLOURS["black"], "linestyle": (0, (4, 1.6)), "marker": "o"},
}
CROSSED = (("a_on_a", "a_on_b"), ("b_on_b", "b_on_a"))  # each student: own text, the other's
SIGNS = {
    "fig10-other-not-better": "other's not above own",
    "fig10-a-prefers-own": "A: own above other's",
    "fig10-b-prefers-own": "B: own above other's",
    "fig10-crossed-interaction": "crossed interaction",
}


def areas(values: list[np.ndarray], epochs: np.ndarray) -> list[np.ndarray]:
    """Changes (items, arms, epochs, subsets) as means over log(1 + epoch), (items, arms, 1, subsets)."""
    weights = statistics.area_weights(np.append(0, epochs))[1:]  # the change at epoch 0 is zero
    return [np.einsum("iaes,e->ias", v, weights)[:, :, None] for v in values]


def crossed(scores: pd.DataFrame, row: dict) -> tuple[list[np.ndarray], np.ndarray]:
    """One array per task, (items, 4 arms as in CROSSED, epochs, subsets), and the epochs; each student against its own base."""
    parts = []
    for pair in CROSSED:
        mine = {**row, "arms": {name: row["crossed"][name] for name in pair}, "controls": {}}
        found = curves.changes(scores, mine)
        parts.append((curves.arms_of(found, mine, pair, row["tasks"]), found[pair[0], next(iter(row["tasks"]))].epochs))
    (a, epochs), (b, others) = parts
    if not np.array_equal(epochs, others):
        raise ValueError(f"{row['name']}: the two students were evaluated at epochs {epochs} and {others}; expected the same")
    return [np.concatenate(both, axis=1) for both in zip(a, b, strict=True)], epochs


def interaction(values: list[np.ndarray], epochs: np.ndarray, claims: dict[str, dict], draws: int) -> dict[str, dict]:
    """The crossed interaction and each student's preference, on the macro area, in points."""
    estimate, drawn = curves.bounds(areas(values, epochs), draws, "fig10", "crossed")
    point, sample = estimate[:, 0], drawn[:, :, 0]
    weights = {
        "fig10-a-prefers-own": np.array([1, -1, 0, 0]),
        "fig10-b-prefers-own": np.array([0, 0, 1, -1]),
        "fig10-crossed-interaction": np.array([1, -1, 1, -1]),
    }
    found = {name: curves.plain(point @ w, sample @ w, claims[name]["level"]) for name, w in weights.items()}
    found["fig10-crossed-interaction"]["p"] = float(statistics.p_above(sample @ weights["fig10-crossed-interaction"], 0.0))
    return found


def findings(
    found: curves.Found, epochs: np.ndarray, row: dict, claims: dict[str, dict], draws: int, scores: pd.DataFrame
) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level."""
    arms = [OWN, *(arm for arm in row["arms"] if arm != OWN)]
    values = areas(curves.arms_of(found, row, arms, row["tasks"]), epochs)
    name = "fig10-other-not-better"
    level = claims[name]["level"]
    estimate, drawn = curves.bounds(values, draws, name)
    out = {name: curves.peak(estimate[1:, 0] - estimate[0, 0], drawn[:, 1:, 0] - drawn[:, :1, 0], level)}
    out[name]["series"] = arms[1 + out[name].pop("at")]
    p, cells = [], []
    for task, value in zip(row["tasks"], values, strict=True):
        _, sample = curves.bounds([value], draws, name, task)
        for i, arm in enumerate(arms[1:], 1):
            p.append(float(statistics.p_above(sample[:, i, 0] - sample[:, 0, 0], 0.0)))
            cells.append(f"{task}, {arm}")
    adjusted = statistics.holm(np.array(p))
    out[name]["better_after_holm"] = [f"{cell}: p {q:.3g}" for cell, q in zip(cells, adjusted, strict=True) if q <= level]
    return out | interaction(*crossed(scores, row), claims, draws)


def footer(table: pd.DataFrame, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels: scale, n, what bands and intervals cover, the interaction."""
    subsets = table.loc[table["kind"] == "arm", "subsets"].iloc[0]
    cross, a, b = (by_name[f"fig10-{name}"] for name in ("crossed-interaction", "a-prefers-own", "b-prefers-own"))
    better = by_name["fig10-other-not-better"]["better_after_holm"]
    return [
        f"{curves.SCALES[row['scale']]}. {row['student']} (B) trained on samples of {row['models']['other t1.0']} (A) and, "
        f"dashed, on its own; {subsets} subsets. Lines: mean over subsets; bands: \u00b11 sd across them.",
        f"Crossed interaction at temperature 1, macro area: (A own - A on B's) + (B own - B on A's) = {a['estimate']:+.2f} "
        f"{b['estimate']:+.2f} = {figures.said(cross)}. Text quality drops out of this sum. Bounds cover {curves.COVER}.",
        f"Panels in which the other's text is better than B's own after Holm: {'; '.join(better) or 'none'}.",
        curves.MARKED,
    ]


def panel(axis: "Axes", by_name: dict[str, dict]) -> None:
    """The claims with their intervals."""
    curves.verdicts_panel(axis, by_name, SIGNS, "difference of areas, points")


def fig10(
    evaluations: Iterable[str],
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
    """Draw Figure 10 and judge its claims: paths of evaluations and claims.yaml in, the four files out.

    ``row`` has besides what every figure of curves has ``crossed``: a_on_a, a_on_b, b_on_b, b_on_a -> run.
    """
    scores = curves.read_scores(evaluations)

    def found_for(found, epochs, row, entries, draws):
        return findings(found, epochs, row, entries, draws, scores)

    curves.make(
        evaluations,
        claims,
        pdf,
        png,
        csv,
        judged,
        artifact="fig10",
        findings=found_for,
        panel=panel,
        footer=footer,
        look=LOOK,
        row=row,
        code=code,
        draws=draws,
    )


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig10(
            snakemake.input.scores,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
