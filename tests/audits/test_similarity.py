"""Similarity: planted copies, unrelated text, the interface of sentence-transformers, and files."""

import json

import numpy as np
import pandas as pd
import pytest

from scripts import study
from scripts.audits import embedders, similarity
from scripts.lib.files import read_card
from tests.audits.conftest import TEXTS, corpus, suite
from tests.hub_server import REVISION

ITEMS = [
    ("sums", 0, "Question: Ana has 5 boxes of 4 apples. How many apples?\nAnswer: 20"),
    ("sums", 1, "Question: Boris had 9 pears and lost 3. How many pears are left?\nAnswer: 6"),
    ("ends", 0, "Clara packs a bag. And she walks to the station. She buys a ticket. She sleeps."),
    ("ends", 7, "Greta opens the shop. And she counts the money. She greets a customer. She swims."),
]
PROSE = [
    f"The matrix returned by {name} holds one {kind} per axis of the array, and raises an error for {kind} input."
    for name in ("solve", "invert", "factor", "project")
    for kind in ("float", "complex", "sparse", "dense")
]
TASKS = {"sums": {"benchmark": "gsm8k"}, "ends": {"benchmark": "hellaswag"}, "absent": {"benchmark": "math"}}
ROW = {"name": "lsa", "kind": "lsa", "suite": "s", "fit": ["prose", "more"], "documents": 10, "dimensions": 12, "seed": 0}


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    folder = tmp_path_factory.mktemp("space")
    made = suite(folder / "suite", ITEMS)
    sources = [corpus(folder / "prose.parquet", PROSE), corpus(folder / "more.parquet", TEXTS)]
    embedders.make(made / "items.parquet", sources, folder / "lsa", row=ROW, code="c")
    return folder


def audited(space, tmp_path, texts, tasks=TASKS):
    path = corpus(tmp_path / "curated.parquet", texts)
    out, items = tmp_path / "out.parquet", tmp_path / "out.items.parquet"
    arguments = ["--row", json.dumps(ROW), "--tasks", json.dumps(tasks), "--code", "c", "--documents", str(path)]
    arguments += ["--suite", str(space / "suite"), "--embedder", str(space / "lsa"), "--out", str(out), "--items", str(items)]
    similarity.main(arguments)
    return pd.read_parquet(out), pd.read_parquet(items), path


def test_a_planted_copy_stands_at_one_and_unrelated_text_near_zero(space, tmp_path):
    texts = [ITEMS[1][2], ITEMS[3][2], PROSE[5], "xq zzv"]
    table, items, path = audited(space, tmp_path, texts)
    assert list(table) == ["id", "max", "task", "item", "max_sums", "item_sums", "max_ends", "item_ends"]
    assert table["id"].tolist() == pd.read_parquet(path)["id"].tolist()
    assert table["max_sums"][0] == pytest.approx(1, abs=1e-5) and table["max_ends"][1] == pytest.approx(1, abs=1e-5)
    assert (table["task"][0], table["item"][0], table["item_sums"][0]) == ("sums", 1, 1)
    assert (table["task"][1], table["item"][1], table["item_ends"][1]) == ("ends", 7, 7)
    assert table["max_ends"][0] < 0.4 and table["max_sums"][1] < 0.4
    assert table["max"][2] < 0.3, "prose of another kind"
    assert table["max"][3] == 0, "no known word: the zero vector"
    by_item = items.set_index(["task", "item"])
    assert by_item.loc[("sums", 1), "document"] == table["id"][0] and by_item.loc[("ends", 7), "document"] == table["id"][1]
    assert by_item.loc[("sums", 1), "max"] == pytest.approx(1, abs=1e-5) and by_item.loc[("sums", 0), "max"] < 0.9
    card = read_card(tmp_path / "out.parquet")
    assert card["counts"] == {"documents": 4, "items": 4, "documents_without_vector": 1}
    assert card["benchmarks"]["sums"] == "gsm8k"


