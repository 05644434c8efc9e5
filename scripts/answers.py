"""Answers to the rules: input functions, params and resources, from the checked rows of scripts/study.py.

Most take a rule's wildcards, or return a function that does; paths are relative to the project. Nothing is read but the rows.
"""

import hashlib
import json
import math
import os
import shlex
import shutil
from collections.abc import Callable, Iterable
from glob import glob
from types import SimpleNamespace
from typing import TYPE_CHECKING

from scripts.code import ROOT, code_of
from scripts.costs import GPU_SCALES, PAIRS, cost, shape_of, sweep_jobs
from scripts.schema import GENERATED, needs_model
from scripts.study import StudyError, leaves, load, read_yaml, row_at
from scripts.sweeps import arm_of, texts_of

if TYPE_CHECKING:
    from snakemake.jobs import Job

# what a row tells people and the plan: no job reads it, and to correct it reruns nothing
SAID = ("note", "gated", "bytes", "unverified", "shape")
QUALITY = 5000  # documents of a text whose quality is audited


PROMPTS = {method: ROOT / "papers/entigraph/prompts" for method in GENERATED}
PROMPTS |= dict.fromkeys(("hq", "qa-pairs", "textbook"), ROOT / "papers/mixtures/prompts")


def _told(row: dict) -> dict:
    told = {key: value for key, value in row.items() if key not in SAID}
    return told | {"data": {task: _told(data) for task, data in row["data"].items()}} if "data" in row else told


def row(table: str, wildcard: str) -> Callable:
    """For ``params:`` of a script: the row that a wildcard names, as a dict, without what is said for people alone."""
    return lambda wildcards: _told(row_at(table, wildcards[wildcard], wildcards.scale))


def named_row(table: str, name: str) -> Callable:
    """For ``params:`` of a script: the row of this name, where no wildcard names one."""
    return lambda wildcards: _told(row_at(table, name, wildcards.scale))


def json_row(table: str, wildcard: str) -> Callable:
    """For ``params:`` of a shell command: the same as JSON."""
    return lambda wildcards: json.dumps(_told(row_at(table, wildcards[wildcard], wildcards.scale)), sort_keys=True)


def json_named(table: str, wildcard: str, key: str, target: str) -> Callable:
    """For ``params:`` of a shell command: the row of another table that a row's key names, as JSON; null without the key."""

    def text(wildcards):
        name = row_at(table, wildcards[wildcard], wildcards.scale).get(key)
        return json.dumps(_told(row_at(target, name, wildcards.scale)) if name else None, sort_keys=True)

    return text


def work(rule: str, table: str, wildcard: str, script: str, also: str | None = None) -> Callable:
    """For ``params:``: the folder from which a killed job of this row and this code resumes.

    ``also`` is a second wildcard that tells jobs of one row apart: the run, where the row is a suite's.
    """

    def folder(wildcards):
        text = json_row(table, wildcard)(wildcards) + code_of(script)
        key = hashlib.sha256(text.encode()).hexdigest()[:12]
        name = f"{wildcards[also]}-{wildcards[wildcard]}" if also else wildcards[wildcard]
        return f"results/{wildcards.scale}/work/{rule}/{name}-{key}"

    return folder


def documents_of(scale: str, sources: Iterable[str]) -> list[str]:
    """The documents of some sources at a scale, in the order given."""
    return [f"results/{scale}/sources/{source}/documents.parquet" for source in sources]


def local_files(wildcards) -> list[str]:
    """For ``input:`` of a source of kind path: its files, so that an edited file reruns it."""
    patterns = row_at("sources", wildcards.source, wildcards.scale)["path"]
    return sorted({file for pattern in ([patterns] if isinstance(patterns, str) else patterns) for file in glob(pattern)})


def mixed(table: str, wildcard: str) -> Callable:
    """For ``input:``: the documents of all sources (and corpora) that a row's mix (or the phases of its recipe) names."""

    def paths(wildcards):
        found = row_at(table, wildcards[wildcard], wildcards.scale)
        mixes = [phase["mix"] for phase in found["phases"]] if "phases" in found else [found["mix"]]
        return [_written(name, wildcards.scale) for name in dict.fromkeys(name for mix in mixes for name in mix)]

    return paths


def replayed(wildcards) -> list[str]:
    """For ``input:`` of a run: the documents of the sources that its replay mixes in."""
    replay = row_at("runs", wildcards.run, wildcards.scale).get("replay", {})
    return documents_of(wildcards.scale, replay["mix"]) if replay.get("share") else []


def _written(name: str, scale: str) -> str:
    """The documents of a source or of a corpus as they are; rows of the two tables share no name."""
    if name in load()[scale]["sources"]:
        return f"results/{scale}/sources/{name}/documents.parquet"
    return f"results/{scale}/corpora/{name}/synthesized.parquet"


def written(wildcards) -> str:
    """For ``input:`` of an audit of a source or of a corpus: its documents."""
    return _written(wildcards.written, wildcards.scale)


def tabled_texts(wildcards) -> list[str]:
    """For ``input:`` of a table of texts: of each that it lists the documents, and those that they are written from."""
    scale, found = wildcards.scale, row_at("figures", wildcards.figure, wildcards.scale)
    corpora = load()[scale]["corpora"]
    return [_written(one, scale) for name in found["written"] for one in (name, corpora.get(name, {}).get("source", name))]


