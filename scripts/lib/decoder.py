"""Decoders of the architectures Llama, Qwen2, Qwen3 and GPT-NeoX, on a CPU: reads a model directory, makes weights in one form.

What the fast engines of sampling and of evaluation share: the weights, and those parts of a layer that are alike in both. The
arithmetic is written out, so that none of transformers is imported, which would take most of a short job; the tests compare
with its models.
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

from scripts.lib.models import BadModel, config_of, tensors_of

ARCHITECTURES = ("llama", "qwen2", "qwen3", "gpt_neox")
GELU = {"gelu": "none", "gelu_new": "tanh", "gelu_fast": "tanh", "gelu_pytorch_tanh": "tanh"}


class Layer(NamedTuple):
    """(weight, bias) pairs of one layer, projections that read the same input joined; bias None where there is none."""

    norm_in: tuple
    qkv: tuple  # rows: queries of all heads, then keys, then values
    norm_q: tuple | None
    norm_k: tuple | None
    out: tuple
    norm_mlp: tuple
    up: tuple  # with the gate before it, where there is one
    down: tuple


class Weights(NamedTuple):
    """A decoder's weights, float32, and the few numbers of its shape."""

    embedding: torch.Tensor
    layers: list[Layer]
    norm: tuple
    head: tuple
    cos: torch.Tensor  # [positions, turned], the part of a head's size that is turned
    sin: torch.Tensor
    heads: int
    kv_heads: int
    head_size: int
    epsilon: float
    centred: bool  # GPT-NeoX: norms subtract the mean, and the feed-forward part has no gate
    parallel: bool  # both parts of a layer read its input
    gelu: str | None


def read_weights(folder: str | Path, length: int) -> Weights:
    """The weights of a model directory, with rotary tables for ``length`` positions.

    Raises:
        BadModel: naming config.json and the key whose value is not written out here, or is missing.
        scripts.lib.files.BrokenArtifact: see `scripts.lib.models.tensors_of`.
    """
    config, path = config_of(folder), Path(folder) / "config.json"
    neox = config.get("model_type") == "gpt_neox"
    for key, value, expected in (
        ("model_type", config.get("model_type"), ARCHITECTURES),
        ("use_sliding_window", config.get("use_sliding_window") or False, (False,)),
        ("hidden_act", config.get("hidden_act", "gelu" if neox else "silu"), GELU if neox else ("silu",)),
        ("rope_type", _rope(config)["rope_type"], ("default", "llama3")),
    ):
        if value not in expected:
            raise BadModel(f"{path}: key {key} is {value}; pocket knows {', '.join(map(str, expected))}: use hf")
    try:
        return _read(folder, config, length)
    except KeyError as error:
        raise BadModel(f"{path}: key {error.args[0]} is missing; expected a config.json as transformers writes it") from None


def _rope(config: dict) -> dict:
    """What config.json says of rotary embeddings, by the names that transformers 5 writes; older ones have their own keys."""
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    neox = config.get("model_type") == "gpt_neox"
    return {
        "rope_type": rope.get("type", "default"),
        "rope_theta": config.get("rotary_emb_base" if neox else "rope_theta", 10000.0),
        "partial_rotary_factor": config.get("rotary_pct", 0.25),
        "original_max_position_embeddings": config.get("max_position_embeddings"),
        **rope,
    }


