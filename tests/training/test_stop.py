"""Reasons to stop: signals, and the end of a Slurm job by the clock."""

import math
import signal

import pytest

from scripts.training import stop
from scripts.training.stop import REASONS


@pytest.fixture
def taken(monkeypatch):
    """The handlers that ``listen`` installs, by signal; nothing is installed in this process."""
    found = {}
    monkeypatch.setattr(stop.signal, "signal", found.__setitem__)
    for which in ("START", "END"):
        monkeypatch.delenv(f"SLURM_JOB_{which}_TIME", raising=False)
    return found


def test_signals(taken):
    why = stop.listen()
    assert why() == 0
    taken[signal.SIGUSR1](signal.SIGUSR1, None)
    taken[signal.SIGTERM](signal.SIGTERM, None)
    assert REASONS[why()] == "SIGUSR1"  # the first counts
    assert set(taken) == {signal.SIGUSR1, signal.SIGTERM}
    assert REASONS[stop.never()] == ""


@pytest.mark.parametrize(
    ("start", "end", "last"),
    [("0", "86400", 86100), ("0", "600", 540), (None, "86400", 86100), ("0", None, math.inf), (None, None, math.inf)],
)
def test_the_end_of_a_slurm_job(taken, monkeypatch, start, end, last):
    for which, value in (("START", start), ("END", end)):
        if value:
            monkeypatch.setenv(f"SLURM_JOB_{which}_TIME", value)
    why, clock = stop.listen(), [0.0]
    monkeypatch.setattr(stop.time, "time", lambda: clock[0])
    for clock[0] in (1.0, min(last, 1e12) - 1):
        assert why() == 0
    clock[0] = min(last, 1e12) + 1
    assert REASONS[why()] == ("the end of its Slurm job" if last < math.inf else "")
