"""Replay: which blocks give way to other text, or stand beside it, is a function of the seed and of the share."""

import numpy as np
import pytest
from scipy.stats import binom

from scripts.training.data import Blocks, replayed

BLOCK = 4


def blocks_of(count, mark):
    """Blocks that can be told apart: block i of a text holds i, its targets the text's mark."""
    numbers = np.repeat(np.arange(count, dtype=np.int32)[:, None], BLOCK, axis=1)
    return Blocks(numbers, np.full_like(numbers, mark), np.tile(np.arange(BLOCK, dtype=np.int32), (count, 1)))


OWN, OTHERS = blocks_of(4000, 1), {"two": blocks_of(50, 2), "three": blocks_of(7, 3)}


def replay(share, how, mix=None):
    return {"share": share, "how": how, "mix": mix or {"two": 1.0}}


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_replace_takes_the_place_of_a_share_of_the_blocks_and_of_no_other(share):
    found = replayed(OWN, OTHERS, replay(share, "replace"), seed=1)
    other = found.targets[:, 0] == 2
    low, high = binom.interval(0.9999, len(OWN.inputs), share)
    assert len(found.inputs) == len(OWN.inputs) and low <= other.sum() <= high
    for part, own in zip(found, OWN, strict=True):
        assert np.array_equal(part[~other], own[~other])  # the rest stays where it was
    assert set(found.inputs[other, 0].tolist()) == set(range(50))  # drawn from all of the other text
    again, epoch = (replayed(OWN, OTHERS, replay(share, "replace"), seed=seed) for seed in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))
    assert not np.array_equal(epoch.targets, found.targets)  # others give way in another epoch


def test_add_keeps_every_block_in_order_and_is_longer_by_the_share():
    found = replayed(OWN, OTHERS, replay(0.2, "add"), seed=1)
    other = found.targets[:, 0] == 2
    assert (len(found.inputs), other.sum()) == (5000, 1000)
    for part, own in zip(found, OWN, strict=True):
        assert np.array_equal(part[~other], own)
    halves = other[:2500].sum(), other[2500:].sum()
    assert min(halves) > 400  # spread over the epoch


@pytest.mark.parametrize("how", ["replace", "add"])
def test_a_share_of_0_changes_nothing(how):
    assert all(np.array_equal(a, b) for a, b in zip(replayed(OWN, OTHERS, replay(0.0, how), seed=1), OWN, strict=True))


def test_sources_come_in_the_proportions_of_the_mix():
    found = replayed(OWN, OTHERS, replay(0.5, "replace", {"two": 0.25, "three": 0.75}), seed=1)
    counts = np.bincount(found.targets[:, 0], minlength=4)
    low, high = binom.interval(0.9999, counts[2] + counts[3], 0.75)
    assert low <= counts[3] <= high
