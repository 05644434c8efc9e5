"""Unigrams against SciPy, and by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scripts.audits import unigrams
from scripts.lib.files import read_card
from scripts.lib.models import load_tokenizer
from scripts.lib.tokens import encode
from tests.audits.conftest import TEXTS, corpus


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    one, other = rng.poisson(3, 500), rng.poisson(5, 500)
    one[:60] = 0
    other[30:90] = 0
    return one, other


def test_divergence_and_entropy_are_scipys(counts):
    one, other = counts
    table = unigrams.compare(one, other, ("a", "b"))
    value = table.set_index(["measure", "of", "smoothing"])["value"]
    half = [(c + 0.5) / (c.sum() + 250) for c in counts]
    pooled = (one + other) / (one.sum() + other.sum())
    mixed = [0.9 * c / c.sum() + 0.1 * pooled for c in counts]
    for smoothing, (p, q) in {"add-half": half, "jelinek-mercer": mixed}.items():
        assert value["kl", "a", smoothing].item() == pytest.approx(stats.entropy(p, q), rel=1e-9)
        assert value["kl", "b", smoothing].item() == pytest.approx(stats.entropy(q, p), rel=1e-9)
        assert p.sum() == pytest.approx(1) and value["kl", "a", smoothing].item() > 0.1
    assert value["entropy", "a", ""].item() == pytest.approx(stats.entropy(one / one.sum()), rel=1e-9)


def test_overlap_and_ranks_by_hand():
    table = unigrams.compare(np.array([6, 3, 1, 0]), np.array([5, 0, 0, 5]), ("a", "b"))
    value = table[table["measure"] != "frequency"].set_index(["measure", "of", "smoothing"])["value"]
    assert value["types", "a", ""] == 3 and value["types", "b", ""] == 2 and value["tokens", "a", ""] == 10
    assert value["overlap_types", "both", ""] == pytest.approx(1 / 4)
    assert value["overlap_tokens", "a", ""] == pytest.approx(0.6) and value["overlap_tokens", "b", ""] == pytest.approx(0.5)
    ranks = table[(table["measure"] == "frequency") & (table["of"] == "a")]
    assert ranks["rank"].tolist() == [1, 2, 3] and ranks["value"].tolist() == [0.6, 0.3, 0.1]
    assert unigrams.ranks(5).tolist() == [1, 2, 3, 4, 5] and unigrams.ranks(100_000)[-1] == 100_000


def test_equal_corpora_do_not_diverge(counts):
    one, _ = counts
    table = unigrams.compare(one, one, ("a", "b"))
    assert np.allclose(table.loc[table["measure"] == "kl", "value"], 0, atol=1e-12)


def test_no_text_and_the_same_corpus_twice_are_errors():
    with pytest.raises(ValueError, match="corpora: b: no tokens"):
        unigrams.compare(np.array([1, 2]), np.array([0, 0]), ("a", "b"))
    with pytest.raises(ValueError, match="two different corpora"):
        unigrams.write_unigrams("x", "x", "t", "o", names=("a", "a"), code="c")


def test_the_file_counts_what_the_tokenizer_cuts(tmp_path, tokenizer):
    one, other = corpus(tmp_path / "a.parquet", TEXTS[:20], name="a"), corpus(tmp_path / "b.parquet", TEXTS[20:], name="b")
    unigrams.write_unigrams(one, other, tokenizer, tmp_path / "u.csv", names=("a", "b"), code="c")
    table = pd.read_csv(tmp_path / "u.csv", keep_default_na=False)
    value = table[table["measure"] != "frequency"].set_index(["measure", "of", "smoothing"])["value"]
    ids = encode(load_tokenizer(tokenizer), TEXTS[:20])
    assert value["tokens", "a", ""] == sum(map(len, ids)) and value["documents", "b", ""] == 20
    assert value["types", "a", ""] == len(set(np.concatenate(ids).tolist()))
    assert [row["name"] for row in read_card(tmp_path / "u.csv")["corpora"]] == ["a", "b"]
