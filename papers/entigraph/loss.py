"""Loss on real text against accuracy: whether synthetic text teaches more while the loss on real text gets worse.

Reads the evaluations of every run, the books of the suite's questions, losses on held-out text and the claims of claims.yaml.
Makes loss.pdf and loss.png (change in accuracy against change in loss, a panel for each held-out text), loss.csv (every plotted
number) and loss.claims.json.

MGA (arXiv 2502.04235) reports that validation loss on real text is worse, and benchmarks better, than after training on real
text alone. ``real`` in the row is the held-out text that is judged: of the kind that the synthetic text was written from.
"""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from papers.entigraph import points
from papers.entigraph.points import DRAWS, JUDGED, Drawn, Table
from scripts.lib import claims as claims_
from scripts.lib import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MGA, RAW = "mga", "raw"
COVER = (
    "which books are asked about, which held-out documents are read, and training seeds (drawn apart for loss and accuracy); "
    "not generation or pretraining seeds, and not which arms there are"
)


def findings(accuracy: Drawn, real: Drawn, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction; ``real`` is the loss on held-out real text, of the same cells."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    tokens = points.common(accuracy, MGA, RAW)[-1]
    changes = [(one.estimate - one.base, one.draws - one.base_draws[:, None]) for one in (real, accuracy)]
    together = float(points.correlation(changes[0][0], changes[1][0])), points.correlation(changes[0][1], changes[1][1])
    asked = {
        "loss-together": together,
        "loss-mga-worse": points.minus(real.at(MGA, tokens), real.at(RAW, tokens)),
        "loss-mga-better": points.minus(accuracy.at(MGA, tokens), accuracy.at(RAW, tokens)),
    }
    return {name: points.found(value, level[name], points=len(accuracy.cells)) for name, value in asked.items()}


def footer(table: Table, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels."""
    number, real = by_name["loss-together"]["points"], points.text_of(row["real"])
    said = [
        points.said(by_name["loss-together"], f"Correlation with the loss on {real}", f"over {number} points"),
        points.said(by_name["loss-mga-worse"], f"MGA less raw: loss on {real}", "bits per byte"),
        points.said(by_name["loss-mga-better"], "In accuracy"),
    ]
    marks = "Lines join an arm's sizes; larger marks: more tokens."
    return [f"{points.opening(row, table)} {points.judged_of(row)} {marks}", " ".join(said)]


def both_panel(axis: "Axes", table: pd.DataFrame, task: str) -> None:
    """Change in accuracy against change in one loss, a cell a point with bars of 95 %; an arm's sizes are joined."""
    for series, mine in table.groupby("series", sort=False):
        look = points.LOOK.get(series, {})
        ordered = mine.sort_values("tokens")
        if len(ordered) > 1:
            axis.plot(
                ordered["loss"], ordered["change"], color=look.get("color"), linestyle=look.get("linestyle"), linewidth=0.7
            )
        for i, (_, one) in enumerate(ordered[::-1].iterrows()):
            across = [[one["loss"] - one["loss_low"]], [one["loss_high"] - one["loss"]]]
            bars = [[one["change"] - one["change_low"]], [one["change_high"] - one["change"]]]
            mark = {**look, "linestyle": "none", "markersize": 2 + 2.5 * one["ratio"] ** 0.3}
            label = points.WORDS.get(series, series) if i == 0 else None
            axis.errorbar([one["loss"]], [one["change"]], bars, across, elinewidth=0.5, label=label, **mark)
    for line in (axis.axhline, axis.axvline):
        line(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    axis.set_xlabel("change in loss, bits per byte", labelpad=1)
    axis.set_title(f"loss on {points.text_of(task)}", fontweight="bold", pad=11)
    figures.under_title(axis, f"{mine['loss_documents'].iloc[0]:,.0f} documents")


def loss(
    scores: Iterable[str],
    losses: Iterable[str],
    suites: Iterable[str],
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
    """Draw and judge: evaluations, losses, folders of suites and claims.yaml in, the four files out."""
    lines, books = points.read(scores, points.SCORES), points.read_books(suites)
    lost, tasks = points.read(losses, points.LOSSES), points.primary(row)
    one = points.accuracies(lines, books, row, tasks)
    accuracy = points.bootstrap(one, draws, "loss")
    right = points.lines_of(accuracy, one, JUDGED, row=row, unit="%", chance=points.chance_of(row, tasks))
    tables, panels, drawn = [], [], {}
    for task in [row["real"], *(each for each in dict.fromkeys(lost["task"]) if each != row["real"])]:
        text = points.bits_per_byte(lost, row, task)
        drawn[task] = points.bootstrap(text, draws, f"held-out {task}")
        of = points.lines_of(drawn[task], text, task, row=row, unit="bits per byte")
        new = {"change": "loss", "change_low": "loss_low", "change_high": "loss_high", "documents": "loss_documents"}
        columns = of[["series", "tokens", "value", *new]].rename(columns={"value": "loss_value", **new})
        tables.append(right.merge(columns, on=["series", "tokens"]).assign(panel=f"loss on {task}"))
        panels.append(partial(both_panel, table=tables[-1][tables[-1]["series"] != "base"], task=task))
    entries = claims_.read_claims(claims, "loss")
    verdicts = claims_.judge(entries, findings(accuracy, drawn[row["real"]], entries), row["scale"])
    said = footer(one, {entry["claim"]: entry for entry in verdicts}, row)
    figure = points.sheet(panels, said, unit="change in accuracy, points")
    about = {"artifact": "loss", "code": code, "cover": COVER, "draws": draws}
    figures.publish(figure, pd.concat(tables, ignore_index=True), verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        loss(
            snakemake.input.scores,
            snakemake.input.losses,
            snakemake.input.suites,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