def real_of(wildcards) -> str:
    """For ``input:`` of an audit: the source that a corpus was written after; a source is its own."""
    source = _real(wildcards)
    return f"results/{wildcards.scale}/sources/{source}/documents.parquet"


def _real(wildcards) -> str:
    corpus = load()[wildcards.scale]["corpora"].get(wildcards.written)
    return corpus["source"] if corpus else wildcards.written


def world_of(wildcards) -> dict:
    """For ``params:``: the row of the source whose world a corpus was written after."""
    return _told(row_at("sources", _real(wildcards), wildcards.scale))


def readings_of(wildcards) -> list[str]:
    """For ``input:`` of an audit: what a corpus and its real documents state, where a reader knows their world."""
    real, scale = _real(wildcards), wildcards.scale
    if row_at("sources", real, scale)["kind"] != "concepts":
        return []
    return [f"results/{scale}/audits/readings/{name}.parquet" for name in (wildcards.written, real)]


def judged(wildcards) -> str:
    """For ``params:`` of a shell command: the options that hand over what ``readings_of`` names."""
    options = ("--readings", "--real-readings")
    return " ".join(f"{option} {path}" for option, path in zip(options, readings_of(wildcards), strict=False))


def quality_row(wildcards) -> str:
    """For ``params:`` of the audit of quality, as JSON: how many documents of a text are looked at, and the seed."""
    table = "corpora" if wildcards.written in load()[wildcards.scale]["corpora"] else "sources"
    row = row_at(table, wildcards.written, wildcards.scale)
    return json.dumps({"sample": min(row.get("samples", row.get("documents")), QUALITY), "seed": row.get("seed", 0)})


def paired_source(table: str, wildcard: str) -> Callable:
    """For ``input:``: the documents of the pairs that a row is, or names by its key ``pairs``."""

    def path(wildcards):
        row = row_at(table, wildcards[wildcard], wildcards.scale)
        return f"results/{wildcards.scale}/sources/{_neighbours(row, wildcards.scale)['source']}/documents.parquet"

    return path


def paired_embeddings(wildcards) -> str:
    """For ``input:`` of pairs: the embeddings of the documents that they are, or are drawn beside."""
    row = _neighbours(row_at("pairs", wildcards.pairs, wildcards.scale), wildcards.scale)
    return f"results/{wildcards.scale}/audits/embeddings/{row['source']}-by-{row['embedder']}.npy"


def _neighbours(row: dict, scale: str) -> dict:
    """The row of the neighbours that a run is tuned on, or that random pairs stand beside."""
    while "source" not in row:
        row = row_at("pairs", row["pairs"] if "pairs" in row else row["of"], scale)
    return row


def conditional_row(wildcards) -> str:
    """For ``params:`` of an audit of a tuned model, as JSON: the block of its run, how many pairs are scored, the seed."""
    run = row_at("runs", wildcards.run, wildcards.scale)
    return json.dumps({"block": run["block"], "documents": PAIRS, "seed": run["seed"]})


def checkpoints_within(wildcards) -> list[str]:
    """For ``input:``: the checkpoints within a model's pretraining, if its row asks for any."""
    model, scale = wildcards.model, wildcards.scale
    return [f"results/{scale}/models/{model}.checkpoints"] if "checkpoints" in row_at("models", model, scale) else []


def checkpoints_option(wildcards) -> str:
    """For ``params:`` of a shell command: the option that hands over what ``checkpoints_within`` names."""
    return "".join(f"--checkpoints {path}" for path in checkpoints_within(wildcards))


def gate_of(wildcards) -> list[str]:
    """For ``input:`` of a run: the gate that its base must have passed, if it has one."""
    gate = row_at("runs", wildcards.run, wildcards.scale).get("gate")
    return [f"results/{wildcards.scale}/gates/{gate}.csv"] if gate else []


def field(table: str, wildcard: str, key: str, pattern: str) -> Callable:
    """For ``input:``: a pattern with ``{value}`` from a row's key and ``{scale}``; one path per list element."""

    def paths(wildcards):
        value = row_at(table, wildcards[wildcard], wildcards.scale).get(key, [])
        values = [value] if isinstance(value, str) else list(value)
        return [pattern.format(value=each, scale=wildcards.scale) for each in values]

    return paths


def runs_of(figure: dict) -> list[str]:
    """The runs that a figure's row names, each once, in its order."""
    return list(dict.fromkeys(run for key in ("arms", "controls", "crossed") for run in leaves(figure.get(key, {}))))


def drawn(wildcards) -> list[str]:
    """For ``input:`` of a figure: the evaluations of every run that it draws, on each of its suites."""
    figure = row_at("figures", wildcards.figure, wildcards.scale)
    return [
        f"results/{wildcards.scale}/evaluations/{run}/{suite}.parquet" for suite in figure["suites"] for run in runs_of(figure)
    ]


def drawn_sources(wildcards) -> list[str]:
    """For ``input:`` of a figure: the evaluations, as they are, of the models that its row names."""
    figure, scale = row_at("figures", wildcards.figure, wildcards.scale), wildcards.scale
    models = [model for model in dict.fromkeys(figure["models"].values()) if model in load()[scale]["models"]]
    return [f"results/{scale}/evaluations/{model}/{suite}.parquet" for suite in figure["suites"] for model in models]


