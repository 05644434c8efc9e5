"""Who may be at work in a work folder, by what Slurm says: a small program plays squeue here, tests/slurm has the real one."""

import json
import os
import socket

import pytest

from scripts.lib import work
from scripts.lib.work import ENDED, Busy, work_folder

AT_WORK = (
    "RUNNING",
    "COMPLETING",
    "SUSPENDED",
    "STOPPED",
    "CONFIGURING",
    "PENDING",
    "REQUEUED",
    "SIGNALING",
)
ANSWER = '#!/bin/sh\necho "$@" >>"{folder}/asked"\n{says}\n'


@pytest.fixture
def owned(tmp_path, monkeypatch):
    """A work folder with the state of Slurm job 12, whose process is gone or on another node, and what squeue says of it."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()

    def owned(says: str, host: str = "node7"):
        squeue = tmp_path / "bin/squeue"
        squeue.write_text(ANSWER.format(folder=tmp_path, says=says))
        squeue.chmod(0o755)
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        (work / "state").write_text("half")
        owner = {"host": host, "pid": 2**22 + 1, "started": "1", "slurm_job": "12"}
        (work / "owner-1.json").write_text(json.dumps(owner))
        return work

    return owned


def taken(work) -> bool:
    """Whether the folder can be owned; if so its state was kept until the end, and if not nothing in it changed."""
    before = (work / "owner-1.json").read_bytes()
    try:
        with work_folder(work) as mine:
            assert (mine / "state").read_text() == "half"
    except Busy:
        assert (work / "owner-1.json").read_bytes() == before and (work / "state").read_text() == "half"
        return False
    assert not work.exists()
    return True


@pytest.mark.parametrize("host", ["node7", socket.gethostname()])
@pytest.mark.parametrize("state", AT_WORK)
def test_a_job_that_slurm_has_at_work_is_left_alone(owned, state, host):
    assert not taken(owned(f"echo {state}", host))


@pytest.mark.parametrize("state", sorted(ENDED))
def test_a_job_that_has_ended_is_resumed_though_squeue_still_shows_it(owned, state, tmp_path):
    assert taken(owned(f"echo {state}"))
    asked = (tmp_path / "asked").read_text().split()
    assert asked[asked.index("-t") + 1] == "all" and asked[asked.index("-j") + 1] == "12"


def test_a_job_that_slurm_has_forgotten_is_resumed(owned):
    assert taken(owned("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"))


@pytest.mark.parametrize(
    "says",
    [
        "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1",
        "echo 'slurm_load_jobs error: Socket timed out on send/recv operation' >&2; exit 1",
        "exit 127",
    ],
)
def test_no_answer_is_no_sign_of_an_end(owned, says):
    assert not taken(owned(says))


def test_a_requeued_job_resumes_its_own_first_start(owned, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    for host in ("node7", socket.gethostname()):
        assert taken(owned("echo RUNNING", host))


def test_two_processes_of_one_job_do_not_share_a_folder(owned, monkeypatch):
    work = owned("echo RUNNING", socket.gethostname())
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    started = open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "started": started, "slurm_job": "12"}
    (work / "owner-1.json").write_text(json.dumps(owner))
    assert not taken(work)


def test_the_message_names_the_job_and_says_how_to_go_on(owned):
    work = owned("echo RUNNING")
    with pytest.raises(Busy, match=r"Slurm job 12 on node7 is at work there; nothing was done here.*\(scancel 12\)"):
        with work_folder(work):
            pass


def test_of_two_that_find_the_same_dead_owner_one_goes_on(owned, monkeypatch):
    folder, first = owned("echo COMPLETED"), []

    def another_is_sooner(owner):
        if not first:
            first.append(work_folder(folder))
            monkeypatch.setattr(work, "_alive", lambda owner: owner["pid"] == os.getpid())
            first[0].__enter__()
        return False

    monkeypatch.setattr(work, "_alive", another_is_sooner)
    with pytest.raises(Busy, match=f"process {os.getpid()} on"), work_folder(folder):
        pass
    assert (folder / "state").read_text() == "half"
    first[0].__exit__(None, None, None)
    assert not folder.exists()


def test_a_lock_of_which_nothing_was_written_is_a_dead_one(tmp_path):
    (tmp_path / "owner-1.json").touch()
    with work_folder(tmp_path / "."):
        assert (tmp_path / "owner-2.json").stat().st_size
