"""The workflow's own tokenizers: what they split, that nothing is added or lost, and that any loader agrees."""

import json

import numpy as np
import pytest

from scripts.lib.documents import document, write_documents
from scripts.lib.files import read_card
from scripts.lib.models import BadModel, load_tokenizer, load_tokenizer_of_transformers, special_token
from scripts.lib.tokens import encode, wrap
from scripts.models.tokenizer import make_tokenizer, sample_texts, save_tokenizer, train_tokenizer

TEXTS = [f"Anna Brook has {n} apples and gives {n // 2} to Tom.\nThen she has {n - n // 2} left!" for n in range(200)]
HARD = ["", " ", "1234567", "  two  spaces\n\n\ttab ", "naïve café 北京 🙂", "he's <|endoftext|> here", "a\r\nb\x00c", "³ ½ ٣"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(train_tokenizer(TEXTS, 320, "<|begin|>", "<|end|>"), path, "<|begin|>", "<|end|>")
    return path


def test_every_text_comes_back(folder):
    tokenizer = load_tokenizer(folder)
    for text, ids in zip(HARD, encode(tokenizer, HARD), strict=True):
        assert ids.dtype == np.int32
        assert tokenizer.decode(ids.tolist(), skip_special_tokens=False) == text


def test_digits_stand_alone_and_words_do_not(folder):
    tokenizer = load_tokenizer(folder)
    pieces = [tokenizer.id_to_token(one) for one in encode(tokenizer, ["apples 1234"])[0].tolist()]
    assert pieces[-4:] == ["1", "2", "3", "4"]
    assert "".join(pieces[:-4]) == "applesĠ"
    assert len(pieces) < len("apples 1234")  # merges happen, between letters
    assert not [token for token in tokenizer.get_vocab() if sum(c.isdigit() for c in token) and len(token) > 1]


def test_no_special_token_is_added_and_none_can_be_spelled(folder):
    tokenizer = load_tokenizer(folder)
    special = {special_token(folder, "bos_token"), special_token(folder, "eos_token")}
    assert special == {0, 1}
    assert tokenizer.encode("apples").ids == encode(tokenizer, ["apples"])[0].tolist()
    assert not special & set(encode(tokenizer, ["gives <|begin|> to <|end|>"])[0].tolist())
    assert special & set(tokenizer.encode("gives <|begin|>").ids)  # the tokenizer itself does recognise it


def test_lone_surrogates_do_not_stop_a_corpus(folder):
    tokenizer = load_tokenizer(folder)
    assert tokenizer.decode(encode(tokenizer, ["a\ud800é"])[0].tolist()) == "a?é"
    assert encode(tokenizer, []) == []


def test_wrap_leaves_a_cut_text_open():
    assert wrap(np.array([7], np.int32), 0, None).tolist() == [0, 7]
    assert wrap(np.array([], np.int32), 3, 4).tolist() == [3, 4]


def test_one_token_can_be_both_ends(tmp_path):
    save_tokenizer(train_tokenizer(TEXTS, 280, "<|endoftext|>", "<|endoftext|>"), tmp_path, "<|endoftext|>", "<|endoftext|>")
    assert special_token(tmp_path, "bos_token") == special_token(tmp_path, "eos_token") == 0
    assert load_tokenizer(tmp_path).get_vocab_size() == 280


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_auto_tokenizer_of_a_model_directory_agrees(folder, tmp_path, architecture):
    from transformers import AutoTokenizer

    from scripts.training.architecture import make_model
    from scripts.training.output import save_model

    row = {"name": "m", "architecture": architecture, "hidden": 8, "layers": 1, "heads": 2, "feedforward": 8}
    save_model(make_model(row, 320, 0, 1, seed=0), tmp_path / "m", folder)
    own, auto = load_tokenizer(tmp_path / "m"), AutoTokenizer.from_pretrained(tmp_path / "m")
    texts = [*HARD, "e\u0301tude", "It'S 12"]
    assert [ids.tolist() for ids in encode(own, texts)] == [ids.tolist() for ids in encode(auto.backend_tokenizer, texts)]
    assert auto("apples")["input_ids"] == own.encode("apples").ids


def test_the_form_for_transformers_is_the_same_tokenizer(folder):
    own, theirs = load_tokenizer(folder), load_tokenizer_of_transformers(folder)
    assert [ids.tolist() for ids in encode(own, HARD)] == [ids.tolist() for ids in encode(theirs.backend_tokenizer, HARD)]
    assert (theirs.bos_token_id, theirs.eos_token_id) == tuple(special_token(folder, f"{end}_token") for end in ("bos", "eos"))
    assert len(theirs) == own.get_vocab_size()


def test_a_named_token_may_have_settings_or_be_missing(folder, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    assert special_token(tmp_path, "eos_token") is None
    named = {"eos_token": {"content": "<|end|>", "special": True}, "bos_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(named))
    assert (special_token(tmp_path, "eos_token"), special_token(tmp_path, "bos_token")) == (1, None)


def test_shares_of_characters_and_order_of_sources():
    texts = {"a": ["x" * 10] * 100, "b": ["y" * 7] * 100}
    taken = "".join(sample_texts(texts, {"a": 0.75, "b": 0.25}, 400, seed=1))
    assert 300 <= taken.count("x") < 310
    assert 100 <= taken.count("y") < 107
    numbered = {"a": [str(i) for i in range(50)]}
    assert sample_texts(numbered, {"a": 1.0}, 30, 1) != sample_texts(numbered, {"a": 1.0}, 30, 2)
    swapped = dict(reversed(texts.items()))
    assert sample_texts(texts, {"a": 0.5, "b": 0.5}, 100, 1) == sample_texts(swapped, {"b": 0.5, "a": 0.5}, 100, 1)


def test_made_twice_it_is_the_same_bytes(tmp_path):
    for source in ("one", "two"):
        documents = [document(f"{source} {text}", source=source, index=i) for i, text in enumerate(TEXTS)]
        write_documents(tmp_path / source / "documents.parquet", documents, row={}, code="")
    paths = [str(tmp_path / source / "documents.parquet") for source in ("two", "one")]
    row = {"name": "t", "vocabulary": 290, "mix": {"one": 0.5, "two": 0.5}, "characters": 5000, "bos": "<s>", "eos": "</s>"}
    for out in ("first", "second"):
        make_tokenizer(paths, tmp_path / out, row=row, code="c")
        assert read_card(tmp_path / out)["counts"]["vocabulary"] == 290
    assert (tmp_path / "first/tokenizer.json").read_bytes() == (tmp_path / "second/tokenizer.json").read_bytes()
    config = json.loads((tmp_path / "first/tokenizer_config.json").read_text())
    assert (config["bos_token"], config["eos_token"]) == ("<s>", "</s>")


def test_a_vocabulary_too_small_is_refused():
    with pytest.raises(ValueError, match="vocabulary is 200, expected 258"):
        train_tokenizer(TEXTS, 200, "<s>", "</s>")


def test_a_folder_without_tokenizer_json_is_named(tmp_path):
    with pytest.raises(BadModel, match=r"tokenizer\.json: missing"):
        load_tokenizer(tmp_path)
