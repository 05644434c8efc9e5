"""How often each token occurs in the texts of the pure arms and in the held-out domains: reads both, makes unigrams.parquet.

Columns: name (cc, filtered, hq-100 ..., a held-out domain, or `test` for all of them), split (train | test), token, text (what
it decodes to), count. Equally many tokens of each training text are counted, at most ten million, of documents drawn at random,
since a larger sample has more types. Counted is what a model is asked to predict: EOS is among it, BOS is not.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.files import atomic
from scripts.lib.models import load_tokenizer, special_token
from scripts.sweeps import arm_of
from scripts.training.mixtures import mixture
from scripts.training.sweep import domains_of
from scripts.training.tokens import Text, read_tokens

LARGEST = 10_000_000


def sampled(texts: dict[str, Text], vocabulary: int, largest: int = LARGEST) -> dict[str, np.ndarray]:
    """Name -> counts by token id, (vocabulary,) int64, of equally many tokens of each text."""
    number = min(largest, *(len(text.ids) - len(text.ends) for text in texts.values()))
    found = {}
    for name, text in texts.items():
        targets = mixture([text], [number], number, seed=0).targets[:1]
        found[name] = np.bincount(targets.ravel(), minlength=vocabulary)
    return found


def lines_of(name: str, split: str, counts: np.ndarray, spelled: Sequence[str]) -> pd.DataFrame:
    """The lines of one text: its tokens that occur."""
    token = np.flatnonzero(counts)
    text = [spelled[one] for one in token]
    return pd.DataFrame({"name": name, "split": split, "token": token, "text": text, "count": counts[token]})


def write_unigrams(tokenizer: str, texts: list[str], heldout: list[str], out: str, *, row: dict) -> None:
    """The file function; ``row`` is the sweep's whose arms of pure text are counted."""
    words = load_tokenizer(tokenizer)
    bos, eos = (special_token(tokenizer, key) for key in ("bos_token", "eos_token"))
    vocabulary = words.get_vocab_size()
    spelled = [words.decode([token], skip_special_tokens=False) for token in range(vocabulary)]
    read = {Path(path).name: read_tokens(path) for path in texts}
    pure = {
        arm: (found["synthetic"] or found["natural"]) for arm in row["arms"] if (found := arm_of(row, arm))["share"] in (0, 1)
    }
    train = sampled({arm: read[text] for arm, text in pure.items()}, vocabulary)
    domains = domains_of(heldout, words, bos, eos, row["heldout_documents"])
    test = {
        name: np.bincount(np.concatenate([one[1:] for one in each]), minlength=vocabulary) for name, each in domains.items()
    }
    test["test"] = np.sum(list(test.values()), axis=0)
    parts = [
        lines_of(name, split, n, spelled) for split, all_ in (("train", train), ("test", test)) for name, n in all_.items()
    ]
    with atomic(out) as beside:
        pd.concat(parts, ignore_index=True).to_parquet(beside, index=False, compression="zstd")


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        paths = (snakemake.input.tokenizer, list(snakemake.input.texts), list(snakemake.input.heldout), snakemake.output.table)
        write_unigrams(*paths, row=snakemake.params.row)
