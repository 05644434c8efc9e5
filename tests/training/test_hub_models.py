"""The classes of the real models, tiny and random, through scripts.training.train as at paper scale: bfloat16, row by row."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch

from scripts.lib.documents import document, write_documents
from scripts.models.tokenizer import save_tokenizer, train_tokenizer
from scripts.training import device, parallel
from scripts.training.data import NONE, Blocks, pack, pairs_of
from scripts.training.loop import loss_sum
from scripts.training.train import train

VOCABULARY, BOS = 262, 256
SIZES = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
SIZES |= {"bos_token_id": BOS, "eos_token_id": BOS, "max_position_embeddings": 128}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LLAMA3 |= {"original_max_position_embeddings": 64}
CLASSES = {  # as Qwen2.5-0.5B, Qwen3-1.7B-Base, Llama-3.2-1B (SmolLM2-360M) and Pythia are
    "Qwen2": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "Qwen3": {"num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": True},
    "Llama": {"num_key_value_heads": 1, "tie_word_embeddings": True, "rope_parameters": LLAMA3},
    "GPTNeoX": {"tie_word_embeddings": False, "use_parallel_residual": True},
}
RUN = {"name": "tiny", "checkpoints": [0, 1], "subsets": 1, "batch": 16, "micro_batch": 3, "block": 64, "packing": "documents"}
RUN |= {"learning_rate": 1e-3, "warmup": 0.0, "seed": 1}


def made(name):
    import transformers

    config = getattr(transformers, f"{name}Config")(**SIZES, **CLASSES[name], attn_implementation="sdpa")
    torch.manual_seed(0)
    return getattr(transformers, f"{name}ForCausalLM")(config)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["ab", "cd", "ef"], rng.integers(2, 15))) for _ in range(40)]
    rows = [{**document(text, source="one", index=i, complete=i % 3 > 0), "subset": 0} for i, text in enumerate(texts)]
    path = tmp_path_factory.mktemp("corpus") / "documents.parquet"
    write_documents(path, rows, row={}, code="", extra={"subset": pa.int8()})
    return path


@pytest.mark.parametrize("name", CLASSES)
def test_a_step_of_each_class(name, corpus, tmp_path, monkeypatch):
    """One epoch in bfloat16, with gradient checkpointing and without: the same bytes, and a checkpoint that loads again."""
    import pandas as pd

    from scripts.lib.models import load_model

    monkeypatch.setattr(device, "device_and_precision", lambda: (torch.device("cpu"), "bfloat16"))
    base = tmp_path / "base"
    made(name).save_pretrained(base)
    save_tokenizer(train_tokenizer(["ab cd"], VOCABULARY, "<s>", "<s>"), base, "<s>", "<s>")
    found = []
    for checkpointing in (False, True):
        to = tmp_path / str(checkpointing)
        row = {**RUN, "gradient_checkpointing": checkpointing}
        train(base, corpus, to / "out", to / "trace.parquet", to / "work", row=row, code="c")
        trace = pd.read_parquet(to / "trace.parquet")
        assert trace["loss"].iloc[0] == pytest.approx(np.log(VOCABULARY), abs=0.3)
        found.append((to / "out/subset-0/epoch-1/model.safetensors").read_bytes())
    assert found[0] == found[1]
    before, after = load_model(base), load_model(to / "out/subset-0/epoch-1")
    assert type(after).__name__ == f"{name}ForCausalLM"
    assert json.loads((to / "out/subset-0/epoch-1/config.json").read_text()) == json.loads((base / "config.json").read_text())
    assert {p.dtype for p in after.parameters()} == {torch.float32}
    moved = [(p - q).abs().max().item() for p, q in zip(before.parameters(), after.parameters(), strict=True)]
    assert min(moved) > 0  # every tensor, embeddings and norms included, was trained


@pytest.mark.parametrize("name", CLASSES)
def test_packed_documents_do_not_see_each_other(name):
    """What one document loses in a block with others is what it loses alone, in every class."""
    model, rng = made(name), np.random.default_rng(1)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.3)  # attention of a fresh model is nearly flat
    ids = [rng.integers(0, 250, size) for size in (11, 20, 17, 9)]
    together = pack(pairs_of(ids, [True] * 4, BOS, BOS), 64, "documents", 0)
    assert len(together.inputs) == 1
    alone = [pack(pairs_of([one], [True], BOS, BOS), 64, "documents", 0) for one in ids]
    with torch.no_grad():
        expected = sum(loss_sum(model, block).item() for block in alone)
        assert loss_sum(model, together).item() == pytest.approx(expected, rel=1e-5)
        blind = together._replace(positions=np.arange(64, dtype=np.int32)[None])
        assert loss_sum(model, blind).item() != pytest.approx(expected, rel=1e-4)  # the check can fail


@pytest.mark.parametrize("name", CLASSES)
def test_one_graph_serves_all_layers(name, monkeypatch):
    """Compiled are two graphs, with a mask and without, however many layers and steps there are; else it would not pay."""
    from torch._dynamo.testing import CompileCounter

    counter, compile_layer = CompileCounter(), torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda layer, **how: compile_layer(layer, backend=counter, **how))
    monkeypatch.setitem(SIZES, "num_hidden_layers", 9)  # more than the graphs that dynamo makes of one function
    torch._dynamo.reset()
    recipe = {"compile": True, "gradient_checkpointing": True, "precision": "float32"}
    model = parallel.ready(made(name), torch.device("cpu"), recipe).train()
    inputs, places = np.ones((2, 16), np.int32), np.arange(16, dtype=np.int32)
    for positions in (np.append(places[:10], places[:6]), places, np.append(places[:4], places[:12])):
        loss_sum(model, Blocks(inputs, inputs, np.tile(positions, (2, 1)))).backward()
    assert counter.frame_count == 2


def test_compiled_layers_and_loss_are_the_plain_ones(monkeypatch):
    """Compiled and plain, a step has the same loss and gradients; pieces are filled up so that one shape is compiled."""
    monkeypatch.setattr("torch._inductor.config.compile_threads", 1)  # no pool of compilers
    rng, results = np.random.default_rng(2), []
    ids = [rng.integers(0, 250, size) for size in rng.integers(5, 30, 12)]
    blocks = pack(pairs_of(ids, [True] * 12, BOS, BOS), 32, "documents", 0)
    for compiled in (False, True):
        recipe = {"compile": compiled, "gradient_checkpointing": True, "precision": "float32"}
        model = parallel.ready(made("Qwen2"), torch.device("cpu"), recipe).train()
        parts = parallel.share(blocks, 5, fill=compiled)
        assert len({part.inputs.shape for part in parts}) == (1 if compiled else 2)
        losses = [loss_sum(model, part, "float32", compiled) for part in parts]
        sum(losses).backward()
        results.append([torch.stack(losses).sum().detach(), *(p.grad for p in model.parameters())])
    for plain, other in zip(*results, strict=True):
        assert torch.allclose(plain, other, rtol=1e-4, atol=1e-4 * float(plain.abs().max()))


def test_blocks_without_targets_add_nothing():
    block = Blocks(*(np.zeros((3, 8), np.int32) for _ in range(3)))._replace(targets=np.full((3, 8), NONE, np.int32))
    one = Blocks(np.ones((2, 8), np.int32), np.ones((2, 8), np.int32), np.tile(np.arange(8, dtype=np.int32), (2, 1)))
    filled = parallel.share(one, 5, fill=True)[0]
    assert filled.inputs.shape == (5, 8)
    assert (filled.targets[2:] == NONE).all()
    model = made("Llama")
    loss = loss_sum(model, block)
    loss.backward()
    assert loss.item() == 0
    assert all(not p.grad.any() for p in model.parameters())
    assert loss_sum(model, filled).item() == pytest.approx(loss_sum(model, one).item(), rel=1e-6)
