"""Whether a process sees the GPUs that its job asked for.

A job that silently finds no GPU runs on the CPU for days, and one that finds its neighbour's disturbs it. So a rule that
computes on GPUs begins with ``python -m scripts.lib.gpus {resources.gpu}``.
"""

import os
import socket
import sys


class WrongGpus(Exception):
    """This process sees more or fewer GPUs than its job asked for."""


def check(asked: int) -> None:
    """Compare the GPUs that this process sees with ``asked``, the rule's ``resources: gpu``.

    0 asks for nothing and passes everywhere: the small scales take whatever there is. CUDA_VISIBLE_DEVICES, which Slurm sets,
    is read first; torch is imported only where that agrees, since a torch built without CUDA sees none of them.

    Raises:
        WrongGpus: naming both numbers, the host, the Slurm job if there is one, and what to do.
    """
    if asked == 0:
        return
    job, given = os.environ.get("SLURM_JOB_ID"), os.environ.get("CUDA_VISIBLE_DEVICES")
    asks = f"{socket.gethostname()}{f', Slurm job {job}' if job else ''}: asked for {asked} GPU{'s' * (asked > 1)}"
    if given is not None:
        seen = len([device for device in given.split(",") if device.strip() not in ("", "-1", "NoDevFiles")])
        if seen != asked:
            raise WrongGpus(f"{asks}, got {seen} (CUDA_VISIBLE_DEVICES={given!r}); {_advice(seen, asked)}")
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        raise WrongGpus(
            f"{asks}, but torch {torch.__version__} is built without CUDA and would run on the CPU; "
            "install a build with CUDA in the environment that runs the jobs"
        )
    seen = torch.cuda.device_count()
    if seen != asked:
        raise WrongGpus(f"{asks}, torch sees {seen}; {_advice(seen, asked)}")


def _advice(seen: int, asked: int) -> str:
    if seen > asked:
        return f"name the {asked} to use in CUDA_VISIBLE_DEVICES"
    return "on Slurm, the partition in slurm/config.yaml must have GPUs; elsewhere, see what nvidia-smi lists"


if __name__ == "__main__":
    try:
        check(int(sys.argv[1]))
    except WrongGpus as error:
        sys.exit(str(error))
