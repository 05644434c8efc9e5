"""Extraction: does a model complete a prefix with its true suffix, word for word? All checkpoints of a run, in one process.

Reads the base's directory, checkpoints/subset-{s}/epoch-{n}/ and a suite of kind extraction; makes two tables with cards. One
line per checkpoint and candidate: run, subset, epoch, task, item, source, repetition, half, tokens (of the suffix), exact (the
greedy continuation is the suffix), distance (Levenshtein, in tokens, from the greedy continuation to the suffix), logprob (of
the true suffix given the prefix, summed, nats). And one line per checkpoint and held-out document: run, subset, epoch, task,
item, nats, tokens. Epoch 0 is the base, with subset -1. Float32 on a CPU, bfloat16 on a GPU.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scripts.evaluation.bits import nats
from scripts.evaluation.checkpoints import BASE, checkpoints_of, load_weights
from scripts.lib.files import atomic, card_path, read_card, sha256_of, write_card
from scripts.lib.models import bos_of, eos_of, load_model
from scripts.lib.progress import Progress
from scripts.lib.tokens import wrap
from scripts.lib.work import work_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BATCH = {"cpu": 256, "cuda": 64}  # candidates continued together; one policy for all checkpoints
TYPES = {"subset": "int16", "epoch": "int16"}
NAMES = ("run", "task", "source", "half")


def continuations(model: "PreTrainedModel", prompts: np.ndarray, new: int, batch: int) -> np.ndarray:
    """Greedy continuations by ``new`` tokens, int64 [n, new], of prompts [n, length] of equal length; EOS ends nothing."""
    import torch

    made = np.zeros((len(prompts), new), np.int64)
    with torch.inference_mode():
        for start in range(0, len(prompts), batch):
            ids = torch.from_numpy(prompts[start : start + batch]).long().to(model.device)
            cache = None
            for step in range(new):
                out = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
                cache, ids = out.past_key_values, out.logits[:, -1].argmax(-1, keepdim=True)
                made[start : start + batch, step] = ids[:, 0].cpu().numpy()
    return made


def log_probabilities(model: "PreTrainedModel", prompts: np.ndarray, suffixes: np.ndarray, batch: int) -> np.ndarray:
    """Log-probability of each true suffix given its prompt, summed over its tokens, nats, float64 [n]."""
    import torch

    total = np.zeros(len(prompts))
    length = suffixes.shape[1]
    with torch.inference_mode():
        for start in range(0, len(prompts), batch):
            ids = torch.from_numpy(np.hstack([prompts, suffixes])[start : start + batch]).long().to(model.device)
            logits = model(ids[:, :-1], logits_to_keep=length).logits.float()
            chosen = logits.gather(2, ids[:, -length:, None])[..., 0] - logits.logsumexp(-1)
            total[start : start + batch] = chosen.double().sum(1).cpu().numpy()
    return total


def distances(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Levenshtein distance of each pair of rows, int64 [n]: fewest tokens inserted, deleted or replaced.

    >>> distances(np.array([[1, 2, 3, 4], [1, 2, 3, 4]]), np.array([[2, 3, 4, 9], [1, 2, 3, 4]])).tolist()
    [2, 0]
    """
    above = np.tile(np.arange(others.shape[1] + 1), (len(ones), 1))
    for i in range(ones.shape[1]):
        row = np.empty_like(above)
        row[:, 0] = i + 1
        for j in range(others.shape[1]):
            replaced = above[:, j] + (ones[:, i] != others[:, j])
            row[:, j + 1] = np.minimum(np.minimum(above[:, j + 1], row[:, j]) + 1, replaced)
        above = row
    return above[:, -1]


def answer(model: "PreTrainedModel", candidates: pd.DataFrame, prompts: np.ndarray) -> pd.DataFrame:
    """One line per candidate: exact, distance and logprob beside what the candidates say of themselves."""
    suffixes = np.stack(candidates["suffix"].to_numpy())
    batch = BATCH[model.device.type]
    made = continuations(model, prompts, suffixes.shape[1], batch)
    return candidates[["task", "item", "source", "repetition", "half"]].assign(
        tokens=np.int16(suffixes.shape[1]),
        exact=(made == suffixes).all(1),
        distance=distances(made, suffixes).astype(np.int16),
        logprob=log_probabilities(model, prompts, suffixes, batch),
    )


