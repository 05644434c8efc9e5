"""Documents from files on this machine: txt, jsonl, json and Parquet, plain or compressed (gz, zst).

Reads the files that the row's ``path`` names (one glob or a list, relative to the project's root). Makes documents.parquet:
one document a record, or a file, paragraph or line of a text file, with file and line in ``meta``.
"""

import glob
import gzip
import io
import json
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.documents import document, write_documents
from scripts.lib.files import sha256_of
from scripts.lib.progress import Progress, logging_to

COMPRESSED = (".gz", ".zst")
KINDS = (".txt", ".jsonl", ".json", ".parquet")
SPLITS = ("file", "paragraph", "line")


class BadSource(Exception):
    """A source cannot be read; the message names the row, the file, the line and the key, and says what was expected."""


def kind_of(name: str, where: str) -> str:
    """The suffix that says what a file holds: ``kind_of("a.jsonl.gz", ...)`` is ``".jsonl"``; raises BadSource for others."""
    suffixes = Path(name).suffixes
    kind = next((s for s in reversed(suffixes) if s not in COMPRESSED), "")
    packed = len(suffixes) > 1 and suffixes[-1] in COMPRESSED
    if kind not in KINDS or (suffixes[-1] != kind and not packed) or (kind == ".parquet" and packed):
        raise BadSource(f"{where}: cannot read {name}; expected {', '.join(KINDS)}, the first three also with .gz or .zst")
    return kind


