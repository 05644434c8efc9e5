"""The file function and the command line: documents, card, samples.txt; growth, kill and resume."""

import json
import multiprocessing
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from transformers import AutoModelForCausalLM

from scripts.lib.documents import read_documents
from scripts.lib.files import read_card
from scripts.lib.seeds import seed_of
from scripts.lib.work import Busy, work_folder
from scripts.synthesis import sample as sampling
from scripts.synthesis.draws import Sample

ROW = {
    "name": "bos-Tiny-t1.0",
    "scale": "smoke",
    "method": "bos",
    "source_model": "Tiny",
    "temperature": 1.0,
    "samples": 300,
    "max_new_tokens": 60,
    "engine": "pocket",
}


def write(folder: Path, model: Path, **changes) -> Path:
    row = {**ROW, **changes}
    sampling.write_corpus(row, "c0de", model, folder / "synthesized.parquet", folder / "samples.txt", folder / "work")
    return folder / "synthesized.parquet"


@pytest.fixture(scope="module")
def corpus(folder, tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("corpus"), folder)


def test_documents_say_what_they_are(corpus, folder, tokenizer):
    documents = read_documents(corpus)
    assert len(documents) == 300 and documents.id.is_unique
    assert (set(documents.source), set(documents.method)) == ({"bos-Tiny-t1.0"}, {"bos"})
    assert set(documents.source_model) == {"Tiny"}
    assert documents.seed.tolist() == [seed_of("bos-Tiny-t1.0", i) for i in range(300)]
    assert [json.loads(meta) for meta in documents.meta] == [{"index": i} for i in range(300)]
    assert documents.complete.any() and not documents.complete.all()
    assert all(len(ids) == 60 for ids in documents.ids[~documents.complete])
    for text, ids in zip(documents.text[:20], documents.ids[:20], strict=True):
        assert text == tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def test_the_card_counts(corpus):
    documents, card = read_documents(corpus), read_card(corpus)
    lengths = documents.ids.map(len)
    counts = card["counts"]
    assert (counts["samples"], counts["tokens"]) == (300, lengths.sum())
    assert counts["eos_rate"] == pytest.approx(documents.complete.mean())
    assert counts["mean_length"] == pytest.approx(lengths.mean())
    assert counts["empty_rate"] == pytest.approx((lengths == 0).mean()) and counts["unique_rate"] > 0.95
    assert (card["bos"], card["eos"]) == (0, 0) and card["row"]["temperature"] == 1.0


def test_an_empty_sample_keeps_its_place():
    drawn = [([], True), ([3, 4], False), ([3, 4], True), ([], True), ([5], True)]
    samples = [Sample(np.array(ids, np.int32), done) for ids, done in drawn]
    rates = sampling.rates(samples)
    assert (rates["empty_rate"], rates["eos_rate"], rates["mean_length"]) == (0.4, 0.8, 1.0)
    assert rates["unique_rate"] == 2 / 3 and rates["most_copies"] == 2


def test_an_empty_sample_is_written_with_empty_text(tmp_path, folder, monkeypatch):
    nothing = [Sample(np.array([], np.int32), True)] * 256
    monkeypatch.setattr(sampling, "engine_of", lambda *_, **__: lambda seeds: nothing)
    documents = read_documents(write(tmp_path, folder, samples=3))
    assert documents.text.tolist() == ["", "", ""] and documents.id.is_unique and documents.complete.all()


def test_twenty_samples_to_read(corpus):
    text = (corpus.parent / "samples.txt").read_text()
    head = text.split("\n\n")[0]
    assert "bos-Tiny-t1.0" in head and "temperature 1.0" in head and "ended by EOS" in head and "unique" in head
    documents = read_documents(corpus)
    assert text.count("\n--- ") == 20
    assert f"--- 3: {len(documents.ids[3])} tokens" in text and documents.text[3] in text


def test_growing_leaves_what_is_there(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sampling.BLOCK, "pocket", 128)
    few, many = (pq.read_table(write(tmp_path / str(count), folder, samples=count)) for count in (300, 500))
    assert len(many) == 500 and many.slice(0, 300).equals(few)
    assert not many.slice(200, 300).equals(few)


def test_killed_and_resumed_gives_the_same_corpus(folder, tmp_path, monkeypatch):
    """A process is killed with SIGKILL after some blocks; what it finished is not drawn again."""
    monkeypatch.setitem(sampling.BLOCK, "pocket", 37)
    count, cut = 37 * 12 + 5, tmp_path / "cut"
    expected = write(tmp_path / "whole", folder, samples=count).read_bytes()
    cut.mkdir()
    child = multiprocessing.get_context("fork").Process(
        target=write, args=(cut, folder), kwargs={"samples": count}, daemon=True
    )
    child.start()
    deadline = time.monotonic() + 60
    while len(list(cut.glob("work/block-*.parquet"))) < 3:
        assert child.is_alive() and time.monotonic() < deadline, "ended before it could be killed"
        time.sleep(0.002)
    child.kill()
    child.join()
    done = len(list(cut.glob("work/block-*.parquet")))
    assert child.exitcode == -signal.SIGKILL and 3 <= done < 13 and not (cut / "synthesized.parquet").exists()
    drawn, draw_range = [], sampling.draw_range

    def counted(draw, corpus, start, stop, block):
        drawn.append(start)
        return draw_range(draw, corpus, start, stop, block)

    monkeypatch.setattr(sampling, "draw_range", counted)
    assert write(cut, folder, samples=count).read_bytes() == expected
    assert len(drawn) == 13 - done, "finished blocks are kept"
    assert not (cut / "work").exists()


def test_blocks_of_another_model_are_not_taken_over(folder, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    row = {**ROW, "samples": 20}
    first = sampling.draw_corpus(row, folder, work, bos=0, eos=0, block=32)
    other = tmp_path / "Other"
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.lm_head.weight.data.mul_(0.5)
    model.save_pretrained(other)
    second = sampling.draw_corpus(row, other, work, bos=0, eos=0, block=32)
    assert any(not np.array_equal(a.ids, b.ids) for a, b in zip(first, second, strict=True))
    assert len(list(work.glob("*.parquet"))) == 1


def test_a_second_process_leaves_the_first_alone(folder, tmp_path):
    with work_folder(tmp_path / "work"), pytest.raises(Busy):
        write(tmp_path, folder)
    assert not (tmp_path / "synthesized.parquet").exists()


def test_the_command_line_stops_with_one_line_that_names_row_and_key(folder, tmp_path):
    def run(**changes):
        files = {"model": folder, "out": tmp_path / "o.parquet", "samples": tmp_path / "s.txt", "work": tmp_path / "w"}
        sampling.main(["--row", json.dumps({**ROW, **changes}), "--code", "c", *(f"--{k}={v}" for k, v in files.items())])

    with pytest.raises(SystemExit, match="bos-Tiny-t1.0: key max_new_tokens: 500 asked for, the model has 128 positions"):
        run(max_new_tokens=500)
    run(samples=5)
    assert len(read_documents(tmp_path / "o.parquet")) == 5
