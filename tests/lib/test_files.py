"""Files are whole or absent; a card tells when one changed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from scripts.lib import files
from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.seeds import seed_of
from scripts.lib.work import Busy, work_folder


def test_an_exception_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.atomic(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "folder"
    for names in (["a", "b"], ["c"]):
        with files.atomic(path) as beside:
            beside.mkdir()
            for name in names:
                (beside / name).write_text(name)
    assert os.listdir(path) == ["c"]


def test_cards_find_changed_and_missing_files(tmp_path):
    rows = [document("one text", source="s", index=i, meta={"n": i}) for i in range(3)]
    path = tmp_path / "documents.parquet"
    write_documents(path, rows, row={"name": "s"}, code="c", seed=1)
    frame = read_documents(path)
    assert frame.text.tolist() == ["one text"] * 3 and frame.id.nunique() == 3
    card = json.loads((tmp_path / "documents.card.json").read_text())
    assert card["counts"] == {"documents": 3, "characters": 24} and card["versions"]["numpy"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(files.BrokenArtifact, match="documents.parquet: its sha256"):
        read_documents(path)
    path.unlink()
    with pytest.raises(files.BrokenArtifact, match="missing"):
        read_documents(path)


def test_seeds_are_those_of_their_names():
    assert seed_of("a", 1) == seed_of("a", "1") != seed_of("a1")
    assert seed_of("ab", "c") != seed_of("a", "bc")
    assert all(0 <= seed_of("x", i) < 2**63 for i in range(1000)) and len({seed_of("x", i) for i in range(1000)}) == 1000


def test_documents_load_with_datasets(tmp_path):
    import datasets

    path = tmp_path / "documents.parquet"
    write_documents(path, [document("a", source="s"), document("b", source="s")], row={}, code="c")
    loaded = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["text"][:] == ["a", "b"]


OWNER = """
import sys, time
from scripts.lib.work import work_folder
with work_folder(sys.argv[1]) as folder:
    (folder / "state").write_text("half")
    print("working", flush=True)
    time.sleep(60)
"""


def test_a_living_owner_is_left_alone_and_a_dead_one_is_resumed(tmp_path, root):
    folder = tmp_path / "work"
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], cwd=root, stdout=subprocess.PIPE, text=True)
    assert owner.stdout.readline() == "working\n"
    with pytest.raises(Busy, match=str(owner.pid)), work_folder(folder):
        pass
    assert (folder / "state").read_text() == "half"
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    with work_folder(folder) as mine:
        assert (mine / "state").read_text() == "half"
    assert not folder.exists()


def test_a_pid_that_another_process_has_now_does_not_count(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    mine = {"host": __import__("socket").gethostname(), "pid": os.getpid(), "started": "1", "slurm_job": None}
    (folder / "owner-1.json").write_text(json.dumps(mine))
    start = time.monotonic()
    with work_folder(folder):
        pass
    assert time.monotonic() - start < 5
