"""The engines pocket and vllm (by a stand-in for the module): numbered answers with their tokens."""

import sys
import types

import pytest

from scripts.lib import vllm_settings
from scripts.synthesis import generators
from scripts.synthesis.chat import Prompt
from scripts.synthesis.generators import generator
from scripts.synthesis.requests import Answer, Refused, Request

PROMPTS = {
    "pair": Prompt("pair.yaml", "Relate.", "$document|$entities", False, 0.7),
    "entities": Prompt("entities.yaml", "List.", "$document", True, 1.0),
}
TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }} {{ m['content'] }}<e>{% endfor %}{% if add_generation_prompt %}<s>{% endif %}"
)
START, END, EOS = 1, 2, 3
ASKED = [Request("entities", "d e f", {}), Request("pair", "d e f", {"entities": ["A"]})]


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    """A folder with a tokenizer of characters, a chat template and a configuration; no weights."""
    import json

    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("models") / "Chat"
    characters = sorted({chr(code) for code in range(32, 127)} | {"\n"})
    vocabulary = {token: i for i, token in enumerate(["<unk>", "<s>", "<e>", "<eos>", *characters])}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokens.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokens.add_special_tokens(["<s>", "<e>", "<eos>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, unk_token="<unk>", eos_token="<eos>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(path)
    (path / "config.json").write_text(json.dumps({"eos_token_id": EOS, "max_position_embeddings": 1000}))
    (path / "generation_config.json").write_text(json.dumps({"eos_token_id": [END, EOS], "top_p": 0.5}))
    return path


class Keywords:
    def __init__(self, **given):
        self.__dict__.update(given)


@pytest.fixture
def fake(monkeypatch):
    calls = types.SimpleNamespace(models=[], prompts=[], requests=[], sizes=[])

    class LLM(Keywords):
        def __init__(self, **given):
            super().__init__(**given)
            calls.models.append(self)

        def generate(self, prompts, requests, use_tqdm=True):
            calls.prompts += prompts
            calls.requests += requests
            calls.sizes.append(len(prompts))
            texts = [f"answer {len(one['prompt_token_ids'])}" for one in prompts]
            return [Keywords(outputs=[Keywords(text=text, token_ids=[7, 8, END], finish_reason="stop")]) for text in texts]

    module, parameters = types.ModuleType("vllm"), types.ModuleType("vllm.sampling_params")
    module.LLM, module.SamplingParams, module.TokensPrompt = LLM, type("SamplingParams", (Keywords,), {}), dict
    parameters.StructuredOutputsParams = Keywords
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", parameters)
    monkeypatch.setattr(vllm_settings, "settings", lambda: {"dtype": "bfloat16"})
    return calls


def by_vllm(model, documents=("d e f", "d"), **row):
    return generator({"engine": "vllm", "max_new_tokens": 20, **row}, prompts=PROMPTS, model=model, documents=documents)


def test_vllm_is_asked_in_the_template_s_ids_with_a_seed_and_an_end_of_its_own(chat, fake):
    found = dict(by_vllm(chat, tensor_parallel=2)(ASKED, [11, 12]))

    model = fake.models[0]
    assert (model.model, model.generation_config, model.tensor_parallel_size) == (str(chat), "vllm", 2)
    assert (model.dtype, model.enable_prefix_caching) == ("bfloat16", True)
    from scripts.lib.models import load_tokenizer_of_transformers

    ids = [one["prompt_token_ids"] for one in fake.prompts]
    assert ids == [
        load_tokenizer_of_transformers(chat)(text, add_special_tokens=False)["input_ids"]
        for text in ("<s>system List.<e><s>user d e f<e><s>", "<s>system Relate.<e><s>user d e f|- A<e><s>")
    ]
    assert found == {i: Answer(f"answer {len(one)}", len(one), 3, "stop") for i, one in enumerate(ids)}
    assert max(map(len, ids)) + 20 <= model.max_model_len <= 1000
    assert [(one.seed, one.temperature, one.top_p, one.top_k, one.max_tokens) for one in fake.requests] == [
        (11, 1.0, 1.0, 0, 20),
        (12, 0.7, 1.0, 0, 20),
    ]
    assert all(one.stop_token_ids == [END, EOS] and one.ignore_eos for one in fake.requests)
    listed, text = (one.structured_outputs for one in fake.requests)
    assert listed.json_object and text is None


def test_a_template_without_a_system_gets_its_message_before_the_user_s(chat, fake, tmp_path):
    """As that of Mistral-7B-Instruct-v0.1."""
    import shutil

    from scripts.lib.models import load_tokenizer_of_transformers

    shutil.copytree(chat, tmp_path / "Alone")
    tokenizer = load_tokenizer_of_transformers(chat)
    refused = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    tokenizer.chat_template = refused + "<s>{{ m.content }}<e>{% endfor %}"
    tokenizer.save_pretrained(tmp_path / "Alone")
    dict(by_vllm(tmp_path / "Alone")(ASKED[:1], [11]))
    (asked,) = (one["prompt_token_ids"] for one in fake.prompts)
    assert generators.takes_system(load_tokenizer_of_transformers(chat)) and not generators.takes_system(tokenizer)
    # line breaks are no characters that this tokenizer knows
    assert tokenizer.decode(asked).replace(" ", "") == "<s>List.<unk>def<e>"


def test_vllm_is_asked_in_blocks_and_answers_keep_their_numbers(chat, fake, monkeypatch):
    monkeypatch.setattr(generators, "BLOCK", 4)
    requests = [Request("entities", "d" * i, {}) for i in range(1, 11)]
    found = list(by_vllm(chat, documents=["d" * 10])(requests, list(range(50, 60))))
    assert fake.sizes == [4, 4, 2] and [one.seed for one in fake.requests] == list(range(50, 60))
    lengths = [answer.tokens_in for _, answer in found]
    assert [number for number, _ in found] == list(range(10)) and lengths == list(range(lengths[0], lengths[0] + 10))


def test_what_vllm_cannot_do_is_refused_before_it_starts(chat, fake, monkeypatch):
    with pytest.raises(Refused, match="key max_new_tokens: 20 asked for after prompts of up to .* tokens, the model has 1000"):
        by_vllm(chat, documents=["d" * 900])
    assert not fake.models
    with pytest.raises(Refused, match="a request of kind pair has .* tokens, expected up to"):
        list(by_vllm(chat)([Request("pair", "d", {"entities": ["A" * 600]})], [1]))
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(Refused, match="key engine: vllm is not installed here"):
        by_vllm(chat)


def test_pocket_sees_the_request_and_its_tokens_are_counted():
    def teacher(request, seed):
        return f"{request.kind} {seed} " + " ".join(request.fields.get("entities", []))

    generate = generator({"engine": "pocket"}, teacher=teacher, count=lambda texts: [len(text.split()) for text in texts])
    assert list(generate(ASKED, [5, 6])) == [(0, Answer("entities 5 ", 3, 2, "stop")), (1, Answer("pair 6 A", 3, 3, "stop"))]


def test_a_teacher_that_cannot_answer_says_so():
    def teacher(request, seed):
        raise ValueError("no made book")

    with pytest.raises(Refused, match="the rule-written teacher cannot answer: no made book"):
        list(generator({"engine": "pocket"}, teacher=teacher, count=None)(ASKED, [5, 6]))
