"""Equal token budgets for a run: reads curated.parquet and the student's tokenizer, makes the run's documents.parquet.

Subsets are disjoint and of equal numbers of tokens. A document counts as what the student is trained on: its text tokens in the
student's tokenizer, and one more for EOS if it is complete; BOS is not counted. Documents are taken in an order that is
seeded by the corpus and the document's id alone, so that it depends neither on the order in the file nor on other corpora.
A run whose row says `repeat` goes through its documents again and again, pass after pass, where they hold less than its budget.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.documents import write_documents
from scripts.lib.files import read_card
from scripts.lib.seeds import seed_of

TOLERANCE = 0.005  # of the budget either way, so that any two subsets of any two corpora are equal within 1 %
_TAKEN, _FREE = 256, 8192  # how many documents on either side are tried for an exchange
_BATCH = 10_000  # texts that are encoded at a time


class TooSmall(ValueError):
    """The corpus has not enough tokens, or not of the right sizes, for its budget."""


def count(texts: list[str], complete: Sequence[bool], tokenizer_folder: str | Path) -> np.ndarray:
    """Tokens of each document as a student is trained on it, (n,) int32: text tokens, and EOS if it is complete."""
    from scripts.lib.models import load_tokenizer
    from scripts.lib.tokens import encode

    tokenizer = load_tokenizer(tokenizer_folder)
    lengths = []
    for first in range(0, len(texts), _BATCH):
        lengths += [len(ids) for ids in encode(tokenizer, texts[first : first + _BATCH])]
    return np.array(lengths, dtype=np.int32) + np.array(complete, dtype=np.int32)


def seeded_order(corpus: str, ids: Sequence[str], passes: int = 1) -> np.ndarray:
    """Positions of the documents in the order in which they are taken, (passes n,) int64; position n is the first one again."""
    keys = [(seed_of(corpus, "budget", one), one) for one in ids]
    once = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
    return np.concatenate([once + len(keys) * number for number in range(passes)])


def fill(tokens: np.ndarray, budget: int, tolerance: float = TOLERANCE) -> np.ndarray | None:
    """Choose documents, in their order, whose tokens sum to ``budget`` within ``tolerance``; None if that was not managed.

    A document that would overshoot ends it, or is passed over if that is too early. When the rest fits no more, documents
    taken last are exchanged for others, one by one, as long as that brings the sum closer.

    Returns:
        (n,) bool.

    >>> fill(np.array([60, 50, 30, 20, 10]), 100).tolist()
    [True, False, True, False, True]
    """
    low, high = math.ceil(budget * (1 - tolerance)), math.floor(budget * (1 + tolerance))
    taken = np.zeros(len(tokens), dtype=bool)
    total = 0
    for i, size in enumerate(tokens.tolist()):
        if total + size <= budget:
            taken[i] = True
            total += size
        elif total >= low:
            return taken
    if total >= low:
        return taken
    free = np.flatnonzero(~taken)[:_FREE]
    if len(free) and abs(total + tokens[free[0]] - budget) < abs(total - budget):
        taken[free[0]] = True
        total += int(tokens[free[0]])
    while not low <= total <= high:
        last, free = np.flatnonzero(taken)[::-1][:_TAKEN], np.flatnonzero(~taken)[:_FREE]
        if not len(last) or not len(free):
            return None
        miss = np.abs(total - budget - tokens[last][:, None] + tokens[free][None, :])
        inside = np.argwhere(miss <= min(budget - low, high - budget))
        i, j = inside[0] if len(inside) else np.unravel_index(miss.argmin(), miss.shape)
        if miss[i, j] >= abs(total - budget):
            return None
        taken[last[i]], taken[free[j]] = False, True
        total += int(tokens[free[j]] - tokens[last[i]])
    return taken


def passes_of(tokens: np.ndarray, row: dict) -> int:
    """How often a run that may repeat its documents goes through them, with one pass more to choose from; 1 if it may not."""
    return 1 + math.ceil(row["tokens"] * row["subsets"] / max(int(tokens.sum()), 1)) if row.get("repeat") else 1


def assign(ids: Sequence[str], tokens: np.ndarray, *, row: dict, corpus: dict, passes: int = 1) -> np.ndarray:
    """Assign documents to ``row["subsets"]`` disjoint subsets of ``row["tokens"]`` tokens each, within half a per cent.

    Args:
        ids: of the n documents.
        tokens: (n,) token counts, all positive.
        row: of the run: name, tokens, subsets.
        corpus: the row of its corpus: name, method, and what decides its size (samples, tokens).
        passes: how often documents may be taken.

    Returns:
        (passes n,) int8, the subset, or -1 for what is left over.

    Raises:
        TooSmall: naming corpus, what it has and needs, and which key to raise to what.
    """
    order = seeded_order(corpus["name"], ids, passes)
    sizes = np.tile(np.asarray(tokens, dtype=np.int64), passes)[order]
    chosen = np.full(len(order), -1, dtype=np.int8)
    for subset in range(row["subsets"]):
        free = np.flatnonzero(chosen < 0)
        taken = fill(sizes[free], row["tokens"])
        if taken is None:
            raise TooSmall(_too_small(sizes, chosen, subset, row, corpus))
        chosen[free[taken]] = subset
    out = np.empty_like(chosen)
    out[order] = chosen
    return out


def _too_small(sizes: np.ndarray, chosen: np.ndarray, subset: int, row: dict, corpus: dict) -> str:
    """What is wrong and what to raise, in words."""
    has, needs = int(sizes.sum()), row["tokens"] * row["subsets"]
    head = f"runs: {row['name']}: {row['subsets']} subsets of {row['tokens']} tokens need {needs} tokens; "
    head += f"corpora: {corpus['name']} has {has} in {len(sizes)} documents once curated"
    short = has < needs * (1 - TOLERANCE)
    if not short:
        left = sizes[chosen < 0]
        head += f", but subset {subset} cannot be filled within {TOLERANCE:.1%} from the {len(left)} left"
        head += f" (of {left.min()} to {left.max()} tokens)" if len(left) else ""
    factor = needs / max(has, 1) * 1.05 if short else 1 + 1 / row["subsets"]
    if "samples" in corpus:
        key = f"raise samples of corpora: {corpus['name']} from {corpus['samples']} to {math.ceil(corpus['samples'] * factor)}"
        key += " (and its sources, where they have no more)" if corpus.get("method") == "replay" else ""
    elif corpus.get("method") == "shuffle":
        key = f"raise samples of corpora: {corpus['corpus']}, which it shuffles, by a factor of {factor:.2f}"
    elif "tokens" in corpus:
        key = f"raise tokens of corpora: {corpus['name']} from {corpus['tokens']} to {math.ceil(corpus['tokens'] * factor)}"
    else:
        key = f"enlarge corpora: {corpus['name']} by a factor of {factor:.2f}"
    return f"{head}; {key}, or " + (f"lower tokens of runs: {row['name']}" if short else f"raise tokens of runs: {row['name']}")


def apportion(curated: str | Path, tokenizer: str | Path, documents: str | Path, *, row: dict, code: str) -> None:
    """Choose the documents of a run: subset by subset, in the order in which the budget took them.

    Args:
        curated: documents, with the card that holds the row of their corpus.
        tokenizer: folder of the student's tokenizer.
        documents: where to write the documents taken, with the columns subset (int8) and tokens (int32).
        row: of the run: name, tokens, subsets, and perhaps repeat.
        code: hash of the code.

    Raises:
        TooSmall: when the budget cannot be met; nothing is written.
    """
    corpus = read_card(curated)["row"]
    table = pq.read_table(curated)
    tokens = count(table["text"].to_pylist(), table["complete"].to_pylist(), tokenizer)
    long = np.flatnonzero(tokens >= max(corpus.get("min_tokens", 0), 1))
    ids = table["id"].to_pylist()
    own = [ids[i] for i in long]
    passes = passes_of(tokens[long], row)
    subset = assign(own, tokens[long], row=row, corpus=corpus, passes=passes)
    rank = np.empty(len(subset), dtype=np.int64)
    rank[seeded_order(corpus["name"], own, passes)] = np.arange(len(subset))
    long = np.tile(long, passes)
    order = np.lexsort((rank, subset))
    order = order[subset[order] >= 0]
    rows = table.take(pa.array(long[order], pa.int64())).to_pylist()
    for line, s, t in zip(rows, subset[order].tolist(), tokens[long][order].tolist(), strict=True):
        line |= {"subset": s, "tokens": t}
    parts = [subset == s for s in range(row["subsets"])]
    counts = {
        "curated": len(ids),
        "too_short": len(ids) - len(own),
        "left_over": int((subset < 0).sum()),
        "tokens_available": int(tokens[long[: len(own)]].sum()),
        **({"passes": passes} if passes > 1 else {}),
        "subsets": [{"documents": int(part.sum()), "tokens": int(tokens[long][part].sum())} for part in parts],
    }
    extra = {"near_duplicate_of": pa.string(), "subset": pa.int8(), "tokens": pa.int32()}
    write_documents(documents, rows, row=row, code=code, extra=extra, counts=counts)
    print(f"{row['name']}: " + json.dumps(counts), file=sys.stderr)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        paths = (str(snakemake.input.curated), str(snakemake.input.tokenizer), snakemake.output.documents)
        apportion(*paths, row=snakemake.params.row, code=snakemake.params.code)
