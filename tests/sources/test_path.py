"""Local files: every format gives the same documents, every bad input a message with row, file, line and key; and real text."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.lib.documents import read_documents
from scripts.sources import path

TEXTS = ["First text.", "Zweiter Text: äöü, 日本語.", "Third,\nof two lines."]


def _row(pattern, **more):
    return {"name": "mine", "kind": "path", "path": pattern, "text": "text", **more}


def _zstd(file, data):
    with pa.output_stream(str(file), compression="zstd") as stream:
        stream.write(data)


def _write(file, texts):
    lines = "".join(json.dumps({"n": i, "text": text}) + "\n" for i, text in enumerate(texts)).encode()
    name = file.name
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"n": list(range(len(texts))), "text": texts}), file)
    elif name.endswith(".zst"):
        _zstd(file, lines)
    elif name.endswith(".gz"):
        file.write_bytes(gzip.compress(lines))
    else:
        file.write_bytes(lines)


def _texts(row):
    return [text for text, _ in path.read(row)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.json", "a.json.gz", "a.parquet"])
def test_every_format_gives_the_same_documents(tmp_path, name):
    _write(tmp_path / name, TEXTS)
    assert [(text, meta["line"]) for text, meta in path.read(_row(str(tmp_path / name)))] == list(
        zip(TEXTS, (1, 2, 3), strict=True)
    )


def test_a_json_array(tmp_path):
    (tmp_path / "a.json").write_text("\n" + json.dumps([{"text": text} for text in TEXTS], indent=1))
    assert _texts(_row(str(tmp_path / "*.json"))) == TEXTS


@pytest.mark.parametrize(
    "packed", [lambda data: data, gzip.compress, lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])]
)
@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("file", [("One\n two\n\n\nThree", 2)]),
        ("paragraph", [("One\n two", 2), ("Three", 6)]),
        ("line", [("One", 2), (" two", 3), ("Three", 6)]),
    ],
)
def test_splits_of_a_text_file(tmp_path, split, expected, packed):
    data = b"\xef\xbb\xbf\r\nOne\r\n two\n\n \nThree\n\n"
    (tmp_path / ("a.txt" if packed(data) == data else "a.txt.gz")).write_bytes(packed(data))
    found = [(text.replace("\n \n", "\n\n"), meta["line"]) for text, meta in path.read(_row(str(tmp_path / "a*"), split=split))]
    assert found == expected


def test_a_text_file_is_one_document_unless_the_row_says_otherwise(tmp_path):
    _zstd(tmp_path / "b.txt.zst", "Über\n\nalles".encode())
    (tmp_path / "a.txt").write_text("A")
    assert _texts(_row(str(tmp_path / "*.txt*"))) == ["A", "Über\n\nalles"]


def test_globs_are_sorted_and_a_file_counts_once(tmp_path):
    for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        _write(tmp_path / name, [name])
    row = _row([str(tmp_path / "b.jsonl"), str(tmp_path / "**/*.jsonl")])
    assert _texts(row) == ["a.jsonl", "b.jsonl", "deep/c.jsonl"]


def test_ids_depend_on_text_alone(tmp_path):
    (tmp_path / "one").mkdir()
    _write(tmp_path / "a.jsonl", ["x", "y", "x"])
    _write(tmp_path / "one/b.jsonl", ["y"])
    _write(tmp_path / "one/c.parquet", ["x", "x", "z"])
    ids = {}
    for pattern in ("*.jsonl", "one/*"):
        out = tmp_path / "documents.parquet"
        path.make(out, row=_row(str(tmp_path / pattern)), code="c")
        frame = read_documents(out)
        assert frame["id"].is_unique and set(frame["source"]) == {"mine"}
        for text, group in frame.groupby("text"):
            ids.setdefault(text, []).append(list(group["id"]))
    assert ids["x"][0] == ids["x"][1] and ids["y"][0] == ids["y"][1]


BAD = {
    "nothing.jsonl": (None, r"source row mine, key path: no file matches .*nothing\.jsonl"),
    "a.csv": (b"text\nx\n", r"cannot read .*a\.csv; expected \.txt, \.jsonl, \.json, \.parquet"),
    "broken.jsonl": (b'{"text": "x"}\n\n{"text": \n', r"broken\.jsonl, line 3, column \d+: broken JSON"),
    "key.jsonl": (b'{"body": "x", "title": "y"}\n', r"key\.jsonl, line 1: no key text; the record has body, title"),
    "list.jsonl": (b'["text"]\n', r"list\.jsonl, line 1: expected an object with the key text, found list"),
    "empty.jsonl": (b'{"text": "x"}\n{"text": " "}\n', r"empty\.jsonl, line 2, key text: expected a text, found an empty text"),
    "null.jsonl": (b'{"text": null}\n', r"null\.jsonl, line 1, key text: expected a text, found NoneType"),
    "array.json": (b'[{"text": "x"},\n {"text": 3}]', r"array\.json, line 2, key text: expected a text, found int"),
    "comma.json": (b'[{"text": "x"},\n {"text": 3},]', r"comma\.json, line 2, column \d+: broken JSON"),
    "latin.txt": ("x\nä\n".encode("latin-1"), r"latin\.txt, line 2 is not UTF-8 \(.* at byte 0 of the line\)"),
    "blank.txt": (b" \n\n", r"blank\.txt holds no text"),
    "cut.txt.gz": (gzip.compress(b"text\n" * 1000)[:-12], r"cut\.txt\.gz after line \d+: broken or cut-off compressed data"),
    "fake.txt.gz": (b"text", r"fake\.txt\.gz after line 0: broken or cut-off compressed data"),
    "fake.txt.zst": (b"text", r"fake\.txt\.zst after line 0: broken or cut-off compressed data"),
    "fake.parquet": (b"PAR1 and no more", r"fake\.parquet after row 0: broken Parquet"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(tmp_path, name):
    data, message = BAD[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(path.BadSource, match=f"source row mine.*{message}" if "source row" not in message else message):
        path.make(tmp_path / "documents.parquet", row=_row(str(tmp_path / name)), code="c")
    assert not (tmp_path / "documents.parquet").exists()


def test_a_missing_column_is_named_with_those_that_exist(tmp_path):
    pq.write_table(pa.table({"body": ["x"], "title": ["y"]}), tmp_path / "a.parquet")
    with pytest.raises(path.BadSource, match=r"source row mine: .*a\.parquet has no column text; it has body, title"):
        _texts(_row(str(tmp_path / "a.parquet")))


def test_a_cut_zstd_stream_is_named(tmp_path):
    _zstd(tmp_path / "whole.txt.zst", bytes(range(32, 127)) * 9000)
    (tmp_path / "cut.txt.zst").write_bytes((tmp_path / "whole.txt.zst").read_bytes()[:-20])
    with pytest.raises(path.BadSource, match=r"cut\.txt\.zst"):
        _texts(_row(str(tmp_path / "cut.txt.zst")))


def test_a_folder_gets_a_hint(tmp_path):
    with pytest.raises(path.BadSource, match=r"no file matches .*did you mean .*/\*\?"):
        path.files_of(_row(str(tmp_path)))


def test_a_row_with_an_unknown_split(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(path.BadSource, match="key split: expected one of file, paragraph, line, found 'page'"):
        _texts(_row(str(tmp_path / "a.txt"), split="page"))


def test_real_books(real_text):
    row = _row([str(real_text / "text_en/gutenberg/*.txt*")], split="paragraph")
    pairs = list(path.read(row))
    books = {meta["file"].rsplit("/", 1)[1].split(".")[0] for _, meta in pairs}
    assert {"alice", "moby_dick", "pride_and_prejudice"} <= books
    assert any(text.startswith("Call me Ishmael.") for text, _ in pairs)
    assert any("It is a truth universally acknowledged" in text for text, _ in pairs)
    with gzip.open(real_text / "text_en/gutenberg/moby_dick.txt.gz", "rt", encoding="utf-8-sig", newline="") as file:
        words = file.read().split()  # an independent reading of one book: no word is lost, none invented
    assert words == [word for text, meta in pairs if "moby_dick" in meta["file"] for word in text.split()]


def test_real_benchmark_records(real_text, tmp_path):
    row = {**_row(str(real_text / "benchmarks/gsm8k_*.jsonl.gz")), "text": "question"}
    path.make(tmp_path / "documents.parquet", row=row, code="c")
    frame = read_documents(tmp_path / "documents.parquet")
    assert len(frame) == 7473 + 1319 and frame["id"].is_unique
    array = {**_row(str(real_text / "benchmarks/webquestions_trainmodel.json.gz")), "text": "qText"}
    assert len(list(path.read(array))) == 2834