def _read(folder: str | Path, config: dict, length: int) -> Weights:
    neox = config["model_type"] == "gpt_neox"
    heads = config["num_attention_heads"]
    kv_heads = (None if neox else config.get("num_key_value_heads")) or heads
    size = (None if neox else config.get("head_dim")) or config["hidden_size"] // heads
    shapes = _shapes(config, heads * size, kv_heads * size, size)
    head = "lm_head.weight"
    found = tensors_of(folder, shapes, may_lack={head} if config.get("tie_word_embeddings", False) else ())
    tensors = {name: tensor.to(torch.float32, copy=True) for name, tensor in found}  # copies lie aligned in memory
    embedding, last = ("gpt_neox.embed_in", "gpt_neox.final_layer_norm") if neox else ("model.embed_tokens", "model.norm")
    cos, sin = rotary(config, size, length)
    layers = range(config["num_hidden_layers"])
    return Weights(
        embedding=tensors[f"{embedding}.weight"],
        layers=[(_neox_layer(tensors, i, heads, size) if neox else _llama_layer(tensors, i)) for i in layers],
        norm=_pair(tensors, last),
        head=(tensors.get(head, tensors[f"{embedding}.weight"]), None),
        cos=cos,
        sin=sin,
        heads=heads,
        kv_heads=kv_heads,
        head_size=size,
        epsilon=config["layer_norm_eps" if neox else "rms_norm_eps"],
        centred=neox,
        parallel=neox and config.get("use_parallel_residual", True),
        gelu=GELU[config.get("hidden_act", "gelu")] if neox else None,
    )


