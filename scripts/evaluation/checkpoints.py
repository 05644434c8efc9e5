"""The checkpoints of a run: which there are, and their weights put into a model."""

from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib.models import tensors_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BASE = -1  # the subset of epoch 0, which is the base


def checkpoints_of(folder: str | Path | None) -> list[tuple[int, int, Path]]:
    """(subset, epoch, directory) of a run's checkpoints in that order; epoch 0 is left out, as it is the base.

    Raises:
        FileNotFoundError: when the folder is given and holds no ``subset-{s}/epoch-{n}``.
    """
    if folder is None:
        return []
    found = []
    for path in Path(folder).glob("subset-*/epoch-*"):
        subset, epoch = int(path.parent.name.split("-")[1]), int(path.name.split("-")[1])
        if epoch:
            found.append((subset, epoch, path))
    if not found:
        raise FileNotFoundError(f"{folder}: holds no subset-{{s}}/epoch-{{n}}; expected the checkpoints of a run")
    return sorted(found)


def load_weights(model: "PreTrainedModel", folder: str | Path) -> None:
    """Put the weights of a checkpoint into a model of the same architecture, in place.

    Raises:
        BrokenArtifact: see `scripts.lib.models.tensors_of`.
    """
    import torch

    own = model.state_dict()
    firsts = {tensor.data_ptr(): name for name, tensor in reversed(own.items())}
    tied = {name for name, tensor in own.items() if firsts[tensor.data_ptr()] != name}  # tied tensors are saved once
    with torch.no_grad():
        for name, tensor in tensors_of(folder, {name: tensor.shape for name, tensor in own.items()}, may_lack=tied):
            own[name].copy_(tensor)
