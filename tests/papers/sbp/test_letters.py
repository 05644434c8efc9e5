"""The five-letter world: its laws, its losses against closed forms, pairs, and a training run that learns what there is."""

import numpy as np
import pandas as pd
import pytest
import torch

from papers.sbp import letters
from scripts.training.data import NONE

ROW = {
    "name": "alphabet",
    "seed": 0,
    "worlds": {"uniform": 0.2, "learnable": 0.6},
    "replicates": 1,
    "documents": 60,
    "length": 8,
    "repetition": 4,
    "synthetic": 0.25,
    "neighbours": 2,
    "heldout": 50,
    "glance": 10,
    "architecture": "gpt_neox",
    "hidden": 8,
    "layers": 1,
    "heads": 1,
    "feedforward": 8,
    "batch": 16,
    "learning_rate": 2e-2,
    "warmup": 0.05,
}


@pytest.mark.parametrize("follows", [0.2, 0.6, 1.0])
def test_letters_follow_as_said_and_none_is_frequenter(follows):
    documents = letters.write_documents(4000, 16, follows, np.random.default_rng(0))
    assert documents.shape == (4000, 16) and documents.dtype == np.int32
    moves = (documents[:, 1:] - documents[:, :-1]) % 5
    shares = np.bincount(moves.ravel(), minlength=5) / moves.size
    expected = np.full(5, (1 - follows) / 4)
    expected[1] = follows
    assert np.allclose(shares, expected, atol=0.01)
    for place in (0, 8, 15):
        assert np.allclose(np.bincount(documents[:, place], minlength=5) / 4000, 0.2, atol=0.03)


def test_entropy():
    assert letters.entropy(32, 0.2) == pytest.approx(np.log(5)) == pytest.approx(1.6094, abs=5e-5)
    assert letters.entropy(1, 0.6) == pytest.approx(np.log(5)) and letters.entropy(4, 1.0) == pytest.approx(np.log(5) / 4)
    expected = -(0.6 * np.log(0.6) + 4 * 0.1 * np.log(0.1))
    assert letters.entropy(10_000, 0.6) == pytest.approx(expected, abs=1e-4)


def test_chances_are_the_worlds():
    documents = np.array([[2, 3, 4, 0]], np.int32)
    found = letters.chances(documents, 0.6)[0]
    assert np.allclose(found.sum(1), 1) and np.allclose(found[0], 0.2)
    assert found[1].argmax() == 3 and found[3].argmax() == 0 and found[3, 0] == 0.6 and found[3, 1] == pytest.approx(0.1)


class Fixed(torch.nn.Module):
    """A model with a rule of its own: logits are a function of the letter before."""

    def __init__(self, table):
        super().__init__()
        self.table = torch.tensor(np.log(table))

    def forward(self, input_ids, use_cache):
        return type("Out", (), {"logits": self.table[input_ids]})


def test_losses_against_closed_forms():
    """Rows of probabilities after 0..4 and BOS. The world's own give the entropy; others lose their divergence from it."""
    follows = 0.6
    world = np.full((6, 6), 0.1)
    world[np.arange(5), (np.arange(5) + 1) % 5] = follows
    world[5], world[:, 5] = 0.2, 1e-12
    documents = letters.write_documents(6000, 16, follows, np.random.default_rng(1))
    sampled, expected = letters.losses(Fixed(world), documents, follows)
    assert np.allclose(expected, letters.entropy(16, follows), atol=1e-9)
    assert abs(sampled.mean() - expected.mean()) < 4 * sampled.std() / np.sqrt(6000)
    flat = np.full((6, 6), 0.2)
    flat[:, 5] = 1e-12
    sampled, expected = letters.losses(Fixed(flat), documents, follows)
    assert np.allclose(sampled, np.log(5)) and np.allclose(expected, np.log(5))
    wasteful = np.full((6, 6), 0.16)
    wasteful[:, 5] = 0.2  # a fifth of the probability on a letter that there is not
    assert np.allclose(letters.losses(Fixed(wasteful), documents, 0.2)[1], np.log(5) - np.log(0.8))


