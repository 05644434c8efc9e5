"""Whether paraphrase saturates, and whether diversity is what counts, beside EntiGraph, Active Reading and MGA.

Reads the evaluations of every run, the books of the suite's questions, how diverse the text of each arm is (self-BLEU by book)
and papers/entigraph/claims.yaml. Makes saturation.pdf and saturation.png (raw, one rephrasing and many at equal tokens;
rephrasing over tokens; gain against self-BLEU), saturation.csv (every plotted number) and saturation.claims.json.

Kimi K2 (arXiv 2507.20534) compares ten epochs of raw text, ten of one rephrasing, and one of ten rephrasings; Active Reading
(arXiv 2508.09494) names self-BLEU, lower where texts differ, as what goes with its gains. Here all arms take the same tokens
and steps at ``tokens`` of the row: ``once`` has about one rephrasing of a book, repeated; ``rephrase`` as many as fill them.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.entigraph import points
from papers.entigraph.points import DRAWS, JUDGED, Drawn, Table
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RAW, ONCE, REPHRASE = "raw", "once", "rephrase"
EQUAL = {RAW: "raw,\nrepeated", ONCE: "one rephrasing,\nrepeated", REPHRASE: "many\nrephrasings"}
COVER = "which books are asked about and training seeds; not generation or pretraining seeds, and not which methods there are"


def diverse(diversity: pd.DataFrame, row: dict, draws: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Self-BLEU of the arms at their most tokens, books resampled: series, values (arms,), draws (draws, arms).

    Each arm has the books of which its run holds two texts or more, all of them but in the smallest of corpora.

    Raises:
        ValueError: where an arm was not measured.
    """
    series, means, drawn = [], [], []
    for name, run in most_of(row).items():
        mine = diversity.loc[diversity["run"] == run, "self_bleu"].to_numpy(float)
        if not len(mine):
            raise ValueError(f"{row['name']}: arm {name}: the diversity of run {run} is missing")
        one, each = statistics.bootstrap([mine[:, None, None, None]], draws, seed_of("entigraph", "self-BLEU", name))
        series.append(name)
        means.append(one[0, 0])
        drawn.append(each[:, 0, 0])
    return series, np.array(means), np.stack(drawn, axis=1)


def most_of(row: dict) -> dict[str, str]:
    """Series -> its first run at its most tokens, of the arms."""
    return {series: sizes[max(sizes, key=int)][0] for series, sizes in row["arms"].items()}


