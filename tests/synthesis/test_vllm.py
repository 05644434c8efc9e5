"""The vLLM engine against a stand-in for the module: what it asks for, and what it makes of the answer."""

import sys
import types

import pytest

from scripts.synthesis import vllm as engine_module
from scripts.synthesis.draws import Refused


class Keywords:
    def __init__(self, **given):
        self.__dict__.update(given)


@pytest.fixture
def fake(monkeypatch):
    calls = types.SimpleNamespace(models=[], prompts=[], requests=[])

    class LLM(Keywords):
        def __init__(self, **given):
            super().__init__(**given)
            calls.models.append(self)

        def generate(self, prompts, requests, use_tqdm=True):
            calls.prompts += prompts
            calls.requests += requests
            drawn = [[7, 8, 2] if request.seed % 2 else [7, 8, 9, 9] for request in requests]
            return [Keywords(outputs=[Keywords(token_ids=ids)]) for ids in drawn]

    module = types.ModuleType("vllm")
    module.LLM, module.SamplingParams, module.TokensPrompt = LLM, type("SamplingParams", (Keywords,), {}), dict
    monkeypatch.setitem(sys.modules, "vllm", module)
    return calls


def test_every_request_is_the_bos_id_with_a_seed_of_its_own_and_nothing_truncated(fake):
    draw = engine_module.engine("models/Tiny", bos=5, eos=2, temperature=1.25, max_new_tokens=4)
    samples = draw([11, 12, 13])
    assert fake.models[0].model == "models/Tiny" and fake.models[0].generation_config == "vllm"
    assert fake.models[0].max_model_len == 5
    assert fake.prompts == [{"prompt_token_ids": [5]}] * 3
    assert [request.seed for request in fake.requests] == [11, 12, 13]
    for request in fake.requests:
        assert (request.temperature, request.top_p, request.top_k, request.min_p) == (1.25, 1.0, -1, 0.0)
        assert (request.repetition_penalty, request.presence_penalty, request.frequency_penalty) == (1.0, 0.0, 0.0)
        assert (request.max_tokens, request.stop_token_ids, request.ignore_eos, request.detokenize) == (4, [2], True, False)
    assert [(s.ids.tolist(), s.complete) for s in samples] == [([7, 8], True), ([7, 8, 9, 9], False), ([7, 8], True)]


def test_one_seed_for_several_requests_is_refused(fake):
    draw = engine_module.engine("m", bos=0, eos=2, temperature=1.0, max_new_tokens=4)
    with pytest.raises(ValueError, match="3 requests with 2 seeds"):
        draw([1, 1, 2])


def test_without_vllm_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(Refused, match="vllm is not installed here; install it, or set the corpus row's engine to hf"):
        engine_module.engine("m", bos=0, eos=1, temperature=1.0, max_new_tokens=4)
