"""Questions and answers against EntiGraph (Appendix D of arXiv 2409.07431): what each teaches per token, and of what kind.

Reads the evaluations of every run, the books of the suite's questions and papers/entigraph/claims.yaml. Makes qa.pdf and qa.png
(what the books state outright, and what must be put together from several of their statements, by synthetic tokens), qa.csv
(every plotted number) and qa.claims.json.

The row says which tasks are ``direct`` and which ``composed``, perhaps none. Questions of either are in the benchmark's style,
which the base knows, so that the arm of questions has no advantage of form.
"""

from collections.abc import Iterable
from functools import partial

import pandas as pd

from papers.entigraph import points
from papers.entigraph.points import COVER, DRAWS, Drawn, Table
from scripts.lib import claims as claims_
from scripts.lib import figures

QA, ENTIGRAPH = "qa", "entigraph"
KINDS = {"direct": "what books state", "composed": "put together from several statements"}


def findings(drawn: dict[str, Drawn], claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction; ``drawn`` has ``direct`` and perhaps ``composed``."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    shared = points.common(drawn["direct"], QA, ENTIGRAPH)

    def ahead(kind: str, one: str, other: str, tokens: list[int]) -> tuple:
        return points.mean([points.minus(drawn[kind].at(one, at), drawn[kind].at(other, at)) for at in tokens])

    asked = {
        "qa-faster": ahead("direct", QA, ENTIGRAPH, shared),
        "qa-narrow": ahead("composed", ENTIGRAPH, QA, shared[-1:]) if "composed" in drawn else points.UNKNOWN,
        "qa-gains": drawn["direct"].change(QA, shared[-1]),
    }
    return {name: points.found(value, level[name], sizes=len(shared)) for name, value in asked.items()}


def footer(table: Table, by_name: dict[str, dict], row: dict) -> list[str]:
    """The lines under the panels."""
    sizes = by_name["qa-faster"]["sizes"]
    said = [
        points.said(by_name["qa-faster"], f"What books state: QA less EntiGraph, mean of {sizes} equal sizes"),
        points.said(by_name["qa-gains"], "QA less base, what books state"),
    ]
    if row["composed"]:
        said.append(points.said(by_name["qa-narrow"], "Composed: EntiGraph less QA at most tokens"))
    return [points.opening(row, table), " ".join(said)]


def qa(
    scores: Iterable[str],
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
    """Draw and judge: evaluations, folders of suites and claims.yaml in, the four files out."""
    lines, books = points.read(scores, points.SCORES), points.read_books(suites)
    tables, panels, drawn = [], [], {}
    for kind, title in KINDS.items():
        if not row[kind]:
            continue
        one = points.accuracies(lines, books, row, row[kind])
        drawn[kind] = points.bootstrap(one, draws, "qa")
        tables.append(points.lines_of(drawn[kind], one, kind, row=row, unit="%", chance=points.chance_of(row, row[kind])))
        panels.append(partial(points.token_panel, table=tables[-1], title=title))
    entries = claims_.read_claims(claims, "qa")
    verdicts = claims_.judge(entries, findings(drawn, entries), row["scale"])
    figure = points.sheet(panels, footer(one, {entry["claim"]: entry for entry in verdicts}, row), unit="accuracy, %")
    about = {"artifact": "qa", "code": code, "cover": COVER, "draws": draws}
    figures.publish(figure, pd.concat(tables, ignore_index=True), verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        qa(
            snakemake.input.scores,
            snakemake.input.suites,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
