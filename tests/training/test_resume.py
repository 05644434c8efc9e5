"""Training runs killed with a real SIGKILL and resumed: the same bytes as never killed, and the saved state was used.

One process imports the training stage, and forks a child for each attempt; the children are killed at chosen places.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
SHAPE = {"name": "tiny", "architecture": "qwen2", "hidden": 16, "layers": 1, "heads": 2, "feedforward": 24}
MODEL = {**SHAPE, "block": 32, "batch": 2, "learning_rate": 0.01, "warmup": 0.1, "seed": 1}
MODEL["phases"] = [{"mix": {"one": 1.0}, "tokens": 600}, {"mix": {"one": 0.5, "two": 0.5}, "tokens": 400}]
MODEL |= {"steps": 20, "checkpoints": [20, 60]}
RUN = {"name": "tiny-on-one", "checkpoints": [0, 1, 3], "subsets": 2, "batch": 2, "block": 32, "packing": "documents"}
RUN |= {"learning_rate": 0.01, "warmup": 0.1, "seed": 1}
REPLAY = {"packing": "stream", "replay": {"share": 0.3, "how": "replace", "mix": {"two": 1.0}}}

# Each attempt: (what to run, where to put it, where to die). A place to die is the name of a hook and the call that kills.
DRIVER = """
import json, os, signal, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process that has threads: it has one
import scripts.lib.files, scripts.training.loop as loop, scripts.training.state as state
import scripts.training.output, scripts.training.architecture, transformers.models.qwen2.modeling_qwen2, torch
from scripts.training.pretrain import pretrain
from scripts.training.train import train
from pathlib import Path

torch.set_num_threads(1)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def killing(place, call):
    loop.EVERY, loop.max = 0.0, lambda *_: 0.0  # a state after every step, whatever it costs
    calls = [0]
    def now():
        calls[0] += 1
        return calls[0] == call
    if place == "step":
        step = loop.one_step
        loop.one_step = lambda *a: die() if now() else step(*a)
    if place == "inside state":
        save = state.save_file
        def torn(tensors, path, metadata):
            save(tensors, path, metadata)
            if now():
                os.truncate(path, os.path.getsize(path) // 2)
                die()
        state.save_file = torn
    if place in ("before rename", "after rename"):
        replace = os.replace
        def moved(a, b):
            which = str(b).endswith(".safetensors") and "checkpoints" not in str(b)
            here = which and now()
            if here and place == "before rename":
                die()
            replace(a, b)
            if here:
                die()
        scripts.lib.files.os.replace = moved
    if place == "inside checkpoint":
        copy = scripts.training.output.shutil.copyfile
        scripts.training.output.shutil.copyfile = lambda a, b: die() if now() else copy(a, b)

for attempt in json.loads(sys.argv[1]):
    pid = os.fork()
    if pid == 0:
        sys.stderr = open(attempt["log"], "w", buffering=1)
        killing(*attempt["die"])
        function = pretrain if attempt["what"] == "pretrain" else train
        function(*attempt["arguments"], row=attempt["row"], code="c", **attempt["more"])
        os._exit(0)
    print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])), flush=True)