def test_the_space_is_that_of_scikit_learn_and_does_not_see_the_corpus(space):
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    used = (
        [text for *_, text in ITEMS]
        + embedders.spread(space / "prose.parquet", 10)
        + embedders.spread(space / "more.parquet", 10)
    )
    vectorizer = TfidfVectorizer(analyzer=embedders.terms, sublinear_tf=True, min_df=2)
    svd = TruncatedSVD(12, algorithm="arpack", random_state=1)
    svd.fit(vectorizer.fit_transform(used))
    asked = [ITEMS[0][2], TEXTS[3], PROSE[0]]
    expected = embedders.unit(svd.transform(vectorizer.transform(asked)))
    found = embedders.load_encoder(space / "lsa", ROW)(asked)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=0.02)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert read_card(space / "lsa")["counts"]["texts"] == {"items": 4, "prose": 10, "more": 10}


def test_pieces_do_not_change_the_answer(space, tmp_path, monkeypatch):
    texts = [f"{text} {i}" for i, text in enumerate([*TEXTS, *PROSE])]
    whole, whole_items, _ = audited(space, tmp_path, texts)
    monkeypatch.setattr(similarity, "MOST", 7)
    (tmp_path / "again").mkdir()
    parts, parts_items, _ = audited(space, tmp_path / "again", texts)
    pd.testing.assert_frame_equal(whole, parts)
    pd.testing.assert_frame_equal(whole_items, parts_items)


def test_nearness_of_items_among_themselves():
    vectors = embedders.unit(np.array([[1, 0], [1, 1], [0, 1], [1, 0]], float))
    found = similarity.among(vectors, np.array(["a", "a", "a", "b"], object))
    np.testing.assert_allclose(found, [2**-0.5, 2**-0.5, 2**-0.5, np.nan], rtol=1e-6)


def sentence_model(folder, layers=1):
    """A random BERT of sentence-transformers, saved."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    texts = [text for *_, text in ITEMS] + TEXTS
    words = sorted({word for text in texts for word in embedders.words(text)})
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["[PAD]", "[UNK]", *words])}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    config = BertConfig(
        vocab_size=len(words) + 2, hidden_size=16, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=16
    )
    plain = folder / "plain"
    BertModel(config).save_pretrained(plain)
    PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(plain)
    transformer = Transformer(str(plain))
    SentenceTransformer(modules=[transformer, Pooling(16, "mean")], device="cpu").save(str(folder / "st"))
    return folder / "st"


def test_a_sentence_transformers_directory(tmp_path):
    from sentence_transformers import SentenceTransformer

    row = {"name": "mine", "kind": "path", "path": str(sentence_model(tmp_path)), "prompt": "passage: ", "max_tokens": 32}
    embedders.make(None, [], tmp_path / "made", row=row, code="c")
    encode = embedders.load_encoder(tmp_path / "made", row)
    texts = [ITEMS[0][2], TEXTS[0], "a long text " * 60]
    found = encode(texts)
    model = SentenceTransformer(row["path"], device="cpu")
    model.max_seq_length = 32
    expected = model.encode(texts, prompt="passage: ", normalize_embeddings=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    out = tmp_path / "out.parquet"
    path = corpus(tmp_path / "curated.parquet", [ITEMS[2][2], *TEXTS[:3]])
    frame = pd.DataFrame(ITEMS, columns=["task", "item", "text"])
    similarity.compare(path, frame, encode, out, tmp_path / "items.parquet", tasks=TASKS)
    assert pd.read_parquet(out)["max_ends"][0] == pytest.approx(1, abs=1e-5)


def test_a_llama_without_causal_mask_needs_no_code_of_others(tmp_path, tokenizer):
    """The first token's state depends on the last token, and pooling is the mean: without ``bidirectional`` it would not."""
    import torch
    from transformers import LlamaConfig, LlamaModel

    from tests.audits.conftest import random_model

    random_model(tmp_path / "given", tokenizer, "llama")
    model = LlamaModel(LlamaConfig(**json.loads((tmp_path / "given/config.json").read_text()) | {"pad_token_id": 1}))
    model.save_pretrained(tmp_path / "given")
    path = tmp_path / "given/config.json"
    config = json.loads(path.read_text()) | {"model_type": "llama_bidirec", "auto_map": {"AutoModel": "code.Model"}}
    path.write_text(json.dumps(config))
    row = {"name": "big", "kind": "path", "path": str(tmp_path / "given"), "bidirectional": True}
    with pytest.raises(embedders.BadEmbedder, match="auto_map"):
        embedders.make(None, [], tmp_path / "refused", row={**row, "bidirectional": False}, code="c")
    embedders.make(None, [], tmp_path / "made", row=row, code="c")
    encode = embedders.load_encoder(tmp_path / "made", row)
    from transformers import PreTrainedTokenizerFast

    words = PreTrainedTokenizerFast.from_pretrained(str(tmp_path / "made"))
    texts = [TEXTS[0], TEXTS[11], "gate"]
    for text, vector in zip(texts, encode(texts), strict=True):
        ids = torch.tensor([words(text)["input_ids"]])
        with torch.no_grad():
            every = torch.zeros(1, 1, ids.shape[1], ids.shape[1])  # added to the scores: all see all
            expected = model.eval()(input_ids=ids, attention_mask=every).last_hidden_state[0].mean(0)
            causal = model(input_ids=ids).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(vector, embedders.unit(expected[None].numpy())[0], atol=2e-4)
        if len(ids[0]) > 1:
            assert np.abs(vector - embedders.unit(causal[None].numpy())[0]).max() > 0.01


