"""Curation as a whole: what is kept, what is removed and why, and that nothing is lost."""

import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.curation import contamination, duplicates, shards
from scripts.curation import curate as curation
from scripts.curation.curate import curate, read_items
from scripts.curation.shards import load, split
from scripts.lib import shingles
from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import BrokenArtifact, read_card, write_card

ROW = {"name": "corpus", "method": "bos", "samples": 300, "near_duplicates": "drop", "suites": ["quiz"]}
ITEM = "How many lamps does the keeper of the northern tower light before the ferry comes in at dusk?"


def planted() -> tuple[list[dict], dict[str, set[str]]]:
    """Documents, and the ids of those that must go by reason (of clusters, all members)."""
    rng = np.random.default_rng(0)

    def text(size=60):
        return [f"w{n}" for n in rng.integers(0, 10**9, size)]

    rows, members = [], {"empty": [], "exact": [], "near": [], "contaminated": []}

    def add(words, kind=None, source="s"):
        rows.append(document(" ".join(words), source=source, method="bos", index=len(rows), ids=[1, 2, 3]))
        if kind:
            members[kind].append(rows[-1]["id"])

    for _ in range(200):
        add(text(), source="other")
    for blank in ("", " ", "\n\t "):
        add([blank], "empty")
    for _ in range(10):
        same = text()
        for _ in range(3):
            add(same, "exact")
    for _ in range(10):
        base = text()
        for k in range(4):
            add([*base, *text(k)], "near")
    for k in range(5):
        add([*text(20), *ITEM.upper().split()[k:], *text(20)], "contaminated")
    add(["same", "cover"], None)
    return rows, {kind: set(ids) for kind, ids in members.items()}


@pytest.fixture
def folder(tmp_path):
    rows, _ = planted()
    write_documents(tmp_path / "synthesized.parquet", rows, row=ROW, code="c")
    items = [
        ("quiz", 0, ITEM),
        ("quiz", 1, "short"),
        ("other", 0, "ein anderer Satz, in dem wirklich nichts davon vorkommt, gar nichts"),
    ]
    pd.DataFrame(items, columns=["task", "item", "text"]).to_parquet(tmp_path / "items.parquet")
    return tmp_path


def run(folder, source="synthesized", name="curated", workers=1, items=("items",), **row):
    paths = [
        folder / f"{source}.parquet",
        [folder / f"{each}.parquet" for each in items],
        folder / f"{name}.parquet",
        folder / f"{name}-removed.parquet",
    ]
    curate(*paths, folder / f"{name}.json", row={**ROW, **row}, code="c", work=folder / "work", workers=workers)
    assert not (folder / "work").exists()
    report = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return read_documents(paths[2]), read_documents(paths[3]), report


def test_everything_planted_is_found_and_nothing_is_lost(folder):
    rows, members = planted()
    kept, removed, report = run(folder)
    assert sorted([*kept["id"], *removed["id"]]) == sorted(r["id"] for r in rows)
    gone = {reason: set(part["id"]) for reason, part in removed.groupby("reason")}
    assert gone["empty"] == members["empty"]
    assert gone["contaminated"] == members["contaminated"]
    assert gone["exact duplicate"] < members["exact"] and len(gone["exact duplicate"]) == 20
    assert gone["near-duplicate"] < members["near"] and len(gone["near-duplicate"]) == 30
    texts = {r["id"]: r["text"] for r in rows}
    for line in removed.itertuples():
        detail = json.loads(line.detail)
        assert line.text == texts[line.id]
        if line.reason == "exact duplicate":
            assert texts[detail["keeper"]] == line.text and detail["keeper"] < line.id
        if line.reason == "near-duplicate":
            assert detail["keeper"] in set(kept["id"]) and detail["keeper"] < line.id and detail["jaccard"] > 0.9
        if line.reason == "contaminated":
            assert detail["items"] == {"quiz": [0]} and detail["ngram"] in ITEM.lower()
    assert kept["near_duplicate_of"].isna().all()
    assert report["documents"] == {
        "synthesized": len(rows),
        "empty": 3,
        "exact duplicate": 20,
        "near-duplicate": 30,
        "contaminated": 5,
        "kept": len(rows) - 58,
    }
    assert report["share_removed"] == pytest.approx(58 / len(rows), abs=1e-6)
    assert report["near_duplicates"]["clusters"] == 10
    assert report["near_duplicates"]["rate"] == pytest.approx(30 / (len(rows) - 23), abs=1e-6)
    assert report["contamination"]["tasks"]["quiz"] == {"items": 2, "without_own_ngrams": 1, "documents": 5, "hit": 1}
    assert report["contamination"]["tasks"]["other"]["documents"] == 0
    assert report["contamination"]["documents_by_rule"] == {"any": 5, "half": 5}
    assert report["sources"]["other"]["kept"] == report["sources"]["other"]["synthesized"] == 200
    assert report["sources"]["s"]["contaminated"] == 5
    assert read_card(folder / "curated.parquet")["counts"]["kept"] == len(kept)


