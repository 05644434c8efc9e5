"""A real Slurm of one node, and Snakemake on it. Where there is none to be had the tests skip and say what is missing."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

NEEDED = ("slurmctld", "slurmd", "sbatch", "squeue", "munged")  # Debian: slurmctld slurmd slurm-client munge
# For a node without accounting and a test without patience; the profile's own values are those of a cluster.
QUICK = ("--slurm-status-command=squeue", "--slurm-init-seconds-before-status-checks=2", "--latency-wait=5")
SMALL = ("--config=scale=smoke", "--default-resources", "mem_mb=1000", "runtime=30")


@pytest.fixture(scope="session")
def node(tmp_path_factory) -> Iterator[Path]:
    """The node, up from here to the end of the session, for this process and its children; the folder of its logs."""
    if missing := [program for program in NEEDED if not shutil.which(program)]:
        pytest.skip(f"no Slurm here: {', '.join(missing)} missing; apt-get install slurmctld slurmd slurm-client munge")
    if os.geteuid() != 0:
        pytest.skip("bringing up a Slurm node needs root")
    folder, script = tmp_path_factory.mktemp("node"), Path(__file__).with_name("one_node.sh")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("SLURM_", "SBATCH_", "SRUN_"))]:
            patch.delenv(name)
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # of snakemake, for the jobs too
        try:
            subprocess.run([script, "up", folder], check=True, timeout=120)
            yield folder
        finally:
            subprocess.run([script, "down", folder], check=True, timeout=60)


def command(*target_and_options: str) -> list[str]:
    """``snakemake --profile slurm TARGET OPTIONS``, as it stands in the README, for this node."""
    return ["snakemake", "--profile", "slurm", *target_and_options, *QUICK, *SMALL]


@contextlib.contextmanager
def snakemake_on_slurm(folder: Path, *target_and_options: str) -> Iterator[subprocess.Popen]:
    """Snakemake at work in a folder, in a process group of its own; what it says goes to ``said`` there."""
    with open(folder / "said", "w") as said:
        process = subprocess.Popen(
            command(*target_and_options), cwd=folder, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # which cancels its jobs
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            kill(process)


def kill(process: subprocess.Popen) -> None:
    """SIGKILL to Snakemake and to what it started on this side of Slurm."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(folder: Path, *target_and_options: str, seconds: float) -> tuple[int, str, float]:
    """Exit status, output and duration of Snakemake on Slurm, which must end within ``seconds``."""
    start = time.monotonic()
    with snakemake_on_slurm(folder, *target_and_options) as process:
        code = process.wait(seconds)
    return code, (folder / "said").read_text(), time.monotonic() - start


def jobs(folder: Path) -> dict[int, tuple[str, str]]:
    """Every job that Slurm has or had from a folder, by its id in the order of submission: (state, comment)."""
    asked = ["squeue", "-h", "-t", "all", "-S", "i", "-o", "%i|%Z|%T|%k"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    parts = [line.split("|", 3) for line in lines]
    return {int(job): (state, comment) for job, where, state, comment in parts if where == str(folder)}


def cancel(folder: Path) -> None:
    """End what a failed test has left in the queue."""
    left = [str(job) for job, (state, _) in jobs(folder).items() if state in ("PENDING", "RUNNING")]
    if left:
        subprocess.run(["scancel", *left], check=True)


def until(what: Callable[[], object], seconds: float) -> object:
    """Wait for something to be true, and return it; an AssertionError after ``seconds``."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)
    return found