def drawn_folders(wildcards) -> list[str]:
    """For ``input:`` of a figure: the folders of the suites that it draws, which say what an item is about."""
    return [
        f"results/{wildcards.scale}/suites/{suite}" for suite in row_at("figures", wildcards.figure, wildcards.scale)["suites"]
    ]


def drawn_losses(wildcards) -> list[str]:
    """For ``input:`` of a figure: the losses of its runs on the held-out text of the suite that its row names."""
    figure = row_at("figures", wildcards.figure, wildcards.scale)
    return [f"results/{wildcards.scale}/evaluations/{run}/{figure['losses']}.parquet" for run in runs_of(figure)]


def drawn_diversity(wildcards) -> list[str]:
    """For ``input:`` of a figure: how diverse the text is of the first run of each arm at its most tokens."""
    arms = row_at("figures", wildcards.figure, wildcards.scale)["arms"]
    runs = [sizes[max(sizes, key=int)][0] for sizes in arms.values()]
    return [f"results/{wildcards.scale}/audits/diversity/{run}.csv" for run in runs]


def heldout_documents(wildcards) -> list[str]:
    """For ``input:`` of losses: the documents of each task's source, in the order of the tasks' names."""
    tasks = row_at("suites", wildcards.suite, wildcards.scale)["tasks"]
    return documents_of(wildcards.scale, [tasks[task]["source"] for task in sorted(tasks)])


def benchmarks_of(wildcards) -> list[str]:
    """The suites that a figure draws, without those of extraction, whose base is judged within the runs."""
    suites = row_at("figures", wildcards.figure, wildcards.scale)["suites"]
    return [suite for suite in suites if row_at("suites", suite, wildcards.scale)["kind"] != "extraction"]


def bases_of(wildcards) -> dict[str, str]:
    """For ``params:`` of a figure's gates: run -> the base that it starts from."""
    figure = row_at("figures", wildcards.figure, wildcards.scale)
    return {run: row_at("runs", run, wildcards.scale)["base"] for run in runs_of(figure)}


def drawn_bases(wildcards) -> list[str]:
    """For ``input:`` of a figure's gates: the evaluations of the bases by themselves."""
    bases = dict.fromkeys(bases_of(wildcards).values())
    return [
        f"results/{wildcards.scale}/evaluations/{base}/{suite}.parquet" for suite in benchmarks_of(wildcards) for base in bases
    ]


def trained(wildcards) -> dict[str, dict]:
    """The rows of a figure's runs that train on a corpus; noise does not."""
    rows = {run: row_at("runs", run, wildcards.scale) for run in bases_of(wildcards)}
    return {run: row for run, row in rows.items() if "corpus" in row}


def drawn_documents(wildcards) -> list[str]:
    """For ``input:`` of a figure's gates: what its runs are trained on."""
    return [f"results/{wildcards.scale}/runs/{run}/documents.parquet" for run in trained(wildcards)]


def drawn_corpora(wildcards) -> list[str]:
    """For ``input:`` of a figure's gates: the sampled corpora of its runs, before curation."""
    scale = wildcards.scale
    corpora = dict.fromkeys(row["corpus"] for row in trained(wildcards).values())
    sampled = [corpus for corpus in corpora if row_at("corpora", corpus, scale)["method"] == "bos"]
    return [f"results/{scale}/corpora/{corpus}/synthesized.parquet" for corpus in sampled]


def drawn_planted(wildcards) -> list[str]:
    """For ``input:`` of a figure's gates: sources with planted passages that the writers of its corpora learned from."""
    scale, tables = wildcards.scale, load()[wildcards.scale]
    models = [tables["models"][tables["corpora"][path.split("/")[3]]["source_model"]] for path in drawn_corpora(wildcards)]
    recipes = [tables["recipes"][model["recipe"]] for model in models if "recipe" in model]
    sources = dict.fromkeys(source for recipe in recipes for phase in recipe["phases"] for source in phase["mix"])
    return documents_of(scale, [source for source in sources if tables["sources"][source]["kind"] == "planted"])


def drawn_suites(wildcards) -> list[str]:
    """For ``input:`` of a figure's gates: the suites that it draws."""
    return [f"results/{wildcards.scale}/suites/{suite}" for suite in benchmarks_of(wildcards)]


def published_nll(wildcards) -> dict[str, float]:
    """For ``params:`` of a figure's gates: hot corpus -> published mean NLL of such samples by their own model."""
    found = {}
    for path in drawn_corpora(wildcards):
        corpus = row_at("corpora", path.split("/")[3], wildcards.scale)
        known = row_at("models", corpus["source_model"], wildcards.scale).get("hot_nll")
        if known and corpus["temperature"] == 1.25:
            found[corpus["name"]] = known
    return found


def drawn_nll(wildcards) -> list[str]:
    """For ``input:`` of a figure's gates: NLL of the corpora that ``published_nll`` names, by the model that wrote each."""
    scale = wildcards.scale
    scored = {corpus: row_at("corpora", corpus, scale)["source_model"] for corpus in published_nll(wildcards)}
    return [f"results/{scale}/audits/nll/{corpus}-by-{model}.parquet" for corpus, model in scored.items()]


