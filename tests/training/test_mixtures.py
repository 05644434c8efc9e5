"""Mixtures against a plain concatenation: exact shares, whole documents, the same natural order in all arms, nothing twice."""

import numpy as np
import pytest

from scripts.training.mixtures import TooShort, draw, interleaved, mixture
from scripts.training.tokens import Text

BLOCK = 8


def text(count: int, first: int, seed: int = 0) -> Text:
    """Documents of 2 to 12 ids, BOS 0 and EOS 1; every other id occurs once in all texts, from ``first`` on."""
    lengths = np.random.default_rng(seed).integers(0, 11, count)
    starts = first + np.concatenate([[0], np.cumsum(lengths)])
    whole = [np.array([0, *range(a, b), 1]) for a, b in zip(starts[:-1], starts[1:], strict=True)]
    return Text(np.concatenate(whole).astype(np.uint16), np.cumsum([len(one) for one in whole]), "")


def of(text_: Text, targets: np.ndarray) -> np.ndarray:
    """Those of some targets that are of this text; EOS is of none."""
    return targets[np.isin(targets, text_.ids[text_.ids > 1])]


NATURAL, SYNTHETIC = text(200, 10), text(200, 5000, seed=1)


def plainly(tokens: list[int], seed: int) -> np.ndarray:
    """Pairs of a mixture (2, tokens), put together one document at a time."""
    drawn = [draw(one, n, s, False) for one, n, s in zip((NATURAL, SYNTHETIC), tokens, seed, strict=True)]
    whole = []
    for which in interleaved([lengths for _, lengths in drawn]):
        part = int(which >= len(drawn[0][0]))
        index = which - part * len(drawn[0][0])
        start, length = drawn[part][0][index], drawn[part][1][index]
        ids = (NATURAL, SYNTHETIC)[part].ids[start : start + length + 1].astype(int)
        whole.append(np.stack([ids[:-1], ids[1:]]))
    return np.concatenate(whole, axis=1)


def test_blocks_are_the_documents_end_to_end():
    from scripts.lib.seeds import seed_of

    blocks = mixture([NATURAL, SYNTHETIC], [268, 132], BLOCK, seed=3)
    expected = plainly([268, 132], [seed_of("mixture", 3, 0), seed_of("mixture", 3, 1)])
    assert blocks.inputs.shape == (50, BLOCK)
    assert (blocks.inputs[:].ravel() == expected[0]).all() and (blocks.targets[:].ravel() == expected[1]).all()
    pieces = [blocks.targets[at : at + 7] for at in range(0, 50, 7)]  # the last is shorter, as a last batch is
    assert [len(one) for one in pieces] == [7] * 7 + [1]
    assert (np.concatenate(pieces) == blocks.targets[:]).all()
    assert (blocks.positions[5:7] == np.arange(BLOCK)).all()
    assert all(part[0:2].dtype == np.int32 for part in blocks)


def test_shares_are_exact_and_every_token_is_learned_once():
    targets = mixture([NATURAL, SYNTHETIC], [268, 132], BLOCK, seed=0).targets[:].ravel()
    for one, taken in ((NATURAL, 268), (SYNTHETIC, 132)):
        drawn = np.sort(np.concatenate([one.ids[s + 1 : s + n + 1] for s, n in zip(*draw_of(one, taken), strict=True)]))
        assert len(drawn) == taken
        assert (np.sort(of(one, targets)) == drawn[drawn > 1]).all()
    assert not (targets == 0).any()  # BOS is never predicted
    words = targets[targets > 1]
    assert len(words) == len(set(words.tolist()))


def draw_of(one: Text, taken: int):
    from scripts.lib.seeds import seed_of

    return draw(one, taken, seed_of("mixture", 0, int(one is SYNTHETIC)), False)


def test_arms_read_the_same_natural_documents_in_the_same_order():
    longest = of(NATURAL, mixture([NATURAL, None], [800, 0], BLOCK, seed=1).targets[:])
    for tokens in ([400, 0], [536, 264], [264, 536]):
        read = of(NATURAL, mixture([NATURAL, SYNTHETIC], tokens, BLOCK, seed=1).targets[:])
        assert (read == longest[: len(read)]).all() and len(read) > tokens[0] / 2
    other = of(NATURAL, mixture([NATURAL, None], [800, 0], BLOCK, seed=2).targets[:])
    assert (other[:50] != longest[:50]).any()


def test_each_part_is_spread_evenly():
    targets = mixture([NATURAL, SYNTHETIC], [536, 264], BLOCK, seed=0).targets
    halves = [len(of(SYNTHETIC, targets[part])) for part in (slice(0, 50), slice(50, 100))]
    assert abs(halves[0] - halves[1]) < 24  # two documents


def test_nothing_is_read_twice_unless_it_may_be():
    has = len(SYNTHETIC.ids) - len(SYNTHETIC.ends)
    with pytest.raises(TooShort, match=f"has {has:,} tokens and is never repeated; {has + 1:,} are taken") as error:
        mixture([None, SYNTHETIC], [0, has + 1], 1, seed=0)
    assert error.value.args[1] == 1
    targets = mixture([None, SYNTHETIC], [0, 3 * has], 1, seed=0, repeat=True).targets[:].ravel()
    counts = np.bincount(targets)[5000:]
    assert (counts == 3).all()
    first, second = targets[:has], targets[has : 2 * has]
    assert (first != second).any()  # another order each time


def test_interleaving_of_nothing_and_something():
    assert interleaved([np.zeros(0, np.int64), np.array([3, 4])]).tolist() == [0, 1]
