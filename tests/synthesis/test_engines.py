"""The engines against each other, and against plain sampling by `transformers` with its own random numbers."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from scripts.synthesis.draws import Refused, Sample
from scripts.synthesis.gather import rates
from scripts.synthesis.sample import engine_of
from tests.synthesis.two_sample import p_values

LIMITS = {"eos": [1], "max_new_tokens": 40}


@pytest.fixture(scope="module")
def folders(make_model, tmp_path_factory):
    """Folders of a Qwen2 and a Llama whose own generation_config.json asks for truncation, which no engine may follow."""
    made = {}
    for kind in ("qwen2", "llama"):
        made[kind] = tmp_path_factory.mktemp("engines") / kind
        model = make_model(kind, seed=4)
        model.generation_config.update(do_sample=True, top_k=2, top_p=0.5, temperature=0.3, repetition_penalty=1.5)
        model.save_pretrained(made[kind])
    return made


def sample(engine: str, folder, *, seeds, **limits) -> list[Sample]:
    """Samples from BOS, as one batch."""
    return engine_of(engine, folder, **limits)([[0]] * len(seeds), seeds)


def plain(model, count: int, temperature: float, seed: int) -> list[Sample]:
    """Samples by `generate` alone: torch.multinomial from torch's own generator."""
    torch.manual_seed(seed)
    prompt = torch.zeros(count, 1, dtype=torch.long)
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=True,
        temperature=temperature,
        top_k=0,
        top_p=1.0,
        repetition_penalty=1.0,
        max_new_tokens=LIMITS["max_new_tokens"],
        eos_token_id=1,
        pad_token_id=1,
    )
    return [Sample.cut(row[1:], [1]) for row in out.numpy()]


def firsts(samples: list[Sample]) -> np.ndarray:
    """How often each token, EOS among them, is the first: [vocabulary]."""
    return np.bincount([one.ids[0] if len(one.ids) else 1 for one in samples], minlength=40)


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_pocket_and_hf_draw_the_same_samples(kind, folders):
    seeds = [11 * i for i in range(96)]
    pocket, hf = (sample(engine, folders[kind], seeds=seeds, temperature=1.0, **LIMITS) for engine in ("pocket", "hf"))
    same = [a.complete == b.complete and np.array_equal(a.ids, b.ids) for a, b in zip(pocket, hf, strict=True)]
    assert np.mean(same) >= 0.97, "only a draw within rounding of a boundary may differ"
    assert {s.complete for s in pocket} == {True, False}, "both ends must occur"


def test_pocket_samples_are_distributed_as_those_of_plain_generate(folders, make_model):
    reference = plain(make_model("qwen2", seed=4), 1500, 1.0, seed=3)
    right = sample("pocket", folders["qwen2"], seeds=range(1500), temperature=1.0, **LIMITS)
    assert min(p_values(folders["qwen2"], reference, right, 0, 1).values()) > 1e-3
    wrong = sample("pocket", folders["qwen2"], seeds=range(1500), temperature=0.9, **LIMITS)
    found = p_values(folders["qwen2"], reference, wrong, 0, 1)
    assert found["nats a token"] < 1e-6 and found["unigrams"] < 1e-3, "the test must see a tenth of temperature"


@pytest.mark.parametrize("engine", ["pocket", "hf"])
@pytest.mark.parametrize("temperature", [0.75, 1.0, 1.25])
@torch.inference_mode()
def test_first_tokens_follow_the_softmax_at_the_temperature(engine, temperature, folders, make_model):
    logits = make_model("llama", seed=4)(torch.tensor([[0]])).logits[0, 0].double()
    one = {**LIMITS, "max_new_tokens": 1}
    counts = firsts(sample(engine, folders["llama"], seeds=range(3000), temperature=temperature, **one))

    def fit(t: float) -> float:
        expected = torch.softmax(logits / t, -1).numpy() * counts.sum()
        order = np.argsort(-expected)
        common = order[expected[order] >= 5]
        merged = [[*part[common], part.sum() - part[common].sum() + 1e-9] for part in (counts, expected)]
        return chisquare(*merged).pvalue

    fits = {t: fit(t) for t in (0.75, 1.0, 1.25)}
    assert fits.pop(temperature) > 1e-3 and max(fits.values()) < 1e-4


def test_distinct_seeds_give_distinct_samples_and_one_seed_gives_copies(folders):
    distinct, broadcast = (
        sample("pocket", folders["qwen2"], seeds=s, temperature=1.0, **LIMITS) for s in (range(256), [7] * 256)
    )
    long = [one for one in distinct if len(one.ids) > 8]
    assert rates(*zip(*long, strict=True))["unique_rate"] == 1.0
    copies = rates(*zip(*broadcast, strict=True))
    assert copies["unique_rate"] == 1 / 256 and copies["most_copies"] == 256


def test_values_out_of_range_are_refused_before_anything_is_loaded(tmp_path):
    for wrong, message in (
        ({"engine": "fast"}, "key engine: expected one of pocket, hf, vllm, got 'fast'"),
        ({"temperature": 0.0}, "key temperature: expected a number above 0"),
        ({"max_new_tokens": 0}, "key max_new_tokens: expected at least 1"),
        ({"engine": "hf", "tensor_parallel": 2}, "key tensor_parallel: only engine vllm spreads a model over 2 GPUs, got hf"),
    ):
        with pytest.raises(Refused, match=message):
            engine_of(**{"engine": "pocket", "model": tmp_path, "temperature": 1.0, **LIMITS, **wrong})
