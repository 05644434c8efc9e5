"""What corpora are like before anyone trains on them.

Makes results/{scale}/embedders/{embedder}/ and, under results/{scale}/audits/, similarity/{corpus}-to-{suite}-by-{embedder}.parquet
and .items.parquet, nll/{corpus}-by-{model}.parquet and .lengths.csv, unigrams/{corpus}-against-{other}-in-{model}.csv,
diversity/{run}.csv, sizes/{corpus}.parquet, retrieval/{suite}-by-{retriever}.parquet, embeddings/{source}-by-{embedder}.npy,
conditional/{run}-by-{model}.parquet, quality/{corpus or source}.parquet. Only retrieval needs a row of its own.
"""


rule embedder:
    """A space for documents and items: fitted on items and fixed sources, or taken from a directory or the hub."""
    input:
        suite=answers.field("embedders", "embedder", "suite", "results/{scale}/suites/{value}"),
        sources=answers.field("embedders", "embedder", "fit", "results/{scale}/sources/{value}/documents.parquet"),
    output:
        folder=directory("results/{scale}/embedders/{embedder}"),
        card="results/{scale}/embedders/{embedder}.card.json",
    log:
        "logs/{scale}/embedder/{embedder}.log",
    benchmark:
        "timings/{scale}/embedder/{embedder}.tsv"
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("embedders", "embedder"),
        code=code_of("scripts/audits/embedders.py"),
    script:
        "../scripts/audits/embedders.py"


