"""Table 3 of arXiv 2409.07431: answers with the book retrieved, by the base and after continued pretraining on EntiGraph text.

Reads the evaluations of the runs on the same questions under several conditions (without the book, after retrieved passages,
after the whole book, after another book), the books of the questions, what was retrieved for each question
(scripts/audits/retrieval.py), and papers/entigraph/claims.yaml. Makes openbook.pdf and openbook.png (accuracy by condition,
the differences that claims are about, recall@k), openbook.csv (every plotted number, with the published one beside it) and
openbook.claims.json.

All differences are paired: the same questions are asked under every condition, books are resampled whole, and a run keeps its
training seed across conditions. How much of the gain from reading the book comes without it is judged as a difference, not as a
ratio, which has no interval where reading does not help; it counts only together with a gain from reading.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.entigraph import points
from papers.entigraph.points import BAND, COVER, DRAWS
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLOSED, RETRIEVED, WHOLE, OTHER = "closed", "retrieved", "whole", "other"
CONDITIONS = {
    CLOSED: "no book",
    OTHER: "another book",
    RETRIEVED: "retrieved",
    WHOLE: "whole book",
}
MODELS = ("base", "trained")
# printed: closed book and, with retrieval, Table 3 (Llama 3 8B base and after EntiGraph; all questions)
PUBLISHED = {
    (CLOSED, "base"): 39.49,
    (CLOSED, "trained"): 56.22,
    (RETRIEVED, "base"): 60.35,
    (RETRIEVED, "trained"): 62.60,
}
PUBLISHED_RECALL = (8, 99.63)
LEAST = 99.0  # recall@8 that a retriever shall have
HALF = 0.5  # of the gain from reading, that shall come without the book
Column = tuple[str, str]  # condition, model


class Answers:
    """Accuracies of every condition and model, with draws that are common to all."""

    def __init__(self, values: np.ndarray, columns: list[Column], draws: int, name: str):
        """``values``: points, (books, columns, seeds), as `points.linearised` gives them; the base's do not differ by seed."""
        estimate, drawn = statistics.bootstrap([values[:, None]], draws, seed_of("entigraph", name, "books and seeds"))
        self.columns, self.estimate, self.draws = columns, estimate[0], drawn[:, 0]

    def of(self, weights: dict[Column, float]) -> tuple[float, np.ndarray]:
        """A weighted sum of accuracies and its draws."""
        at, by = [self.columns.index(column) for column in weights], np.array(list(weights.values()))
        return float(self.estimate[at] @ by), self.draws[:, at] @ by


def contrasts() -> dict[str, tuple[str, dict[Column, float]]]:
    """Name -> how a difference is said, and the weights of the accuracies in it."""
    closed = {(CLOSED, "trained"): 1.0, (CLOSED, "base"): -1.0}
    read = {(RETRIEVED, "base"): 1.0, (CLOSED, "base"): -1.0}
    less_half = {(CLOSED, "trained"): 1.0, (CLOSED, "base"): HALF - 1, (RETRIEVED, "base"): -HALF}
    return {
        "closed gain": ("closed gain: trained \u2212 base, no book", closed),
        "open gain": ("open gain: base, retrieved \u2212 no book", read),
        "less half": ("closed gain \u2212 half the open gain", less_half),
        "complementary": ("trained \u2212 base, retrieved", {(RETRIEVED, "trained"): 1.0, (RETRIEVED, "base"): -1.0}),
        "reading on": ("trained, retrieved \u2212 no book", {(RETRIEVED, "trained"): 1.0, (CLOSED, "trained"): -1.0}),
        "whole book": ("trained \u2212 base, whole book", {(WHOLE, "trained"): 1.0, (WHOLE, "base"): -1.0}),
        "null": ("base, another \u2212 no book", {(OTHER, "base"): 1.0, (CLOSED, "base"): -1.0}),
    }


