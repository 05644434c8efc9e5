"""The fast engine, for small models on one CPU thread: takes a loaded model, makes samples.

A key-value cache written in place and inverse-CDF draws (`scripts.synthesis.draws`); a block of samples walks in step, and
rows that have ended leave it. Architectures: Llama, Qwen2, Qwen3, GPT-NeoX; weights come from the Hugging Face model, the
arithmetic is written out here and compared with it in the tests.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

from scripts.synthesis.draws import Draw, Refused, Sample, choose, cumulative, uniforms

KEEP = 0.85  # rows that have ended leave once no more than this share of the batch goes on: leaving copies the cache
ROOM = 64  # positions by which the cache grows
ARCHITECTURES = ("llama", "qwen2", "qwen3", "gpt_neox")


class Layer(NamedTuple):
    """Weights of one layer as (weight, bias) pairs; bias None where the architecture has none."""

    norm_in: tuple
    qkv: tuple
    norm_q: tuple | None
    norm_k: tuple | None
    out: tuple
    norm_mlp: tuple
    up: tuple
    down: tuple


class Weights(NamedTuple):
    """A decoder's weights and the few numbers of its shape."""

    embedding: torch.Tensor
    layers: list[Layer]
    norm: tuple
    head: tuple
    cos: torch.Tensor
    sin: torch.Tensor
    heads: int
    kv_heads: int
    head_size: int
    epsilon: float
    centred: bool
    parallel: bool
    activation: str


def read_weights(model, length: int) -> Weights:
    """Weights of a Hugging Face causal model (float32), with rotary tables for ``length`` positions.

    Raises:
        Refused: when the architecture is none of ARCHITECTURES, or does what this engine does not.
    """
    config, kind = model.config, model.config.model_type
    if kind not in ARCHITECTURES:
        raise Refused(f"key engine: pocket expected an architecture of {', '.join(ARCHITECTURES)}, got {kind}; use engine hf")
    window = getattr(config, "sliding_window", None)
    if "sliding_attention" in (getattr(config, "layer_types", None) or []) and window and window < length:
        raise Refused(f"key engine: pocket has no sliding window, the model's is {window} of {length} positions; use engine hf")
    heads = config.num_attention_heads
    neox = kind == "gpt_neox"
    size = (None if neox else getattr(config, "head_dim", None)) or config.hidden_size // heads
    body = model.gpt_neox if neox else model.model
    rotary = body.rotary_emb
    cos, sin = rotary(torch.zeros(1, 1, size), torch.arange(length)[None])
    return Weights(
        embedding=(body.embed_in if neox else body.embed_tokens).weight.data,
        layers=[(_neox_layer(layer, heads, size) if neox else _llama_layer(layer)) for layer in body.layers],
        norm=_pair(body.final_layer_norm if neox else body.norm),
        head=_pair(model.get_output_embeddings()),
        cos=cos[0],
        sin=sin[0],
        heads=heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        head_size=size,
        epsilon=config.layer_norm_eps if neox else config.rms_norm_eps,
        centred=neox,
        parallel=neox and config.use_parallel_residual,
        activation=config.hidden_act,
    )


def _pair(module) -> tuple:
    bias = getattr(module, "bias", None)
    return module.weight.data, None if bias is None else bias.data


def _stack(*modules) -> tuple:
    weights, biases = zip(*map(_pair, modules), strict=True)
    return torch.cat(weights), None if biases[0] is None else torch.cat(biases)


def _llama_layer(layer) -> Layer:
    a, m = layer.self_attn, layer.mlp
    return Layer(
        norm_in=_pair(layer.input_layernorm),
        qkv=_stack(a.q_proj, a.k_proj, a.v_proj),
        norm_q=_pair(a.q_norm) if hasattr(a, "q_norm") else None,
        norm_k=_pair(a.k_norm) if hasattr(a, "k_norm") else None,
        out=_pair(a.o_proj),
        norm_mlp=_pair(layer.post_attention_layernorm),
        up=_stack(m.gate_proj, m.up_proj),
        down=_pair(m.down_proj),
    )


def _neox_layer(layer, heads: int, size: int) -> Layer:
    """GPT-NeoX keeps q, k, v of a head together: [heads, 3, size] becomes [3, heads, size]."""
    together = [
        None if part is None else part.view(heads, 3, size, -1).transpose(0, 1).reshape(part.shape).contiguous()
        for part in _pair(layer.attention.query_key_value)
    ]
    return Layer(
        norm_in=_pair(layer.input_layernorm),
        qkv=tuple(together),
        norm_q=None,
        norm_k=None,
        out=_pair(layer.attention.dense),
        norm_mlp=_pair(layer.post_attention_layernorm),
        up=_pair(layer.mlp.dense_h_to_4h),
        down=_pair(layer.mlp.dense_4h_to_h),
    )


def _norm(x: torch.Tensor, pair: tuple, w: Weights) -> torch.Tensor:
    size = (x.shape[-1],)
    return F.layer_norm(x, size, *pair, w.epsilon) if w.centred else F.rms_norm(x, size, pair[0], w.epsilon)


