"""Figure 6 of arXiv 2510.01631: losses at 200B tokens predicted from smaller budgets, against what was observed.

Reads published.yaml, results/{scale}/mixtures/runs.csv and claims.yaml. Makes fig6.pdf and fig6.png (the printed laws and what noise the
printed error speaks for; our own fits without the largest of our budgets, and how far off they are there), fig6.csv (every plotted
number) and fig6.claims.json.
"""

from papers.mixtures import arms as arms_
from papers.mixtures import scaling, validation
from scripts.lib import claims as claims_
from scripts.lib import figures


def fig6(runs: str, published: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: the runs table, published.yaml and claims.yaml in, the four files out.

    ``row`` has arms, world, generator, size (name of the fixed model size), replicates.
    """
    printed, entries = arms_.read_published(published), claims_.read_claims(claims, "fig6")
    mine = arms_.read_runs(runs, row)
    found = validation.held_out(mine, row, "tokens")
    findings = {**validation.published(printed, "tokens", "fig6"), **validation.reproduced(found, "fig6", entries)}
    verdicts = claims_.judge(entries, arms_.with_levels(findings, entries), row["scale"])
    table = validation.plotted(printed, mine, found, row, "tokens")
    words = scaling.Words("training tokens", "Table 4's laws of six arms, 1B model", f"model {row['size']}")
    lines = validation.footer(verdicts, printed, "tokens", "fig6", row)
    about = {"artifact": "fig6", "code": code, "cover": validation.COVER, "n": arms_.counted(mine)}
    figure = validation.draw(table, mine, printed, "tokens", words, lines)
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig6(
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
