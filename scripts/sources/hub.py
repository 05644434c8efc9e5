"""Documents of a data set on the Hugging Face hub, at the full commit hash that the row pins.

Reads Parquet and JSON files only: no loading script, no code of the repository. Makes documents.parquet from the first
``documents`` records that pass ``where``; files are downloaded one by one, in an order drawn from (repository, revision), until
there are enough.
"""

import fnmatch
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.lib import hub
from scripts.lib.documents import write_documents
from scripts.lib.progress import Progress, logging_to
from scripts.lib.seeds import seed_of
from scripts.sources.path import BadSource, numbered, records

DATA = re.compile(r"\.(parquet|jsonl?(\.gz|\.zst)?)$")
ABOUT = re.compile(r"(^|/)(\.|dataset_infos?\.json$|README)")  # what describes the data and is none


def choose(names: list[str], row: dict) -> list[str]:
    """The data files of a row among a repository's file names, in the order in which they are read.

    With ``files`` (globs) those; else those in the folder ``config`` if given, whose name holds the word ``split``. A
    repository that names no split counts as ``train``. The order is drawn from (repo, revision, name).

    Raises:
        BadSource: when none is left; naming what was looked for and what is there.
    """
    where = f"source row {row['name']}"
    data = sorted(name for name in names if DATA.search(name) and not ABOUT.search(name))
    if patterns := row.get("files"):
        patterns = [patterns] if isinstance(patterns, str) else patterns
        found = [name for name in data if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
        sought = f"key files: no Parquet or JSON file matches {', '.join(patterns)}"
    else:
        config, split = row.get("config"), row["split"]
        found = [name for name in data if config is None or config in name.split("/")[:-1]]
        sought = f"key {'split' if found else 'config'}: no Parquet or JSON file for {split if found else config}"
        words = [(name, set(re.split(r"[^A-Za-z0-9]+", name.lower()))) for name in found]
        named = [name for name, parts in words if split.lower() in parts]
        unnamed = split == "train" and not any(parts & {"train", "validation", "valid", "dev", "test"} for _, parts in words)
        found = found if unnamed else named
    if not found:
        there = ", ".join(data[:5]) + (", ..." if len(data) > 5 else "") or "no Parquet or JSON file"
        raise BadSource(f"{where}, {sought} in {row['repo']} at {row['revision']}; it has {there}")
    return sorted(found, key=lambda name: (seed_of(row["repo"], row["revision"], name), name))


def passes(record: dict, where: dict) -> bool:
    """Whether a record has the values of ``where``; a list stands for any of its values."""
    return all(record[key] in (value if isinstance(value, list) else [value]) for key, value in where.items())


def read(names: list[str], path_of: Callable[[str], Path], row: dict) -> Iterator[tuple[str, dict]]:
    """Yield (text, meta with repo, revision, file and line) of records that pass and hold text, file by file.

    ``path_of`` gives the local file of a name, and is asked only when its turn has come.
    """
    where, key = row.get("where") or {}, row["text"]
    origin = {"repo": row["repo"], "revision": row["revision"], "licence": row["licence"]}
    keys = list(dict.fromkeys([key, *where]))
    for name in names:
        with open(path_of(name), "rb") as raw:
            for line, record in records(raw, name, keys, f"source row {row['name']}, {row['repo']}"):
                text = record[key]
                if isinstance(text, str) and text.strip() and passes(record, where):
                    yield text, {**origin, "file": name, "line": line}


def collect(row: dict, folder: Path | None = None) -> list[dict]:
    """The documents of a hub row; ``folder`` is a copy of the repository that takes the hub's place.

    Raises:
        BadSource: one line, when the repository cannot be had (with the row that takes a local copy in its place), a key is
            missing, or fewer records pass than ``documents``.
    """
    rows: list[dict] = []
    try:
        if folder is None:
            files = hub.files_of(row, "dataset")
            names, path_of = choose(list(files), row), lambda name: hub.fetch(row, [name], "dataset", files) / name
        else:
            found = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
            names, path_of = choose(found, row), folder.__truediv__
        with Progress(row["name"], row["documents"], "documents") as progress:
            for one in numbered(row["name"], read(names, path_of, row)):
                rows.append(one)
                progress.add(1, characters=len(one["text"]))
                if len(rows) == row["documents"]:
                    return rows
    except hub.NotHad as error:
        raise BadSource(f"source row {row['name']}: {error}; {hub.own_copy(row)}") from None
    raise BadSource(
        f"source row {row['name']}, key documents: {len(rows)} records of {row['repo']} pass, expected {row['documents']} "
        f"(split {row['split']}, {len(names)} files, where: {row.get('where') or 'anything'})"
    )


def make(documents: str, *, row: dict, code: str) -> None:
    """Write the documents of a hub row: repo, revision, split, text, documents, optional config, files, where."""
    write_documents(documents, collect(row), row=row, code=code, revision=row["revision"], licence=row["licence"])


if __name__ == "__main__":
    problem = None
    with logging_to(snakemake.log[0]):
        try:
            make(snakemake.output.documents, row=snakemake.params.row, code=snakemake.params.code)
        except BadSource as error:
            print(problem := str(error))
    sys.exit(problem)
