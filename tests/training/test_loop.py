"""The loss against each document alone, accumulation, the update against a plain optimizer, the schedule, the state file."""

import copy
import math

import numpy as np
import pytest
import torch

from scripts.lib.files import BrokenArtifact
from scripts.training import loop
from scripts.training.architecture import make_model
from scripts.training.data import NONE, Blocks, pack, pairs_of
from scripts.training.loop import fit, loss_sum, one_step, optimizer_of, rate_at
from scripts.training.state import folder_of, load_state, save_state

BOS, EOS, VOCABULARY = 0, 1, 60
SHAPE = {"name": "tiny", "architecture": "qwen2", "hidden": 16, "layers": 2, "heads": 2, "feedforward": 24}
RECIPE = {"batch": 4, "micro_batch": 4, "learning_rate": 1e-2, "warmup": 0.1, "schedule": "cosine", "precision": "float32"}


def tiny(architecture="qwen2", seed=0):
    model = make_model({**SHAPE, "architecture": architecture}, VOCABULARY, BOS, EOS, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():  # attention of a fresh model is nearly flat; make what it attends to matter
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * 0.6)
    return model


def documents(count=24, longest=30, seed=0):
    rng = np.random.default_rng(seed)
    ids = [rng.integers(2, VOCABULARY, size) for size in rng.integers(1, longest, count)]
    return ids, [bool(one) for one in rng.integers(0, 2, count)]


def alone(model, ids, complete):
    """The summed loss of each document by itself, as Hugging Face computes it from labels."""
    total, tokens = 0.0, 0
    for one, done in zip(ids, complete, strict=True):
        sequence = torch.tensor([[BOS, *one.tolist(), *([EOS] if done else [])]])
        loss = model(input_ids=sequence, labels=sequence).loss
        total, tokens = total + loss * (sequence.shape[1] - 1), tokens + sequence.shape[1] - 1
    return total, tokens


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_packed_documents_lose_what_each_loses_alone(architecture):
    model, (ids, complete) = tiny(architecture), documents()
    blocks = pack(pairs_of(ids, complete, BOS, EOS), 32, "documents", seed=2)
    assert len(blocks.inputs) < len(ids) / 1.5  # several documents in a block
    with torch.no_grad():
        expected, tokens = alone(model, ids, complete)
        assert tokens == (blocks.targets != NONE).sum()
        assert loss_sum(model, blocks).item() / tokens == pytest.approx(expected.item() / tokens, abs=1e-5)
        stream = pack(pairs_of(ids, complete, BOS, EOS), 32, "stream", seed=2)
        assert abs(loss_sum(model, stream).item() - expected.item()) / tokens > 1e-2  # the check can fail


def test_one_block_of_one_document_needs_no_padding_mask():
    model, (ids, complete) = tiny(), ([np.arange(2, 33)], [True])
    blocks = pack(pairs_of(ids, complete, BOS, EOS), 32, "documents", seed=0)
    with torch.no_grad():
        assert loss_sum(model, blocks).item() == pytest.approx(alone(model, ids, complete)[0].item(), abs=1e-4)


def test_accumulation_equals_the_whole_batch():
    ids, complete = documents(60)
    blocks = pack(pairs_of(ids, complete, BOS, EOS), 32, "documents", seed=2)
    batch = Blocks(*(part[:8].copy() for part in blocks))
    batch.targets[:4, 5:] = NONE  # parts of very different size, where a mean of means goes wrong
    whole = tiny()
    parts, wrong = copy.deepcopy(whole), copy.deepcopy(whole)
    losses = []
    for model, micro in ((whole, 8), (parts, 2)):
        optimizer = optimizer_of(model)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3
        losses.append(one_step(model, optimizer, batch, micro, "float32"))
        gradients = [optimizer.state[p]["exp_avg"] for p in model.parameters()]
        losses.append(torch.cat([g.ravel() for g in gradients]))
    assert losses[0] == pytest.approx(losses[2], abs=1e-6)
    assert torch.allclose(losses[1], losses[3], atol=1e-7, rtol=1e-5)
    means = [
        loss_sum(wrong, Blocks(*(part[i : i + 2] for part in batch))) / (batch.targets[i : i + 2] != NONE).sum()
        for i in range(0, 8, 2)
    ]
    assert abs(sum(means).item() / 4 - losses[0]) > 1e-3


