# resynth: every figure and table of the papers on synthetic data for language models is a file; this builds the file.
#
# Path grammar; {scale} is smoke, laptop, gpu or paper, other wildcards are names of rows (papers/*/study.yaml):
#   results/{scale}/sources/{source}/documents.parquet
#   results/{scale}/tokenizers/{tokenizer}/                     tokenizer.json
#   results/{scale}/models/{model}/                             a Hugging Face directory; {model}.checkpoints/ within pretraining
#   results/{scale}/suites/{suite}/                             lm-eval tasks, and items.parquet with their texts
#   results/{scale}/pairs/{pairs}.parquet                       pairs of related documents
#   results/{scale}/corpora/{corpus}/prompts.parquet            after which a synthesizer writes
#   results/{scale}/corpora/{corpus}/shards/{k}-of-{n}.parquet  what a model writes, in jobs of their own
#   results/{scale}/corpora/{corpus}/{synthesized,curated,removed}.parquet, samples.txt, curation.json
#   results/{scale}/embedders/{embedder}/                       what puts documents and items into one space
#   results/{scale}/audits/similarity/{corpus}-to-{suite}-by-{embedder}.parquet, .items.parquet
#   results/{scale}/audits/nll/{corpus}-by-{model}.parquet, .lengths.csv
#   results/{scale}/audits/unigrams/{corpus}-against-{other}-in-{model}.csv
#   results/{scale}/audits/{diversity/{run}.csv,sizes/{corpus}.parquet,retrieval/{suite}-by-{retriever}.parquet}
#   results/{scale}/audits/embeddings/{source}-by-{embedder}.npy
#   results/{scale}/audits/conditional/{run}-by-{model}.parquet
#   results/{scale}/audits/{readings or quality}/{source or corpus}.parquet
#   results/{scale}/runs/{run}/documents.parquet, held-out.parquet of pairs
#   results/{scale}/runs/{run}/checkpoints/subset-{s}/epoch-{n}/, trace.parquet
#   results/{scale}/tokens/{tokenizer}/{source or corpus}/      token ids, which sweeps read
#   results/{scale}/sweeps/{sweep}/{k}-of-{n}{,.traces}.parquet many small models: losses by domain, and by token where asked for
#   results/{scale}/mixtures/{runs.csv,{domains,traces,unigrams}.parquet}  of all sweeps: a line a model, by domain, by token
#   results/{scale}/evaluations/{run or model}/{suite}.parquet  one line per checkpoint, task, metric and item (or candidate)
#   results/{scale}/evaluations/{run}/{suite}.{heldout,overlap}.parquet  beside an extraction suite
#   results/{scale}/evaluations/{run or model}/{suite}.texts.parquet  what is written from the prompts of a suite of summaries
#   results/{scale}/evaluations/{model}/{source}.heldout.parquet  loss on the source, of checkpoints within pretraining too
#   results/{scale}/gates/{gate}.csv
#   results/{scale}/mixtures/texts.csv                          what the texts of the mixtures are made of
#   results/{scale}/{figure}.{pdf,png,csv,claims.json}          copied to results/ for the active scale; entigraph/theory is a figure
#   results/{scale}/{folder}replicates.csv                      a paper's claims by replicate; copied to results/{folder} too
#   results/{scale}/{folder}claims.{json,html}                  a paper's page of verdicts; copied too. folder: none, entigraph/,
#                                                               mixtures/, sbp/
#   results/{scale}/mixtures/table{1..5}.csv                    copied to results/mixtures/ too
#   results/{scale}/downloads.tsv                               what comes from the hub; copied to results/ too
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
    retriever=study.names("retrievers"),
    pairs=study.names("pairs"),
    written="[^/]+",  # a source or a corpus
    other="[^/]+",
    writer=study.names("models"),
    figure=study.names("figures"),
    folder="(?:entigraph/|mixtures/|sbp/)?",


SCALE = study.active_scale(config)
FIGURES = {  # by a paper's folder under results/, in the order of its page of verdicts
    "": [f"fig{number}" for number in range(1, 12)],
    "entigraph/": [
        f"entigraph/{name}"
        for name in ("curve", "fit", "theory", "openbook", "raw", "salient", "qa", "corpus", "saturation", "loss")
    ],
    "sbp/": [f"sbp/{name}" for name in ("gains", "dynamics", "synthesizer", "quality", "shares", "alphabet", "diversity")],
    "mixtures/": [f"mixtures/{name}" for name in (*(f"fig{number}" for number in range(1, 11)), "speedup", "worlds")],
}
CLAIMS = {
    "": "papers/bos_only/claims.yaml",
    "entigraph/": "papers/entigraph/claims.yaml",
    "sbp/": "papers/sbp/claims.yaml",
    "mixtures/": "papers/mixtures/claims.yaml",
}
TITLES = {
    "": "Not All Synthetic Data Is Yours to Learn From (arXiv 2605.31126)",
    "entigraph/": "Synthetic continued pretraining (EntiGraph, arXiv 2409.07431) and its neighbours",
    "sbp/": "Synthetic bootstrapped pretraining (arXiv 2509.15248)",
    "mixtures/": "Demystifying Synthetic Data in LLM Pre-training (arXiv 2510.01631)",
}


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
include: "papers/entigraph/rules.smk"
include: "papers/sbp/tables.smk"
include: "papers/sbp/rules.smk"
include: "papers/mixtures/texts.smk"
include: "papers/mixtures/tables.smk"
include: "papers/mixtures/rules.smk"
include: "rules/claims.smk"
include: "rules/downloads.smk"


localrules:
    all,
    all_bos_only,
    all_entigraph,
    all_sbp,
    mixtures,


rule all_bos_only:
    """Every figure of "Not All Synthetic Data Is Yours to Learn From", and its page of verdicts."""
    input:
        expand("results/{figure}.pdf", figure=FIGURES[""]),
        "results/claims.html",


rule all_entigraph:
    """Every figure of EntiGraph and its neighbours, and their page of verdicts."""
    input:
        expand("results/{figure}.pdf", figure=FIGURES["entigraph/"]),
        "results/entigraph/claims.html",


rule all_sbp:
    """Every figure of synthetic bootstrapped pretraining, and its page of verdicts."""
    input:
        expand("results/{figure}.pdf", figure=FIGURES["sbp/"]),
        "results/sbp/claims.html",
        "results/sbp/quality.html",


rule mixtures:
    """Every figure and table of "Demystifying Synthetic Data in LLM Pre-training", and its page of verdicts."""
    input:
        expand("results/{figure}.pdf", figure=FIGURES["mixtures/"]),
        expand("results/mixtures/table{number}.csv", number=range(1, 6)),
        "results/mixtures/claims.html",


rule all:
    """Every figure of every paper at the active scale, and the pages of verdicts."""
    default_target: True
    input:
        rules.all_bos_only.input,
        rules.all_entigraph.input,
        rules.all_sbp.input,
        rules.mixtures.input,
