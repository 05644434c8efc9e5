"""Figures of EntiGraph (arXiv 2409.07431) and its neighbours.

Makes results/{scale}/entigraph/{name}.pdf with .png, .csv and .claims.json.
"""


rule entigraph_fit:
    """Three exponentials fitted to accuracy by synthetic tokens (Figure 4): the printed curve, and our own points beside it."""
    input:
        curve="papers/entigraph/curve.yaml",
        points="results/{scale}/entigraph/curve-points.csv",
        claims="papers/entigraph/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/entigraph_fit/{figure}.log",
    benchmark:
        "timings/{scale}/entigraph_fit/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="entigraph-fit"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/entigraph/fit.py", "papers/entigraph/curve.yaml"),
    script:
        "fit.py"


rule entigraph_theory:
    """The theorem's toy (Figure 5): how the density of known relations grows, simulated, against its bounds."""
    input:
        claims="papers/entigraph/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/entigraph_theory/{figure}.log",
    benchmark:
        "timings/{scale}/entigraph_theory/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="entigraph-theory"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/entigraph/theory.py"),
    script:
        "theory.py"


rule entigraph_curve:
    """Figure 2: accuracy on questions about the books, without the books, by synthetic tokens of three methods."""
    input:
        scores=answers.drawn,
        suites=answers.drawn_folders,
        claims="papers/entigraph/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        points="results/{scale}/{figure}-points.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/entigraph_curve/{figure}.log",
    benchmark:
        "timings/{scale}/entigraph_curve/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="entigraph-curve"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/entigraph/curve.py"),
    script:
        "curve.py"


rule entigraph_raw:
    """The books themselves as training text, and replay: accuracy, and loss on other text."""
    input:
        scores=answers.drawn,
        losses=answers.drawn_losses,
        suites=answers.drawn_folders,
        claims="papers/entigraph/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/entigraph_raw/{figure}.log",
    benchmark:
        "timings/{scale}/entigraph_raw/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="entigraph-raw"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/entigraph/raw.py"),
    script:
        "raw.py"


rule entigraph_qa:
    """Appendix D: what questions and answers teach per token, and of what kind, beside EntiGraph."""
    input:
        scores=answers.drawn,
        suites=answers.drawn_folders,
        claims="papers/entigraph/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/entigraph_qa/{figure}.log",
    benchmark:
        "timings/{scale}/entigraph_qa/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="entigraph-qa"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/entigraph/qa.py"),
    script:
        "qa.py"


rule entigraph_saturation:
    """Whether paraphrase saturates: raw, one rephrasing and many at equal tokens, and gain against self-BLEU."""
    input:
        scores=answers.drawn,
        diversity=answers.drawn_diversity,
        suites=answers.drawn_folders,
        claims="papers/entigraph/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/entigraph_saturation/{figure}.log",
    benchmark:
        "timings/{scale}/entigraph_saturation/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="entigraph-saturation"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/entigraph/saturation.py"),
    script:
        "saturation.py"


rule entigraph_loss:
    """MGA's paradox: change in accuracy against change in loss on held-out real text."""
    input:
        scores=answers.drawn,
        losses=answers.drawn_losses,
        suites=answers.drawn_folders,
        claims="papers/entigraph/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/entigraph_loss/{figure}.log",
    benchmark:
        "timings/{scale}/entigraph_loss/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="entigraph-loss"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/entigraph/loss.py"),
    script:
        "loss.py"


rule entigraph_openbook:
    """Answers with the book retrieved (Table 3): base and trained, paired with answers without it; recall@k."""
    input:
        scores=answers.drawn,
        suite=answers.closed_book,
        retrieved=answers.drawn_retrieved,
        claims="papers/entigraph/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/entigraph_openbook/{figure}.log",
    benchmark:
        "timings/{scale}/entigraph_openbook/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="entigraph-openbook"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/entigraph/openbook.py"),
    script:
        "openbook.py"


rule entigraph_salient:
    """What models tell of a book from its title (Figures 3 and 8): salient against false claims by requested length."""
    input:
        scores=answers.drawn,
        claims="papers/entigraph/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/entigraph_salient/{figure}.log",
    benchmark:
        "timings/{scale}/entigraph_salient/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="entigraph-salient"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/entigraph/salient.py"),
    script:
        "salient.py"


rule entigraph_corpus:
    """Corpora of each method (Table 1, Figure 6): how text grows with entities, lengths, near-duplicates, calls."""
    input:
        growth=answers.field("figures", "figure", "growth", "results/{scale}/audits/sizes/{value}.parquet"),
        sizes=answers.drawn_sizes,
        curated=answers.drawn_curations,
        claims="papers/entigraph/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/entigraph_corpus/{figure}.log",
    benchmark:
        "timings/{scale}/entigraph_corpus/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="entigraph-corpus"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/entigraph/corpus.py"),
    script:
        "corpus.py"
