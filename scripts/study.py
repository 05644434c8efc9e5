"""Rows -> checked values: reads config.yaml and papers/*/study.yaml, and checks every row of every scale.

A row is a plain dict. What it holds at a scale is put together in this order, later wins:
the scale's defaults for its table (config.yaml ``scales``), its paper's own (study.yaml ``defaults``), the row itself
(study.yaml), the row's ``at: {scale: ...}``.
Three kinds of writing keep the tables short:

- a string may name a role in braces: ``"{self}"`` is the model that plays ``self`` at that scale. Where a role is null at a
  scale, the row, list element or mapping entry that names it does not exist there.
- a row whose name has its own keys in braces stands for one row per combination: ``bos-{source_model}-t{temperature}``.
- every model of kind ``path`` is a student besides the role's own, so that rows naming ``{student}`` exist for it too.
- every model that is trained from scratch has replicates of other seeds, Wren-small-r2 and on, and all rows exist for them too.
"""

import itertools
import json
import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from scripts.code import ROOT
from scripts.schema import GENERATED, KEYS, KIND, PLAIN, REFERENCES, mix, needs_model
from scripts.sweeps import runs_of, texts_of

SCALES = ("smoke", "laptop", "gpu", "paper")


class StudyError(Exception):
    """A row that cannot be used; the message names file, row and key, and says what was expected."""


Study = dict[str, dict[str, dict[str, dict]]]  # scale -> table -> name -> row


