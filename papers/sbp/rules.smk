"""Figures of synthetic bootstrapped pretraining (arXiv 2509.15248).

Makes results/{scale}/sbp/{name}.pdf with .png, .csv and .claims.json.
"""


rule sbp_alphabet:
    """The thought experiment of five letters: where nothing can be learned, no training beats ln 5 nats a letter."""
    input:
        table="results/{scale}/{figure}-runs.csv",
        claims="papers/sbp/claims.yaml",
    output:
        pdf=report(
            "results/{scale}/{figure}.pdf", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        png=report(
            "results/{scale}/{figure}.png", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/sbp_alphabet/{figure}.log",
    benchmark:
        "timings/{scale}/sbp_alphabet/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="sbp-alphabet"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/sbp/alphabet.py"),
    script:
        "alphabet.py"
