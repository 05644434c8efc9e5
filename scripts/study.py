"""Rows -> checked values: reads config.yaml and papers/*/study.yaml, checks every row of every scale, and answers the rules.

A row is a plain dict. What it holds at a scale is put together in this order, later wins:
the scale's defaults for its table (config.yaml ``scales``), the row itself (study.yaml), the row's ``at: {scale: ...}``.
Three kinds of writing keep the tables short:

- a string may name a role in braces: ``"{self}"`` is the model that plays ``self`` at that scale. Where a role is null at a
  scale, the row, list element or mapping entry that names it does not exist there.
- a row whose name has its own keys in braces stands for one row per combination: ``bos-{source_model}-t{temperature}``.
- every model of kind ``path`` is a student besides the role's own, so that rows naming ``{student}`` exist for it too.
- every model that is trained from scratch has replicates of other seeds, Wren-small-r2 and on, and all rows exist for them too.
"""

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable
from functools import cache
from glob import glob
from pathlib import Path

import yaml

from scripts.code import ROOT, code_of
from scripts.schema import KEYS, KIND, PLAIN, REFERENCES, mix

SCALES = ("smoke", "laptop", "gpu", "paper")


class StudyError(Exception):
    """A row that cannot be used; the message names file, row and key, and says what was expected."""


Study = dict[str, dict[str, dict[str, dict]]]  # scale -> table -> name -> row


# --- reading ----------------------------------------------------------------------------------------------------------------


class _Unique(yaml.SafeLoader):
    """YAML in which a repeated key is an error instead of the last one winning."""


