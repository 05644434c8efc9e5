"""Hub rows against a folder that stands for a repository, and without network."""

import os
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from scripts.lib.documents import read_documents
from scripts.sources import hub
from scripts.sources.path import BadSource

ROW = {
    "name": "corpus",
    "kind": "hub",
    "repo": "somebody/texts",
    "revision": "0123456789abcdef0123456789abcdef01234567",
    "split": "train",
    "text": "text",
    "documents": 5,
    "licence": "CC0-1.0",
}


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    for shard in range(3):
        languages = ["English", "French"] * 5
        texts = [f"Shard {shard}, text {i}, {language}." for i, language in enumerate(languages)]
        pq.write_table(
            pa.table({"text": texts, "language": languages, "n": list(range(10))}), folder / f"data/part-{shard}.parquet"
        )
    (folder / "README.md").write_text("about")
    (folder / "texts.py").write_text("raise SystemExit('a loading script was run')")
    (folder / "dataset_infos.json").write_text("{}")
    return DirFileSystem(path=str(folder), fs=LocalFileSystem())


def test_the_first_documents_that_pass(repository):
    rows = hub.collect({**ROW, "documents": 8, "where": {"language": "English"}}, repository)
    texts = [row["text"] for row in rows]
    order = hub.choose(repository.find(""), ROW)
    assert sorted(order) == ["data/part-0.parquet", "data/part-1.parquet", "data/part-2.parquet"]
    shards = [name[len("data/part-")] for name in order]
    expected = [f"Shard {shard}, text {i}, English." for shard in shards for i in (0, 2, 4, 6, 8)][:8]
    assert texts == expected
    more = hub.collect({**ROW, "documents": 12, "where": {"language": ["English"]}}, repository)
    assert more[:8] == rows  # growing a source keeps what is there


def test_the_order_of_files_is_drawn_from_the_revision():
    names = [f"part-{i}.parquet" for i in range(20)]
    order = hub.choose(names, ROW)
    assert order == hub.choose(names[::-1], ROW) != sorted(order) == sorted(names)
    assert order != hub.choose(names, {**ROW, "revision": "f" * 40})


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["en/train-0.parquet", "fr/train-0.parquet"]),
        ({"split": "validation"}, ["en/validation.jsonl.gz"]),
        ({"config": "fr"}, ["fr/train-0.parquet"]),
        ({"files": "en/*"}, ["en/train-0.parquet", "en/validation.jsonl.gz"]),
        ({"files": ["fr/*", "en/v*"]}, ["en/validation.jsonl.gz", "fr/train-0.parquet"]),
    ],
)
def test_files_of_a_row(more, expected):
    names = [
        "README.md",
        "load.py",
        "en/train-0.parquet",
        "fr/train-0.parquet",
        "en/validation.jsonl.gz",
        "en/model.bin",
        "en/x.csv",
    ]
    assert sorted(hub.choose(names, {**ROW, **more})) == expected


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"split": "test"},
            r"row corpus, key split: no Parquet or JSON file for test in somebody/texts at 0123.*; it has data/part-0",
        ),
        ({"config": "de"}, r"key config: no Parquet or JSON file for de"),
        ({"files": "*.csv"}, r"key files: no Parquet or JSON file matches \*\.csv"),
        ({"text": "body"}, r"data/part-\d\.parquet has no column body; it has text, language, n"),
        ({"where": {"tongue": "English"}}, r"has no column tongue"),
        ({"documents": 31}, r"key documents: 30 records of somebody/texts pass, expected 31"),
        ({"where": {"language": "Latin"}}, r"0 records of somebody/texts pass, expected 5 .*where: {'language': 'Latin'}"),
    ],
)
def test_rows_that_the_repository_cannot_serve(repository, more, message):
    with pytest.raises(BadSource, match=message) as error:
        hub.collect({**ROW, **more}, repository)
    assert "\n" not in str(error.value)


def test_json_lines_and_texts_that_are_empty(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"text": ""}\n{"text": "x"}\n{"text": null}\n{"text": "x"}\n')
    rows = hub.collect({**ROW, "documents": 2}, DirFileSystem(path=str(tmp_path), fs=LocalFileSystem()))
    assert [row["text"] for row in rows] == ["x", "x"]
    assert rows[0]["id"] != rows[1]["id"]


def test_documents_and_card(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "repository", lambda row: repository)
    out = tmp_path / "documents.parquet"
    hub.make(out, row=ROW, code="c")
    frame = read_documents(out)
    assert len(frame) == 5 and set(frame["source"]) == {"corpus"}
    assert all(ROW["revision"] in meta and "CC0-1.0" in meta for meta in frame["meta"])


def test_the_repository_is_read_at_the_pinned_revision():
    files = hub.repository(ROW)
    assert files.path == f"datasets/somebody/texts@{ROW['revision']}"


def test_without_network_one_line_that_names_the_row_and_the_way_around(tmp_path, root):
    """The script as Snakemake calls it, offline: the row is named, the exit is not 0, no traceback on the terminal."""
    log, out = str(tmp_path / "log"), str(tmp_path / "d.parquet")
    call = f"""
import builtins, runpy
from types import SimpleNamespace as N
builtins.snakemake = N(log=[{log!r}], output=N(documents={out!r}), params=N(row={ROW!r}, code="c"))
runpy.run_path("scripts/sources/hub.py", run_name="__main__")
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", call], cwd=root, env=environment, text=True, capture_output=True)
    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert re.match(r"source row corpus: somebody/texts at 0123\w+ cannot be read \(OfflineModeIsEnabled", line)
    assert "replace the row by `corpus: {kind: path, path: my/files/*.jsonl.gz, text: text}`" in line
    assert line == (tmp_path / "log").read_text().strip().splitlines()[-1]
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert not (tmp_path / "d.parquet").exists()


def test_a_server_that_answers_no_is_the_same_line(monkeypatch):
    class Down:
        def find(self, _):
            raise ConnectionError("Name or service not known\nmore")

    with pytest.raises(
        BadSource, match=r"cannot be read \(ConnectionError Name or service not known\); to use files that you have"
    ):
        hub.collect(ROW, Down())
