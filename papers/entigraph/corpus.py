"""Table 1 and Figure 6 of arXiv 2409.07431: how much text comes of a document, by its entities; what each method's corpus is.

Reads the sizes of corpora (scripts/audits/sizes.py) with their cards, curation.json of each, and papers/entigraph/claims.yaml.
Makes corpus.pdf and corpus.png (tokens of a document's texts by its entities, lengths of texts, near-duplicates and amounts by
method), corpus.csv (every plotted number) and corpus.claims.json.

EntiGraph asks for a text on every pair of a document's entities, and then on triples, so that tokens should grow with the
square and the cube of the number of entities, if the length of a text does not depend on it. That is regressed over the
documents of which all pairs (or triples) were asked for; a budget stops a corpus before, and such documents are left out.
"""

import json
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.entigraph import points
from papers.entigraph.points import BAND
from scripts.lib import claims as claims_
from scripts.lib import figures
from scripts.lib.files import read_card

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COVER = "which documents; texts are counted, not sampled"
KINDS = {"pair": 2, "triple": 3}
NOTHING = 100.0  # on either side of an exponent of which nothing is known
LEAST = 3  # documents, with two numbers of entities among them, through which a line is drawn
# printed: documents, source tokens, tokens of the corpus (in million); the code's own comment counts more
PRINTED = {"documents": 265, "source": 1.3, "corpus": 455, "in the code": 599.4}
PART_LOOK = {
    "pair": {"color": figures.COLOURS["orange"], "marker": "s"},
    "triple": {"color": figures.COLOURS["blue"], "marker": "o"},
    "together": {"color": figures.COLOURS["black"], "marker": "D"},
}


def grown(sizes: pd.DataFrame) -> pd.DataFrame:
    """Tokens of each document by kind, where all subsets of its entities were asked for: part, document, entities, tokens.

    ``together`` is all of its texts, where all pairs and all triples were asked for. Pairs come first: without a triple nobody
    knows whether there were more, nor how many entities the document has.
    """
    lines = []
    for document, mine in sizes.groupby("document", sort=False):
        n, tokens = int(mine["entities"].iloc[0]), mine.groupby("kind")["tokens"].agg(["sum", "size"])
        if "triple" not in tokens.index:
            continue
        whole = [kind for kind, k in KINDS.items() if kind in tokens.index and tokens.loc[kind, "size"] == comb(n, k)]
        lines += [(kind, document, n, int(tokens.loc[kind, "sum"])) for kind in whole]
        if len(whole) == len(KINDS):
            lines.append(("together", document, n, int(mine["tokens"].sum())))
    return pd.DataFrame(lines, columns=["part", "document", "entities", "tokens"])


def exponent(entities: np.ndarray, tokens: np.ndarray, level: float) -> tuple[float, float, float]:
    """The slope of log tokens over log entities by least squares, with Student's t interval, ``level`` on either side.

    Nothing is known (NaN, and NOTHING on either side) of fewer than LEAST documents, or of equally many entities in all.
    """
    from scipy import stats

    if len(entities) < LEAST or len(set(entities)) < 2:
        return np.nan, -NOTHING, NOTHING
    line = stats.linregress(np.log(entities), np.log(tokens))
    half = stats.t.isf(level, len(entities) - 2) * line.stderr
    return float(line.slope), float(line.slope - half), float(line.slope + half)


