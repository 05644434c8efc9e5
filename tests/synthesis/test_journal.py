"""Finished calls are found again, whatever happened to their process."""

import json

import pytest

from scripts.lib.files import BrokenArtifact
from scripts.synthesis.journal import Journal
from scripts.synthesis.requests import Answer

ONE, TWO = Answer("first\nline \ud800 ü", 10, 3, "stop"), Answer("", 10, 0, "length")


def test_what_was_added_is_there_again(tmp_path):
    with Journal(tmp_path / "j.jsonl") as journal:
        journal.add("a", ONE)
        assert json.loads((tmp_path / "j.jsonl").read_text())[0] == "a", "on its way to the disk before the next call"
        journal.add("b", TWO)
    with Journal(tmp_path / "j.jsonl") as journal:
        assert journal.answers == {"a": ONE, "b": TWO}
        journal.add("c", ONE)
    assert len((tmp_path / "j.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("left", [1, 5, 40])
def test_a_line_cut_short_is_dropped_and_the_next_is_whole(tmp_path, left):
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.add("a", ONE)
        kept = path.stat().st_size
        journal.add("b", TWO)
    path.write_bytes(path.read_bytes()[: kept + left] if left < 40 else path.read_bytes()[:-1])
    with Journal(path) as journal:
        assert journal.answers == {"a": ONE}
        journal.add("b", TWO)
    with Journal(path) as journal:
        assert journal.answers == {"a": ONE, "b": TWO}


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_text('["a", "text", 1, 2, "stop"]\n["b", 3]\n["c", "text", 1, 2, "stop"]\n')
    with pytest.raises(BrokenArtifact, match="j.jsonl, line 2: is no finished call"):
        Journal(path)
