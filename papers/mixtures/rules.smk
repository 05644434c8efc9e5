"""Figures of "Demystifying Synthetic Data in LLM Pre-training" (arXiv 2510.01631), from the tables of tables.smk.

Makes results/{scale}/mixtures/{name}.pdf with .png, .csv and .claims.json, and table1.csv to table5.csv.
"""


rule mixtures_fig1:
    """Figure 1: loss by training tokens of ten mixtures, printed laws and our runs."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        published="papers/mixtures/published.yaml",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_fig1/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_fig1/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-fig1"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/fig1.py", "papers/mixtures/published.yaml"),
    script:
        "fig1.py"


rule mixtures_fig2:
    """Figure 2: loss by model size of ten mixtures, printed laws and our runs."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        published="papers/mixtures/published.yaml",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_fig2/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_fig2/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-fig2"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/fig2.py", "papers/mixtures/published.yaml"),
    script:
        "fig2.py"


rule mixtures_fig3:
    """Figure 3: the irreducible loss of each mixture, from joint fits of size and tokens."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        published="papers/mixtures/published.yaml",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_fig3/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_fig3/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-fig3"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/fig3.py", "papers/mixtures/published.yaml"),
    script:
        "fig3.py"


rule mixtures_fig4:
    """Figure 4: the best share of synthetic text by size, token budget and kind of text."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        published="papers/mixtures/published.yaml",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_fig4/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_fig4/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-fig4"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/fig4.py", "papers/mixtures/published.yaml"),
    script:
        "fig4.py"


rule mixtures_fig5:
    """Figure 5: text of three generators of different capability, by its share."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_fig5/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_fig5/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-fig5"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/fig5.py"),
    script:
        "fig5.py"


rule mixtures_fig6:
    """Figure 6: losses at the largest token budget, predicted from smaller ones."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        published="papers/mixtures/published.yaml",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_fig6/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_fig6/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-fig6"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/fig6.py", "papers/mixtures/published.yaml"),
    script:
        "fig6.py"


rule mixtures_fig7:
    """Figure 7: losses of the largest model, predicted from smaller ones."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        published="papers/mixtures/published.yaml",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_fig7/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_fig7/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-fig7"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/fig7.py", "papers/mixtures/published.yaml"),
    script:
        "fig7.py"


rule mixtures_fig8:
    """Figure 8: the loss of natural text over size and tokens, and its contours."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        published="papers/mixtures/published.yaml",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_fig8/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_fig8/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-fig8"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/fig8.py", "papers/mixtures/published.yaml"),
    script:
        "fig8.py"


rule mixtures_fig9:
    """Figure 9: single tokens of training and held-out texts, and whether they explain the losses."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        domains="results/{scale}/mixtures/domains.parquet",
        unigrams="results/{scale}/mixtures/unigrams.parquet",
        published="papers/mixtures/published.yaml",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_fig9/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_fig9/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-fig9"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/fig9.py", "papers/mixtures/published.yaml"),
    script:
        "fig9.py"


rule mixtures_fig10:
    """Figure 10: the loss of each token along the held-out text, by what the model was trained on."""
    input:
        traces="results/{scale}/mixtures/traces.parquet",
        unigrams="results/{scale}/mixtures/unigrams.parquet",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_fig10/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_fig10/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-fig10"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/fig10.py"),
    script:
        "fig10.py"


rule mixtures_speedup:
    """The abstract's claim of 5 to 10 times fewer tokens: to what loss, with what interval, and at what cost of writing."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        published="papers/mixtures/published.yaml",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_speedup/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_speedup/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-speedup"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/speedup.py", "papers/mixtures/published.yaml"),
    script:
        "speedup.py"


rule mixtures_worlds:
    """Worlds whose outcome is known: no difference, no gain left, a loss; and choosing documents beside rewriting them."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        claims="papers/mixtures/claims.yaml",
    output:
        pdf=report("results/{scale}/{figure}.pdf", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        png=report("results/{scale}/{figure}.png", caption="captions/figure.rst", category="Mixtures", subcategory="{figure}"),
        csv="results/{scale}/{figure}.csv",
        claims="results/{scale}/{figure}.claims.json",
    log:
        "logs/{scale}/mixtures_worlds/{figure}.log",
    benchmark:
        "timings/{scale}/mixtures_worlds/{figure}.tsv"
    wildcard_constraints:
        figure=study.names("figures", kind="mixtures-worlds"),
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.row("figures", "figure"),
        code=code_of("papers/mixtures/worlds.py"),
    script:
        "worlds.py"


rule mixtures_tables:
    """Tables 1 to 5: the printed numbers beside what is computed from them, from our settings and from our runs."""
    input:
        runs="results/{scale}/mixtures/runs.csv",
        published="papers/mixtures/published.yaml",
    output:
        table1="results/{scale}/mixtures/table1.csv",
        table2="results/{scale}/mixtures/table2.csv",
        table3="results/{scale}/mixtures/table3.csv",
        table4="results/{scale}/mixtures/table4.csv",
        table5="results/{scale}/mixtures/table5.csv",
    log:
        "logs/{scale}/mixtures_tables.log",
    benchmark:
        "timings/{scale}/mixtures_tables.tsv"
    conda:
        "../../envs/figures.yaml"
    params:
        row=answers.named_row("figures", "mixtures/tables"),
        sweep=answers.recipe_of("grid"),
        code=code_of("papers/mixtures/tables.py", "papers/mixtures/published.yaml"),
    script:
        "tables.py"


rule copy_of_the_tables:
    """results/mixtures/table1.csv to table5.csv: copies of the active scale's."""
    input:
        expand(f"results/{SCALE}/mixtures/table{{number}}.csv", number=range(1, 6)),
    output:
        expand("results/mixtures/table{number}.csv", number=range(1, 6)),
    log:
        "logs/copy/mixtures/tables.log",
    conda:
        "../../envs/figures.yaml"
    shell:
        "cp {input:q} results/mixtures/ 2> {log:q}"
