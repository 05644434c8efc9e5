"""Training on documents that stand after another: what is given is never learned, and what is learned depends on it."""

import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from scripts.lib.documents import document, write_documents
from scripts.lib.files import BrokenArtifact, read_card
from scripts.lib.models import load_tokenizer
from scripts.lib.tokens import encode, given
from scripts.models.tokenizer import save_tokenizer, train_tokenizer
from scripts.training.architecture import make_model
from scripts.training.data import NONE, Blocks, conditioned, pack, pairs_of
from scripts.training.loop import fit, loss_sum, token_loss
from scripts.training.train import train
from tests.audits.conftest import TEXTS, random_model

BOS, EOS, VOCABULARY = 0, 1, 60
SHAPE = {"name": "tiny", "architecture": "qwen2", "hidden": 16, "layers": 2, "heads": 2, "feedforward": 24}


def some(count=20, seed=0):
    rng = np.random.default_rng(seed)
    prompts, ids = ([rng.integers(2, VOCABULARY, size) for size in rng.integers(1, 12, count)] for _ in range(2))
    return prompts, ids, [bool(one) for one in rng.integers(0, 2, count)]


def tiny(seed=0):
    model = make_model(SHAPE, VOCABULARY, BOS, EOS, seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(seed)) * 0.4)
    return model


def alone(model, prompts, ids, complete):
    """The summed loss of each document after its prompt, one by one, as Hugging Face computes it from labels."""
    total, tokens = 0.0, 0
    for prompt, one, done in zip(prompts, ids, complete, strict=True):
        before = [BOS, *prompt.tolist(), EOS, BOS]
        after = [*one.tolist(), *([EOS] if done else [])]
        labels = torch.tensor([[-100] * len(before) + after])
        loss = model(input_ids=torch.tensor([before + after]), labels=labels).loss
        total, tokens = total + loss * len(after), tokens + len(after)
    return total, tokens


def test_what_is_given_and_what_is_cut():
    one = conditioned([np.arange(10, 14)], [np.array([7, 8])], [True], BOS, EOS, 32)[0]
    assert one.tolist() == [[0, 10, 11, 12, 13, 1, 0, 7, 8], [NONE] * 6 + [7, 8, 1]]
    same = conditioned([np.arange(10, 14)], [np.array([7, 8])], [False], 0, 0, 32)[0]  # BOS is EOS, the end is open
    assert same.tolist() == [[0, 10, 11, 12, 13, 0, 7], [NONE] * 5 + [7, 8]]
    long = conditioned([np.arange(10, 50)], [np.arange(2, 40)], [True], BOS, EOS, 16)[0]
    assert long.tolist() == [[0, 10, 11, 12, 13, 14, 1, 0, *range(2, 10)], [NONE] * 7 + [*range(2, 11)]]
    empty = conditioned([np.array([5])] * 2, [np.array([], np.int32)] * 2, [True, False], BOS, EOS, 16)
    assert [each.tolist() for each in empty] == [[[0, 5, 1, 0], [NONE, NONE, NONE, 1]]]  # one predicts its end, one nothing
    assert given(np.arange(9), BOS, EOS, 2).tolist() == [BOS, EOS, BOS]  # what separates is never cut


def test_no_block_holds_a_document_without_what_is_given():
    prompts, ids, complete = some(60)
    pairs = conditioned(prompts, ids, complete, BOS, EOS, 16)
    blocks = pack(pairs, 16, "documents", seed=1)
    assert max(one.shape[1] for one in pairs) <= 16
    used = (blocks.targets != NONE)[:, ::-1].cumsum(1)[:, ::-1] > 0  # not the padding at the end
    assert set(blocks.inputs[used & (blocks.positions == 0)].tolist()) == {BOS}
    assert (used & (blocks.positions == 0)).sum() == len(pairs), "none was cut into pieces"
    assert sorted(blocks.targets[blocks.targets != NONE]) == sorted(t for one in pairs for t in one[1][one[1] != NONE].tolist())


def test_the_loss_and_its_gradient_are_those_of_each_document_after_its_prompt():
    prompts, ids, complete = some()
    model, other = tiny(), tiny()
    blocks = pack(conditioned(prompts, ids, complete, BOS, EOS, 64), 64, "documents", seed=2)
    expected, tokens = alone(other, prompts, ids, complete)
    assert tokens == (blocks.targets != NONE).sum()
    loss = loss_sum(model, blocks)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    expected.backward()
    for (name, p), q in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.allclose(p.grad, q.grad, atol=2e-4 * float(q.grad.abs().max()) + 1e-6), name
    everything = loss_sum(tiny(), pack(pairs_of(prompts, [True] * 20, BOS, EOS), 64, "documents", 0))
    assert everything.item() > 1, "what is given would be a loss of its own"