def training_defaults(wildcards) -> str:
    """For ``params:``: the scale's defaults of runs, as JSON."""
    return json.dumps(read_yaml(ROOT / "config.yaml")["scales"][wildcards.scale]["runs"], sort_keys=True)


def replicates_of(figure: str, number: int, scale: str) -> list[str]:
    """A figure and those of its further replicates (rows fig5-r2, fig5-r3, up to ``number``) that exist at a scale."""
    rows = load()[scale]["figures"]
    return [figure, *(name for name in (f"{figure}-r{r}" for r in range(2, number + 1)) if name in rows)]


def replicates(figures: dict[str, list[str]], number: int) -> Callable:
    """For ``input:``: the claims.json of a folder's figures and of their replicates; ``figures`` are those of every folder.

    Raises:
        StudyError: when ``number`` is none, or no figure of any folder has a row for one of the replicates.
    """
    if not isinstance(number, int) or number < 1:
        raise StudyError(f"config.yaml, key replicates: expected a whole number above 0, found {number!r}")

    def paths(wildcards):
        chosen = {folder: _with_replicates(each, number, wildcards.scale) for folder, each in figures.items()}
        for replicate in range(2, number + 1):
            if not any(name.endswith(f"-r{replicate}") for names in chosen.values() for name in names):
                where = f"config.yaml, key replicates: {number}"
                raise StudyError(f"{where}: no figure has a row -r{replicate} at scale {wildcards.scale}")
        return [f"results/{wildcards.scale}/{name}.claims.json" for name in chosen[wildcards.folder]]

    return paths


def _with_replicates(figures: Iterable[str], number: int, scale: str) -> list[str]:
    return [name for figure in figures for name in replicates_of(figure, number, scale)]


def of_figures(figures: dict[str, list[str]], ending: str) -> Callable:
    """For ``input:``: the files of this ending of a folder's figures."""
    return lambda wildcards: [f"results/{wildcards.scale}/{figure}{ending}" for figure in figures[wildcards.folder]]


def of_folder(values: dict[str, str]) -> Callable:
    """For ``input:`` and ``params:``: what belongs to the folder of a paper."""
    return lambda wildcards: values[wildcards.folder]


def audited(pattern: str, *keys: str) -> Callable:
    """For ``input:`` of a figure: a pattern with ``{corpus}`` and the row's keys, for each corpus that ``keys`` name."""

    def paths(wildcards):
        figure = row_at("figures", wildcards.figure, wildcards.scale)
        values = [figure[key] for key in keys]
        corpora = [c for v in values for c in ([v] if isinstance(v, str) else v.values())]
        suite = next(iter(figure["suites"]), None)
        return [pattern.format(**{**figure, "corpus": corpus, "suite": suite}) for corpus in dict.fromkeys(corpora)]

    return paths


def splits_of(wildcards) -> list[str]:
    """For ``input:`` of a figure: the split corpora that its arms train on, whose cards hold the threshold."""
    figure = row_at("figures", wildcards.figure, wildcards.scale)
    corpora = [row_at("runs", run, wildcards.scale)["corpus"] for run in figure["arms"].values()]
    return [f"results/{wildcards.scale}/corpora/{corpus}/synthesized.parquet" for corpus in corpora]


def writer_of(wildcards) -> list[str]:
    """For ``input:`` of an audit: the model in whose tokenizer a corpus holds token ids, if it holds any."""
    corpus = row_at("corpora", wildcards.corpus, wildcards.scale)
    while corpus["method"] == "split":
        corpus = row_at("corpora", corpus["corpus"], wildcards.scale)
    if corpus["method"] in GENERATED:
        return []  # texts, without ids
    model = corpus.get("source_model", corpus.get("tokenizer_of"))
    return [f"results/{wildcards.scale}/models/{model}"] if model else []


def temperatures() -> list[str]:
    """The temperatures of ``bos-{model}-t{temperature}`` that every source model with several such corpora has, as strings."""
    by_model: dict = {}
    for scale, tables in load().items():
        for name, found in tables["corpora"].items():
            if found["method"] == "bos" and name == f"bos-{found['source_model']}-t{found['temperature']}":
                by_model.setdefault((scale, found["source_model"]), set()).add(found["temperature"])
    several = [found for found in by_model.values() if len(found) > 1]
    return [str(t) for t in sorted(set.intersection(*several))] if several else []


def similarity_of_parent(wildcards) -> str:
    """For ``input:`` of a split corpus: its parent's similarity to the suite that it is curated against."""
    corpus = row_at("corpora", wildcards.corpus, wildcards.scale)
    name = "{corpus}-to-{suite}-by-{embedder}".format(**corpus)
    return f"results/{wildcards.scale}/audits/similarity/{name}.parquet"


def json_tasks(wildcards) -> str:
    """For ``params:`` of a shell command: the tasks of the suite that a wildcard names, as JSON."""
    return json.dumps(row_at("suites", wildcards.suite, wildcards.scale)["tasks"])


def retrieved(wildcards) -> str:
    """For ``input:`` of an open-book suite: what its retriever found for the questions of the suite that it opens."""
    suite = row_at("suites", wildcards.suite, wildcards.scale)
    return f"results/{wildcards.scale}/audits/retrieval/{suite['suite']}-by-{suite['retriever']}.parquet"