rule similarity:
    """The largest cosine of each document to the items of each task, and of each item to the documents."""
    input:
        documents="results/{scale}/corpora/{corpus}/curated.parquet",
        suite="results/{scale}/suites/{suite}",
        embedder="results/{scale}/embedders/{embedder}",
    output:
        documents="results/{scale}/audits/similarity/{corpus}-to-{suite}-by-{embedder}.parquet",
        by_item="results/{scale}/audits/similarity/{corpus}-to-{suite}-by-{embedder}.items.parquet",
    log:
        "logs/{scale}/similarity/{corpus}-to-{suite}-by-{embedder}.log",
    benchmark:
        "timings/{scale}/similarity/{corpus}-to-{suite}-by-{embedder}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        gpu=answers.gpus,
        runtime=answers.minutes("similarity"),
        mem_mb=answers.memory("similarity"),
    params:
        row=answers.json_row("embedders", "embedder"),
        tasks=answers.json_tasks,
        code=code_of("scripts/audits/similarity.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.audits.similarity \
            --row {params.row:q} \
            --tasks {params.tasks:q} \
            --code {params.code} \
            --documents {input.documents:q} \
            --suite {input.suite:q} \
            --embedder {input.embedder:q} \
            --out {output.documents:q} \
            --items {output.by_item:q} \
            &>{log:q}
        """


rule nll:
    """Negative log-likelihood per token of each document under a model, and of its beginnings by length."""
    input:
        documents="results/{scale}/corpora/{corpus}/curated.parquet",
        model="results/{scale}/models/{model}",
        writer=answers.writer_of,
    output:
        documents="results/{scale}/audits/nll/{corpus}-by-{model}.parquet",
        lengths="results/{scale}/audits/nll/{corpus}-by-{model}.lengths.csv",
    log:
        "logs/{scale}/nll/{corpus}-by-{model}.log",
    benchmark:
        "timings/{scale}/nll/{corpus}-by-{model}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        gpu=answers.gpus,
        runtime=answers.minutes("nll"),
        mem_mb=answers.memory("nll"),
    params:
        code=code_of("scripts/audits/nll.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.audits.nll \
            --code {params.code} \
            --model {input.model:q} \
            --writer {input.writer:q} \
            --documents {input.documents:q} \
            --out {output.documents:q} \
            --lengths {output.lengths:q} \
            &>{log:q}
        """


# Loading torch and a model takes five seconds: what one model wrote at all temperatures is scored by one job.


use rule nll as nll_of_all_temperatures with:
    input:
        documents=expand(
            "results/{{scale}}/corpora/bos-{{writer}}-t{temperature}/curated.parquet", temperature=answers.temperatures()
        ),
        model="results/{scale}/models/{model}",
        writer="results/{scale}/models/{writer}",
    output:
        documents=expand(
            "results/{{scale}}/audits/nll/bos-{{writer}}-t{temperature}-by-{{model}}.parquet",
            temperature=answers.temperatures(),
        ),
        lengths=expand(
            "results/{{scale}}/audits/nll/bos-{{writer}}-t{temperature}-by-{{model}}.lengths.csv",
            temperature=answers.temperatures(),
        ),
    log:
        "logs/{scale}/nll/bos-{writer}-by-{model}.log",
    benchmark:
        "timings/{scale}/nll/bos-{writer}-by-{model}.tsv"


ruleorder: nll_of_all_temperatures > nll


rule unigrams:
    """Two corpora as bags of tokens: frequencies, overlap, divergences."""
    input:
        documents="results/{scale}/corpora/{corpus}/curated.parquet",
        other="results/{scale}/corpora/{other}/curated.parquet",
        tokenizer="results/{scale}/models/{model}",
    output:
        "results/{scale}/audits/unigrams/{corpus}-against-{other}-in-{model}.csv",
    log:
        "logs/{scale}/unigrams/{corpus}-against-{other}-in-{model}.log",
    benchmark:
        "timings/{scale}/unigrams/{corpus}-against-{other}-in-{model}.tsv"
    conda:
        "../envs/training.yaml"
    params:
        code=code_of("scripts/audits/unigrams.py"),
    script:
        "../scripts/audits/unigrams.py"


rule diversity:
    """How different a run's texts are that were written from one document: self-BLEU by document."""
    input:
        documents="results/{scale}/runs/{run}/documents.parquet",
    output:
        table="results/{scale}/audits/diversity/{run}.csv",
    log:
        "logs/{scale}/diversity/{run}.log",
    benchmark:
        "timings/{scale}/diversity/{run}.tsv"
    wildcard_constraints:
        run=study.names("runs", kind="continual"),
    conda:
        "../envs/figures.yaml"
    params:
        code=code_of("scripts/audits/diversity.py"),
    script:
        "../scripts/audits/diversity.py"


rule sizes:
    """How long the texts of a generated corpus are, by document, and by what was asked for."""
    input:
        corpus="results/{scale}/corpora/{corpus}/synthesized.parquet",
        source=answers.field("corpora", "corpus", "source", "results/{scale}/sources/{value}/documents.parquet"),
        tokenizer=answers.generator_tokenizer,
    output:
        "results/{scale}/audits/sizes/{corpus}.parquet",
    log:
        "logs/{scale}/sizes/{corpus}.log",
    benchmark:
        "timings/{scale}/sizes/{corpus}.tsv"
    wildcard_constraints:
        corpus=study.names("corpora", method=answers.GENERATED),
    conda:
        "../envs/training.yaml"
    params:
        code=code_of("scripts/audits/sizes.py"),
    script:
        "../scripts/audits/sizes.py"


rule retrieval:
    """The passages of a source's documents that a retriever ranks first for each question of a suite."""
    input:
        documents=answers.field("retrievers", "retriever", "source", "results/{scale}/sources/{value}/documents.parquet"),
        suite="results/{scale}/suites/{suite}",
        embedder=answers.field("retrievers", "retriever", "embedder", "results/{scale}/embedders/{value}"),
        reranker=answers.field("retrievers", "retriever", "reranker", "results/{scale}/embedders/{value}"),
    output:
        "results/{scale}/audits/retrieval/{suite}-by-{retriever}.parquet",
    log:
        "logs/{scale}/retrieval/{suite}-by-{retriever}.log",
    benchmark:
        "timings/{scale}/retrieval/{suite}-by-{retriever}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        gpu=answers.retrieval_gpus,
        runtime=answers.minutes("retrieval"),
        mem_mb=answers.memory("retrieval"),
    params:
        row=answers.json_row("retrievers", "retriever"),
        tasks=answers.json_tasks,
        embedder=answers.json_named("retrievers", "retriever", "embedder", "embedders"),
        reranker=answers.json_named("retrievers", "retriever", "reranker", "embedders"),
        code=code_of("scripts/audits/retrieval.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.audits.retrieval \
            --row {params.row:q} \
            --tasks {params.tasks:q} \
            --code {params.code} \
            --documents {input.documents:q} \
            --suite {input.suite:q} \
            --embedder {input.embedder:q} \
            --embedder-row {params.embedder:q} \
            --reranker {input.reranker:q} \
            --reranker-row {params.reranker:q} \
            --out {output:q} \
            &>{log:q}
        """


rule embeddings:
    """The vector of each document of a source in an embedder's space."""
    input:
        documents="results/{scale}/sources/{source}/documents.parquet",
        embedder="results/{scale}/embedders/{embedder}",
    output:
        vectors="results/{scale}/audits/embeddings/{source}-by-{embedder}.npy",
    log:
        "logs/{scale}/embeddings/{source}-by-{embedder}.log",
    benchmark:
        "timings/{scale}/embeddings/{source}-by-{embedder}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        gpu=answers.gpus,
        runtime=answers.minutes("embeddings"),
        mem_mb=answers.memory("embeddings"),
    params:
        row=answers.json_row("embedders", "embedder"),
        code=code_of("scripts/audits/embed.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.audits.embed \
            --row {params.row:q} \
            --code {params.code} \
            --documents {input.documents:q} \
            --embedder {input.embedder:q} \
            --out {output.vectors:q} \
            &>{log:q}
        """


rule conditional:
    """How likely a model finds a document after the one that it was paired with, after another, and alone."""
    input:
        documents="results/{scale}/runs/{run}/held-out.parquet",
        model="results/{scale}/models/{model}",
    output:
        table="results/{scale}/audits/conditional/{run}-by-{model}.parquet",
    log:
        "logs/{scale}/conditional/{run}-by-{model}.log",
    benchmark:
        "timings/{scale}/conditional/{run}-by-{model}.tsv"
    wildcard_constraints:
        run=study.names("runs", kind="pairs"),
    conda:
        "../envs/training.yaml"
    resources:
        gpu=answers.gpus,
        runtime=answers.minutes("conditional"),
        mem_mb=answers.memory("conditional"),
    params:
        row=answers.conditional_row,
        code=code_of("scripts/audits/conditional.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.audits.conditional \
            --row {params.row:q} \
            --code {params.code} \
            --model {input.model:q} \
            --documents {input.documents:q} \
            --out {output.table:q} \
            &>{log:q}
        """


rule quality:
    """Repetition, duplicates, copies and diversity of a corpus or of a source; truth and relevance where a reader knows them."""
    input:
        documents=answers.written,
        real=answers.real_of,
        readings=answers.readings_of,
    output:
        table="results/{scale}/audits/quality/{written}.parquet",
    log:
        "logs/{scale}/quality/{written}.log",
    benchmark:
        "timings/{scale}/quality/{written}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.quality_row,
        judged=answers.judged,
        code=code_of("scripts/audits/quality.py"),
    shell:
        """
        python -m scripts.audits.quality \
            --row {params.row:q} \
            --code {params.code} \
            --documents {input.documents:q} \
            --real {input.real:q} \
            --out {output.table:q} \
            {params.judged} \
            &>{log:q}
        """
