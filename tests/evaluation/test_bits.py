"""Bits per byte against a loop over single tokens."""

import math

import numpy as np
import pandas as pd
import pytest

from scripts.evaluation.bits import bits_per_byte, write_bits
from scripts.lib.documents import document, write_documents
from scripts.lib.files import read_card
from scripts.lib.likelihood import nats, windows
from scripts.lib.models import load_model, load_tokenizer

TEXTS = ["Ana lives in Cathor.", "Grüße aus Aldmoor — 12 €!", "", "Boris bought 7 apples at the gate. " * 6]


def loop(model, ids, window=None):
    """The same sum one token at a time, from the whole prefix or from the last ``window`` tokens or fewer."""
    import torch

    total = 0.0
    with torch.no_grad():
        for i in range(1, len(ids)):
            begin = 0
            if window:
                begin = next(start for start, scored, end in windows(len(ids) - 1, window) if scored <= i - 1 < end)
            logits = model(torch.tensor([ids[begin:i].tolist()])).logits[0, -1].double()
            total -= float(logits.log_softmax(-1)[ids[i]])
    return total


@pytest.mark.parametrize("complete", [True, False])
def test_bits_per_byte_by_a_token_loop(base, complete):
    model, tokenizer = load_model(base), load_tokenizer(base)
    frame = pd.DataFrame({"text": TEXTS, "complete": complete})
    found = bits_per_byte(base, frame)
    expected = 0.0
    tokens = 0
    for text in TEXTS:
        ids = np.array([0, *tokenizer.encode(text, add_special_tokens=False).ids, *([1] if complete else [])])
        tokens += len(ids) - 1
        expected += loop(model, ids)
    size = sum(len(text.encode()) for text in TEXTS)
    assert size > sum(map(len, TEXTS)), "some character must take several bytes"
    assert found["bits_per_byte"] == pytest.approx(expected / math.log(2) / size, rel=1e-5)
    assert (found["documents"], found["bytes"], found["tokens"]) == (4, size, tokens)


def test_long_documents_are_read_in_overlapping_windows(base):
    model = load_model(base)
    rng = np.random.default_rng(0)
    sequences = [np.append(0, rng.integers(2, 320, n)) for n in (0, 1, 7, 8, 9, 12, 13, 30)]
    found = nats(model, sequences, window=8, batch=3)
    assert found == pytest.approx([loop(model, ids, 8) for ids in sequences], rel=1e-5, abs=1e-9)
    assert nats(model, sequences, window=8, batch=1) == pytest.approx(found, rel=1e-5)
    assert found[-1] != pytest.approx(nats(model, sequences, window=64)[-1], rel=1e-4), "the window matters"


@pytest.mark.parametrize("length", [1, 5, 8, 9, 12, 13, 40])
def test_windows_score_every_token_once(length):
    pieces = windows(length, 8)
    assert [i for _, scored, end in pieces for i in range(scored, end)] == list(range(length))
    assert all(end - start <= 8 for start, _, end in pieces)
    assert all(scored - start >= 4 for start, scored, _ in pieces[1:])


def test_table_and_card(tmp_path, base, llama, capsys):
    heldout = {}
    for source in ("web", "prose"):
        heldout[source] = tmp_path / source / "documents.parquet"
        rows = [document(text, source=source, index=i) for i, text in enumerate(TEXTS)]
        write_documents(heldout[source], rows, row={}, code="")
    write_bits({"Wren": base, "Finch": llama}, heldout, tmp_path / "bits.csv", row={"name": "bases"}, code="c0de")
    table = pd.read_csv(tmp_path / "bits.csv")
    assert list(table) == ["model", "source", "documents", "bytes", "tokens", "bits_per_byte"]
    assert list(zip(table["model"], table["source"], strict=True)) == [
        (m, s) for m in ("Wren", "Finch") for s in ("web", "prose")
    ]
    assert table["bits_per_byte"][0] != table["bits_per_byte"][2] and (table["bits_per_byte"] > 0).all()
    assert read_card(tmp_path / "bits.csv")["row"] == {"name": "bases"}


def test_no_text_is_an_error(base):
    with pytest.raises(ValueError, match="at least one byte"):
        bits_per_byte(base, pd.DataFrame({"text": [""], "complete": [True]}))
