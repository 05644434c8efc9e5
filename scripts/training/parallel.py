"""Several processes that train one model, one on each GPU: who writes, whose part of a batch is whose, what they agree on.

torchrun says in RANK, LOCAL_RANK and WORLD_SIZE who this process is; a process without them is alone, and nothing here costs it
anything. Each reads and packs the same documents and takes its part of every batch, so that batches, their order and the
learning rates do not depend on how many there are; the first alone writes.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
import torch
import torch.distributed as dist

from scripts.lib.work import work_folder
from scripts.training.data import NONE, Blocks

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PATIENCE = timedelta(minutes=30)  # how long processes wait for one that saves or packs; a dead one ends all at once


@contextlib.contextmanager
def together(device: torch.device) -> Iterator[None]:
    """Join the processes of this job, if there are several: NCCL on GPUs, gloo on CPUs.

    An error leaves without a farewell to the others, which may be waiting in a collective: torchrun ends them.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    own = {"backend": "nccl", "device_id": device} if device.type == "cuda" else {"backend": "gloo"}
    dist.init_process_group(timeout=PATIENCE, **own)
    yield
    dist.destroy_process_group()


def world() -> int:
    """How many processes train this model."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def first() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def barrier() -> None:
    """Wait for the other processes."""
    if world() > 1:
        dist.barrier()


def log() -> TextIO:
    """Where to say what goes on: the standard error of the first process; the others say nothing."""
    return sys.stderr if first() else io.StringIO()


@contextlib.contextmanager
def shared_work(path: str | Path) -> Iterator[Path]:
    """The work folder, which the first process owns for all of them, and removes when all are done (scripts.lib.work)."""
    with work_folder(path) if first() else contextlib.nullcontext(Path(path)) as folder:
        barrier()
        yield folder
        barrier()


def share(batch: Blocks, micro: int, fill: bool = False) -> list[Blocks]:
    """This process's part of a batch, in pieces of at most ``micro`` blocks: as many, of the same sizes, in every process.

    Blocks are dealt in turn: of five, the first of two processes has 0, 2, 4 and the second 1, 3 and a block without targets,
    which adds nothing to the loss but lets it join what all do together. With ``fill`` the last piece is filled up to
    ``micro`` with such blocks too, so that all pieces have one shape.
    """
    mine = Blocks(*(part[rank() :: world()] for part in batch)) if world() > 1 else batch
    size = -(-len(batch.inputs) // world())
    if fill:
        size = -(-size // micro) * micro
    if lacking := size - len(mine.inputs):
        block = batch.inputs.shape[1]
        empty = Blocks(
            np.zeros((lacking, block), np.int32),
            np.full((lacking, block), NONE, np.int32),
            np.tile(np.arange(block, dtype=np.int32), (lacking, 1)),
        )
        mine = Blocks(*(np.concatenate(both) for both in zip(mine, empty, strict=True)))
    return [Blocks(*(part[start : start + micro] for part in mine)) for start in range(0, size, micro)]


def summed(losses: list[torch.Tensor]) -> float:
    """The sum of float32 scalars, over all processes."""
    total = sum(torch.stack(losses).tolist())
    if world() == 1:
        return total
    found = torch.tensor(total, dtype=torch.float64, device=losses[0].device)
    dist.all_reduce(found)
    return found.item()


def agreed(number: int, device: torch.device) -> int:
    """The largest of the numbers that the processes come with."""
    if world() == 1:
        return number
    found = torch.tensor(number, device=device)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return int(found.item())


def ready(model: "PreTrainedModel", device: torch.device, recipe: dict) -> "PreTrainedModel":
    """A loaded model on its device as its row asks: gradient checkpointing, compiled layers, sharded weights.

    Layers are compiled one by one, since one compilation then serves all of them. With ``parallel: fsdp`` and several processes
    each holds its part of every weight, gradient and moment (FSDP2), gathered a layer at a time; under bfloat16 the
    gathered weights are bfloat16, the parts float32. An embedding and an output matrix outside the layers are one unit.
    """
    layers = model.base_model.layers
    if recipe.get("gradient_checkpointing"):
        model.activation_checkpointing_enable()
    if recipe.get("compile"):
        for layer in layers:
            layer.compile(dynamic=False)
    if recipe.get("parallel") == "fsdp" and world() > 1:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        mesh = init_device_mesh(device.type, (world(),))
        low = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        policy = low if recipe["precision"] == "bfloat16" else MixedPrecisionPolicy()
        for part in (*layers, model):
            fully_shard(part, mesh=mesh, mp_policy=policy)
    return model.to(device)


def sharded(model: torch.nn.Module) -> bool:
    """Whether each process holds only its part of the weights."""
    return world() > 1 and any(hasattr(p, "device_mesh") for p in model.parameters())


def replicated(model: torch.nn.Module) -> torch.nn.Module:
    """What to call in a step: the model itself, or DDP around it where each of several processes has all weights."""
    if world() == 1 or sharded(model):
        return model
    return torch.nn.parallel.DistributedDataParallel(model)


def accumulating(model: torch.nn.Module, more: bool) -> contextlib.AbstractContextManager:
    """Around a piece of a batch: gradients are exchanged with its last piece alone; parts of weights keep no whole ones."""
    waits = more and isinstance(model, torch.nn.parallel.DistributedDataParallel)
    return model.no_sync() if waits else contextlib.nullcontext()


def whole(model: torch.nn.Module) -> dict[str, torch.Tensor] | None:
    """All weights of a sharded model by name, on the CPU of the first process (empty in the others); None if not sharded."""
    if not sharded(model):
        return None
    found = {}
    for name, p in model.named_parameters():
        full = p.full_tensor()
        if first():
            found[name] = full.detach().cpu()
    return found
