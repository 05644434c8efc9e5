"""Natural documents chosen by what can be seen of their noise: cleaner ones, whole and unchanged."""

import json
import random

import numpy as np

from scripts.lib.documents import read_documents, write_documents
from scripts.lib.files import read_card
from scripts.sources.pages import make_documents
from scripts.synthesis.filtered import qualities, reads_well, select

ROW = {
    "name": "web",
    "world": 11,
    "seed": 1,
    "genres": {"biography": 0.4, "encyclopedia": 0.4, "qa": 0.2},
    "slice": "1-of-1",
    "noise": 0.5,
    "documents": 300,
}


def selected(folder, documents, keep=0.4):
    write_documents(folder / "all.parquet", documents, row={}, code="c")
    made = (folder / "some.parquet", folder / "samples.txt")
    select(folder / "all.parquet", *made, row={"name": "filtered", "source": "web", "keep": keep}, code="c")
    return read_documents(folder / "some.parquet")


def test_the_cleaner_pages_are_kept_as_they_are(tmp_path):
    documents = list(make_documents(ROW, []))
    kept = selected(tmp_path, documents)
    by_id = {one["id"]: one for one in documents}
    assert len(kept) == 120 and all(by_id[one.id]["text"] == one.text for one in kept.itertuples())
    assert kept["id"].tolist() == [one["id"] for one in documents if one["id"] in set(kept["id"])], "in their order"
    every, few = (
        np.mean([json.loads(meta)["noise"] for meta in metas]) for metas in ([one["meta"] for one in documents], kept["meta"])
    )
    assert few < 0.75 * every
    card = read_card(tmp_path / "some.parquet")
    assert card["mean_quality_kept"] > card["mean_quality"] and (tmp_path / "samples.txt").stat().st_size > 500


def test_of_equally_good_pages_those_are_kept_that_a_hash_draws(tmp_path):
    rng = random.Random(0)
    letters = [chr(97 + i) for i in range(26)]
    clean = list(make_documents({**ROW, "noise": 0.0, "documents": 4}, []))
    documents = [
        {**clean[0], "id": f"{i:04}", "text": f"The {''.join(rng.choices(letters, k=8))} number is good enough."}
        for i in range(200)
    ]
    kept = selected(tmp_path, documents, keep=0.5)
    assert set(qualities([one["text"] for one in documents])) == {1.0}
    assert 30 < sum(int(one) < 100 for one in kept["id"]) < 70


def test_what_reads_well():
    assert reads_well("The owl is brown. All birds have feathers.")
    for line in (
        "Home | About",
        "THE OWL IS BROWN.",
        "* The owl is brown !!",
        "The  owl is  brown again.",
        "Views: 3 Replies: 17 by a.",
    ):
        assert not reads_well(line)


def test_a_line_that_stands_on_many_pages_adds_nothing():
    texts = [f"Just my two cents here.\nThis sentence has {'x' * i} as its own word." for i in range(1, 9)]
    assert all(0.5 < one < 0.75 for one in qualities(texts))
