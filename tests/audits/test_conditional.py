"""Likelihood after a prompt: that of `transformers`, of the same tokens after another prompt and after none."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from scripts.audits import conditional
from scripts.lib.documents import document, write_documents
from scripts.lib.files import read_card
from scripts.lib.models import load_model, load_tokenizer
from scripts.lib.tokens import encode
from tests.audits.conftest import TEXTS

ROW = {"block": 96, "documents": 100, "seed": 0}


def audited(folder, model, texts, prompts, complete=None, **changes):
    rows = [
        document(text, source="s", index=i, complete=True if complete is None else complete[i]) | {"prompt": prompt}
        for i, (text, prompt) in enumerate(zip(texts, prompts, strict=True))
    ]
    write_documents(folder / "held.parquet", rows, row={}, code="c", extra={"prompt": pa.string()})
    arguments = {"model": model, "documents": folder / "held.parquet", "out": folder / "out.parquet"}
    row = json.dumps(ROW | changes)
    conditional.main(["--row", row, "--code", "c", *(f"--{key}={value}" for key, value in arguments.items())])
    return pd.read_parquet(folder / "out.parquet")


def plain(model, tokenizer, prompt, text, done):
    """Mean nats of a text after [BOS] prompt [EOS] [BOS], or after BOS alone, by labels of transformers."""
    before = [0] if prompt is None else [0, *encode(tokenizer, [prompt])[0].tolist(), 1, 0]
    after = encode(tokenizer, [text])[0].tolist() + ([1] if done else [])
    labels = torch.tensor([[-100] * len(before) + after])
    with torch.no_grad():
        return model(input_ids=torch.tensor([before + after]), labels=labels).loss.item()


def test_against_transformers(models, tmp_path):
    texts, prompts, complete = TEXTS[:6], TEXTS[10:16], [True, False] * 3
    table = audited(tmp_path, models["qwen2"], texts, prompts, complete)
    model, tokenizer = load_model(models["qwen2"]), load_tokenizer(models["qwen2"])
    swapped = conditional.others(prompts, conditional.seed_of("conditional", 0))
    for i, line in enumerate(table.itertuples()):
        asked = {"nll": prompts[i], "nll_other": prompts[swapped[i]], "nll_alone": None}
        for name, prompt in asked.items():
            expected = plain(model, tokenizer, prompt, texts[i], complete[i])
            assert getattr(line, name) == pytest.approx(expected, abs=1e-4), name
    card = read_card(tmp_path / "out.parquet")
    assert card["nats_per_token"]["nll"] == pytest.approx(np.average(table["nll"], weights=table["tokens"]), abs=1e-5)


def test_long_ones_are_cut_alike_and_the_number_is_kept(models, tmp_path):
    long, short = " ".join(TEXTS[:4]), TEXTS[0]
    table = audited(tmp_path, models["llama"], [long] * 3, [long, short, TEXTS[1]], block=64, documents=2)
    assert len(table) == 2 and table["tokens"].nunique() == 1 and table["tokens"][0] == 65 - 32


def test_another_prompt_is_never_the_same(models, tmp_path):
    prompts = ["a"] * 7 + ["b", "c"]
    found = conditional.others(prompts, 1)
    assert all(prompts[i] != prompts[j] for i, j in enumerate(found))
    with pytest.raises(SystemExit, match="held.parquet: all documents have the same prompt"):
        audited(tmp_path, models["qwen2"], TEXTS[:3], ["a"] * 3)
