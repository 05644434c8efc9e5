"""Pairs: planted neighbours and near-duplicates, a plain search in NumPy, the approximate search, the random ablation."""

import json

import numpy as np
import pytest

from scripts.lib.documents import document, write_documents
from scripts.lib.files import BrokenArtifact, read_card, write_card
from scripts.synthesis import pairs

ROW = {"name": "near", "neighbours": 6, "floor": 0.5, "shingle": 13, "containment": 0.2, "seed": 3}


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def files(folder, texts, vectors):
    """Documents and their embeddings."""
    rows = [document(text, source="s", index=i) for i, text in enumerate(texts)]
    write_documents(folder / "documents.parquet", rows, row={"name": "s"}, code="c")
    np.save(folder / "e.npy", np.asarray(vectors, np.float32))
    write_card(folder / "e.npy", row={}, code="c", documents=read_card(folder / "documents.parquet")["sha256"])
    return folder / "documents.parquet", folder / "e.npy"


def unlike(number, words=40, seed=0):
    """Texts that share no 13 words in a row."""
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{word}" for word in rng.integers(0, 500, words)) for _ in range(number)]


def paired(folder, texts, vectors, name="pairs", **changes):
    """(position of d1, position of d2, similarity) of the pairs, in order; and the card."""
    documents, embeddings = files(folder, texts, vectors)
    out = folder / f"{name}.parquet"
    arguments = {"documents": documents, "embeddings": embeddings, "out": out, "work": folder / "work"}
    pairs.main(["--row", json.dumps(ROW | changes), "--code", "c", *(f"--{key}={value}" for key, value in arguments.items())])
    return read(documents, out), read_card(out)


def read(documents, out):
    place = {one: i for i, one in enumerate(pairs.pq.read_table(documents)["id"].to_pylist())}
    return [(place[one["d1"]], place[one["d2"]], one["similarity"]) for one in pairs.pq.read_table(out).to_pylist()]


def plain(vectors, k, floor):
    """The definition, pair by pair."""
    found = []
    for i, one in enumerate(vectors):
        cosines = [(-float(np.float32(one @ two)), j) for j, two in enumerate(vectors) if j != i]
        found += [(i, j) for minus, j in sorted(cosines)[:k] if -minus >= floor]
    return found


@pytest.mark.parametrize(("block", "base"), [(4096, 1 << 17), (7, 16), (50, 11)])
def test_against_a_plain_search_whatever_the_blocks(tmp_path, monkeypatch, block, base):
    monkeypatch.setattr(pairs, "BLOCK", block)
    monkeypatch.setattr(pairs, "BASE", base)
    vectors = unit(np.random.default_rng(1).standard_normal((90, 6)))
    found, card = paired(tmp_path, unlike(90), vectors)
    assert [(i, j) for i, j, _ in found] == plain(vectors, 6, 0.5)
    assert all(similarity == pytest.approx(vectors[i] @ vectors[j], abs=1e-5) for i, j, similarity in found)
    assert card["counts"]["below_floor"] == 90 * 6 - len(found) > 0 and card["search"] == "exact"
    assert not (tmp_path / "work").exists()


def test_the_floor_and_the_number_of_neighbours_are_kept(tmp_path):
    vectors = unit(np.random.default_rng(2).standard_normal((40, 5)))
    every, _ = paired(tmp_path, unlike(40), vectors, floor=-2, neighbours=3)
    assert len(every) == 120
    some, card = paired(tmp_path, unlike(40), vectors, floor=0.8, neighbours=3)
    assert some == [one for one in every if one[2] >= 0.8] and 0 < len(some) < 120
    assert card["counts"]["documents_with_pairs"] == len({i for i, *_ in some})


def test_planted_neighbours_are_found_and_near_duplicates_left_out(tmp_path):
    rng = np.random.default_rng(3)
    texts, centres = unlike(60), rng.standard_normal((20, 16))
    vectors = unit(np.repeat(centres, 3, axis=0) + 0.2 * rng.standard_normal((60, 16)))  # 3 i, 3 i + 1, 3 i + 2 are related
    texts[1] = texts[0]  # the same text
    texts[4] = texts[3] + " and a few words more at the end"
    words = texts[6].split()
    texts[7] = " ".join([*words[:20], "other", *words[21:]])  # one word of 40: 15 of 28 n-grams stay
    texts[10] = " ".join(texts[9].split()[:12] + texts[10].split())  # twelve words in a row are no n-gram of 13
    texts[12], texts[13] = "too short", "too short"  # one n-gram each, all their words
    texts[15], texts[16] = "", ""
    found, card = paired(tmp_path, texts, vectors)
    near = {frozenset(pair) for pair in [(0, 1), (3, 4), (6, 7), (12, 13)]}
    within = {(i, j) for c in range(20) for i in range(3 * c, 3 * c + 3) for j in range(3 * c, 3 * c + 3) if i != j}
    expected = {pair for pair in within if frozenset(pair) not in near}
    assert {(i, j) for i, j, _ in found} >= expected
    assert not [pair for pair in found if frozenset(pair[:2]) in near]
    assert card["counts"]["near_duplicates"] == 8
    kept, card = paired(tmp_path, texts, vectors, containment=1.01)
    assert {(i, j) for i, j, _ in kept} >= within and card["counts"]["near_duplicates"] == 0


