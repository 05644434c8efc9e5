"""Figures of EntiGraph (arXiv 2409.07431) and its neighbours.

Makes results/{scale}/entigraph/{name}.pdf with .png, .csv and .claims.json.
"""


rule entigraph_fit:
    """Three exponentials fitted to accuracy by synthetic tokens (Figure 4): the printed curve, and our own points beside it."""
    input:
        curve="papers/entigraph/curve.yaml",
        points=[],
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
