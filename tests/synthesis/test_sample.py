"""The file function and the command line: documents and their card; shards, growth, kill and resume; prompts."""

import json
import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from scripts.lib.documents import read_documents
from scripts.lib.seeds import seed_of
from scripts.lib.work import Busy, work_folder
from scripts.synthesis import sample as sampling
from scripts.synthesis.draws import Refused, Sample
from scripts.synthesis.gather import gather

ROW = {
    "name": "bos-Tiny-t1.0",
    "scale": "smoke",
    "method": "bos",
    "source_model": "Tiny",
    "temperature": 1.0,
    "samples": 300,
    "max_new_tokens": 60,
    "engine": "pocket",
    "shards": 1,
}


def write_part(folder: Path, model: Path, shard: str, prompts: Path | None = None, **changes) -> Path:
    out = folder / f"shards/{shard}.parquet"
    sampling.write_shard({**ROW, **changes}, "c0de", model, shard, out, folder / f"work/{shard}", prompts)
    return out


def write(folder: Path, model: Path, prompts: Path | None = None, **changes) -> Path:
    """A corpus as the rules make it: all shards, gathered."""
    row = {**ROW, **changes}
    shards = [write_part(folder, model, f"{k}-of-{row['shards']}", prompts, **changes) for k in range(1, row["shards"] + 1)]
    gather([str(path) for path in shards], folder / "synthesized.parquet", folder / "samples.txt", row=row, code="joined")
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


def test_an_empty_sample_is_written_with_empty_text(tmp_path, folder, monkeypatch):
    nothing = [Sample(np.array([], np.int32), True)] * 256
    monkeypatch.setattr(sampling, "engine_of", lambda *_, **__: lambda prompts, seeds: nothing)
    documents = read_documents(write(tmp_path, folder, samples=3))
    assert documents.text.tolist() == ["", "", ""] and documents.id.is_unique and documents.complete.all()


def test_growing_leaves_what_is_there(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sampling.BLOCK, "pocket", 128)
    few, many = (pq.read_table(write(tmp_path / str(count), folder, samples=count)) for count in (300, 500))
    assert len(many) == 500 and many.slice(0, 300).equals(few)
    assert not many.slice(200, 300).equals(few)


@pytest.mark.parametrize("engine", ["pocket", "hf"])
def test_a_corpus_does_not_depend_on_its_shards(engine, folder, tmp_path, monkeypatch):
    """Edges of shards fall inside blocks, and of 16 shards several in one block."""
    monkeypatch.setitem(sampling.BLOCK, engine, 32)
    asked = {"engine": engine, "samples": 109, "max_new_tokens": 24}
    made = {n: write(tmp_path / str(n), folder, shards=n, **asked).read_bytes() for n in (1, 3, 16)}
    assert made[1] == made[3] == made[16]
    assert len(read_documents(tmp_path / "3/shards/2-of-3.parquet")) == 36


def test_shards_of_a_corpus_smaller_than_their_number(folder, tmp_path):
    documents = read_documents(write(tmp_path, folder, samples=2, shards=3, max_new_tokens=4))
    assert len(documents) == 2 and len(read_documents(tmp_path / "shards/1-of-3.parquet")) == 0


def test_parts_cover_a_corpus_once_and_evenly():
    for shards in (1, 3, 7, 16):
        parts = [sampling.part_of(f"{k}-of-{shards}", 100) for k in range(1, shards + 1)]
        assert [i for part in parts for i in part] == list(range(100))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for wrong in ("0-of-3", "4-of-3", "2", "2-of-3x"):
        with pytest.raises(Refused, match="expected a shard such as 2-of-8"):
            sampling.part_of(wrong, 100)