def evaluate(
    base: str | Path,
    checkpoints: str | Path | None,
    suite: str | Path,
    out: str,
    heldout: str,
    work: Path,
    *,
    row: dict,
    name: str,
    code: str,
) -> None:
    """Evaluate a base and the checkpoints of a run; finished checkpoints wait in ``work`` for a killed job's return.

    Args:
        base, checkpoints, suite: the base's directory, the run's folder (None: the base alone), the suite's folder.
        out, heldout: the two tables.
        work: a folder for what is finished.
        row: of the suite (prefix, suffix, add_bos). ``name`` is the run's, ``code`` the hash of the code.

    Raises:
        scripts.lib.files.BrokenArtifact: naming the file that is not the one of its card, or unreadable.
    """
    import torch

    for folder in filter(None, (base, checkpoints, suite)):
        if card_path(folder).exists():
            read_card(folder)
    candidates = pd.read_parquet(Path(suite) / "candidates.parquet")
    documents = pd.read_parquet(Path(suite) / "heldout.parquet")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load_model(base, "float32" if device == "cpu" else "bfloat16").to(device)
    bos, eos = bos_of(base), eos_of(base)
    prompts = np.stack(candidates["prefix"].to_numpy())
    if row["add_bos"]:
        prompts = np.hstack([np.full((len(prompts), 1), bos), prompts])
    sequences = [
        wrap(ids, bos, eos if done else None) for ids, done in zip(documents["ids"], documents["complete"], strict=True)
    ]
    lengths = np.array([len(one) - 1 for one in sequences], np.int32)
    todo = [(BASE, 0, Path(base)), *checkpoints_of(checkpoints)]
    parts: tuple[list, list] = ([], [])
    with Progress(f"extracting from {name} on {row['name']}", len(todo), "checkpoints") as progress:
        for subset, epoch, folder in todo:
            hashes = "-".join(sha256_of(file)[:16] for file in sorted(folder.glob("*.safetensors")))
            stem = f"subset-{subset}-epoch-{epoch}-{hashes[:160]}"
            files = work / f"{stem}.parquet", work / f"{stem}.heldout.parquet"
            if not all(file.exists() for file in files):
                load_weights(model, folder)
                losses = documents[["task", "item"]].assign(nats=nats(model, sequences), tokens=lengths)
                for file, lines in zip(files, (answer(model, candidates, prompts), losses), strict=True):
                    with atomic(file) as beside:
                        lines.assign(run=name, subset=subset, epoch=epoch).to_parquet(beside)
            for part, file in zip(parts, files, strict=True):
                part.append(pd.read_parquet(file))
            progress.add(1)
    for path, part in zip((out, heldout), parts, strict=True):
        table = pd.concat(part, ignore_index=True)
        first = ["run", "subset", "epoch", "task", "item"]
        table = table[[*first, *(column for column in table if column not in first)]]
        with atomic(path) as beside:
            names = dict.fromkeys([each for each in NAMES if each in table], "category")
            table.astype({**TYPES, **names}).to_parquet(beside, index=False, compression="zstd")
        write_card(path, row=row, code=code, counts={"checkpoints": len(todo), "lines": len(table)}, run=name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True, help="the suite's row")
    parser.add_argument("--code", required=True)
    parser.add_argument("--base", required=True, help="directory of the base")
    parser.add_argument("--checkpoints", help="folder of subset-{s}/epoch-{n}; without it only the base is tried")
    parser.add_argument("--suite", required=True, help="folder of candidates.parquet and heldout.parquet")
    parser.add_argument("--name", required=True, help="the run's or the model's name")
    parser.add_argument("--out", required=True)
    parser.add_argument("--heldout", required=True)
    parser.add_argument("--work", help="where finished checkpoints wait in case the job is killed")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, work_folder(a.work or Path(temporary) / "work") as folder:
        evaluate(a.base, a.checkpoints, a.suite, a.out, a.heldout, folder, row=a.row, name=a.name, code=a.code)
