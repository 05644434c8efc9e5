"""Architectures: the row of a scratch model -> a Qwen2, Qwen3, Llama or GPT-NeoX with random weights.

Reads nothing but the row and the ids of BOS and EOS; makes a model in memory. Widths are small, so every detail that is free
follows the families: Qwen2, Qwen3 and Llama have tied embeddings, RMSNorm, rotary positions and SwiGLU, Qwen2 biases in its
attention too, Qwen3 norms of queries and keys (which makes it a Llama with QK-norm); GPT-NeoX, as Pythia, has LayerNorm, a
parallel residual, rotary positions on a quarter of each head, and an output matrix of its own.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONTEXT = 2048  # positions a model may see, or twice its training block, if that is more


def make_model(row: dict, vocabulary: int, bos: int, eos: int, seed: int) -> "PreTrainedModel":
    """A model of ``row`` (architecture, hidden, layers, heads, feedforward, maybe kv_heads), weights from ``seed``, float32.

    The ids of BOS and EOS stand in its config and generation config. The draw leaves the global generator as it was.

    Raises:
        ValueError: naming the row and the key, for an unknown architecture or a width that the heads do not divide.
    """
    import torch
    from transformers import (
        GenerationConfig,
        GPTNeoXConfig,
        GPTNeoXForCausalLM,
        LlamaConfig,
        LlamaForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    gated = {"num_key_value_heads": row.get("kv_heads", row["heads"]), "tie_word_embeddings": True}
    kinds = {
        "qwen2": (Qwen2Config, Qwen2ForCausalLM, gated),
        "qwen3": (Qwen3Config, Qwen3ForCausalLM, {**gated, "head_dim": row["hidden"] // row["heads"]}),
        "llama": (LlamaConfig, LlamaForCausalLM, gated),
        "gpt_neox": (GPTNeoXConfig, GPTNeoXForCausalLM, {"tie_word_embeddings": False}),
    }
    if row["architecture"] not in kinds:
        raise ValueError(f"model {row['name']}: architecture is {row['architecture']!r}, expected one of {sorted(kinds)}")
    if row["hidden"] % (2 * row["heads"]):
        raise ValueError(f"model {row['name']}: hidden is {row['hidden']}, expected an even multiple of heads ({row['heads']})")
    config_class, model_class, more = kinds[row["architecture"]]
    config = config_class(
        vocab_size=vocabulary,
        hidden_size=row["hidden"],
        num_hidden_layers=row["layers"],
        num_attention_heads=row["heads"],
        intermediate_size=row["feedforward"],
        max_position_embeddings=max(CONTEXT, 2 * row.get("block", 0)),
        bos_token_id=bos,
        eos_token_id=eos,
        initializer_range=0.02,
        **more,
    )
    config._attn_implementation = "sdpa"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_class(config)
    model.generation_config = GenerationConfig(bos_token_id=bos, eos_token_id=eos, do_sample=True)
    return model


def parameters(model: "PreTrainedModel") -> int:
    """How many numbers the model learns; tied embeddings count once."""
    return sum(p.numel() for p in model.parameters())
