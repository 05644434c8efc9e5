"""Diversity of repeated synthesis: the audit on known texts, the figure on made-up tables."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from papers.sbp import diversity
from scripts.audits import likeness as audit
from scripts.lib.documents import document, write_documents
from scripts.lib.files import BrokenArtifact
from tests.papers.sbp import made

ROW = {"name": "sbp/diversity", "scale": "laptop", "corpora": {"0.3": "cool", "1.0": "warm"}}


def tables(cool=0.4, warm=0.1, documents=60):
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 0.05, documents)
    found = {}
    for name, mean in (("cool", cool), ("warm", warm)):
        alike = (mean + hard + rng.normal(0, 0.03, documents)).clip(0, 1)
        line = {"parent": [f"{i:03d}" for i in range(documents)], "samples": 10, "words": 300, "distinct": 1 - alike}
        found[name] = pd.DataFrame({**line, "alike": alike})
    return found


def drawn(folder, name="diversity", **how):
    paths = made.saved(folder, **tables(**how))
    out = made.outputs(folder / name, "diversity")
    diversity.diversity([paths["cool"], paths["warm"]], made.CLAIMS, *out, row=ROW, code="c", draws=made.DRAWS)
    return out


def test_a_planted_difference_is_found_and_none_is_not(tmp_path):
    out = drawn(tmp_path)
    assert set(made.verdicts(out[3]).values()) == {"reproduced"}
    means = pd.read_csv(out[2]).query("panel == 'mean' and measure == 'alike'").set_index("temperature")["y"]
    assert means.loc[0.3] == pytest.approx(0.4, abs=0.03) and means.loc[1.0] == pytest.approx(0.1, abs=0.03)
    assert "reproduced" not in made.verdicts(drawn(tmp_path, cool=0.2, warm=0.2, name="null")[3]).values()


def test_only_documents_that_both_have_are_compared():
    found = tables()
    found["warm"] = found["warm"].iloc[5:]
    values, samples = diversity.paired(found)
    assert values.shape == (55, 2, 2) and samples == {"cool": 10, "warm": 10}
    found["warm"]["parent"] = "other"
    with pytest.raises(ValueError, match="no document has samples in all"):
        diversity.paired(found)


def test_the_audit_on_known_texts(tmp_path):
    same, other = "one two three four five six", "seven eight nine ten eleven twelve"
    texts = [("a", same), ("a", same), ("b", same), ("b", other), ("d", "few words"), ("d", ""), ("c", same)]
    rows = [document(text, source="s", index=i, parent_ids=[parent]) for i, (parent, text) in enumerate(texts)]
    write_documents(tmp_path / "x.parquet", rows, row={}, code="c", extra={"n": pa.int8()})
    audit.audit(tmp_path / "x.parquet", tmp_path / "y.parquet", code="c")
    table = pd.read_parquet(tmp_path / "y.parquet").set_index("parent")
    assert table["alike"].to_dict() == {"a": 1.0, "b": 0.0} and table["distinct"].to_dict() == {"a": 0.5, "b": 1.0}
    assert table["samples"].to_dict() == {"a": 2, "b": 2}
    write_documents(tmp_path / "z.parquet", rows[-1:], row={}, code="c")
    with pytest.raises(BrokenArtifact, match="no two documents were written after the same one"):
        audit.audit(tmp_path / "z.parquet", tmp_path / "y.parquet", code="c")
