"""Token budgets: equal, disjoint, independent of order; and what is said when a corpus is too small."""

import re

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from scripts.curation import budget
from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card

RUN = {"name": "Wren-on-x", "corpus": "x", "tokens": 5000, "subsets": 3}
CORPUS = {"name": "x", "method": "bos", "samples": 400}


def sums(subset, tokens, subsets=3):
    return [int(tokens[subset == s].sum()) for s in range(subsets)]


@pytest.mark.parametrize("low, high", [(1, 20), (20, 120), (50, 256), (120, 130), (1, 900)])
@pytest.mark.parametrize("seed", range(3))
def test_budgets_are_equal_and_subsets_disjoint(low, high, seed):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(low, high + 1, 40000 // high + 400)
    ids = [f"{n:08x}" for n in rng.permutation(len(tokens))]
    subset = budget.assign(ids, tokens, row=RUN, corpus=CORPUS)
    found = sums(subset, tokens)
    assert all(abs(one - 5000) <= 25 for one in found), found
    assert max(found) / min(found) <= 1.01
    assert set(subset.tolist()) == {-1, 0, 1, 2}


def test_the_assignment_does_not_depend_on_file_order_but_on_the_corpus():
    rng = np.random.default_rng(0)
    tokens, ids = rng.integers(20, 120, 900), [f"{n:08x}" for n in range(900)]
    subset = budget.assign(ids, tokens, row=RUN, corpus=CORPUS)
    expected = dict(zip(ids, subset.tolist(), strict=True))
    order = rng.permutation(900)
    again = budget.assign([ids[i] for i in order], tokens[order], row=RUN, corpus=CORPUS)
    assert dict(zip([ids[i] for i in order], again.tolist(), strict=True)) == expected
    other = budget.assign(ids, tokens, row=RUN, corpus={**CORPUS, "name": "y"})
    assert other.tolist() != subset.tolist()
    fewer = budget.assign(ids, tokens, row={**RUN, "subsets": 1}, corpus=CORPUS)
    assert (fewer == 0).tolist() == (subset == 0).tolist(), "a control with one subset trains on what the first subset holds"


def test_long_documents_are_not_passed_over_but_at_the_end():
    rng = np.random.default_rng(3)
    tokens, ids = rng.integers(20, 256, 3000), [f"{n:08x}" for n in range(3000)]
    subset = budget.assign(ids, tokens, row={**RUN, "tokens": 48000}, corpus=CORPUS)
    assert abs(tokens[subset >= 0].mean() - tokens[budget.seeded_order("x", ids)][: (subset >= 0).sum()].mean()) < 1


def test_an_exchange_meets_the_budget_where_taking_in_order_does_not():
    tokens = np.array([600, 300, 60, 100, 90])
    taken = budget.fill(tokens, 1000)
    assert tokens[taken].sum() == 1000  # in order: 600 + 300 + 60, and nothing of 40 is left
    assert budget.fill(np.array([128] * 50), 1000) is None


def test_too_small_says_what_to_raise():
    tokens, ids = np.full(200, 50), [f"{n:08x}" for n in range(200)]
    with pytest.raises(budget.TooSmall) as error:
        budget.assign(ids, tokens, row=RUN, corpus=CORPUS)
    text = str(error.value)
    assert "runs: Wren-on-x: 3 subsets of 5000 tokens need 15000 tokens" in text
    assert "corpora: x has 10000 in 200 documents once curated" in text
    to = int(re.search(r"raise samples of corpora: x from 400 to (\d+)", text)[1])
    assert 600 < to < 700
    more = [f"{n:08x}" for n in range(to // 2)]  # half of the samples survived, as before
    assert set(budget.assign(more, np.full(to // 2, 50), row=RUN, corpus=CORPUS).tolist()) >= {0, 1, 2}


def test_too_small_names_the_corpus_that_is_shuffled():
    corpus = {"name": "shuffled", "method": "shuffle", "corpus": "parent"}
    with pytest.raises(budget.TooSmall, match="raise samples of corpora: parent, which it shuffles, by a factor of 1.58"):
        budget.assign([f"{n}" for n in range(200)], np.full(200, 50), row=RUN, corpus=corpus)


def test_too_small_names_the_budget_of_a_generated_corpus():
    tokens, ids = np.full(30, 100), [f"{n:08x}" for n in range(30)]
    with pytest.raises(budget.TooSmall, match="raise tokens of corpora: x from 3100 to 16275"):
        budget.assign(ids, tokens, row=RUN, corpus={"name": "x", "method": "entigraph", "tokens": 3100})


def test_a_run_that_may_repeat_goes_through_its_documents_pass_after_pass():
    rng = np.random.default_rng(4)
    tokens, ids = rng.integers(220, 250, 40), [f"{n:08x}" for n in range(40)]
    row = {**RUN, "tokens": 27_500, "subsets": 1, "repeat": True}
    passes = budget.passes_of(tokens, row)
    subset = budget.assign(ids, tokens, row=row, corpus=CORPUS, passes=passes).reshape(passes, 40)
    assert abs(int(tokens @ (subset == 0).sum(axis=0)) - 27_500) <= 137
    times = (subset == 0).sum(axis=0)  # of each document
    assert times.max() - times.min() <= 2 and 2 <= times.min() and times.max() <= 4  # 27,500 of 9,400 tokens: 2.9 passes
    assert (subset[:2] == 0).mean() > 0.95
    assert budget.passes_of(tokens, {**row, "repeat": False}) == 1


def test_documents_of_the_wrong_sizes_are_told_from_too_few():
    with pytest.raises(
        budget.TooSmall, match=r"subset 0 cannot be filled within 0.5% from the 100 left \(of 128 to 128 tokens\)"
    ):
        budget.assign([f"{n}" for n in range(100)], np.full(100, 128), row={**RUN, "tokens": 1000}, corpus=CORPUS)


def test_no_documents_at_all():
    with pytest.raises(budget.TooSmall, match="corpora: x has 0 in 0 documents"):
        budget.assign([], np.zeros(0, int), row=RUN, corpus=CORPUS)


@pytest.fixture
def tokenizer(tmp_path):
    """One token a word, one for everything unknown."""
    made = Tokenizer(models.WordLevel({"?": 0, "a": 1, "b": 2}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    return folder


def test_apportion_counts_text_and_eos_and_nothing_else(tmp_path, tokenizer):
    rng = np.random.default_rng(0)
    rows = [
        document("a " * int(size), source="s", method="bos", index=i, complete=bool(i % 2), ids=[5] * 999)
        for i, size in enumerate(rng.integers(1, 60, 800))
    ]
    corpus = {**CORPUS, "min_tokens": 10}
    write_documents(tmp_path / "curated.parquet", rows, row=corpus, code="c")
    row = {**RUN, "tokens": 2000}
    budget.apportion(tmp_path / "curated.parquet", tokenizer, tmp_path / "documents.parquet", row=row, code="c")
    out = read_documents(tmp_path / "documents.parquet")
    expected = {r["id"]: r["text"].count("a") + r["complete"] for r in rows}
    assert out["tokens"].tolist() == [expected[one] for one in out["id"]]
    assert out["tokens"].min() == 10
    assert out["id"].is_unique
    assert (abs(out.groupby("subset")["tokens"].sum() - 2000) <= 10).all()
    assert out["subset"].tolist() == sorted(out["subset"])
    counts = read_card(tmp_path / "documents.parquet")["counts"]
    assert counts["curated"] == counts["documents"] + counts["left_over"] + counts["too_short"] == 800
    assert [part["tokens"] for part in counts["subsets"]] == out.groupby("subset")["tokens"].sum().tolist()
    first = (tmp_path / "documents.parquet").read_bytes()
    write_documents(tmp_path / "curated.parquet", rows[::-1], row=corpus, code="c")
    budget.apportion(tmp_path / "curated.parquet", tokenizer, tmp_path / "documents.parquet", row=row, code="c")
    assert (tmp_path / "documents.parquet").read_bytes() == first


def test_apportion_repeats_documents(tmp_path, tokenizer):
    rows = [document(" ".join(["a"] * (20 + n)), source="x", index=n) for n in range(12)]
    write_documents(tmp_path / "curated.parquet", rows, row={"name": "x", "method": "replay", "samples": 12}, code="")
    row = {"name": "run", "tokens": 1000, "subsets": 1, "repeat": True}
    budget.apportion(tmp_path / "curated.parquet", tokenizer, tmp_path / "documents.parquet", row=row, code="")
    found = read_documents(tmp_path / "documents.parquet")
    assert abs(found["tokens"].sum() - 1000) <= 5 and set(found["text"]) == {one["text"] for one in rows}
    counts = read_card(tmp_path / "documents.parquet")["counts"]
    assert (counts["tokens_available"], counts["too_short"]) == (sum(21 + n for n in range(12)), 0)


def test_apportion_writes_nothing_when_the_corpus_is_too_small(tmp_path, tokenizer):
    write_documents(tmp_path / "curated.parquet", [document("a a a", source="s")], row=CORPUS, code="c")
    with pytest.raises(budget.TooSmall):
        budget.apportion(tmp_path / "curated.parquet", tokenizer, tmp_path / "documents.parquet", row=RUN, code="c")
    assert not (tmp_path / "documents.parquet").exists()
