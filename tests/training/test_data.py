"""Documents to blocks: every token is predicted once, borders are kept, the order is a function of the seed."""

import numpy as np
import pytest

from scripts.training.data import NONE, best_fit, pack, pairs_of, phases_of, stretched, take

BOS, EOS = 0, 1


def some_documents(count, longest, seed=0):
    rng = np.random.default_rng(seed)
    ids = [rng.integers(2, 90, size) for size in rng.integers(0, longest, count)]
    return ids, [bool(one) for one in rng.integers(0, 2, count)]


def read_back(blocks):
    """The documents of packed blocks, from inputs, targets and positions alone: a set of (inputs, targets)."""
    found = []
    for inputs, targets, positions in zip(*blocks, strict=True):
        starts = [*np.flatnonzero(positions == 0), len(positions)]
        for start, end in zip(starts[:-1], starts[1:], strict=True):
            kept = targets[start:end] != NONE
            if kept.any():
                assert kept[: kept.sum()].all()
                assert positions[start:end].tolist() == list(range(end - start))
                found.append((tuple(inputs[start:end][kept].tolist()), tuple(targets[start:end][kept].tolist())))
    return sorted(found)


def test_pairs_of_a_complete_a_cut_and_an_empty_document():
    ids = [np.array([5, 6]), np.array([5, 6]), np.array([], np.int32), np.array([], np.int32)]
    pairs = pairs_of(ids, [True, False, True, False], BOS, EOS)
    assert [one.tolist() for one in pairs] == [[[0, 5, 6], [5, 6, 1]], [[0, 5], [5, 6]], [[0], [1]]]


def test_documents_packing_keeps_every_document_whole():
    ids, complete = some_documents(300, 30)
    expected = []
    for one, done in zip(ids, complete, strict=True):
        sequence = [BOS, *one.tolist(), *([EOS] if done else [])]
        if len(sequence) > 1:
            expected.append((tuple(sequence[:-1]), tuple(sequence[1:])))
    blocks = pack(pairs_of(ids, complete, BOS, EOS), 32, "documents", seed=3)
    assert read_back(blocks) == sorted(expected)
    assert blocks.inputs.shape[1] == 32
    assert (blocks.targets != NONE).mean() > 0.94


def test_a_long_document_is_cut_and_every_token_still_predicted_once():
    ids = np.arange(2, 80)
    blocks = pack(pairs_of([ids], [True], BOS, EOS), 32, "documents", seed=0)
    pieces = read_back(blocks)
    assert sorted(token for _, targets in pieces for token in targets) == [EOS, *ids.tolist()]
    assert sorted(len(targets) for _, targets in pieces) == [79 - 64, 32, 32]
    assert all(one[0] in (BOS, 33, 65) for one, _ in pieces)


@pytest.mark.parametrize("bos", [BOS, EOS])
def test_stream_packing_is_one_long_line(bos):
    ids, complete = some_documents(50, 30)
    blocks = pack(pairs_of(ids, complete, bos, EOS), 16, "stream", seed=1)
    assert (blocks.targets == NONE).any(axis=1).sum() <= 1  # only the end of the line is padded
    inner = (blocks.inputs[:, 1:] != bos) & (blocks.targets[:, 1:] != NONE)
    assert np.array_equal(blocks.inputs[:, 1:][inner], blocks.targets[:, :-1][inner])  # goes on, but at borders
    inputs, targets = (part[blocks.targets != NONE] for part in blocks[:2])
    # One input a document, also where BOS is EOS: the separator is predicted as an end and read as a beginning.
    assert (inputs == bos).sum() == sum(1 for one, done in zip(ids, complete, strict=True) if len(one) or done)
    assert (targets == EOS).sum() == sum(complete)
    assert (blocks.positions == np.arange(16))[blocks.targets != NONE].all()