def retrieval_gpus(wildcards) -> int:
    """For ``resources:``: GPUs of a search: one where vectors are made, none for words."""
    return gpus(wildcards) if row_at("retrievers", wildcards.retriever, wildcards.scale)["kind"] == "dense" else 0


def drawn_retrieved(wildcards) -> list[str]:
    """For ``input:`` of a figure: what was retrieved for its open-book suites, by whatever searches."""
    figure, tables = row_at("figures", wildcards.figure, wildcards.scale), load()[wildcards.scale]
    suites = [tables["suites"][suite] for suite in figure["suites"] if tables["suites"][suite]["kind"] == "open-book"]
    found = [one for one in suites if tables["retrievers"][one["retriever"]]["kind"] in ("bm25", "dense")]
    folder = f"results/{wildcards.scale}/audits/retrieval"
    return list(dict.fromkeys(f"{folder}/{one['suite']}-by-{one['retriever']}.parquet" for one in found))


def closed_book(wildcards) -> str:
    """For ``input:`` of a figure: the suite that asks without the book."""
    figure = row_at("figures", wildcards.figure, wildcards.scale)
    return f"results/{wildcards.scale}/suites/{figure['conditions']['closed']}"


def summary_row(wildcards) -> str:
    """For ``params:`` of a shell command: what a run or a model writes from titles, as the row of a corpus."""
    suite = row_at("suites", wildcards.suite, wildcards.scale)
    kept = {key: suite[key] for key in ("name", "engine", "temperature", "max_new_tokens")}
    return json.dumps({**kept, "method": "summaries", "source_model": wildcards.run}, sort_keys=True)


def last_checkpoint(wildcards) -> str:
    """For ``params:``: the model that a run ends with, of its first subset; a model itself where the wildcard names one."""
    if wildcards.run in load()[wildcards.scale]["models"]:
        return f"results/{wildcards.scale}/models/{wildcards.run}"
    last = row_at("runs", wildcards.run, wildcards.scale)["checkpoints"][-1]
    return f"results/{wildcards.scale}/runs/{wildcards.run}/checkpoints/subset-0/epoch-{last}"


def last_epoch(wildcards) -> int:
    """For ``params:``: the last epoch of a run."""
    return row_at("runs", wildcards.run, wildcards.scale)["checkpoints"][-1]


def base_summaries(wildcards) -> str:
    """For ``input:``: what a run's base writes from titles."""
    base = row_at("runs", wildcards.run, wildcards.scale)["base"]
    return f"results/{wildcards.scale}/evaluations/{base}/{wildcards.suite}.texts.parquet"


def drawn_sizes(wildcards) -> list[str]:
    """For ``input:`` of a figure: the sizes of the corpora that it shows, in its order."""
    corpora = row_at("figures", wildcards.figure, wildcards.scale)["corpora"].values()
    return [f"results/{wildcards.scale}/audits/sizes/{corpus}.parquet" for corpus in corpora]


def drawn_curations(wildcards) -> list[str]:
    """For ``input:`` of a figure: what curation counted in the corpora that it shows, in its order."""
    corpora = row_at("figures", wildcards.figure, wildcards.scale)["corpora"].values()
    return [f"results/{wildcards.scale}/corpora/{corpus}/curation.json" for corpus in corpora]


def extraction_sources(wildcards) -> list[str]:
    """For ``input:`` of an extraction suite: documents of all sources that its tasks take candidates or held-out text from."""
    tasks = row_at("suites", wildcards.suite, wildcards.scale)["tasks"].values()
    return documents_of(wildcards.scale, dict.fromkeys(each for how in tasks for each in [*how["candidates"], *how["heldout"]]))


def beside_drawn(ending: str, *keys: str) -> Callable:
    """For ``input:`` of a figure: what stands beside the evaluations of its runs of these keys (``arms``), by its ending."""

    def paths(wildcards):
        figure = row_at("figures", wildcards.figure, wildcards.scale)
        runs = dict.fromkeys(run for key in keys for run in figure.get(key, {}).values())
        return [f"results/{wildcards.scale}/evaluations/{run}/{suite}{ending}" for suite in figure["suites"] for run in runs]

    return paths


def composed(ending: str, *figures: str) -> Callable:
    """For ``input:`` of a figure made of other figures: their files of this ending, ``.csv``."""

    def paths(wildcards):
        parts = row_at("figures", wildcards.figure, wildcards.scale)["figures"]
        return [f"results/{wildcards.scale}/{parts[figure]}{ending}" for figure in figures]

    return paths


def compared(figure: dict) -> list[str]:
    """The models of a figure's arms, ``models: {arm: [model, ...]}``, each once, in its order."""
    return list(dict.fromkeys(model for models in figure["models"].values() for model in models))


def compared_losses(wildcards) -> list[str]:
    """For ``input:`` of a figure: the losses of its models on its held-out source."""
    figure, scale = row_at("figures", wildcards.figure, wildcards.scale), wildcards.scale
    return [f"results/{scale}/evaluations/{model}/{figure['heldout_source']}.heldout.parquet" for model in compared(figure)]


def compared_scores(wildcards) -> list[str]:
    """For ``input:`` of a figure: the evaluations of its models on its suites."""
    figure, scale = row_at("figures", wildcards.figure, wildcards.scale), wildcards.scale
    return [f"results/{scale}/evaluations/{model}/{suite}.parquet" for suite in figure["suites"] for model in compared(figure)]


