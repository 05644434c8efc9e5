"""Negative log-likelihood of token sequences under a causal language model, in nats: what audits and evaluation share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WINDOW = 256  # tokens that predict, as many as a training block of the laptop has
BATCH = 16


def windows(length: int, window: int = WINDOW) -> list[tuple[int, int, int]]:
    """(start, first scored, end) of the pieces in which ``length`` tokens are read; positions are those of inputs.

    A document that fits is one piece. A longer one moves on by half a window, so that no token is predicted from fewer than
    half a window of tokens, except at the document's beginning:

    >>> windows(6, 4)
    [(0, 0, 4), (2, 4, 6)]
    """
    pieces = [(0, 0, min(length, window))]
    while pieces[-1][2] < length:
        done = pieces[-1][2]
        start = done - window // 2
        pieces.append((start, done, min(length, start + window)))
    return pieces


def token_nats(
    model: "PreTrainedModel",
    sequences: Sequence[np.ndarray],
    window: int = WINDOW,
    batch: int = BATCH,
    logits: int | None = None,
) -> list[np.ndarray]:
    """Negative log-likelihood of each token after a sequence's first, in nats: float32 arrays, one shorter than the sequences.

    The log-softmax is taken in float32, whatever the model computes in.

    Args:
        model: a causal language model.
        sequences: token ids, each beginning with BOS.
        window: how many tokens the model sees at once (see `windows`).
        batch: sequences read together at most; only speed and memory depend on it.
        logits: how many logits may stand in memory (a sequence at least is read); no limit where None.
    """
    import torch
    import torch.nn.functional as F  # noqa: N812

    pieces = [(i, *piece) for i, ids in enumerate(sequences) for piece in windows(len(ids) - 1, window) if len(ids) > 1]
    pieces.sort(key=lambda piece: (piece[1] - piece[3], piece[0]))
    found = [np.zeros(max(len(ids) - 1, 0), np.float32) for ids in sequences]
    at = 0
    with torch.inference_mode():
        while at < len(pieces):
            longest = pieces[at][3] - pieces[at][1]  # the rest is no longer
            room = batch if logits is None else max(1, min(batch, logits // (longest * model.config.vocab_size)))
            chosen = pieces[at : at + room]
            at += room
            inputs = torch.zeros(len(chosen), longest, dtype=torch.long)
            targets = torch.full((len(chosen), longest), -100)
            for row, (i, start, scored, end) in enumerate(chosen):
                ids = torch.from_numpy(np.asarray(sequences[i], np.int64))
                inputs[row, : end - start] = ids[start:end]
                targets[row, scored - start : end - start] = ids[scored + 1 : end + 1]
            scores = model(inputs.to(model.device)).logits.float().transpose(1, 2)
            losses = F.cross_entropy(scores, targets.to(model.device), reduction="none").cpu().numpy()
            for row, (i, start, scored, end) in enumerate(chosen):
                found[i][scored:end] = losses[row, scored - start : end - start]
    return found


def nats(model: "PreTrainedModel", sequences: Sequence[np.ndarray], window: int = WINDOW, batch: int = BATCH) -> np.ndarray:
    """Negative log-likelihood of each sequence after its first token, in nats, float64, one number a sequence.

    The arguments are those of `token_nats`.
    """
    return np.array([one.sum(dtype=np.float64) for one in token_nats(model, sequences, window, batch)])
