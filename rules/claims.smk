"""All figures together: what their claims come to.

Makes results/{scale}/replicates.csv (claims by replicate), results/{scale}/claims.json and claims.html (the page of verdicts).
FIGURES of the Snakefile says which figures.
"""


rule replicates:
    """Estimates and verdicts of every replicate, and the t interval over replicates."""
    input:
        claims=answers.replicates(FIGURES, config["replicates"]),
    output:
        table="results/{scale}/replicates.csv",
    log:
        "logs/{scale}/replicates/replicates.log",
    conda:
        "../envs/figures.yaml"
    params:
        code=code_of("scripts/replicates.py"),
    script:
        "../scripts/replicates.py"


rule verdicts:
    """The page that a reviewer reads first: each claim, its interval against its bound, and what it was decided from."""
    input:
        claims=expand("results/{{scale}}/{figure}.claims.json", figure=FIGURES),
        csvs=expand("results/{{scale}}/{figure}.csv", figure=FIGURES),
        pngs=expand("results/{{scale}}/{figure}.png", figure=FIGURES),
        asked=["papers/bos_only/claims.yaml"],
        replicates="results/{scale}/replicates.csv",
        tables=upstream.tables(workflow, FIGURES, config["replicates"]),
    output:
        data="results/{scale}/claims.json",
        html=report("results/{scale}/claims.html", caption="../papers/bos_only/captions/claims.rst", category="Verdicts"),
    log:
        "logs/{scale}/verdicts/verdicts.log",
    conda:
        "../envs/figures.yaml"
    params:
        figures=upstream.sources(workflow, FIGURES, config["replicates"]),
        title="Not All Synthetic Data Is Yours to Learn From (arXiv 2605.31126)",
        code=code_of("scripts/verdicts.py", "scripts/verdicts.html.j2"),
    script:
        "../scripts/verdicts.py"


rule copy_of_the_verdicts:
    """results/claims.html, claims.json and replicates.csv: copies of the active scale's."""
    input:
        multiext(f"results/{SCALE}/", "claims.html", "claims.json", "replicates.csv"),
    output:
        multiext("results/", "claims.html", "claims.json", "replicates.csv"),
    log:
        "logs/copy/claims.log",
    conda:
        "../envs/figures.yaml"
    shell:
        "cp {input:q} results/ 2> {log:q}"
