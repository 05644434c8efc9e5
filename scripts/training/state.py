"""The state from which a killed run resumes: weights, optimizer, generator and trace in one safetensors file.

One file that is renamed into place is whole or absent; there is no second file that could disagree with it. It stands in a
folder named after everything that decides the run, so that a state of another row, code or input is never found. Processes
that each hold a part of the weights write a file each, named after the step; the state is the last step of which all are there.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from scripts.lib.files import BrokenArtifact, atomic
from scripts.training import parallel

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW remembers of a parameter


def folder_of(work: Path, *decisive: object) -> Path:
    """The folder inside a work folder for a run that all of ``decisive`` (JSON values: row, code, hashes of inputs) decides."""
    text = json.dumps([*decisive, torch.__version__], sort_keys=True)
    folder = work / hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    folder.mkdir(exist_ok=True)
    return folder


def _digest(tensors: dict[str, torch.Tensor], about: dict[str, str]) -> str:
    digest = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _mine(tensor: torch.Tensor) -> torch.Tensor:
    """The part of a tensor that this process holds: all of it, unless it is sharded."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def part_of(path: Path, step: int | str, rank: int | str) -> Path:
    """The file of one of several processes that each save their part after ``step``; of another number it has another name."""
    return path.with_name(f"{path.stem}.step-{step}.rank-{rank}-of-{parallel.world()}{path.suffix}")


def _last(path: Path) -> Path:
    """This process's file of the last step that every process saved; one that is absent where there is none."""
    parallel.barrier()
    found: dict[int, int] = {}
    for file in path.parent.glob(part_of(path, "*", "*").name):
        step = int(file.name.split(".step-")[1].split(".")[0])
        found[step] = found.get(step, 0) + 1
    step = max((step for step, files in found.items() if files == parallel.world()), default=0)
    return part_of(path, step, parallel.rank())


def save_state(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, trace: list[dict]) -> None:
    """Write the state after ``len(trace)`` steps: the first process for all, or each its part."""
    parts = parallel.sharded(model)
    if not parts and not parallel.first():
        return
    tensors = {"random": torch.get_rng_state()}
    for name, p in model.named_parameters():
        tensors[f"weight.{name}"] = _mine(p.detach()).cpu().contiguous()
        tensors |= {f"{key}.{name}": _mine(optimizer.state[p][key]).cpu().contiguous() for key in MOMENTS}
    about = {"trace": json.dumps(trace)}
    mine = part_of(path, len(trace), parallel.rank()) if parts else path
    with atomic(mine) as beside:
        save_file(tensors, beside, metadata={**about, "digest": _digest(tensors, about)})
    if parts:
        parallel.barrier()  # the step is saved when all parts are; before that the older one is still needed
        for old in set(path.parent.glob(part_of(path, "*", parallel.rank()).name)) - {mine}:
            old.unlink()


def _like(p: torch.Tensor, key: str, mine: torch.Tensor) -> torch.Tensor:
    """A saved part of a moment as what AdamW keeps for the weight ``p``; its step is a number, of which there are no parts."""
    if key == "step" or not hasattr(p, "to_local"):
        return mine
    from torch.distributed.tensor import DTensor

    return DTensor.from_local(mine, p.device_mesh, p.placements, run_check=False, shape=p.shape, stride=p.stride())


def load_state(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[dict]:
    """Put a saved state back and return its trace; an empty one where there is no state.

    Every process loads: the one file, or its own part.

    Raises:
        BrokenArtifact: when the file is damaged; nothing was put back.
    """
    if parallel.sharded(model):
        path = _last(path)
    if not path.exists():
        return []
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        digest = about.pop("digest")
    except (SafetensorError, AttributeError, KeyError) as error:
        raise BrokenArtifact(f"{path}: not a readable state ({error}); delete it to train from the start") from error
    if _digest(tensors, about) != digest:
        raise BrokenArtifact(f"{path}: its content is not what was written; delete it to train from the start")
    with torch.no_grad():
        for name, p in model.named_parameters():
            _mine(p).copy_(tensors[f"weight.{name}"])
            optimizer.state[p] = {key: _like(p, key, tensors[f"{key}.{name}"].to(p.device)) for key in MOMENTS}
    torch.set_rng_state(tensors["random"])
    return json.loads(about["trace"])