def _mlp(x: torch.Tensor, layer: Layer, w: Weights) -> torch.Tensor:
    x = F.linear(_norm(x, layer.norm_mlp, w), *layer.up)
    if w.centred:
        x = F.gelu(x) if w.activation == "gelu" else F.gelu(x, approximate="tanh")
    else:
        gate, x = x.chunk(2, -1)
        x = F.silu(gate).mul_(x)
    return F.linear(x, *layer.down)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of x [rows, heads, size]; cos, sin [n] with n <= size, the rest is left as it is."""
    n = len(cos)
    turned, rest = x[..., :n], x[..., n:]
    left, right = turned.chunk(2, -1)
    turned = torch.cat([-right, left], -1).mul_(sin).addcmul_(turned, cos)
    return torch.cat([turned, rest], -1) if rest.shape[-1] else turned


class Walk:
    """A batch that walks in step: its position, and keys and values in blocks [rows * kv heads, ROOM * n, size] for each layer.

    Blocks grow by ROOM positions, so that what is read at a step lies close together: reading them takes half of all time.
    """

    def __init__(self, weights: Weights, rows: int):
        self.weights, self.rows, self.position = weights, rows, 0
        size = (rows * weights.kv_heads, ROOM, weights.head_size)
        self.cache = [[torch.empty(size), torch.empty(size)] for _ in weights.layers]

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with the rows of these numbers (int64, ascending) and let the others leave."""
        for pair in self.cache:
            pair[:] = [block.view(self.rows, -1, *block.shape[1:])[rows].flatten(0, 1) for block in pair]
        self.rows = len(rows)

    def step(self, ids: torch.Tensor) -> torch.Tensor:
        """Feed one id a row, int64 [rows]; logits of the next, float32 [rows, vocabulary]."""
        w, at = self.weights, self.position
        if at and at % ROOM == 0:
            for pair in self.cache:
                pair[:] = [F.pad(block, (0, 0, 0, ROOM)) for block in pair]
        x = F.embedding(ids, w.embedding)
        for layer, blocks in zip(w.layers, self.cache, strict=True):
            attended = F.linear(self._attend(_norm(x, layer.norm_in, w), layer, *blocks), *layer.out)
            if w.parallel:
                x = x + attended + _mlp(x, layer, w)
            else:
                x = x + attended
                x = x + _mlp(x, layer, w)
        self.position = at + 1
        return F.linear(_norm(x, w.norm, w), *w.head)

    def _attend(self, x: torch.Tensor, layer: Layer, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        w, at = self.weights, self.position
        qkv = F.linear(x, *layer.qkv).view(self.rows, -1, w.head_size)
        qk = qkv[:, : w.heads + w.kv_heads]
        if layer.norm_q:
            qk = torch.cat([_norm(qk[:, : w.heads], layer.norm_q, w), _norm(qk[:, w.heads :], layer.norm_k, w)], 1)
        qk = _rotate(qk, w.cos[at], w.sin[at])
        keys[:, at] = qk[:, w.heads :].reshape(-1, w.head_size)
        values[:, at] = qkv[:, w.heads + w.kv_heads :].reshape(-1, w.head_size)
        q = qk[:, : w.heads].reshape(self.rows * w.kv_heads, -1, w.head_size)
        scores = torch.baddbmm(q.new_empty(1), q, keys[:, : at + 1].transpose(1, 2), beta=0, alpha=w.head_size**-0.5)
        return torch.bmm(torch.softmax(scores, -1), values[:, : at + 1]).view(self.rows, -1)


def engine(model, *, eos: Sequence[int], temperature: float, max_new_tokens: int) -> Draw:
    """Draws one block, for a Hugging Face model in float32; a prompt is one id, since a block walks in step.

    Raises:
        Refused: when the architecture is not written out here, or (by the returned function) when a prompt is longer.
    """
    weights, ends = read_weights(model, max_new_tokens), torch.tensor(eos)

    @torch.inference_mode()
    def block(prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Sample]:
        if any(len(prompt) != 1 for prompt in prompts):
            raise Refused("key engine: pocket begins a text with one id, BOS; use hf or vllm for prompts")
        u = torch.from_numpy(uniforms(seeds, max_new_tokens).T.copy())
        ids = torch.empty(len(seeds), max_new_tokens, dtype=torch.int32)
        length = torch.full((len(seeds),), max_new_tokens)
        walk = Walk(weights, len(seeds))
        rows = torch.arange(len(seeds))
        alive = torch.ones(len(seeds), dtype=torch.bool)
        token = torch.tensor([prompt[0] for prompt in prompts])
        for step in range(max_new_tokens):
            token = choose(cumulative(walk.step(token), temperature), u[step, rows])
            ids[rows, step] = token.int()
            ended = alive & torch.isin(token, ends)
            if ended.any():
                length[rows[ended]] = step
                alive &= ~ended
                left = int(alive.sum())
                if not left:
                    break
                if left <= KEEP * len(rows):
                    walk.keep(alive.nonzero()[:, 0])
                    rows, token, alive = rows[alive], token[alive], alive[alive]
        return [Sample(row[:n].copy(), n < max_new_tokens) for row, n in zip(ids.numpy(), length.tolist(), strict=True)]

    return block