"""
NEVER = ("step", 0)
PLACES = {  # place to die -> how often it is killed there before it is left alone
    "pretrain": {("step", 7): 2, ("inside state", 4): 1},
    "train": {
        ("step", 13): 2,
        ("step", 31): 1,
        ("inside state", 4): 1,
        ("before rename", 9): 1,
        ("after rename", 5): 1,
        ("inside checkpoint", 3): 1,
    },
    "replay": {("step", 13): 1},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Sources, a corpus and a tokenizer; then every attempt, in one process that forks; (folder, exit codes by attempt)."""
    import numpy as np
    import pyarrow as pa

    from scripts.lib.documents import document, write_documents
    from scripts.models.tokenizer import save_tokenizer, train_tokenizer

    folder = tmp_path_factory.mktemp("killed")
    rng = np.random.default_rng(0)
    for source in ("one", "two"):
        texts = [" ".join(rng.choice(["ab", "cd", "ef", source], rng.integers(2, 9))) for _ in range(90)]
        rows = [{**document(text, source=source, index=i, complete=i % 3 > 0), "subset": i % 2} for i, text in enumerate(texts)]
        write_documents(folder / source / "documents.parquet", rows, row={}, code="", extra={"subset": pa.int8()})
    (folder / "tokenizer").mkdir()
    save_tokenizer(train_tokenizer(["ab cd ef"], 262, "<s>", "<s>"), folder / "tokenizer", "<s>", "<s>")
    sources = [str(folder / source / "documents.parquet") for source in ("one", "two")]

    def attempt(what, where, die, number):
        to = folder / what / where
        given = (
            [str(folder / "tokenizer"), sources] if what == "pretrain" else [str(folder / "pretrain/never-0/out"), sources[0]]
        )
        arguments = [*given, *(str(to / name) for name in ("out", "trace.parquet", "work"))]
        arguments += [str(to / "within")] if what == "pretrain" else []
        to.mkdir(parents=True, exist_ok=True)
        row = {"pretrain": MODEL, "train": RUN, "replay": {**RUN, **REPLAY}}[what]
        more = {"replay": [sources[1]]} if what == "replay" else {}
        return {"what": what, "arguments": arguments, "row": row, "more": more, "die": die, "log": str(to / f"log-{number}")}

    attempts, keys = [], []
    for what, places in PLACES.items():
        for place, deaths in {("never", 0): 0, **places}.items():
            where = f"{place[0]}-{place[1]}"
            for number in range(deaths + 1):
                attempts.append(attempt(what, where, place if number < deaths else NEVER, number))
                keys.append((what, where, number))
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(attempts)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, dict(zip(keys, map(int, done.stdout.split()), strict=True))


def content(folder):
    """Every file of the results, timing columns of the trace aside."""
    trace = pd.read_parquet(folder / "trace.parquet").drop(columns="tokens_per_second")
    made = [p for name in ("out", "within") for p in sorted((folder / name).rglob("*")) if p.is_file()]
    files = {str(p.relative_to(folder)): p.read_bytes() for p in made}
    return trace, files


CASES = [(what, place) for what, places in PLACES.items() for place in places]


@pytest.mark.parametrize(("what", "place"), CASES, ids=[f"{what} {place} {call}" for what, (place, call) in CASES])
def test_killed_and_resumed_it_ends_with_the_same_bytes(made, what, place):
    folder, codes = made
    where, deaths = f"{place[0]}-{place[1]}", PLACES[what][place]
    assert codes[what, "never-0", 0] == 0
    assert [codes[what, where, number] for number in range(deaths + 1)] == [-9] * deaths + [0]  # the kills happened
    logs = [(folder / what / where / f"log-{number}").read_text() for number in range(deaths + 1)]
    assert "resuming after step" not in logs[0]
    for log in logs[1:]:  # and the saved state was used
        assert int(log.split("resuming after step ")[1].split()[0]) > 0
    trace, files = content(folder / what / "never-0")
    again, files_again = content(folder / what / where)
    pd.testing.assert_frame_equal(trace, again, check_exact=True)
    assert files == files_again
    assert sum(name.endswith("model.safetensors") for name in files) == {"pretrain": 3, "train": 4, "replay": 4}[what]
    assert not (folder / what / where / "work").exists()


