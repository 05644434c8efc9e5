"""The training loop, for models from scratch and for continual training alike.

Reads packed blocks in memory and, after a kill, the state of the work folder; makes a trained model in place and a trace.
Next-token loss, AdamW (0.9, 0.95), weight decay 0.1 except for norms and biases, gradients clipped at 1. A step is a function
of the state and of (seed, epoch, step) alone, so that a run that was killed and resumed ends with the same bytes.
"""

import hashlib
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from scripts.lib.progress import Progress
from scripts.training.data import NONE, Blocks
from scripts.training.state import load_state, save_state

EVERY = 20.0  # seconds between two states, or 20 times what writing one takes, if that is more


def rate_at(step: int, steps: int, recipe: dict) -> float:
    """The learning rate of step ``step`` (from 1) of ``steps``: linear warm-up, then constant or a cosine to zero.

    ``warmup`` is a share of all steps: with 0.1 of 100 steps, step 5 has half the rate, steps 10 and 11 the whole.
    """
    warm = math.ceil(recipe["warmup"] * steps)
    if step <= warm:
        return recipe["learning_rate"] * step / warm
    if recipe["schedule"] == "constant":
        return recipe["learning_rate"]
    return recipe["learning_rate"] * 0.5 * (1 + math.cos(math.pi * (step - 1 - warm) / (steps - warm)))


def loss_sum(model: torch.nn.Module, blocks: Blocks, precision: str = "float32") -> torch.Tensor:
    """The next-token loss of a few blocks, summed over all targets, in nats.

    The model derives the mask from the positions: wherever they do not go on by one, a new document starts, and attention
    stays inside it.
    """
    device = next(model.parameters()).device
    inputs, targets, positions = (torch.from_numpy(part).long().to(device) for part in blocks)
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits = model(input_ids=inputs, position_ids=positions, use_cache=False).logits
    return cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=NONE, reduction="sum")


def optimizer_of(model: torch.nn.Module) -> torch.optim.AdamW:
    """AdamW over two groups: matrices with weight decay 0.1, norms and biases without."""
    parts = ([p for p in model.parameters() if p.ndim > 1], [p for p in model.parameters() if p.ndim <= 1])
    groups = [{"params": part, "weight_decay": decay} for part, decay in zip(parts, (0.1, 0.0), strict=True) if part]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), eps=1e-8, fused=True)


def one_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: Blocks, micro: int, precision: str) -> float:
    """One update from a batch, ``micro`` blocks at a time; returns the loss in nats, a mean over all targets of the batch.

    Each part is divided by the targets of the whole batch, so that the update does not depend on ``micro``.
    """
    tokens = int((batch.targets != NONE).sum())
    total = 0.0
    for start in range(0, len(batch.inputs), micro):
        loss = loss_sum(model, Blocks(*(part[start : start + micro] for part in batch)), precision) / tokens
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def fit(
    model: torch.nn.Module,
    blocks_of: Callable[[int], Blocks],
    counts: list[int],
    *,
    recipe: dict,
    state: Path,
    label: str,
    after_epoch: Callable[[int], None] = lambda epoch: None,
) -> list[dict]:
    """Train ``model`` in place and return the trace, one dict a step.

    Args:
        model: float32, on its device.
        blocks_of: epoch (from 1) -> its blocks in order; not called for epochs that the state has behind it.
        counts: blocks of each epoch.
        recipe: batch and micro_batch (blocks), learning_rate, warmup, schedule (cosine | constant), precision.
        state: the file to resume from, if it is there, and to write.
        label: for progress lines.
        after_epoch: called after the last step of an epoch; again, with equal weights, if a kill came before the next state.

    Raises:
        FloatingPointError: naming the run and the step whose loss is not finite.
        scripts.lib.files.BrokenArtifact: when the state is damaged.
    """
    optimizer = optimizer_of(model)
    trace = load_state(state, model, optimizer)
    batch, lengths = recipe["batch"], [math.ceil(count / recipe["batch"]) for count in counts]
    step, steps, begin = len(trace), sum(lengths), 0
    if step:
        print(f"{label}: resuming after step {step} of {steps}", file=sys.stderr, flush=True)
    model.train()
    saved, pause = time.monotonic(), EVERY
    with Progress(label, steps, "steps", done=step) as progress:
        for epoch, length in enumerate(lengths, start=1):
            blocks = blocks_of(epoch) if step < begin + length else None
            while step < begin + length:
                start = time.perf_counter()
                part = Blocks(*(array[(step - begin) * batch : (step - begin + 1) * batch] for array in blocks))
                step += 1
                for group in optimizer.param_groups:
                    group["lr"] = rate_at(step, steps, recipe)
                loss = one_step(model, optimizer, part, recipe["micro_batch"], recipe["precision"])
                if not math.isfinite(loss):
                    raise FloatingPointError(f"{label}: the loss is {loss} at step {step}; lower learning_rate in its row")
                line = {"step": step, "epoch": epoch, "loss": loss, "learning_rate": optimizer.param_groups[-1]["lr"]}
                line["tokens"] = int((part.targets != NONE).sum())
                line["tokens_per_second"] = round(line["tokens"] / (time.perf_counter() - start), 1)
                line["batch_hash"] = hashlib.blake2b(b"".join(map(np.ndarray.tobytes, part)), digest_size=8).hexdigest()
                trace.append(line)
                progress.add(1, tokens=line["tokens"])
                if step == begin + length:
                    after_epoch(epoch)
                if step == steps or time.monotonic() - saved > pause:
                    before = time.monotonic()
                    save_state(state, model, optimizer, trace)
                    saved = time.monotonic()
                    pause = max(EVERY, 20 * (saved - before))
            begin += length
    return trace
