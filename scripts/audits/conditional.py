r"""Whether a model writes after what it is given: reads documents with prompts and a model, makes Parquet.

    python -m scripts.audits.conditional --row JSON --code HASH --model DIR --documents held-out.parquet --out Y.parquet

One line a document d2: id, tokens (of it, EOS included if it is complete), and its negative log-likelihood in nats per token
after its own prompt d1 (nll), after the prompt of another document (nll_other), and after BOS alone (nll_alone). The same
tokens are scored each time, cut as in training (scripts.training.data.conditioned). A model that has learned to write after
d1 has nll below nll_other, and by more than its base has.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from scripts.audits.nll import BATCH, LOGITS
from scripts.lib.files import BrokenArtifact, atomic, read_card, write_card
from scripts.lib.likelihood import token_nats
from scripts.lib.models import BadModel, bos_of, eos_of, load_model, load_tokenizer
from scripts.lib.seeds import seed_of
from scripts.lib.tokens import encode, given, wrap


def others(prompts: list[str], seed: int) -> np.ndarray:
    """For each prompt the position of one that reads otherwise, (n,) int64: the next such in a seeded order, round and round.

    Raises:
        ValueError: when all prompts are the same.
    """
    if len(set(prompts)) < 2:
        raise ValueError("all documents have the same prompt, expected at least two different ones")
    order = np.random.default_rng(seed).permutation(len(prompts)).tolist()
    found = np.empty(len(prompts), np.int64)
    for place, i in enumerate(order):
        step = 1
        while prompts[order[(place + step) % len(order)]] == prompts[i]:
            step += 1
        found[i] = order[(place + step) % len(order)]
    return found


def audit(model: str | Path, documents: str | Path, out: str | Path, *, row: dict, code: str) -> None:
    """The file function.

    Args:
        model: a Hugging Face folder.
        documents: with the column ``prompt`` (scripts.synthesis.bootstrap).
        out: to be written, with its card.
        row: block (of the run that tuned the model), documents (at most so many, the first), seed.
        code: hash of the code.

    Raises:
        BrokenArtifact: when there is no document to score, or no other prompt.
    """
    import torch

    read_card(documents)
    frame = pq.read_table(documents, columns=["id", "text", "complete", "prompt"]).slice(0, row["documents"]).to_pandas()
    try:
        other = others(frame["prompt"].tolist(), seed_of("conditional", row["seed"]))
    except ValueError as error:
        raise BrokenArtifact(f"{documents}: {error}") from None
    words, bos, eos, block = load_tokenizer(model), bos_of(model), eos_of(model), row["block"]
    before = [given(one, bos, eos, block // 2) for one in encode(words, frame["prompt"].tolist())]
    after = [
        wrap(one, bos, eos if done else None)[1:]
        for one, done in zip(encode(words, frame["text"].tolist()), frame["complete"], strict=True)
    ]
    # what all three readings have room for, so that they score the same tokens
    room = [block + 1 - max(len(before[i]), len(before[j])) for i, j in enumerate(other)]
    after = [one[:most] for one, most in zip(after, room, strict=True)]
    cuda = torch.cuda.is_available()
    loaded = load_model(model, "bfloat16" if cuda else "float32").to("cuda" if cuda else "cpu")
    asked = {"nll": before, "nll_other": [before[j] for j in other], "nll_alone": [np.array([bos], np.int32)] * len(frame)}
    table = {"id": frame["id"], "tokens": [len(one) for one in after]}
    for name, prefixes in asked.items():
        sequences = [np.concatenate(both) for both in zip(prefixes, after, strict=True)]
        nats = token_nats(loaded, sequences, block, BATCH, LOGITS["cuda" if cuda else "cpu"])
        table[name] = [one[len(one) - len(its) :].mean(dtype=np.float64) for one, its in zip(nats, after, strict=True)]
    table = pd.DataFrame(table)
    with atomic(out) as beside:
        table.to_parquet(beside, index=False)
    means = {name: round(float(np.average(table[name], weights=table["tokens"])), 6) for name in asked}
    counts = {"documents": len(table), "tokens": int(table["tokens"].sum())}
    write_card(out, row=row, code=code, seed=row["seed"], counts=counts, nats_per_token=means)
    print(json.dumps(means), file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", type=json.loads, required=True, help="block, documents and seed as JSON")
    for name in ("code", "model", "documents", "out"):
        parser.add_argument(f"--{name}", required=True)
    a = parser.parse_args(arguments)
    try:
        audit(a.model, a.documents, a.out, row=a.row, code=a.code)
    except (BadModel, BrokenArtifact) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
