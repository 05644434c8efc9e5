"""Training in several processes on the CPU (gloo): the result of one, whole and sharded; what a kill and a signal leave.

One process imports the training stage and forks the members of each group; one group is started by torchrun itself.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts import answers

ROOT = Path(__file__).resolve().parents[2]
SHAPE = {"name": "tiny", "architecture": "qwen2", "hidden": 16, "layers": 2, "heads": 2, "feedforward": 24}
RUN = {"name": "tiny-on-one", "checkpoints": [0, 1, 2], "subsets": 1, "batch": 5, "micro_batch": 2, "block": 32}
RUN |= {"packing": "documents", "learning_rate": 0.01, "warmup": 0.1, "seed": 1}
LOSSES, WEIGHTS = 1e-6, 1e-3  # tolerances, relative; of weights to a tensor's largest: the gradient of a key's bias is
# rounding and nothing else, which Adam blows up

# Each job: members, their row, which of them dies in the course of its sixth state, what signal the last gets in step 9.
DRIVER = """
import json, os, runpy, signal, socket, sys, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process that has threads: it has one
import scripts.lib.files, scripts.training.loop as loop, scripts.training.device as device
import scripts.training.output, transformers.models.qwen2.modeling_qwen2, torch
import torch.distributed.fsdp, torch.distributed.tensor
from scripts.training.train import train

torch.set_num_threads(1)
device.device_and_precision = lambda: (torch.device("cpu"), "float32")

def member(job, rank):
    sys.stderr = open(f"{job['log']}.{rank}", "w", buffering=1)
    if job["members"] > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(job["members"])}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(job["port"])}
    if job["often"]:
        loop.EVERY, loop.max = 0.0, lambda *_: 0.0
    if job["die"] == rank:
        replace, calls = os.replace, [0]
        def torn(a, b):
            calls[0] += ".safetensors" in str(b)
            if calls[0] == 6:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(a, b)
        scripts.lib.files.os.replace = torn
    if job["signal"] and rank == job["members"] - 1:  # the last member alone; all must stop
        step, steps = loop.one_step, [0]
        def signalled(*given):
            steps[0] += 1
            if steps[0] == 9:
                os.kill(os.getpid(), getattr(signal, job["signal"]))
            return step(*given)
        loop.one_step = signalled
    sys.argv = ["train", *job["arguments"]]
    runpy.run_module("scripts.training.train", run_name="__main__")

for job in json.loads(sys.argv[1]):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        job["port"] = free.getsockname()[1]
    pids, began = [], time.monotonic()
    for rank in range(job["members"]):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                member(job, rank)
                code = 0
            except SystemExit as stop:
                print(stop.code, file=sys.stderr)
            except BaseException as error:
                print(repr(error), file=sys.stderr)
            finally:
                os._exit(code)
        pids.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    print(json.dumps([codes, time.monotonic() - began]), flush=True)
"""
JOBS = {  # name -> members, row, folder, and what happens
    "one": (1, RUN, {}),
    "ddp": (2, RUN, {}),
    "ddp of three": (3, {**RUN, "micro_batch": 1}, {}),
    "fsdp": (2, {**RUN, "parallel": "fsdp"}, {}),
    "fsdp dies": (2, {**RUN, "parallel": "fsdp"}, {"die": 1, "often": True}),
    "fsdp resumes": (2, {**RUN, "parallel": "fsdp"}, {"to": "fsdp dies"}),
    "checkpointing": (1, {**RUN, "gradient_checkpointing": True}, {}),
    "one stops": (1, RUN, {"signal": "SIGUSR1"}),
    "one resumes": (1, RUN, {"to": "one stops"}),
    "ddp stops": (2, RUN, {"signal": "SIGTERM"}),
    "ddp resumes": (2, RUN, {"to": "ddp stops"}),
}


def command(folder, to, row):
    """The command line of scripts.training.train that writes to a folder."""
    given = {"row": json.dumps(row), "code": "c", "base": folder / "base", "corpus": folder / "one/documents.parquet"}
    made = {"out": to / "out", "trace": to / "trace.parquet", "work": to / "work"}
    return [text for name, value in {**given, **made}.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with a base and a corpus."""
    import pyarrow as pa

    from scripts.lib.documents import document, write_documents
    from scripts.models.tokenizer import save_tokenizer, train_tokenizer
    from scripts.training.architecture import make_model

    folder = tmp_path_factory.mktemp("together")
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["ab", "cd", "ef", "gh"], rng.integers(2, 12))) for _ in range(60)]
    rows = [{**document(text, source="one", index=i, complete=i % 3 > 0), "subset": 0} for i, text in enumerate(texts)]
    write_documents(folder / "one/documents.parquet", rows, row={}, code="", extra={"subset": pa.int8()})
    make_model(SHAPE, 262, 256, 256, seed=0).save_pretrained(folder / "base")
    save_tokenizer(train_tokenizer(["ab cd ef"], 262, "<s>", "<s>"), folder / "base", "<s>", "<s>")
    return folder


