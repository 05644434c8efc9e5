"""Replay: shares, stability, and what is said when a source is too small."""

import json

import numpy as np
import pandas as pd
import pytest

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card
from scripts.synthesis.replay import draw, replay

ROW = {"name": "mixed", "method": "replay", "mix": {"long": 0.6, "short": 0.3, "rare": 0.1}, "samples": 300, "seed": 0}
LENGTHS = {"long": 400, "short": 40, "rare": 90}


def rows_of(source: str, number: int = 900) -> list[dict]:
    sizes = np.random.default_rng(LENGTHS[source]).integers(LENGTHS[source] // 2, LENGTHS[source] * 3 // 2, number)
    return [
        document(f"{source} {i} ".ljust(size, "x"), source=source, index=i, complete=bool(i % 2), meta={"page": i})
        for i, size in enumerate(sizes.tolist())
    ]


@pytest.fixture(scope="module")
def sources():
    return {source: pd.DataFrame(rows_of(source)) for source in LENGTHS}


def test_shares_are_of_characters(sources):
    rows = draw(sources, row=ROW)
    total = sum(len(r["text"]) for r in rows)
    assert len(rows) == 300
    for source, share in ROW["mix"].items():
        found = sum(len(r["text"]) for r in rows if r["source"] == source) / total
        assert abs(found - share) < 0.01
    assert len({r["id"] for r in rows}) == 300
    assert len({r["parent_ids"][0] for r in rows}) == 300, "drawn without replacement"


def test_a_corpus_grows_without_changing_and_does_not_depend_on_file_order(sources):
    rows = draw(sources, row=ROW)
    assert draw(sources, row={**ROW, "samples": 200}) == rows[:200]
    turned = {source: frame.sample(frac=1, random_state=1) for source, frame in sources.items()}
    assert draw(turned, row=ROW) == rows
    assert [r["parent_ids"] for r in draw(sources, row={**ROW, "name": "another"})] != [r["parent_ids"] for r in rows]
    assert [r["parent_ids"] for r in draw(sources, row={**ROW, "seed": 1})] != [r["parent_ids"] for r in rows]


def test_drawing_ends_when_a_source_is_used_up_so_that_shares_hold(sources):
    rows = draw({**sources, "rare": sources["rare"][:10]}, row=ROW)
    assert 50 < len(rows) < 200 and rows == draw({**sources, "rare": sources["rare"][:10]}, row={**ROW, "samples": len(rows)})
    assert sum(r["source"] == "rare" for r in rows) == 10
    total = sum(len(r["text"]) for r in rows)
    assert abs(sum(len(r["text"]) for r in rows if r["source"] == "long") / total - 0.6) < 0.03


def test_files(tmp_path):
    paths = {}
    for source in ("long", "short"):
        paths[source] = tmp_path / f"{source}.parquet"
        write_documents(paths[source], [*rows_of(source, 60), document("  ", source=source)], row={"name": source}, code="c")
    row = {**ROW, "mix": {"long": 0.5, "short": 0.5, "rare": 0.0}, "samples": 50}
    with pytest.raises(ValueError, match="key mix: no documents were given for rare"):
        replay(paths, tmp_path / "out.parquet", tmp_path / "samples.txt", row=row, code="c")
    row = {**row, "mix": {"long": 0.5, "short": 0.5}}
    replay(paths, tmp_path / "out.parquet", tmp_path / "samples.txt", row=row, code="c")
    assert read_card(tmp_path / "out.parquet")["counts"]["asked"] == 50
    with pytest.raises(ValueError, match="key mix: a source is empty"):
        write_documents(tmp_path / "none.parquet", [], row={"name": "none"}, code="c")
        none = {**row, "mix": {"none": 1.0}}
        replay({"none": tmp_path / "none.parquet"}, tmp_path / "x.parquet", tmp_path / "x.txt", row=none, code="c")
    out = read_documents(tmp_path / "out.parquet")
    parents = pd.concat([read_documents(p) for p in paths.values()]).set_index("id")
    for line in out.itertuples():
        parent = parents.loc[line.parent_ids[0]]
        assert (line.text, line.source, line.complete, line.meta) == (parent.text, parent.source, parent.complete, parent.meta)
        assert json.loads(line.meta)["page"] >= 0
    assert set(out["method"]) == {"replay"}
    assert (tmp_path / "samples.txt").read_text(encoding="utf-8").count("\n=== ") == 19
