"""Does a batch taken in pieces train as the batch as a whole? Reads nothing but a recipe; makes one gate as JSON.

A small Qwen2 with random weights takes three steps on random documents of unequal lengths, once with ``micro_batch`` blocks at
a time and once with all of them. Losses that are averaged a piece at a time, the known mistake, differ where pieces hold
unequal numbers of targets.
"""

import argparse
import json
from collections.abc import Callable

import numpy as np

from scripts.lib.files import write_json

TOLERANCE = 1e-5  # of losses and weights, relative to the largest: float32 sums in another order
SMALL = {"name": "accumulation", "architecture": "qwen2", "hidden": 32, "layers": 1, "heads": 2, "feedforward": 48}
VOCABULARY, STEPS = 64, 3


def train(batch: int, micro: int, block: int, step: Callable | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Losses of the steps, (STEPS,), and all weights after them, (parameters,)."""
    import torch

    from scripts.training.architecture import make_model
    from scripts.training.data import Blocks, pack, pairs_of
    from scripts.training.loop import one_step, optimizer_of

    rng = np.random.default_rng(0)
    lengths = rng.integers(2, block, size=4 * batch * STEPS)
    documents = [rng.integers(2, VOCABULARY, size=n).astype(np.int32) for n in lengths]
    blocks = pack(pairs_of(documents, [True] * len(documents), 0, 1), block, "documents", 0)
    model = make_model(SMALL, VOCABULARY, 0, 1, seed=0).train()
    optimizer = optimizer_of(model)
    losses = []
    for at in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3
        part = Blocks(*(array[at * batch : (at + 1) * batch] for array in blocks))
        losses.append((step or one_step)(model, optimizer, part, micro, "float32"))
    return np.array(losses), torch.cat([p.detach().flatten() for p in model.parameters()]).numpy()


def compare(batch: int, micro: int, block: int, step: Callable | None = None) -> dict:
    """The gate: losses and weights of both ways, and whether they agree within TOLERANCE."""
    whole, pieces = train(batch, batch, block), train(batch, micro, block, step)
    off = [float(np.abs(a - b).max() / np.abs(a).max()) for a, b in zip(whole, pieces, strict=True)]
    against = [f"{what} differ by {d:.2g} of the largest" for what, d in zip(("losses", "weights"), off, strict=True)]
    return {
        "gate": "accumulation",
        "applies": True,
        "holds": max(off) <= TOLERANCE,
        "looked_at": STEPS,
        "against": [said for said, d in zip(against, off, strict=True) if d > TOLERANCE],
        "batch": batch,
        "micro_batch": micro,
        "largest_difference": max(off),
    }


if __name__ == "__main__":
    from scripts.training.device import settle

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True, help="the scale's defaults of runs: batch, micro_batch, block")
    parser.add_argument("--out", required=True)
    a = parser.parse_args()
    settle()
    # where the scale trains whole batches, the pieces are the smallest possible
    found = compare(a.row["batch"], a.row.get("micro_batch", 1), min(a.row["block"], 128))
    print(found)
    write_json(a.out, found)
