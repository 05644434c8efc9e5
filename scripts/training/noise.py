"""A base with noise on its weights instead of training: what a model loses when it is merely damaged.

Reads a Hugging Face directory; makes checkpoints/subset-0/epoch-{n}/, where n counts the levels of the row from 1. At level s
every tensor of weights gets Gaussian noise of s times its own standard deviation, from the same draw at all levels, so that
levels differ in size alone.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib.files import BrokenArtifact, atomic, write_card
from scripts.lib.models import BadModel, load_model
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def add_noise(model: "PreTrainedModel", level: float, *names: object) -> None:
    """Add noise to every parameter in place; tied tensors get it once. ``names`` are the seed; a constant tensor stays."""
    import torch

    with torch.no_grad():
        for name, p in model.named_parameters():
            generator = torch.Generator().manual_seed(seed_of("noise", *names, name))
            noise = torch.randn(p.shape, generator=generator)
            p.add_(noise.to(p.dtype), alpha=level * float(p.float().std()) if p.numel() > 1 else 0.0)


def make_noisy(base: str | Path, out: str | Path, *, row: dict, code: str) -> None:
    """Write one checkpoint a level of ``row["levels"]``; the base is epoch 0 and is not copied."""
    from scripts.training.output import save_model

    with atomic(out) as beside:
        for number, level in enumerate(row["levels"], 1):
            model = load_model(base)
            add_noise(model, level, row["seed"], row["name"])
            save_model(model, beside / "subset-0" / f"epoch-{number}", base)
    levels = {number: level for number, level in enumerate(row["levels"], 1)}
    write_card(out, row=row, code=code, seed=row["seed"], counts={"levels": levels})
    print(f"{row['name']}: {len(levels)} levels", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True)
    parser.add_argument("--code", required=True)
    for option in ("base", "out"):
        parser.add_argument(f"--{option}", required=True)
    a = parser.parse_args()
    try:
        make_noisy(a.base, a.out, row=a.row, code=a.code)
    except (BadModel, BrokenArtifact) as error:
        sys.exit(f"{a.row['name']}: {error}")
