"""What a synthesizer is tuned on and asked: pairs within budgets, held-out d2, the same d1 asked again."""

import json
from collections import Counter

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import BrokenArtifact, read_card, write_card
from scripts.lib.models import load_tokenizer
from scripts.lib.tokens import encode, given
from scripts.synthesis import bootstrap
from scripts.synthesis import sample as sampling
from scripts.synthesis.draws import Refused
from scripts.synthesis.pairs import SCHEMA
from scripts.synthesis.prompts import read_prompts

RUN = {"name": "tuned", "seed": 1, "subsets": 1, "tokens": 900, "held_out": 0.2}
CORPUS = {"name": "sbp", "seed": 1, "samples": 40, "block": 32}


@pytest.fixture
def real(tmp_path):
    """Thirty documents, every seventh cut off, and pairs of each with its next three."""
    rows = [document(f"Text {i} {'says ' * (i % 5)}so.", source="real", index=i, complete=i % 7 > 0) for i in range(30)]
    write_documents(tmp_path / "real.parquet", rows, row={}, code="c")
    pairs = [{"d1": rows[i]["id"], "d2": rows[(i + n) % 30]["id"], "similarity": 0.9} for i in range(30) for n in (1, 2, 3)]
    pq.write_table(pa.Table.from_pylist(pairs, schema=SCHEMA), tmp_path / "pairs.parquet")
    write_card(tmp_path / "pairs.parquet", row={}, code="c")
    return rows


def run(tmp_path, what, row, model, out="out.parquet"):
    files = {"documents": tmp_path / "real.parquet", "model": model, "out": tmp_path / out}
    if what == "tune":
        files |= {"pairs": tmp_path / "pairs.parquet", "held-out": tmp_path / "held.parquet"}
    bootstrap.main([what, "--row", json.dumps(row), "--code", "c", *(f"--{key}={value}" for key, value in files.items())])
    return read_documents(tmp_path / out)


def test_the_documents_of_a_run_are_d2_after_d1(real, folder, tmp_path):
    table = run(tmp_path, "tune", RUN, folder)
    kept = read_documents(tmp_path / "held.parquet")
    texts = {row["id"]: row for row in real}
    pairs = {(one["d1"], one["d2"]) for one in pq.read_table(tmp_path / "pairs.parquet").to_pylist()}
    for one in [*table.itertuples(), *kept.itertuples()]:
        d1, d2 = one.parent_ids
        assert (d1, d2) in pairs and (one.prompt, one.text) == (texts[d1]["text"], texts[d2]["text"])
        assert one.complete == texts[d2]["complete"] and one.tokens == len(texts[d2]["text"]) + one.complete  # bytes are tokens
    assert 900 <= table["tokens"].sum() < 930 and set(table["subset"]) == {0} and set(kept["subset"]) == {-1}
    assert len({tuple(ids) for ids in [*table["parent_ids"], *kept["parent_ids"]]}) == len(table) + len(kept)
    aside = {ids[1] for ids in kept["parent_ids"]}
    assert 2 <= len(aside) <= 12 and not aside & {ids[1] for ids in table["parent_ids"]}
    counts = read_card(tmp_path / "out.parquet")["counts"]
    assert (counts["pairs"], counts["held_out"], counts["tokens"]) == (90, len(kept), [table["tokens"].sum()])


def test_subsets_are_disjoint_and_the_order_is_seeded(real, folder, tmp_path):
    two = run(tmp_path, "tune", {**RUN, "tokens": 300, "subsets": 2}, folder)
    assert two["subset"].tolist() == sorted(two["subset"]) and two["id"].is_unique
    assert all(300 <= tokens < 330 for tokens in two.groupby("subset")["tokens"].sum())
    again = run(tmp_path, "tune", {**RUN, "tokens": 300, "subsets": 2}, folder, "again.parquet")
    other = run(tmp_path, "tune", {**RUN, "tokens": 300, "subsets": 2, "seed": 2}, folder, "other.parquet")
    pd.testing.assert_frame_equal(two, again)
    assert set(two["id"]) != set(other["id"])


def test_too_few_pairs_and_pairs_of_other_documents_are_named(real, folder, tmp_path):
    with pytest.raises(
        SystemExit, match=r"tuned: .*pairs.parquet: has \d+ tokens; runs: tuned, key tokens: 1 subsets of 90000"
    ):
        run(tmp_path, "tune", {**RUN, "tokens": 90_000}, folder)
    assert not (tmp_path / "out.parquet").exists()
    write_documents(tmp_path / "real.parquet", real[:20], row={}, code="c")
    with pytest.raises(SystemExit, match="pairs.parquet: its pairs are of other documents"):
        run(tmp_path, "tune", RUN, folder)


def test_prompts_are_real_documents_drawn_evenly_again_and_again(real, folder, tmp_path):
    table = run(tmp_path, "ask", CORPUS, folder)
    words = load_tokenizer(folder)
    ids = dict(zip([row["id"] for row in real], encode(words, [row["text"] for row in real]), strict=True))
    for one in table.itertuples():
        assert one.ids.tolist() == given(ids[one.id], 0, 0, 16).tolist() and one.ids[0] == one.ids[-1] == 0
    assert max(Counter(table["id"]).values()) > 1 and max(map(len, table["ids"])) == 16
    more = run(tmp_path, "ask", {**CORPUS, "samples": 3000}, folder, "more.parquet")
    assert more["id"][:40].tolist() == table["id"].tolist(), "more samples change none"
    assert abs(more["id"].value_counts() - 100).max() < 45 and more["id"].nunique() == 30


def test_a_prompt_may_be_asked_several_times(real, folder, tmp_path):
    once = run(tmp_path, "ask", {**CORPUS, "samples": 10}, folder)["id"].tolist()
    thrice = run(tmp_path, "ask", {**CORPUS, "samples": 20, "each": 3}, folder)["id"].tolist()
    assert thrice == [one for one in once for _ in range(3)][:20]


def test_what_is_written_names_its_document(real, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sampling.BLOCK, "hf", 8)
    asked = run(tmp_path, "ask", {**CORPUS, "samples": 12}, folder)
    ids, parents = read_prompts(tmp_path / "out.parquet", folder)
    assert ids == [one.tolist() for one in asked["ids"]] and parents == asked["id"].tolist()
    row = {"name": "sbp", "method": "sbp", "source_model": "tuned", "temperature": 1.0, "max_new_tokens": 8, "engine": "hf"}
    out = tmp_path / "1-of-1.parquet"
    sampling.write_shard(row, "c", folder, "1-of-1", out, tmp_path / "work", tmp_path / "out.parquet")
    assert [one for (one,) in read_documents(out)["parent_ids"]] == asked["id"].tolist()


def test_ids_of_another_tokenizer_are_refused(real, folder, tmp_path):
    run(tmp_path, "ask", CORPUS, folder)
    (tmp_path / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + "\n")
    (tmp_path / "tokenizer_config.json").write_text((folder / "tokenizer_config.json").read_text())
    with pytest.raises(Refused, match="out.parquet: its ids are of another tokenizer"):
        read_prompts(tmp_path / "out.parquet", tmp_path)


def test_no_documents(folder, tmp_path):
    write_documents(tmp_path / "real.parquet", [], row={}, code="c")
    with pytest.raises(BrokenArtifact, match="real.parquet: no documents"):
        bootstrap.ask(tmp_path / "real.parquet", folder, tmp_path / "out.parquet", row=CORPUS, code="c")