def ranked(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation over the last axis."""
    from scipy.stats import rankdata

    return points.correlation(rankdata(one, axis=-1), rankdata(other, axis=-1))


def by_chance(one: np.ndarray, other: np.ndarray) -> float:
    """How often a rank correlation is as low as this or lower if the arms were dealt at random, exactly."""
    orders = np.array(list(permutations(range(len(one)))))
    return float((ranked(one[orders], other) <= ranked(one, other) + 1e-9).mean())


def halves(tokens: Sequence[int]) -> tuple[list[int], list[int]]:
    """The smaller and the larger half of some sizes, each of two or more: ``halves([1, 2, 4, 8])`` is ``([1, 2], [4, 8])``."""
    size = max(2, len(tokens) // 2)
    return list(tokens[:size]), list(tokens[-size:])


def findings(
    drawn: Drawn, series: list[str], bleu: np.ndarray, bleu_draws: np.ndarray, claims: dict[str, dict], tokens: int
) -> dict[str, dict]:
    """What was found for each claim with a direction; ``tokens`` are those at which three arms are compared."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    first, last = halves(drawn.tokens(REPHRASE))
    gains = [drawn.change(one) for one in series]
    gain, gain_draws = np.array([one for one, _ in gains]), np.stack([each for _, each in gains], axis=1)
    together = float(ranked(bleu, gain)), ranked(bleu_draws, gain_draws)
    asked = {
        "saturation-diverse": points.minus(drawn.at(REPHRASE, tokens), drawn.at(ONCE, tokens)),
        "saturation-once": points.minus(drawn.at(ONCE, tokens), drawn.at(RAW, tokens)),
        "saturation-bends": points.minus(points.slope(drawn, REPHRASE, last), points.slope(drawn, REPHRASE, first)),
        "saturation-diversity": together,
    }
    out = {name: points.found(value, level[name]) for name, value in asked.items()}
    out["saturation-diversity"] |= {"arms": len(series), "p_of_arms_at_random": by_chance(bleu, gain)}
    return out


def footer(table: Table, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels."""
    alike = by_name["saturation-diversity"]
    said = [
        points.said(by_name["saturation-diverse"], "Many rephrasings less one"),
        points.said(by_name["saturation-once"], "One less raw"),
        points.said(by_name["saturation-bends"], "Slope of rephrasing, larger half of sizes less smaller", "points a tenfold"),
        points.said(alike, "Rank correlation of self-BLEU and gain", f"over {alike['arms']} arms")
        + f" Arms dealt at random: p = {alike['p_of_arms_at_random']:.2g}.",
    ]
    return [f"{points.opening(row, table)} {points.judged_of(row)}", " ".join(said)]


def equal_panel(axis: "Axes", table: pd.DataFrame, tokens: int) -> None:
    """Three arms at equal tokens, with bars of 95 %; the base across."""
    base, rest = table[table["series"] == "base"].iloc[0], table[np.isclose(1e6 * table["tokens"], tokens)].set_index("series")
    for x, series in enumerate(EQUAL):
        one, look = rest.loc[series], points.LOOK.get(series, points.LOOK[REPHRASE])
        bars = [[one["value"] - one["low"]], [one["high"] - one["value"]]]
        hollow = {"markerfacecolor": "white"} if series == ONCE else {}
        axis.errorbar([x], [one["value"]], bars, elinewidth=0.8, color=look["color"], marker=look["marker"], **hollow)
    axis.axhspan(base["low"], base["high"], color="#dddddd", linewidth=0, zorder=-1)
    axis.axhline(base["value"], color=figures.INK, linestyle=(0, (6, 2)), linewidth=0.8, zorder=0, label="base")
    axis.set_xticks(range(len(EQUAL)), EQUAL.values())
    axis.set_xlim(-0.5, len(EQUAL) - 0.5)
    axis.set_title(f"at {points.short(tokens)} tokens an epoch", fontweight="bold", pad=11)
    figures.under_title(axis, points.counted(base))


def diversity_panel(axis: "Axes", table: pd.DataFrame) -> None:
    """Gain against self-BLEU, an arm a point, with bars of 95 % both ways."""
    for _, one in table.iterrows():
        across = [[one["self_bleu"] - one["self_bleu_low"]], [one["self_bleu_high"] - one["self_bleu"]]]
        bars = [[one["change"] - one["change_low"]], [one["change_high"] - one["change"]]]
        look = {
            **points.LOOK.get(one["series"], {}),
            "linestyle": "none",
            "label": points.WORDS.get(one["series"], one["series"]),
        }
        axis.errorbar([one["self_bleu"]], [one["change"]], bars, across, elinewidth=0.8, **look)
    axis.axhline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    axis.set_xlabel("self-BLEU of a book's texts (1: alike)", labelpad=1)
    axis.set_ylabel("gain against base, points", labelpad=2)
    axis.set_title("gain and diversity", fontweight="bold", pad=11)
    figures.under_title(axis, f"{len(table)} arms at their most tokens")


def saturation(
    scores: Iterable[str],
    diversity: Iterable[str],
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
    """Draw and judge: evaluations, diversity, folders of suites and claims.yaml in, the four files out."""
    lines, books = points.read(scores, points.SCORES), points.read_books(suites)
    tasks = points.primary(row)
    one = points.accuracies(lines, books, row, tasks)
    drawn = points.bootstrap(one, draws, "saturation")
    table = points.lines_of(drawn, one, JUDGED, row=row, unit="%", chance=points.chance_of(row, tasks))
    series, bleu, bleu_draws = diverse(pd.concat([pd.read_csv(path) for path in diversity]), row, draws)
    low, high = np.quantile(bleu_draws, [points.BAND, 1 - points.BAND], axis=0)
    found = pd.DataFrame({"series": series, "ratio": 1.0, "self_bleu": bleu, "self_bleu_low": low, "self_bleu_high": high})
    table = table.merge(found, how="left", on=["series", "ratio"])
    entries = claims_.read_claims(claims, "saturation")
    verdicts = claims_.judge(entries, findings(drawn, series, bleu, bleu_draws, entries, row["tokens"]), row["scale"])
    shown = table[table["series"].isin(["base", "entigraph", REPHRASE])]
    panels = [
        partial(equal_panel, table=table, tokens=row["tokens"]),
        partial(points.token_panel, table=shown, title=points.title_of(row, JUDGED)),
        partial(diversity_panel, table=table[table["self_bleu"].notna()]),
    ]
    figure = points.sheet(panels, footer(one, {entry["claim"]: entry for entry in verdicts}, row), unit="accuracy, %")
    about = {"artifact": "saturation", "code": code, "cover": COVER, "draws": draws}
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        saturation(
            snakemake.input.scores,
            snakemake.input.diversity,
            snakemake.input.suites,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
