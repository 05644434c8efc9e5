"""SBP's quality table on made-up audits: rates that fall with size, corpora that copy, what nobody was asked, and the page."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from papers.sbp import quality
from scripts.lib.documents import document, write_documents
from tests.papers.sbp import made

NAMES = ("small", "middle", "large")
GOOD = {"repeated": 0.02, "duplicate": 0.01, "copied": 0.0, "false": (0.3, 0.2, 0.1), "irrelevant": (0.4, 0.3, 0.2)}
ROW = {
    "name": "sbp/quality",
    "scale": "laptop",
    "corpora": {name: f"corpus-{name}" for name in NAMES},
    "real": "real",
    "shown": 4,
}
SIZES = {"small": 130_000, "middle": 390_000, "large": 1_260_000}


def audited(folder, rates, number=2000, readings=True):
    """Audits, documents and pairs in a folder, as ``quality.quality`` takes them; ``rates`` per corpus or the same for all."""
    rng = np.random.default_rng(0)
    real = [document(f"The flag of Beldaham {i} is <b>red</b> & blue.", source="real", index=i) for i in range(2000)]
    write_documents(folder / "real.parquet", real, row={}, code="c")
    ids = [one["id"] for one in real]
    pairs = pd.DataFrame({"d1": ids[:20], "d2": ids[20:40], "similarity": np.linspace(0.6, 0.9, 20)})
    paths = made.saved(folder, pairs=pairs)
    tables, documents = [], []
    for i, name in enumerate((*NAMES, "real")):
        given = GOOD if name == "real" else rates
        of = {key: value[min(i, 2)] if isinstance(value, tuple) else value for key, value in given.items()}
        rows = real if name == "real" else [
            document(f"{name} text {j}\nsecond line", source=name, index=j, parent_ids=[ids[j % 40]]) for j in range(number)
        ]  # fmt: skip
        write_documents(folder / f"{name}-documents.parquet", rows, row={}, code="c")

        def hit(key, rows=rows, of=of):
            return np.arange(len(rows)) < round(of[key] * len(rows))

        table = pd.DataFrame({"id": [one["id"] for one in rows], "words": 10, "repeated": hit("repeated") * 0.5})
        table = table.assign(duplicate=rng.permutation(hit("duplicate")), copied=hit("copied") * 1.0, copied_anywhere=0.0)
        table["parent"] = [one["parent_ids"][0] if len(one["parent_ids"]) else None for one in rows]
        if readings:
            table = table.assign(facts=3, false_facts=rng.permutation(hit("false")) * 1)
            table["relevant"] = pd.array(~rng.permutation(hit("irrelevant")), dtype="boolean")
        if name == "real":
            table["copied"] = np.nan
            if readings:
                table["relevant"], table["false_facts"] = pd.array([pd.NA] * len(rows), dtype="boolean"), 0
        table = table.sample(frac=1, random_state=3)
        paths |= made.saved(folder, **{f"{name}-audit": table})
        tables.append(paths[f"{name}-audit"])
        documents.append(folder / f"{name}-documents.parquet")
    return tables[:3], tables[3], documents[:3], folder / "real.parquet", paths["pairs"]


def drawn(folder, rates=GOOD, answers=(), name="quality", readings=True):
    given = audited(folder, rates, readings=readings)
    out = [*made.outputs(folder / name, "quality"), folder / name / "quality.html"]
    quality.quality(*given, list(answers), made.CLAIMS, *out, row=ROW, parameters=SIZES, code="c")
    return out


def test_rates_that_fall_with_size(tmp_path):
    out = drawn(tmp_path)
    assert set(made.verdicts(out[3]).values()) == {"reproduced"}
    table = pd.read_csv(out[2]).query("of == 'here'").set_index(["rate", "corpus"])
    assert table.loc[("non_factual", "small"), "y"] == pytest.approx(30) and table.loc[("irrelevant", "large"), "y"] == 20
    assert ("copying", "real") not in table.index and table.loc[("non_factual", "real"), "y"] == 0
    assert [path.read_bytes() for path in out] == [path.read_bytes() for path in drawn(tmp_path, name="again")]


def test_near_duplicates_are_of_equally_many():
    few = pd.DataFrame({"duplicate": [0.0, 1.0]})
    many = pd.DataFrame({"duplicate": [0.0, 1.0, 1.0, 1.0]}, index=[3, 2, 1, 0])
    found = quality.same_number({"few": few, "many": many})
    assert [int(table["duplicate"].sum()) for table in found.values()] == [1, 1]
    assert [int(table["duplicate"].count()) for table in found.values()] == [2, 2]


def test_rates_that_do_not(tmp_path):
    same = GOOD | {"false": 0.2, "irrelevant": (0.2, 0.3, 0.4)}
    found = made.verdicts(drawn(tmp_path, same)[3])
    assert found["factual-grows"] == "undecided" and found["relevant-grows"] == found["scales"] == "not reproduced"


def test_one_corpus_that_copies_or_repeats_decides(tmp_path):
    bad = GOOD | {"copied": (0.0, 0.2, 0.0), "repeated": (0.02, 0.02, 0.5), "duplicate": (0.3, 0.01, 0.01)}
    found = made.verdicts(drawn(tmp_path, bad)[3])
    assert found["copying"] == found["repetition"] == found["duplicates"] == "not reproduced"


def test_what_nobody_was_asked_is_undecided_until_a_judge_answers(tmp_path):
    out = drawn(tmp_path, readings=False)
    found = made.verdicts(out[3])
    assert found["factual-grows"] == found["relevant-grows"] == found["scales"] == "undecided"
    assert "not asked" in out[4].read_text()
    answers = []
    for name, share in zip(("real", *NAMES), (0.0, 0.3, 0.2, 0.1), strict=True):
        ids = pd.read_parquet(tmp_path / f"{name}-audit.parquet")["id"]
        bad = (np.arange(len(ids)) < share * len(ids)).astype(float)
        judged = pd.DataFrame({"id": ids, "non_factual": bad, "irrelevant": np.nan if name == "real" else bad})
        answers.append(made.saved(tmp_path, **{f"{name}-judged": judged})[f"{name}-judged"])
    found = made.verdicts(drawn(tmp_path, readings=False, answers=answers, name="judged")[3])
    assert found["factual-grows"] == found["relevant-grows"] == "reproduced"


def test_the_page_shows_texts_as_they_are_and_says_what_is_wrong_with_them(tmp_path):
    text = drawn(tmp_path, GOOD | {"false": 1.0, "irrelevant": 0.0, "duplicate": 0.0, "repeated": 0.0})[4].read_text()
    assert text.count("<article>") == ROW["shown"] * 4
    assert "The flag of Beldaham" in text and "<b>red</b>" not in text and html.escape("<b>red</b> & blue") in text
    assert text.count('class="bad">3 statements, 1 false') == ROW["shown"] * 3
    assert len(re.findall(r"<li>about the same</li>", text)) == ROW["shown"] * 3
    assert "130k parameters" in text and "{{" not in text
