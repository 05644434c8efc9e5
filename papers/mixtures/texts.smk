"""What the texts of the mixtures are made of.

Makes results/{scale}/mixtures/texts.csv: tokens, facts, noise of natural pages and of what was written from them.
"""


rule mixtures_texts:
    """Tokens, facts, facts lost and noise of the texts that arms read."""
    input:
        written=answers.tabled_texts,
        tokenizer=answers.field("figures", "figure", "tokenizer", "results/{scale}/tokenizers/{value}"),
    output:
        table="results/{scale}/{figure}.csv",
    log:
        "logs/{scale}/mixtures_texts/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_texts/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-texts"),
    conda:
        "../../envs/training.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of(
            "papers/mixtures/texts.py",
            "scripts/lib/rewriting.yaml",
            "scripts/sources/page_data/*.yaml",
            "scripts/sources/pocket_data/*.yaml",
        ),
    script:
        "texts.py"
