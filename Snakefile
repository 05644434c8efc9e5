# resynth: every figure and table of the papers on synthetic data for language models is a file; this builds the file.
#
# Path grammar; {scale} is smoke, laptop, gpu or paper, other wildcards are names of rows (papers/*/study.yaml):
#   results/{scale}/sources/{source}/documents.parquet
#   results/{scale}/tokenizers/{tokenizer}/                     tokenizer.json
#   results/{scale}/models/{model}/                             a Hugging Face directory
#   results/{scale}/suites/{suite}/                             lm-eval tasks, and items.parquet with their texts
#   results/{scale}/corpora/{corpus}/shards/{k}-of-{n}.parquet  what a model writes, in jobs of their own
#   results/{scale}/corpora/{corpus}/{synthesized,curated,removed}.parquet, samples.txt, curation.json
#   results/{scale}/embedders/{embedder}/                       what puts documents and items into one space
#   results/{scale}/audits/similarity/{corpus}-to-{suite}-by-{embedder}.parquet, .items.parquet
#   results/{scale}/audits/nll/{corpus}-by-{model}.parquet, .lengths.csv
#   results/{scale}/audits/unigrams/{corpus}-against-{other}-in-{model}.csv
#   results/{scale}/runs/{run}/documents.parquet, checkpoints/subset-{s}/epoch-{n}/, trace.parquet
#   results/{scale}/evaluations/{run or model}/{suite}.parquet  one line per checkpoint, task, metric and item (or candidate)
#   results/{scale}/evaluations/{run}/{suite}.{heldout,overlap}.parquet  beside an extraction suite
#   results/{scale}/gates/{gate}.csv
#   results/{scale}/{figure}.{pdf,png,csv,claims.json}          copied to results/ for the active scale
#   results/{scale}/replicates.csv                              claims by replicate; copied to results/ too
#   results/{scale}/downloads.tsv                               what comes from the hub; copied to results/ too
#   results/{scale}/claims.{json,html}                          the page of verdicts; copied to results/ too
#   results/{scale}/work/                                       from which killed jobs resume; never declared
#   logs/{scale}/{rule}/{row}.log, timings/{scale}/{rule}/{row}.tsv
import gc

from snakemake.utils import min_version

from scripts import answers, downloads, study, upstream
from scripts.code import code_of

min_version("9.27")
gc.set_threshold(100_000, 50, 50)  # looking for garbage as often as Python does takes an eighth of a dry run's time


configfile: "config.yaml"


wildcard_constraints:
    scale="|".join(study.SCALES),
    source=study.names("sources"),
    tokenizer=study.names("tokenizers"),
    model=study.names("models"),
    corpus="[^/]+",  # the hundreds of names of corpora and runs are looked up in their tables, not compiled into every pattern
    run="[^/]+",
    suite=study.names("suites"),
    gate=study.names("gates"),
    embedder=study.names("embedders"),
    other="[^/]+",
    writer=study.names("models"),
    figure=study.names("figures"),


SCALE = study.active_scale(config)
FIGURES = [f"fig{number}" for number in range(1, 12)]  # in the order of the page of verdicts


onstart:
    answers.refuse_without_gpu(SCALE, workflow.executor_plugin.name, workflow.dag.needrun_jobs())
    downloads.refuse(workflow.dag.needrun_jobs())


include: "rules/sources.smk"
include: "rules/models.smk"
include: "rules/synthesis.smk"
include: "rules/curation.smk"
include: "rules/audits.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "papers/bos_only/rules.smk"
include: "rules/claims.smk"
include: "rules/downloads.smk"


localrules:
    all,


rule all:
    """Every figure at the active scale, and the page of verdicts."""
    default_target: True
    input:
        expand("results/{figure}.pdf", figure=FIGURES),
        "results/claims.html",
