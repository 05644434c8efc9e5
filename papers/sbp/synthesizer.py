"""Whether SBP's synthesizer (arXiv 2509.15248) writes after what it is given: log p(d2 | d1) for the true d1 and another.

Reads conditional likelihoods of held-out pairs (scripts.audits.conditional) under the untuned base, the synthesizer, and one
tuned on random pairs, the held-out pairs themselves, and papers/sbp/claims.yaml. Makes synthesizer.pdf and synthesizer.png
(what the true d1 is worth to each model; its distribution over documents), synthesizer.csv (every plotted number) and
synthesizer.claims.json. The paper implies that it does; the model tuned on random pairs is a reviewer's control.

A document d2 is held out from tuning with all its pairs, and counts once: its pairs are averaged, so that intervals resample
documents. The base has read all of them in pretraining, before tuning; what is held out is that d1 tells of them.
"""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.sbp import arms as arms_
from papers.sbp.arms import LEVEL
from scripts.lib import claims as claims_
from scripts.lib import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COVER = "held-out documents; not tuning seeds"
MODELS = {
    "untuned": {"label": "untuned base", "color": figures.COLOURS["black"], "linestyle": (0, (4, 1.6)), "marker": "o"},
    "random": {
        "label": "tuned on random pairs",
        "color": figures.COLOURS["vermilion"],
        "linestyle": (0, (1, 1)),
        "marker": "v",
    },
    "tuned": {"label": "synthesizer", "color": figures.COLOURS["orange"], "linestyle": "-", "marker": "^"},
}
PREFIXES = {"nll": "after its d1", "nll_other": "after another d1", "nll_alone": "alone"}