def published(name: str) -> float:
    """A difference as it follows from the printed accuracies, NaN where one of them is not printed."""
    return sum(weight * PUBLISHED.get(column, np.nan) for column, weight in contrasts()[name][1].items())


def answers(scores: dict[str, pd.DataFrame], books: pd.DataFrame, row: dict, tasks: list[str], name: str) -> Answers:
    """Accuracies over some tasks; ``scores`` are the evaluations of all runs by condition.

    Raises:
        ValueError: naming figure, task and run for what is missing or does not fit, or a figure of several cells.
    """
    if len(points.cells_of(row)) != 1:
        raise ValueError(f"{row['name']}, key arms: expected one series at one number of tokens")
    columns, values = [], []
    for condition in CONDITIONS:
        table = points.accuracies(scores[condition], books, row, tasks)
        trained = table.values[:, 0]
        columns += [(condition, "base"), (condition, "trained")]
        values += [np.broadcast_to(table.base[:, None], trained.shape), trained]
    return Answers(np.stack(values, axis=1), columns, DRAWS, name)


def recalls(retrieved: pd.DataFrame) -> pd.DataFrame:
    """Share of questions with a passage of the right book among the first k, in points, with Wilson's 95 % interval."""
    firsts = retrieved[retrieved["right"]].groupby(["task", "item"])["rank"].min()
    number = len(retrieved[["task", "item"]].drop_duplicates())
    ks = range(1, int(retrieved["rank"].max()) + 1)
    counts = np.array([(firsts <= k).sum() for k in ks])
    low, high = statistics.wilson(counts, number, BAND)
    return pd.DataFrame(
        {"k": ks, "count": counts, "n": number, "value": 100 * counts / number, "low": 100 * low, "high": 100 * high}
    )