def test_an_update_is_the_textbook_one():
    ids, complete = documents()
    blocks = pack(pairs_of(ids, complete, BOS, EOS), 32, "documents", seed=2)
    model = tiny()
    plain = copy.deepcopy(model)
    optimizer = optimizer_of(model)
    memory = {}
    for step in (1, 2, 3):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 / step
        one_step(model, optimizer, blocks, len(blocks.inputs), "float32")
        total, tokens = alone(plain, ids, complete)
        plain.zero_grad()
        (total / tokens).backward()
        norm = math.sqrt(sum(float(p.grad.double().square().sum()) for p in plain.parameters()))
        assert norm > 1  # so that clipping is seen
        with torch.no_grad():
            for name, p in plain.named_parameters():
                gradient = p.grad.double() / norm
                m, v = memory.get(name, (0.0, 0.0))
                m, v = 0.9 * m + 0.1 * gradient, 0.95 * v + 0.05 * gradient**2
                memory[name] = m, v
                decay = 0.0 if "norm" in name or name.endswith("bias") else 0.1
                change = m / (1 - 0.9**step) / ((v / (1 - 0.95**step)).sqrt() + 1e-8)
                p.copy_((p.double() * (1 - 0.01 / step * decay) - 0.01 / step * change).float())
    for (name, p), q in zip(model.named_parameters(), plain.parameters(), strict=True):
        off = (p - q).abs() > 2e-4  # where a gradient is nearly nothing, its sign is noise
        assert off.float().mean() < 0.01, name


def test_bfloat16_is_close_and_keeps_float32_weights():
    ids, complete = documents()
    blocks = pack(pairs_of(ids, complete, BOS, EOS), 32, "documents", seed=2)
    model = tiny()
    exact, rough = (loss_sum(model, blocks, precision) for precision in ("float32", "bfloat16"))
    assert exact.item() == pytest.approx(rough.item(), rel=0.02)
    assert exact.item() != rough.item()
    one_step(model, optimizer_of(model), blocks, 4, "bfloat16")
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_rates():
    recipe = {"learning_rate": 1.0, "warmup": 0.1, "schedule": "cosine"}
    rates = [rate_at(step, 100, recipe) for step in range(1, 101)]
    assert rates[:11] == pytest.approx([*(i / 10 for i in range(1, 11)), 1.0])
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[55] == pytest.approx(0.5, abs=0.01)
    assert 0 < rates[-1] < 0.001
    constant = [rate_at(step, 100, {**recipe, "schedule": "constant"}) for step in range(1, 101)]
    assert constant[4] == 0.5
    assert set(constant[9:]) == {1.0}
    assert rate_at(1, 100, {**recipe, "warmup": 0.0}) == 1.0


def test_fit_learns_and_says_what_it_did(tmp_path):
    pairs = pairs_of([np.arange(start, start + 12) for start in range(2, 42)], [True] * 40, BOS, EOS)  # counting
    blocks = [pack(pairs, 32, "documents", seed) for seed in range(6)]
    recipe = {**RECIPE, "schedule": "constant"}
    epochs, model = [], make_model(SHAPE, VOCABULARY, BOS, EOS, seed=0)
    trace = fit(
        model,
        lambda epoch: blocks[epoch - 1],
        [len(part.inputs) for part in blocks],
        recipe=recipe,
        state=tmp_path / "state.safetensors",
        label="t",
        after_epoch=epochs.append,
    )
    assert epochs == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in trace] == list(range(1, len(trace) + 1))
    assert sum(line["tokens"] for line in trace if line["epoch"] == 2) == (blocks[1].targets != NONE).sum() == 520
    assert len({line["batch_hash"] for line in trace}) == len(trace)
    assert [line["learning_rate"] for line in trace] == [rate_at(step, len(trace), recipe) for step in range(1, len(trace) + 1)]
    assert trace[0]["loss"] == pytest.approx(math.log(VOCABULARY), abs=0.1)
    assert trace[-1]["loss"] < trace[0]["loss"] - 1


