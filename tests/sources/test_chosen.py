"""Documents of a source chosen by their meta."""

import pytest

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card
from scripts.sources.chosen import fits, make


def test_documents_of_the_packages_asked_for_stay_as_they_are(tmp_path):
    packages = ["scipy", "numpy", "nltk"] * 4
    rows = [document(f"Text {i}.", source="prose", index=i, meta={"package": name}) for i, name in enumerate(packages)]
    write_documents(tmp_path / "all.parquet", rows, row={}, code="c")
    row = {"name": "some", "of": "prose", "where": {"package": ["numpy", "nltk"]}, "documents": 5}
    make(str(tmp_path / "all.parquet"), str(tmp_path / "some.parquet"), row=row, code="c")
    made, by_id = read_documents(tmp_path / "some.parquet"), {one["id"]: one for one in rows}
    assert len(made) == 5 and read_card(tmp_path / "some.parquet")["counts"]["fit"] == 8
    assert all(by_id[one.id]["text"] == one.text and '"scipy"' not in one.meta for one in made.itertuples())
    with pytest.raises(ValueError, match="row none, key where: none of the 12 documents of prose fits"):
        nobody = {**row, "name": "none", "where": {"package": "torch"}}
        make(str(tmp_path / "all.parquet"), str(tmp_path / "none.parquet"), row=nobody, code="c")


def test_all_keys_must_fit():
    assert fits({"a": 1, "b": 2}, {"a": [0, 1], "b": 2}) and not fits({"a": 1}, {"a": 1, "b": 2})
