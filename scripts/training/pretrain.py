"""A model of the workflow's own, from random weights.

Reads a tokenizer and the documents.parquet of the sources in a scratch row's phases; makes a Hugging Face directory, its card
and a trace, in which `epoch` counts the phases. One process a GPU, as in scripts/training/train.py.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.lib.documents import read_documents
from scripts.lib.files import BrokenArtifact, sha256_of, write_card
from scripts.lib.models import BadModel, load_tokenizer, special_token
from scripts.lib.seeds import seed_of
from scripts.lib.tokens import encode
from scripts.lib.work import Busy
from scripts.training.data import NONE, pack, pairs_of, phases_of
from scripts.training.stop import Stopped, listen, never


def pretrain(
    tokenizer: str | Path,
    documents: list[str],
    out: str | Path,
    trace: str | Path,
    work: str | Path,
    *,
    row: dict,
    code: str,
    why_stop: Callable[[], int] = never,
) -> None:
    """Train the scratch model of ``row`` through its phases; one cosine spans them all.

    Args:
        tokenizer: folder of the row's tokenizer.
        documents: documents.parquet of every source of the phases, each in a folder of the source's name.
        out, trace: the model's folder and its trace, to be made.
        work: where a killed run left its state.
        row: of a scratch model; ``phases`` is a list of ``{mix: {source: share}, tokens}``. ``code`` is the hash of this code.
        why_stop: asked after every step (scripts.training.stop).
    """
    from scripts.training import parallel
    from scripts.training.architecture import make_model, parameters
    from scripts.training.device import device_and_precision
    from scripts.training.loop import fit
    from scripts.training.output import save_model, write_trace
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
        phases, counts = phases_of(pairs, row["phases"], seed)
        blocks = [pack(phase, row["block"], "documents", seed_of(seed, number)) for number, phase in enumerate(phases, 1)]
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
        lines = fit(
            model,
            lambda epoch: blocks[epoch - 1],
            [len(part.inputs) for part in blocks],
            recipe=recipe,
            state=folder_of(folder, row, code, inputs, str(device), precision) / "state.safetensors",
            label=name,
            why_stop=why_stop,
        )
        save_model(model, out, tokenizer)
        if parallel.first():
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
    a = parser.parse_args()
    settle()
    try:
        pretrain(a.tokenizer, a.documents, a.out, a.trace, a.work, row=a.row, code=a.code, why_stop=listen())
    except (BadModel, BrokenArtifact, Busy, FloatingPointError, Stopped) as error:
        sys.exit(f"{a.row['name']}: {error}")
