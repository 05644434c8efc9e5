"""Small models with weights drawn at random, far enough from uniform that a wrong draw shows."""

import pytest
import torch
import transformers

torch.set_num_threads(1)
KINDS = {
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM, {}),
    "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM, {"head_dim": 12}),
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM, {"num_key_value_heads": 2}),
    "gpt_neox": (transformers.GPTNeoXConfig, transformers.GPTNeoXForCausalLM, {"rotary_pct": 0.25, "num_attention_heads": 2}),
}


@pytest.fixture(scope="session")
def make_model():
    """make_model(kind, seed=0, scale=0.35, **config) -> a causal model in eval mode, float32."""

    def make(kind: str = "qwen2", seed: int = 0, scale: float = 0.35, **config):
        configuration, model, extra = KINDS[kind]
        base = {
            "vocab_size": 40,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "intermediate_size": 48,
            "max_position_embeddings": 128,
            "initializer_range": scale,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "tie_word_embeddings": False,
            **extra,
            **config,
        }
        if kind == "gpt_neox":
            base.pop("num_key_value_heads")
        torch.manual_seed(seed)
        made = model(configuration(**base)).eval()
        with torch.no_grad():
            for name, weights in made.named_parameters():
                if name.endswith("bias") or "norm" in name:
                    weights.add_(torch.randn_like(weights) * scale)
        return made

    return make


@pytest.fixture(scope="session")
def tokenizer():
    """Bytes as tokens: <|endoftext|> is 0, then the 256 bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<|endoftext|>", *alphabet])}
    tokens = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokens.add_special_tokens(["<|endoftext|>"])
    tokens.pre_tokenizer, tokens.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokens, bos_token="<|endoftext|>", eos_token="<|endoftext|>")


@pytest.fixture(scope="session")
def folder(make_model, tokenizer, tmp_path_factory):
    """A model folder whose BOS is its EOS, as in Qwen: one sample in ten or so ends by itself."""
    path = tmp_path_factory.mktemp("models") / "Tiny"
    make_model(vocab_size=257, eos_token_id=0, scale=0.25).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
