"""A job sees as many GPUs as it asked for, or says so and stops."""

import subprocess
import sys

import pytest
import torch

from scripts.lib.gpus import WrongGpus, check


@pytest.fixture
def machine(monkeypatch):
    """A machine as it shows itself: what CUDA_VISIBLE_DEVICES says (None: unset), what torch was built for and what it sees."""

    def shows(variable: str | None, seen: int, cuda: str | None = "13.0"):
        monkeypatch.delenv("SLURM_JOB_ID", raising=False)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if variable is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.version, "hip", None)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: seen)

    return shows


@pytest.mark.parametrize(
    ("variable", "seen", "asked"),
    [
        ("0", 1, 1),
        ("2,3", 2, 2),
        ("GPU-6b2,MIG-93f", 2, 2),
        (None, 1, 1),
        (None, 4, 4),
        (None, 0, 0),
        ("", 0, 0),
        ("0,1", 2, 0),
    ],
)
def test_as_many_as_asked_pass(machine, variable, seen, asked):
    machine(variable, seen)
    check(asked)


@pytest.mark.parametrize(
    ("variable", "seen", "asked", "says"),
    [
        ("0,1", 2, 1, "asked for 1 GPU, got 2 .*'0,1'.*name the 1 to use"),
        ("0", 1, 2, "asked for 2 GPUs, got 1 .*partition in slurm/config.yaml"),
        ("", 0, 1, "got 0 .*CUDA_VISIBLE_DEVICES=''"),
        ("-1", 0, 1, "got 0"),
        ("NoDevFiles", 0, 1, "got 0"),
        (None, 0, 1, "torch sees 0; .*nvidia-smi"),
        (None, 2, 1, "torch sees 2; .*name the 1 to use"),
        ("0", 0, 1, "torch sees 0"),
    ],
)
def test_more_or_fewer_are_refused(machine, variable, seen, asked, says):
    machine(variable, seen)
    with pytest.raises(WrongGpus, match=says):
        check(asked)


def test_the_message_names_the_slurm_job(machine, monkeypatch):
    machine("0,1", 2)
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    with pytest.raises(WrongGpus, match="Slurm job 77"):
        check(1)


def test_a_torch_without_cuda_is_refused_though_slurm_gave_the_gpu(machine):
    machine("0", 0, cuda=None)
    with pytest.raises(WrongGpus, match="built without CUDA and would run on the CPU"):
        check(1)


def test_torch_is_not_imported_where_the_variable_decides(root):
    tell = "import sys, scripts.lib.gpus as gpus\ntry: gpus.check(int(sys.argv[1]))\nexcept gpus.WrongGpus: print('refused')\n"
    tell += "print('torch' in sys.modules)"
    for asked, said in (("0", ["False"]), ("2", ["refused", "False"])):
        command = [sys.executable, "-c", tell, asked]
        environment = {"CUDA_VISIBLE_DEVICES": "0"}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split() == said
