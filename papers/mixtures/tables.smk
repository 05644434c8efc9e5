"""Tables of "Demystifying Synthetic Data in LLM Pre-training" (arXiv 2510.01631), from which its figures are drawn.

Makes results/{scale}/mixtures/runs.csv, domains.parquet and traces.parquet of all models that sweeps train, and
unigrams.parquet of what they read and are scored on.
"""


rule mixtures_runs:
    """Every model of the sweeps in one table, its loss by domain in another, the loss of each token where it was kept."""
    input:
        tables=answers.swept(".parquet"),
        traces=answers.swept(".traces.parquet", trace=True),
    output:
        runs="results/{scale}/mixtures/runs.csv",
        domains="results/{scale}/mixtures/domains.parquet",
        traces="results/{scale}/mixtures/traces.parquet",
    log:
        "logs/{scale}/mixtures_runs.log",
    benchmark:
        "timings/{scale}/mixtures_runs.tsv"
    conda:
        "../../envs/figures.yaml"
    params:
        code=code_of("papers/mixtures/runs.py"),
    script:
        "runs.py"


rule mixtures_unigrams:
    """How often each token occurs in the texts of the pure arms and in the held-out domains."""
    input:
        tokenizer=answers.of_sweep("grid", answers.sweep_tokenizer),
        texts=answers.of_sweep("grid", answers.pure_texts),
        heldout=answers.of_sweep("grid", answers.sweep_heldout),
    output:
        table="results/{scale}/mixtures/unigrams.parquet",
    log:
        "logs/{scale}/mixtures_unigrams.log",
    benchmark:
        "timings/{scale}/mixtures_unigrams.tsv"
    conda:
        "../../envs/training.yaml"
    params:
        row=answers.recipe_of("grid"),
        code=code_of("papers/mixtures/unigrams.py"),
    script:
        "unigrams.py"
