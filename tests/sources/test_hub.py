"""Hub rows against a folder that stands for a repository, against a hub on the loopback, and without network."""

import os
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.lib.documents import read_documents
from scripts.sources import hub
from scripts.sources.path import BadSource
from tests.hub_server import REVISION

ROW = {
    "name": "corpus",
    "kind": "hub",
    "repo": "somebody/texts",
    "revision": REVISION,
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
    return folder


def names_in(folder) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_the_first_documents_that_pass(repository):
    rows = hub.collect({**ROW, "documents": 8, "where": {"language": "English"}}, repository)
    texts = [row["text"] for row in rows]
    order = hub.choose(names_in(repository), ROW)
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
    rows = hub.collect({**ROW, "documents": 2}, tmp_path)
    assert [row["text"] for row in rows] == ["x", "x"]
    assert rows[0]["id"] != rows[1]["id"]


@pytest.fixture
def served(loopback, repository):
    """The same repository on the loopback."""
    files = {name: (repository / name).read_bytes() for name in names_in(repository)}
    loopback.repos["datasets/somebody/texts"] = {**files, ".gitattributes": b""}
    return loopback


def test_documents_and_card_from_the_hub(served, tmp_path):
    out = tmp_path / "documents.parquet"
    hub.make(out, row=ROW, code="c")
    frame = read_documents(out)
    assert len(frame) == 5 and set(frame["source"]) == {"corpus"}
    assert all(REVISION in meta and "CC0-1.0" in meta for meta in frame["meta"])
    assert served.downloaded() - {".gitattributes"} == {hub.choose(list(served.repos["datasets/somebody/texts"]), ROW)[0]}


def test_a_second_source_of_the_same_files_needs_no_network(served, repository, offline_after):
    row = {**ROW, "documents": 10, "where": {"language": "French"}}
    rows = hub.collect(row)
    assert rows == hub.collect(row, repository)
    offline_after()
    assert hub.collect({**row, "documents": 8}) == rows[:8]
    with pytest.raises(BadSource, match="somebody/texts at 0123.* is not whole in the cache"):
        hub.collect({**row, "documents": 11})


def test_a_file_that_is_not_the_one_that_the_hub_lists_is_named(served):
    first = hub.choose(list(served.repos["datasets/somebody/texts"]), ROW)[0]
    served.instead[first] = b"PAR1" + served.repos["datasets/somebody/texts"][first][4:-4] + b"rap1"
    with pytest.raises(BadSource, match=f"source row corpus: somebody/texts: {first} has sha256 .*; to use a copy of yours"):
        hub.collect(ROW)


def test_a_missing_or_gated_data_set_is_one_line(served):
    with pytest.raises(
        BadSource, match=r"source row corpus: dataset somebody/none is not on the hub.*replace the row by"
    ) as error:
        hub.collect({**ROW, "repo": "somebody/none"})
    assert "\n" not in str(error.value)
    served.gated.add("datasets/somebody/texts")
    with pytest.raises(BadSource, match="is gated: accept its terms at https://huggingface.co/datasets/somebody/texts"):
        hub.collect(ROW)


def test_without_network_one_line_that_names_the_row_and_the_way_around(tmp_path, root):
    """The script as Snakemake calls it, offline: the row is named, the exit is not 0, no traceback on the terminal."""
    log, out = str(tmp_path / "log"), str(tmp_path / "d.parquet")
    call = f"""
import builtins, runpy
from types import SimpleNamespace as N
builtins.snakemake = N(log=[{log!r}], output=N(documents={out!r}), params=N(row={ROW!r}, code="c"))
runpy.run_path("scripts/sources/hub.py", run_name="__main__")
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", call], cwd=root, env=environment, text=True, capture_output=True)
    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert re.match(
        r"source row corpus: dataset somebody/texts at 0123\w+ is not whole in the cache .*\(OfflineModeIsEnabled", line
    )
    assert "replace the row by `corpus: {kind: path, path: my/files/*.jsonl.gz, text: text}`" in line
    assert line == (tmp_path / "log").read_text().strip().splitlines()[-1]
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert not (tmp_path / "d.parquet").exists()
