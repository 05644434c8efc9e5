"""What every paper has: copies of the active scale's figures, and all of a paper's figures together: what their claims come to.

Makes results/{scale}/{folder}replicates.csv (claims by replicate), and claims.json and claims.html (the page of verdicts) beside it.
FIGURES, CLAIMS and TITLES of the Snakefile say what a paper's folder has.
"""


rule replicates:
    """Estimates and verdicts of every replicate, and the t interval over replicates."""
    input:
        claims=answers.replicates(FIGURES, config["replicates"]),
    output:
        table="results/{scale}/{folder}replicates.csv",
    log:
        "logs/{scale}/replicates/{folder}replicates.log",
    conda:
        "../envs/figures.yaml"
    params:
        code=code_of("scripts/replicates.py"),
    script:
        "../scripts/replicates.py"


rule verdicts:
    """The page that a reviewer reads first: each claim, its interval against its bound, and what it was decided from."""
    input:
        claims=answers.of_figures(FIGURES, ".claims.json"),
        csvs=answers.of_figures(FIGURES, ".csv"),
        pngs=answers.of_figures(FIGURES, ".png"),
        asked=answers.of_folder(CLAIMS),
        replicates="results/{scale}/{folder}replicates.csv",
        tables=upstream.tables(workflow, FIGURES, config["replicates"]),
    output:
        data="results/{scale}/{folder}claims.json",
        html=report("results/{scale}/{folder}claims.html", caption="captions/claims.rst", category="Verdicts"),
    log:
        "logs/{scale}/verdicts/{folder}verdicts.log",
    conda:
        "../envs/figures.yaml"
    params:
        figures=upstream.sources(workflow, FIGURES, config["replicates"]),
        title=answers.of_folder(TITLES),
        code=code_of("scripts/verdicts.py", "scripts/verdicts.html.j2"),
    script:
        "../scripts/verdicts.py"


rule copy_of_the_active_scale:
    """results/{figure}.pdf and its siblings: copies of the active scale's."""
    input:
        multiext(f"results/{SCALE}/{{figure}}", ".pdf", ".png", ".csv", ".claims.json"),
    output:
        pdf="results/{figure}.pdf",
        more=multiext("results/{figure}", ".png", ".csv", ".claims.json"),
    log:
        "logs/copy/{figure}.log",
    conda:
        "../envs/figures.yaml"
    shell:
        'cp {input:q} "$(dirname {output.pdf:q})/" 2> {log:q}'


rule copy_of_the_verdicts:
    """results/claims.html, claims.json and replicates.csv, and those in the papers' folders: copies of the active scale's."""
    input:
        multiext(f"results/{SCALE}/{{folder}}", "claims.html", "claims.json", "replicates.csv"),
    output:
        html="results/{folder}claims.html",
        more=multiext("results/{folder}", "claims.json", "replicates.csv"),
    log:
        "logs/copy/{folder}claims.log",
    conda:
        "../envs/figures.yaml"
    shell:
        'cp {input:q} "$(dirname {output.html:q})/" 2> {log:q}'
