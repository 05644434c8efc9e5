"""Scores of a base and of all checkpoints of a run on one suite, item by item, by lm-eval, in one process.

Reads the base's directory, checkpoints/subset-{s}/epoch-{n}/ and a suite; makes {suite}.parquet with its card: columns run,
subset, epoch, task, filter, metric, item, score; one line per checkpoint, task, filter, metric and item. Epoch 0 is the base
itself, with subset -1, since every subset starts from it. Zero-shot, greedy; float32 on a CPU, bfloat16 on a GPU.

Tasks, requests and tokens are made once; weights are swapped in place. With ``add_bos`` every context begins with the BOS
token, as every document did in training; without it lm-eval's default holds (Llama's tokenizer adds one, Qwen's does not), with
which published scores are made. Either way it is the same for all checkpoints.
"""

import argparse
import functools
import gc
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from scripts.evaluation.checkpoints import BASE, checkpoints_of, load_weights
from scripts.evaluation.suites import answer, describe, load_tasks, quiet
from scripts.lib.files import atomic, card_path, read_card, sha256_of, write_card
from scripts.lib.models import bos_of, load_model, load_tokenizer_of_transformers
from scripts.lib.progress import Progress
from scripts.lib.vllm_settings import settings
from scripts.lib.work import work_folder

if TYPE_CHECKING:
    from lm_eval.api.model import LM
    from transformers import PreTrainedTokenizerFast

BATCH = {"cpu": 64, "cuda": 16}  # of backend hf; one policy for all checkpoints
# of backend vllm, which forms its own batches; "auto" is the same with a bar, at which vLLM fails where bars are off
ALL = 1 << 30
NUMBERS = {"subset": "int16", "epoch": "int16", "item": "int32", "score": "float32"}
NAMES = ("run", "task", "filter", "metric")


def prepend_bos(tokenizer: "PreTrainedTokenizerFast", bos: int) -> None:
    """Make ``add_special_tokens=True`` mean BOS first and nothing else; the workflow's tokenizers add nothing by themselves."""
    from tokenizers.processors import TemplateProcessing

    token = tokenizer.convert_ids_to_tokens(bos)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{token}:0 $A:0", special_tokens=[(token, bos)])


def make_lm(row: dict, base: str | Path) -> tuple["LM", Callable[[Path], None]]:
    """lm-eval's view of the base under the row's backend, and a function that puts a checkpoint's weights into it.

    ``backend``: pocket is the fast one for small models on a CPU, hf is lm-eval's own; both give the same scores.
    """
    if row["backend"] == "pocket":
        from scripts.evaluation.pocket_lm import PocketLM

        pocket = PocketLM(base, add_bos=row["add_bos"])
        return pocket, pocket.load
    import torch
    from lm_eval.models.huggingface import HFLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load_model(base, "float32" if device == "cpu" else "bfloat16").to(device)
    tokenizer, bos = load_tokenizer_of_transformers(base), bos_of(base)
    if row["add_bos"]:
        prepend_bos(tokenizer, bos)
    lm = HFLM(
        pretrained=model,
        backend="causal",
        tokenizer=tokenizer,
        add_bos_token=True if row["add_bos"] else None,
        prefix_token_id=bos,
        batch_size=BATCH[device],
        softmax_dtype="float32",
    )
    for name in ("loglikelihood", "loglikelihood_rolling", "generate_until"):
        setattr(lm, name, functools.partial(getattr(lm, name), disable_tqdm=True))
    return lm, functools.partial(load_weights, model)


def make_vllm(row: dict, folder: Path) -> "LM":
    """lm-eval's vLLM engine on one checkpoint; every checkpoint has an engine of its own, since weights cannot be swapped.

    Raises:
        ValueError: with ``add_bos``, which the engine leaves to the tokenizer.
    """
    if row["add_bos"]:
        raise ValueError(
            f"suite {row['name']}, key add_bos: backend vllm leaves BOS to the tokenizer; expected false, or backend hf"
        )
    given = settings()
    from lm_eval.models.vllm_causallms import VLLM

    return VLLM(pretrained=str(folder), batch_size=ALL, gpu_memory_utilization=0.85, seed=1234, **given)


def scorer(row: dict, base: str | Path) -> Callable[[Path], "LM"]:
    """A function from a checkpoint's directory to an LM that answers as it; nothing is loaded before the first call."""
    if row["backend"] == "vllm":
        engines = []

        def vllm_of(folder: Path) -> "LM":
            engines.clear()
            gc.collect()
            engines.append(make_vllm(row, folder))
            return engines[0]

        return vllm_of
    made = functools.cache(lambda: make_lm(row, base))

    def lm_of(folder: Path) -> "LM":
        lm, swap = made()
        swap(folder)
        return lm

    return lm_of


def evaluate(
    base: str | Path,
    checkpoints: str | Path | None,
    suite: str | Path | None,
    out: str | Path,
    work: Path,
    *,
    row: dict,
    name: str,
    code: str,
) -> None:
    """Evaluate a base and the checkpoints of a run; scores of finished checkpoints wait in ``work`` for a killed job's return.

    Raises:
        BrokenArtifact: naming the file of the base or of a checkpoint that is not the one of its card, or unreadable.
    """
    for folder in filter(None, (base, checkpoints, suite)):
        if card_path(folder).exists():
            read_card(folder)
    todo = [(BASE, 0, Path(base)), *checkpoints_of(checkpoints)]
    tasks = load_tasks(row, suite)
    parts = []
    lm_of = scorer(row, base)
    with Progress(f"evaluating {name} on {row['name']}", len(todo), "checkpoints") as progress:
        for subset, epoch, folder in todo:
            hashes = "-".join(sha256_of(file)[:16] for file in sorted(folder.glob("*.safetensors")))
            part = work / f"subset-{subset}-epoch-{epoch}-{hashes[:160]}.parquet"
            if not part.exists():
                scores = pd.DataFrame(answer(lm_of(folder), tasks), columns=["task", "filter", "metric", "item", "score"])
                with atomic(part) as beside:
                    scores.assign(run=name, subset=subset, epoch=epoch).to_parquet(beside)
            parts.append(pd.read_parquet(part))
            progress.add(1)
    table = pd.concat(parts, ignore_index=True)[["run", "subset", "epoch", "task", "filter", "metric", "item", "score"]]
    with atomic(out) as beside:
        table.astype({**NUMBERS, **dict.fromkeys(NAMES, "category")}).to_parquet(beside, index=False, compression="zstd")
    write_card(out, row=row, code=code, counts={"checkpoints": len(todo), "lines": len(table)}, run=name, tasks=describe(tasks))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True, help="the suite's row")
    parser.add_argument("--code", required=True)
    parser.add_argument("--base", required=True, help="directory of the base")
    parser.add_argument("--checkpoints", help="folder of subset-{s}/epoch-{n}; without it only the base is scored")
    parser.add_argument("--suite", help="folder of the suite's tasks, or of its data")
    parser.add_argument("--name", required=True, help="the run's or the model's name")
    parser.add_argument("--out", required=True)
    parser.add_argument("--work", help="where scores of finished checkpoints wait in case the job is killed")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, work_folder(a.work or Path(temporary) / "work") as folder:
        quiet(Path(temporary) / "cache")
        evaluate(a.base, a.checkpoints, a.suite, a.out, folder, row=a.row, name=a.name, code=a.code)