def test_equal_documents_do_not_hide_the_document_itself(tmp_path):
    """More copies of a vector than neighbours asked for: never a pair of a document with itself, ties by position."""
    vectors = unit(np.ones((12, 4)))
    found, _ = paired(tmp_path, unlike(12), vectors, neighbours=2)
    assert [(i, j) for i, j, _ in found] == [(i, j) for i in range(12) for j in [one for one in range(12) if one != i][:2]]


def test_the_same_pairs_again(tmp_path):
    vectors = unit(np.random.default_rng(4).standard_normal((50, 8)))
    paired(tmp_path, unlike(50), vectors, "one")
    paired(tmp_path, unlike(50), vectors, "two")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_the_approximate_search_and_its_recall(tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "EXACT", 100)
    monkeypatch.setattr(pairs, "PROBED", 24)
    monkeypatch.setattr(pairs, "BLOCK", 300)
    vectors = unit(np.random.default_rng(5).standard_normal((900, 8)))
    found, card = paired(tmp_path, unlike(900, 15), vectors, floor=-1)
    assert card["search"] == "IVF120,SQ8, 24 probed" and card["recall_of"] == 900
    true = set(plain(vectors, 6, -1))
    assert card["recall"] == pytest.approx(len({(i, j) for i, j, _ in found} & true) / len(true), abs=1e-4)
    assert 0.85 < card["recall"] < 1
    assert all(similarity == pytest.approx(vectors[i] @ vectors[j], abs=1e-5) for i, j, similarity in found[:500])
    monkeypatch.setattr(pairs, "PROBED", 1)
    _, fewer = paired(tmp_path, unlike(900, 15), vectors, floor=-1)
    assert fewer["recall"] < card["recall"] - 0.2, "recall is measured, not assumed"


def test_random_pairs_keep_d1_and_draw_d2_evenly(tmp_path):
    vectors = unit(np.random.default_rng(6).standard_normal((30, 5)))
    found, card = paired(tmp_path, unlike(30), vectors, floor=0)
    documents, embeddings, of = tmp_path / "documents.parquet", tmp_path / "e.npy", tmp_path / "pairs.parquet"
    out = tmp_path / "random.parquet"
    pairs.pair_at_random(documents, embeddings, of, out, row={"name": "random", "seed": 1}, code="c")
    drawn = read(documents, out)
    assert [i for i, *_ in drawn] == [i for i, *_ in found] and not [i for i, j, _ in drawn if i == j]
    assert all(similarity == pytest.approx(vectors[i] @ vectors[j], abs=1e-5) for i, j, similarity in drawn)
    assert read_card(out)["mean_similarity"] < 0.2 < card["mean_similarity"]
    pairs.pair_at_random(documents, embeddings, of, tmp_path / "r2.parquet", row={"name": "random", "seed": 2}, code="c")
    assert drawn != read(documents, tmp_path / "r2.parquet")
    many = pairs.at_random(np.full(30_000, 4), 6, 0)
    assert np.bincount(many, minlength=6)[4] == 0 and abs(np.bincount(many)[[0, 1, 2, 3, 5]] - 6000).max() < 400


def test_files_that_do_not_belong_together_are_named(tmp_path):
    vectors = unit(np.random.default_rng(7).standard_normal((8, 5)))
    documents, embeddings = files(tmp_path, unlike(8), vectors)
    write_documents(tmp_path / "documents.parquet", [document("x", source="s")], row={"name": "s"}, code="c")
    with pytest.raises(BrokenArtifact, match="e.npy: its vectors are of other documents"):
        pairs.pair(documents, embeddings, tmp_path / "o.parquet", tmp_path / "w", row=ROW, code="c")
    arguments = {"documents": documents, "embeddings": embeddings, "out": tmp_path / "o.parquet", "work": tmp_path / "w"}
    with pytest.raises(SystemExit, match="near: .*e.npy"):
        pairs.main(["--row", json.dumps(ROW), "--code", "c", *(f"--{key}={value}" for key, value in arguments.items())])
