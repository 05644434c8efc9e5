"""A model's tokenizer by itself."""

import pytest

from scripts.lib.models import load_tokenizer, special_token
from scripts.models.tokenizer import save_tokenizer, train_tokenizer
from scripts.models.tokenizer_of import copy_tokenizer


def test_it_is_the_model_s_and_of_the_size_that_the_row_says(tmp_path):
    tokenizer = train_tokenizer(["some words, and some more words"] * 9, 280, "<s>", "</s>")
    (tmp_path / "model").mkdir()
    save_tokenizer(tokenizer, tmp_path / "model", "<s>", "</s>")
    row = {"name": "alone", "model": "model", "vocabulary": tokenizer.get_vocab_size()}
    copy_tokenizer(tmp_path / "model", tmp_path / "alone", row=row, code="c")
    assert load_tokenizer(tmp_path / "alone").encode("some words").ids == tokenizer.encode("some words").ids
    assert (special_token(tmp_path / "alone", "bos_token"), special_token(tmp_path / "alone", "eos_token")) == (0, 1)
    with pytest.raises(ValueError, match="row alone, key vocabulary: 5"):
        copy_tokenizer(tmp_path / "model", tmp_path / "other", row={**row, "vocabulary": 5}, code="c")
