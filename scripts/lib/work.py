"""Work folders: where a killed job left its state, and who is working there now.

Snakemake deletes declared outputs before a rerun, so what a job resumes from lives in
``results/{scale}/work/{rule}/{row}-{code}/``, is never declared, and is removed on success.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# squeue's words for a job that has no process and will not get one again by itself
ENDED = frozenset("BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT".split())


class Busy(Exception):
    """Another living process owns the work folder."""


def _alive(owner: dict) -> bool:
    """Whether the owner of a lock may still be at work; an owner on another host counts as alive unless Slurm says no."""
    job, mine = owner.get("slurm_job"), os.environ.get("SLURM_JOB_ID")
    if job and job != mine and shutil.which("squeue"):
        return _at_work_in_slurm(job)
    if owner["host"] != socket.gethostname():
        return not job or job != mine  # a job of one node that is requeued elsewhere finds its own first start, which is over
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return owner.get("started") == _started(owner["pid"])


def _at_work_in_slurm(job: str) -> bool:
    """Whether a Slurm job may still have a process, or get one when it comes back from being requeued.

    A job that has ended stays in squeue's sight for a while, so its state decides. Slurm not answering is no sign of an end.
    """
    asked = subprocess.run(["squeue", "-h", "-t", "all", "-j", job, "-o", "%T"], capture_output=True, text=True, check=False)
    if asked.returncode:
        return "Invalid job id" not in asked.stderr
    return bool(set(asked.stdout.split()) - ENDED)


def _named(owner: dict) -> str:
    """The owner of a lock, and how to end it, in words."""
    job = owner.get("slurm_job")
    who, end = (f"Slurm job {job}", f"scancel {job}") if job else (f"process {owner['pid']}", f"kill {owner['pid']}")
    return f"{who} on {owner['host']} is at work there; nothing was done here. Let it end, or end it ({end}), and run again"


def _started(pid: int) -> str | None:
    """The start time of a process in clock ticks since boot, which tells a process from a later one of the same pid."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


def _link(owner: dict, lock: Path) -> bool:
    """Make a lock that is there as a whole or not at all; False when another has made it, or removed the folder."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=lock.parent, prefix=".", suffix=".json") as file:
            json.dump(owner, file)
            file.flush()
            os.link(file.name, lock)
    except (FileExistsError, FileNotFoundError):
        return False
    return True


@contextlib.contextmanager
def work_folder(path: str | Path) -> Iterator[Path]:
    """Own a work folder; it is removed when the block ends well and kept when it does not.

    The owner is who made the last of owner-1.json, owner-2.json, ...: of two that find the same dead owner, one makes the next.

    Raises:
        Busy: naming host, pid and Slurm job of a living owner; nothing is touched.
    """
    path = Path(path)
    mine = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }
    while True:
        path.mkdir(parents=True, exist_ok=True)
        last = max((int(name.stem.split("-")[1]) for name in path.glob("owner-*.json")), default=0)
        try:
            owner = json.loads((path / f"owner-{last}.json").read_text()) if last else None
        except FileNotFoundError:
            continue  # it has just left
        except ValueError:
            owner = None  # cut off by the end of its machine
        if owner and _alive(owner):
            raise Busy(f"{path}: {_named(owner)}")
        lock = path / f"owner-{last + 1}.json"
        if _link(mine, lock):
            break
    if last:
        print(f"{path}: resuming after {owner}, which is gone", file=sys.stderr)
    try:
        yield path
    except BaseException:
        lock.unlink(missing_ok=True)
        raise
    gone = path.with_name(f".{path.name}.{os.getpid()}")  # in one step, lest a next owner comes while files are removed
    path.rename(gone)
    shutil.rmtree(gone)
