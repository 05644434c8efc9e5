"""Models as Hugging Face directories.

Makes results/{scale}/tokenizers/{tokenizer}/ and results/{scale}/models/{model}/: trained from scratch by a recipe, with
{model}.checkpoints/ beside it, taken from a run or a local directory, or fetched from the hub at a pinned revision.
"""


rule tokenizer:
    """A byte-level BPE tokenizer trained on a mix of sources."""
    input:
        documents=answers.mixed("tokenizers", "tokenizer"),
    output:
        folder=directory("results/{scale}/tokenizers/{tokenizer}"),
    log:
        "logs/{scale}/tokenizer/{tokenizer}.log",
    benchmark:
        "timings/{scale}/tokenizer/{tokenizer}.tsv"
    wildcard_constraints:
        tokenizer=study.names("tokenizers", kind="bpe"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("tokenizers", "tokenizer"),
        code=code_of("scripts/models/tokenizer.py"),
    script:
        "../scripts/models/tokenizer.py"


rule tokenizer_of_model:
    """The tokenizer of a model alone."""
    input:
        model=answers.field("tokenizers", "tokenizer", "model", "results/{scale}/models/{value}"),
    output:
        folder=directory("results/{scale}/tokenizers/{tokenizer}"),
    log:
        "logs/{scale}/tokenizer_of_model/{tokenizer}.log",
    benchmark:
        "timings/{scale}/tokenizer_of_model/{tokenizer}.tsv"
    wildcard_constraints:
        tokenizer=study.names("tokenizers", kind="model"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("tokenizers", "tokenizer"),
        code=code_of("scripts/models/tokenizer_of.py"),
    script:
        "../scripts/models/tokenizer_of.py"


rule pretrain:
    """A model trained from scratch by its recipe."""
    input:
        tokenizer=answers.field("models", "model", "tokenizer", "results/{scale}/tokenizers/{value}"),
        documents=answers.mixed("models", "model"),
    output:
        folder=directory("results/{scale}/models/{model}"),
        card="results/{scale}/models/{model}.card.json",
        trace="results/{scale}/models/{model}.trace.parquet",
        checkpoints=directory("results/{scale}/models/{model}.checkpoints"),
    log:
        "logs/{scale}/pretrain/{model}.log",
    benchmark:
        "timings/{scale}/pretrain/{model}.tsv"
    wildcard_constraints:
        model=study.names("models", kind="scratch"),
    conda:
        "../envs/training.yaml"
    resources:
        gpu=answers.gpus_of("models", "model", "gpus"),
        runtime=answers.minutes("pretrain"),
        mem_mb=answers.memory("pretrain"),
    params:
        launcher=answers.launcher("models", "model"),
        row=answers.json_row("models", "model"),
        code=code_of("scripts/training/pretrain.py"),
        work=answers.work("pretrain", "models", "model", "scripts/training/pretrain.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        exec {params.launcher} scripts.training.pretrain \
            --row {params.row:q} \
            --code {params.code} \
            --tokenizer {input.tokenizer:q} \
            --documents {input.documents:q} \
            --out {output.folder:q} \
            --trace {output.trace:q} \
            --checkpoints {output.checkpoints:q} \
            --work {params.work:q} \
            &>{log:q}
        """


rule checkpoint_model:
    """A checkpoint of a run as a model, which can write or be trained further."""
    input:
        checkpoints=answers.field("models", "model", "run", "results/{scale}/runs/{value}/checkpoints"),
    output:
        folder=directory("results/{scale}/models/{model}"),
        card="results/{scale}/models/{model}.card.json",
    log:
        "logs/{scale}/checkpoint_model/{model}.log",
    benchmark:
        "timings/{scale}/checkpoint_model/{model}.tsv"
    wildcard_constraints:
        model=study.names("models", kind="checkpoint"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("models", "model"),
        code=code_of("scripts/models/place.py"),
    script:
        "../scripts/models/place.py"


rule local_model:
    """A model of the user: a local Hugging Face directory, checked and copied."""
    output:
        folder=directory("results/{scale}/models/{model}"),
        card="results/{scale}/models/{model}.card.json",
    log:
        "logs/{scale}/local_model/{model}.log",
    benchmark:
        "timings/{scale}/local_model/{model}.tsv"
    wildcard_constraints:
        model=study.names("models", kind="path"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("models", "model"),
        code=code_of("scripts/models/place.py"),
    script:
        "../scripts/models/place.py"


rule hub_model:
    """A model of the hub at its pinned revision; safetensors only."""
    output:
        folder=directory("results/{scale}/models/{model}"),
        card="results/{scale}/models/{model}.card.json",
    log:
        "logs/{scale}/hub_model/{model}.log",
    benchmark:
        "timings/{scale}/hub_model/{model}.tsv"
    wildcard_constraints:
        model=study.names("models", kind="hub"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("models", "model"),
        code=code_of("scripts/models/place.py"),
    script:
        "../scripts/models/place.py"
