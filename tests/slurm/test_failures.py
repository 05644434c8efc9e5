"""What goes wrong on a cluster, on a real node: sources and a model of the smoke scale, with training that a test can hold."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import copy_of_the_project, snakemake
from tests.slurm.conftest import cancel, command, jobs, kill, run, snakemake_on_slurm, until

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]
LONG = 600  # seconds at most for each step, which on an idle machine of two cores takes 10 to 60
NAME = "Finch-small"
MODEL = f"results/smoke/models/{NAME}"
CORPUS = f"results/smoke/corpora/bos-{NAME}-t1.0/synthesized.parquet"
SOURCE = "results/smoke/sources/pocket-web/documents.parquet"

# Put at the end of the training loop: a state after every step, and no seventh step while there is a file `hold`.
HOLD = """

import itertools
from pathlib import Path as _Path

EVERY = 0.0
_free, _steps = one_step, itertools.count(1)


def one_step(*arguments):
    if next(_steps) == 7 and _Path("hold").exists():
        _Path("held").touch()
        while _Path("hold").exists():
            time.sleep(0.1)
    return _free(*arguments)
"""


@pytest.fixture(scope="module")
def trained(node, tmp_path_factory):
    """A project in which one model was trained, on this machine and without a break."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("trained") / "project")
    with open(folder / "scripts/training/loop.py", "a") as loop:
        loop.write(HOLD)
    snakemake(folder, "--config=scale=smoke", "--show-failed-logs", MODEL)
    return folder


@pytest.fixture
def untrained(trained, tmp_path):
    """The same with all that the model needs, before its training."""
    folder = tmp_path / "project"
    shutil.copytree(trained, folder, symlinks=True)
    shutil.rmtree(folder / MODEL)
    for left in (f"{MODEL}.card.json", f"{MODEL}.trace.parquet", f"logs/smoke/pretrain/{NAME}.log"):
        (folder / left).unlink()
    yield folder
    cancel(folder)


def content(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rules(folder: Path) -> list[str]:
    """The rules of all jobs so far, in the order of submission, each with its state."""
    return [f"{comment.split('_')[1]} {state}" for state, comment in jobs(folder).values()]


def is_whole(folder: Path, trained: Path) -> bool:
    """Whether the model has the same bytes as without a break, and nothing half-done is left anywhere."""
    left = [*folder.glob("results/smoke/work/*/*"), *folder.rglob("*.part"), *(folder / ".snakemake/incomplete").glob("*")]
    return content(folder / MODEL) == content(trained / MODEL) and left == []


def resumed(folder: Path) -> bool:
    """Whether the last training went on from a saved state."""
    return "resuming after step " in (folder / f"logs/smoke/pretrain/{NAME}.log").read_text()


def held(folder: Path) -> int:
    """Wait until a job is held in its training, and return its id."""
    until((folder / "held").exists, LONG)
    (folder / "held").unlink()
    return max(job for job, (state, _) in jobs(folder).items() if state == "RUNNING")


def test_a_failed_job_names_its_rule_its_log_and_its_own_error(untrained):
    source = untrained / SOURCE
    written = source.stat()
    source.write_bytes(source.read_bytes()[:-1] + b"x")
    os.utime(source, ns=(written.st_atime_ns, written.st_mtime_ns))  # as a disk damages a file: Snakemake sees no change
    code, said, _ = run(untrained, MODEL, "--retries=0", seconds=LONG)
    assert code != 0 and rules(untrained) == ["pretrain FAILED"]
    assert "Error in rule pretrain:" in said and f"log: logs/smoke/pretrain/{NAME}.log" in said
    assert f"{NAME}: {SOURCE}: its sha256 is not the one in" in said  # the log itself, and what to do:
    assert "let Snakemake make it again" in said
    slurm_log = untrained / f"logs/slurm/rule_pretrain/smoke_{NAME}/{max(jobs(untrained))}.log"
    assert str(slurm_log) in said and slurm_log.exists()


def test_a_job_over_its_time_is_submitted_again_and_resumes(untrained, trained):
    (untrained / "hold").touch()
    with snakemake_on_slurm(untrained, MODEL) as process:
        first = held(untrained)
        # its time is up now; Slurm looks every 30 s
        subprocess.run(["scontrol", "update", f"JobId={first}", "EndTime=now"], check=True)
        until(lambda: jobs(untrained)[first][0] == "TIMEOUT", 90)
        (untrained / "hold").unlink()
        assert process.wait(LONG) == 0, (untrained / "said").read_text()[-6000:]
    assert rules(untrained) == ["pretrain TIMEOUT", "pretrain COMPLETED"]
    assert resumed(untrained) and is_whole(untrained, trained)


def test_a_requeued_job_resumes_itself(untrained, trained):
    """What Slurm does when a node fails or a job is preempted: the same job starts anew, and Snakemake sees one job."""
    (untrained / "hold").touch()
    with snakemake_on_slurm(untrained, MODEL) as process:
        job = held(untrained)
        subprocess.run(["scontrol", "requeue", str(job)], check=True)
        until(lambda: jobs(untrained)[job][0] == "PENDING", LONG)
        (untrained / "hold").unlink()
        subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=True)  # else two minutes later
        assert process.wait(LONG) == 0, (untrained / "said").read_text()[-6000:]
    assert rules(untrained) == ["pretrain COMPLETED"] and resumed(untrained) and is_whole(untrained, trained)


