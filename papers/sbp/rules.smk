"""Figures of synthetic bootstrapped pretraining (arXiv 2509.15248).

Makes results/{scale}/sbp/{name}.pdf with .png, .csv and .claims.json, and quality.html (texts to read; copied too).
"""


rule sbp_alphabet:
    """The thought experiment of five letters: where nothing can be learned, no training beats ln 5 nats a letter."""
    input:
        table="results/{scale}/{figure}-runs.csv",
        claims="papers/sbp/claims.yaml",
    output:
        pdf=report(
            "results/{scale}/{figure}.pdf", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        png=report(
            "results/{scale}/{figure}.png", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/sbp_alphabet/{figure}.log",
    benchmark:
        "timings/{scale}/sbp_alphabet/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="sbp-alphabet"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/sbp/alphabet.py"),
    script:
        "alphabet.py"


rule sbp_gains:
    """SBP's main table: baseline, SBP and oracle in loss and accuracy, the share of the oracle's gain, and the whole cost."""
    input:
        losses=answers.compared_losses,
        scores=answers.compared_scores,
        cards=answers.billed,
        claims="papers/sbp/claims.yaml",
    output:
        pdf=report(
            "results/{scale}/{figure}.pdf", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        png=report(
            "results/{scale}/{figure}.png", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/sbp_gains/{figure}.log",
    benchmark:
        "timings/{scale}/sbp_gains/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="sbp-gains"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        bill=answers.bill,
        code=code_of("papers/sbp/gains.py"),
    script:
        "gains.py"


rule sbp_dynamics:
    """Held-out loss while baseline, SBP and oracle are trained: where SBP goes ahead, and whether the baseline is flat."""
    input:
        losses=answers.compared_losses,
        claims="papers/sbp/claims.yaml",
    output:
        pdf=report(
            "results/{scale}/{figure}.pdf", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        png=report(
            "results/{scale}/{figure}.png", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/sbp_dynamics/{figure}.log",
    benchmark:
        "timings/{scale}/sbp_dynamics/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="sbp-dynamics"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        tokens=answers.compared_tokens,
        code=code_of("papers/sbp/dynamics.py"),
    script:
        "dynamics.py"


rule sbp_synthesizer:
    """Whether the synthesizer writes after what it is given: log p(d2 | d1) for the true d1 and another."""
    input:
        tables=answers.conditional_of,
        held_out=answers.field("figures", "figure", "run", "results/{scale}/runs/{value}/held-out.parquet"),
        claims="papers/sbp/claims.yaml",
    output:
        pdf=report(
            "results/{scale}/{figure}.pdf", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        png=report(
            "results/{scale}/{figure}.png", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/sbp_synthesizer/{figure}.log",
    benchmark:
        "timings/{scale}/sbp_synthesizer/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="sbp-synthesizer"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/sbp/synthesizer.py"),
    script:
        "synthesizer.py"


rule sbp_quality:
    """Repetition, near-duplicates, truth, relevance and copies of what synthesizers write; and a page of it to read."""
    input:
        tables=answers.corpora_of("audits/quality/{corpus}.parquet"),
        of_real=answers.field("figures", "figure", "real_source", "results/{scale}/audits/quality/{value}.parquet"),
        documents=answers.corpora_of("corpora/{corpus}/synthesized.parquet"),
        real=answers.field("figures", "figure", "real_source", "results/{scale}/sources/{value}/documents.parquet"),
        pairs=answers.field("figures", "figure", "pairs", "results/{scale}/pairs/{value}.parquet"),
        answers=answers.judged_of,
        claims="papers/sbp/claims.yaml",
    output:
        pdf=report(
            "results/{scale}/{figure}.pdf", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        png=report(
            "results/{scale}/{figure}.png", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
        html=report(
            "results/{scale}/{figure}.html", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
    log:
        "logs/{scale}/sbp_quality/{figure}.log",
    benchmark:
        "timings/{scale}/sbp_quality/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="sbp-quality"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        parameters=answers.sizes_of,
        code=code_of("papers/sbp/quality.py", "papers/sbp/quality.html.j2"),
    script:
        "quality.py"


rule sbp_shares:
    """How much of the token budget a synthesizer should write: loss and accuracy by its share."""
    input:
        losses=answers.compared_losses,
        scores=answers.compared_scores,
        claims="papers/sbp/claims.yaml",
    output:
        pdf=report(
            "results/{scale}/{figure}.pdf", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        png=report(
            "results/{scale}/{figure}.png", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/sbp_shares/{figure}.log",
    benchmark:
        "timings/{scale}/sbp_shares/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="sbp-shares"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/sbp/shares.py"),
    script:
        "shares.py"


rule sbp_diversity:
    """How alike the texts are that are written after one document, at two temperatures."""
    input:
        tables=answers.corpora_of("audits/likeness/{corpus}.parquet"),
        claims="papers/sbp/claims.yaml",
    output:
        pdf=report(
            "results/{scale}/{figure}.pdf", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        png=report(
            "results/{scale}/{figure}.png", caption="../../rules/captions/figure.rst", category="SBP", subcategory="{figure}"
        ),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/sbp_diversity/{figure}.log",
    benchmark:
        "timings/{scale}/sbp_diversity/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="sbp-diversity"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/sbp/diversity.py"),
    script:
        "diversity.py"


rule copy_of_the_texts:
    """results/sbp/quality.html, the texts to read: a copy of the active scale's."""
    input:
        f"results/{SCALE}/sbp/quality.html",
    output:
        "results/sbp/quality.html",
    log:
        "logs/copy/sbp/quality.html.log",
    conda:
        "../../envs/figures.yaml"
    shell:
        "cp {input:q} {output:q} 2> {log:q}"
