"""What is read of a model directory, against the models of transformers; what is refused."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from scripts.lib import decoder
from scripts.lib.files import BrokenArtifact
from scripts.lib.models import BadModel

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
SIZES = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
VARIANTS = {
    "qwen2": ("Qwen2", {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"num_key_value_heads": 2, "head_dim": 12}),
    "llama": ("Llama", {"attention_bias": True, "mlp_bias": True, "rope_parameters": {"rope_theta": 5e5}}),
    "llama3": ("Llama", {"rope_parameters": {**LLAMA3, "rope_theta": 1e4, "original_max_position_embeddings": 32}}),
    "gpt_neox": ("GPTNeoX", {"rope_parameters": {"rope_theta": 2e4, "partial_rotary_factor": 0.5}}),
    "gpt_neox-tied": ("GPTNeoX", {"tie_word_embeddings": True, "attention_bias": False}),
}


def make(variant):
    kind, more = VARIANTS[variant]
    torch.manual_seed(1)
    config = getattr(transformers, f"{kind}Config")(**SIZES, max_position_embeddings=600, bos_token_id=0, **more)
    return getattr(transformers, f"{kind}ForCausalLM")(config).eval()


@pytest.fixture
def folder(tmp_path):
    make("qwen2").save_pretrained(tmp_path)
    return tmp_path


def edit(folder, **changes):
    """Change keys of config.json; None removes a key."""
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def rotary_of(model, length):
    body = model.gpt_neox if hasattr(model, "gpt_neox") else model.model
    cos, sin = body.rotary_emb(torch.zeros(1), torch.arange(length)[None])
    return cos[0], sin[0]


@pytest.mark.parametrize("variant", VARIANTS)
def test_rotary_tables_are_those_of_transformers_bit_for_bit(variant, tmp_path):
    model = make(variant)
    model.save_pretrained(tmp_path)
    for length in (1, 7, 600):
        read = decoder.read_weights(tmp_path, length)
        assert all(map(torch.equal, (read.cos, read.sin), rotary_of(model, length)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_weight_is_read_and_nothing_else(variant, tmp_path):
    model = make(variant)
    model.save_pretrained(tmp_path)
    read = decoder.read_weights(tmp_path, 8)
    parts = [read.embedding, *read.norm, *(part for layer in read.layers for pair in layer if pair for part in pair)]
    parts += [] if read.head[0] is read.embedding else [read.head[0]]
    values = torch.cat([part.flatten() for part in parts if part is not None])
    expected = torch.cat([part.flatten() for part in model.parameters()])
    assert torch.equal(values.sort().values, expected.detach().sort().values)
    assert (read.head[0] is read.embedding) == model.config.tie_word_embeddings
    assert all(part.dtype == torch.float32 for part in parts if part is not None)


@pytest.mark.parametrize(
    ("variant", "old"), [("llama", {"rope_theta": 5e5}), ("gpt_neox", {"rotary_emb_base": 2e4, "rotary_pct": 0.5})]
)
def test_older_configurations_and_files_are_read_alike(variant, old, tmp_path):
    """Keys of transformers 4; half precision; several files; the head's old name; buffers that are computed today."""
    model = make(variant).to(torch.bfloat16)
    model.save_pretrained(tmp_path)
    new = decoder.read_weights(tmp_path, 50)
    edit(tmp_path, rope_parameters=None, **old)
    tensors = {name.replace("lm_head.", "embed_out."): tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"{variant}.layers.0.attention.{name}": torch.ones(1, 1, 4, 4) for name in ("bias", "masked_bias")}
    tensors |= {f"{variant}.layers.0.attention.rotary_emb.inv_freq": torch.ones(4)}
    for number, names in enumerate((list(tensors)[::2], list(tensors)[1::2]), 1):
        save_file({name: tensors[name] for name in names}, tmp_path / f"model-0000{number}-of-00002.safetensors")
    (tmp_path / "model.safetensors").unlink()
    read = decoder.read_weights(tmp_path, 50)
    assert torch.equal(read.cos, new.cos) and torch.equal(read.head[0], new.head[0]) and read[6:] == new[6:]
    for one, other in zip(read.layers, new.layers, strict=True):
        assert all(
            torch.equal(a, b) for x, y in zip(one, other, strict=True) if x for a, b in zip(x, y, strict=True) if a is not None
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "mistral"}, "key model_type is mistral; pocket knows llama, qwen2, qwen3, gpt_neox: use hf"),
        ({"use_sliding_window": True}, "key use_sliding_window is True; pocket knows False: use hf"),
        ({"hidden_act": "gelu"}, "key hidden_act is gelu; pocket knows silu: use hf"),
        (
            {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}},
            "key rope_type is yarn; pocket knows default, llama3: use hf",
        ),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "key rope_type is linear"),
        ({"rms_norm_eps": None}, "key rms_norm_eps is missing"),
        ({"auto_map": {"AutoModel": "evil.M"}}, "key auto_map"),
    ],
)
def test_what_is_not_written_out_is_refused(folder, changes, message):
    edit(folder, **changes)
    with pytest.raises(BadModel, match=f"config.json: {message}"):
        decoder.read_weights(folder, 8)


def test_a_folder_that_is_not_whole_is_named(folder):
    file = folder / "model.safetensors"
    good = load_file(file)

    def broken(message, tensors=None):
        if tensors is not None:
            save_file(tensors, file)
        with pytest.raises(BrokenArtifact, match=message):
            decoder.read_weights(folder, 8)

    key = "model.layers.1.mlp.up_proj.weight"
    broken(rf"{folder}: its safetensors lack {key}", {name: tensor for name, tensor in good.items() if name != key})
    broken(rf"model\.safetensors: {key} is of shape \(32, 48\), expected \(48, 32\)", {**good, key: good[key].T.contiguous()})
    broken(r"model\.safetensors: more is of shape \(\), expected no such tensor", {**good, "more": torch.tensor(1.0)})
    broken(rf"model\.safetensors: {key} holds values that are not finite", {**good, key: torch.full((48, 32), torch.inf)})
    edit(folder, tie_word_embeddings=False)
    broken(r"its safetensors lack lm_head\.weight", good)
    file.write_bytes(b"no tensors")
    broken(r"model\.safetensors: cannot be read as safetensors")
    file.unlink()
    broken(r"no \*\.safetensors; pickled weights are not loaded")
