"""When a training process should save its state and leave: a signal came, or its Slurm job is about to end.

Slurm warns of a time limit or a preemption with SIGTERM, or with the signal of `sbatch --signal`, mostly USR1. Snakemake's
Slurm executor does not hand signals on to the job's command (its issues 242 and 243), so the end of the job that Slurm writes
into the environment counts as well.
"""

import os
import signal
import time
from collections.abc import Callable

REASONS = ("", "SIGTERM", "SIGUSR1", "the end of its Slurm job")
AHEAD = 300.0  # seconds before the end of a Slurm job, or a tenth of its time, if that is less


class Stopped(Exception):
    """The run was asked to stop and has saved its state; the message says where."""


def never() -> int:
    """No reason to stop."""
    return 0


def listen() -> Callable[[], int]:
    """Take SIGTERM and SIGUSR1 from here on; the function returned gives the number in REASONS of why to stop, or 0.

    For the command line's end only: a signal handler belongs to the whole process.
    """
    came: list[int] = []
    for taken in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(taken, lambda number, _: came.append(REASONS.index(signal.Signals(number).name)))
    start, end = (float(os.environ.get(f"SLURM_JOB_{which}_TIME", "nan")) for which in ("START", "END"))

    def why() -> int:
        if came:
            return came[0]
        return 3 if time.time() > end - min(AHEAD, (end - start) / 10) else 0  # never, of nan; AHEAD, if only start is nan

    return why
