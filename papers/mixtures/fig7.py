"""Figure 7 of arXiv 2510.01631: losses at 3B parameters predicted from smaller models, against what was observed.

Reads published.yaml, results/{scale}/mixtures/runs.csv and claims.yaml. Makes fig7.pdf and fig7.png (the printed laws and what noise the
printed error speaks for; our own fits without the largest of our models, and how far off they are there), fig7.csv (every plotted
number) and fig7.claims.json.
"""

from papers.mixtures import arms as arms_
from papers.mixtures import scaling, validation
from scripts.lib import claims as claims_
from scripts.lib import figures


def fig7(runs: str, published: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: the runs table, published.yaml and claims.yaml in, the four files out.

    ``row`` has arms, world, generator, tokens (the fixed budget), replicates.
    """
    printed, entries = arms_.read_published(published), claims_.read_claims(claims, "fig7")
    mine = arms_.read_runs(runs, row)
    found = validation.held_out(mine, row, "parameters")
    findings = {**validation.published(printed, "parameters", "fig7"), **validation.reproduced(found, "fig7", entries)}
    verdicts = claims_.judge(entries, arms_.with_levels(findings, entries), row["scale"])
    table = validation.plotted(printed, mine, found, row, "parameters")
    words = scaling.Words("parameters", "Table 5's laws, 50B tokens", f"{arms_.short(row['tokens'])} tokens")
    lines = validation.footer(verdicts, printed, "parameters", "fig7", row)
    about = {"artifact": "fig7", "code": code, "cover": validation.COVER, "n": arms_.counted(mine)}
    figure = validation.draw(table, mine, printed, "parameters", words, lines)
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig7(
            snakemake.input.runs,
            snakemake.input.published,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
