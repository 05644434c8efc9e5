"""Tables that belong to no other paper.

Makes results/{scale}/sbp/alphabet-runs.csv, what small models reach in the world of five letters; results/{scale}/audits/likeness/
{corpus}.parquet, how alike the texts after one document are; and results/{scale}/{figure}-judged/{written}.parquet, a judge's answers.
"""


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


rule judged:
    """What a language model as judge says of a sample of a text: whether it is false, and beside what it was written after."""
    input:
        documents=answers.written,
        audited="results/{scale}/audits/quality/{written}.parquet",
        real=answers.field("figures", "figure", "real_source", "results/{scale}/sources/{value}/documents.parquet"),
        prompts=multiext("papers/sbp/prompts/", "factuality.yaml", "relevance.yaml"),
        model=answers.judge_model,
    output:
        table="results/{scale}/{figure}-judged/{written}.parquet",
    log:
        "logs/{scale}/judged/{figure}-{written}.log",
    benchmark:
        "timings/{scale}/judged/{figure}-{written}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="sbp-quality"),
    conda:
        "../../envs/generation.yaml"
    resources:
        gpu=answers.judge_gpus,
    params:
        row=answers.judge_row,
        work="results/{scale}/work/judged/{figure}-{written}",
        code=code_of("scripts/synthesis/judge.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.synthesis.judge \
            --row {params.row:q} \
            --code {params.code} \
            --documents {input.documents:q} \
            --audited {input.audited:q} \
            --real {input.real:q} \
            --prompts papers/sbp/prompts \
            --model {input.model:q} \
            --out {output.table:q} \
            --work {params.work:q} \
            &>{log:q}
        """


rule likeness:
    """How alike the texts are that a synthesizer writes after one document."""
    input:
        documents="results/{scale}/corpora/{corpus}/synthesized.parquet",
    output:
        table="results/{scale}/audits/likeness/{corpus}.parquet",
    log:
        "logs/{scale}/likeness/{corpus}.log",
    benchmark:
        "timings/{scale}/likeness/{corpus}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method="sbp"),
    conda:
        "../../envs/figures.yaml"
    params:
        code=code_of("scripts/audits/likeness.py"),
    shell:
        """
        python -m scripts.audits.likeness \
            --code {params.code} \
            --documents {input.documents:q} \
            --out {output.table:q} \
            &>{log:q}
        """