@pytest.fixture(scope="module")
def done(inputs):
    """Every job, in one process that forks: (folder, name -> [exit codes], seconds)."""
    jobs = []
    for name, (members, row, also) in JOBS.items():
        to = inputs / also.get("to", name)
        to.mkdir(exist_ok=True)
        more = {"die": also.get("die", -1), "often": also.get("often", False), "signal": also.get("signal")}
        jobs.append({"members": members, "arguments": command(inputs, to, row), "log": str(inputs / f"{name}.log"), **more})
    found = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(jobs)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return inputs, dict(zip(JOBS, map(json.loads, found.stdout.splitlines()), strict=True))


def log(folder, name, rank=0):
    return (folder / f"{name}.log.{rank}").read_text()


def result(folder, name):
    """Trace without times, and the weights of the last checkpoint."""
    from safetensors.torch import load_file

    trace = pd.read_parquet(folder / name / "trace.parquet").drop(columns="tokens_per_second")
    last = max((folder / name / "out/subset-0").iterdir(), key=lambda path: int(path.name.split("-")[1]))
    return trace, load_file(last / "model.safetensors")


def files(folder, name):
    return {str(p.relative_to(folder / name)): p.read_bytes() for p in (folder / name / "out").rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["ddp", "ddp of three", "fsdp", "checkpointing"])
def test_it_trains_as_one_process_does(done, name):
    folder, codes = done
    assert codes[name][0] == [0] * JOBS[name][0], log(folder, name)
    (trace, weights), (again, others) = result(folder, "one"), result(folder, name)
    pd.testing.assert_frame_equal(trace.drop(columns="loss"), again.drop(columns="loss"))  # steps, rates, tokens, batches
    assert np.allclose(trace["loss"], again["loss"], rtol=LOSSES, atol=0)
    assert trace["loss"].iloc[-1] < trace["loss"].iloc[0] - 0.5  # it learned, and the base would not pass
    assert weights.keys() == others.keys()
    for key, tensor in weights.items():
        assert (tensor - others[key]).abs().max() <= WEIGHTS * tensor.abs().max(), key
    assert files(folder, "one").keys() == files(folder, name).keys()
    assert (folder / "one/out/subset-0/epoch-2/config.json").read_bytes() == (
        folder / name / "out/subset-0/epoch-2/config.json"
    ).read_bytes()
    assert not (folder / name / "work").exists()


def test_only_the_first_process_speaks(done):
    folder, _ = done
    assert "steps" in log(folder, "ddp", 0)
    assert "steps" not in log(folder, "ddp", 1)


def test_a_death_ends_all_and_the_last_whole_state_serves(done):
    folder, codes = done
    (died, seconds), (resumed, _) = codes["fsdp dies"], codes["fsdp resumes"]
    assert died[1] == -signal.SIGKILL
    assert died[0] > 0
    assert seconds < 60
    assert resumed == [0, 0], log(folder, "fsdp resumes")
    step = int(log(folder, "fsdp resumes").split("resuming after step ")[1].split()[0])
    assert step > 0
    assert files(folder, "fsdp") == files(folder, "fsdp dies")


@pytest.mark.parametrize(("name", "members", "reason"), [("one", 1, "SIGUSR1"), ("ddp", 2, "SIGTERM")])
def test_a_signal_saves_and_the_next_start_ends_with_the_same_bytes(done, name, members, reason):
    folder, codes = done
    stopped, again = codes[f"{name} stops"][0], codes[f"{name} resumes"][0]
    assert stopped == [1] * members
    said = re.search(rf"stopped by {reason} at step 9 of (\d+), state saved", log(folder, f"{name} stops"))
    assert again == [0] * members
    assert f"resuming after step 9 of {said[1]}" in log(folder, f"{name} resumes")
    assert files(folder, name) == files(folder, f"{name} stops")
    trace, _ = result(folder, name)
    pd.testing.assert_frame_equal(trace, result(folder, f"{name} stops")[0], check_exact=True)


def test_torchrun_hands_the_signal_on(inputs):
    """The start of the rules, `answers.torchrun`: USR1 to torchrun alone, as from a scheduler; all members save and leave.

    Sharded, and in bfloat16 where the hardware has it.
    """
    to = inputs / "torchrun"
    to.mkdir()
    start = answers.torchrun(2).replace("python", sys.executable, 1).split()
    row = {**RUN, "checkpoints": [0, 2000], "parallel": "fsdp"}
    with open(to / "log", "w") as out:
        job = subprocess.Popen(
            [*start, "scripts.training.train", *command(inputs, to, row)],
            cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=out, stderr=out,
        )  # fmt: skip
        until = time.monotonic() + 300
        while "steps" not in (to / "log").read_text() and job.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(0.5)
        job.send_signal(signal.SIGUSR1)
        assert job.wait(timeout=150) != 0
    text = (to / "log").read_text()
    said = re.search(r"stopped by SIGUSR1 at step (\d+) of \d+, state saved", text)
    assert said, text
    saved = {path.name for path in (to / "work").rglob("*.safetensors")}
    assert saved == {f"subset-0.step-{said[1]}.rank-{rank}-of-2.safetensors" for rank in (0, 1)}
    assert not list((to / "work").rglob("owner-*.json"))
