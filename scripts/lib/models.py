"""Models as Hugging Face directories: config.json, generation_config.json, *.safetensors, tokenizer.json; nothing else is read.

Pickled weights and remote code are refused; BOS and EOS come from config.json, since tokenizers disagree about them.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib.files import BrokenArtifact

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BUFFERS = (".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias")  # which are computed, and were once saved


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


def tensors_of(
    folder: str | Path, shapes: Mapping[str, Sequence[int]], may_lack: Collection[str] = ()
) -> Iterator[tuple[str, "torch.Tensor"]]:
    """Yield name and tensor of a directory's safetensors, checked; buffers that old checkpoints hold besides are left out.

    Args:
        folder: the directory.
        shapes: what is expected, name -> shape. GPT-NeoX's head is lm_head, though it is saved under its old name too.
        may_lack: names that may be missing: of two tied tensors one is saved.

    Raises:
        BrokenArtifact: naming the file that cannot be read, or holds a tensor that is of another shape or not finite; or the
            folder, when a tensor is missing or foreign.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        raise BrokenArtifact(f"{folder}: no *.safetensors; pickled weights are not loaded, convert them first")
    found = set()
    for file in files:
        try:
            tensors = load_file(file)
        except (SafetensorError, OSError, ValueError) as error:
            raise BrokenArtifact(f"{file}: cannot be read as safetensors ({error}); let it be made again") from None
        for name, tensor in tensors.items():
            if name not in shapes and name.endswith(BUFFERS):
                continue
            name = name if name in shapes else name.replace("embed_out.", "lm_head.")
            if name not in shapes or tuple(tensor.shape) != tuple(shapes[name]):
                expected = tuple(shapes[name]) if name in shapes else "no such tensor"
                raise BrokenArtifact(f"{file}: {name} is of shape {tuple(tensor.shape)}, expected {expected}")
            if not torch.isfinite(tensor).all():
                raise BrokenArtifact(
                    f"{file}: {name} holds values that are not finite; training has diverged or the file is damaged"
                )
            found.add(name)
            yield name, tensor
    if missing := [name for name in shapes if name not in found and name not in may_lack]:
        raise BrokenArtifact(f"{folder}: its safetensors lack {', '.join(missing[:3])}; expected all of its architecture")


def special_token(folder: str | Path, key: str) -> int | None:
    """The id of the token that tokenizer_config.json names under ``key`` (bos_token, eos_token); None where it names none."""
    path = Path(folder) / "tokenizer_config.json"
    token = json.loads(path.read_text(encoding="utf-8")).get(key) if path.is_file() else None
    token = token["content"] if isinstance(token, dict) else token
    return None if token is None else load_tokenizer(folder).token_to_id(token)


def load_tokenizer(folder: str | Path) -> "Tokenizer":
    """The tokenizer of a directory, exactly as its tokenizer.json says.

    Raises:
        BadModel: when there is no tokenizer.json.
    """
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(_tokenizer_json(folder)))


def load_tokenizer_of_transformers(folder: str | Path) -> "PreTrainedTokenizerFast":
    """The same tokenizer in the form that transformers and lm-eval's own models want, chat template included.

    AutoTokenizer would look at config.json first and rebuild a Qwen2 tokenizer with the normaliser and splitting of its own.

    Raises:
        BadModel: when there is no tokenizer.json.
    """
    from transformers import PreTrainedTokenizerFast

    _tokenizer_json(folder)
    return PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)


def _tokenizer_json(folder: str | Path) -> Path:
    path = Path(folder) / "tokenizer.json"
    if not path.is_file():
        raise BadModel(f"{path}: missing; only fast tokenizers are loaded")
    return path
