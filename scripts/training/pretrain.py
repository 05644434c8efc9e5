"""A model of the workflow's own, from random weights.

Reads a tokenizer and the documents.parquet of the sources (of corpora: synthesized.parquet) in a scratch row's phases; makes a
Hugging Face directory, its card, a trace, in which `epoch` counts the phases, and a folder subset-0/epoch-{p} of checkpoints
after p per cent of the steps, which is empty where the row asks for none. Sources are gone through as often as a phase takes;
a corpus that a model wrote is never repeated. One process a GPU, as in scripts/training/train.py.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scripts.lib.documents import read_documents
from scripts.lib.files import BrokenArtifact, sha256_of, write_card
from scripts.lib.models import BadModel, load_tokenizer, special_token
from scripts.lib.seeds import seed_of
from scripts.lib.tokens import encode
from scripts.lib.work import Busy
from scripts.training.data import NONE, Blocks, pack, pairs_of, phases_of, stretched
from scripts.training.stop import Stopped, listen, never


def even(blocks: list[Blocks], row: dict) -> list[Blocks]:
    """The phases' blocks with empty ones among them, so that all take the row's ``steps``, each by its share of the tokens.

    Raises:
        BrokenArtifact: naming the row, when a phase needs more, or so much less that a step could have nothing to learn.
    """
    shares = np.cumsum([phase["tokens"] for phase in row["phases"]]) / sum(phase["tokens"] for phase in row["phases"])
    numbers = np.diff(np.round(shares * row["steps"]), prepend=0).astype(int) * row["batch"]
    where = f"models: {row['name']}, key steps: {row['steps']} steps of {row['batch']} blocks"
    for part, number in zip(blocks, numbers.tolist(), strict=True):
        if -(-number // len(part.inputs)) > row["batch"]:
            raise BrokenArtifact(f"{where}; {len(part.inputs)} blocks cannot give each step one")
    try:
        return [stretched(part, number) for part, number in zip(blocks, numbers.tolist(), strict=True)]
    except ValueError as error:
        raise BrokenArtifact(f"{where}; {error}") from None


def pretrain(
    tokenizer: str | Path,
    documents: list[str],
    out: str | Path,
    trace: str | Path,
    work: str | Path,
    checkpoints: str | Path | None = None,
    *,
    row: dict,
    code: str,
    why_stop: Callable[[], int] = never,
) -> None:
    """Train the scratch model of ``row`` through its phases; one cosine spans them all.

    Args:
        tokenizer: folder of the row's tokenizer.
        documents: Parquet of every source or corpus of the phases, each in a folder of its name.
        out, trace: the model's folder and its trace, to be made.
        work: where a killed run left its state.
        checkpoints: the folder of checkpoints, to be made where given.
        row: of a scratch model; ``phases`` is a list of ``{mix: {source: share}, tokens}``, ``once`` names what of them is
            never repeated, ``steps`` is how many steps there are to be, ``checkpoints`` the percentages after which one is
            kept. ``code`` is the hash of this code.
        why_stop: asked after every step (scripts.training.stop).

    Raises:
        BrokenArtifact: when what is never repeated has too few tokens, or the steps too little room.
    """
    from scripts.training import parallel
    from scripts.training.architecture import make_model, parameters
    from scripts.training.device import device_and_precision
    from scripts.training.loop import fit
    from scripts.training.output import publish, save_model, write_trace
    from scripts.training.state import folder_of

    name, seed = row["name"], seed_of("pretrain", row["seed"])
    device, precision = device_and_precision()
    recipe = {"micro_batch": row["batch"], **row, "schedule": "cosine", "precision": precision}
    with parallel.together(device), parallel.shared_work(work) as folder:
        words = load_tokenizer(tokenizer)
        bos, eos = (special_token(tokenizer, key) for key in ("bos_token", "eos_token"))
        pairs = {}
        for path in documents:
            frame = read_documents(path, columns=["text", "complete"])
            ids = encode(words, frame["text"].tolist())
            pairs[Path(path).parent.name] = pairs_of(ids, frame["complete"].tolist(), bos, eos)
        try:
            phases, counts = phases_of(pairs, row["phases"], seed, row.get("once", ()))
        except ValueError as error:
            raise BrokenArtifact(f"{error}; raise its samples, or lower its share") from None
        blocks = [pack(phase, row["block"], "documents", seed_of(seed, number)) for number, phase in enumerate(phases, 1)]
        if "steps" in row:
            blocks = even(blocks, row)
        model = make_model(row, words.get_vocab_size(), bos, eos, seed_of(seed, "weights"))
        size = parameters(model)
        model = parallel.ready(model, device, recipe)
        tokens = sum(int((part.targets != NONE).sum()) for part in blocks)
        full = tokens / sum(part.targets.size for part in blocks)
        print(
            f"{name}: {size:,} parameters on {device}, {precision}; {tokens:,} tokens in {len(blocks)} phases, "
            f"blocks of {row['block']} {full:.0%} full",
            file=parallel.log(),
        )
        inputs = [sha256_of(path) for path in [*documents, Path(tokenizer) / "tokenizer.json"]]
        mine = folder_of(folder, row, code, inputs, str(device), precision)
        steps = sum(math.ceil(len(part.inputs) / row["batch"]) for part in blocks)
        kept = {round(steps * percent / 100): percent for percent in row.get("checkpoints", [])}

        def keep(step: int) -> None:
            if step in kept:
                save_model(model, mine / f"checkpoints/subset-0/epoch-{kept[step]}", tokenizer)

        lines = fit(
            model,
            lambda epoch: blocks[epoch - 1],
            [len(part.inputs) for part in blocks],
            recipe=recipe,
            state=mine / "state.safetensors",
            label=name,
            after_step=keep,
            why_stop=why_stop,
        )
        save_model(model, out, tokenizer)
        if parallel.first():
            if checkpoints:
                (mine / "checkpoints").mkdir(exist_ok=True)
                publish(mine / "checkpoints", checkpoints)
            write_trace(trace, {0: lines}, row=row, code=code)
            made = {"parameters": size, "tokens": tokens, "steps": len(lines), "phases": counts}
            write_card(out, row=row, code=code, seed=seed, counts=made, precision=precision)


if __name__ == "__main__":
    from scripts.training.device import settle

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True)
    parser.add_argument("--code", required=True)
    parser.add_argument("--documents", nargs="+", required=True)
    for option in ("tokenizer", "out", "trace", "work"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--checkpoints")
    a = parser.parse_args()
    settle()
    try:
        paths = (a.tokenizer, a.documents, a.out, a.trace, a.work, a.checkpoints)
        pretrain(*paths, row=a.row, code=a.code, why_stop=listen())
    except (BadModel, BrokenArtifact, Busy, FloatingPointError, Stopped) as error:
        sys.exit(f"{a.row['name']}: {error}")
