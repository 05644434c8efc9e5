"""Small tokenizers, random models of three architectures, and corpora of known documents."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from scripts.lib.documents import document, write_documents
from scripts.models.tokenizer import save_tokenizer, train_tokenizer

NAMES = ["Ana", "Boris", "Clara", "Dmitri", "Elena", "Farid", "Greta", "Hugo"]
PLACES = ["Aldmoor", "Brinewick", "Cathor", "Dunhelm", "Estermark"]
TEXTS = [f"{n} lives in {p} and bought {i} apples at the gate; naïve café." for i, n in enumerate(NAMES) for p in PLACES]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(train_tokenizer(TEXTS, 330, "<|bos|>", "<|eos|>"), folder, "<|bos|>", "<|eos|>")
    return folder


@pytest.fixture(scope="session")
def other_tokenizer(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    save_tokenizer(train_tokenizer(TEXTS[:8], 300, "<s>", "</s>"), folder, "<s>", "</s>")
    return folder


def random_model(folder: Path, tokenizer: Path, architecture: str) -> Path:
    """A random model whose predictions differ clearly from token to token, in a folder with the tokenizer."""
    import torch
    import transformers

    kind = {"qwen2": "Qwen2", "llama": "Llama", "gpt_neox": "GPTNeoX"}[architecture]
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
    ids = {"vocab_size": 330, "bos_token_id": 0, "eos_token_id": 1, "max_position_embeddings": 128}
    sizes |= {"num_key_value_heads": 2} if architecture != "gpt_neox" else {}
    config = getattr(transformers, f"{kind}Config")(**sizes, **ids, initializer_range=0.3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        getattr(transformers, f"{kind}ForCausalLM")(config).save_pretrained(folder)
    for file in tokenizer.iterdir():
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory, tokenizer) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {kind: random_model(folder / kind, tokenizer, kind) for kind in ("qwen2", "llama", "gpt_neox")}


def corpus(path: Path, texts, *, ids=None, complete=None, name="corpus", **row) -> Path:
    """curated.parquet of documents with these texts (and sampled ids)."""
    rows = [
        document(
            text,
            source=name,
            index=i,
            ids=None if ids is None else ids[i],
            complete=True if complete is None else complete[i],
        )
        for i, text in enumerate(texts)
    ]
    write_documents(path, rows, row={"name": name, **row}, code="c")
    return path


def suite(folder: Path, items: list[tuple[str, int, str]]) -> Path:
    """A suite's folder with its card."""
    import pandas as pd

    from scripts.lib.files import write_card

    folder.mkdir()
    pd.DataFrame(items, columns=["task", "item", "text"]).to_parquet(folder / "items.parquet", index=False)
    write_card(folder, row={}, code="c")
    return folder


def grow(path: Path, number: int, words: int) -> Path:
    """A corpus of many short documents, written fast, with its card."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from scripts.lib.files import write_card

    rng = np.random.default_rng(0)
    drawn = rng.integers(2, 330, (number, words))
    table = {
        "id": pa.array([f"{i:016x}" for i in range(number)]),
        "text": pa.array([" ".join(map(str, line)) for line in drawn.tolist()]),
        "complete": pa.array(np.ones(number, bool)),
        "ids": pa.array(list(drawn.astype(np.int32)), pa.list_(pa.int32())),
    }
    pq.write_table(pa.table(table), path, compression="zstd")
    write_card(path, row={"name": "many"}, code="c")
    return path


def word_tokenizer(folder: Path) -> Path:
    """One token a number, cut at spaces."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({str(i): i for i in range(330)}, unk_token="0"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    config = {"bos_token_id": 0, "eos_token_id": 1, "vocab_size": 330}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