def test_an_expected_loss_is_never_below_the_entropy_and_a_sampled_one_can_be():
    """Whatever a model believes (Gibbs); a lucky one beats the entropy on the letters that came."""
    rng = np.random.default_rng(2)
    documents = letters.write_documents(3, 8, 0.2, rng)
    lows = []
    for _ in range(40):
        table = rng.dirichlet(np.ones(5), size=6)
        sampled, expected = letters.losses(Fixed(np.column_stack([table, np.full(6, 1e-12)])), documents, 0.2)
        assert (expected >= np.log(5) - 1e-9).all()
        lows.append(sampled.mean())
    counts = np.full((6, 6), 1e-3)
    before = np.concatenate([np.full((3, 1), letters.BOS), documents[:, :-1]], axis=1)
    np.add.at(counts, (before.ravel(), documents.ravel()), 1.0)
    lucky = letters.losses(Fixed(counts / counts.sum(1, keepdims=True)), documents, 0.2)
    assert lucky[0].mean() < np.log(5) < lucky[1].mean()


def test_pairs_are_of_like_documents():
    """Two kinds of documents, steps of one and of two: every neighbour is of the same kind, and no document is its own."""
    base = np.arange(12)
    kinds = [((start + step * base) % 5) for step in (1, 2) for start in range(5)]
    pairs = letters.neighbours(np.array(kinds, np.int32), 4)
    assert pairs.shape == (40, 2) and (pairs[:, 0] != pairs[:, 1]).all()
    assert ((pairs[:, 0] < 5) == (pairs[:, 1] < 5)).all()


def test_blocks():
    documents = np.array([[1, 2, 3]], np.int32)
    one = letters.blocks_of(documents)
    assert one.inputs.tolist() == [[5, 1, 2]] and one.targets.tolist() == [[1, 2, 3]] and one.positions.tolist() == [[0, 1, 2]]
    two = letters.paired_blocks(documents, documents[:, ::-1])
    assert two.inputs.tolist() == [[5, 1, 2, 3, 5, 3, 2]]
    assert two.targets.tolist() == [[NONE, NONE, NONE, NONE, 3, 2, 1]] and two.positions.tolist() == [[0, 1, 2, 3, 4, 5, 6]]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("letters")
    for name in ("one", "two"):
        letters.letters(folder / f"{name}.csv", row=ROW)
    return folder


def test_all_arms_have_equal_budgets_and_everything_is_repeatable(tables):
    assert (tables / "one.csv").read_bytes() == (tables / "two.csv").read_bytes()
    table = pd.read_csv(tables / "one.csv")
    assert table.groupby(["world", "arm"])["letters"].max().unique().tolist() == [60 * 8 * 4]
    assert table.groupby(["world", "arm"]).size().unique().tolist() == [letters.MOMENTS]
    last = table[table["letters"] == 60 * 8 * 4]
    assert set(last["heldout"]) == {400} and set(last["parameters"]) == {576}
    assert (table["expected"] >= table["entropy"] - 1e-9).all()
    assert set(last.loc[last["arm"] == "synthetic", "synthetic_share"]) == {0.25}


def test_a_small_model_learns_what_there_is():
    """Enough letters: below ln 5 in the world with something to learn, by more than half of what there is."""
    from scripts.training.architecture import make_model

    follows, rng = 0.9, np.random.default_rng(0)
    model = make_model({**ROW, "hidden": 16, "feedforward": 32}, 6, letters.BOS, letters.BOS, seed=0)
    documents = letters.write_documents(5000, 8, follows, rng)
    trained = letters.train(model, letters.blocks_of(documents), {**ROW, "batch": 64}, "test", lambda done: None)
    _, expected = letters.losses(model, letters.write_documents(200, 8, follows, rng), follows)
    entropy = letters.entropy(8, follows)
    assert entropy < expected.mean() < (np.log(5) + entropy) / 2 and trained[-1] < trained[0]
    written = letters.answers_to(model, documents[:400], seed=1)
    assert written.shape == (400, 8) and written.min() >= 0 and written.max() < 5
    assert (written == letters.answers_to(model, documents[:400], seed=1)).all()
    assert (written != letters.answers_to(model, documents[:400], seed=2)).any()
