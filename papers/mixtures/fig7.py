"""Figure 7 of arXiv 2510.01631: losses at 3B parameters predicted from smaller models, against what was observed.

Reads published.yaml, results/{scale}/mixtures/runs.csv and claims.yaml. Makes fig7.pdf and fig7.png (the printed laws and what
noise the printed error speaks for; our own fits without the largest of our models, and how far off they are there), fig7.csv
(every plotted number) and fig7.claims.json.
"""

from papers.mixtures import arms as arms_
from papers.mixtures import scaling, validation


def fig7(runs: str, published: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: the runs table, published.yaml and claims.yaml in, the four files out.

    ``row`` has arms, world, generator, tokens (the fixed budget), replicates.
    """
    words = scaling.Words("parameters", "Table 5's laws, 50B tokens", f"{arms_.short(row['tokens'])} tokens")
    about = {"row": row, "code": code, "axis": "parameters", "artifact": "fig7", "words": words}
    validation.validate(runs, published, claims, pdf, png, csv, judged, **about)


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