def test_report_keeps_all_near_duplicates_and_flags_them(folder):
    dropped, _, counts = run(folder)
    kept, removed, report = run(folder, name="report", near_duplicates="report")
    assert "near-duplicate" not in set(removed["reason"])
    assert len(kept) == len(dropped) + 30
    flagged = kept[kept["near_duplicate_of"].notna()]
    assert len(flagged) == report["near_duplicates"]["found"] == counts["near_duplicates"]["found"] == 30
    assert set(flagged["near_duplicate_of"]) <= set(kept["id"]) - set(flagged["id"])
    assert report["documents"]["near-duplicate"] == 0


def test_curating_again_removes_nothing(folder):
    for mode in ("drop", "report"):
        kept, _, _ = run(folder, near_duplicates=mode)
        again, removed, report = run(folder, source="curated", name="again", near_duplicates=mode)
        assert len(removed) == 0 and report["share_removed"] == 0
        pd.testing.assert_frame_equal(kept, again)


def test_files_do_not_depend_on_the_order_of_documents(folder):
    run(folder)
    names = ("curated.parquet", "curated-removed.parquet", "curated.json")
    first = [(folder / name).read_bytes() for name in names]
    rows, _ = planted()
    write_documents(
        folder / "synthesized.parquet", [rows[i] for i in np.random.default_rng(1).permutation(len(rows))], row=ROW, code="c"
    )
    run(folder)
    for name, expected in zip(names, first, strict=True):
        if name.endswith("json"):
            assert json.loads((folder / name).read_text()) == json.loads(expected)
        else:
            assert (folder / name).read_bytes() == expected


@pytest.mark.parametrize("mode", ["drop", "report"])
def test_files_do_not_depend_on_shards(folder, monkeypatch, mode):
    monkeypatch.setattr(curation, "ROW_GROUP", 100)
    rows, members = planted()
    names = ("curated.parquet", "curated-removed.parquet", "curated.json")
    made = []
    for number in (1, 3, 16):
        run(folder, shards=number, near_duplicates=mode)
        made.append([(folder / name).read_bytes() for name in names])
        shards = split(folder / "synthesized.parquet", folder / f"shards-{number}", number)
        place = {one: k for k, shard in enumerate(shards) for one in load(shard)["id"].to_pylist()}
        assert len(set(place.values())) == number
    assert made[0] == made[1] == made[2]
    assert pq.read_metadata(folder / "curated.parquet").num_row_groups == 3
    _, removed, _ = run(folder, name="again", shards=16)
    keepers = {line.id: json.loads(line.detail).get("keeper") for line in removed.itertuples()}
    keepers = {one: other for one, other in keepers.items() if other}
    assert len(keepers) == 50 and sum(place[one] != place[other] for one, other in keepers.items()) > 25, "clusters span shards"


def test_files_do_not_depend_on_workers(folder, monkeypatch):
    run(folder, shards=3)
    names = ("curated.parquet", "curated-removed.parquet", "curated.json")
    first = [(folder / name).read_bytes() for name in names]
    monkeypatch.setattr(curation, "_WORTH", 1)
    run(folder, shards=3, workers=2)
    assert [(folder / name).read_bytes() for name in names] == first


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc to look for processes in")
def test_workers_end_with_a_process_that_is_killed(tmp_path):
    (tmp_path / "started.py").write_text(
        "import os, time\nfrom pathlib import Path\nfrom scripts.curation.curate import _mapping\n\n\n"
        "def work(folder):\n    Path(folder, str(os.getpid())).touch()\n    time.sleep(600)\n\n\n"
        "if __name__ == '__main__':\n    with _mapping(2) as each:\n        list(each(work, [os.sys.argv[1]] * 2))\n"
    )
    (tmp_path / "pids").mkdir()
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, tmp_path / "started.py", tmp_path / "pids"], env=path)

    def until(true) -> bool:
        end = time.monotonic() + 60
        while not true() and time.monotonic() < end:
            time.sleep(0.1)
        return true()

    assert until(lambda: len(list((tmp_path / "pids").iterdir())) == 2)
    workers = [Path("/proc", file.name) for file in (tmp_path / "pids").iterdir()]
    assert all(worker.exists() for worker in workers)
    parent.kill()
    parent.wait()
    assert until(lambda: not any(worker.exists() for worker in workers))


