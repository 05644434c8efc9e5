"""One or two texts as the blocks of a run: so many tokens of each, whole documents in a seed's order, evenly interleaved.

Reads texts of scripts/training/tokens.py; makes `Blocks` that are put together from disk batch by batch. Documents stand end to
end and are cut every block, as in the published training: attention runs over their borders, every block is full, and a budget
is exact to the token. Every token is a target once but BOS, which begins a document and is never predicted.

Two arms of one seed read the same natural documents in the same order, one further than the other; of synthetic texts that
were written after the same documents the same holds. Nothing is read twice, unless a row says so.
"""

import numpy as np

from scripts.lib.seeds import seed_of
from scripts.training.data import Blocks
from scripts.training.tokens import Text


class TooShort(Exception):
    """A text that may not be repeated has fewer tokens than a run takes of it; the message says how many."""


def draw(text: Text, tokens: int, seed: int, repeat: bool) -> tuple[np.ndarray, np.ndarray]:
    """Documents in the order drawn from ``seed`` until they hold ``tokens`` targets; the last is cut there.

    A document of n ids has n - 1 targets. With ``repeat`` the text is gone through again, in another order, as often as needed.

    Returns:
        Where each document starts in ``text.ids``, and how many of its targets are taken; both int64 (documents,).

    Raises:
        TooShort: when the text has fewer targets and may not be repeated.
    """
    starts = np.concatenate([[0], text.ends[:-1]])
    sizes = text.ends - starts - 1
    has = int(sizes.sum())
    if tokens > has and not repeat:
        raise TooShort(f"has {has:,} tokens and is never repeated; {tokens:,} are taken")
    passes = [np.random.default_rng(seed_of(seed, turn)).permutation(len(sizes)) for turn in range(-(-tokens // has))]
    order = np.concatenate([np.zeros(0, np.int64), *passes])
    reached = np.cumsum(sizes[order])
    number = int(np.searchsorted(reached, tokens)) + 1 if tokens else 0
    order = order[:number]
    lengths = sizes[order]
    if number:
        lengths[-1] -= reached[number - 1] - tokens
    return starts[order], lengths


def interleaved(parts: list[np.ndarray]) -> np.ndarray:
    """The order in which documents of several parts follow each other so that each part is spread evenly; int64 (documents,).

    Each stands where its middle is in its own part, in which documents keep their order. Indices count through all parts:

    >>> interleaved([np.array([2, 2]), np.array([1, 1, 1, 1])]).tolist()
    [2, 0, 3, 4, 1, 5]
    """
    middles = [(np.cumsum(lengths) - lengths / 2) / max(lengths.sum(), 1) for lengths in parts]
    return np.argsort(np.concatenate(middles), kind="stable")


class Rows:
    """One array of `Blocks`: a slice of it is put together from the texts when it is asked for, int32 (rows, block)."""

    def __init__(self, texts: list[Text], which: np.ndarray, starts: np.ndarray, lengths: np.ndarray, block: int, shift: int):
        self.texts, self.which, self.starts, self.block, self.shift = texts, which, starts, block, shift
        self.ends = np.cumsum(lengths)
        self.shape = (int(self.ends[-1]) // block, block)

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, _ = rows.indices(self.shape[0])
        at, stop = first * self.block, max(first, last) * self.block
        pieces, document = [np.zeros(0, np.int32)], int(np.searchsorted(self.ends, at, side="right"))
        while at < stop:
            end = min(int(self.ends[document]), stop)
            before = int(self.ends[document - 1]) if document else 0
            start = int(self.starts[document]) + at - before + self.shift
            pieces.append(self.texts[self.which[document]].ids[start : start + end - at].astype(np.int32))
            at, document = end, document + 1
        return np.concatenate(pieces).reshape(-1, self.block)


class Places:
    """The positions of `Blocks`: 0 to block - 1 in each row, int32 (rows, block)."""

    def __init__(self, number: int, block: int):
        self.shape = (number, block)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return np.tile(np.arange(self.shape[1], dtype=np.int32), (len(range(*rows.indices(self.shape[0]))), 1))


def mixture(texts: list[Text], tokens: list[int], block: int, seed: int, repeat: bool = False) -> Blocks:
    """The blocks of a run.

    Args:
        texts: natural and synthetic text; what nothing is taken of may be None.
        tokens: how many targets of each; together whole blocks.
        block: tokens in a block.
        seed: of the run; the orders follow from it and from a text's place in the list.
        repeat: whether a text may be gone through more than once.

    Raises:
        TooShort: naming the number of the text in its second argument.
    """
    drawn = []
    for number, (text, taken) in enumerate(zip(texts, tokens, strict=True)):
        try:
            nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64))
            drawn.append(draw(text, taken, seed_of("mixture", seed, number), repeat) if taken else nothing)
        except TooShort as error:
            raise TooShort(str(error), number) from None
    order = interleaved([lengths for _, lengths in drawn])
    which = np.repeat(np.arange(len(drawn)), [len(lengths) for _, lengths in drawn])[order]
    starts, lengths = (np.concatenate(part)[order] for part in zip(*drawn, strict=True))
    inputs, targets = (Rows(texts, which, starts, lengths, block, shift) for shift in (0, 1))
    return Blocks(inputs, targets, Places(inputs.shape[0], block))
