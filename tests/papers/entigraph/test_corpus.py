"""Corpora: planted exponents, documents that a budget ended left out, counts from cards, files that come out the same."""

import json
from math import comb

import numpy as np
import pandas as pd
import pytest

from papers.entigraph import corpus
from scripts.audits.sizes import sizes
from scripts.lib import claims
from scripts.lib.documents import document, write_documents
from scripts.lib.files import write_card

CLAIMS = "papers/entigraph/claims.yaml"
SERIES = ("entigraph", "rephrase", "qa")
ROW = {
    "name": "entigraph/corpus",
    "scale": "laptop",
    "growth": "entigraph-sizes",
    "corpora": {series: f"{series}-books" for series in SERIES},
}


def grown(entities=(12, 15, 18, 21, 24), copies=2, length=lambda n, kind: 100 * (12 / n) ** 0.25, ended=0):
    """Sizes of documents of which everything was asked for, but for ``ended`` triples of each that a budget ended."""
    lines = []
    for copy in range(copies):
        for n in entities:
            rng = np.random.default_rng(n * 10 + copy)
            for kind, number in (("entities", 1), ("pair", comb(n, 2)), ("triple", comb(n, 3) - ended)):
                tokens = rng.poisson(length(n, kind), number)
                about = {"document": f"{n}-{copy}", "kind": kind, "entities": n, "source_tokens": 20 * n}
                lines.append(pd.DataFrame({**about, "tokens": tokens, "named": {"pair": 2, "triple": 3}.get(kind, 0)}))
    return pd.concat(lines, ignore_index=True)


def verdicts(table, scale="laptop"):
    entries = claims.read_claims(CLAIMS, "corpus")
    judged = claims.judge(entries, corpus.findings(corpus.grown(table), entries), scale)
    return {entry["claim"]: entry for entry in judged}


def test_texts_grow_as_their_number():
    found = verdicts(grown())
    assert {entry["verdict"] for entry in found.values()} == {"reproduced"}
    for name, k in (("corpus-pairs", 2), ("corpus-triples", 3)):
        n = np.array([12, 15, 18, 21, 24])
        expected = np.polyfit(np.log(n), np.log([comb(one, k) for one in n]), 1)[0] - 0.25 - k
        assert found[name]["estimate"] == pytest.approx(expected, abs=0.02) and found[name]["documents"] == 10


def test_other_lengths_are_other_exponents():
    """Texts that grow with the document themselves, and ones that shrink with it."""
    longer = verdicts(grown(length=lambda n, kind: 10 * n))
    assert longer["corpus-pairs"]["estimate"] == pytest.approx(1.09, abs=0.05)
    assert {entry["verdict"] for entry in longer.values()} == {"not reproduced"}
    shorter = verdicts(grown(length=lambda n, kind: 3e5 / n**2))
    assert {entry["verdict"] for entry in shorter.values()} == {"not reproduced"}


def test_documents_that_a_budget_ended_tell_of_pairs_alone():
    found = verdicts(grown(ended=1))
    assert found["corpus-pairs"]["verdict"] == "reproduced"
    assert found["corpus-triples"]["verdict"] == found["corpus-growth"]["verdict"] == "undecided"
    assert verdicts(grown(entities=(12,), copies=6))["corpus-pairs"]["verdict"] == "undecided"


def test_the_exponent_is_that_of_a_reference_fit():
    rng = np.random.default_rng(0)
    n = rng.integers(5, 40, 30).astype(float)
    tokens = np.exp(2.2 * np.log(n) + rng.normal(0, 0.2, 30))
    slope, low, high = corpus.exponent(n, tokens, 0.05)
    coefficients, covariance = np.polyfit(np.log(n), np.log(tokens), 1, cov="unscaled")
    rest = np.log(tokens) - np.polyval(coefficients, np.log(n))
    error = np.sqrt(covariance[0, 0] * (rest**2).sum() / 28)
    assert slope == pytest.approx(coefficients[0]) and (high - low) / 2 == pytest.approx(1.701131 * error, rel=1e-5)


def test_sizes_of_texts_by_their_parents():
    made = [
        document("b", source="c", parent_ids=["p"], meta={"kind": "pair", "entities": ["A", "B"]}),
        document("a", source="c", parent_ids=["p"], meta={"kind": "entities"}),
        document("c", source="c", parent_ids=["p"], meta={"kind": "pair", "entities": ["A", "C"]}),
        document("d", source="c", parent_ids=["q"], meta={"kind": "qa"}),
    ]
    table = sizes(pd.DataFrame(made), [5, 6, 7, 8], {"p": 50, "q": 60})
    assert table["entities"].tolist() == [3, 3, 3, 0] and table["named"].tolist() == [2, 0, 2, 0]
    assert table["source_tokens"].tolist() == [50, 50, 50, 60] and table["kind"].tolist() == ["pair", "entities", "pair", "qa"]


