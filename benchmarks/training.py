"""Training speed: the loop of this project beside a plain eager loop and transformers.Trainer, on the same blocks.

Reads nothing; makes a table on the terminal: tokens per CPU-second on one thread, each way in a process of its own, rounds
taken in turn so that a busy machine slows all alike. `python -m benchmarks.training`.
"""

import tempfile
import time
from multiprocessing import get_context

import pandas as pd

SHAPES = {
    "0.3M": {"architecture": "qwen2", "hidden": 96, "layers": 2, "heads": 3, "feedforward": 256},
    "0.6M": {"architecture": "qwen2", "hidden": 128, "layers": 3, "heads": 4, "feedforward": 320},
}
WAYS = ("plain", "trainer", "loop")
VOCABULARY, BLOCK, BATCH, MEAN = 1024, 256, 8, 70  # MEAN: tokens a document, as in the pocket sources


def made_blocks(batches: int):
    """Packed blocks of random documents, lengths geometric with mean MEAN."""
    import numpy as np

    from scripts.training.data import pack, pairs_of

    rng = np.random.default_rng(0)
    lengths = np.clip(rng.geometric(1 / MEAN, batches * BATCH * BLOCK // MEAN + 200), 5, BLOCK - 2)
    ids = [rng.integers(1, VOCABULARY, length) for length in lengths]
    return pack(pairs_of(ids, [True] * len(ids), 0, 0), BLOCK, "documents", 0)


def measure(way: str, shape: str, steps: int, warm: int = 4) -> float:
    """Target tokens per CPU-second of ``steps`` steps after ``warm`` ones, in this process."""
    import torch

    from scripts.training.architecture import make_model
    from scripts.training.data import NONE, Blocks
    from scripts.training.device import device_and_precision, settle
    from scripts.training.loop import one_step, optimizer_of

    torch.set_num_threads(1)
    blocks = made_blocks(steps + warm)
    batches = [Blocks(*(part[i * BATCH : (i + 1) * BATCH] for part in blocks)) for i in range(steps + warm)]
    tokens = sum(int((batch.targets != NONE).sum()) for batch in batches[warm:])
    model = make_model({"name": shape, **SHAPES[shape]}, VOCABULARY, 0, 0, seed=0).train()
    precision = device_and_precision()[1]
    times = []
    if way == "loop":
        settle()
        optimizer = optimizer_of(model)
        for batch in batches:
            times.append(time.process_time())
            one_step(model, optimizer, batch, BATCH, precision)
    elif way == "plain":
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
        for batch in batches:
            times.append(time.process_time())
            inputs, labels, positions = (torch.from_numpy(part).long() for part in batch)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                model(input_ids=inputs, position_ids=positions, shift_labels=labels, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    else:
        from transformers import Trainer, TrainerCallback, TrainingArguments

        class Clock(TrainerCallback):
            def on_step_begin(self, *_, **__):
                times.append(time.process_time())

        names = ("input_ids", "labels", "position_ids")
        rows = [{n: torch.from_numpy(x).long() for n, x in zip(names, one, strict=True)} for one in zip(*blocks, strict=True)]
        settings = TrainingArguments(
            output_dir=tempfile.mkdtemp(), max_steps=len(batches), per_device_train_batch_size=BATCH, use_cpu=True,
            report_to="none", save_strategy="no", logging_strategy="no", disable_tqdm=True, bf16=precision == "bfloat16",
        )  # fmt: skip
        Trainer(model, settings, train_dataset=rows, callbacks=[Clock()]).train()
    times.append(time.process_time())
    return tokens / (times[-1] - times[warm])


def compare(shapes: tuple[str, ...] = tuple(SHAPES), rounds: int = 3, steps: int = 12) -> pd.DataFrame:
    """One line per shape and way: tokens per CPU-second (median and range over rounds) and the ratio to the plain loop."""
    import torch  # noqa: F401  imported before the forks, so that they need not
    import transformers.models.qwen2.modeling_qwen2
    import transformers.trainer  # noqa: F401

    lines = []
    for shape in shapes:
        rates: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                with get_context("fork").Pool(1) as one:
                    rates[way].append(one.apply(measure, (way, shape, steps)))
        plain = pd.Series(rates["plain"]).median()
        for way, found in rates.items():
            middle = pd.Series(found).median()
            lines.append({"model": shape, "way": way, "tokens/s": middle, "low": min(found), "high": max(found)})
            lines[-1]["to plain"] = middle / plain
    return pd.DataFrame(lines)


if __name__ == "__main__":
    print(compare().to_string(index=False, float_format=lambda value: f"{value:,.2f}" if value < 10 else f"{value:,.0f}"))
