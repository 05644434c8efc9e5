"""Tables that belong to no other paper: what small models reach in the world of five letters."""


rule letters:
    """Every arm of the five-letter world, trained and tested: results/{scale}/sbp/alphabet-runs.csv."""
    output:
        table="results/{scale}/{figure}-runs.csv",
    log:
        "logs/{scale}/letters/{figure}.log",
    benchmark:
        "timings/{scale}/letters/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="sbp-alphabet"),
    conda:
        "../../envs/training.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/sbp/letters.py"),
    script:
        "letters.py"
