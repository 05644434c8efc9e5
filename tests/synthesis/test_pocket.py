import numpy as np
import pytest
import torch

from scripts.lib.decoder import read_weights
from scripts.synthesis import hf, pocket

LLAMA3 = {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
VARIANTS = {
    "qwen2": ("qwen2", {}),
    "qwen2-tied-grouped": ("qwen2", {"tie_word_embeddings": True, "num_key_value_heads": 1}),
    "qwen3": ("qwen3", {}),
    "llama": ("llama", {}),
    "llama-biased": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "llama3-rope": ("llama", {"rope_parameters": {**LLAMA3, "original_max_position_embeddings": 32}}),
    "gpt_neox": ("gpt_neox", {}),
    "gpt_neox-sequential": ("gpt_neox", {"use_parallel_residual": False, "rotary_pct": 1.0}),
}


@pytest.mark.parametrize("variant", VARIANTS)
@torch.inference_mode()
def test_next_token_probabilities_are_those_of_transformers(variant, make_model, tmp_path):
    kind, config = VARIANTS[variant]
    model = make_model(kind, scale=0.2, **config)
    model.save_pretrained(tmp_path)
    length = pocket.ROOM + 9
    ids = torch.randint(0, 40, (5, length), generator=torch.Generator().manual_seed(2))
    expected = torch.softmax(model(ids).logits, -1)
    assert expected.std() > 0.01, "a nearly uniform distribution would show nothing"
    walk = pocket.Walk(read_weights(tmp_path, length), 5)
    rows = torch.arange(5)
    for step in range(length):
        if step == 7:
            rows = torch.tensor([0, 2, 4])
            walk.keep(rows)
        found = torch.softmax(walk.step(ids[rows, step]), -1)
        assert (found - expected[rows, step]).abs().max() < 1e-5, f"position {step}"


@pytest.fixture
def saved(make_model, tmp_path):
    """The folder of a small Qwen2."""
    make_model().save_pretrained(tmp_path)
    return str(tmp_path)


def test_rows_that_leave_do_not_change_those_that_stay(saved, monkeypatch):
    samples = {}
    for keep in (0.0, 0.85, 1.0):
        monkeypatch.setattr(pocket, "KEEP", keep)
        samples[keep] = pocket.engine(saved, eos=[1], temperature=1.0, max_new_tokens=100)([[0]] * 64, range(64))
    assert 0.2 < np.mean([s.complete for s in samples[0.0]]) and len({len(s.ids) for s in samples[0.0]}) > 20
    for other in (0.85, 1.0):
        assert all(
            a.complete == b.complete and np.array_equal(a.ids, b.ids) for a, b in zip(samples[0.0], samples[other], strict=True)
        )


def test_a_sample_has_no_eos_and_at_most_max_new_tokens(saved):
    samples = pocket.engine(saved, eos=[1], temperature=1.0, max_new_tokens=12)([[0]] * 128, range(128))
    assert all(1 not in s.ids and (len(s.ids) == 12) == (not s.complete) for s in samples)


@pytest.mark.parametrize("kind", ["qwen2", "qwen3", "gpt_neox"])
def test_prompts_of_unequal_length_go_on_as_by_transformers_and_as_alone(kind, make_model, tmp_path):
    make_model(kind, tie_word_embeddings=False).save_pretrained(tmp_path)
    rng = np.random.default_rng(0)
    prompts = [[0, *rng.integers(2, 40, size).tolist()] for size in rng.integers(0, pocket.ROOM + 9, 48)]
    limits = {"eos": [1], "temperature": 1.0, "max_new_tokens": 24}
    draw = pocket.engine(str(tmp_path), **limits, longest=max(map(len, prompts)))
    together = draw(prompts, range(48))
    alone = [draw([prompt], [seed])[0] for seed, prompt in enumerate(prompts)]
    by_hf = hf.engine(str(tmp_path), **limits)(prompts, range(48))
    without = draw([[0]] * 48, range(48))
    for other, same in ((alone, 0.95), (by_hf, 0.95)):  # only a draw within rounding of a boundary may differ
        pairs = zip(together, other, strict=True)
        assert np.mean([a.complete == b.complete and np.array_equal(a.ids, b.ids) for a, b in pairs]) >= same
    assert np.mean([np.array_equal(a.ids, b.ids) for a, b in zip(together, without, strict=True)]) < 0.5, "prompts must matter"
    assert {one.complete for one in together} == {True, False} and max(len(one.ids) for one in together) == 24
