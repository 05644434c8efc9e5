"""Figures of "Not All Synthetic Data Is Yours to Learn From" (arXiv 2605.31126).

Makes results/{scale}/{figure}.pdf with .png, .csv and .claims.json from evaluations.
"""


rule fig1:
    """Figure 1: the argument in one picture, composed from the tables of figures 4 to 8 and 10."""
    input:
        csvs=answers.composed(".csv", "fig5", "fig6", "fig7", "fig8"),
        found=answers.composed(".claims.json", "fig4", "fig6", "fig10"),
        claims="papers/bos_only/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/fig1/{figure}.log",
    benchmark:
        "timings/{scale}/fig1/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig1"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/bos_only/fig1.py"),
    script:
        "fig1.py"


rule fig2:
    """Figure 2: change of the student's scores on its own text at three temperatures and on replay."""
    input:
        scores=answers.drawn,
        gates="results/{scale}/gates/{figure}.json",
        claims="papers/bos_only/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/fig2/{figure}.log",
    benchmark:
        "timings/{scale}/fig2/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig2"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/bos_only/fig2.py"),
    script:
        "fig2.py"


rule fig3:
    """Figure 3: figure 2 for the student of the other family."""
    input:
        scores=answers.drawn,
        gates="results/{scale}/gates/{figure}.json",
        claims="papers/bos_only/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/fig3/{figure}.log",
    benchmark:
        "timings/{scale}/fig3/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig3"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/bos_only/fig3.py"),
    script:
        "fig3.py"


rule fig4:
    """Figure 4: the cosine of the student's own text to benchmark items, and what training on text near to and far from them does."""
    input:
        similarities=answers.audited(
            "results/{scale}/audits/similarity/{corpus}-to-{suite}-by-{embedder}.parquet", "corpora", "reference"
        ),
        by_item=answers.audited(
            "results/{scale}/audits/similarity/{corpus}-to-{suite}-by-{embedder}.items.parquet", "corpora", "reference"
        ),
        splits=answers.splits_of,
        scores=answers.drawn,
        gates="results/{scale}/gates/{figure}.json",
        claims="papers/bos_only/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/fig4/{figure}.log",
    benchmark:
        "timings/{scale}/fig4/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig4"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/bos_only/fig4.py"),
    script:
        "fig4.py"


rule fig5:
    """Figure 5: change of the student's scores on text of four source models: self, same lineage, stronger, cross-family."""
    input:
        scores=answers.drawn,
        sources=answers.drawn_sources,
        gates="results/{scale}/gates/{figure}.json",
        claims="papers/bos_only/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/fig5/{figure}.log",
    benchmark:
        "timings/{scale}/fig5/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig5"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/bos_only/fig5.py"),
    script:
        "fig5.py"


rule fig6:
    """Figure 6: how likely the student finds its own text and another family's, at three temperatures."""
    input:
        audits=answers.audited("results/{scale}/audits/nll/{corpus}-by-{scorer}.parquet", "own", "cross"),
        lengths=answers.audited("results/{scale}/audits/nll/{corpus}-by-{scorer}.lengths.csv", "own", "cross"),
        scores=answers.drawn,
        gates="results/{scale}/gates/{figure}.json",
        claims="papers/bos_only/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/fig6/{figure}.log",
    benchmark:
        "timings/{scale}/fig6/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig6"),
    conda:
        "../../envs/training.yaml"  # it takes a function of scripts.audits.nll, whose module can load models
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/bos_only/fig6.py"),
    script:
        "fig6.py"


rule fig7:
    """Figure 7: what four benchmarks say of a model that memorises, trained on its own samples."""
    input:
        scores=answers.drawn,
        gates="results/{scale}/gates/{figure}.json",
        claims="papers/bos_only/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/fig7/{figure}.log",
    benchmark:
        "timings/{scale}/fig7/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig7"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/bos_only/fig7.py"),
    script:
        "fig7.py"


rule fig8:
    """Figure 8: what a model that memorises gives away verbatim, over epochs on its own samples, against drift of equal loss."""
    input:
        scores=answers.drawn,
        heldout=answers.beside_drawn(".heldout.parquet", "arms", "controls"),
        overlap=answers.beside_drawn(".overlap.parquet", "arms"),
        gates="results/{scale}/gates/{figure}.json",
        claims="papers/bos_only/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/fig8/{figure}.log",
    benchmark:
        "timings/{scale}/fig8/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig8"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        near=answers.near_of,
        code=code_of("papers/bos_only/fig8.py"),
    script:
        "fig8.py"


rule fig9:
    """Figure 9: figure 2 with examples in the prompt."""
    input:
        scores=answers.drawn,
        gates="results/{scale}/gates/{figure}.json",
        claims="papers/bos_only/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/fig9/{figure}.log",
    benchmark:
        "timings/{scale}/fig9/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig9"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/bos_only/fig9.py"),
    script:
        "fig9.py"


rule fig10:
    """Figure 10: the other family's student on the first student's text; the crossed interaction of both."""
    input:
        scores=answers.drawn,
        gates="results/{scale}/gates/{figure}.json",
        claims="papers/bos_only/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Figures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/fig10/{figure}.log",
    benchmark:
        "timings/{scale}/fig10/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig10"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/bos_only/fig10.py"),
    script:
        "fig10.py"


use rule fig6 as fig11 with:
    """Figure 11: how likely the other family's model finds its own text and the student's, at three temperatures."""
    log:
        "logs/{scale}/fig11/{figure}.log",
    benchmark:
        "timings/{scale}/fig11/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="fig11"),
