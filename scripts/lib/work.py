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
from collections.abc import Iterator
from pathlib import Path


class Busy(Exception):
    """Another living process owns the work folder."""


def _alive(owner: dict) -> bool:
    """Whether the owner of a lock may still be at work; an owner on another host counts as alive unless Slurm says no."""
    if owner.get("slurm_job") and shutil.which("squeue"):
        found = subprocess.run(
            ["squeue", "-h", "-j", str(owner["slurm_job"]), "-o", "%T"], capture_output=True, text=True, check=False
        )
        return bool(found.stdout.strip())
    if owner["host"] != socket.gethostname():
        return True
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return owner.get("started") == _started(owner["pid"])


def _started(pid: int) -> str | None:
    """The start time of a process in clock ticks since boot, which tells a process from a later one of the same pid."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


@contextlib.contextmanager
def work_folder(path: str | Path) -> Iterator[Path]:
    """Own a work folder; it is removed when the block ends well and kept when it does not.

    Raises:
        Busy: naming host, pid and Slurm job of a living owner; nothing is touched.
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    lock = path / "owner.json"
    mine = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }
    while True:
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            try:
                owner = json.loads(lock.read_text())
            except (ValueError, FileNotFoundError):
                owner = None
            if owner and _alive(owner):
                raise Busy(f"{path}: at work there is {owner}; this process leaves it alone") from None
            print(f"{path}: resuming after {owner}, which is gone", file=sys.stderr)
            lock.unlink(missing_ok=True)
            continue
        with os.fdopen(handle, "w") as file:
            json.dump(mine, file)
        break
    try:
        yield path
    except BaseException:
        lock.unlink(missing_ok=True)
        raise
    shutil.rmtree(path)