def lines(raw: BinaryIO, name: str, where: str) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line without its end) of a UTF-8 stream, decompressed by the suffix of ``name``.

    Raises:
        BadSource: naming file and line, when the bytes are not UTF-8 or the compressed stream is broken or cut off.
    """
    number = 0
    try:
        if name.endswith(".gz"):
            stream: BinaryIO = gzip.GzipFile(fileobj=raw)
        elif name.endswith(".zst"):
            stream = io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw), "zstd"), 1 << 16)
        else:
            stream = raw
        for number, line in enumerate(stream, 1):  # noqa: B007
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            yield number, text.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise BadSource(
            f"{where}: {name}, line {number} is not UTF-8 ({error.reason} at byte {error.start} of the line)"
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error, pa.ArrowException) as error:
        raise BadSource(f"{where}: {name} after line {number}: broken or cut-off compressed data ({error})") from None
    except OSError as error:
        if not name.endswith(".zst") or error.errno is not None:
            raise
        raise BadSource(f"{where}: {name} after line {number}: broken or cut-off compressed data ({error})") from None


def records(raw: BinaryIO, name: str, keys: list[str], where: str) -> Iterator[tuple[int, dict]]:
    """Yield (line or row from 1, record with at least ``keys``) of a jsonl, json (array or lines) or Parquet stream.

    Raises:
        BadSource: naming file, line and key, and the keys that exist.
    """
    if kind_of(name, where) == ".parquet":
        yield from _table(raw, name, keys, where)
        return
    numbered = lines(raw, name, where)
    array = name.removesuffix(".gz").removesuffix(".zst").endswith(".json")
    for number, line in numbered:
        if not line.strip():
            continue
        if array and line.lstrip().startswith("["):
            whole = "\n".join([line, *(rest for _, rest in numbered)])
            for index, one in enumerate(_parsed(whole, name, number, where), 1):
                yield index, _checked(one, keys, f"{where}: {name}, element {index}")
            return
        array = False
        yield number, _checked(_parsed(line, name, number, where), keys, f"{where}: {name}, line {number}")


def _parsed(text: str, name: str, number: int, where: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = number + error.lineno - 1
        raise BadSource(f"{where}: {name}, line {line}, column {error.colno}: broken JSON ({error.msg})") from None


def _checked(record: object, keys: list[str], where: str) -> dict:
    if not isinstance(record, dict):
        raise BadSource(f"{where}: expected an object with the key {keys[0]}, found {type(record).__name__}")
    for key in keys:
        if key not in record:
            raise BadSource(f"{where}: no key {key}; the record has {', '.join(map(str, record)) or 'no keys'}")
    return record


def _table(raw: BinaryIO, name: str, keys: list[str], where: str) -> Iterator[tuple[int, dict]]:
    number = 0
    try:
        file = pq.ParquetFile(raw)
        for key in keys:
            if key not in file.schema_arrow.names:
                raise BadSource(f"{where}: {name} has no column {key}; it has {', '.join(file.schema_arrow.names)}")
        for batch in file.iter_batches(batch_size=1024, columns=keys):
            for record in batch.to_pylist():
                number += 1
                yield number, record
    except pa.ArrowException as error:
        raise BadSource(f"{where}: {name} after row {number}: broken Parquet ({str(error).splitlines()[0]})") from None


def texts(raw: BinaryIO, name: str, split: str, where: str) -> Iterator[tuple[int, str]]:
    """Yield (first line, text) of a text stream: the whole file, its paragraphs (split at empty lines) or its lines."""
    if split not in SPLITS:
        raise BadSource(f"{where}, key split: expected one of {', '.join(SPLITS)}, found {split!r}")
    part: list[str] = []
    start = found = 0
    for number, line in lines(raw, name, where):
        if line.strip():
            start = start or number
            part.append(line)
        elif part and split == "file":
            part.append(line)
        if part and (split == "line" or (split == "paragraph" and not line.strip())):
            found += 1
            yield start, "\n".join(part)
            part, start = [], 0
    if part:
        found += 1
        yield start, "\n".join(part).rstrip()
    if not found:
        raise BadSource(f"{where}: {name} holds no text; expected at least one line that is not empty")


def files_of(row: dict) -> list[Path]:
    """The files of a path row, each once, sorted by name.

    Raises:
        BadSource: naming the row and the pattern that matches no file.
    """
    patterns = [row["path"]] if isinstance(row["path"], str) else row["path"]
    found: set[str] = set()
    for pattern in patterns:
        full = str(Path(pattern).expanduser())
        matched = [name for name in glob.glob(full, recursive=True) if Path(name).is_file()]
        if not matched:
            hint = f" (a folder; did you mean {pattern}/*?)" if Path(full).is_dir() else ""
            raise BadSource(f"source row {row['name']}, key path: no file matches {pattern}{hint}")
        found.update(matched)
    return sorted(map(Path, found))


def read(row: dict) -> Iterator[tuple[str, dict]]:
    """Yield (text, meta with file and line) of a path row, file by file, line by line.

    Raises:
        BadSource: for the first thing that is wrong.
    """
    where = f"source row {row['name']}"
    key = row["text"]
    for file in files_of(row):
        kind = kind_of(str(file), where)
        with open(file, "rb") as raw:
            if kind == ".txt":
                pairs = texts(raw, str(file), row.get("split", "file"), where)
            else:
                pairs = ((line, record[key]) for line, record in records(raw, str(file), [key], where))
            for line, text in pairs:
                if not isinstance(text, str) or not text.strip():
                    found = "an empty text" if isinstance(text, str) else type(text).__name__
                    raise BadSource(f"{where}: {file}, line {line}, key {key}: expected a text, found {found}")
                yield text, {"file": str(file), "line": line}


def numbered(source: str, pairs: Iterator[tuple[str, dict]]) -> Iterator[dict]:
    """Documents of (text, meta) pairs; equal texts are told apart by their count, so that no id depends on file or line."""
    seen: Counter[str] = Counter()
    for text, meta in pairs:
        one = document(text, source=source, meta=meta)
        before = seen[one["id"]]
        seen[one["id"]] += 1
        yield document(text, source=source, meta=meta, index=before) if before else one


def make(documents: str | Path, *, row: dict, code: str) -> None:
    """Write the documents of a path row: ``path``, ``text`` (key or column), optional ``split`` for text files."""
    files = files_of(row)
    rows = []
    with Progress(row["name"], len(files), "files") as progress:
        last = None
        for one in numbered(row["name"], read(row)):
            rows.append(one)
            file = json.loads(one["meta"])["file"]
            progress.add(int(last is not None and file != last), characters=len(one["text"]))
            last = file
        progress.add(1)
    write_documents(documents, rows, row=row, code=code, files={str(file): sha256_of(file) for file in files})


if __name__ == "__main__":
    problem = None
    with logging_to(snakemake.log[0]):
        try:
            make(snakemake.output.documents, row=snakemake.params.row, code=snakemake.params.code)
        except BadSource as error:
            print(problem := str(error))
    sys.exit(problem)