def findings(given: Answers, recall: pd.DataFrame, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    asked = {
        "openbook-complementary": "complementary",
        "openbook-whole-book": "whole book",
        "openbook-reading-on": "reading on",
        "openbook-gain": "open gain",
        "openbook-half": "less half",
        "openbook-null": "null",
        "openbook-complementary-published": "complementary",
    }
    found = {name: points.found(given.of(contrasts()[which][1]), level[name]) for name, which in asked.items()}
    for name, model in (("openbook-base-published", "base"), ("openbook-trained-published", "trained")):
        found[name] = points.found(given.of({(RETRIEVED, model): 1.0}), level[name])
    eighth = recall[recall["k"] <= PUBLISHED_RECALL[0]].iloc[-1]
    low, high = statistics.wilson(int(eighth["count"]), int(eighth["n"]), level["openbook-recall"])
    at = {"level": level["openbook-recall"], "k": int(eighth["k"])}
    found["openbook-recall"] = {
        "estimate": float(eighth["value"]) - LEAST,
        "low": 100 * float(low) - LEAST,
        "high": 100 * float(high) - LEAST,
        **at,
    }
    return found


def plotted(by_tasks: dict[str, Answers], recall: dict[str, pd.DataFrame], counts: dict[str, int]) -> pd.DataFrame:
    """Every number: panel (accuracy, difference, recall), tasks, what, model, value, low, high (95 %), published, n."""
    lines = []
    for tasks, given in by_tasks.items():
        for column in given.columns:
            value, draws = given.of({column: 1.0})
            lines.append(("accuracy", tasks, *column, value, *statistics.interval(draws, BAND), PUBLISHED.get(column)))
        for name, (_, weights) in contrasts().items():
            value, draws = given.of(weights)
            lines.append(("difference", tasks, name, "", value, *statistics.interval(draws, BAND), published(name)))
    table = pd.DataFrame(lines, columns=["panel", "tasks", "what", "model", "value", "low", "high", "published"])
    parts = [table.assign(**counts)]
    for retriever, one in recall.items():
        first, value = PUBLISHED_RECALL
        printed = one["k"].map({first: value})
        about = {"panel": "recall", "tasks": "all", "what": retriever, "published": printed, "questions": one["n"]}
        parts.append(one[["k", "value", "low", "high"]].assign(**about))
    return pd.concat(parts, ignore_index=True)


def draw(table: pd.DataFrame, lines: list[str], row: dict) -> "Figure":
    """The figure: accuracies by condition, differences, recall@k; footer below."""
    mine = table[table["tasks"] == points.JUDGED]
    chance = points.chance_of(row, points.primary(row))
    panels = [
        lambda axis: _accuracies(axis, mine[mine["panel"] == "accuracy"], chance),
        lambda axis: _differences(axis, mine[mine["panel"] == "difference"]),
        lambda axis: _recall(axis, table[table["panel"] == "recall"]),
    ]
    figure = points.sheet(panels, lines, unit="")
    places = [(0.115, 0.225), (0.59, 0.17), (0.84, 0.145)]
    for axis, (left, width) in zip(figure.axes, places, strict=True):
        box = axis.get_position()
        axis.set_position([left, box.y0, width, box.height])
    return figure


LOOK = {"base": ("s", figures.COLOURS["orange"], 0.16), "trained": ("o", figures.COLOURS["blue"], -0.16)}


def _accuracies(axis: "Axes", table: pd.DataFrame, chance: float) -> None:
    order = list(CONDITIONS)
    for model, label in (("base", "base"), ("trained", "after EntiGraph")):
        marker, colour, shift = LOOK[model]
        some = table[table["model"] == model].set_index("what").loc[order]
        y = np.arange(len(order))[::-1] + shift
        bars = np.abs(some[["low", "high"]].to_numpy().T - some["value"].to_numpy())
        style = {"fmt": marker, "color": colour, "elinewidth": 0.9, "capsize": 2}
        axis.errorbar(some["value"], y, xerr=bars, label=label, **style)
        printed = some["published"].astype(float).to_numpy()
        axis.scatter(printed, y, marker=marker, facecolors="none", edgecolors=colour, s=22, linewidths=0.8)
    axis.axvline(chance, color="#999999", linewidth=0.8, linestyle=(0, (1, 1.5)), label="chance", zorder=0)
    axis.set_yticks(np.arange(len(order))[::-1], [CONDITIONS[one] for one in order])
    axis.set_ylim(-0.6, len(order) - 0.4)
    axis.set_xlabel("accuracy, %", labelpad=1)
    axis.set_title("the same questions", fontweight="bold", pad=11)
    figures.under_title(axis, f"{table['items'].iloc[0]:,.0f} questions, {table['books'].iloc[0]:,.0f} books")


def _differences(axis: "Axes", table: pd.DataFrame) -> None:
    order = list(contrasts())
    some, y = table.set_index("what").loc[order], np.arange(len(order))[::-1]
    bars = np.abs(some[["low", "high"]].to_numpy().T - some["value"].to_numpy())
    axis.errorbar(some["value"], y, xerr=bars, fmt="D", color="black", markersize=3, elinewidth=0.9, capsize=2)
    axis.scatter(
        some["published"].astype(float), y, marker="D", facecolors="none", edgecolors=figures.GREY, s=18, linewidths=0.8
    )
    axis.axvline(0, color="#999999", linewidth=0.8, zorder=0)
    axis.set_yticks(y, [contrasts()[one][0] for one in order])
    axis.set_ylim(-0.6, len(order) - 0.4)
    axis.set_xlabel("points", labelpad=1)
    axis.set_title("paired differences", fontweight="bold", pad=11)
    figures.under_title(axis, "95 %; hollow: printed")


def _recall(axis: "Axes", table: pd.DataFrame) -> None:
    styles = ["-", (0, (4, 1.6)), (0, (1, 1.2))]
    for (name, some), style in zip(table.groupby("what", sort=False), styles * 3, strict=False):
        axis.fill_between(some["k"], some["low"], some["high"], color=figures.COLOURS["blue"], alpha=0.15, linewidth=0)
        axis.plot(some["k"], some["value"], color=figures.COLOURS["blue"], linestyle=style, marker=".", label=f"recall, {name}")
    k, value = PUBLISHED_RECALL
    axis.scatter([k], [value], marker="*", facecolors="none", edgecolors="black", s=40, label="recall@8 as printed", zorder=5)
    last = int(table["k"].max())
    axis.set_xticks([each for each in (1, 2, 4, 8, 16, 32) if each <= max(last, k)])
    axis.set_ylim(min(90.0, table["low"].min()) - 1, 101)
    axis.set_xlabel("k passages", labelpad=1)
    axis.set_ylabel("of the right book, %", labelpad=1)
    axis.set_title("recall@k", fontweight="bold", pad=11)
    figures.under_title(axis, f"{table['questions'].iloc[0]:,.0f} questions")


def footer(given: Answers, judged: list[dict], row: dict, seeds: int) -> list[str]:
    """The lines under the panels: what was run, the share of the gain, verdicts."""
    by_name = {entry["claim"]: entry for entry in judged}
    closed, read = (given.of(contrasts()[name][1])[0] for name in ("closed gain", "open gain"))
    share = f"{100 * closed / read:.0f} %" if by_name["openbook-gain"]["low"] > 0 else "not defined, reading does not help"
    words = {
        "openbook-complementary": "Trained above base, both after retrieved passages",
        "openbook-whole-book": "both after the whole book",
        "openbook-gain": "The base gains from retrieval",
        "openbook-half": "Closed-book gain less half of that",
        "openbook-null": "The base gains from another book",
    }
    said = " ".join(points.said(by_name[name], how) for name, how in words.items())
    recall = by_name["openbook-recall"]
    return [
        f"{figures.SCALES[row['scale']]}. {row['student']}, and trained further on EntiGraph text; {seeds} training seeds. "
        "Bars: 95 %, books and seeds resampled, paired over conditions. Hollow: Llama 3 8B as printed, another benchmark.",
        f"Share of the gain from reading that comes without the book: {share} (printed: 80 %). {said}",
        f"Recall@{recall['k']}: {recall['estimate'] + LEAST:.1f} % (at least {LEAST:g} %: {recall['verdict'].upper()}).",
    ]


def by_condition(paths: Iterable[str], row: dict) -> dict[str, pd.DataFrame]:
    """The evaluations by condition, told apart by their suites, which their files are named after."""
    found = {}
    for condition, suite in row["conditions"].items():
        own = [path for path in paths if Path(path).stem == suite]
        found[condition] = points.read(own, points.SCORES)
    return found


def openbook(
    scores: list[str],
    suite: str,
    retrieved: list[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    code: str,
) -> None:
    """Draw and judge: evaluations, the closed-book suite, what retrievers found and claims.yaml in, the four files out.

    ``row`` has student, arms (one series, one number of tokens), conditions (closed, retrieved, whole, other -> suite), tasks.
    """
    entries = claims_.read_claims(claims, "openbook")
    of, given = points.read_books([suite]), by_condition(scores, row)
    tasks = points.panels_of(row)
    by_tasks = {name: answers(given, of, row, some, row["name"]) for name, some in tasks.items()}
    ranked = {Path(path).stem.split("-by-")[-1]: recalls(pd.read_parquet(path)) for path in retrieved}
    main = by_tasks[points.JUDGED]
    verdicts = claims_.judge(entries, findings(main, next(iter(ranked.values())), entries), row["scale"])
    counts = points.accuracies(given[CLOSED], of, row, points.primary(row)).counts
    table = plotted(by_tasks, ranked, counts)
    seeds = len(next(iter(points.cells_of(row).values())))
    about = {"artifact": "openbook", "code": code, "cover": COVER, "draws": DRAWS}
    about["n"] = f"{counts['books']} books, {seeds} seeds"
    figure = draw(table, footer(main, verdicts, row, seeds), row)
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        openbook(
            list(snakemake.input.scores),
            snakemake.input.suite,
            list(snakemake.input.retrieved),
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