def findings(documents: pd.DataFrame, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level."""
    asked = {"corpus-pairs": ("pair", 2.0), "corpus-triples": ("triple", 3.0), "corpus-growth": ("together", 2.5)}
    found = {}
    for name, (part, less) in asked.items():
        level, mine = claims[name]["level"], documents[documents["part"] == part]
        slope, low, high = exponent(mine["entities"].to_numpy(float), mine["tokens"].to_numpy(float), level)
        estimate = slope - less if np.isfinite(slope) else 0.0
        found[name] = {"estimate": estimate, "low": low - less, "high": high - less, "level": level, "documents": len(mine)}
    return found


def amounts(series: str, card: dict, curated: dict) -> dict:
    """One line on a corpus: texts, calls, tokens, how many times the source that is, and duplicates."""
    counts = card["counts"]
    calls = (counts["corpus"].get("calls") or {}).values()
    return {
        "series": series,
        "documents": counts["documents"],
        "source_tokens": counts["source_tokens"],
        "texts": curated["documents"]["synthesized"],
        "tokens": counts["texts_tokens"],
        "times_source": counts["texts_tokens"] / counts["source_tokens"],
        "calls": sum(one["calls"] for one in calls),
        "tokens_in": sum(one["tokens_in"] for one in calls),
        "tokens_out": sum(one["tokens_out"] for one in calls),
        "exact_duplicates": curated["documents"]["exact duplicate"],
        "near_duplicates": curated["near_duplicates"]["rate"],
        "contaminated": curated["documents"]["contaminated"],
    }


def lengths(series: str, tokens: np.ndarray, bins: np.ndarray) -> pd.DataFrame:
    """Share of a corpus' texts, in points, by their tokens: tokens is where a bin begins."""
    counts, edges = np.histogram(tokens, bins)
    return pd.DataFrame(
        {"series": series, "tokens": edges[:-1], "value": 100 * counts / max(len(tokens), 1), "texts": len(tokens)}
    )


def plotted(documents: pd.DataFrame, of: list[dict], texts: dict[str, np.ndarray]) -> pd.DataFrame:
    """Every number: panel growth (part, document, entities, tokens), slope (part, value, low, high at 95 %), length, amount."""
    parts = [documents.assign(panel="growth")]
    for part in (*KINDS, "together"):
        mine = documents[documents["part"] == part]
        value, low, high = exponent(mine["entities"].to_numpy(float), mine["tokens"].to_numpy(float), BAND)
        slope = {"panel": "slope", "part": part, "value": value, "low": low, "high": high, "documents": len(mine)}
        parts.append(pd.DataFrame([slope]))
    bins = np.linspace(0, max(float(np.quantile(tokens, 0.999)) for tokens in texts.values()), 41)
    parts += [lengths(series, tokens, bins).assign(panel="length") for series, tokens in texts.items()]
    parts.append(pd.DataFrame(of).assign(panel="amount"))
    found = pd.concat(parts, ignore_index=True)
    return found[["panel", *(column for column in found.columns if column != "panel")]]


def draw(table: pd.DataFrame, lines: list[str]) -> "Figure":
    """The figure: growth with entities, lengths of texts, near-duplicates and amounts by method; footer below."""
    by = {panel: part for panel, part in table.groupby("panel")}
    panels = [
        lambda axis: _growth(axis, by.get("growth", table[:0]), by["slope"]),
        lambda axis: _lengths(axis, by["length"]),
        lambda axis: _amounts(axis, by["amount"]),
    ]
    figure = points.sheet(panels, lines, unit="")
    places = [(0.075, 0.235), (0.375, 0.195), (0.705, 0.145)]
    for axis, (left, width) in zip(figure.axes, places, strict=True):
        box = axis.get_position()
        axis.set_position([left, box.y0, width, box.height])
    return figure


def _growth(axis: "Axes", table: pd.DataFrame, slopes: pd.DataFrame) -> None:
    for _, slope in slopes.iterrows():
        some, look = table[table["part"] == slope["part"]], PART_LOOK[slope["part"]]
        if some.empty:
            continue
        label = f"{slope['part']}{'s' if slope['part'] in KINDS else ''}"
        label += f", n^{slope['value']:.2f}" if np.isfinite(slope["value"]) else ""
        axis.scatter(some["entities"], some["tokens"], s=10, label=label, zorder=3, **look)
        if np.isfinite(slope["value"]):
            x = np.array([some["entities"].min(), some["entities"].max()], float)
            cut = np.log(some["tokens"]).mean() - slope["value"] * np.log(some["entities"]).mean()
            axis.plot(x, np.exp(cut + slope["value"] * np.log(x)), color=look["color"], linewidth=0.9)
    axis.set_xscale("log")
    axis.set_yscale("log")
    ticks = sorted(set(table["entities"].astype(int)))
    if ticks:
        shown = ticks if len(ticks) < 7 else [ticks[0], ticks[len(ticks) // 2], ticks[-1]]
        axis.set_xticks(shown, [str(tick) for tick in shown])
        axis.set_xticks([], minor=True)
        axis.set_xlim(ticks[0] / 1.08, ticks[-1] * 1.08)
    axis.set_xlabel("entities of a document", labelpad=1)
    axis.set_ylabel("tokens of its texts", labelpad=1)
    axis.set_title("growth", fontweight="bold", pad=11)
    figures.under_title(axis, f"{table['document'].nunique()} documents, all asked for")


def _lengths(axis: "Axes", table: pd.DataFrame) -> None:
    for series, some in table.groupby("series", sort=False):
        look = {key: points.LOOK.get(series, {}).get(key, default) for key, default in (("color", "black"), ("linestyle", "-"))}
        axis.step(some["tokens"], some["value"], where="post", linewidth=1.0, label=points.WORDS.get(series, series), **look)
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("tokens of a text", labelpad=1)
    axis.set_ylabel("% of texts", labelpad=1)
    axis.set_title("lengths", fontweight="bold", pad=11)
    figures.under_title(axis, "in the student's tokenizer")


def _amounts(axis: "Axes", table: pd.DataFrame) -> None:
    y = np.arange(len(table))[::-1]
    values = 100 * table["near_duplicates"].astype(float).to_numpy()
    axis.barh(y, values, color=figures.GREY, height=0.55)
    most = max(values.max(), 1.0)
    for at, value, (_, one) in zip(y, values, table.iterrows(), strict=True):
        said = f"{value:.1f} %; {points.short(one['tokens'])}, {one['times_source']:.0f}\u00d7"
        axis.annotate(said, (value, at), (3, 0), textcoords="offset points", va="center", fontsize=7, annotation_clip=False)
    axis.set_yticks(y, [points.WORDS.get(series, series).replace(" and ", "\nand ") for series in table["series"]])
    axis.set_ylim(-0.6, len(table) - 0.4)
    axis.set_xlim(0, 1.6 * most)
    axis.set_xlabel("near-duplicates, % of texts", labelpad=1)
    axis.set_title("the corpora", fontweight="bold", pad=11)
    figures.under_title(axis, "rate; tokens, times the source")


def footer(judged: list[dict], of: list[dict], row: dict) -> list[str]:
    """The lines under the panels: what was counted, exponents, calls of each method, what is printed."""
    by_name = {entry["claim"]: entry for entry in judged}
    words = {
        "corpus-pairs": "Exponent of pairs, less 2",
        "corpus-triples": "of triples, less 3",
        "corpus-growth": "of all, less 2.5",
    }
    said = []
    for name, how in words.items():
        entry = by_name[name]
        known = entry["high"] - entry["low"] < 2 * NOTHING
        said.append(points.said(entry, how, "") if known else f"{how}: too few documents to tell.")
    calls = "; ".join(
        f"{points.WORDS.get(one['series'], one['series'])} {one['texts']:,} texts, {one['calls']:,} calls "
        f"({points.short(one['tokens_in'])} tokens in, {points.short(one['tokens_out'])} out)"
        for one in of
    )
    return [
        f"{figures.SCALES[row['scale']]}. " + " ".join(said),
        f"{calls}.",
        f"Printed: {PRINTED['documents']} documents of {PRINTED['source']:g}M tokens, a corpus of {PRINTED['corpus']}M "
        f"(350\u00d7); a comment in the published code counts {PRINTED['in the code']:g}M.",
    ]


def corpus(
    growth: str,
    sizes: list[str],
    curated: list[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    code: str,
) -> None:
    """Draw and judge: sizes of the corpora, their curation.json and claims.yaml in, the four files out.

    ``growth`` is of the corpus whose documents have different numbers of entities; ``sizes`` and ``curated`` are in the order
    of ``row["corpora"]`` (series -> corpus).
    """
    entries = claims_.read_claims(claims, "corpus")
    documents = grown(pd.read_parquet(growth))
    of, texts = [], {}
    for series, size, report in zip(row["corpora"], sizes, curated, strict=True):
        of.append(amounts(series, read_card(size), json.loads(Path(report).read_text(encoding="utf-8"))))
        texts[series] = pd.read_parquet(size, columns=["tokens"])["tokens"].to_numpy()
    verdicts = claims_.judge(entries, findings(documents, entries), row["scale"])
    table = plotted(documents, of, texts)
    about = {"artifact": "corpus", "code": code, "cover": COVER, "n": f"{documents['document'].nunique()} documents"}
    figures.publish(draw(table, footer(verdicts, of, row)), table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        corpus(
            snakemake.input.growth[0],
            list(snakemake.input.sizes),
            list(snakemake.input.curated),
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