def test_memory_does_not_grow_with_the_number_of_documents(tmp_path, monkeypatch):
    """Four times the documents in pieces of the same size take what they took, and in one piece more than twice as much."""
    for module, name, value in (
        (duplicates, "_MERGED", 2048),
        (shingles, "_CHUNK", 128),
        (shards, "_BATCH", 128),
        (shards, "_READ", 128),
    ):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(shards, "SIZE", 1 << 15)
    monkeypatch.setattr(curation, "ROW_GROUP", 128)
    pd.DataFrame({"task": ["t"], "item": [0], "text": [ITEM]}).to_parquet(tmp_path / "items.parquet")
    rng = np.random.default_rng(0)
    words = [f"w{k}" for k in range(500)]
    for n in (500, 2000):
        path = tmp_path / f"{n}.parquet"
        texts = [" ".join(rng.choice(words, 40)) for _ in range(n)]
        write_documents(path, (document(text, source="s", index=i) for i, text in enumerate(texts)), row=ROW, code="c")
        pq.write_table(pq.read_table(path), path, row_group_size=128)
        write_card(path, row=ROW, code="c")

    def peak(n: int) -> tuple[float, float]:
        """Bytes that Python and numpy held at the peak, and Arrow; the latter is the largest of all calls so far."""
        pa.set_memory_pool(counting)
        tracemalloc.start()
        try:
            paths = [tmp_path / name for name in ("curated.parquet", "removed.parquet", "curation.json")]
            files = (tmp_path / f"{n}.parquet", [tmp_path / "items.parquet"])
            curate(*files, *paths, row=ROW, code="c", work=tmp_path / "work")
            return tracemalloc.get_traced_memory()[1], counting.max_memory()
        finally:
            tracemalloc.stop()
            pa.set_memory_pool(usual)

    usual, counting = pa.default_memory_pool(), pa.system_memory_pool()
    small, large = peak(500), peak(2000)
    assert all(after < 1.3 * before for before, after in zip(small, large, strict=True)), (small, large)
    monkeypatch.undo()
    whole = peak(2000)
    assert all(after > 2 * before for before, after in zip(small, whole, strict=True)), (small, whole)


def test_columns_of_documents_are_carried_along(folder):
    kept, _, _ = run(folder)
    original = read_documents(folder / "synthesized.parquet").set_index("id").loc[kept["id"]].reset_index()
    pd.testing.assert_frame_equal(kept.drop(columns="near_duplicate_of"), original)


def test_variants_of_the_decontamination(folder):
    rows, _ = planted()
    half = ITEM.split()[:11]  # 4 of 11 n-grams
    rows.append(document("xx " + " ".join(half), source="s", index="half"))
    write_documents(folder / "synthesized.parquet", rows, row=ROW, code="c")
    assert run(folder)[2]["documents"]["contaminated"] == 6
    report = run(folder, ratio=0.5)[2]
    assert report["documents"]["contaminated"] == 5
    assert report["contamination"]["documents_by_rule"] == {"any": 6, "half": 5}
    assert run(folder, ngram=13)[2]["documents"]["contaminated"] == 5
    assert run(folder, ngram=18)[2]["documents"]["contaminated"] == 1
    assert run(folder, ngram=19)[2]["documents"]["contaminated"] == 0


def test_an_empty_corpus_is_curated_to_an_empty_one(folder):
    write_documents(folder / "synthesized.parquet", [], row=ROW, code="c")
    kept, removed, report = run(folder)
    assert len(kept) == len(removed) == report["share_removed"] == 0


def test_without_a_suite_nothing_is_contaminated_and_all_else_is_as_it_was(folder):
    _, members = planted()
    (kept, removed, _), (with_items, _, _) = run(folder, items=(), suites=[]), run(folder, name="other")
    assert "contaminated" not in set(removed["reason"])
    assert set(kept["id"]) == set(with_items["id"]) | members["contaminated"]


def test_errors_name_row_and_key(folder):
    with pytest.raises(ValueError, match="corpora: corpus, key near_duplicates: expected drop or report, found 'keep'"):
        run(folder, near_duplicates="keep")
    rows, _ = planted()
    write_documents(folder / "synthesized.parquet", [*rows, rows[5]], row=ROW, code="c")
    with pytest.raises(ValueError, match=f"the id {rows[5]['id']} stands twice"):
        run(folder)
    (folder / "synthesized.parquet").write_bytes(b"cut short")
    with pytest.raises(BrokenArtifact, match="sha256"):
        run(folder)
    assert not (folder / "curated.parquet").exists()


def test_an_item_asked_twice_or_with_other_numbers_is_one_item(tmp_path):
    first, second = "a b c d e f g h 5 i j k l m n o p", "a b c d e f g h 7 i j k l m n o p"
    pd.DataFrame({"task": ["t"], "item": [0], "text": [first]}).to_parquet(tmp_path / "one.parquet")
    both = {"task": ["t", "t_perturbed"], "item": [0, 0], "text": [first, second], "more": [1, 2]}
    pd.DataFrame(both).to_parquet(tmp_path / "two.parquet")
    items = read_items([tmp_path / "one.parquet", tmp_path / "two.parquet"])
    assert items.to_dict("list") == {"task": ["t", "t"], "item": [0, 0], "text": [first, second]}
    index = contamination.index_items(items)
    assert index.shared == 0
    assert all(contamination.find([text], index)[0] for text in ("x a b c d e f g h", "f g h 5 i j k l", "f g h 7 i j k l"))