def compared_tokens(wildcards) -> int:
    """For ``params:`` of a figure: the tokens that each of its models is trained on.

    Raises:
        StudyError: when they are not the same, and a common axis would lie.
    """
    figure = row_at("figures", wildcards.figure, wildcards.scale)
    found = {model: row_at("models", model, wildcards.scale)["tokens"] for model in compared(figure)}
    if len(set(found.values())) > 1:
        raise StudyError(f"figures: {wildcards.figure}, key models: expected equally many tokens in all, found {found}")
    return next(iter(found.values()))


def bill(wildcards) -> dict[str, dict]:
    """For ``params:`` of a figure: cards, or what has one, of all that the first model of each arm takes; its embedder's size.

    Arm -> {model, corpora: [{corpus, prompts, run, base, embedder_parameters}]}, one for each corpus that it is trained on.
    """
    figure, scale = row_at("figures", wildcards.figure, wildcards.scale), wildcards.scale
    found = {}
    for arm, models in figure["models"].items():
        made = []
        for name in row_at("models", models[0], scale).get("once", []):
            corpus = row_at("corpora", name, scale)
            run = row_at("runs", row_at("models", corpus["source_model"], scale)["run"], scale)
            pairs = row_at("pairs", run["pairs"], scale)
            pairs = row_at("pairs", pairs["of"], scale) if "of" in pairs else pairs
            paths = {"corpus": f"corpora/{name}/synthesized.parquet", "prompts": f"corpora/{name}/prompts.parquet"}
            paths |= {"run": f"runs/{run['name']}/checkpoints.card.json", "base": f"models/{run['base']}.card.json"}
            size = row_at("embedders", pairs["embedder"], scale).get("parameters", 0)
            made.append({key: f"results/{scale}/{path}" for key, path in paths.items()} | {"embedder_parameters": size})
        found[arm] = {"model": f"results/{scale}/models/{models[0]}.card.json", "corpora": made}
    return found


def billed(wildcards) -> list[str]:
    """For ``input:`` of a figure: all that its ``bill`` names."""
    found = bill(wildcards).values()
    made = [path for arm in found for one in arm["corpora"] for key, path in one.items() if key != "embedder_parameters"]
    return list(dict.fromkeys([*(arm["model"] for arm in found), *made]))


def conditional_of(wildcards) -> list[str]:
    """For ``input:`` of a figure: what each of its models makes of the pairs that its run held out."""
    figure, scale = row_at("figures", wildcards.figure, wildcards.scale), wildcards.scale
    run = figure["run"]
    return [f"results/{scale}/audits/conditional/{run}-by-{model}.parquet" for model in figure["models"].values()]


def corpora_of(pattern: str) -> Callable:
    """For ``input:`` of a figure: a pattern with ``{corpus}`` for each of its corpora, in its order."""

    def paths(wildcards):
        figure = row_at("figures", wildcards.figure, wildcards.scale)
        return [f"results/{wildcards.scale}/{pattern.format(corpus=corpus)}" for corpus in figure["corpora"].values()]

    return paths


def judged_of(wildcards) -> list[str]:
    """For ``input:`` of a figure: a judge's answers about its real documents and its corpora, if its row names a judge."""
    figure, scale = row_at("figures", wildcards.figure, wildcards.scale), wildcards.scale
    names = (figure["real_source"], *figure["corpora"].values()) if "judge" in figure else ()
    return [f"results/{scale}/{wildcards.figure}-judged/{name}.parquet" for name in names]


def judge_row(wildcards) -> str:
    """For ``params:`` of a judge, as JSON: the key ``judge`` of its figure's row, named after what is judged."""
    judge = row_at("figures", wildcards.figure, wildcards.scale)["judge"]
    return json.dumps({"name": f"{wildcards.figure} of {wildcards.written}", **judge}, sort_keys=True)


def judge_model(wildcards) -> list[str]:
    """For ``input:`` of a judge: the folder of its model, where it runs here and not behind an endpoint."""
    judge = row_at("figures", wildcards.figure, wildcards.scale)["judge"]
    return [f"results/{wildcards.scale}/models/{judge['source_model']}"] if judge["engine"] == "vllm" else []


def judge_gpus(wildcards) -> int:
    """For ``resources:`` of a judge: GPUs, none where it stands behind an endpoint."""
    return int(bool(judge_model(wildcards)))


def sizes_of(wildcards) -> dict[str, int]:
    """For ``params:`` of a figure: the parameters of the model that wrote each of its corpora, by their labels."""
    figure, scale = row_at("figures", wildcards.figure, wildcards.scale), wildcards.scale
    found = {}
    for label, corpus in figure["corpora"].items():
        model = row_at("models", row_at("corpora", corpus, scale)["source_model"], scale)
        base = row_at("runs", model["run"], scale)["base"] if "run" in model else model["name"]
        found[label] = shape_of(base, scale).parameters
    return found


def near_of(wildcards) -> int:
    """For ``params:`` of a figure: the edit distance up to which its suite calls a continuation near-verbatim."""
    figure = row_at("figures", wildcards.figure, wildcards.scale)
    return row_at("suites", figure["suites"][0], wildcards.scale)["near"]


