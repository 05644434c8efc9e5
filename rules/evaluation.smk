"""Benchmarks, and what models score on them.

Makes results/{scale}/suites/{suite}/ (tasks and items), results/{scale}/evaluations/{run or model}/{suite}.parquet (one line per
checkpoint, task, metric and item; epoch 0 is the base), results/{scale}/evaluations/{model}/bits.csv and
results/{scale}/gates/{gate}.csv.
"""


rule pocket_suite:
    """Benchmarks about the pocket world, as lm-eval tasks."""
    output:
        folder=directory("results/{scale}/suites/{suite}"),
    log:
        "logs/{scale}/pocket_suite/{suite}.log",
    benchmark:
        "timings/{scale}/pocket_suite/{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind="pocket"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("suites", "suite"),
        code=code_of(
            "scripts/sources/benchmarks.py",
            "scripts/sources/pocket_data/*.yaml",
            "scripts/sources/suite_data/*.yaml",
            "scripts/evaluation/tasks/*.yaml",
        ),
    script:
        "../scripts/sources/benchmarks.py"


rule books_suite:
    """What made books say, asked without the book, as lm-eval tasks."""
    output:
        folder=directory("results/{scale}/suites/{suite}"),
    log:
        "logs/{scale}/books_suite/{suite}.log",
    benchmark:
        "timings/{scale}/books_suite/{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind="books"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("suites", "suite"),
        code=code_of("scripts/sources/book_probes.py", "scripts/lib/books.yaml", "scripts/sources/books_data/*.yaml"),
    script:
        "../scripts/sources/book_probes.py"


rule quality_suite:
    """The questions of QuALITY, asked without the article after five worked examples, as an lm-eval task."""
    output:
        folder=directory("results/{scale}/suites/{suite}"),
    log:
        "logs/{scale}/quality_suite/{suite}.log",
    benchmark:
        "timings/{scale}/quality_suite/{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind="quality"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("suites", "suite"),
        code=code_of("scripts/sources/quality.py", "scripts/sources/quality_data/*.yaml"),
    script:
        "../scripts/sources/quality.py"


rule open_book_suite:
    """The questions of another suite, each after what was retrieved for it."""
    input:
        suite=answers.field("suites", "suite", "suite", "results/{scale}/suites/{value}"),
        retrieved=answers.retrieved,
    output:
        folder=directory("results/{scale}/suites/{suite}"),
    log:
        "logs/{scale}/open_book_suite/{suite}.log",
    benchmark:
        "timings/{scale}/open_book_suite/{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind="open-book"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("suites", "suite"),
        code=code_of("scripts/sources/open_book.py"),
    script:
        "../scripts/sources/open_book.py"


rule harness_suite:
    """The items of lm-eval's own tasks, for decontamination."""
    output:
        folder=directory("results/{scale}/suites/{suite}"),
    log:
        "logs/{scale}/harness_suite/{suite}.log",
    benchmark:
        "timings/{scale}/harness_suite/{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind="harness"),
    conda:
        "../envs/evaluation.yaml"
    params:
        row=answers.row("suites", "suite"),
        code=code_of("scripts/evaluation/items.py"),
    script:
        "../scripts/evaluation/items.py"


rule perturbed_suite:
    """Published problems with other numbers, as a task of lm-eval."""
    output:
        folder=directory("results/{scale}/suites/{suite}"),
    log:
        "logs/{scale}/perturbed_suite/{suite}.log",
    benchmark:
        "timings/{scale}/perturbed_suite/{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind="perturbed"),
    conda:
        "../envs/evaluation.yaml"
    params:
        row=answers.row("suites", "suite"),
        code=code_of("scripts/evaluation/perturb.py"),
    script:
        "../scripts/evaluation/perturb.py"


rule extraction_suite:
    """Prefixes and true suffixes for extraction, and held-out documents."""
    input:
        documents=answers.extraction_sources,
        model=answers.field("suites", "suite", "model", "results/{scale}/models/{value}"),
    output:
        folder=directory("results/{scale}/suites/{suite}"),
    log:
        "logs/{scale}/extraction_suite/{suite}.log",
    benchmark:
        "timings/{scale}/extraction_suite/{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind="extraction"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("suites", "suite"),
        code=code_of("scripts/evaluation/candidates.py"),
    script:
        "../scripts/evaluation/candidates.py"


