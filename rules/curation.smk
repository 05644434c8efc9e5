"""Corpora without contamination, and the equal token budgets that runs train on.

Makes results/{scale}/corpora/{corpus}/curated.parquet, removed.parquet (with the reason) and curation.json, and
results/{scale}/runs/{run}/documents.parquet: disjoint subsets of equal tokens in the student's tokenizer.
"""


rule curate:
    """Exact duplicates, near-duplicates, contamination: removed or reported."""
    input:
        documents="results/{scale}/corpora/{corpus}/synthesized.parquet",
        suites=answers.field("corpora", "corpus", "suites", "results/{scale}/suites/{value}"),
    output:
        curated="results/{scale}/corpora/{corpus}/curated.parquet",
        removed="results/{scale}/corpora/{corpus}/removed.parquet",
        report="results/{scale}/corpora/{corpus}/curation.json",
    log:
        "logs/{scale}/curate/{corpus}.log",
    benchmark:
        "timings/{scale}/curate/{corpus}.tsv"
    conda:
        "../envs/figures.yaml"
    resources:
        runtime=answers.minutes("curate"),
        mem_mb=answers.memory("curate"),
    params:
        row=answers.row("corpora", "corpus"),
        code=code_of("scripts/curation/curate.py"),
        work=answers.work("curate", "corpora", "corpus", "scripts/curation/curate.py"),
    script:
        "../scripts/curation/curate.py"


rule budget:
    """Disjoint subsets of equal tokens for one run."""
    input:
        curated=answers.field("runs", "run", "corpus", "results/{scale}/corpora/{value}/curated.parquet"),
        tokenizer=answers.field("runs", "run", "base", "results/{scale}/models/{value}"),
    output:
        documents="results/{scale}/runs/{run}/documents.parquet",
    log:
        "logs/{scale}/budget/{run}.log",
    benchmark:
        "timings/{scale}/budget/{run}.tsv"
    wildcard_constraints:
        run=study.names("runs", kind="continual"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("runs", "run"),
        code=code_of("scripts/curation/budget.py"),
    script:
        "../scripts/curation/budget.py"
