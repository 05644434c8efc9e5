"""What is told of books: planted counts by series and length, a null in which all tell alike, files that come out the same."""

import json

import numpy as np
import pandas as pd
import pytest

from papers.entigraph import salient
from scripts.lib import claims
from scripts.lib.seeds import seed_of

CLAIMS = "papers/entigraph/claims.yaml"
LENGTHS, BOOKS = (2, 4, 8, 16), 40
SERIES = ("entigraph", "rephrase", "raw")
RUNS = {series: [f"Quill-small-on-{series}-books-1090000-s{seed}" for seed in (1, 2, 3)] for series in SERIES}
ROW = {
    "name": "entigraph/salient",
    "scale": "laptop",
    "student": "Quill-small",
    "arms": {series: {"1090000": RUNS[series]} for series in SERIES},
    "suites": ["books-summaries"],
    "tasks": {"claims": {"label": "claims"}},
}
# share of sentences that are salient, and that are false
TRUE = {"base": (0.02, 0.7), "entigraph": (0.7, 0.1), "rephrase": (0.5, 0.3), "raw": (0.2, 0.6)}
ALIKE = dict.fromkeys(TRUE, (0.3, 0.5))


def scores(truth, seed=0):
    """Evaluations as rule book_claims leaves them; books differ, runs have luck of their own, the base is the same in all."""
    lines = []
    for series, runs in RUNS.items():
        for run in runs:
            for epoch, of in ((0, "base"), (2, series)):
                rng = np.random.default_rng(seed_of("base" if epoch == 0 else run, seed))
                for n in LENGTHS:
                    told, wrong = (rng.binomial(n, share, BOOKS).astype(float) for share in truth[of])
                    for metric, values in (
                        ("salient", told),
                        ("false", wrong),
                        ("true", told + 1),
                        ("salient_facts", told * 0 + 15),
                    ):
                        about = {"run": run, "subset": -1 if epoch == 0 else 0, "epoch": epoch, "task": "claims"}
                        lines.append(
                            pd.DataFrame(
                                {**about, "filter": f"first-{n}", "metric": metric, "item": range(BOOKS), "score": values}
                            )
                        )
    return pd.concat(lines, ignore_index=True).astype(dict.fromkeys(("run", "task", "filter", "metric"), "category"))


def verdicts(truth, seed=0):
    entries, scale = claims.read_claims(CLAIMS, "salient"), "laptop"
    found = salient.findings(salient.counts(scores(truth, seed), ROW, 1000), entries)
    return {entry["claim"]: entry for entry in claims.judge(entries, found, scale)}


def test_planted_counts_are_reproduced_at_the_greatest_length():
    found = verdicts(TRUE)
    assert {entry["verdict"] for entry in found.values()} == {"reproduced"}
    assert found["salient-gain"]["estimate"] == pytest.approx(16 * 0.68, abs=0.5)
    assert found["salient-few-false"]["estimate"] == pytest.approx(-16 * 0.5, abs=0.5)
    assert found["salient-purer-than-rephrase"]["estimate"] == pytest.approx(1 / 8 - 3 / 8, abs=0.03)


def test_where_all_tell_alike_nothing_is_reproduced():
    found = [entry["verdict"] for seed in range(4) for entry in verdicts(ALIKE, seed).values()]
    assert found.count("reproduced") <= 3  # of 20, each at 5 %
    turned = {**TRUE, "entigraph": TRUE["raw"], "raw": TRUE["entigraph"]}
    found = verdicts(turned)
    assert found["salient-few-false"]["verdict"] == found["salient-purer-than-raw"]["verdict"] == "not reproduced"


def test_more_that_is_false_beside_more_that_is_salient_is_no_purer():
    """Twice as many of both: the counts differ, the share does not."""
    double = {**TRUE, "entigraph": (0.4, 0.4), "rephrase": (0.2, 0.2), "raw": (0.2, 0.2)}
    found = verdicts(double)
    assert found["salient-few-false"]["verdict"] == "not reproduced"
    assert found["salient-purer-than-raw"]["verdict"] == "undecided"


def test_a_silent_model_is_not_pure():
    silent = salient.counts(scores({**TRUE, "raw": (0.0, 0.0)}), ROW, 100)
    assert salient.false_share(silent, 16, "raw")[0] == 1.0


def test_files_hold_what_is_drawn_and_come_out_the_same(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        paths = []
        for run, part in scores(TRUE).groupby("run", sort=False, observed=True):
            paths.append(str(tmp_path / folder / f"{run}.parquet"))
            part.to_parquet(paths[-1])
        out = [str(tmp_path / folder / f"salient.{kind}") for kind in ("pdf", "png", "csv", "claims.json")]
        salient.salient(paths, CLAIMS, *out, row=ROW, code="c")
    for path in (tmp_path / "one").glob("salient.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    table = pd.read_csv(tmp_path / "one/salient.csv")
    assert set(table["series"]) == {"base", *SERIES} and set(table["sentences"]) == set(LENGTHS)
    value = json.loads((tmp_path / "one/salient.claims.json").read_text())
    gain = next(entry for entry in value["claims"] if entry["claim"] == "salient-gain")
    at = table[(table["metric"] == "salient") & (table["sentences"] == 16)].set_index("series")["value"]
    assert gain["estimate"] == pytest.approx(at["entigraph"] - at["base"], abs=1e-4)