def test_predictions_of_what_is_given_have_no_gradient_at_all():
    prompts, ids, complete = some()
    blocks = pack(conditioned(prompts, ids, complete, BOS, EOS, 64), 64, "documents", seed=2)
    inputs, targets, positions = (torch.from_numpy(part).long() for part in blocks)
    logits = tiny()(input_ids=inputs, position_ids=positions, use_cache=False).logits.detach().requires_grad_()
    token_loss(logits, targets).backward()
    learned = targets != NONE
    assert (logits.grad[~learned] == 0).all() and (logits.grad[learned].abs().sum(-1) > 0).all()
    wanted = torch.softmax(logits.detach(), -1) - torch.nn.functional.one_hot(targets.clamp(min=0), VOCABULARY)
    assert torch.allclose(logits.grad[learned], wanted[learned], atol=1e-6)  # the derivative of cross entropy, written out


def world(count, seed):
    """Prompts of four kinds, in noise; a document says its kind four times, in words that no prompt has."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 4, count)
    prompts = [np.concatenate([rng.integers(30, 60, 2), [2 + kind], rng.integers(30, 60, 1)]) for kind in kinds]
    ids = [np.array([10 + 4 * kind + n for n in rng.integers(0, 4, 4)]) for kind in kinds]
    return kinds, prompts, ids


@cache
def advantage(related: bool) -> float:
    """What held-out documents gain by their own prompt over another's, in nats per token, once a model is tuned on pairs."""
    _, prompts, ids = world(320, 1)
    if not related:
        prompts = [prompts[i] for i in np.random.default_rng(9).permutation(320)]
    pairs = conditioned(prompts, ids, [True] * 320, BOS, EOS, 32)
    blocks = pack(pairs, 32, "documents", 0)
    recipe = {
        "batch": 16,
        "micro_batch": 16,
        "learning_rate": 2e-2,
        "warmup": 0.1,
        "schedule": "cosine",
        "precision": "float32",
    }
    model = make_model(SHAPE, VOCABULARY, BOS, EOS, 0)
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.safetensors"
        fit(model, lambda _: blocks, [len(blocks.inputs)] * 8, recipe=recipe, state=state, label="toy")
    model.eval()
    kinds, prompts, ids = world(80, 2)
    others = [prompts[np.flatnonzero(kinds != kind)[i % (kinds != kind).sum()]] for i, kind in enumerate(kinds)]
    losses = []
    for before in (prompts, others):
        part = pack(conditioned(before, ids, [True] * 80, BOS, EOS, 32), 32, "documents", 0)
        with torch.no_grad():
            losses.append(loss_sum(model, Blocks(*part)).item() / (part.targets != NONE).sum())
    return losses[1] - losses[0]


def test_a_tuned_model_prefers_the_true_prompt_where_there_is_something_to_learn():
    assert advantage(True) > 0.5


def test_and_does_not_where_pairs_are_random():
    assert abs(advantage(False)) < 0.1


ROW = {"name": "tuned", "checkpoints": [0, 1], "subsets": 1, "batch": 4, "block": 32, "packing": "documents", "seed": 1}
ROW |= {"learning_rate": 1e-3, "warmup": 0.0}


def test_a_run_on_documents_with_prompts(tmp_path):
    (tmp_path / "words").mkdir()
    save_tokenizer(train_tokenizer(TEXTS, 330, "<|bos|>", "<|eos|>"), tmp_path / "words", "<|bos|>", "<|eos|>")
    base = random_model(tmp_path / "base", tmp_path / "words", "qwen2")
    rows = [document(text, source="s", index=i) | {"subset": 0, "prompt": TEXTS[-1 - i]} for i, text in enumerate(TEXTS[:12])]
    extra = {"subset": pa.int8(), "prompt": pa.string()}
    write_documents(tmp_path / "documents.parquet", rows, row={}, code="c", extra=extra)
    files = (base, tmp_path / "documents.parquet", tmp_path / "checkpoints", tmp_path / "trace.parquet", tmp_path / "work")
    with pytest.raises(BrokenArtifact, match="documents.parquet: has prompts; .* packing: expected documents, got stream"):
        train(*files, row={**ROW, "packing": "stream"}, code="c")
    train(*files, row=ROW, code="c")
    words = load_tokenizer(base)
    prompts, ids = (encode(words, [row[key] for row in rows]) for key in ("prompt", "text"))
    expected = sum((one[1] != NONE).sum() for one in conditioned(prompts, ids, [True] * 12, 0, 1, 32))
    assert read_card(tmp_path / "checkpoints")["counts"]["subsets"]["0"]["tokens"] == expected
    assert pd.read_parquet(tmp_path / "trace.parquet")["tokens"].sum() == expected
    assert json.loads((tmp_path / "checkpoints/subset-0/epoch-1/config.json").read_text())["model_type"] == "qwen2"
