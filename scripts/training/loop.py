"""The training loop, for models from scratch and for continual training alike.

Reads packed blocks in memory and, after a kill, the state of the work folder; makes a trained model in place and a trace.
Next-token loss, AdamW (0.9, 0.95), weight decay 0.1 except for norms and biases, gradients clipped at 1. A step is a function
of the state and of (seed, epoch, step) alone, so that a run that was killed and resumed ends with the same bytes. Several
processes (scripts.training.parallel) take the same steps; their sums are made in another order, so that the last digits differ.
"""

import hashlib
import math
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from scripts.lib.progress import Progress
from scripts.training import parallel
from scripts.training.data import NONE, Blocks
from scripts.training.state import load_state, save_state
from scripts.training.stop import REASONS, Stopped, never

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


def token_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross entropy in nats, summed over the targets [blocks, block] that are not NONE; logits [blocks, block, vocabulary]."""
    return cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=NONE, reduction="sum")


@cache
def fused_loss() -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """``token_loss`` compiled, so that logits of 150k columns are not written out once more as float32 and as a softmax."""
    return torch.compile(token_loss, dynamic=False)


def loss_sum(model: torch.nn.Module, blocks: Blocks, precision: str = "float32", compiled: bool = False) -> torch.Tensor:
    """The next-token loss of a few blocks, summed over all targets, in nats.

    The model derives the mask from the positions: wherever they do not go on by one, a new document starts, and attention
    stays inside it. The mask is a tensor, so on a GPU SDPA takes its memory-efficient kernel and not the flash one: at blocks
    of 512 attention is 2 to 5 % of the work, and no other kernel would run everywhere with equal results.
    """
    device = next(model.parameters()).device
    inputs, targets, positions = (torch.from_numpy(part).long().to(device) for part in blocks)
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits = model(input_ids=inputs, position_ids=positions, use_cache=False).logits
    return (fused_loss() if compiled else token_loss)(logits, targets)


def optimizer_of(model: torch.nn.Module) -> torch.optim.AdamW:
    """AdamW over two groups: matrices with weight decay 0.1, norms and biases without."""
    parts = ([p for p in model.parameters() if p.ndim > 1], [p for p in model.parameters() if p.ndim <= 1])
    groups = [{"params": part, "weight_decay": decay} for part, decay in zip(parts, (0.1, 0.0), strict=True) if part]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), eps=1e-8, fused=True)


def one_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: Blocks, micro: int, precision: str, compiled: bool = False
) -> float:
    """One update from a batch, ``micro`` blocks at a time; returns the loss in nats, a mean over all targets of the batch.

    Each part is divided by the targets of the whole batch, so that the update depends neither on ``micro`` nor on how many
    processes share the batch: both DDP and FSDP average their gradients, hence the factor.
    """
    tokens = int((batch.targets != NONE).sum())
    parts, losses = parallel.share(batch, micro, fill=compiled), []
    for number, part in enumerate(parts, start=1):
        with parallel.accumulating(model, more=number < len(parts)):
            loss = loss_sum(model, part, precision, compiled) / tokens
            (loss * parallel.world()).backward()
        losses.append(loss.detach())
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return parallel.summed(losses)


def fit(
    model: torch.nn.Module,
    blocks_of: Callable[[int], Blocks],
    counts: list[int],
    *,
    recipe: dict,
    state: Path,
    label: str,
    after_epoch: Callable[[int], None] = lambda epoch: None,
    after_step: Callable[[int], None] = lambda step: None,
    why_stop: Callable[[], int] = never,
) -> list[dict]:
    """Train ``model`` in place and return the trace, one dict a step.

    Args:
        model: float32, on its device, as ``parallel.ready`` leaves it.
        blocks_of: epoch (from 1) -> its blocks in order; not called for epochs that the state has behind it.
        counts: blocks of each epoch.
        recipe: batch and micro_batch (blocks; the latter of one process), learning_rate, warmup, schedule (cosine | constant),
            precision, compile.
        state: the file to resume from, if it is there, and to write.
        label: for progress lines.
        after_epoch: called after the last step of an epoch; again, with equal weights, if a kill came before the next state.
        after_step: called after every step, before the step's epoch ends; again as ``after_epoch`` is.
        why_stop: asked after every step; a number in stop.REASONS.

    Raises:
        Stopped: when there is a reason to stop; the state is saved.
        FloatingPointError: naming the run and the step whose loss is not finite.
        scripts.lib.files.BrokenArtifact: when the state is damaged.
    """
    optimizer, device = optimizer_of(model), next(model.parameters()).device
    trace = load_state(state, model, optimizer)
    stepping, compiled = parallel.replicated(model), recipe.get("compile", False)
    batch, lengths = recipe["batch"], [math.ceil(count / recipe["batch"]) for count in counts]
    step, steps, begin = len(trace), sum(lengths), 0
    if step:
        print(f"{label}: resuming after step {step} of {steps}", file=parallel.log(), flush=True)
    model.train()
    saved, pause = time.monotonic(), EVERY
    with Progress(label, steps, "steps", out=parallel.log(), done=step) as progress:
        for epoch, length in enumerate(lengths, start=1):
            blocks = blocks_of(epoch) if step < begin + length else None
            while step < begin + length:
                start = time.perf_counter()
                part = Blocks(*(array[(step - begin) * batch : (step - begin + 1) * batch] for array in blocks))
                step += 1
                for group in optimizer.param_groups:
                    group["lr"] = rate_at(step, steps, recipe)
                loss = one_step(stepping, optimizer, part, recipe["micro_batch"], recipe["precision"], compiled)
                if not math.isfinite(loss):
                    raise FloatingPointError(f"{label}: the loss is {loss} at step {step}; lower learning_rate in its row")
                line = {"step": step, "epoch": epoch, "loss": loss, "learning_rate": optimizer.param_groups[-1]["lr"]}
                line["tokens"] = int((part.targets != NONE).sum())
                line["tokens_per_second"] = round(line["tokens"] / (time.perf_counter() - start), 1)
                line["batch_hash"] = hashlib.blake2b(b"".join(map(np.ndarray.tobytes, part)), digest_size=8).hexdigest()
                trace.append(line)
                progress.add(1, tokens=line["tokens"])
                after_step(step)
                if step == begin + length:
                    after_epoch(epoch)
                due = time.monotonic() - saved > pause and parallel.first()  # by one clock, so that all save at one step
                asked = parallel.agreed(2 * why_stop() + due, device)
                if step == steps or asked:
                    before = time.monotonic()
                    save_state(state, model, optimizer, trace)
                    saved = time.monotonic()
                    pause = max(EVERY, 20 * (saved - before))
                if reason := REASONS[asked // 2]:
                    where = f"{label}: stopped by {reason} at step {step} of {steps}"
                    raise Stopped(f"{where}, state saved; the next start goes on from there")
            begin += length
    return trace