def rotary(config: dict, size: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines [length, turned] of rotary embeddings for heads of ``size``, bit for bit those of transformers.

    Type default is that of RoFormer (2104.09864); GPT-NeoX turns a part of each head. Type llama3 is that of Llama 3.1: waves
    longer than a bound are made longer by ``factor``, short ones stay, and between the bounds both are mixed.
    """
    rope = _rope(config)
    turned = int(size * rope["partial_rotary_factor"]) if config["model_type"] == "gpt_neox" else size
    frequency = 1.0 / (rope["rope_theta"] ** (torch.arange(0, turned, 2, dtype=torch.float) / turned))
    if rope["rope_type"] == "llama3":
        factor, low, high = (rope[key] for key in ("factor", "low_freq_factor", "high_freq_factor"))
        known = rope["original_max_position_embeddings"]
        wave = 2 * math.pi / frequency
        slow = torch.where(wave > known / low, frequency / factor, frequency)
        share = (known / wave - low) / (high - low)
        mixed = (1 - share) * slow / factor + share * slow
        frequency = torch.where((wave >= known / high) & (wave <= known / low), mixed, slow)
    angles = torch.arange(length)[None, :, None].float() * frequency
    angles = torch.cat((angles, angles), -1)
    return angles.cos()[0], angles.sin()[0]


def _shapes(config: dict, width: int, kv_width: int, size: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor, for queries and keys of all heads of ``width`` and ``kv_width``, heads of ``size``."""
    kind, hidden, inner = config["model_type"], config["hidden_size"], config["intermediate_size"]
    neox, qwen2 = kind == "gpt_neox", kind == "qwen2"
    biased, mlp = config.get("attention_bias", neox) or qwen2, config.get("mlp_bias", False)
    table = (False, config["vocab_size"], hidden)
    norms = dict.fromkeys(("input_layernorm", "post_attention_layernorm"), (neox, hidden))
    if neox:  # module -> whether it has a bias, and the shape of its weight
        whole = {"gpt_neox.embed_in": table, "gpt_neox.final_layer_norm": (True, hidden), "lm_head": table}
        layer = {
            "attention.query_key_value": (biased, 3 * width, hidden),
            "attention.dense": (biased, hidden, width),
            "mlp.dense_h_to_4h": (True, inner, hidden),
            "mlp.dense_4h_to_h": (True, hidden, inner),
        }
    else:
        whole = {"model.embed_tokens": table, "model.norm": (False, hidden), "lm_head": table}
        layer = {
            "self_attn.q_proj": (biased, width, hidden),
            "self_attn.k_proj": (biased, kv_width, hidden),
            "self_attn.v_proj": (biased, kv_width, hidden),
            "self_attn.o_proj": (biased and not qwen2, hidden, width),
            "mlp.gate_proj": (mlp, inner, hidden),
            "mlp.up_proj": (mlp, inner, hidden),
            "mlp.down_proj": (mlp, hidden, inner),
        }
        if kind == "qwen3":
            layer |= {"self_attn.q_norm": (False, size), "self_attn.k_norm": (False, size)}
    body = "gpt_neox" if neox else "model"
    for i in range(config["num_hidden_layers"]):
        whole |= {f"{body}.layers.{i}.{name}": module for name, module in (norms | layer).items()}
    weights = {f"{name}.weight": tuple(shape) for name, (_, *shape) in whole.items()}
    return weights | {f"{name}.bias": (shape[0],) for name, (bias, *shape) in whole.items() if bias}


def _pair(tensors: dict[str, torch.Tensor], name: str) -> tuple:
    return tensors[f"{name}.weight"], tensors.get(f"{name}.bias")


def _joined(tensors: dict[str, torch.Tensor], *names: str) -> tuple:
    weights, biases = zip(*(_pair(tensors, name) for name in names), strict=True)
    return torch.cat(weights), None if biases[0] is None else torch.cat(biases)


def _llama_layer(tensors: dict[str, torch.Tensor], number: int) -> Layer:
    at = f"model.layers.{number}"
    normed = f"{at}.self_attn.q_norm.weight" in tensors
    return Layer(
        norm_in=_pair(tensors, f"{at}.input_layernorm"),
        qkv=_joined(tensors, *(f"{at}.self_attn.{name}_proj" for name in "qkv")),
        norm_q=_pair(tensors, f"{at}.self_attn.q_norm") if normed else None,
        norm_k=_pair(tensors, f"{at}.self_attn.k_norm") if normed else None,
        out=_pair(tensors, f"{at}.self_attn.o_proj"),
        norm_mlp=_pair(tensors, f"{at}.post_attention_layernorm"),
        up=_joined(tensors, f"{at}.mlp.gate_proj", f"{at}.mlp.up_proj"),
        down=_pair(tensors, f"{at}.mlp.down_proj"),
    )


def _neox_layer(tensors: dict[str, torch.Tensor], number: int, heads: int, size: int) -> Layer:
    """GPT-NeoX keeps q, k, v of a head together: [heads, 3, size] becomes [3, heads, size]."""
    at = f"gpt_neox.layers.{number}"
    together = _pair(tensors, f"{at}.attention.query_key_value")
    return Layer(
        norm_in=_pair(tensors, f"{at}.input_layernorm"),
        qkv=tuple(
            None if part is None else part.view(heads, 3, size, -1).transpose(0, 1).reshape(part.shape) for part in together
        ),
        norm_q=None,
        norm_k=None,
        out=_pair(tensors, f"{at}.attention.dense"),
        norm_mlp=_pair(tensors, f"{at}.post_attention_layernorm"),
        up=_pair(tensors, f"{at}.mlp.dense_h_to_4h"),
        down=_pair(tensors, f"{at}.mlp.dense_4h_to_h"),
    )


def norm(x: torch.Tensor, pair: tuple, w: Weights) -> torch.Tensor:
    """The model's norm of the last dimension of ``x``: LayerNorm in GPT-NeoX, RMSNorm elsewhere."""
    size = (x.shape[-1],)
    return F.layer_norm(x, size, *pair, w.epsilon) if w.centred else F.rms_norm(x, size, pair[0], w.epsilon)


def after_attention(x: torch.Tensor, attended: torch.Tensor, layer: Layer, w: Weights) -> torch.Tensor:
    """A layer's output [..., hidden] from its input and what the heads found [..., heads * head size]."""
    attended = F.linear(attended, *layer.out)
    inside = x if w.parallel else x + attended
    up = F.linear(norm(inside, layer.norm_mlp, w), *layer.up)
    if w.centred:
        up = F.gelu(up, approximate=w.gelu)
    else:
        gate, up = up.chunk(2, -1)
        up = F.silu(gate).mul_(up)
    down = F.linear(up, *layer.down)
    return x + attended + down if w.parallel else inside + down
