"""Figures 3 and 8 of arXiv 2409.07431: what models say of a book from its title alone, true and false, by requested length.

Reads the judged texts of the runs (scripts/evaluation/book_claims.py: one line a book, length and metric; epoch 0 is the base)
and papers/entigraph/claims.yaml. Makes salient.pdf and salient.png (salient against false claims, and either by length),
salient.csv (every plotted number) and salient.claims.json.

In the paper a language model splits summaries into claims and labels them; here a fact table does, so that counts are exact. A
requested length is a number of sentences: a text is judged up to there, and one that has ended before as it is. The paper's
comparison at equal salient claims is made by the share of false claims among false and salient ones, which needs no
interpolation between lengths.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.entigraph import points
from papers.entigraph.points import BAND, COVER, DRAWS, Drawn, Table
from scripts.evaluation.book_claims import TASK
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENTIGRAPH, REPHRASE, RAW, BASE = "entigraph", "rephrase", "raw", "base"
METRICS = ("salient", "false", "true", "salient_facts")
Counts = dict[tuple[int, str], Drawn]  # (sentences, metric) -> counts a text


def counts_of(scores: pd.DataFrame, row: dict, sentences: int, metric: str) -> Table:
    """Counts a text of all cells and of the base, by book.

    Raises:
        ValueError: naming figure, length and run for what is missing or does not fit.
    """
    mine = scores[(scores["task"] == TASK) & (scores["filter"] == f"first-{sentences}") & (scores["metric"] == metric)]
    cube, base, items = points.cubes(mine, row, "score", f"{row['name']}: first {sentences} sentences, {metric}")
    return Table(list(points.cells_of(row)), cube, base, {"books": len(items)})


def lengths(scores: pd.DataFrame) -> list[int]:
    """The numbers of sentences at which texts were judged, rising."""
    return sorted(int(name.removeprefix("first-")) for name in scores["filter"].unique())


def counts(scores: pd.DataFrame, row: dict, draws: int = DRAWS) -> Counts:
    """All counts, with draws that are common to lengths and metrics: the same books and seeds are drawn for each."""
    return {
        (n, metric): points.bootstrap(counts_of(scores, row, n, metric), draws, row["name"])
        for n in lengths(scores)
        for metric in METRICS
    }


def of(given: Counts, sentences: int, metric: str, series: str) -> tuple[float, np.ndarray]:
    """Claims a text of a series at its most tokens, or of the base, and draws."""
    drawn = given[sentences, metric]
    return (drawn.base, drawn.base_draws) if series == BASE else drawn.at(series)


def false_share(given: Counts, sentences: int, series: str) -> tuple[float, np.ndarray]:
    """False claims among false and salient ones, and draws; 1 where nothing is claimed, since nothing salient is."""
    (false, more_false), (salient, more_salient) = (of(given, sentences, metric, series) for metric in ("false", "salient"))
    false, salient = np.append(more_false, false), np.append(more_salient, salient)
    share = np.where(false + salient > 1e-12, false / np.maximum(false + salient, 1e-12), 1.0)
    return float(share[-1]), share[:-1]


def findings(given: Counts, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level; all at the greatest length."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    last = max(sentences for sentences, _ in given)

    def less(metric: str, one: str, other: str) -> tuple[float, np.ndarray]:
        return points.minus(of(given, last, metric, one), of(given, last, metric, other))

    shares = {series: false_share(given, last, series) for series in (ENTIGRAPH, REPHRASE, RAW)}
    asked = {
        "salient-gain": less("salient", ENTIGRAPH, BASE),
        "salient-few-false": less("false", ENTIGRAPH, RAW),
        "salient-fewer-false-than-rephrase": less("false", ENTIGRAPH, REPHRASE),
        "salient-purer-than-raw": points.minus(shares[ENTIGRAPH], shares[RAW]),
        "salient-purer-than-rephrase": points.minus(shares[ENTIGRAPH], shares[REPHRASE]),
    }
    return {name: points.found(value, level[name]) for name, value in asked.items()}


def plotted(given: Counts, row: dict, books: int) -> pd.DataFrame:
    """Every number: series, runs, tokens (millions), sentences, metric, value, low, high (95 %), books, seeds.

    Metrics are claims a text, false_share, and salient_facts, how many there are to tell.
    """
    runs, lines = points.cells_of(row), []
    for series in (BASE, *dict.fromkeys(series for series, _ in runs)):
        tokens = 0 if series == BASE else max(tokens for name, tokens in runs if name == series)
        names = runs.get((series, tokens), [])
        for n in sorted({sentences for sentences, _ in given}):
            found = {metric: of(given, n, metric, series) for metric in METRICS}
            found["false_share"] = false_share(given, n, series)
            for metric, (value, draws) in found.items():
                about = (series, " ".join(names), tokens / 1e6, n, metric, value, *statistics.interval(draws, BAND))
                lines.append((*about, books, len(names)))
    columns = ["series", "runs", "tokens", "sentences", "metric", "value", "low", "high", "books", "seeds"]
    return pd.DataFrame(lines, columns=columns)


def draw(table: pd.DataFrame, lines: list[str]) -> "Figure":
    """The figure: salient against false claims as texts grow, then each by length; footer below."""
    return points.sheet(
        [lambda axis: _plane(axis, table), *(_by_length(table, m) for m in ("salient", "false"))], lines, unit=""
    )


def _look(series: str) -> dict:
    if series == BASE:
        return {"color": figures.INK, "linestyle": (0, (6, 2)), "marker": "x", "label": "base"}
    return {**points.LOOK.get(series, {}), "label": points.WORDS.get(series, series)}


def _plane(axis: "Axes", table: pd.DataFrame) -> None:
    for series, some in table.groupby("series", sort=False):
        by = {metric: part.sort_values("sentences") for metric, part in some.groupby("metric")}
        x, y = by["false"], by["salient"]
        bars = {
            f"{name}err": np.abs(part[["low", "high"]].to_numpy().T - part["value"].to_numpy())
            for name, part in (("x", x), ("y", y))
        }
        axis.errorbar(x["value"], y["value"], **bars, elinewidth=0.5, **_look(series))
    shown = table[table["metric"].isin(["false", "salient"])]
    most = 1.08 * max(shown["high"].max(), 1)
    axis.plot([0, most], [0, most], color="#cccccc", linewidth=0.6, zorder=0)
    axis.set_xlim(left=-0.02 * most)
    axis.set_ylim(bottom=-0.02 * most)
    axis.set_xlabel("false claims a text", labelpad=1)
    axis.set_ylabel("salient claims a text", labelpad=1)
    axis.set_title("as texts grow", fontweight="bold", pad=11)
    asked = ", ".join(str(n) for n in sorted(table["sentences"].unique()))
    figures.under_title(axis, f"first {asked} sentences")


def _by_length(table: pd.DataFrame, metric: str) -> object:
    def panel(axis: "Axes") -> None:
        mine = table[table["metric"] == metric]
        for series, some in mine.groupby("series", sort=False):
            some = some.sort_values("sentences")
            bars = np.abs(some[["low", "high"]].to_numpy().T - some["value"].to_numpy())
            axis.errorbar(some["sentences"], some["value"], bars, elinewidth=0.8, **_look(series))
        if metric == "salient":
            facts = table.loc[table["metric"] == "salient_facts", "value"].iloc[0]
            axis.axhline(
                facts, color="#999999", linewidth=0.8, linestyle=(0, (1, 1.5)), label="salient facts of a book", zorder=0
            )
        asked = sorted(mine["sentences"].unique())
        axis.set_xscale("log", base=2)
        axis.set_xticks(asked, [str(n) for n in asked])
        axis.set_xticks([], minor=True)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("sentences", labelpad=1)
        axis.set_ylabel(f"{metric} claims a text", labelpad=1)
        axis.set_title(metric, fontweight="bold", pad=11)
        figures.under_title(axis, f"{mine['books'].iloc[0]} books, {mine['seeds'].max()} seeds")

    return panel


def footer(judged: list[dict], row: dict, books: int, most: int) -> list[str]:
    """The lines under the panels: what was run, and the verdicts."""
    by_name = {entry["claim"]: entry for entry in judged}
    words = {
        "salient-gain": ("Salient claims of EntiGraph less base", "a text"),
        "salient-few-false": ("False ones less raw", "a text"),
        "salient-fewer-false-than-rephrase": ("less rephrased", "a text"),
        "salient-purer-than-raw": ("Share of false among false and salient ones less raw", ""),
        "salient-purer-than-rephrase": ("less rephrased", ""),
    }
    return [
        f"{figures.SCALES[row['scale']]}. {row['student']} goes on from each of {books} titles; claims are read by rule and "
        "held against the book. Bars: 95 %, books and seeds resampled.",
        f"At {most} sentences: " + " ".join(points.said(by_name[name], *how) for name, how in words.items()),
    ]


def salient(scores: list[str], claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: judged texts of all runs and claims.yaml in, the four files out.

    ``row`` has student, arms (series -> tokens -> runs), scale.
    """
    entries = claims_.read_claims(claims, "salient")
    given = points.read(scores, points.SCORES)
    found = counts(given, row)
    books = given["item"].nunique()
    verdicts = claims_.judge(entries, findings(found, entries), row["scale"])
    table = plotted(found, row, books)
    about = {"artifact": "salient", "code": code, "cover": COVER, "draws": DRAWS, "n": f"{books} books"}
    figures.publish(
        draw(table, footer(verdicts, row, books, max(lengths(given)))), table, verdicts, pdf, png, csv, judged, row=row, **about
    )


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        salient(
            list(snakemake.input.scores),
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
