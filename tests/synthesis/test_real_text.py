"""Real stories from entities to a curated corpus: what the rule-written teacher can do with text that it did not make."""

import gzip
import json
from math import comb

import pandas as pd
import pytest

from scripts.audits.sizes import measure
from scripts.curation.curate import curate
from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card
from scripts.models.tokenizer import save_tokenizer, train_tokenizer
from scripts.synthesis.collect import collect
from scripts.synthesis.generate import write_shard
from scripts.synthesis.requests import Refused

ROW = {
    "name": "entigraph-stories",
    "method": "entigraph",
    "source": "stories",
    "source_model": "rules",
    "engine": "pocket",
    "tokens": 30_000,
    "attempts": 1,
    "unusable": 0.1,
    "near_duplicates": "report",
    "seed": 0,
}


@pytest.fixture(scope="module")
def stories(real_text, tmp_path_factory):
    """Two stories of SQuALITY as documents, and a tokenizer that was trained on them."""
    with gzip.open(real_text / "squality/squality_v1-3_txt_dev.jsonl.gz", "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["document"] for line, _ in zip(file, range(2), strict=False)]
    folder = tmp_path_factory.mktemp("stories")
    write_documents(folder / "documents.parquet", [document(text, source="stories") for text in texts], row={}, code="c")
    (folder / "tokenizer").mkdir()
    save_tokenizer(train_tokenizer([text[:20_000] for text in texts], 600, "<b>", "<e>"), folder / "tokenizer", "<b>", "<e>")
    return folder


def test_stories_become_a_corpus_of_their_own_sentences(stories, tmp_path):
    source, tokenizer = stories / "documents.parquet", stories / "tokenizer"
    shard, out = tmp_path / "1-of-1.parquet", tmp_path / "synthesized.parquet"
    write_shard(ROW, "c", source, tokenizer, "1-of-1", shard, tmp_path / "work")
    collect([str(shard)], str(out), str(tmp_path / "samples.txt"), row=ROW, code="c")
    told = {name: " ".join(text.split()) for name, text in read_documents(source, ["id", "text"]).itertuples(index=False)}
    made = read_documents(out, ["text", "parent_ids", "meta"])
    kinds = [json.loads(meta)["kind"] for meta in made["meta"]]
    assert kinds.count("entities") == 2 and kinds.count("pair") > 10
    for text, parents, kind in zip(made["text"], made["parent_ids"], kinds, strict=True):
        lines = [text] if kind == "entities" else text.split("\n")
        assert all(line.startswith("## ") or " ".join(line.split()) in told[parents[0]] for line in lines)
    counts = read_card(out)["counts"]
    assert 0 < counts["tokens"] <= 1.3 * ROW["tokens"] and counts["calls"]["entities"]["calls"] == 2

    paths = [tmp_path / name for name in ("curated.parquet", "removed.parquet", "curation.json")]
    items = tmp_path / "items.parquet"
    pd.DataFrame({"task": ["t"], "item": [0], "text": ["nothing that any story says, ever at all or so"]}).to_parquet(items)
    curate(out, [items], *paths, row=ROW, code="c", work=tmp_path / "curating")
    report = json.loads(paths[2].read_text())
    assert report["documents"]["synthesized"] == len(made) and 0 <= report["near_duplicates"]["rate"] <= 1
    measure(out, source, tokenizer, tmp_path / "sizes.parquet", code="c")
    sizes = pd.read_parquet(tmp_path / "sizes.parquet")
    asked = sizes[sizes["kind"] == "pair"].groupby("document").agg(texts=("tokens", "size"), entities=("entities", "first"))
    assert all(one.texts <= comb(one.entities, 2) for one in asked.itertuples())


@pytest.mark.parametrize("method", ["rephrase", "qa", "mga"])
def test_what_would_need_a_writer_is_refused(method, stories, tmp_path):
    paths = (stories / "documents.parquet", stories / "tokenizer", "1-of-1", tmp_path / "1-of-1.parquet", tmp_path / "work")
    with pytest.raises((Refused, ValueError), match="only quotes"):
        write_shard({**ROW, "name": method, "method": method}, "c", *paths)
