"""A small suite with every kind of task, and small models with peaked predictions, so that scores and texts differ."""

import json
from pathlib import Path

import pytest
import yaml

from scripts.evaluation.suites import quiet

NAMES = ["Ana", "Boris", "Clara", "Dmitri", "Elena", "Farid", "Greta", "Hugo"]
PLACES = ["Aldmoor", "Brinewick", "Cathor", "Dunhelm", "Estermark"]
TEXTS = [
    f"{n} lives in {p} and bought {i} apples at the gate. {n} was waiting there." for i, n in enumerate(NAMES) for p in PLACES
]
MEAN = {"aggregation": "mean", "higher_is_better": True}
CHOICE = {
    "output_type": "multiple_choice",
    "doc_to_target": "label",
    "doc_to_choice": "choices",
    "metric_list": [{"metric": "acc", **MEAN}, {"metric": "acc_norm", **MEAN}],
}
ITEMS = 12


def write_task(folder: Path, name: str, docs: list[dict], **config) -> None:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    # as the suite's rule may write it: a path of another place, of which only the file's name holds
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": f"elsewhere/{name}.jsonl"}}, "test_split": "test"}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({"task": name, **data, **config}, sort_keys=False))


@pytest.fixture(scope="session")
def suite(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    asked = [
        {"query": f"Question: Where is {NAMES[i % 8]} waiting?\nAnswer:", "choices": PLACES[:4], "label": i % 4}
        for i in range(ITEMS)
    ]
    write_task(folder, "choice", asked, doc_to_text="query", **CHOICE)
    ends = [
        {"query": TEXTS[i], "choices": [TEXTS[i + j][:20] + " in the evening." for j in (1, 2, 7)], "label": i % 3}
        for i in range(ITEMS)
    ]
    write_task(folder, "ending", ends, doc_to_text="query", **CHOICE)
    blanks = [
        {"contexts": [f"{a} met {b} because {n}" for n in (a, b)], "suffix": "was waiting at the gate.", "label": i % 2}
        for i, (a, b) in enumerate(zip(NAMES, reversed(NAMES), strict=True))
    ]
    swapped = {**CHOICE, "doc_to_text": "label", "doc_to_choice": "contexts", "doc_to_target": "suffix"}
    write_task(folder, "blank", blanks, **swapped)
    sums = [{"query": f"Question: {TEXTS[i]} How many apples?\nAnswer:", "answer": str(i)} for i in range(ITEMS)]
    write_task(
        folder,
        "sum",
        sums,
        output_type="generate_until",
        doc_to_text="query",
        doc_to_target="{{answer}}",
        generation_kwargs={"until": ["Question:", "er"], "max_gen_toks": 24, "do_sample": False},
        filter_list=[
            {"name": n, "filter": [{"function": "regex", "regex_pattern": p, "group_select": -1}, {"function": "take_first"}]}
            for n, p in (("strict-match", "#### (\\d+)"), ("flexible-extract", "(\\d+)"))
        ],
        metric_list=[{"metric": "exact_match", **MEAN}],
    )
    return folder


@pytest.fixture(scope="session")
def row() -> dict:
    tasks = dict.fromkeys(["choice", "ending", "blank", "sum"], {})
    return {"name": "small", "scale": "smoke", "kind": "pocket", "tasks": tasks, "add_bos": True, "backend": "pocket"}


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory) -> Path:
    from scripts.models.tokenizer import save_tokenizer, train_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(train_tokenizer(TEXTS, 320, "<|bos|>", "<|eos|>"), folder, "<|bos|>", "<|eos|>")
    return folder


def small_model(folder: Path, tokenizer: Path, seed: int, architecture: str = "qwen2") -> Path:
    """A random model of 2 layers whose weights are large enough to prefer some tokens clearly; Llama's shares keys."""
    import shutil

    import torch
    from transformers import (
        GPTNeoXConfig,
        GPTNeoXForCausalLM,
        LlamaConfig,
        LlamaForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    kinds = {
        "qwen2": (Qwen2Config, Qwen2ForCausalLM, {"num_key_value_heads": 4}),
        "wide": (LlamaConfig, LlamaForCausalLM, {"num_key_value_heads": 2, "hidden_size": 128}),  # heads of 32, vLLM's least
        "llama": (LlamaConfig, LlamaForCausalLM, {"num_key_value_heads": 2}),
        "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"num_key_value_heads": 2, "head_dim": 12}),
        "gpt_neox": (GPTNeoXConfig, GPTNeoXForCausalLM, {"rotary_pct": 0.5}),
        "gpt_neox_sequential": (GPTNeoXConfig, GPTNeoXForCausalLM, {"use_parallel_residual": False, "hidden_act": "gelu_new"}),
    }
    config, model, more = kinds[architecture]
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, **more}
    ids = {"vocab_size": 320, "bos_token_id": 0, "eos_token_id": 1, "tie_word_embeddings": "gpt_neox" not in architecture}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = model(config(**sizes, **ids, intermediate_size=64, max_position_embeddings=256, initializer_range=0.3))
        for name, values in made.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(values, std=0.3)
            if name.endswith(("q_norm.weight", "k_norm.weight")):
                torch.nn.init.normal_(values, mean=1.0, std=0.3)
    made.save_pretrained(folder)
    for file in tokenizer.iterdir():
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory, tokenizer_folder) -> Path:
    return small_model(tmp_path_factory.mktemp("models") / "base", tokenizer_folder, 1)


@pytest.fixture(scope="session")
def llama(tmp_path_factory, tokenizer_folder) -> Path:
    return small_model(tmp_path_factory.mktemp("models") / "llama", tokenizer_folder, 2, "llama")


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory, tokenizer_folder) -> Path:
    return small_model(tmp_path_factory.mktemp("models") / "qwen3", tokenizer_folder, 5, "qwen3")


@pytest.fixture(scope="session")
def gpt_neox(tmp_path_factory, tokenizer_folder) -> Path:
    return small_model(tmp_path_factory.mktemp("models") / "gpt_neox", tokenizer_folder, 3, "gpt_neox")


@pytest.fixture(scope="session")
def gpt_neox_sequential(tmp_path_factory, tokenizer_folder) -> Path:
    folder = tmp_path_factory.mktemp("models") / "gpt_neox_sequential"
    return small_model(folder, tokenizer_folder, 4, "gpt_neox_sequential")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory, tokenizer_folder) -> Path:
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    for subset in range(2):
        for epoch in (1, 5):
            small_model(folder / f"subset-{subset}" / f"epoch-{epoch}", tokenizer_folder, 10 * subset + epoch + 2)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _offline(tmp_path_factory):
    quiet(tmp_path_factory.mktemp("cache"))
