"""What a model is trained on: documents as token pairs, packed into blocks, in an order that is a function of the seed.

Reads token ids in memory; makes `Blocks`. A document is [BOS] tokens [EOS if complete]; its pairs are (this token, next token),
so that every token is predicted exactly once, the first from BOS, EOS from the last, and BOS never. A document longer than a
block is cut into pieces that each start without context, as in all fixed-length training.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scripts.lib.seeds import seed_of
from scripts.lib.tokens import given, wrap

NONE = -100  # a target that counts in no loss


class Blocks(NamedTuple):
    """Packed blocks; three int32 arrays [blocks, block]. A position of 0 starts a new document; padding has targets NONE."""

    inputs: np.ndarray
    targets: np.ndarray
    positions: np.ndarray


def pairs_of(ids: list[np.ndarray], complete: list[bool], bos: int, eos: int) -> list[np.ndarray]:
    """Each document as an int32 array [2, n]: inputs above, targets below; documents without a target are left out.

    >>> pairs_of([np.array([5, 6])], [True], 0, 1)[0].tolist()
    [[0, 5, 6], [5, 6, 1]]
    """
    whole = [wrap(one, bos, eos if done else None) for one, done in zip(ids, complete, strict=True)]
    return [np.stack([one[:-1], one[1:]]) for one in whole if len(one) > 1]


def conditioned(
    prompts: list[np.ndarray], ids: list[np.ndarray], complete: list[bool], bos: int, eos: int, block: int
) -> list[np.ndarray]:
    """As ``pairs_of``, each document after another that is given (`scripts.lib.tokens.given`) and counts in no loss.

    Both fit into one block, since a piece without what is given would be learned as if nothing were: what is given is cut to
    half of it, and a document to what is left, without EOS then.

    >>> conditioned([np.array([5])], [np.array([7, 8])], [True], 0, 1, 16)[0].tolist()
    [[0, 5, 1, 0, 7, 8], [-100, -100, -100, 7, 8, 1]]
    """
    found = []
    for prompt, one, done in zip(prompts, ids, complete, strict=True):
        before = given(prompt, bos, eos, block // 2)
        whole = np.concatenate([before[:-1], wrap(one, before[-1], eos if done else None)])[: block + 1]
        targets = whole[1:].copy()
        targets[: len(before) - 1] = NONE
        if len(whole) > len(before):
            found.append(np.stack([whole[:-1], targets]))
    return found


def best_fit(lengths: np.ndarray, block: int) -> list[list[int]]:
    """Indices of each block: longest first, each into the fullest block that still holds it (best-fit decreasing).

    Which lengths meet depends on the lengths alone, so the number of blocks is the same for every order of the pieces.

    >>> best_fit(np.array([3, 6, 4, 5]), 9)
    [[1, 0], [3, 2]]
    """
    blocks: list[list[int]] = []
    room: list[list[int]] = [[] for _ in range(block + 1)]  # room[r]: blocks with r places left
    rooms = 0  # bit r is set where room[r] is not empty
    for index in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[index])
        fitting = rooms >> length
        if fitting:
            left = length + (fitting & -fitting).bit_length() - 1
            which = room[left].pop()
            rooms ^= (not room[left]) << left
        else:
            left, which = block, len(blocks)
            blocks.append([])
        blocks[which].append(index)
        room[left - length].append(which)
        rooms |= 1 << (left - length)
    return blocks


def pack(pairs: list[np.ndarray], block: int, packing: str, seed: int) -> Blocks:
    """Blocks of all pairs, in an order drawn from ``seed``.

    Args:
        pairs: documents as [2, n] (``pairs_of``).
        block: places in a block.
        packing: ``documents``, best fit, attention and positions inside one document; or ``stream``, the packing of GPT:
            documents end to end, cut every ``block`` tokens, attention and positions running over the borders.
        seed: of this epoch.
    """
    rng = np.random.default_rng(seed)
    pairs = [pairs[index] for index in rng.permutation(len(pairs))]
    if packing == "stream":
        pairs = [np.concatenate(pairs, axis=1)]
    elif packing != "documents":
        raise ValueError(f"packing is {packing!r}, expected documents or stream")
    pieces = [one[:, start : start + block] for one in pairs for start in range(0, one.shape[1], block)]
    bins = best_fit(np.array([one.shape[1] for one in pieces]), block)
    blocks = Blocks(*(np.zeros((len(bins), block), np.int32) for _ in range(3)))
    blocks.targets[:] = NONE
    positions = np.arange(block, dtype=np.int32)
    for row, where in enumerate(rng.permutation(len(bins)).tolist()):
        start = 0
        for index in bins[where]:
            end = start + pieces[index].shape[1]
            blocks.inputs[row, start:end], blocks.targets[row, start:end] = pieces[index]
            blocks.positions[row, start:end] = positions[: end - start]
            start = end
        blocks.positions[row, start:] = positions[: block - start]
    return blocks


def replayed(blocks: Blocks, pools: dict[str, Blocks], replay: dict, seed: int) -> Blocks:
    """The blocks of an epoch with blocks of other text among them, against forgetting.

    Args:
        blocks: of the epoch, in their order.
        pools: source -> blocks of its text, of the same length.
        replay: ``mix`` (source -> its share of what is replayed), ``share`` of all blocks below 1, and ``how``. ``replace``, as
            EntiGraph's code does it: each block gives way, with probability ``share``, to one drawn uniformly from a source;
            what gave way is not seen in this epoch. ``add``: every block stays, and so many more stand at random places
            among them that they are ``share`` of all.
        seed: of this epoch.
    """
    rng, count, share = np.random.default_rng(seed), len(blocks.inputs), replay["share"]
    if replay["how"] == "replace":
        total, other = count, np.flatnonzero(rng.random(count) < share)
        own = np.arange(count)
    else:
        total = count + round(count * share / (1 - share))
        other = np.sort(rng.choice(total, total - count, replace=False))
        own = np.setdiff1d(np.arange(total), other)
    found = Blocks(*(np.empty((total, *part.shape[1:]), part.dtype) for part in blocks))
    for part, kept in zip(found, blocks, strict=True):
        part[own] = kept
    sources = sorted(replay["mix"])
    drawn = rng.choice(len(sources), len(other), p=[replay["mix"][source] for source in sources])
    for place, source in zip(other.tolist(), drawn.tolist(), strict=True):
        pool = pools[sources[source]]
        which = rng.integers(len(pool.inputs))
        for part, text in zip(found, pool, strict=True):
            part[place] = text[which]
    return found


def stretched(blocks: Blocks, number: int) -> Blocks:
    """The blocks with empty ones, which have no target, evenly among them, so that there are ``number``.

    Arms of one comparison so take equally many steps, whatever the packing of their documents leaves over.

    Raises:
        ValueError: when there are more blocks already.
    """
    have, block = blocks.inputs.shape
    if number < have:
        raise ValueError(f"{have} blocks of {block} are needed, the steps have room for {number}")
    places = np.arange(have) * number // max(have, 1)
    made = Blocks(*(np.zeros((number, block), np.int32) for _ in range(3)))
    made.targets[:], made.positions[:] = NONE, np.arange(block, dtype=np.int32)
    for whole, part in zip(made, blocks, strict=True):
        whole[places] = part
    return made


def take(sizes: np.ndarray, tokens: int, start: int) -> tuple[np.ndarray, int]:
    """Indices of documents from the cursor ``start`` on until they hold ``tokens``, round and round; and the new cursor.

    Stops where the total is nearest to ``tokens``. The cursor counts the documents taken since the beginning.
    """
    if not len(sizes) or not sizes.sum():
        raise ValueError("a source of a phase has no tokens")
    chosen, total, at = [], 0, start
    while total < tokens:
        size = int(sizes[at % len(sizes)])
        if total + size - tokens > tokens - total:
            break
        chosen.append(at % len(sizes))
        total, at = total + size, at + 1
    return np.array(chosen, np.int64), at


def phases_of(
    pairs: dict[str, list[np.ndarray]], recipe: list[dict], seed: int, once: Sequence[str] = ()
) -> tuple[list[list[np.ndarray]], list[dict]]:
    """The documents of each phase of a recipe, and what they count.

    Args:
        pairs: source -> its documents as [2, n].
        recipe: phases ``{mix: {source: share}, tokens: N}``, shares of tokens.
        seed: draws the order in which a source is gone through; a later phase goes on where an earlier one stopped.
        once: sources that are never repeated.

    Returns:
        documents per phase, and per phase ``{source: {tokens, documents, repetitions}}``; repetitions is how many tokens have
        been taken, in all phases so far, per token that the source has.

    Raises:
        ValueError: when a source that is never repeated has too few tokens.
    """
    order = {source: np.random.default_rng(seed_of(seed, source)).permutation(len(pairs[source])) for source in pairs}
    sizes = {source: np.array([pairs[source][i].shape[1] for i in order[source]]) for source in pairs}
    cursor, taken = dict.fromkeys(pairs, 0), dict.fromkeys(pairs, 0)
    phases, counts = [], []
    for phase in recipe:
        documents, count = [], {}
        for source, share in sorted(phase["mix"].items()):
            if share <= 0:
                continue
            chosen, cursor[source] = take(sizes[source], round(share * phase["tokens"]), cursor[source])
            if source in once and cursor[source] > len(sizes[source]):
                has, more = int(sizes[source].sum()), round(share * phase["tokens"])
                raise ValueError(f"{source} has {has:,} tokens and is never repeated; a phase takes {more:,} of it")
            documents += [pairs[source][order[source][index]] for index in chosen]
            tokens = int(sizes[source][chosen].sum())
            taken[source] += tokens
            count[source] = {
                "tokens": tokens,
                "documents": len(chosen),
                "repetitions": round(taken[source] / int(sizes[source].sum()), 3),
            }
        phases.append(documents)
        counts.append(count)
    return phases, counts