def by_document(tables: dict[str, pd.DataFrame], held_out: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Model -> nats a token of each held-out document d2 after its own d1s (nll), other ones and alone: means over its pairs.

    Args:
        tables: model -> what scripts.audits.conditional found of it.
        held_out: id and parent_ids (d1, d2) of the pairs.

    Raises:
        ValueError: naming the model that was asked about other pairs than the first.
    """
    d2 = held_out.set_index("id")["parent_ids"].map(lambda parents: parents[1])
    found, pairs = {}, None
    for name, table in tables.items():
        ids = sorted(table["id"])
        pairs = ids if pairs is None else pairs
        if ids != pairs or not set(ids) <= set(d2.index):
            raise ValueError(f"{name}: was asked about other pairs than the first model, or than those held out")
        found[name] = table.assign(d2=table["id"].map(d2)).groupby("d2")[list(PREFIXES)].mean().sort_index()
    return found


def worth(found: dict[str, pd.DataFrame]) -> np.ndarray:
    """What the true d1 is worth against another, nats a token of d2: (documents, models)."""
    return np.stack([(one["nll_other"] - one["nll"]).to_numpy() for one in found.values()], axis=1)


def findings(values: np.ndarray, models: list[str], claims: dict[str, dict], name: str, draws: int) -> dict[str, dict]:
    """What was found for each claim with a direction, from ``worth``."""
    estimate, drawn = arms_.drawn([values[:, :, None, None]], name, draws)
    mean, each = estimate[:, 0], drawn[:, :, 0]
    at = {model: models.index(model) for model in MODELS}
    out = {"synthesizer-conditional": (mean[at["tuned"]], each[:, at["tuned"]])}
    for claim, other in (("synthesizer-tuning", "untuned"), ("synthesizer-related", "random")):
        out[claim] = mean[at["tuned"]] - mean[at[other]], each[:, at["tuned"]] - each[:, at[other]]
    return {claim: arms_.bounds(*one, claims[claim]["level"]) for claim, one in out.items()}


def plotted(found: dict[str, pd.DataFrame], name: str, draws: int) -> pd.DataFrame:
    """Every plotted number: panel loss (by what d2 is read after), worth (mean), share (of documents with worth at most x)."""
    lines = []
    for quantity in (*PREFIXES, "worth"):
        frames = [one["nll_other"] - one["nll"] if quantity == "worth" else one[quantity] for one in found.values()]
        estimate, drawn = arms_.drawn([np.stack(frames, axis=1)[:, :, None, None]], name, draws)
        for i, model in enumerate(found):
            panel = "worth" if quantity == "worth" else "loss"
            one = arms_.bounds(estimate[i, 0], drawn[:, i, 0], LEVEL)
            lines.append({"panel": panel, "model": model, "quantity": quantity, **one})
    values = worth(found)
    for i, model in enumerate(found):
        for share in np.linspace(0, 1, 101):
            line = {"panel": "share", "model": model, "quantity": "worth", "x": float(np.quantile(values[:, i], share))}
            lines.append({**line, "estimate": share})
    table = pd.DataFrame(lines).rename(columns={"estimate": "y"}).assign(n=len(values))
    return table[["panel", "model", "quantity", "x", "y", "low", "high", "n"]]


# --- the figure -------------------------------------------------------------------------------------------------------------


def draw(table: pd.DataFrame, judged: list[dict], row: dict, pairs: int) -> "Figure":
    """Losses by what is read before, the worth of the true d1, its distribution; legend and footer below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in footer(judged, row, pairs) for line in textwrap.wrap(part, 131)]
    height = 2.85 + 0.137 * len(lines)
    n = int(table["n"].iloc[0])
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))
        places = ((0.95, 1.5), (3.0, 1.4), (5.05, 1.8))  # inches: left edge and width
        axes = [figure.add_axes((x / figures.WIDTH, 1 - 2.1 / height, w / figures.WIDTH, 1.7 / height)) for x, w in places]
        _losses(axes[0], table[table["panel"] == "loss"])
        axes[0].set_title("loss of d2", fontweight="bold", pad=11)
        axes[0].set_xlabel("nats a token (left is better)", labelpad=1)
        part = table[table["panel"] == "worth"].set_index("model")
        for place, model in enumerate(MODELS):
            line, look = part.loc[model], MODELS[model]
            ends = [[line["y"] - line["low"]], [line["high"] - line["y"]]]
            axes[1].errorbar(line["y"], -place, xerr=ends, color=look["color"], fmt=look["marker"], markersize=4.5, capsize=2)
        axes[1].axvline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
        axes[1].set_yticks([])
        axes[1].locator_params(axis="x", nbins=4)
        axes[1].spines["left"].set_visible(False)
        axes[1].set_ylim(0.6 - len(MODELS), 0.6)
        axes[1].set_title("what the true d1 is worth", fontweight="bold", pad=11)
        axes[1].set_xlabel("log p(d2 | d1) less that after\nanother d1, nats a token", labelpad=1)
        for model, look in MODELS.items():
            one = table[(table["panel"] == "share") & (table["model"] == model)]
            axes[2].plot(one["x"], 100 * one["y"], markevery=[len(one) // 2], **look)
        axes[2].axvline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
        axes[2].set_title("by document", fontweight="bold", pad=11)
        axes[2].set_xlabel("worth of the true d1, nats a token", labelpad=1)
        axes[2].set_ylabel("% of documents with at most this", labelpad=1)
        axes[2].set_ylim(0, 100)
        for axis in axes[:2]:
            figures.under_title(axis, f"90 % intervals, n {n:,} documents")
        figures.under_title(axes[2], f"n {n:,} documents")
        handles, labels = axes[2].get_legend_handles_labels()
        place = {"loc": "upper left", "bbox_to_anchor": (0.006, 1 - 2.53 / height)}
        figure.legend(handles, labels, ncols=len(handles), frameon=False, handlelength=3.0, columnspacing=1.6, **place)
        figures.footer(figure, lines)
    return figure


def _losses(axis: "Axes", table: pd.DataFrame) -> None:
    """Loss of d2 after its d1, after another and alone; a group of rows each."""
    ticks = {}
    for group, (quantity, label) in enumerate(PREFIXES.items()):
        for i, (model, look) in enumerate(MODELS.items()):
            line = table[(table["quantity"] == quantity) & (table["model"] == model)].iloc[0]
            ends = [[line["y"] - line["low"]], [line["high"] - line["y"]]]
            y = -(group * (len(MODELS) + 1) + i)
            axis.errorbar(line["y"], y, xerr=ends, color=look["color"], fmt=look["marker"], markersize=4.5, capsize=2)
        ticks[-(group * (len(MODELS) + 1) + 1)] = label
    axis.set_yticks(list(ticks), ticks.values())
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.locator_params(axis="x", nbins=5)
    axis.margins(x=0.08)


def footer(judged: list[dict], row: dict, pairs: int) -> list[str]:
    """The lines under the panels: verdicts, what intervals cover."""
    by_name = {entry["claim"]: entry for entry in judged}

    def said(name: str) -> str:
        return arms_.said(by_name[name], 3)

    return [
        f"{figures.SCALES[row['scale']]}. {pairs:,} pairs whose d2 was held out from tuning; a document's pairs are "
        "averaged. All read the same tokens of d2.",
        f"Worth of the true d1, nats a token: {said('synthesizer-conditional')}; more than to the untuned base "
        f"{said('synthesizer-tuning')}; more than to one tuned on random pairs {said('synthesizer-related')}.",
        f"Bounds cover {COVER}. It learns what pairs share: {by_name['synthesizer-valid']['verdict'].upper()}.",
    ]


def synthesizer(
    tables: list[str],
    held_out: str,
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    code: str,
    draws: int = arms_.DRAWS,
) -> None:
    """Draw and judge: tables in the order of the row's models, the held-out pairs and claims.yaml in, the four files out."""
    named = dict(zip(row["models"], tables, strict=True))
    read = {model: pd.read_parquet(named[model]) for model in MODELS}
    found = by_document(read, pd.read_parquet(held_out, columns=["id", "parent_ids"]))
    values, pairs = worth(found), len(read["tuned"])
    entries = claims_.read_claims(claims, "synthesizer")
    verdicts = claims_.judge(entries, findings(values, list(found), entries, row["name"], draws), row["scale"])
    numbers = plotted(found, row["name"], draws)
    about = {"artifact": "synthesizer", "code": code, "cover": COVER, "n": f"{len(values)} documents in {pairs} pairs"}
    figures.publish(draw(numbers, verdicts, row, pairs), numbers, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        synthesizer(
            snakemake.input.tables,
            snakemake.input.held_out,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
