import numpy as np
import pytest
import torch
import transformers

from scripts.synthesis import pocket
from scripts.synthesis.draws import Refused

LLAMA3 = {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
VARIANTS = {
    "qwen2": ("qwen2", {}),
    "qwen2-tied-grouped": ("qwen2", {"tie_word_embeddings": True, "num_key_value_heads": 1}),
    "qwen3": ("qwen3", {}),
    "llama": ("llama", {}),
    "llama3-rope": ("llama", {"rope_parameters": {**LLAMA3, "original_max_position_embeddings": 32}}),
    "gpt_neox": ("gpt_neox", {}),
    "gpt_neox-sequential": ("gpt_neox", {"use_parallel_residual": False, "rotary_pct": 1.0}),
}


@pytest.mark.parametrize("variant", VARIANTS)
@torch.inference_mode()
def test_next_token_probabilities_are_those_of_transformers(variant, make_model):
    kind, config = VARIANTS[variant]
    model = make_model(kind, scale=0.2, **config)
    length = pocket.ROOM + 9
    ids = torch.randint(0, 40, (5, length), generator=torch.Generator().manual_seed(2))
    expected = torch.softmax(model(ids).logits, -1)
    assert expected.std() > 0.01, "a nearly uniform distribution would show nothing"
    walk = pocket.Walk(pocket.read_weights(model, length), 5)
    rows = torch.arange(5)
    for step in range(length):
        if step == 7:
            rows = torch.tensor([0, 2, 4])
            walk.keep(rows)
        found = torch.softmax(walk.step(ids[rows, step]), -1)
        assert (found - expected[rows, step]).abs().max() < 1e-5, f"position {step}"


def test_rows_that_leave_do_not_change_those_that_stay(make_model, monkeypatch):
    model, samples = make_model(), {}
    for keep in (0.0, 0.85, 1.0):
        monkeypatch.setattr(pocket, "KEEP", keep)
        samples[keep] = pocket.engine(model, eos=[1], temperature=1.0, max_new_tokens=100)([[0]] * 64, range(64))
    assert 0.2 < np.mean([s.complete for s in samples[0.0]]) and len({len(s.ids) for s in samples[0.0]}) > 20
    for other in (0.85, 1.0):
        assert all(
            a.complete == b.complete and np.array_equal(a.ids, b.ids) for a, b in zip(samples[0.0], samples[other], strict=True)
        )


def test_a_sample_has_no_eos_and_at_most_max_new_tokens(make_model):
    samples = pocket.engine(make_model(), eos=[1], temperature=1.0, max_new_tokens=12)([[0]] * 128, range(128))
    assert all(1 not in s.ids and (len(s.ids) == 12) == (not s.complete) for s in samples)


def test_what_is_not_written_out_is_refused(make_model):
    gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=10, n_embd=8, n_layer=1, n_head=1))
    with pytest.raises(Refused, match="gpt2.*engine hf"):
        pocket.read_weights(gpt2, 8)
    with pytest.raises(Refused, match="key engine: pocket begins a text with one id"):
        pocket.engine(make_model(), eos=[1], temperature=1.0, max_new_tokens=8)([[0], [0, 5]], [1, 2])
    sliding = make_model("qwen2", use_sliding_window=True, sliding_window=16, max_window_layers=0)
    with pytest.raises(Refused, match="no sliding window, the model's is 16 of 64"):
        pocket.read_weights(sliding, 64)
