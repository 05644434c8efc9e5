"""Quality: each rate on documents made to have it and on documents made not to."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from scripts.audits import quality
from scripts.lib.documents import document, write_documents
from scripts.lib.files import read_card, write_card

RNG = np.random.default_rng(0)


def fresh(number=1, length=40):
    """Texts without a word in common, and with no word twice."""
    texts = [" ".join(f"w{word}" for word in RNG.choice(10**9, length, replace=False)) for _ in range(number)]
    return texts if number > 1 else texts[0]


def test_repetition():
    one = fresh(length=50)
    assert quality.repeated(one) == 0 == quality.repeated("") == quality.repeated("a b c d")
    assert quality.repeated(f"{one} {one}") == pytest.approx(46 / 96)
    assert quality.repeated("a " * 20) == pytest.approx(15 / 16)
    assert quality.repeated("A b! c. d e; a B c d E") == pytest.approx(1 / 6), "case and marks do not hide it"


def test_near_duplicates_and_only_these():
    texts = fresh(300)
    planted = {}
    for i in range(0, 60, 3):
        tokens = texts[i].split()
        texts[i + 100] = " ".join([*tokens, "more"])  # Jaccard 36 / 37
        planted[i + 100] = i
        texts[i + 200] = " ".join([*tokens[:20], "other", "words", "here", *tokens[23:]])  # 29 of 43: below
    found = quality.duplicates(quality.sets_of(texts, 5))
    assert set(np.flatnonzero(found)) == set(planted)
    assert quality.duplicates(quality.sets_of(["", "", "a b", "a b", "a c"], 5)).tolist() == [False, False, False, True, False]
    assert not quality.duplicates([]).size


def test_containment_has_a_direction():
    small, large = "b c d e f g h i j k l m n o", "a b c d e f g h i j k l m n o p q r s t"
    one, two = quality.sets_of([small, large], 13)
    assert (len(one), len(two)) == (2, 8)
    assert (quality.contained(one, two), quality.contained(two, one)) == (1, 0.25)
    assert quality.contained(np.zeros(0, np.uint64), two) == 0


def test_diversity():
    one, two = fresh(2)
    assert quality.distinct([one, two]) == 1 and quality.alike([one, two]) == 0
    assert quality.distinct([one, one]) == 0.5 and quality.alike([one, one]) == 1
    assert quality.alike([one, one, two]) == pytest.approx(1 / 3)
    assert np.isnan(quality.distinct(["a"])) and np.isnan(quality.alike([one]))


def test_relevance():
    mine, parents = pd.Series(["a", "a", None, None, "b"]), pd.Series(["a", "b", "a", None, "b"])
    assert quality.relevant(mine, parents).tolist() == [True, False, False, False, True]


def test_a_sample_is_seeded_and_without_repetition():
    assert quality.sampled(10, 20, 0).tolist() == list(range(10))
    one, same, other = (quality.sampled(1000, 50, seed) for seed in (1, 1, 2))
    assert (one == same).all() and len(set(one)) == 50 and set(one) != set(other)


def files(tmp_path):
    """Ten real documents and what was written after them."""
    real = [document(text, source="real", index=i) for i, text in enumerate(fresh(10))]
    texts = [real[0]["text"], real[5]["text"], *fresh(2), f"{fresh()} again and again and again and again and again and again"]
    texts += [texts[2], ""]
    parents = [0, 1, 2, 2, 3, 4, 4]
    rows = [
        document(text, source="s", method="sbp", index=i, parent_ids=[real[p]["id"]])
        for i, (text, p) in enumerate(zip(texts, parents, strict=True))
    ]
    for name, some in (("real", real), ("synthetic", rows)):
        write_documents(tmp_path / f"{name}.parquet", some, row={"name": name}, code="c")
    subjects = {"real": [f"c{i}" for i in range(10)], "synthetic": ["c0", "c1", "c2", "c9", None, "c4", None]}
    for name, some in (("real", real), ("synthetic", rows)):
        facts, false = ([3] * len(some), [0] * len(some)) if name == "real" else ([3, 3, 3, 2, 0, 1, 0], [0, 0, 1, 2, 0, 0, 0])
        table = pa.table({"id": [one["id"] for one in some], "subject": subjects[name], "facts": facts, "false_facts": false})
        pa.parquet.write_table(table, tmp_path / f"{name}.readings.parquet")
        write_card(tmp_path / f"{name}.readings.parquet", row={}, code="c")
    return real, rows


def run(tmp_path, name, readings=True, sample=100):
    arguments = {"documents": tmp_path / f"{name}.parquet", "real": tmp_path / "real.parquet", "out": tmp_path / "out.parquet"}
    if readings:
        arguments |= {"readings": tmp_path / f"{name}.readings.parquet", "real-readings": tmp_path / "real.readings.parquet"}
    row = json.dumps({"sample": sample, "seed": 0})
    quality.main(["--row", row, "--code", "c", *(f"--{key}={value}" for key, value in arguments.items())])
    return pd.read_parquet(tmp_path / "out.parquet"), read_card(tmp_path / "out.parquet")["rates"]


def test_the_rates_of_planted_documents(tmp_path):
    real, rows = files(tmp_path)
    table, rates = run(tmp_path, "synthetic")
    assert table["id"].tolist() == [row["id"] for row in rows]
    assert table["parent"].tolist() == [row["parent_ids"][0] for row in rows]
    assert table["copied"].tolist() == [1, 0, 0, 0, 0, 0, 0], "the second copies a document that it was not written after"
    assert table["copied_anywhere"].tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert table["duplicate"].tolist() == [False] * 5 + [True, False]
    assert (table["repeated"] > quality.REPEATED).tolist() == [False] * 4 + [True, False, False]
    assert table["relevant"].tolist() == [True, True, True, False, False, True, False]
    expected = {"repetition": 1, "duplicate": 1, "copying": 1, "copying_anywhere": 2, "novel": 5, "non_factual": 2, "silent": 2}
    assert {key: rates[key] for key in expected} == {key: round(n / 7, 6) for key, n in expected.items()}
    assert rates["irrelevant"] == round(3 / 7, 6)
    assert rates["alike"] == 0 and rates["distinct"] == 1, "of the two parents that have two documents"


def test_the_real_documents_themselves(tmp_path):
    files(tmp_path)
    _, rates = run(tmp_path, "real")
    assert {key: rates[key] for key in ("repetition", "duplicate", "non_factual", "silent", "novel")} == dict.fromkeys(
        ("repetition", "duplicate", "non_factual", "silent", "novel"), 0
    )
    assert [rates[key] for key in ("copying", "irrelevant", "alike", "distinct")] == [None] * 4, "they have no parents"
    table, rates = run(tmp_path, "real", readings=False, sample=4)
    assert len(table) == 4 and "non_factual" not in rates and "facts" not in table


def test_a_parent_that_is_not_there_is_named(tmp_path):
    real, _ = files(tmp_path)
    write_documents(tmp_path / "real.parquet", real[1:], row={}, code="c")
    with pytest.raises(SystemExit, match=f"real.parquet: has no document {real[0]['id']}"):
        run(tmp_path, "synthetic", readings=False)
