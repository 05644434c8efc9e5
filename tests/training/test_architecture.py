"""Models from a row: sizes by formula, weights by seed, the ids of BOS and EOS where readers look for them."""

import json

import pytest
import torch

from scripts.lib.models import BadModel, bos_of, config_of, eos_of, load_model
from scripts.training.architecture import make_model, parameters

ROW = {"name": "tiny", "architecture": "qwen2", "hidden": 12, "layers": 2, "heads": 3, "feedforward": 20}


@pytest.mark.parametrize(("architecture", "biases"), [("qwen2", 3), ("llama", 0)])
def test_size_by_formula(architecture, biases):
    d, f, layers, vocabulary = 12, 20, 2, 50
    expected = vocabulary * d + layers * (4 * d * d + biases * d + 3 * d * f + 2 * d) + d  # one embedding: tied
    assert parameters(make_model({**ROW, "architecture": architecture}, vocabulary, 0, 1, seed=0)) == expected


def test_size_of_a_qwen3_by_formula():
    """Norms of queries and keys over a head, fewer heads of keys and values, no biases."""
    d, f, layers, vocabulary, head = 12, 20, 2, 50, 6
    row = {**ROW, "architecture": "qwen3", "heads": 2, "kv_heads": 1}
    layer = 2 * d * d + 2 * d * head + 3 * d * f + 2 * d + 2 * head
    assert parameters(make_model(row, vocabulary, 0, 1, seed=0)) == vocabulary * d + layers * layer + d


def test_a_model_sees_twice_its_block():
    assert make_model(ROW, 50, 0, 1, seed=0).config.max_position_embeddings == 2048
    assert make_model({**ROW, "block": 4096}, 50, 0, 1, seed=0).config.max_position_embeddings == 8192


def test_size_of_a_neox_by_formula():
    """LayerNorms and all matrices with biases, an output matrix of its own without."""
    d, f, layers, vocabulary = 12, 20, 2, 50
    expected = 2 * vocabulary * d + layers * (4 * d * d + 4 * d + 2 * d * f + f + d + 4 * d) + 2 * d
    assert parameters(make_model({**ROW, "architecture": "gpt_neox"}, vocabulary, 0, 1, seed=0)) == expected


def test_weights_follow_the_seed_and_leave_the_generator_alone():
    before = torch.get_rng_state()
    one, same, other = (make_model(ROW, 50, 0, 1, seed).state_dict() for seed in (5, 5, 6))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


def test_ids_survive_saving(tmp_path):
    model = make_model(ROW, 50, 3, 4, seed=0)
    model.save_pretrained(tmp_path)
    assert (bos_of(tmp_path), eos_of(tmp_path)) == (3, 4)
    settings = json.loads((tmp_path / "generation_config.json").read_text())
    assert (settings["bos_token_id"], settings["eos_token_id"]) == (3, 4)
    loaded = load_model(tmp_path)
    assert not loaded.training
    ids = torch.arange(10)[None]
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, model.eval()(ids).logits)


@pytest.mark.parametrize(
    ("change", "message"), [({"architecture": "gpt"}, "architecture is 'gpt'"), ({"heads": 5}, "hidden is 12")]
)
def test_a_bad_row_is_named(change, message):
    with pytest.raises(ValueError, match=f"model tiny: {message}"):
        make_model({**ROW, **change}, 50, 0, 1, seed=0)


def test_absent_ids_remote_code_and_pickles_are_refused(tmp_path):
    with pytest.raises(BadModel, match=r"config\.json: missing"):
        config_of(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"bos_token_id": None, "eos_token_id": [7, 8]}))
    with pytest.raises(BadModel, match="bos_token_id is None"):
        bos_of(tmp_path)
    assert eos_of(tmp_path) == 7
    with pytest.raises(BadModel, match="no \\*.safetensors"):
        load_model(tmp_path)
    config.write_text(json.dumps({"auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(BadModel, match="auto_map"):
        load_model(tmp_path)


@pytest.mark.parametrize("architecture", ["qwen2", "gpt_neox"])
def test_half_weights_are_the_rounded_ones_in_half_the_bytes(tmp_path, architecture):
    from scripts.evaluation.checkpoints import load_weights
    from scripts.training.output import save_model

    model = make_model({**ROW, "architecture": architecture, "hidden": 48}, 500, 3, 4, seed=0)
    sizes = {}
    for name in ("whole", "half"):
        save_model(model, tmp_path / name, tmp_path, half=name == "half")
        sizes[name] = sum(file.stat().st_size for file in (tmp_path / name).glob("*.safetensors"))
    assert sizes["half"] < 0.6 * sizes["whole"]
    assert config_of(tmp_path / "half")["dtype"] == "bfloat16" and config_of(tmp_path / "whole")["dtype"] == "float32"
    other = make_model({**ROW, "architecture": architecture, "hidden": 48}, 500, 3, 4, seed=1)
    load_weights(other, tmp_path / "half")
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one.bfloat16().float(), two)