def test_a_loss_that_is_not_finite_stops(tmp_path):
    model, (ids, complete) = tiny(), documents(8)
    with torch.no_grad():
        model.model.norm.weight.fill_(math.inf)
    blocks = pack(pairs_of(ids, complete, BOS, EOS), 32, "documents", 0)
    with pytest.raises(FloatingPointError, match="run x: the loss is nan at step 1"):
        fit(model, lambda _: blocks, [len(blocks.inputs)], recipe=RECIPE, state=tmp_path / "s", label="run x")
    assert not (tmp_path / "s").exists()


def stepped():
    model, (ids, complete) = tiny(), documents(8)
    optimizer = optimizer_of(model)
    one_step(model, optimizer, pack(pairs_of(ids, complete, BOS, EOS), 32, "documents", 0), 4, "float32")
    return model, optimizer


def test_a_state_comes_back_to_the_bit(tmp_path):
    model, optimizer = stepped()
    trace = [{"step": 1, "loss": 0.1 + 0.2}]
    save_state(tmp_path / "s", model, optimizer, trace)
    torch.rand(3)
    other = tiny(seed=9)
    others = optimizer_of(other)
    before = torch.get_rng_state()
    assert load_state(tmp_path / "s", other, others) == trace
    assert not torch.equal(torch.get_rng_state(), before)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)
        assert all(torch.equal(optimizer.state[p][key], others.state[q][key]) for key in ("step", "exp_avg", "exp_avg_sq"))
    assert load_state(tmp_path / "absent", other, others) == []


def test_a_damaged_state_is_named_and_not_used(tmp_path):
    model, optimizer = stepped()
    path = tmp_path / "s"
    save_state(path, model, optimizer, [])
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    fresh = tiny(seed=3)
    before = copy.deepcopy(fresh.state_dict())
    for position in [0, 3, 9, *rng.integers(20, len(good), 25).tolist()]:
        bad = bytearray(good)
        bad[position] ^= 1
        path.write_bytes(bytes(bad))
        with pytest.raises(BrokenArtifact, match=f"{path}: .*delete it"):
            load_state(path, fresh, optimizer_of(fresh))
    for size in (0, 5, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:size])
        with pytest.raises(BrokenArtifact, match="delete it"):
            load_state(path, fresh, optimizer_of(fresh))
    assert all(torch.equal(before[name], value) for name, value in fresh.state_dict().items())


def test_another_row_or_input_never_finds_the_state(tmp_path):
    row = {"learning_rate": 1e-3, "name": "r"}
    assert folder_of(tmp_path, row, "code", ["hash"]) == folder_of(tmp_path, dict(reversed(row.items())), "code", ["hash"])
    assert (
        len(
            {
                folder_of(tmp_path, row, "code", ["hash"]),
                folder_of(tmp_path, {**row, "learning_rate": 1e-4}, "code", ["hash"]),
                folder_of(tmp_path, row, "edited", ["hash"]),
                folder_of(tmp_path, row, "code", ["other"]),
            }
        )
        == 4
    )


def test_states_cost_at_most_a_twentieth_of_the_time(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(loop, "one_step", lambda *_: clock.__setitem__(0, clock[0] + 1.0) or 1.0)
    written = []

    def slow(*_):
        written.append(clock[0])
        clock[0] += 10.0

    monkeypatch.setattr(loop, "save_state", slow)
    ids, complete = documents(8)
    blocks = pack(pairs_of(ids, complete, BOS, EOS), 32, "documents", 0)
    fit(tiny(), lambda _: blocks, [len(blocks.inputs)] * 1000, recipe={**RECIPE, "batch": 100}, state=tmp_path / "s", label="t")
    assert written[0] == 21
    assert 10 * len(written) <= clock[0] / 15
