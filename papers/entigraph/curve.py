"""Figure 2 of arXiv 2409.07431: accuracy on questions about books, without the books, by synthetic tokens of three methods.

Reads the evaluations of every run, the books of the suite's questions and papers/entigraph/claims.yaml. Makes curve.pdf and
curve.png (a panel for the mean that is judged and one for each task), curve.csv (every plotted number), curve-points.csv (what
is judged, for papers/entigraph/fit.py: series, tokens in millions, accuracy and its standard error in points) and
curve.claims.json.

The null is EntiGraph of books in which who stands in which relation to whom is dealt anew among the same names: a student that
believes them is right as often as one that guesses, so that a rise under the null would be a flaw of the measure.
"""

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd

from papers.entigraph import points
from papers.entigraph.points import COVER, DRAWS, JUDGED, Drawn, Table
from scripts.lib import claims as claims_
from scripts.lib import figures
from scripts.lib.files import atomic

LEAST = 10.0  # points that EntiGraph shall gain in an analogue
STRAIGHT = 0.9  # R squared of accuracy over log tokens
ENTIGRAPH, REPHRASE, RAW, NULL = "entigraph", "rephrase", "raw", "null"


def findings(drawn: Drawn, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    tokens = drawn.tokens(ENTIGRAPH)
    shared = points.common(drawn, ENTIGRAPH, REPHRASE)
    values, draws = drawn.curve(ENTIGRAPH)
    r2 = float(points.straightness(tokens, values)), points.straightness(tokens, draws)
    steeper = points.minus(*(points.slope(drawn, series, shared) for series in (ENTIGRAPH, REPHRASE)))
    above = [points.minus(drawn.at(ENTIGRAPH, at), drawn.at(REPHRASE, at)) for at in shared]
    asked = {
        "curve-gain": (drawn.change(ENTIGRAPH), LEAST),
        "curve-rises": (points.slope(drawn, ENTIGRAPH), 0.0),
        "curve-log-linear": (r2, STRAIGHT),
        "curve-steeper": (steeper, 0.0),
        "curve-equal-tokens": (points.mean(above), 0.0),
        "curve-raw": (drawn.change(RAW), 0.0),
        "curve-null": (drawn.change(NULL) if drawn.tokens(NULL) else points.UNKNOWN, 0.0),
        "curve-gain-published": (drawn.change(ENTIGRAPH), 0.0),
        "curve-end-published": (drawn.at(ENTIGRAPH), 0.0),
        "curve-base-published": ((drawn.base, drawn.base_draws), 0.0),
    }
    return {name: points.found(value, level[name], less) for name, (value, less) in asked.items()}


def for_the_fit(table: pd.DataFrame) -> pd.DataFrame:
    """The judged accuracies as papers/entigraph/fit.py reads them; every series begins with the base, at no tokens.

    No accuracy is known better than to half a question.
    """
    base, rest = table[table["series"] == "base"], table[table["series"] != "base"]
    starts = [base.assign(series=series) for series in dict.fromkeys(rest["series"])]
    found = pd.concat([*starts, rest]).sort_values(["series", "tokens"], kind="stable")
    error = np.maximum(found["error"], 50 / found["items"])
    return found.assign(accuracy=found["value"], error=error)[
        ["series", "tokens", "accuracy", "error", "items", "books", "seeds"]
    ]


def footer(table: Table, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels."""
    what = {
        "curve-gain": f"Gain at most tokens, less {LEAST:g}",
        "curve-rises": "Slope a tenfold of tokens",
        "curve-log-linear": f"R\u00b2 over log tokens, less {STRAIGHT:g}",
        "curve-steeper": "Slope less that of rephrasing",
        "curve-equal-tokens": "EntiGraph less rephrasing at equal tokens",
        "curve-raw": "Raw less base at most tokens",
        "curve-null": "Null less base",
    }
    said = [points.said(by_name[name], words, "" if "R\u00b2" in words else "points") for name, words in what.items()]
    return [f"{points.opening(row, table)} {points.judged_of(row)}", " ".join(said)]


def curve(
    scores: Iterable[str],
    suites: Iterable[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    fit: str,
    judged: str,
    *,
    row: dict,
    code: str,
    draws: int = DRAWS,
) -> None:
    """Draw and judge: evaluations, folders of suites and claims.yaml in, the four files and the fit's points out."""
    lines, books = points.read(scores, points.SCORES), points.read_books(suites)
    tables, main, drawn = [], None, None
    for panel, tasks in points.panels_of(row).items():
        one = points.accuracies(lines, books, row, tasks)
        resampled = points.bootstrap(one, draws, "curve")
        main, drawn = (main, drawn) if main else (one, resampled)
        tables.append(points.lines_of(resampled, one, panel, row=row, unit="%", chance=points.chance_of(row, tasks)))
    table = pd.concat(tables, ignore_index=True)
    entries = claims_.read_claims(claims, "curve")
    verdicts = claims_.judge(entries, findings(drawn, entries), row["scale"])
    by_name = {entry["claim"]: entry for entry in verdicts}
    panels = [
        partial(points.token_panel, table=part, title=points.title_of(row, panel), lines=row.get("lines", {}))
        for panel, part in table.groupby("panel", sort=False)
    ]
    figure = points.sheet(panels, footer(main, by_name, row), unit="accuracy, %")
    with atomic(fit) as beside:
        for_the_fit(table[table["panel"] == JUDGED]).to_csv(beside, index=False, float_format="%.6g")
    about = {"artifact": "curve", "code": code, "cover": COVER, "draws": draws}
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        curve(
            snakemake.input.scores,
            snakemake.input.suites,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.points,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
