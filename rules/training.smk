"""Students trained on corpora.

Makes results/{scale}/runs/{run}/checkpoints/subset-{s}/epoch-{n}/ and trace.parquet from a base and the run's documents; or, in
place of training, from a base and noise.
"""


rule train:
    """One run: a base trained further on every subset of a corpus."""
    input:
        base=answers.field("runs", "run", "base", "results/{scale}/models/{value}"),
        documents="results/{scale}/runs/{run}/documents.parquet",
        replay=answers.replayed,
        gate=answers.gate_of,
    output:
        checkpoints=directory("results/{scale}/runs/{run}/checkpoints"),
        card="results/{scale}/runs/{run}/checkpoints.card.json",
        trace="results/{scale}/runs/{run}/trace.parquet",
    log:
        "logs/{scale}/train/{run}.log",
    benchmark:
        "timings/{scale}/train/{run}.tsv"
    wildcard_constraints:
        run=study.names("runs", kind=("continual", "pairs")),
    conda:
        "../envs/training.yaml"
    resources:
        gpu=answers.gpus_of("runs", "run", "gpus"),
        runtime=answers.minutes("train"),
        mem_mb=answers.memory("train"),
    params:
        launcher=answers.launcher("runs", "run"),
        row=answers.json_row("runs", "run"),
        code=code_of("scripts/training/train.py"),
        work=answers.work("train", "runs", "run", "scripts/training/train.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        exec {params.launcher} scripts.training.train \
            --row {params.row:q} \
            --code {params.code} \
            --base {input.base:q} \
            --corpus {input.documents:q} \
            --replay {input.replay:q} \
            --out {output.checkpoints:q} \
            --trace {output.trace:q} \
            --work {params.work:q} \
            &>{log:q}
        """


rule accumulation:
    """Whether a batch taken in pieces trains as the batch as a whole: a gate of every figure of trained students."""
    output:
        gate="results/{scale}/gates/accumulation.json",
    log:
        "logs/{scale}/accumulation.log",
    benchmark:
        "timings/{scale}/accumulation.tsv"
    conda:
        "../envs/training.yaml"
    params:
        row=answers.training_defaults,
        code=code_of("scripts/training/accumulation.py"),
    shell:
        """
        python -m scripts.training.accumulation \
            --row {params.row:q} \
            --out {output.gate:q} \
            &>{log:q}
        """


rule noise:
    """A base with noise on its weights, level by level, in the layout of a run."""
    input:
        base=answers.field("runs", "run", "base", "results/{scale}/models/{value}"),
    output:
        checkpoints=directory("results/{scale}/runs/{run}/checkpoints"),
        card="results/{scale}/runs/{run}/checkpoints.card.json",
    log:
        "logs/{scale}/noise/{run}.log",
    benchmark:
        "timings/{scale}/noise/{run}.tsv"
    wildcard_constraints:
        run=study.names("runs", kind="noise"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.json_row("runs", "run"),
        code=code_of("scripts/training/noise.py"),
    shell:
        """
        python -m scripts.training.noise \
            --row {params.row:q} \
            --code {params.code} \
            --base {input.base:q} \
            --out {output.checkpoints:q} \
            &>{log:q}
        """