def test_a_killed_shard_resumes_and_ends_as_if_nothing_had_happened(folder, tmp_path, monkeypatch):
    """A process is killed with SIGKILL after some blocks; what it finished is not drawn again."""
    monkeypatch.setitem(sampling.BLOCK, "pocket", 37)
    asked = {"samples": 2 * 37 * 12, "shards": 2}
    expected = write_part(tmp_path / "whole", folder, "2-of-2", **asked).read_bytes()
    cut = tmp_path / "cut"
    child = multiprocessing.get_context("fork").Process(
        target=write_part, args=(cut, folder, "2-of-2"), kwargs=asked, daemon=True
    )
    child.start()
    deadline = time.monotonic() + 60
    while len(list(cut.glob("work/*/block-*.parquet"))) < 3:
        assert child.is_alive() and time.monotonic() < deadline, "ended before it could be killed"
        time.sleep(0.002)
    child.kill()
    child.join()
    done = len(list(cut.glob("work/*/block-*.parquet")))
    assert child.exitcode == -signal.SIGKILL and 3 <= done < 12 and not list(cut.glob("shards/*.parquet"))
    drawn, engine_of = [], sampling.engine_of

    def counted(*a, **k):
        draw = engine_of(*a, **k)
        return lambda prompts, seeds: drawn.append(len(seeds)) or draw(prompts, seeds)

    monkeypatch.setattr(sampling, "engine_of", counted)
    assert write_part(cut, folder, "2-of-2", **asked).read_bytes() == expected
    assert drawn == [37] * (12 - done), "finished blocks are kept"
    assert not (cut / "work/2-of-2").exists()


def test_blocks_of_another_model_or_of_other_prompts_are_not_taken_over(folder, tmp_path):
    row = {**ROW, "engine": "hf", "max_new_tokens": 8}

    def drawn(model: str, prompts: list[list[int]]) -> list[list[int]]:
        samples = sampling.draw_part(row, folder, model, range(len(prompts)), tmp_path, prompts=prompts, eos=[0])
        return [one.ids.tolist() for one in samples]

    first = drawn("a model", [[0]] * 20)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("block-*.parquet")}
    assert drawn("a model", [[0]] * 20) == first
    assert len(written) == 1 and {path: path.stat().st_mtime_ns for path in tmp_path.glob("block-*.parquet")} == written
    assert drawn("a model", [[0]] * 19 + [[0, 90]])[19] != first[19]
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("block-*.parquet")}
    drawn("another model", [[0]] * 19 + [[0, 90]])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("block-*.parquet")} != kept != written


def test_a_second_process_leaves_the_first_alone(folder, tmp_path):
    with work_folder(tmp_path / "work/1-of-2"), pytest.raises(Busy):
        write_part(tmp_path, folder, "1-of-2", shards=2)
    assert not list(tmp_path.glob("shards/*.parquet"))
    assert len(read_documents(write_part(tmp_path, folder, "2-of-2", shards=2, samples=6))) == 3, "the other shard is another's"


def test_the_command_line_stops_with_one_line_that_names_row_shard_and_key(folder, tmp_path):
    def run(**changes):
        files = {"model": folder, "shard": "1-of-2", "out": tmp_path / "o.parquet", "work": tmp_path / "w"}
        sampling.main(["--row", json.dumps({**ROW, **changes}), "--code", "c", *(f"--{k}={v}" for k, v in files.items())])

    message = "bos-Tiny-t1.0, shard 1-of-2: key max_new_tokens: 500 asked for, the model has 128 positions"
    with pytest.raises(SystemExit, match=message):
        run(max_new_tokens=500)
    run(samples=10)
    assert len(read_documents(tmp_path / "o.parquet")) == 5


def test_sampling_with_pocket_imports_none_of_transformers(folder, tmp_path, root):
    """It would take most of a short job's time."""
    code = (
        "import sys\nfrom scripts.synthesis import sample\nsample.main(sys.argv[1:])\n"
        "print('imported', *sorted({'transformers', 'torch'} & set(sys.modules)))"
    )
    files = {"model": folder, "shard": "1-of-1", "out": tmp_path / "o.parquet", "work": tmp_path / "w"}
    given = ["--row", json.dumps({**ROW, "samples": 5}), "--code", "c", *(f"--{k}={v}" for k, v in files.items())]
    done = subprocess.run([sys.executable, "-c", code, *given], cwd=root, text=True, capture_output=True, check=True)
    assert done.stdout == "imported torch\n" and len(read_documents(tmp_path / "o.parquet")) == 5
