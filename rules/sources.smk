"""Documents that are read or invented, not sampled.

Makes results/{scale}/sources/{source}/documents.parquet (and its card) from installed packages, invented worlds and books, local
files or the hub, one rule a kind of source; and results/{scale}/audits/readings/{source or corpus}.parquet, by who knows the truth.
"""


rule prose:
    """Real English: the prose of docstrings of pinned packages."""
    input:
        lock="envs/laptop.lock",
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/prose/{source}.log",
    benchmark:
        "timings/{scale}/prose/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="prose"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/prose.py"),
    script:
        "../scripts/sources/prose.py"


rule code:
    """Real code: functions and methods of pinned packages."""
    input:
        lock="envs/laptop.lock",
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/code/{source}.log",
    benchmark:
        "timings/{scale}/code/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="code"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/functions.py"),
    script:
        "../scripts/sources/functions.py"


rule part:
    """One of three parts of a source that share no document: planted, background, held-out."""
    input:
        documents=answers.field("sources", "source", "of", "results/{scale}/sources/{value}/documents.parquet"),
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/part/{source}.log",
    benchmark:
        "timings/{scale}/part/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="part"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/parts.py"),
    script:
        "../scripts/sources/parts.py"


rule planted:
    """Passages of a source, each repeated a known number of times."""
    input:
        documents=answers.field("sources", "source", "of", "results/{scale}/sources/{value}/documents.parquet"),
        tokenizer=answers.field("sources", "source", "tokenizer", "results/{scale}/tokenizers/{value}"),
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/planted/{source}.log",
    benchmark:
        "timings/{scale}/planted/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="planted"),
    conda:
        "../envs/training.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/planted.py"),
    script:
        "../scripts/sources/planted.py"


rule pocket:
    """Documents of the pocket world, rendered in the genres of the row."""
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/pocket/{source}.log",
    benchmark:
        "timings/{scale}/pocket/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="pocket"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/pocket.py", "scripts/sources/pocket_data/*.yaml"),
    script:
        "../scripts/sources/pocket.py"


rule pages:
    """Noisy web pages with articles of the pocket world and real prose."""
    input:
        documents=answers.field("sources", "source", "of", "results/{scale}/sources/{value}/documents.parquet"),
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/pages/{source}.log",
    benchmark:
        "timings/{scale}/pages/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="pages"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/pages.py", "scripts/sources/pocket_data/*.yaml", "scripts/sources/page_data/*.yaml"),
    script:
        "../scripts/sources/pages.py"


rule chosen:
    """Documents of a source that are about something: of one package, of several."""
    input:
        documents=answers.field("sources", "source", "of", "results/{scale}/sources/{value}/documents.parquet"),
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/chosen/{source}.log",
    benchmark:
        "timings/{scale}/chosen/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="chosen"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/chosen.py"),
    script:
        "../scripts/sources/chosen.py"


rule books:
    """Made books, and texts in many forms about other books of their world."""
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/books/{source}.log",
    benchmark:
        "timings/{scale}/books/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind=("books", "about-books")),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/books.py", "scripts/lib/books.yaml"),
    script:
        "../scripts/sources/books.py"


rule titles:
    """Prompts that name a made book and say nothing of it."""
    input:
        documents=answers.field("sources", "source", "of", "results/{scale}/sources/{value}/documents.parquet"),
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/titles/{source}.log",
    benchmark:
        "timings/{scale}/titles/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="titles"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/titles.py", "scripts/lib/books.yaml"),
    script:
        "../scripts/sources/titles.py"


rule path:
    """Documents from local files: txt, jsonl, Parquet, compressed or not."""
    input:
        files=answers.local_files,
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/path/{source}.log",
    benchmark:
        "timings/{scale}/path/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="path"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/path.py"),
    script:
        "../scripts/sources/path.py"


rule hub:
    """Documents of a hub data set at its pinned revision."""
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/hub/{source}.log",
    benchmark:
        "timings/{scale}/hub/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="hub"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/hub.py"),
    script:
        "../scripts/sources/hub.py"


rule quality_articles:
    """The articles of QuALITY, each once, under a line with title, author and year."""
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/quality_articles/{source}.log",
    benchmark:
        "timings/{scale}/quality_articles/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="quality"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/quality.py"),
    script:
        "../scripts/sources/quality.py"


rule concepts:
    """Documents of the concept world: some of a village's facts, in one of six genres."""
    output:
        documents="results/{scale}/sources/{source}/documents.parquet",
    log:
        "logs/{scale}/concepts/{source}.log",
    benchmark:
        "timings/{scale}/concepts/{source}.tsv"
    wildcard_constraints:
        source=study.names("sources", kind="concepts"),
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.row("sources", "source"),
        code=code_of("scripts/sources/concepts.py", "scripts/sources/concept_data/*.yaml"),
    script:
        "../scripts/sources/concepts.py"


rule readings:
    """What the documents of a source or of a corpus state of the concept world, and what of it is false."""
    input:
        documents=answers.written,
    output:
        readings="results/{scale}/audits/readings/{written}.parquet",
    log:
        "logs/{scale}/readings/{written}.log",
    benchmark:
        "timings/{scale}/readings/{written}.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        row=answers.world_of,
        code=code_of("scripts/sources/readings.py", "scripts/sources/concept_data/*.yaml"),
    script:
        "../scripts/sources/readings.py"