def make(folder):
    folder.mkdir()
    growth, paths, reports = folder / "growth.parquet", [], []
    grown().to_parquet(growth)
    for i, series in enumerate(SERIES):
        paths.append(folder / f"{series}.parquet")
        table = grown(entities=(12,), copies=1, length=lambda n, kind, i=i: 60 + 40 * i)
        table.to_parquet(paths[-1])
        calls = {"pair": {"calls": 66, "tokens_in": 20000, "tokens_out": 9000}}
        counts = {"documents": 2, "source_tokens": 480, "texts_tokens": int(table["tokens"].sum()), "corpus": {"calls": calls}}
        write_card(paths[-1], row={"name": series}, code="c", counts=counts)
        reports.append(folder / f"{series}.json")
        documents = {"synthesized": len(table), "exact duplicate": 0, "contaminated": 1}
        reports[-1].write_text(json.dumps({"documents": documents, "near_duplicates": {"rate": 0.1 * i}}))
    out = [folder / f"corpus.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
    corpus.corpus(str(growth), [*map(str, paths)], [*map(str, reports)], CLAIMS, *map(str, out), row=ROW, code="c")
    return out


def test_files_hold_what_is_drawn_and_come_out_the_same(tmp_path):
    for one, other in zip(make(tmp_path / "one"), make(tmp_path / "two"), strict=True):
        assert one.read_bytes() == other.read_bytes()
    table = pd.read_csv(tmp_path / "one/corpus.csv")
    amount = table[table["panel"] == "amount"].set_index("series")
    assert amount.loc["qa", "near_duplicates"] == 0.2 and amount.loc["rephrase", "calls"] == 66
    assert amount.loc["entigraph", "times_source"] == pytest.approx(amount.loc["entigraph", "tokens"] / 480, rel=1e-4)
    shares = table[(table["panel"] == "length") & (table["series"] == "entigraph")]["value"].sum()
    assert 98 < shares <= 100 + 1e-3  # written with seven digits
    slopes = table[table["panel"] == "slope"].set_index("part")["value"]
    assert slopes["together"] == pytest.approx(2.9, abs=0.2)


def test_smoke_draws_what_a_budget_ended_and_judges_nothing(tmp_path):
    table = grown(ended=1)
    table = table[table["kind"] == "triple"]
    one_pair = table.iloc[:1].assign(kind="pair", entities=2, document="x")  # the only one that the budget left
    table = pd.concat([table, one_pair])
    entries = claims.read_claims(CLAIMS, "corpus")
    documents = corpus.grown(table)
    assert documents.empty and {"part", "tokens"} <= set(documents)
    judged = claims.judge(entries, corpus.findings(documents, entries), "smoke")
    assert {entry["verdict"] for entry in judged} == {"not comparable"}
    shown = corpus.plotted(documents, [], {"entigraph": np.array([5, 6])})
    assert set(shown["panel"]) == {"slope", "length"}


def test_a_corpus_is_measured(tmp_path):
    pytest.importorskip("tokenizers")
    from scripts.audits.sizes import measure
    from scripts.lib.files import read_card
    from scripts.models.tokenizer import save_tokenizer, train_tokenizer

    texts = ["One two three.", "Four five six seven."]
    (tmp_path / "tokenizer").mkdir()
    save_tokenizer(train_tokenizer(texts, 300, "<b>", "<e>"), tmp_path / "tokenizer", "<b>", "<e>")
    source = [document(text, source="s", index=i) for i, text in enumerate(texts)]
    write_documents(tmp_path / "source.parquet", source, row={"name": "s"}, code="c")
    made = [document(texts[0], source="k", index=0, parent_ids=[source[1]["id"]], meta={"kind": "qa"})]
    counts = {"calls": {"qa": {"calls": 3}}, "tokens": 4}
    write_documents(tmp_path / "corpus.parquet", made, row={"name": "k"}, code="c", counts=counts)
    out = tmp_path / "sizes.parquet"
    measure(tmp_path / "corpus.parquet", tmp_path / "source.parquet", tmp_path / "tokenizer", out, code="c")
    table, found = pd.read_parquet(out), read_card(out)["counts"]
    assert found["documents"] == 2 and found["corpus"]["calls"] == {"qa": {"calls": 3}}
    assert found["texts_tokens"] == table["tokens"].sum() and table["source_tokens"].item() < found["source_tokens"]
