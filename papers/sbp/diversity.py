"""Whether a synthesizer writes different texts after one document (arXiv 2509.15248): k samples a d1 at temperatures 1 and 0.3.

Reads how alike the samples after each document are (scripts.audits.likeness) and papers/sbp/claims.yaml. Makes diversity.pdf
and diversity.png (similarity and distinct n-grams by temperature, and document by document), diversity.csv (every plotted
number) and diversity.claims.json. Both corpora are drawn after the same documents, which intervals resample.
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
    from matplotlib.figure import Figure

COVER = "documents that are written after; not tuning seeds"
MEASURES = {"alike": "similarity of two samples", "distinct": "distinct 5-grams"}
COLOURS = (figures.COLOURS["blue"], figures.COLOURS["orange"], figures.COLOURS["vermilion"])


def paired(tables: dict[str, pd.DataFrame]) -> tuple[np.ndarray, dict[str, int]]:
    """(documents, temperatures, measures) of the documents that all temperatures have, and how many samples each had at most.

    Raises:
        ValueError: where they share none.
    """
    by_parent = {name: table.set_index("parent") for name, table in tables.items()}
    common = sorted(set.intersection(*(set(table.index) for table in by_parent.values())))
    if not common:
        raise ValueError(f"{', '.join(tables)}: no document has samples in all; expected corpora of one seed")
    values = np.stack([table.loc[common, list(MEASURES)].to_numpy(float) for table in by_parent.values()], axis=1)
    return values, {name: int(table.loc[common, "samples"].max()) for name, table in by_parent.items()}


def findings(estimate: np.ndarray, drawn: np.ndarray, names: list[str], claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction, from means (temperatures, measures) and draws of them."""
    warm, cool = names.index("1.0"), names.index("0.3")
    alike, distinct = range(len(MEASURES))
    asked = {"diversity-similarity": (cool, warm, alike), "diversity-distinct": (warm, cool, distinct)}
    out = {}
    for name, (more, less, measure) in asked.items():
        value, draws = estimate[more, measure] - estimate[less, measure], drawn[:, more, measure] - drawn[:, less, measure]
        out[name] = arms_.bounds(value, draws, claims[name]["level"])
    return out


def plotted(values: np.ndarray, estimate: np.ndarray, drawn: np.ndarray, samples: dict[str, int]) -> pd.DataFrame:
    """Every plotted number: panel mean, and share: of documents whose measure is at most x."""
    lines = []
    for i, (name, number) in enumerate(samples.items()):
        for j, measure in enumerate(MEASURES):
            base = {"temperature": name, "measure": measure, "samples": number}
            lines.append({"panel": "mean", **base, **arms_.bounds(estimate[i, j], drawn[:, i, j], LEVEL)})
            for share in np.linspace(0, 1, 51):
                line = {"panel": "share", **base, "x": float(np.quantile(values[:, i, j], share)), "estimate": share}
                lines.append(line)
    table = pd.DataFrame(lines).rename(columns={"estimate": "y"}).assign(n=len(values))
    return table[["panel", "temperature", "measure", "x", "y", "low", "high", "samples", "n"]]


def draw(table: pd.DataFrame, judged: list[dict], row: dict) -> "Figure":
    """A panel a measure: how documents are distributed at each temperature, the means above; footer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in footer(judged, row) for line in textwrap.wrap(part, 131)]
    height = 2.75 + 0.137 * len(lines)
    n, samples = int(table["n"].iloc[0]), int(table["samples"].max())
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))
        places = ((0.55, 2.7), (4.0, 2.7))  # inches: left edge and width
        axes = [figure.add_axes((x / figures.WIDTH, 1 - 2.05 / height, w / figures.WIDTH, 1.65 / height)) for x, w in places]
        for axis, (measure, label) in zip(axes, MEASURES.items(), strict=True):
            for i, (name, part) in enumerate(table[table["measure"] == measure].groupby("temperature", sort=False)):
                curve, mean = part[part["panel"] == "share"], part[part["panel"] == "mean"].iloc[0]
                axis.plot(
                    100 * curve["x"],
                    100 * curve["y"],
                    color=COLOURS[i],
                    label=f"temperature {name}",
                    linestyle=("-", (0, (4, 1.6)))[i % 2],
                    marker="o^s"[i],
                    markevery=[len(curve) // 2],
                )
                ends = [[100 * (mean["y"] - mean["low"])], [100 * (mean["high"] - mean["y"])]]
                axis.errorbar(
                    100 * mean["y"], 106 + 7 * i, xerr=ends, color=COLOURS[i], fmt="o^s"[i], markersize=4.5, capsize=2
                )
            axis.set_ylim(0, 119)
            axis.set_yticks(range(0, 101, 25))
            axis.set_title(label, fontweight="bold", pad=11)
            figures.under_title(axis, f"n {n:,} documents, {samples} samples each; top: means")
            axis.set_ylabel("% of documents with at most this", labelpad=1)
        axes[0].set_xlabel("Jaccard similarity of word 5-grams of two samples, mean, %", labelpad=1)
        axes[1].set_xlabel("different word 5-grams over all of the samples', %", labelpad=1)
        handles, labels = axes[0].get_legend_handles_labels()
        place = {"loc": "upper left", "bbox_to_anchor": (0.006, 1 - 2.36 / height)}
        figure.legend(handles, labels, ncols=len(handles), frameon=False, handlelength=3.0, columnspacing=1.6, **place)
        figures.footer(figure, lines)
    return figure


def footer(judged: list[dict], row: dict) -> list[str]:
    """The lines under the panels: verdicts, what intervals cover."""
    by_name = {entry["claim"]: entry for entry in judged}
    return [
        f"{figures.SCALES[row['scale']]}. The same documents at both temperatures. 90 % intervals.",
        f"Similarity at temperature 0.3 less that at 1: {arms_.said(by_name['diversity-similarity'], 3)}; distinct 5-grams "
        f"at 1 less those at 0.3: {arms_.said(by_name['diversity-distinct'], 3)}. Bounds cover {COVER}.",
    ]


def diversity(
    tables: list[str],
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
    """Draw and judge: tables in the order of the row's corpora (temperature -> corpus), claims.yaml in, the four files out."""
    read = {name: pd.read_parquet(path) for name, path in zip(row["corpora"], tables, strict=True)}
    values, samples = paired(read)
    estimate, drawn = arms_.drawn([values[..., None]], row["name"], draws)
    entries = claims_.read_claims(claims, "diversity")
    verdicts = claims_.judge(entries, findings(estimate, drawn, list(read), entries), row["scale"])
    numbers = plotted(values, estimate, drawn, samples)
    about = {"artifact": "diversity", "code": code, "cover": COVER, "n": f"{len(values)} documents"}
    figures.publish(draw(numbers, verdicts, row), numbers, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        diversity(
            snakemake.input.tables,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
