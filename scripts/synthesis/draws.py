"""Draws from a next-token distribution: reads logits and seeds, makes token ids.

A sample owns a sequence of uniforms that depends on its seed alone (Philox, a counter-based generator keyed by the seed);
its n-th token is the inverse of the cumulative distribution at its n-th uniform. So what a sample is drawn from depends
neither on its batch nor on how many samples there are.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch


class Refused(Exception):
    """A corpus row asks for what the engine, the model or this installation cannot do; the message names the key."""


class Sample(NamedTuple):
    """A sampled text: ids int32 [n] without its prompt and EOS; complete when EOS was sampled."""

    ids: np.ndarray
    complete: bool

    @classmethod
    def cut(cls, drawn: Sequence[int], eos: Sequence[int]) -> "Sample":
        """From drawn ids, which may go on after an EOS (padding): [5, 6, EOS, EOS] is the complete sample [5, 6]."""
        ids = np.asarray(drawn, np.int32)
        ends = np.flatnonzero(np.isin(ids, eos))
        return cls(ids[: ends[0]].copy(), True) if len(ends) else cls(ids, False)


# What every engine is: a function from the prompts (token ids) and seeds of one block, one of each a sample, to its samples.
Draw = Callable[[Sequence[Sequence[int]], Sequence[int]], list[Sample]]


def uniforms(seeds: Sequence[int], steps: int) -> np.ndarray:
    """Uniforms in [0, 1), float64 [len(seeds), steps]; a row depends on its seed alone, and more steps only append to it."""
    return np.stack([np.random.Generator(np.random.Philox(key=seed)).random(steps) for seed in seeds])


def cumulative(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """The cumulative distribution of softmax(logits / temperature), float64 [rows, vocabulary], last column 1.

    The sum is in float64: in float32 the far tail, which untruncated sampling must keep, is lost beside a sum near 1.
    """
    probability = torch.softmax(logits / temperature, -1)
    sums = torch.cumsum(probability, -1, dtype=torch.float64)
    return sums.div_(sums[:, -1:].clone())


def choose(cdf: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """The first token whose cumulative probability exceeds u: cdf [rows, vocabulary], u [rows] -> ids int64 [rows].

    For the probabilities 0.5, 0, 0.5 and u = 0.5 this is token 2: a token of probability 0 is never chosen.
    """
    return torch.searchsorted(cdf, u[:, None], right=True)[:, 0]
