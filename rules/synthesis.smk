"""Text that models write, and the texts that stand beside it as controls.

Makes results/{scale}/corpora/{corpus}/synthesized.parquet and samples.txt (20 documents to read); one rule a method. What models
write comes in shards, which are kept: joining them anew, or one lost shard, never samples the others anew. For bootstrapped
pretraining also results/{scale}/pairs/{pairs}.parquet and results/{scale}/runs/{run}/documents.parquet of a synthesizer.
"""


rule bos:
    """One shard of the samples of a source model from the BOS token alone."""
    input:
        model=answers.field("corpora", "corpus", "source_model", "results/{scale}/models/{value}"),
    output:
        documents="results/{scale}/corpora/{corpus}/shards/{shard}.parquet",
    log:
        "logs/{scale}/bos/{corpus}.{shard}.log",
    benchmark:
        "timings/{scale}/bos/{corpus}.{shard}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method="bos"),
        shard=r"\d+-of-\d+",
    conda:
        answers.environment("corpora", "corpus", "engine", "training")
    resources:
        gpu=answers.gpus_of("corpora", "corpus", "tensor_parallel"),
        runtime=answers.minutes("bos"),
        mem_mb=answers.memory("bos"),
    params:
        row=answers.json_row("corpora", "corpus"),
        code=code_of("scripts/synthesis/sample.py"),
        work=answers.work("bos", "corpora", "corpus", "scripts/synthesis/sample.py", also="shard"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.synthesis.sample \
            --row {params.row:q} \
            --code {params.code} \
            --model {input.model:q} \
            --shard {wildcards.shard} \
            --out {output.documents:q} \
            --work {params.work:q} \
            &>{log:q}
        """


rule gather:
    """The shards of a corpus put together."""
    input:
        shards=answers.shards,
    output:
        documents="results/{scale}/corpora/{corpus}/synthesized.parquet",
        samples="results/{scale}/corpora/{corpus}/samples.txt",
    log:
        "logs/{scale}/gather/{corpus}.log",
    benchmark:
        "timings/{scale}/gather/{corpus}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method=("bos", "sbp")),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("corpora", "corpus"),
        code=code_of("scripts/synthesis/gather.py"),
    script:
        "../scripts/synthesis/gather.py"


rule generate:
    """One shard of what a generator writes about the documents of a source, method by method; what it was paid for is kept."""
    input:
        documents=answers.field("corpora", "corpus", "source", "results/{scale}/sources/{value}/documents.parquet"),
        tokenizer=answers.generator_tokenizer,
        model=answers.generator_model,
        prompts=answers.generator_prompts,
    output:
        documents="results/{scale}/corpora/{corpus}/shards/{shard}.parquet",
    log:
        "logs/{scale}/generate/{corpus}.{shard}.log",
    benchmark:
        "timings/{scale}/generate/{corpus}.{shard}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method=answers.GENERATED),
        shard=r"\d+-of-\d+",
    conda:
        answers.environment("corpora", "corpus", "engine", "training")
    resources:
        gpu=answers.generator_gpus,
        runtime=answers.minutes("generate"),
        mem_mb=answers.memory("generate"),
    params:
        row=answers.json_row("corpora", "corpus"),
        options=answers.generator_options,
        code=code_of(
            "scripts/synthesis/generate.py",
            "scripts/lib/books.yaml",
            "scripts/lib/rewriting.yaml",
            "scripts/sources/pocket_data/*.yaml",
        ),
        work="results/{scale}/work/generate/{corpus}.{shard}",  # without the code: answers may have been paid for
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.synthesis.generate \
            --row {params.row:q} \
            --code {params.code} \
            --documents {input.documents:q} \
            --tokenizer {input.tokenizer:q} \
            --shard {wildcards.shard} \
            --out {output.documents:q} \
            --work {params.work:q} \
            {params.options} &>{log:q}
        """


rule collect:
    """The shards of a generated corpus put together."""
    input:
        shards=answers.shards,
    output:
        documents="results/{scale}/corpora/{corpus}/synthesized.parquet",
        samples="results/{scale}/corpora/{corpus}/samples.txt",
    log:
        "logs/{scale}/collect/{corpus}.log",
    benchmark:
        "timings/{scale}/collect/{corpus}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method=answers.GENERATED),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("corpora", "corpus"),
        code=code_of("scripts/synthesis/collect.py"),
    script:
        "../scripts/synthesis/collect.py"


rule filtered:
    """Documents of a source as they are: the share of them in which the least noise can be seen."""
    input:
        documents=answers.field("corpora", "corpus", "source", "results/{scale}/sources/{value}/documents.parquet"),
    output:
        documents="results/{scale}/corpora/{corpus}/synthesized.parquet",
        samples="results/{scale}/corpora/{corpus}/samples.txt",
    log:
        "logs/{scale}/filtered/{corpus}.log",
    benchmark:
        "timings/{scale}/filtered/{corpus}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method="filtered"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("corpora", "corpus"),
        code=code_of("scripts/synthesis/filtered.py"),
    script:
        "../scripts/synthesis/filtered.py"


rule replay:
    """Documents drawn from sources in the proportions of a mix."""
    input:
        documents=answers.mixed("corpora", "corpus"),
    output:
        documents="results/{scale}/corpora/{corpus}/synthesized.parquet",
        samples="results/{scale}/corpora/{corpus}/samples.txt",
    log:
        "logs/{scale}/replay/{corpus}.log",
    benchmark:
        "timings/{scale}/replay/{corpus}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method="replay"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("corpora", "corpus"),
        code=code_of("scripts/synthesis/replay.py"),
    script:
        "../scripts/synthesis/replay.py"


rule shuffle:
    """Another corpus with the tokens of each document in random order."""
    input:
        documents=answers.field("corpora", "corpus", "corpus", "results/{scale}/corpora/{value}/synthesized.parquet"),
        tokenizer=answers.field("corpora", "corpus", "tokenizer_of", "results/{scale}/models/{value}"),
    output:
        documents="results/{scale}/corpora/{corpus}/synthesized.parquet",
        samples="results/{scale}/corpora/{corpus}/samples.txt",
    log:
        "logs/{scale}/shuffle/{corpus}.log",
    benchmark:
        "timings/{scale}/shuffle/{corpus}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method="shuffle"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("corpora", "corpus"),
        code=code_of("scripts/synthesis/shuffle.py"),
    script:
        "../scripts/synthesis/shuffle.py"


rule split:
    """The documents of another corpus on one side of a cosine to a benchmark's items."""
    input:
        documents=answers.field("corpora", "corpus", "corpus", "results/{scale}/corpora/{value}/curated.parquet"),
        similarity=answers.similarity_of_parent,
    output:
        documents="results/{scale}/corpora/{corpus}/synthesized.parquet",
        samples="results/{scale}/corpora/{corpus}/samples.txt",
    log:
        "logs/{scale}/split/{corpus}.log",
    benchmark:
        "timings/{scale}/split/{corpus}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method="split"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("corpora", "corpus"),
        code=code_of("scripts/synthesis/split.py"),
    script:
        "../scripts/synthesis/split.py"


rule pairs:
    """Pairs of related documents: nearest neighbours by their embeddings, near-duplicates left out."""
    input:
        documents=answers.paired_source("pairs", "pairs"),
        embeddings=answers.paired_embeddings,
    output:
        pairs="results/{scale}/pairs/{pairs}.parquet",
    log:
        "logs/{scale}/pairs/{pairs}.log",
    benchmark:
        "timings/{scale}/pairs/{pairs}.tsv"
    wildcard_constraints:
        pairs=study.names("pairs", kind="neighbours"),
    conda:
        "../envs/training.yaml"
    resources:
        runtime=answers.minutes("pairs"),
        mem_mb=answers.memory("pairs"),
    params:
        row=answers.json_row("pairs", "pairs"),
        code=code_of("scripts/synthesis/pairs.py"),
        work=answers.work("pairs", "pairs", "pairs", "scripts/synthesis/pairs.py"),
    shell:
        """
        python -m scripts.synthesis.pairs \
            --row {params.row:q} \
            --code {params.code} \
            --documents {input.documents:q} \
            --embeddings {input.embeddings:q} \
            --out {output.pairs:q} \
            --work {params.work:q} \
            &>{log:q}
        """


rule random_pairs:
    """The first documents of other pairs, each with another document drawn at random."""
    input:
        documents=answers.paired_source("pairs", "pairs"),
        embeddings=answers.paired_embeddings,
        of=answers.field("pairs", "pairs", "of", "results/{scale}/pairs/{value}.parquet"),
    output:
        pairs="results/{scale}/pairs/{pairs}.parquet",
    log:
        "logs/{scale}/random_pairs/{pairs}.log",
    benchmark:
        "timings/{scale}/random_pairs/{pairs}.tsv"
    wildcard_constraints:
        pairs=study.names("pairs", kind="random"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.json_row("pairs", "pairs"),
        code=code_of("scripts/synthesis/pairs.py"),
        work=answers.work("pairs", "pairs", "pairs", "scripts/synthesis/pairs.py"),
    shell:
        """
        python -m scripts.synthesis.pairs \
            --row {params.row:q} \
            --code {params.code} \
            --documents {input.documents:q} \
            --embeddings {input.embeddings:q} \
            --of {input.of:q} \
            --out {output.pairs:q} \
            --work {params.work:q} \
            &>{log:q}
        """


rule pair_documents:
    """What a synthesizer is tuned on: one document of each pair after the other; and the pairs held out."""
    input:
        documents=answers.paired_source("runs", "run"),
        pairs=answers.field("runs", "run", "pairs", "results/{scale}/pairs/{value}.parquet"),
        model=answers.field("runs", "run", "base", "results/{scale}/models/{value}"),
    output:
        documents="results/{scale}/runs/{run}/documents.parquet",
        held_out="results/{scale}/runs/{run}/held-out.parquet",
    log:
        "logs/{scale}/pair_documents/{run}.log",
    benchmark:
        "timings/{scale}/pair_documents/{run}.tsv"
    wildcard_constraints:
        run=study.names("runs", kind="pairs"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.json_row("runs", "run"),
        code=code_of("scripts/synthesis/bootstrap.py"),
    shell:
        """
        python -m scripts.synthesis.bootstrap tune \
            --row {params.row:q} \
            --code {params.code} \
            --documents {input.documents:q} \
            --pairs {input.pairs:q} \
            --model {input.model:q} \
            --out {output.documents:q} \
            --held-out {output.held_out:q} \
            &>{log:q}
        """


rule prompts:
    """The real documents after each of which a synthesizer writes another, drawn evenly."""
    input:
        documents=answers.field("corpora", "corpus", "source", "results/{scale}/sources/{value}/documents.parquet"),
        model=answers.field("corpora", "corpus", "source_model", "results/{scale}/models/{value}"),
    output:
        prompts="results/{scale}/corpora/{corpus}/prompts.parquet",
    log:
        "logs/{scale}/prompts/{corpus}.log",
    benchmark:
        "timings/{scale}/prompts/{corpus}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method="sbp"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.json_row("corpora", "corpus"),
        code=code_of("scripts/synthesis/bootstrap.py"),
    shell:
        """
        python -m scripts.synthesis.bootstrap ask \
            --row {params.row:q} \
            --code {params.code} \
            --documents {input.documents:q} \
            --model {input.model:q} \
            --out {output.prompts:q} \
            &>{log:q}
        """


rule sbp:
    """One shard of what a synthesizer writes after real documents."""
    input:
        model=answers.field("corpora", "corpus", "source_model", "results/{scale}/models/{value}"),
        prompts="results/{scale}/corpora/{corpus}/prompts.parquet",
    output:
        documents="results/{scale}/corpora/{corpus}/shards/{shard}.parquet",
    log:
        "logs/{scale}/sbp/{corpus}.{shard}.log",
    benchmark:
        "timings/{scale}/sbp/{corpus}.{shard}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method="sbp"),
        shard=r"\d+-of-\d+",
    conda:
        answers.environment("corpora", "corpus", "engine", "training")
    resources:
        gpu=answers.gpus_of("corpora", "corpus", "tensor_parallel"),
        runtime=answers.minutes("sbp"),
        mem_mb=answers.memory("sbp"),
    params:
        row=answers.json_row("corpora", "corpus"),
        code=code_of("scripts/synthesis/sample.py"),
        work=answers.work("sbp", "corpora", "corpus", "scripts/synthesis/sample.py", also="shard"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.synthesis.sample \
            --row {params.row:q} \
            --code {params.code} \
            --model {input.model:q} \
            --prompts {input.prompts:q} \
            --shard {wildcards.shard} \
            --out {output.documents:q} \
            --work {params.work:q} \
            &>{log:q}
        """
