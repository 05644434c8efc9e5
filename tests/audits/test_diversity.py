"""Self-BLEU: 1 of texts that are alike, against sacrebleu, and grouped by what texts were written from."""

import pandas as pd
import pytest
from sacrebleu import sentence_bleu

from scripts.audits import diversity
from scripts.lib.documents import document, write_documents
from scripts.lib.files import read_card

TEXTS = [
    "the key that ana forged lies hidden in cathor near the old gate",
    "in cathor near the old gate lies the key that ana forged",
    "ana forged a key and it lies in the harbour of aldmoor",
]


def test_texts_that_are_alike_have_1_and_texts_without_a_common_word_next_to_none():
    assert diversity.self_bleu([TEXTS[0].split()] * 3) == pytest.approx(1)
    assert diversity.self_bleu([["a", "b", "c", "d", "e"], ["f", "g", "h", "i", "j"]]) < 0.05


def test_it_is_the_mean_of_sacrebleus():
    texts = [text.split() for text in TEXTS]
    ends = {"smooth_method": "floor", "smooth_value": 0.1, "tokenize": "none"}
    expected = [sentence_bleu(text, TEXTS[:i] + TEXTS[i + 1 :], **ends).score / 100 for i, text in enumerate(TEXTS)]
    assert diversity.self_bleu(texts) == pytest.approx(sum(expected) / 3, rel=1e-6)


def test_texts_are_compared_with_those_of_their_parent(tmp_path):
    made = [document(text, source="x", index=i, parent_ids=["one", "late"]) for i, text in enumerate(TEXTS)]
    made += [document(TEXTS[0], source="x", index=i) for i in range(2)]  # a book that a run repeats
    made += [document(TEXTS[1], source="x", index=9, parent_ids=["single"])]
    write_documents(tmp_path / "documents.parquet", made, row={}, code="")
    diversity.diversity(tmp_path / "documents.parquet", tmp_path / "out.csv", run="run", code="c0de")
    table = pd.read_csv(tmp_path / "out.csv").set_index("parent")
    assert sorted(table.index) == ["one", TEXTS[0][:40]] and table["run"].eq("run").all()
    assert table.loc[TEXTS[0][:40], "self_bleu"] == 1 and table.loc[TEXTS[0][:40], "texts"] == 2
    assert table.loc["one", "self_bleu"] == pytest.approx(diversity.self_bleu([t.split() for t in TEXTS]), abs=1e-5)
    assert table.loc["one", "distinct"] > table.loc[TEXTS[0][:40], "distinct"] == 0.5
    assert read_card(tmp_path / "out.csv")["counts"] == {"parents": 2}


def test_nothing_to_compare_is_named(tmp_path):
    write_documents(tmp_path / "documents.parquet", [document("a b", source="x")], row={}, code="")
    with pytest.raises(ValueError, match="documents.parquet: no document has two texts"):
        diversity.diversity(tmp_path / "documents.parquet", tmp_path / "out.csv", run="run", code="c")