class _Unique(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # the loader in C, where PyYAML has it, is ten times as fast
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
            if (table, key) == ("corpora", "source_model") and not needs_model(row):
                continue
            names = [] if value is None else [value] if isinstance(value, str) else list(value)
            for each in names:
                if each not in tables[target]:
                    raise StudyError(f"{wheres[table, name]}, key {key}: {each} is no row of {target} at scale {row['scale']}")
    for name, row in tables["corpora"].items():
        if row["method"] in GENERATED and ("tokenizer" in row) == ("tokenizer_of" in row):
            raise StudyError(f"{wheres['corpora', name]}, key tokenizer: expected it or tokenizer_of, and not both")
    for name, row in tables["runs"].items():
        for source in row.get("replay", {}).get("mix", {}):
            if source not in tables["sources"]:
                raise StudyError(f"{wheres['runs', name]}, key replay: {source} is no row of sources at scale {row['scale']}")


def _recipes(tables: dict, wheres: dict) -> None:
    """Put each recipe's phases, in tokens, into the models that follow it, so that editing the recipe changes their rows.

    A mix may name corpora beside sources; a model's key ``once`` says which, since what a model wrote is never repeated.
    """
    if both := sorted(set(tables["sources"]) & set(tables["corpora"])):
        raise StudyError(f"{wheres['corpora', both[0]]}: {both[0]} is a row of sources too; a mix could not tell them apart")
    for name, recipe in tables["recipes"].items():
        where = f"{wheres['recipes', name]}, key phases"
        for number, phase in enumerate(recipe["phases"], 1):
            if set(phase) != {"share", "mix"}:
                raise StudyError(f"{where}: phase {number} has {', '.join(phase)}; expected share and mix")
            if expected := mix(phase["mix"]):
                raise StudyError(f"{where}: phase {number}, mix: expected {expected}")
            for source in phase["mix"]:
                if source not in tables["sources"] and source not in tables["corpora"]:
                    what = f"no row of sources or corpora at scale {recipe['scale']}"
                    raise StudyError(f"{where}: phase {number}, mix: {source} is {what}")
        if expected := mix({str(i): phase["share"] for i, phase in enumerate(recipe["phases"])}):
            raise StudyError(f"{where}: the phases' share: expected {expected}")
    for row in tables["models"].values():
        if row["kind"] == "scratch":
            phases = tables["recipes"][row["recipe"]]["phases"]
            row["phases"] = [{"mix": p["mix"], "tokens": round(p["share"] * row["tokens"])} for p in phases]
            if once := sorted({name for p in phases for name in p["mix"]} & set(tables["corpora"])):
                row["once"] = once


def _sweeps(tables: dict, wheres: dict) -> None:
    """Check the texts and budgets of each sweep, and give it the runs that it trains (scripts/sweeps.py)."""
    try:
        runs = runs_of(tables["sweeps"].values())
    except ValueError as error:
        raise StudyError(f"table sweeps: {error}") from None
    for name, row in tables["sweeps"].items():
        where, row["runs"] = wheres["sweeps", name], runs[name]
        for text in texts_of(row["runs"]):
            if text not in tables["sources"] and text not in tables["corpora"]:
                raise StudyError(f"{where}: {text} is no row of sources or corpora at scale {row['scale']}")
        for tokens in row["tokens"]:
            if abs(round(tokens / row["block"]) * row["block"] - tokens) > tokens / 1000:
                whole = f"within 0.1 % of a whole number of blocks of {row['block']}"
                raise StudyError(f"{where}, key tokens: expected budgets {whole}, found {tokens}")


def leaves(value: object) -> list[str]:
    """The strings in mappings and lists, however deep: of a figure's arms the runs, in their order.

    >>> leaves({"raw": "a", "entigraph": {"1000": ["b", "c"]}})
    ['a', 'b', 'c']
    """
    if isinstance(value, str):
        return [value]
    return [leaf for each in (value.values() if isinstance(value, dict) else value) for leaf in leaves(each)]


def _figures(tables: dict, wheres: dict) -> None:
    """Check the runs and corpora that a figure draws, and give it the tasks of its suites, or those that its row lists."""
    for name, row in tables["figures"].items():
        for key in ("arms", "controls", "crossed"):
            arms = row.get(key, {})
            for role, arm in arms.items() if isinstance(arms, dict) else ():  # a list names arms of sweeps
                for run in leaves(arm):
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
        studies: file name -> study.yaml of a paper: the tables, ``defaults`` and ``roles`` by scale (both may be left out;
            ``roles: {needed: [...]}`` are those that a model must play at each scale), and how many ``replicates``.

    Raises:
        StudyError: for the first row that cannot be used.
    """
    known = {*KEYS, "roles", "replicates", "defaults"}
    for file, study in studies.items():
        if unknown := set(study) - known:
            raise StudyError(f"{file}: unknown table {', '.join(sorted(unknown))}; tables are {', '.join(sorted(known))}")
        for name in ("roles", "defaults"):
            if unknown := set(study.get(name, {})) - {*SCALES, "needed"}:
                raise StudyError(f"{file}, key {name}: unknown scale {', '.join(sorted(unknown))}")
    result: Study = {}
    for scale in SCALES:
        if scale not in config["scales"]:
            raise StudyError(f"config.yaml, key scales: {scale} is missing")
        tables: dict = {table: {} for table in KEYS}
        wheres: dict = {}
        for file, study in studies.items():
            if "roles" in study and scale not in study["roles"]:
                raise StudyError(f"{file}, key roles: {scale} is missing")
            roles = {"of": "", **study.get("roles", {}).get(scale, {})}
            own_defaults = study.get("defaults", {}).get(scale, {})
            if unknown := set(own_defaults) - set(KEYS):
                raise StudyError(f"{file}, key defaults, scale {scale}: unknown table {', '.join(sorted(unknown))}")
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
                defaults = config["scales"][scale].get(table, {}) | own_defaults.get(table, {})
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
            for role in study.get("roles", {}).get("needed", []):
                if roles.get(role) is None:
                    raise StudyError(f"{file}, roles, scale {scale}: the role {role} has no model")
        _check_references(tables, wheres)
        _recipes(tables, wheres)
        _sweeps(tables, wheres)
        _figures(tables, wheres)
        result[scale] = tables
    return result


@cache
def load(root: Path = ROOT) -> Study:
    """The checked study of a project folder; read once a process."""
    studies = {str(p.relative_to(root)): read_yaml(p) for p in sorted(root.glob("papers/*/study.yaml"))}
    return resolve(read_yaml(root / "config.yaml"), studies)


def names(table: str, **having: str | tuple[str, ...]) -> str:
    """A wildcard constraint: the names of a table's rows at any scale, where the row has these values (``kind="prose"``).

    Of several values (``kind=("pocket", "harness")``) the row has one.
    """
    some = {key: value if isinstance(value, tuple) else (value,) for key, value in having.items()}
    rows = ((name, row) for tables in load().values() for name, row in tables[table].items())
    found = {name for name, row in rows if all(row.get(key) in values for key, values in some.items())}
    return _alternatives(sorted(found)) or "(?!)"


def _alternatives(names: list[str]) -> str:
    """A pattern of these sorted names that writes what they begin with once; Snakemake compiles hundreds of such patterns.

    >>> _alternatives(["prose", "prose-heldout", "web"])
    '(?:prose(?:\\-heldout)?|web)'
    """
    parts = []
    rest = [name for name in names if name]
    while rest:
        group = [name for name in rest if name[0] == rest[0][0]]
        first = os.path.commonprefix(group)
        parts.append(re.escape(first) + _alternatives([name[len(first) :] for name in group]))
        rest = rest[len(group) :]
    optional = "?" if "" in names and parts else ""
    return f"(?:{'|'.join(parts)}){optional}" if optional or len(parts) > 1 else "".join(parts)


def row_at(table: str, name: str, scale: str) -> dict:
    """The row of this name at this scale.

    Raises:
        StudyError: when the scale has no such row.
    """
    try:
        return load()[scale][table][name]
    except KeyError:
        raise StudyError(f"{name} is no row of {table} at scale {scale}") from None


def active_scale(config: dict) -> str:
    """The scale that results/ shows copies of.

    Raises:
        StudyError: when it is none of the scales.
    """
    scale = config.get("scale")
    if scale not in SCALES:
        raise StudyError(f"config.yaml, key scale: expected one of {', '.join(SCALES)}, found {scale!r}")
    return scale