def test_what_a_run_leaves(made):
    from scripts.lib.files import read_card

    folder, _ = made
    trace, files = content(folder / "train/never-0")
    assert {name.rsplit("/", 1)[0] for name in files} == {f"out/subset-{s}/epoch-{n}" for s in (0, 1) for n in (1, 3)}
    steps = trace.groupby("subset")["step"].apply(list)
    assert all(one == list(range(1, len(one) + 1)) for one in steps)
    assert trace.groupby("subset")["epoch"].max().tolist() == [3, 3]
    counts = read_card(folder / "train/never-0/out")["counts"]["subsets"]
    assert trace[trace["epoch"] == 2].groupby("subset")["tokens"].sum().tolist() == [counts[s]["tokens"] for s in ("0", "1")]
    hashes = trace.groupby(["subset", "epoch"])["batch_hash"].apply(set)
    assert not hashes[0, 1] & hashes[0, 2]  # every epoch has an order of its own
    card = read_card(folder / "pretrain/never-0/out")["counts"]
    assert [sum(one["tokens"] for one in phase.values()) for phase in card["phases"]] == pytest.approx([600, 400], abs=30)
    pre, files = content(folder / "pretrain/never-0")
    assert (pre["tokens"].sum(), len(pre)) == (card["tokens"], card["steps"])
    assert len(pre) == MODEL["steps"] and pre["tokens"].min() > 0
    within = {
        name.split("/epoch-")[1].split("/")[0]: data
        for name, data in files.items()
        if name.endswith("model.safetensors") and "epoch" in name
    }
    assert within.keys() == {"20", "60"} and len({*within.values(), files["out/model.safetensors"]}) == 3


def test_steps_without_room_or_without_text_are_named_before_training(made, tmp_path):
    from scripts.lib.files import BrokenArtifact
    from scripts.training.pretrain import pretrain

    folder, _ = made
    paths = folder / "tokenizer", [str(folder / source / "documents.parquet") for source in ("one", "two")]
    to = tmp_path / "out", tmp_path / "trace.parquet", tmp_path / "work"
    for more, message in (
        ({"steps": 10}, "key steps: 10 steps of 2 blocks; .* blocks of 32 are needed, the steps have room for 12"),
        ({"steps": 90}, "key steps: 90 steps of 2 blocks; .* cannot give each step one"),
        ({"once": ["two"], "phases": [{"mix": {"two": 1.0}, "tokens": 9000}]}, "two has .* tokens and is never repeated"),
    ):
        with pytest.raises(BrokenArtifact, match=message):
            pretrain(*paths, *to, row={**MODEL, **more}, code="c")
    assert not any(path.exists() for path in to[:2])


def test_a_subset_without_documents_is_named_before_training(made, tmp_path):
    from scripts.lib.files import BrokenArtifact
    from scripts.training.train import train

    folder, _ = made
    with pytest.raises(BrokenArtifact, match=r"documents\.parquet: subset 2 has no documents; .* asks for 3"):
        base, corpus = folder / "pretrain/never-0/out", folder / "one/documents.parquet"
        train(base, corpus, tmp_path / "out", tmp_path / "trace.parquet", tmp_path / "w", row={**RUN, "subsets": 3}, code="c")
    assert not (tmp_path / "out").exists()


def test_a_replay_share_of_0_trains_the_same_bytes_as_no_replay(made, tmp_path):
    from scripts.training.train import train

    folder, _ = made
    row = {**RUN, "replay": {**REPLAY["replay"], "share": 0}}
    base, corpus = folder / "pretrain/never-0/out", folder / "one/documents.parquet"
    train(base, corpus, tmp_path / "out", tmp_path / "trace.parquet", tmp_path / "work", row=row, code="c")
    trace, files = content(folder / "train/never-0")
    again, files_again = content(tmp_path)
    pd.testing.assert_frame_equal(trace, again, check_exact=True)
    assert files == files_again


def test_replay_without_its_text_is_named_before_training(made, tmp_path):
    from scripts.lib.files import BrokenArtifact
    from scripts.training.train import train

    folder, _ = made
    base, corpus = folder / "pretrain/never-0/out", folder / "one/documents.parquet"
    with pytest.raises(BrokenArtifact, match="key replay: no text of two was given; got "):
        paths = (tmp_path / "out", tmp_path / "trace.parquet", tmp_path / "work")
        train(base, corpus, *paths, row={**RUN, **REPLAY}, code="c", replay=[corpus])
    assert not (tmp_path / "out").exists()
