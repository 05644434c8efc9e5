"""Students trained on corpora.

Makes results/{scale}/runs/{run}/checkpoints/subset-{s}/epoch-{n}/ and trace.parquet from a base and the run's documents; or, in
place of training, from a base and noise. Makes results/{scale}/sweeps/{sweep}/{shard}.parquet from many small models that are
trained from random weights, scored and not kept, and results/{scale}/tokens/{tokenizer}/{written}/, what they read.
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


rule tokens:
    """A source or a corpus as token ids, which many runs read from disk."""
    input:
        documents=answers.written,
        tokenizer="results/{scale}/tokenizers/{tokenizer}",
    output:
        folder=directory("results/{scale}/tokens/{tokenizer}/{written}"),
        card="results/{scale}/tokens/{tokenizer}/{written}.card.json",
    log:
        "logs/{scale}/tokens/{written}-in-{tokenizer}.log",
    benchmark:
        "timings/{scale}/tokens/{written}-in-{tokenizer}.tsv"
    conda:
        "../envs/training.yaml"
    params:
        code=code_of("scripts/training/tokens.py"),
    script:
        "../scripts/training/tokens.py"


rule sweep:
    """One job of a sweep: models trained one after the other, each on its mixture, and their losses on held-out domains."""
    input:
        tokenizer=answers.sweep_tokenizer,
        texts=answers.sweep_texts,
        heldout=answers.sweep_heldout,
    output:
        table="results/{scale}/sweeps/{sweep}/{shard}.parquet",
        traces="results/{scale}/sweeps/{sweep}/{shard}.traces.parquet",
    log:
        "logs/{scale}/sweep/{sweep}.{shard}.log",
    benchmark:
        "timings/{scale}/sweep/{sweep}.{shard}.tsv"
    wildcard_constraints:
        sweep=study.names("sweeps"),
        shard=r"\d+-of-\d+",
    conda:
        "../envs/training.yaml"
    resources:
        gpu=answers.sweep_gpus,
        runtime=answers.minutes("sweep"),
        mem_mb=answers.memory("sweep"),
    params:
        launcher=answers.sweep_launcher,
        row=answers.sweep_row,
        code=code_of("scripts/training/sweep.py"),
        work=answers.sweep_work,
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        exec {params.launcher} scripts.training.sweep \
            --row {params.row:q} \
            --code {params.code} \
            --tokenizer {input.tokenizer:q} \
            --texts {input.texts:q} \
            --heldout {input.heldout:q} \
            --out {output.table:q} \
            --traces {output.traces:q} \
            --work {params.work:q} \
            &>{log:q}
        """