def gpus(wildcards) -> int:
    """For ``resources:``: GPUs of a job at this scale."""
    return int(wildcards.scale in GPU_SCALES)


def minutes(rule: str) -> Callable:
    """For ``resources: runtime``: twice what the job should take, and a quarter of an hour for what is not known."""
    return lambda wildcards: math.ceil(15 + cost(rule, _others(wildcards), wildcards.scale).seconds / 30)


def memory(rule: str) -> Callable:
    """For ``resources: mem_mb``: half as much again as the job should need, and as much more with each attempt."""

    def megabytes(wildcards, attempt):
        return attempt * math.ceil(1.5 * cost(rule, _others(wildcards), wildcards.scale).memory / 1e6)

    return megabytes


def _others(wildcards) -> dict[str, str]:
    return {key: value for key, value in wildcards.items() if key != "scale"}


def gpus_of(table: str, wildcard: str, key: str) -> Callable:
    """For ``resources:``: as many GPUs as a row's key says (one if it does not), at the scales that have any."""
    return lambda wildcards: gpus(wildcards) * row_at(table, wildcards[wildcard], wildcards.scale).get(key, 1)


def shards(wildcards) -> list[str]:
    """For ``input:``: the shards of a sampled corpus, in their order."""
    number = row_at("corpora", wildcards.corpus, wildcards.scale)["shards"]
    folder = f"results/{wildcards.scale}/corpora/{wildcards.corpus}/shards"
    return [f"{folder}/{shard}-of-{number}.parquet" for shard in range(1, number + 1)]


def generator_model(wildcards) -> list[str]:
    """For ``input:`` of a generated corpus: the model that writes it; none where an endpoint or rules do."""
    corpus = row_at("corpora", wildcards.corpus, wildcards.scale)
    return [f"results/{wildcards.scale}/models/{corpus['source_model']}"] if needs_model(corpus) else []


def generator_tokenizer(wildcards) -> str:
    """For ``input:`` of a generated corpus: what its tokens are counted by, a model's tokenizer or one of its own."""
    corpus = row_at("corpora", wildcards.corpus, wildcards.scale)
    folder = f"models/{corpus['tokenizer_of']}" if "tokenizer_of" in corpus else f"tokenizers/{corpus['tokenizer']}"
    return f"results/{wildcards.scale}/{folder}"


def generator_prompts(wildcards) -> list[str]:
    """For ``input:`` of a generated corpus: the prompts, so that an edited one reruns it; none where rules write it."""
    corpus = row_at("corpora", wildcards.corpus, wildcards.scale)
    prompts = PROMPTS[corpus["method"]].glob("*.yaml")
    return [] if corpus["engine"] == "pocket" else sorted(str(path.relative_to(ROOT)) for path in prompts)


def generator_options(wildcards) -> str:
    """For ``params:`` of a shell command: what a generator wants besides documents and row."""
    prompts, model = generator_prompts(wildcards), generator_model(wildcards)
    folder = PROMPTS[row_at("corpora", wildcards.corpus, wildcards.scale)["method"]].relative_to(ROOT)
    options = {"prompts": folder if prompts else "", "model": "".join(model)}
    return " ".join(f"--{key} {shlex.quote(str(value))}" for key, value in options.items() if value)


def generator_gpus(wildcards) -> int:
    """For ``resources:``: GPUs of a job that writes a shard: none but for a model of its own."""
    return gpus_of("corpora", "corpus", "tensor_parallel")(wildcards) if generator_model(wildcards) else 0


def environment(table: str, wildcard: str, key: str, otherwise: str) -> Callable:
    """For ``conda:``: the environment that has vLLM where a row's engine (its ``key``) is vLLM, else another stage's."""

    def path(wildcards):
        engine = row_at(table, wildcards[wildcard], wildcards.scale).get(key)
        return f"../envs/{'generation' if engine == 'vllm' else otherwise}.yaml"

    return path


def torchrun(processes: int) -> str:
    """The start of a command that runs a module in some processes of one machine; plain Python for one or none.

    torchrun hands signals on to its processes, USR1 among them, and lets them save for two minutes.
    """
    if processes < 2:
        return "python -m"
    return (
        "env TORCH_ELASTIC_SHUTDOWN_TIMEOUT=120 python -m torch.distributed.run --standalone "
        f"--nproc-per-node {processes} --signals-to-handle SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1 -m"
    )


def launcher(table: str, wildcard: str) -> Callable:
    """For ``params:`` of a shell command: how a training program starts, one process for each GPU of its row."""
    return lambda wildcards: torchrun(gpus_of(table, wildcard, "gpus")(wildcards))


# What decides a job of a sweep besides its runs; which other sweeps there are does not.
SWEPT = ("name", "block", "batch", "learning_rate", "warmup", "heldout_documents", "repeat", "trace")


def _swept(wildcards) -> list[dict]:
    """The runs of one job of a sweep."""
    number, _, of = wildcards.shard.partition("-of-")
    jobs = sweep_jobs(wildcards.sweep, wildcards.scale)
    if int(of) != len(jobs) or not 1 <= int(number) <= len(jobs):
        raise StudyError(
            f"sweeps: {wildcards.sweep} has jobs 1-of-{len(jobs)} to {len(jobs)}-of-{len(jobs)}, not {wildcards.shard}"
        )
    return jobs[int(number) - 1]


