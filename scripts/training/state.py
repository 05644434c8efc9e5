"""The state from which a killed run resumes: weights, optimizer, generator and trace in one safetensors file.

One file that is renamed into place is whole or absent; there is no second file that could disagree with it. It stands in a
folder named after everything that decides the run, so that a state of another row, code or input is never found.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from scripts.lib.files import BrokenArtifact, atomic

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


def save_state(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, trace: list[dict]) -> None:
    """Write the state after ``len(trace)`` steps."""
    tensors = {"random": torch.get_rng_state()}
    for name, p in model.named_parameters():
        tensors[f"weight.{name}"] = p.detach().cpu().contiguous()
        tensors |= {f"{key}.{name}": optimizer.state[p][key].cpu().contiguous() for key in MOMENTS}
    about = {"trace": json.dumps(trace)}
    with atomic(path) as beside:
        save_file(tensors, beside, metadata={**about, "digest": _digest(tensors, about)})


def load_state(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[dict]:
    """Put a saved state back and return its trace; an empty one where there is no state.

    Raises:
        BrokenArtifact: when the file is damaged; nothing was put back.
    """
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
            p.copy_(tensors[f"weight.{name}"])
            optimizer.state[p] = {key: tensors[f"{key}.{name}"].to(p.device) for key in MOMENTS}
    torch.set_rng_state(tensors["random"])
    return json.loads(about["trace"])
