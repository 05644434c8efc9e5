"""Shuffle: the same tokens in another order."""

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card
from scripts.lib.models import load_tokenizer
from scripts.lib.tokens import encode
from scripts.synthesis.shuffle import permuted, shuffle

ROW = {"name": "shuffled", "method": "shuffle", "corpus": "parent", "seed": 0}
TEXTS = [f"The keeper of lamp {i} walked to the harbour, and then to mill {i * 7}; naïve café." for i in range(40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shuffle")
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))
    (folder / "tokenizer").mkdir()
    made.save(str(folder / "tokenizer" / "tokenizer.json"))
    rows = [
        document(text, source="s", method="bos", source_model="Wren", index=i, complete=bool(i % 2))
        for i, text in enumerate(TEXTS)
    ]
    write_documents(folder / "parent.parquet", [*rows, document(" ", source="s")], row={"name": "parent"}, code="c")
    return folder


def test_tokens_stay_and_their_order_goes(folder):
    shuffle(folder / "parent.parquet", folder / "tokenizer", folder / "out.parquet", folder / "samples.txt", row=ROW, code="c")
    out, parents = read_documents(folder / "out.parquet"), read_documents(folder / "parent.parquet").set_index("id")
    tokenizer = load_tokenizer(folder / "tokenizer")
    assert len(out) == 40 and set(out["method"]) == {"shuffle"}
    moved = 0
    for line in out.itertuples():
        parent = parents.loc[line.parent_ids[0]]
        (ids,) = encode(tokenizer, [parent.text])
        assert sorted(line.ids) == sorted(ids)
        moved += not np.array_equal(line.ids, ids)
        assert tokenizer.decode(line.ids.tolist()) == line.text
        assert (line.complete, line.source_model) == (parent.complete, "Wren")
    assert moved == 40
    again = sum(len(ids) for ids in encode(tokenizer, out["text"].tolist()))
    counts = read_card(folder / "out.parquet")["counts"]
    assert (counts["tokens"], counts["tokens_encoded_again"]) == (sum(map(len, out["ids"])), again)
    assert (folder / "samples.txt").read_text(encoding="utf-8").startswith("=== ")


def test_a_permutation_belongs_to_corpus_and_document():
    ids = [np.arange(50, dtype=np.int32)] * 2
    one, two = permuted(ids, ["a", "b"], row=ROW)
    assert one.dtype == np.int32 and one.tolist() != two.tolist()
    assert permuted(ids[:1], ["b"], row=ROW)[0].tolist() == two.tolist(), "not on the documents before it"
    assert permuted(ids[:1], ["a"], row={**ROW, "name": "other"})[0].tolist() != one.tolist()
    places = np.mean([permuted(ids[:1], [str(n)], row=ROW)[0] for n in range(2000)], axis=0)
    assert abs(places - 24.5).max() < 4 * 14.43 / 2000**0.5, "every token is equally often at every place"
