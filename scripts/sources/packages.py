"""Documents out of installed packages: what `prose` (docstrings) and `code` (functions) share.

Reads the Python files of the packages that a row lists, at the versions that the lock pins; makes documents.parquet of what one
of the two extracts from them, with package, version, module, object and licence in ``meta``.
"""

import gc
import re
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

from scripts.lib.documents import document, write_documents
from scripts.lib.progress import Progress, logging_to


class NotInstalled(Exception):
    """A listed package is absent, unpinned or installed at another version; the message names row and package."""


def licence_of(package: metadata.Distribution) -> str:
    """The licence that a distribution declares: License-Expression, else classifiers, else the first line of License."""
    meta = package.metadata
    if expression := meta.get("License-Expression"):
        return expression
    classifiers = [c.split(" :: ")[-1] for c in meta.get_all("Classifier") or () if c.startswith("License :: ")]
    stated = next((line.strip() for line in (meta.get("License") or "").splitlines() if line.strip()), "")
    return "; ".join(sorted(classifiers)) or stated or "not stated"


def pins_of(lock: str | Path) -> dict[str, str]:
    """Package versions that a lock pins, by normalised name: ``{"scikit-learn": "1.9.1"}``."""
    lines = (line.split("#")[0].split(";")[0].strip() for line in Path(lock).read_text(encoding="utf-8").splitlines())
    pairs = (line.split("==", 1) for line in lines if "==" in line)
    return {_normal(name): version.strip() for name, version in pairs}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def installed(packages: list[str], pins: dict[str, str], row: str) -> list[tuple[str, metadata.Distribution]]:
    """The listed distributions by normalised name, sorted; an entry is ``name`` (version from ``pins``) or ``name==version``.

    Raises:
        NotInstalled: naming the row, the package and both versions. Local parts of versions (``+cpu``) do not count.
    """
    found = {}
    for entry in packages:
        name, _, wanted = entry.partition("==")
        name = _normal(name)
        wanted = wanted.strip() or pins.get(name, "")
        where = f"source row {row}, key packages: {name}"
        if not wanted:
            raise NotInstalled(f"{where} has no version; expected it in the lock, or as {name}==version in the row")
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise NotInstalled(f"{where} is not installed; expected {name}=={wanted} (the lock's environment)") from None
        if package.version.split("+")[0] != wanted.split("+")[0]:
            raise NotInstalled(f"{where} is installed as {package.version}; expected {wanted} (the lock's environment)")
        if package.files is None:
            raise NotInstalled(f"{where} {wanted} was installed without a list of its files; expected a wheel's RECORD")
        found[name] = package
    return sorted(found.items())


def modules(package: metadata.Distribution) -> list[tuple[str, Path]]:
    """(module, file) of the Python files that a distribution installed, sorted by module.

    Scripts outside the package are left out, and so are its tests, which hold much code and little prose.
    """
    files = [PurePosixPath(str(f)) for f in package.files or () if str(f).endswith(".py")]
    files = [f for f in files if not {"..", "tests", "test"}.intersection(f.parts)]
    named = [(".".join(f.with_suffix("").parts).removesuffix(".__init__"), str(f)) for f in files]
    return [(module, Path(package.locate_file(file))) for module, file in sorted(named)]


# (normalised name, distribution, what was seen before) -> text and meta of each document
Extract = Callable[[str, metadata.Distribution, set[str]], Iterator[tuple[str, dict]]]


def make(lock: str | Path, documents: str | Path, extract: Extract, what: str, *, row: dict, code: str) -> None:
    """Write the documents that ``extract`` finds in a row's ``packages`` (names that ``lock`` pins, or name==version).

    Args:
        lock: pip's pins.
        documents: to be written.
        extract: leaves out what is in the set that it is given, and adds to it, so that nothing occurs twice in a source.
        what: it looks for, for the message when there is none of it.
        row: of the source.
        code: hash of the code.

    Raises:
        NotInstalled: when the environment is not the one that row and lock describe, or nothing was found.
    """
    wanted = [row["packages"]] if isinstance(row["packages"], str) else row["packages"]
    packages = installed(wanted, pins_of(lock), row["name"])
    rows: list[dict] = []
    seen: set[str] = set()
    gc.disable()  # syntax trees are millions of objects and hold no cycles: collecting costs a third of the time
    try:
        with Progress(row["name"], len(packages), "packages") as progress:
            for name, package in packages:
                before = len(rows)
                rows += (document(text, source=row["name"], meta=meta) for text, meta in extract(name, package, seen))
                progress.add(1, characters=sum(len(one["text"]) for one in rows[before:]))
    finally:
        gc.enable()
    if not rows:
        raise NotInstalled(f"source row {row['name']}, key packages: {', '.join(wanted)} hold no {what}")
    used = {name: {"version": package.version, "licence": licence_of(package)} for name, package in packages}
    write_documents(documents, rows, row=row, code=code, packages=used)


def script(snakemake, extract: Extract, what: str) -> None:
    """The tail of both: ``make`` for a job of Snakemake."""
    problem = None
    with logging_to(snakemake.log[0]):
        try:
            made = (snakemake.input.lock, snakemake.output.documents, extract, what)
            make(*made, row=snakemake.params.row, code=snakemake.params.code)
        except NotInstalled as error:
            print(problem := str(error))
    sys.exit(problem)
