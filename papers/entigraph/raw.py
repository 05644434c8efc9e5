"""Continued pretraining on the books themselves, and replay: what it does to accuracy and to loss on other text.

Reads the evaluations of every run, the books of the suite's questions, losses on held-out text and the claims of claims.yaml.
Makes raw.pdf and raw.png (a panel for each held-out text, one for the accuracy that is judged, one for each task), raw.csv
(every plotted number) and raw.claims.json.

The arms are shares of replay: the share of training blocks that are other text, put in the place of the books'. All arms take
as many steps. The paper names 0.1 and says that it protects what the model knew, but not of how much.
"""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.entigraph import points
from papers.entigraph.points import DRAWS, JUDGED, Drawn, Table
from scripts.lib import claims as claims_
from scripts.lib import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NONE, PUBLISHED, MORE = "0", "0.1", "0.3"  # shares of replay
COVER = "which books are asked about, which held-out documents are read, and training seeds; not pretraining seeds"


def findings(accuracy: Drawn, generic: Drawn, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction; ``generic`` is the loss on held-out text of other kinds."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    raw = accuracy.change(PUBLISHED)
    asked = {
        "raw-below-base": raw,
        "raw-published": raw,
        "raw-forgets": generic.change(NONE),
        "raw-replay-protects": points.minus(generic.at(NONE), generic.at(PUBLISHED)),
        "raw-replay-more": points.minus(generic.at(PUBLISHED), generic.at(MORE)),
        "raw-replay-accuracy": points.minus(accuracy.at(PUBLISHED), accuracy.at(NONE)),
    }
    return {name: points.found(value, level[name]) for name, value in asked.items()}


def footer(accuracy: Table, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels."""
    tokens, seeds = accuracy.cells[0][1], accuracy.values.shape[2]
    bits = "bits per byte"
    said = [
        points.said(by_name["raw-below-base"], f"Accuracy with replay {PUBLISHED} less base"),
        points.said(by_name["raw-forgets"], "Loss on generic text without replay less base", bits),
        points.said(by_name["raw-replay-protects"], f"Without replay less {PUBLISHED}", bits),
        points.said(by_name["raw-replay-more"], f"{PUBLISHED} less {MORE}", bits),
        points.said(by_name["raw-replay-accuracy"], f"Accuracy with replay {PUBLISHED} less without"),
    ]
    opening = (
        f"{figures.SCALES[row['scale']]}. {row['student']} trained further on the books themselves, {points.short(tokens)} "
        f"tokens each epoch, of which replay takes the place of a share; {seeds} training seed{'s' if seeds > 1 else ''} a "
        "point, after the last epoch. Bars and grey bands: 95 %, books or documents, and seeds, resampled."
    )
    return [f"{opening} {points.judged_of(row)}", " ".join(said)]


def share_panel(axis: "Axes", table: pd.DataFrame, title: str, quantity: str, unit: str) -> None:
    """One quantity over the share of replay, with bars of 95 %; the base across."""
    low, high = ("low", "high") if quantity == "value" else (f"{quantity}_low", f"{quantity}_high")
    base, rest = table[table["series"] == "base"].iloc[0], table[table["series"] != "base"]
    x = rest["series"].astype(float).to_numpy()
    bars = np.abs(rest[[low, high]].to_numpy().T - rest[quantity].to_numpy())
    axis.errorbar(x, rest[quantity], bars, elinewidth=0.8, **points.LOOK["raw"])
    axis.axhspan(base[low], base[high], color="#dddddd", linewidth=0, zorder=-1)
    axis.axhline(base[quantity], color=figures.INK, linestyle=(0, (6, 2)), linewidth=0.8, zorder=0, label="base")
    if quantity == "value" and np.isfinite(base["chance"]):
        axis.axhline(base["chance"], color="#999999", linestyle=(0, (1, 1.5)), linewidth=0.8, zorder=0, label="chance")
    axis.set_xticks(x, rest["series"])
    axis.set_xlim(-0.12 * x.max(), 1.12 * x.max())
    axis.set_xlabel("share of replay", labelpad=1)
    axis.set_ylabel(unit, labelpad=2)
    axis.set_title(title, fontweight="bold", pad=11)
    figures.under_title(axis, points.counted(base))


def raw(
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
    lost = points.read(losses, points.LOSSES)
    tables, panels, drawn, main = [], [], {}, None
    texts = [row["generic"], *(task for task in dict.fromkeys(lost["task"]) if task != row["generic"])]
    for task in texts:
        one = points.bits_per_byte(lost, row, task)
        drawn[task] = points.bootstrap(one, draws, f"held-out {task}")
        tables.append(points.lines_of(drawn[task], one, f"loss on {task}", row=row, unit="bits per byte"))
        about = {"title": f"loss on {points.text_of(task)}", "quantity": "change", "unit": "change, bits/byte"}
        panels.append(partial(share_panel, table=tables[-1], **about))
    for panel, tasks in points.panels_of(row).items():
        one = points.accuracies(lines, books, row, tasks)
        main = main or one
        drawn[panel] = points.bootstrap(one, draws, "raw")
        tables.append(points.lines_of(drawn[panel], one, panel, row=row, unit="%", chance=points.chance_of(row, tasks)))
        about = {"title": points.title_of(row, panel), "quantity": "value", "unit": "accuracy, %"}
        panels.append(partial(share_panel, table=tables[-1], **about))
    entries = claims_.read_claims(claims, "raw")
    verdicts = claims_.judge(entries, findings(drawn[JUDGED], drawn[row["generic"]], entries), row["scale"])
    by_name = {entry["claim"]: entry for entry in verdicts}
    figure = points.sheet(panels, footer(main, by_name, row), unit="")
    about = {"artifact": "raw", "code": code, "cover": COVER, "draws": draws}
    figures.publish(figure, pd.concat(tables, ignore_index=True), verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        raw(
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