def sweep_row(wildcards) -> str:
    """For ``params:`` of a sweep's job, as JSON: its recipe, its runs, and the shapes of their sizes."""
    row, runs = row_at("sweeps", wildcards.sweep, wildcards.scale), _swept(wildcards)
    sizes = dict.fromkeys(run["size"] for run in runs)
    shapes = {size: _told(row_at("sizes", size, wildcards.scale)) for size in sizes}
    return json.dumps({**{key: row[key] for key in SWEPT if key in row}, "shapes": shapes, "runs": runs}, sort_keys=True)


def sweep_tokenizer(wildcards) -> str:
    """For ``input:`` of a sweep's job: the tokenizer of its models."""
    return f"results/{wildcards.scale}/tokenizers/{row_at('sweeps', wildcards.sweep, wildcards.scale)['tokenizer']}"


def sweep_texts(wildcards) -> list[str]:
    """For ``input:`` of a sweep's job: the texts that its runs read, as token ids."""
    folder = sweep_tokenizer(wildcards).replace("/tokenizers/", "/tokens/")
    return [f"{folder}/{text}" for text in texts_of(_swept(wildcards))]


def sweep_heldout(wildcards) -> list[str]:
    """For ``input:`` of a sweep's job: the documents of its held-out domains."""
    return documents_of(wildcards.scale, row_at("sweeps", wildcards.sweep, wildcards.scale)["heldout"])


def sweep_gpus(wildcards) -> int:
    """For ``resources:`` of a sweep's job: the GPUs of its largest model."""
    return cost("sweep", _others(wildcards), wildcards.scale).gpus


def sweep_launcher(wildcards) -> str:
    """For ``params:`` of a shell command: how a sweep's job starts, one process for each GPU."""
    return torchrun(sweep_gpus(wildcards))


def sweep_work(wildcards) -> str:
    """For ``params:``: the folder from which a killed job of a sweep resumes."""
    key = hashlib.sha256((sweep_row(wildcards) + code_of("scripts/training/sweep.py")).encode()).hexdigest()[:12]
    return f"results/{wildcards.scale}/work/sweep/{wildcards.sweep}-{wildcards.shard}-{key}"


def swept(ending: str, **having: object) -> Callable:
    """For ``input:``: the files of this ending of all jobs of the scale's sweeps, or of those whose rows have these values."""

    def paths(wildcards):
        scale = wildcards.scale
        rows = [row for row in load()[scale]["sweeps"].values() if all(row.get(key) == value for key, value in having.items())]
        jobs = {row["name"]: len(sweep_jobs(row["name"], scale)) for row in rows}
        return [f"results/{scale}/sweeps/{name}/{k}-of-{n}{ending}" for name, n in jobs.items() for k in range(1, n + 1)]

    return paths


def of_sweep(sweep: str, what: Callable) -> Callable:
    """For ``input:``: what one of the functions above answers of a sweep that the rule names and no wildcard does."""
    return lambda wildcards: what(SimpleNamespace(scale=wildcards.scale, sweep=sweep))


def pure_texts(wildcards) -> list[str]:
    """For ``input:``: the texts of a sweep that an arm reads nothing but, as token ids."""
    row = row_at("sweeps", wildcards.sweep, wildcards.scale)
    pure = [arm for arm in row["arms"] if arm_of(row, arm)["share"] in (0, 1)]
    folder = sweep_tokenizer(wildcards).replace("/tokenizers/", "/tokens/")
    return [f"{folder}/{text}" for text in texts_of([arm_of(row, arm) | {"arm": arm} for arm in pure])]


def recipe_of(sweep: str) -> Callable:
    """For ``params:``: what a sweep's row says but its runs."""

    def row(wildcards):
        found = row_at("sweeps", sweep, wildcards.scale)
        sizes = {size: _told(row_at("sizes", size, wildcards.scale)) for size in found["sizes"]}
        return {key: value for key, value in _told(found).items() if key != "runs"} | {"sizes": sizes}

    return row


def refuse_without_gpu(scale: str, executor: str, jobs: Iterable["Job"]) -> None:
    """Stop before anything runs where planned jobs need a GPU and this machine, which would run them itself, has none.

    Raises:
        StudyError: saying what to do instead.
    """
    if (
        executor == "local"
        and any(job.resources.get("gpu") for job in jobs)
        and not (shutil.which("nvidia-smi") and os.path.exists("/dev/nvidia0"))
    ):
        raise StudyError(
            f"scale {scale} needs a GPU and this machine shows none: run on the cluster (--profile slurm), "
            "plan only (-n), or take the laptop's analogue (--config scale=laptop)"
        )


def gate_scores(wildcards) -> list[str]:
    """For ``input:`` of a gate: its models' scores on the suite in benchmark wording and in training wording."""
    gate = row_at("gates", wildcards.gate, wildcards.scale)
    suites = (gate["suite"], gate["familiar"])
    return [f"results/{wildcards.scale}/evaluations/{model}/{suite}.parquet" for model in gate["models"] for suite in suites]


def gate_tasks(wildcards) -> dict:
    """For ``params:`` of a gate: the tasks of its suite, with metric, filter and chance."""
    return row_at("suites", row_at("gates", wildcards.gate, wildcards.scale)["suite"], wildcards.scale)["tasks"]
