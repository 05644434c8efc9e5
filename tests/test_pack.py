"""Packing: the same tables give the same bytes, arrive whole, and let figures be redrawn without anything being trained."""

import gzip
import io
import json
import os
import re
import tarfile

import pytest

from scripts import pack
from scripts.lib.files import read_card, sha256_of, write_json, write_text
from scripts.pack import BrokenPack
from tests import made_up
from tests.conftest import snakemake
from tests.test_dag import jobs
from tests.test_verdicts import World

ARCHIVE = "results/laptop/tables.tar.gz"
TABLE = "results/laptop/evaluations/fig5-run-two/suite.parquet"


@pytest.fixture
def packed(tmp_path, root, monkeypatch):
    """A folder with two figures, their page and the archive of their tables; the present folder."""
    folder = tmp_path / "first"
    folder.mkdir()
    monkeypatch.chdir(folder)
    value, _ = World(folder, root).make()
    write_json("results/laptop/claims.json", value)
    pack.pack(ARCHIVE)
    return folder


def test_the_same_tables_give_the_same_bytes_whenever_they_are_packed(packed):
    before = (packed / ARCHIVE).read_bytes()
    for path in packed.rglob("*.parquet"):
        os.utime(path, (1e9, 1e9))
    pack.pack(ARCHIVE)
    assert (packed / ARCHIVE).read_bytes() == before


def test_tables_cards_and_timings_arrive_whole(packed, tmp_path):
    written = pack.unpack(ARCHIVE, tmp_path / "second")
    ours, theirs = made_up.listed(packed), made_up.listed(tmp_path / "second")
    assert sorted(written) == sorted(theirs) and theirs.items() <= ours.items()
    tables = {path for path in ours if path.endswith(".parquet")}
    assert len(tables) == 4 and tables <= set(theirs)
    assert {path for path in theirs if path.endswith(".card.json")} == {
        f"results/laptop/evaluations/{figure}-run-one/suite.card.json" for figure in ("fig5", "fig7")
    }
    assert len([path for path in theirs if path.startswith("timings/")]) == 6
    read_card(tmp_path / "second/results/laptop/evaluations/fig5-run-one/suite.parquet")
    assert pack.unpack(ARCHIVE, tmp_path / "second") == [], "a second time there is nothing to do"


def test_what_arrives_has_one_time_and_is_newer_than_what_was_there(packed, tmp_path):
    second = tmp_path / "second"
    upstream = second / "results/laptop/runs/run/checkpoints"
    upstream.mkdir(parents=True)
    (second / TABLE).parent.mkdir(parents=True)
    (second / TABLE).write_bytes((packed / TABLE).read_bytes())
    os.utime(second / TABLE, (1e9, 1e9))
    pack.unpack(ARCHIVE, second)
    (only,) = {path.stat().st_mtime_ns for path in second.rglob("*.parquet")}
    assert only > upstream.stat().st_mtime_ns


def test_a_changed_or_missing_table_is_not_packed(packed):
    table = packed / "results/laptop/evaluations/fig7-run-two/suite.parquet"
    good, archive = table.read_bytes(), (packed / ARCHIVE).read_bytes()
    table.write_bytes(good[:-1] + b"?")
    with pytest.raises(BrokenPack, match="fig7-run-two/suite.parquet: its sha256 is not the one that fig7 was drawn from"):
        pack.pack(ARCHIVE)
    table.unlink()
    with pytest.raises(BrokenPack, match="fig7-run-two/suite.parquet: missing; fig7 was drawn from it"):
        pack.pack(ARCHIVE)
    assert (packed / ARCHIVE).read_bytes() == archive
    with pytest.raises(BrokenPack, match="results/paper/claims.json: missing"):
        pack.pack("results/paper/tables.tar.gz")


def rewritten(archive, change):
    """The archive with its members, name -> bytes in order, changed by a function; manifest and gzip stay well formed."""
    with tarfile.open(archive) as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}
    change(members)
    path = archive.with_name("changed.tar.gz")
    with gzip.open(path, "wb") as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def flip(members):
    members[TABLE] = members[TABLE][:-1] + b"?"