def test_jobs_wait_for_a_drained_node(untrained, trained):
    host = subprocess.run(["sinfo", "-h", "-o", "%n"], capture_output=True, text=True, check=True).stdout.strip()

    def waits():
        asked = ["squeue", "-h", "-t", "PENDING", "-o", "%r"]
        return "DRAINED" in subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    (untrained / "hold").touch()
    with snakemake_on_slurm(untrained, CORPUS) as process:
        held(untrained)
        subprocess.run(["scontrol", "update", f"NodeName={host}", "State=DRAIN", "Reason=test"], check=True)
        try:
            (untrained / "hold").unlink()  # what runs goes on to its end
            until(waits, LONG)
            assert process.poll() is None and rules(untrained) == ["pretrain COMPLETED", "bos PENDING"]
        finally:
            subprocess.run(["scontrol", "update", f"NodeName={host}", "State=RESUME"], check=True)
        assert process.wait(LONG) == 0, (untrained / "said").read_text()[-6000:]
    assert rules(untrained) == ["pretrain COMPLETED", "bos COMPLETED", "gather COMPLETED"]
    assert is_whole(untrained, trained) and (untrained / CORPUS).exists()


def test_snakemake_killed_and_started_again_does_no_damage_to_the_job_still_running(untrained, trained):
    (untrained / "hold").touch()
    with snakemake_on_slurm(untrained, MODEL) as process:
        first = held(untrained)
        kill(process)

        work = untrained / "results/smoke/work"
        before = content(work)
        assert any("owner-" in name for name in before) and any(".safetensors" in name for name in before)
        code, said, _ = run(untrained, MODEL, "--retries=0", seconds=LONG)
        assert code != 0 and "--unlock" in said
        subprocess.run(command("--unlock"), cwd=untrained, check=True, timeout=LONG)

        code, said, _ = run(untrained, MODEL, "--retries=0", seconds=LONG)  # while the first job is at work
        assert code != 0 and rules(untrained) == ["pretrain RUNNING", "pretrain FAILED"]
        assert f"Slurm job {first} on " in said and f"nothing was done here. Let it end, or end it (scancel {first})" in said
        assert content(work) == before and not (untrained / MODEL).exists()

        (untrained / "hold").unlink()
        until(lambda: jobs(untrained)[first][0] == "COMPLETED", LONG)
    code, said, _ = run(untrained, MODEL, seconds=LONG)
    assert code == 0, said[-6000:]
    assert rules(untrained) == ["pretrain COMPLETED", "pretrain FAILED"]  # nothing was trained again
    assert is_whole(untrained, trained)


def test_gpus_that_the_cluster_does_not_have_fail_at_once(untrained):
    code, said, seconds = run(untrained, MODEL, "--set-resources=pretrain:gpu=3", seconds=LONG)
    assert code != 0 and (untrained / f"logs/smoke/pretrain/{NAME}.log").read_text() == ""  # nothing ran
    assert "Error in rule pretrain:" in said and "Requested node configuration is not available" in said
    print(f"refused after {seconds:.0f} s")


def test_a_job_sees_the_gpus_that_it_asked_for(node, root):
    """The node's GPUs are not there, so a stand-in for torch counts those that Slurm shows."""
    check = (
        "import os, sys, types; sees = lambda: len(os.environ['CUDA_VISIBLE_DEVICES'].split(','));"
        "cuda, version = types.SimpleNamespace(device_count=sees), types.SimpleNamespace(cuda='0', hip=None);"
        "sys.modules['torch'] = types.SimpleNamespace(cuda=cuda, version=version);"
        "from scripts.lib.gpus import check; check(int(sys.argv[1])); print('sees', sees())"
    )

    def job(asked_of_slurm, asked):
        gpus = [f"--gpus={asked_of_slurm}"] if asked_of_slurm else []
        ask = ["srun", "-n1", "--mem=1000", "-t", "5", *gpus, "python", "-c", check, str(asked)]
        return subprocess.run(ask, cwd=root, capture_output=True, text=True, timeout=120)

    assert [job(n, n).stdout.strip() for n in (1, 2)] == ["sees 1", "sees 2"]
    more, fewer = job(2, 1), job(1, 2)
    assert more.returncode != 0 and "asked for 1 GPU, got 2 (CUDA_VISIBLE_DEVICES='0,1')" in more.stderr
    assert fewer.returncode != 0 and "asked for 2 GPUs, got 1 (CUDA_VISIBLE_DEVICES='0')" in fewer.stderr