def _mapping(loader: _Unique, node: yaml.MappingNode) -> dict:
    seen = set()
    for key, _ in node.value:
        if key.value != "<<" and key.value in seen:
            raise StudyError(f"{node.start_mark.name}, line {key.start_mark.line + 1}: the key {key.value} stands twice")
        seen.add(key.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Unique.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> dict:
    """A YAML mapping from a file.

    Raises:
        StudyError: naming file and line of a syntax error or a repeated key.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return yaml.load(file, Loader=_Unique) or {}
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: {error}") from None


class _Absent(Exception):
    """A string names a role that no model plays at this scale."""


def _cast(value: object, roles: dict, where: str) -> object:
    """Put the roles' names into every string of a value; entries that name an absent role drop out."""
    if isinstance(value, str) and "{" in value:
        for role in [part.split("}")[0] for part in value.split("{")[1:]]:
            if role not in roles:
                raise StudyError(f"{where}: {{{role}}} is no role of this scale; roles are {', '.join(roles)}")
            if roles[role] is None:
                raise _Absent
        return value.format_map(roles)
    if isinstance(value, list):
        return list(_cast_items(value, roles, where))
    if isinstance(value, dict):
        kept = {}
        for key, item in value.items():
            try:
                kept[_cast(key, roles, where)] = _cast(item, roles, where)
            except _Absent:
                continue
        return kept
    return value


def _cast_items(items: list, roles: dict, where: str) -> Iterable:
    for item in items:
        try:
            yield _cast(item, roles, where)
        except _Absent:
            continue


def _expand(name: str, row: dict, roles: dict, optional: set, where: str) -> Iterable[tuple[str, dict]]:
    """The rows that one written row stands for at one cast of roles."""
    own = [key for key in row if f"{{{key}}}" in name]
    values = {}
    for key, value in row.items():
        try:
            values[key] = _cast(value, roles, f"{where}, key {key}")
        except _Absent:
            if key not in optional:
                return
    lists = {key: values[key] if isinstance(values[key], list) else [values[key]] for key in own}
    for combination in itertools.product(*lists.values()):
        chosen = dict(zip(own, combination, strict=True))
        try:
            yield _cast(name, {**roles, **chosen}, where), {**values, **chosen}
        except _Absent:
            continue


def _check_row(table: str, row: dict, where: str) -> None:
    kind_key = KIND[table]
    kinds = KEYS[table]
    kind = row.get(kind_key, next(iter(kinds)) if len(kinds) == 1 else PLAIN.get(table))
    if kind not in kinds:
        raise StudyError(f"{where}, key {kind_key}: expected one of {', '.join(kinds)}, found {kind!r}")
    row[kind_key] = kind
    allowed = {key.rstrip("?"): (check, key.endswith("?")) for key, check in kinds[kind].items()}
    for key, value in row.items():
        if key in (kind_key, "name", "scale"):
            continue
        if key not in allowed:
            raise StudyError(f"{where}, key {key}: unknown; a {kind} row has {', '.join(allowed)}")
        if expected := allowed[key][0](value):
            raise StudyError(f"{where}, key {key}: expected {expected}, found {value!r}")
    for key, (_, optional) in allowed.items():
        if key not in row and not optional:
            raise StudyError(f"{where}, key {key}: missing, and the scale has no default for it")


def _check_references(tables: dict, wheres: dict) -> None:
    for (table, key), target in REFERENCES.items():
        for name, row in tables[table].items():
            value = row.get(key)
            names = [] if value is None else [value] if isinstance(value, str) else list(value)
            for each in names:
                if each not in tables[target]:
                    raise StudyError(f"{wheres[table, name]}, key {key}: {each} is no row of {target} at scale {row['scale']}")


def _recipes(tables: dict, wheres: dict) -> None:
    """Put each recipe's phases, in tokens, into the models that follow it, so that editing the recipe changes their rows."""
    for name, recipe in tables["recipes"].items():
        where = f"{wheres['recipes', name]}, key phases"
        for number, phase in enumerate(recipe["phases"], 1):
            if set(phase) != {"share", "mix"}:
                raise StudyError(f"{where}: phase {number} has {', '.join(phase)}; expected share and mix")
            if expected := mix(phase["mix"]):
                raise StudyError(f"{where}: phase {number}, mix: expected {expected}")
            for source in phase["mix"]:
                if source not in tables["sources"]:
                    raise StudyError(f"{where}: phase {number}, mix: {source} is no row of sources at scale {recipe['scale']}")
        if expected := mix({str(i): phase["share"] for i, phase in enumerate(recipe["phases"])}):
            raise StudyError(f"{where}: the phases' share: expected {expected}")
    for row in tables["models"].values():
        if row["kind"] == "scratch":
            phases = tables["recipes"][row["recipe"]]["phases"]
            row["phases"] = [{"mix": p["mix"], "tokens": round(p["share"] * row["tokens"])} for p in phases]


def _figures(tables: dict, wheres: dict) -> None:
    """Check the runs and corpora that a figure draws, and give it the tasks of its suites, or those that its row lists."""
    for name, row in tables["figures"].items():
        for key in ("arms", "controls", "crossed"):
            for role, run in row.get(key, {}).items():
                if run not in tables["runs"]:
                    raise StudyError(f"{wheres['figures', name]}, key {key}: {role}: {run} is no row of runs")
        for key in ("corpora", "own", "cross"):
            for series, corpus in row.get(key, {}).items():
                if corpus not in tables["corpora"]:
                    raise StudyError(f"{wheres['figures', name]}, key {key}: {series}: {corpus} is no row of corpora")
        known = {task: how for suite in row.get("suites", []) for task, how in tables["suites"][suite]["tasks"].items()}
        if unknown := [task for task in row.get("tasks", []) if task not in known]:
            raise StudyError(f"{wheres['figures', name]}, key tasks: no task {', '.join(unknown)} in its suites")
        row["tasks"] = {task: known[task] for task in row.get("tasks", known)}


def _seeds(study: dict, name: str, row: dict) -> list[tuple[str, dict]]:
    """The replicates of a model that is trained from scratch: the same row under other seeds."""
    if row.get("kind") != "scratch" or not isinstance(row.get("seed"), int):
        return []
    return [(f"{name}-r{n}", {**row, "seed": row["seed"] + 100 * (n - 1)}) for n in range(2, study.get("replicates", 1) + 1)]


def _replicates(study: dict, roles: dict) -> list[dict]:
    """The roles as played by replicates, one cast a seed after the first; the gate belongs to the first."""
    scratch = {name for name, row in study.get("models", {}).items() if row.get("kind") == "scratch"}
    if scratch.isdisjoint(roles.values()):
        return []
    return [
        {role: f"{model}-r{n}" if model in scratch else model for role, model in roles.items()} | {"gate": None, "of": f"-r{n}"}
        for n in range(2, study.get("replicates", 1) + 1)
    ]


def resolve(config: dict, studies: dict[str, dict]) -> Study:
    """Every row at every scale, checked.

    Args:
        config: config.yaml; ``scales`` maps a scale to its defaults by table.
        studies: file name -> study.yaml of a paper: the tables, and ``roles`` by scale.

    Raises:
        StudyError: for the first row that cannot be used.
    """
    known = {*KEYS, "roles", "replicates"}
    for file, study in studies.items():
        if unknown := set(study) - known:
            raise StudyError(f"{file}: unknown table {', '.join(sorted(unknown))}; tables are {', '.join(sorted(known))}")
    result: Study = {}
    for scale in SCALES:
        if scale not in config["scales"]:
            raise StudyError(f"config.yaml, key scales: {scale} is missing")
        tables: dict = {table: {} for table in KEYS}
        wheres: dict = {}
        for file, study in studies.items():
            if scale not in study.get("roles", {}):
                raise StudyError(f"{file}, key roles: {scale} is missing")
            roles = {"of": "", **study["roles"][scale]}
            written = [(t, name, row) for t in KEYS for name, row in study.get(t, {}).items()]
            mine = [
                n for t, n, row in written if t == "models" and row.get("kind") == "path" and scale in row.get("scales", SCALES)
            ]
            absent = dict.fromkeys(("twin", "fresh", "gate", "memorizer", "background"))  # what only the roles' own models have
            own = [{**roles, **absent, "student": m, "self": m, "of": f"-{m}"} for m in mine]
            casts = [roles, *(cast for cast in own if cast["student"] != roles["student"])]
            casts += _replicates(study, roles)
            written += [(table, *made) for table, *row in written if table == "models" for made in _seeds(study, *row)]
            for table, name, row in written:
                where = f"{file}, table {table}, row {name}"
                if scale not in row.get("scales", SCALES):
                    continue
                if unknown := set(row.get("at", {})) - set(SCALES):
                    raise StudyError(f"{where}, key at: unknown scale {', '.join(unknown)}")
                kind = row.get(KIND[table])
                defaults = config["scales"][scale].get(table, {})
                keys = KEYS[table].get(kind or next(iter(KEYS[table])), {})
                optional = {key.rstrip("?") for key in keys if key.endswith("?")}
                merged = (
                    {k: v for k, v in defaults.items() if k in keys or k in optional} | row | row.get("at", {}).get(scale, {})
                )
                merged = {key: value for key, value in merged.items() if key not in ("at", "scales")}
                for cast in casts:
                    for made, values in _expand(name, merged, cast, optional, where):
                        values = {"name": made, "scale": scale, **json.loads(json.dumps(values))}
                        _check_row(table, values, where)
                        if tables[table].setdefault(made, values) != values:
                            raise StudyError(f"{where}: {made} is already a row of {table} with other values")
                        wheres[table, made] = where
            for role, played in roles.items():
                if played and not any(played in rows for rows in tables.values()):
                    raise StudyError(f"{file}, roles, scale {scale}, role {role}: {played} is no row at this scale")
            for role in ("student", "self", "same_lineage", "stronger", "cross_family"):
                if roles.get(role) is None:
                    raise StudyError(f"{file}, roles, scale {scale}: the role {role} has no model")
        _check_references(tables, wheres)
        _recipes(tables, wheres)
        _figures(tables, wheres)
        result[scale] = tables
    return result


@cache
def load(root: Path = ROOT) -> Study:
    """The checked study of a project folder; read once a process."""
    studies = {str(p.relative_to(root)): read_yaml(p) for p in sorted(root.glob("papers/*/study.yaml"))}
    return resolve(read_yaml(root / "config.yaml"), studies)


# --- answers to the rules ---------------------------------------------------------------------------------------------------


def names(table: str, **having: str | tuple[str, ...]) -> str:
    """A wildcard constraint: the names of a table's rows at any scale, where the row has these values (``kind="prose"``).

    Of several values (``kind=("pocket", "harness")``) the row has one.
    """
    some = {key: value if isinstance(value, tuple) else (value,) for key, value in having.items()}
    rows = ((name, row) for tables in load().values() for name, row in tables[table].items())
    found = {name for name, row in rows if all(row.get(key) in values for key, values in some.items())}
    return "|".join(sorted(name.replace(".", r"\.") for name in found)) or "(?!)"


def row_at(table: str, name: str, scale: str) -> dict:
    """The row of this name at this scale.

    Raises:
        StudyError: when the scale has no such row.
    """
    try:
        return load()[scale][table][name]
    except KeyError:
        raise StudyError(f"{name} is no row of {table} at scale {scale}") from None


def row(table: str, wildcard: str) -> Callable:
    """For ``params:`` of a script: the row that a wildcard names, as a dict."""
    return lambda wildcards: row_at(table, wildcards[wildcard], wildcards.scale)


def json_row(table: str, wildcard: str) -> Callable:
    """For ``params:`` of a shell command: the row that a wildcard names, as JSON."""
    return lambda wildcards: json.dumps(row_at(table, wildcards[wildcard], wildcards.scale), sort_keys=True)


def work(rule: str, table: str, wildcard: str, script: str, also: str | None = None) -> Callable:
    """For ``params:``: the folder from which a killed job of this row and this code resumes.

    ``also`` is a second wildcard that tells jobs of one row apart: the run, where the row is a suite's.
    """

    def folder(wildcards):
        text = json.dumps(row_at(table, wildcards[wildcard], wildcards.scale), sort_keys=True) + code_of(script)
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
    """For ``input:``: the documents of all sources that a row's mix (or the phases of its recipe) names."""

    def paths(wildcards):
        found = row_at(table, wildcards[wildcard], wildcards.scale)
        mixes = [phase["mix"] for phase in found["phases"]] if "phases" in found else [found["mix"]]
        return documents_of(wildcards.scale, dict.fromkeys(source for mix in mixes for source in mix))

    return paths


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
    return list(dict.fromkeys(run for key in ("arms", "controls", "crossed") for run in figure.get(key, {}).values()))


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


def bases_of(wildcards) -> dict[str, str]:
    """For ``params:`` of a figure's gates: run -> the base that it starts from."""
    figure = row_at("figures", wildcards.figure, wildcards.scale)
    return {run: row_at("runs", run, wildcards.scale)["base"] for run in runs_of(figure)}


def drawn_bases(wildcards) -> list[str]:
    """For ``input:`` of a figure's gates: the evaluations of the bases by themselves."""
    figure, bases = row_at("figures", wildcards.figure, wildcards.scale), dict.fromkeys(bases_of(wildcards).values())
    return [f"results/{wildcards.scale}/evaluations/{base}/{suite}.parquet" for suite in figure["suites"] for base in bases]


def drawn_documents(wildcards) -> list[str]:
    """For ``input:`` of a figure's gates: what its runs are trained on."""
    return [f"results/{wildcards.scale}/runs/{run}/documents.parquet" for run in bases_of(wildcards)]


def drawn_corpora(wildcards) -> list[str]:
    """For ``input:`` of a figure's gates: the sampled corpora of its runs, before curation."""
    scale = wildcards.scale
    corpora = dict.fromkeys(row_at("runs", run, scale)["corpus"] for run in bases_of(wildcards))
    sampled = [corpus for corpus in corpora if row_at("corpora", corpus, scale)["method"] == "bos"]
    return [f"results/{scale}/corpora/{corpus}/synthesized.parquet" for corpus in sampled]


def drawn_suites(wildcards) -> list[str]:
    """For ``input:`` of a figure's gates: the suites that it draws."""
    suites = row_at("figures", wildcards.figure, wildcards.scale)["suites"]
    return [f"results/{wildcards.scale}/suites/{suite}" for suite in suites]


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


def replicates(figures: list[str], number: int) -> Callable:
    """For ``input:``: the claims.json of some figures and of their replicates.

    Raises:
        StudyError: when ``number`` is none, or no figure has a row for one of the replicates.
    """
    if not isinstance(number, int) or number < 1:
        raise StudyError(f"config.yaml, key replicates: expected a whole number above 0, found {number!r}")

    def paths(wildcards):
        chosen = [name for figure in figures for name in replicates_of(figure, number, wildcards.scale)]
        for replicate in range(2, number + 1):
            if not any(name.endswith(f"-r{replicate}") for name in chosen):
                where = f"config.yaml, key replicates: {number}"
                raise StudyError(f"{where}: no figure has a row -r{replicate} at scale {wildcards.scale}")
        return [f"results/{wildcards.scale}/{name}.claims.json" for name in chosen]

    return paths


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


def near_of(wildcards) -> int:
    """For ``params:`` of a figure: the edit distance up to which its suite calls a continuation near-verbatim."""
    figure = row_at("figures", wildcards.figure, wildcards.scale)
    return row_at("suites", figure["suites"][0], wildcards.scale)["near"]


def gpus(wildcards) -> int:
    """For ``resources:``: GPUs of a job at this scale."""
    return int(wildcards.scale in ("gpu", "paper"))


def refuse_without_gpu(scale: str, executor: str) -> None:
    """Stop before anything runs where a scale needs GPUs and this machine, which would run the jobs itself, has none.

    Raises:
        StudyError: saying what to do instead.
    """
    if (
        scale in ("gpu", "paper")
        and executor == "local"
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


def active_scale(config: dict) -> str:
    """The scale that results/ shows copies of.

    Raises:
        StudyError: when it is none of the scales.
    """
    scale = config.get("scale")
    if scale not in SCALES:
        raise StudyError(f"config.yaml, key scale: expected one of {', '.join(SCALES)}, found {scale!r}")
    return scale