def drop(members):
    del members[TABLE]


def add(members):
    members["results/laptop/extra.parquet"] = b"unlisted"


def escape(members):
    manifest = json.loads(members[pack.MANIFEST])
    manifest["sha256"]["../outside"] = manifest["sha256"][TABLE]
    members |= {pack.MANIFEST: json.dumps(manifest).encode(), "../outside": members[TABLE]}


def overwrite(members):
    manifest = json.loads(members[pack.MANIFEST])
    manifest["sha256"]["scripts/pack.py"] = manifest["sha256"][TABLE]
    members |= {pack.MANIFEST: json.dumps(manifest).encode(), "scripts/pack.py": members[TABLE]}


def headless(members):
    del members[pack.MANIFEST]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (flip, f"{TABLE}: its sha256 is not the one in the manifest"),
        (drop, f"{TABLE}: in the archive or in its manifest, but not in both"),
        (add, "extra.parquet: in the archive or in its manifest"),
        (escape, r"\.\./outside: expected a plain file under results or timings"),
        (overwrite, "scripts/pack.py: expected a plain file under results or timings"),
        (headless, "expected manifest.json as its first member"),
    ],
)
def test_a_damaged_archive_is_refused_and_nothing_is_written(packed, tmp_path, change, match):
    path = rewritten(packed / ARCHIVE, change)
    with pytest.raises(BrokenPack, match=match):
        pack.unpack(path, tmp_path / "second")
    assert not (tmp_path / "second").exists() and not (tmp_path / "outside").exists()


def test_other_tables_already_there_are_not_overwritten(packed, tmp_path):
    path = tmp_path / "second" / TABLE
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(BrokenPack, match="fig5-run-two/suite.parquet: already there with other content"):
        pack.unpack(ARCHIVE, tmp_path / "second")
    assert path.read_text() == "mine" and len(made_up.listed(tmp_path / "second")) == 1


def test_the_command_line_says_what_is_wrong_in_one_line(packed, capsys):
    pack.main([ARCHIVE])
    assert "files" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="pack: .*No such file"):
        pack.main(["--unpack", "nowhere.tar.gz"])


@pytest.mark.workflow
def test_tables_alone_are_enough_to_draw(project, tmp_path):
    """Stand-ins for the tables that figures read, packed elsewhere, and nothing upstream of them: only drawing is planned."""
    planned = snakemake(project, "-n", "--config=scale=smoke", "results/smoke/claims.html").stdout
    read = re.search(r"^rule verdicts:\n    input: (.*)$", planned, re.MULTILINE).group(1).split(", ")
    tables = sorted(path for path in read if path.count("/") > 2)
    assert len(tables) >= 8 and all(path.startswith("results/smoke/") for path in tables)
    for path in tables:
        write_text(tmp_path / path, "a table")
    page = {
        "scale": "smoke",
        "figures": {"all": {"tables": {path: sha256_of(tmp_path / path) for path in tables}, "timings": []}},
    }
    write_json(tmp_path / "results/smoke/claims.json", page)
    pack.pack(tmp_path / "results/smoke/tables.tar.gz", tmp_path)
    pack.unpack(tmp_path / "results/smoke/tables.tar.gz", project)
    rules = "".join((project / name).read_text() for name in ("papers/bos_only/rules.smk", "rules/claims.smk"))
    drawing = {"all_bos_only", *re.findall(r"^(?:use rule \w+ as|rule) (\w+)", rules, re.MULTILINE)}
    assert {rule for rule, _ in jobs(snakemake(project, "-n", "--config=scale=smoke", "all_bos_only").stdout)} == drawing
    # with a table missing, the rules that make redraw allows cannot go round it
    drawn = re.search(r"^rule fig5:\n    input: (.*)$", planned, re.MULTILINE).group(1).split(", ")
    (project / next(path for path in drawn if "-on-bos-" in path)).unlink()
    done = snakemake(project, "-n", "--config=scale=smoke", "--allowed-rules=fig5", "results/smoke/fig5.csv", check=False)
    assert done.returncode != 0 and "MissingInputException" in done.stdout