def test_an_embedder_of_the_hub_brings_neither_pickles_nor_code(loopback, tmp_path, offline_after):
    files = {"config.json": b"{}", "model.safetensors": b"weights", "1_Pooling/config.json": b"{}", "vocab.txt": b"a"}
    more = {"pytorch_model.bin": b"pickle", "code.py": b"raise", "onnx/model.onnx": b"other", ".gitattributes": b""}
    loopback.repos["models/maker/Near"] = {**files, **more}
    row = {"name": "near", "kind": "hub", "repo": "maker/Near", "revision": REVISION, "scale": "gpu"}
    embedders.make(None, [], tmp_path / "made", row=row, code="c")
    offline_after()
    embedders.make(None, [], tmp_path / "again", row=row, code="c")
    for folder in (tmp_path / "made", tmp_path / "again"):
        assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(files)
    with pytest.raises(
        embedders.BadEmbedder, match="near: model maker/Far at .* is not whole in the cache.*replace the row by"
    ):
        embedders.make(None, [], tmp_path / "far", row={**row, "repo": "maker/Far"}, code="c")


def test_an_embedder_that_asks_for_code_costs_no_download_of_weights(loopback, tmp_path):
    files = {"config.json": b'{"auto_map": {}}', "model.safetensors": b"weights", ".gitattributes": b""}
    loopback.repos["models/maker/Near"] = files
    row = {"name": "near", "kind": "hub", "repo": "maker/Near", "revision": REVISION}
    with pytest.raises(embedders.BadEmbedder, match="key auto_map, asks for code from outside"):
        embedders.make(None, [], tmp_path / "made", row=row, code="c")
    assert "model.safetensors" not in loopback.downloaded()


def test_rows_of_every_scale_name_an_embedder_that_can_be_had():
    for scale, tables in study.load().items():
        name = tables["figures"]["fig4"]["embedder"]
        assert tables["embedders"][name]["kind"] == ("lsa" if scale in ("smoke", "laptop") else "hub")
    assert study.load()["paper"]["embedders"]["llama-embed-nemotron-8b"]["bidirectional"] is True
