"""What a scale takes from the hub.

Makes results/{scale}/downloads.tsv (what, from where, how large, under which terms, whether it is here). Rule fetch makes all that
is downloaded, so that nothing else needs network. The rules that download run where Snakemake does, on a cluster's login node.
"""


localrules:
    hub_model,
    hub,
    quality,
    quality_suite,
    embedder,
    harness_suite,
    perturbed_suite,
    fetch,


rule fetch:
    """All that the active scale takes from the hub: run it on a node with network, and no job needs any afterwards."""
    input:
        downloads.artifacts(SCALE),


rule downloads:
    """What a scale takes from the hub, and what of it is here."""
    output:
        table="results/{scale}/downloads.tsv",
    log:
        "logs/{scale}/downloads/downloads.log",
    conda:
        "../envs/figures.yaml"
    params:
        lines=downloads.listed,
        code=code_of("scripts/downloads.py"),
    script:
        "../scripts/downloads.py"


rule copy_of_the_downloads:
    """results/downloads.tsv: a copy of the active scale's."""
    input:
        f"results/{SCALE}/downloads.tsv",
    output:
        "results/downloads.tsv",
    log:
        "logs/copy/downloads.log",
    conda:
        "../envs/figures.yaml"
    shell:
        "cp {input:q} {output:q} 2> {log:q}"