rule extract:
    """What all checkpoints of a run give away of an extraction suite, and their loss on held-out documents."""
    input:
        base=answers.field("runs", "run", "base", "results/{scale}/models/{value}"),
        checkpoints="results/{scale}/runs/{run}/checkpoints",
        suite="results/{scale}/suites/{suite}",
    output:
        lines="results/{scale}/evaluations/{run}/{suite}.parquet",
        heldout="results/{scale}/evaluations/{run}/{suite}.heldout.parquet",
    log:
        "logs/{scale}/extract/{run}-{suite}.log",
    benchmark:
        "timings/{scale}/extract/{run}-{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind="extraction"),
    conda:
        "../envs/evaluation.yaml"
    resources:
        gpu=answers.gpus,
        runtime=answers.minutes("extract"),
        mem_mb=answers.memory("extract"),
    params:
        row=answers.json_row("suites", "suite"),
        code=code_of("scripts/evaluation/extraction.py"),
        work=answers.work("extract", "suites", "suite", "scripts/evaluation/extraction.py", also="run"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.evaluation.extraction \
            --row {params.row:q} \
            --code {params.code} \
            --base {input.base:q} \
            --checkpoints {input.checkpoints:q} \
            --suite {input.suite:q} \
            --name {wildcards.run:q} \
            --out {output.lines:q} \
            --heldout {output.heldout:q} \
            --work {params.work:q} \
            &>{log:q}
        """


rule overlap:
    """How often the suffixes of an extraction suite stand in the text that a run is trained on."""
    input:
        suite="results/{scale}/suites/{suite}",
        corpus=answers.field("runs", "run", "corpus", "results/{scale}/corpora/{value}/curated.parquet"),
        trained="results/{scale}/runs/{run}/documents.parquet",
        model=answers.field("suites", "suite", "model", "results/{scale}/models/{value}"),
    output:
        table="results/{scale}/evaluations/{run}/{suite}.overlap.parquet",
    log:
        "logs/{scale}/overlap/{run}-{suite}.log",
    benchmark:
        "timings/{scale}/overlap/{run}-{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind="extraction"),
        run=study.names("runs", kind="continual"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("runs", "run"),
        code=code_of("scripts/evaluation/overlap.py"),
    script:
        "../scripts/evaluation/overlap.py"


rule losses:
    """Losses of all checkpoints of a run, and of its base, on held-out text, document by document."""
    input:
        base=answers.field("runs", "run", "base", "results/{scale}/models/{value}"),
        checkpoints="results/{scale}/runs/{run}/checkpoints",
        documents=answers.heldout_documents,
    output:
        losses="results/{scale}/evaluations/{run}/{suite}.parquet",
    log:
        "logs/{scale}/losses/{run}-{suite}.log",
    benchmark:
        "timings/{scale}/losses/{run}-{suite}.tsv"
    wildcard_constraints:
        run=study.names("runs"),
        suite=study.names("suites", kind="losses"),
    conda:
        "../envs/training.yaml"
    resources:
        gpu=answers.gpus,
        runtime=answers.minutes("losses"),
        mem_mb=answers.memory("losses"),
    params:
        row=answers.json_row("suites", "suite"),
        code=code_of("scripts/evaluation/losses.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.evaluation.losses \
            --row {params.row:q} \
            --code {params.code} \
            --base {input.base:q} \
            --checkpoints {input.checkpoints:q} \
            --documents {input.documents:q} \
            --name {wildcards.run:q} \
            --out {output.losses:q} \
            &>{log:q}
        """


rule evaluate_run:
    """All checkpoints of a run on a suite, and its base as epoch 0."""
    input:
        base=answers.field("runs", "run", "base", "results/{scale}/models/{value}"),
        checkpoints="results/{scale}/runs/{run}/checkpoints",
        suite="results/{scale}/suites/{suite}",
    output:
        scores="results/{scale}/evaluations/{run}/{suite}.parquet",
    log:
        "logs/{scale}/evaluate_run/{run}-{suite}.log",
    benchmark:
        "timings/{scale}/evaluate_run/{run}-{suite}.tsv"
    wildcard_constraints:
        run=study.names("runs"),
        suite=study.names("suites", kind=("pocket", "books", "concepts", "open-book", "quality", "harness", "perturbed")),
    conda:
        answers.environment("suites", "suite", "backend", "evaluation")
    resources:
        gpu=answers.gpus,
        runtime=answers.minutes("evaluate_run"),
        mem_mb=answers.memory("evaluate_run"),
    params:
        row=answers.json_row("suites", "suite"),
        code=code_of("scripts/evaluation/harness.py"),
        work=answers.work("evaluate_run", "suites", "suite", "scripts/evaluation/harness.py", also="run"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.evaluation.harness \
            --row {params.row:q} \
            --code {params.code} \
            --base {input.base:q} \
            --checkpoints {input.checkpoints:q} \
            --suite {input.suite:q} \
            --name {wildcards.run:q} \
            --out {output.scores:q} \
            --work {params.work:q} \
            &>{log:q}
        """


rule evaluate_model:
    """A model as it is on a suite."""
    input:
        base="results/{scale}/models/{model}",
        suite="results/{scale}/suites/{suite}",
    output:
        scores="results/{scale}/evaluations/{model}/{suite}.parquet",
    log:
        "logs/{scale}/evaluate_model/{model}-{suite}.log",
    benchmark:
        "timings/{scale}/evaluate_model/{model}-{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind=("pocket", "books", "concepts", "open-book", "quality", "harness", "perturbed")),
    conda:
        answers.environment("suites", "suite", "backend", "evaluation")
    resources:
        gpu=answers.gpus,
        runtime=answers.minutes("evaluate_model"),
        mem_mb=answers.memory("evaluate_model"),
    params:
        row=answers.json_row("suites", "suite"),
        code=code_of("scripts/evaluation/harness.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.evaluation.harness \
            --row {params.row:q} \
            --code {params.code} \
            --base {input.base:q} \
            --suite {input.suite:q} \
            --name {wildcards.model:q} \
            --out {output.scores:q} \
            &>{log:q}
        """


rule summaries_of_run:
    """What a run's last checkpoint writes of books from their titles."""
    input:
        model="results/{scale}/runs/{run}/checkpoints",
        prompts=answers.field("suites", "suite", "prompts", "results/{scale}/sources/{value}/documents.parquet"),
    output:
        texts="results/{scale}/evaluations/{run}/{suite}.texts.parquet",
    log:
        "logs/{scale}/summaries_of_run/{run}-{suite}.log",
    benchmark:
        "timings/{scale}/summaries_of_run/{run}-{suite}.tsv"
    wildcard_constraints:
        run=study.names("runs", kind="continual"),
        suite=study.names("suites", kind="summaries"),
    conda:
        answers.environment("suites", "suite", "engine", "training")
    resources:
        gpu=answers.gpus,
        runtime=answers.minutes("summaries_of_run"),
        mem_mb=answers.memory("summaries_of_run"),
    params:
        row=answers.summary_row,
        model=answers.last_checkpoint,
        code=code_of("scripts/synthesis/sample.py"),
        work=answers.work("summaries", "suites", "suite", "scripts/synthesis/sample.py", also="run"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.synthesis.sample \
            --row {params.row:q} \
            --code {params.code} \
            --model {params.model:q} \
            --prompts {input.prompts:q} \
            --shard 1-of-1 \
            --out {output.texts:q} \
            --work {params.work:q} \
            &>{log:q}
        """


use rule summaries_of_run as summaries_of_model with:
    """What a model as it is writes of books from their titles."""
    input:
        model="results/{scale}/models/{run}",
        prompts=answers.field("suites", "suite", "prompts", "results/{scale}/sources/{value}/documents.parquet"),
    log:
        "logs/{scale}/summaries_of_model/{run}-{suite}.log",
    benchmark:
        "timings/{scale}/summaries_of_model/{run}-{suite}.tsv"
    wildcard_constraints:
        run=study.names("models"),
        suite=study.names("suites", kind="summaries"),


rule book_claims:
    """What is true, false and salient in what a run and its base write of books, by the length that is asked for."""
    input:
        books=answers.field("suites", "suite", "source", "results/{scale}/sources/{value}/documents.parquet"),
        prompts=answers.field("suites", "suite", "prompts", "results/{scale}/sources/{value}/documents.parquet"),
        base=answers.base_summaries,
        run="results/{scale}/evaluations/{run}/{suite}.texts.parquet",
    output:
        scores="results/{scale}/evaluations/{run}/{suite}.parquet",
    log:
        "logs/{scale}/book_claims/{run}-{suite}.log",
    benchmark:
        "timings/{scale}/book_claims/{run}-{suite}.tsv"
    wildcard_constraints:
        run=study.names("runs", kind="continual"),
        suite=study.names("suites", kind="summaries"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("suites", "suite"),
        epoch=answers.last_epoch,
        code=code_of("scripts/evaluation/book_claims.py", "scripts/lib/books.yaml"),
    script:
        "../scripts/evaluation/book_claims.py"


rule bits:
    """Bits per byte of a gate's models on held-out documents."""
    input:
        models=answers.field("gates", "gate", "models", "results/{scale}/models/{value}"),
        heldout=answers.field("gates", "gate", "heldout", "results/{scale}/sources/{value}/documents.parquet"),
    output:
        bits="results/{scale}/gates/{gate}.bits.csv",
    log:
        "logs/{scale}/bits/{gate}.log",
    benchmark:
        "timings/{scale}/bits/{gate}.tsv"
    conda:
        "../envs/training.yaml"
    params:
        row=answers.json_row("gates", "gate"),
        code=code_of("scripts/evaluation/bits.py"),
    shell:
        """
        python -m scripts.evaluation.bits \
            --row {params.row:q} \
            --code {params.code} \
            --models {input.models:q} \
            --heldout {input.heldout:q} \
            --out {output.bits:q} \
            &>{log:q}
        """


rule gate:
    """The table of the bases; it stops the workflow where a task leaves no room to rise or fall."""
    input:
        scores=answers.gate_scores,
        bits="results/{scale}/gates/{gate}.bits.csv",
    output:
        table="results/{scale}/gates/{gate}.csv",
    log:
        "logs/{scale}/gate/{gate}.log",
    benchmark:
        "timings/{scale}/gate/{gate}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("gates", "gate"),
        tasks=answers.gate_tasks,
        code=code_of("scripts/evaluation/gate.py"),
    script:
        "../scripts/evaluation/gate.py"


rule gates:
    """The eight gates of a figure of trained students; one that fails stops the workflow with its reason."""
    input:
        scores=answers.drawn,
        bases=answers.drawn_bases,
        documents=answers.drawn_documents,
        corpora=answers.drawn_corpora,
        suites=answers.drawn_suites,
        planted=answers.drawn_planted,
        nll=answers.drawn_nll,
        accumulation="results/{scale}/gates/accumulation.json",
    output:
        gates="results/{scale}/gates/{figure}.json",
    log:
        "logs/{scale}/gates/{figure}.log",
    benchmark:
        "timings/{scale}/gates/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        runs=answers.bases_of,
        hot=answers.published_nll,
        code=code_of("scripts/gates.py"),
    script:
        "../scripts/gates.py"


rule concept_suite:
    """What a model recalls of the concept world, as lm-eval tasks."""
    output:
        folder=directory("results/{scale}/suites/{suite}"),
    log:
        "logs/{scale}/concept_suite/{suite}.log",
    benchmark:
        "timings/{scale}/concept_suite/{suite}.tsv"
    wildcard_constraints:
        suite=study.names("suites", kind="concepts"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("suites", "suite"),
        code=code_of(
            "scripts/sources/concept_probes.py",
            "scripts/sources/concept_data/*.yaml",
            "scripts/evaluation/tasks/concepts_*.yaml",
        ),
    script:
        "../scripts/sources/concept_probes.py"


rule heldout:
    """The loss of a pretrained model, and of the checkpoints within its pretraining, on documents of a source."""
    input:
        model="results/{scale}/models/{model}",
        checkpoints=answers.checkpoints_within,
        documents="results/{scale}/sources/{source}/documents.parquet",
    output:
        table="results/{scale}/evaluations/{model}/{source}.heldout.parquet",
    log:
        "logs/{scale}/heldout/{model}-{source}.log",
    benchmark:
        "timings/{scale}/heldout/{model}-{source}.tsv"
    wildcard_constraints:
        model=study.names("models", kind="scratch"),
    conda:
        "../envs/training.yaml"
    resources:
        gpu=answers.gpus,
        runtime=answers.minutes("heldout"),
        mem_mb=answers.memory("heldout"),
    params:
        row=answers.json_row("models", "model"),
        checkpoints=answers.checkpoints_option,
        code=code_of("scripts/evaluation/heldout.py"),
    shell:
        """
        python -m scripts.lib.gpus {resources.gpu} &>{log:q}
        python -m scripts.evaluation.heldout \
            --row {params.row:q} \
            --code {params.code} \
            --model {input.model:q} \
            --documents {input.documents:q} \
            --out {output.table:q} \
            {params.checkpoints} \
            &>{log:q}
        """
