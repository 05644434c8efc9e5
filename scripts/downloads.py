"""What a scale takes from the hub: how much, under which terms, whether it is here. Makes results/{scale}/downloads.tsv.

Reads the rows of models, embedders, sources and suites, and looks whether the files are in results/ or in huggingface_hub's
cache; asks nothing of the network. Answers rules/downloads.smk, and the Snakefile before a run starts.
"""

import csv
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.code import ROOT
from scripts.lib import hub
from scripts.lib.files import atomic
from scripts.study import StudyError, load, read_yaml, row_at

if TYPE_CHECKING:
    from snakemake.jobs import Job

COLUMNS = ("name", "kind", "repo", "revision", "licence", "gated", "terms", "bytes", "unverified", "used_by", "here")
KINDS = {"models": "model", "embedders": "embedder", "sources": "data", "suites": "benchmark"}  # table -> what it is called
MADE = {
    "models": "results/{}/models/{}",
    "embedders": "results/{}/embedders/{}",
    "sources": "results/{}/sources/{}/documents.parquet",
    "suites": "results/{}/suites/{}",
}
# The rules that download, and the table whose row a job of theirs takes; all run where Snakemake runs (localrules).
RULES = {
    "hub_model": "models",
    "embedder": "embedders",
    "hub": "sources",
    "quality_articles": "sources",
    "quality_suite": "suites",
    "harness_suite": "suites",
    "perturbed_suite": "suites",
}


def repositories(row: dict) -> list[dict]:
    """What a row takes from the hub: itself, the data sets of its tasks, or nothing; each with the row's name and scale."""
    found = [row] if "repo" in row else list(row.get("data", {}).values())
    return [{"name": row["name"], "scale": row["scale"], **one} for one in found]


def artifacts(scale: str) -> list[str]:
    """For ``input:``: what is made of everything that a scale takes from the hub."""
    rows = [(table, name, row) for table in KINDS for name, row in load()[scale][table].items()]
    return [MADE[table].format(scale, name) for table, name, row in rows if repositories(row)]


def listed(wildcards) -> list[dict[str, str]]:
    """For ``params:``: the lines of a scale's table; a data set that several suites share is one line."""
    scale, lines = wildcards.scale, {}
    roles = _roles(scale)
    for table, kind in KINDS.items():
        for name, row in load()[scale][table].items():
            for one in repositories(row):
                shared = table == "suites"
                key = (table, one["repo"] if shared else name)
                line = lines.setdefault(key, _line(one, kind, key[1]) | {"used_by": [], "here": set()})
                line["used_by"] += [name] if shared else roles.get(name) or _users(scale, name)
                line["here"].add(_here(one, kind, MADE[table].format(scale, name)))
    states = ("no", "cached", "placed")
    return [
        line | {"used_by": " ".join(dict.fromkeys(line["used_by"])), "here": min(line["here"], key=states.index)}
        for line in lines.values()
    ]


def _roles(scale: str) -> dict[str, list[str]]:
    """Name of a row -> the roles that it plays at a scale."""
    found: dict[str, list[str]] = {}
    for path in sorted(ROOT.glob("papers/*/study.yaml")):
        for role, name in read_yaml(path).get("roles", {}).get(scale, {}).items():
            found.setdefault(name, []).append(role)
    return found


def _users(scale: str, name: str) -> list[str]:
    """The rows of a scale that name another row among their values."""

    def names(value: object) -> bool:
        if isinstance(value, dict):
            return name in value or any(map(names, value.values()))
        return any(map(names, value)) if isinstance(value, list) else value == name

    rows = (row for table, rows in load()[scale].items() if table != "figures" for row in rows.values())
    return [row["name"] for row in rows if row["name"] != name and names(row)]


def _line(row: dict, kind: str, name: str) -> dict:
    gated = row["gated"]
    return {
        "name": name,
        "kind": kind,
        "repo": row["repo"],
        "revision": row["revision"],
        "licence": row["licence"],
        "gated": "yes" if gated else "no",
        "terms": hub.page(row["repo"], _repo_type(kind)) if gated else "",
        "bytes": str(row["bytes"]),
        "unverified": " ".join(row.get("unverified", [])),
    }


def _repo_type(kind: str) -> str:
    return "model" if kind in ("model", "embedder") else "dataset"


def _cached(row: dict, kind: str) -> bool:
    folder = hub.snapshot(row, _repo_type(kind))
    return folder.is_dir() and any(folder.iterdir())


def _here(row: dict, kind: str, made: str) -> str:
    return "placed" if Path(made).exists() else "cached" if _cached(row, kind) else "no"


def write(out: str | Path, lines: Iterable[dict[str, str]]) -> None:
    """Write a scale's table; ``here`` is placed (in results/), cached (at least in part, in huggingface_hub's cache) or no."""
    with atomic(out) as beside, open(beside, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def refuse(jobs: Iterable["Job"]) -> None:
    """Stop before anything runs where a planned download cannot succeed, and say what all of them take.

    Looks at terms that are not accepted, at HF_HUB_OFFLINE and at the disk; asks nothing of the network.

    Raises:
        StudyError: naming the row and the ways around.
    """
    wanted: dict[tuple[str, str], tuple[str, dict]] = {}
    for job in jobs:
        if table := RULES.get(job.rule.name):
            name = job.wildcards[table.removesuffix("s")]
            for one in repositories(row_at(table, name, job.wildcards.scale)):
                if not _cached(one, KINDS[table]):
                    wanted[name, one["repo"]] = table, one
    if not wanted:
        return
    from huggingface_hub import constants

    token = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or Path(constants.HF_TOKEN_PATH).is_file()
    for table, row in wanted.values():
        if row["gated"] and not token:
            around = "" if table == "suites" else f"; {hub.own_copy(row)}"
            raise StudyError(
                f"scale {row['scale']}, table {table}, row {row['name']}: {row['repo']} is gated. Accept its terms at "
                f"{hub.page(row['repo'], _repo_type(KINDS[table]))} and set HF_TOKEN (or run `hf auth login`){around}"
            )
    names = ", ".join(dict.fromkeys(row["repo"] for _, row in wanted.values()))
    cache = Path(constants.HF_HUB_CACHE).expanduser()
    if constants.is_offline_mode():
        raise StudyError(
            f"{names}: not in {cache}, and HF_HUB_OFFLINE is set; on a node with network run "
            f"`snakemake --cores 2 fetch --config scale={row['scale']}`"
        )
    size = sum(row["bytes"] for _, row in wanted.values())
    disks: dict[int, tuple[Path, int]] = {}
    for folder in (cache, Path("results")):  # a file is linked from the one to the other where they are one disk, else copied
        existing = next(parent for parent in [folder.absolute(), *folder.absolute().parents] if parent.exists())
        disks.setdefault(existing.stat().st_dev, (folder, shutil.disk_usage(existing).free))
    for folder, free in disks.values():
        if size > free:
            raise StudyError(
                f"{names}: about {hub.gigabytes(size)} are to be downloaded, {hub.gigabytes(free)} are free in {folder}; "
                "set HF_HOME to a folder on a larger disk, or make room"
            )
    print(f"To be downloaded: {names}; about {hub.gigabytes(size)}, into {cache}", file=sys.stderr)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        write(snakemake.output.table, snakemake.params.lines)