def test_order_is_a_function_of_the_seed_and_the_count_is_not():
    ids, complete = some_documents(200, 40)
    pairs = pairs_of(ids, complete, BOS, EOS)
    one, same, other = (pack(pairs, 32, "documents", seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.inputs, other.inputs)
    assert read_back(one) == read_back(other)
    assert len({len(pack(pairs, 32, "documents", seed).inputs) for seed in range(20)}) == 1


def test_best_fit_against_a_plain_search():
    rng = np.random.default_rng(0)
    for block in (8, 17, 64):
        lengths = rng.integers(1, block + 1, 120)
        room = []  # the same rule, written plainly
        for length in sorted(lengths.tolist(), reverse=True):
            fitting = [i for i, left in enumerate(room) if left >= length]
            if fitting:
                room[min(fitting, key=lambda i: room[i])] -= length
            else:
                room.append(block - length)
        found = best_fit(lengths, block)
        assert sorted(i for one in found for i in one) == list(range(120))
        assert sorted(block - lengths[one].sum() for one in found) == sorted(room)


def test_take_stops_nearest_and_goes_round():
    sizes = np.array([4, 4, 4])
    assert take(sizes, 9, 0)[0].tolist() == [0, 1]
    assert take(sizes, 11, 0)[0].tolist() == [0, 1, 2]
    chosen, cursor = take(sizes, 20, 2)
    assert (chosen.tolist(), cursor) == ([2, 0, 1, 2, 0], 7)
    with pytest.raises(ValueError, match="no tokens"):
        take(np.array([], int), 5, 0)


def test_phases_have_their_shares_and_do_not_repeat_before_they_must():
    pairs = {
        source: pairs_of([np.full(9, tag) for _ in range(count)], [True] * count, BOS, EOS)
        for source, tag, count in (("skills", 5, 60), ("web", 6, 20))
    }
    for source in pairs:
        for number, one in enumerate(pairs[source]):
            one[0, 1] = 10 + number  # tells documents apart
    recipe = [{"mix": {"skills": 1.0}, "tokens": 300}, {"mix": {"web": 0.75, "skills": 0.25}, "tokens": 400}]
    phases, counts = phases_of(pairs, recipe, seed=1)
    assert counts[0] == {"skills": {"tokens": 300, "documents": 30, "repetitions": 0.5}}
    assert counts[1]["skills"] == {"tokens": 100, "documents": 10, "repetitions": 0.667}
    assert counts[1]["web"] == {"tokens": 300, "documents": 30, "repetitions": 1.5}
    skills = [one[0, 1] for phase in phases for one in phase if one[1, 3] == 5]
    assert len(set(skills)) == len(skills) == 40  # the second phase goes on where the first stopped
    web = [one[0, 1] for one in phases[1] if one[1, 3] == 6]
    assert (len(web), len(set(web))) == (30, 20)
    again, _ = phases_of(dict(reversed(pairs.items())), recipe, seed=1)
    assert all(np.array_equal(a, b) for p, q in zip(phases, again, strict=True) for a, b in zip(p, q, strict=True))


def test_what_is_never_repeated_may_be_used_up_but_no_more():
    pairs = {name: pairs_of([np.full(9, 5)] * 20, [True] * 20, BOS, EOS) for name in ("real", "written")}
    mix = {"real": 0.5, "written": 0.5}
    _, counts = phases_of(pairs, [{"mix": mix, "tokens": 400}], 1, once=["written"])
    assert counts[0]["written"]["repetitions"] == 1.0
    _, counts = phases_of(pairs, [{"mix": {"real": 0.75, "written": 0.25}, "tokens": 800}], 1, once=["written"])
    assert (counts[0]["real"]["repetitions"], counts[0]["written"]["repetitions"]) == (3.0, 1.0)
    with pytest.raises(ValueError, match="written has 200 tokens and is never repeated; a phase takes 210 of it"):
        phases_of(pairs, [{"mix": mix, "tokens": 420}], 1, once=["written"])
    with pytest.raises(ValueError, match="written has 200 tokens"):  # over phases too
        phases_of(pairs, [{"mix": mix, "tokens": 240}] * 2, 1, once=["written"])
    phases_of(pairs, [{"mix": mix, "tokens": 420}], 1)


def test_stretched_blocks_are_the_same_blocks_in_order_with_empty_ones_between():
    ids, complete = some_documents(120, 20)
    blocks = pack(pairs_of(ids, complete, BOS, EOS), 32, "documents", seed=3)
    have = len(blocks.inputs)
    longer = stretched(blocks, have + 5)
    full = (longer.targets != NONE).any(1)
    assert (len(full), full.sum()) == (have + 5, have)
    assert all(np.array_equal(part[full], one) for part, one in zip(longer, blocks, strict=True))
    assert np.diff(np.flatnonzero(~full)).min() > 2  # never two together
    assert read_back(longer) == read_back(blocks)
    assert all(np.array_equal(a, b) for a, b in zip(stretched(blocks, have), blocks, strict=True))
    with pytest.raises(ValueError, match=f"{have} blocks of 32 are needed, the steps have room for {have - 1}"):
        stretched(blocks, have - 1)


def test_an_unknown_packing_is_named():
    with pytest.raises(ValueError, match="packing is 'greedy'"):
        pack(pairs_of([np.array([5])], [True], BOS, EOS), 8, "greedy", 0)
