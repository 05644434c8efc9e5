"""Models as Hugging Face directories: config.json, generation_config.json, *.safetensors, tokenizer.json; nothing else is read.

Pickled weights and remote code are refused; BOS and EOS come from config.json, since tokenizers disagree about them.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class BadModel(Exception):
    """A model directory lacks something or holds what must not be loaded; the message names the file and the key."""


def config_of(folder: str | Path) -> dict:
    """config.json as a dict.

    Raises:
        BadModel: when it is missing, or asks for remote code (``auto_map``).
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise BadModel(f"{path}: missing; expected a Hugging Face model directory")
    config = json.loads(path.read_text(encoding="utf-8"))
    if "auto_map" in config:
        raise BadModel(
            f"{path}: key auto_map asks for code from outside; only architectures that transformers itself has are loaded"
        )
    return config


def _special(folder: str | Path, key: str) -> int:
    value = config_of(folder).get(key)
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadModel(
            f"{Path(folder) / 'config.json'}: key {key} is {value!r}, expected a token id; set it in the model's row"
        )
    return value


def bos_of(folder: str | Path) -> int:
    """The id of the token that begins every document (``bos_token_id`` of config.json); raises BadModel when absent."""
    return _special(folder, "bos_token_id")


def eos_of(folder: str | Path) -> int:
    """The id of the token that ends a document (``eos_token_id``, the first if a list); raises BadModel when absent."""
    return _special(folder, "eos_token_id")


def ends_of(folder: str | Path) -> list[int]:
    """The ids that end an answer: all of `eos_token_id` in config.json and in generation_config.json, ascending.

    Models trained on chats name the end of a turn there, beside or in place of the end of a text. Raises BadModel when
    config.json names none.
    """
    ids, path = {eos_of(folder)}, Path(folder) / "generation_config.json"
    for config in (config_of(folder), json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}):
        value = config.get("eos_token_id")
        ids |= set(value) if isinstance(value, list) else set() if value is None else {value}
    return sorted(ids)


def load_model(folder: str | Path, dtype: str = "float32") -> "PreTrainedModel":
    """The causal language model of a directory, on the CPU, in eval mode; safetensors only, never remote code.

    Raises:
        BadModel: when config.json or the safetensors are missing, or the config asks for remote code.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    config_of(folder)
    if not any(Path(folder).glob("*.safetensors")):
        raise BadModel(f"{folder}: no *.safetensors; pickled weights are not loaded, convert them first")
    model = AutoModelForCausalLM.from_pretrained(
        str(folder),
        dtype=getattr(torch, dtype),
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        attn_implementation="sdpa",
    )
    return model.eval()


def load_tokenizer(folder: str | Path) -> "PreTrainedTokenizerFast":
    """The tokenizer of a directory, exactly as its tokenizer.json says.

    AutoTokenizer would look at config.json first and rebuild a Qwen2 tokenizer with the normaliser and splitting of its own.

    Raises:
        BadModel: when there is no tokenizer.json.
    """
    from transformers import PreTrainedTokenizerFast

    if not (Path(folder) / "tokenizer.json").is_file():
        raise BadModel(f"{Path(folder) / 'tokenizer.json'}: missing; only fast tokenizers are loaded")
    return PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
