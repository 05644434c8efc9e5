"""Figure 6 of arXiv 2510.01631: losses at 200B tokens predicted from smaller budgets, against what was observed.

Reads published.yaml, results/{scale}/mixtures/runs.csv and claims.yaml. Makes fig6.pdf and fig6.png (the printed laws and what
noise the printed error speaks for; our own fits without the largest of our budgets, and how far off they are there), fig6.csv
(every plotted number) and fig6.claims.json.
"""

from papers.mixtures import scaling, validation


def fig6(runs: str, published: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: the runs table, published.yaml and claims.yaml in, the four files out.

    ``row`` has arms, world, generator, size (name of the fixed model size), replicates.
    """
    words = scaling.Words("training tokens", "Table 4's laws of six arms, 1B model", f"model {row['size']}")
    about = {"row": row, "code": code, "axis": "tokens", "artifact": "fig6", "words": words}
    validation.validate(runs, published, claims, pdf, png, csv, judged, **about)


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
