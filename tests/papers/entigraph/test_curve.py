"""The scaling curve from made-up evaluations: planted effects are found, worlds without them are not, the files are whole."""

import json

import numpy as np
import pandas as pd
import pytest

from papers.entigraph import curve, fit, points
from scripts.lib import claims
from tests.papers.entigraph import made_up

CLAIMS = "papers/entigraph/claims.yaml"
ARMS = {name: made_up.arm(name) for name in ("entigraph", "rephrase", "raw")}
ROW = made_up.row("entigraph/curve", ARMS, {"null": made_up.arm("null", made_up.SIZES[-1:])})
SLOPES = {"entigraph": 0.09, "rephrase": 0.03, "raw": 0.0, "null": 0.0}


def scaling(series, tokens, task):
    """9 points a tenfold for EntiGraph, 3 for rephrasing, nothing for the others."""
    return made_up.BASE + SLOPES[series] * np.log10(tokens / 5000)


def nothing(series, tokens, task):
    return made_up.BASE


def step(series, tokens, task):
    """EntiGraph helps at the largest size only, and the null as well: neither log-linear nor a sign of knowledge."""
    helps = series in ("entigraph", "null") and tokens == made_up.SIZES[-1]
    return made_up.BASE + (0.3 if helps else 0.0)


def made(folder, truth, row=ROW, draws=500):
    given = made_up.write(folder, row, scores=made_up.scores(row, truth))
    out = made_up.outputs(folder, "curve")
    paths = (given["scores"], given["suites"], CLAIMS, out["pdf"], out["png"], out["csv"])
    curve.curve(*paths, str(folder / "points.csv"), out["claims.json"], row=row, code="c0de", draws=draws)
    judged = json.loads((folder / "curve.claims.json").read_text())
    return judged, {entry["claim"]: entry for entry in judged["claims"]}


def verdicts(truth, scale="laptop"):
    """Without a picture."""
    table = points.accuracies(made_up.scores(ROW, truth), made_up.books(), ROW, points.primary(ROW))
    entries = claims.read_claims(CLAIMS, "curve")
    found = curve.findings(points.bootstrap(table, 500, "curve"), entries)
    return {entry["claim"]: entry["verdict"] for entry in claims.judge(entries, found, scale)}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curve")
    return (folder, *made(folder, scaling, draws=1000))


def test_planted_slopes_are_found_and_claims_reproduced(planted):
    _, judged, entries = planted
    verdicts = {name: entry["verdict"] for name, entry in entries.items()}
    published = {name: verdict for name, verdict in verdicts.items() if name.endswith("published")}
    assert set(published.values()) == {"not comparable"} and len(published) == 3
    assert {v for n, v in verdicts.items() if n not in published} - {"undecided"} == {"reproduced"}
    assert verdicts["curve-scaling"] == verdicts["curve-null"] == "reproduced"
    assert verdicts["curve-gain"] == "reproduced" and entries["curve-gain"]["low"] > 0
    assert entries["curve-rises"]["estimate"] == pytest.approx(9, abs=2)
    assert entries["curve-steeper"]["estimate"] == pytest.approx(6, abs=2)
    assert judged["artifact"] == "curve" and judged["figure"] == "entigraph/curve"


def test_a_world_without_effects_reproduces_no_gain():
    found = verdicts(nothing)
    gains = ("curve-gain", "curve-rises", "curve-log-linear", "curve-steeper", "curve-equal-tokens", "curve-scaling")
    assert "reproduced" not in {found[name] for name in gains}
    assert found["curve-gain"] == "not reproduced" and found["curve-null"] == "reproduced"


def test_a_jump_is_not_log_linear_and_a_null_that_gains_is_a_flaw():
    found = verdicts(step)
    assert found["curve-gain"] == "reproduced" and found["curve-log-linear"] == found["curve-null"] == "not reproduced"


def test_the_files_are_whole(planted):
    folder, _, entries = planted
    assert set(entries) == set(claims.read_claims(CLAIMS, "curve"))
    table = pd.read_csv(folder / "curve.csv")
    assert set(table["panel"]) == {points.JUDGED, *made_up.TASKS} and len(table) == 4 * (1 + 19)
    assert (folder / "curve.png").stat().st_size > 20_000 and (folder / "curve.pdf").stat().st_size > 10_000


def test_the_fit_reads_its_points(planted):
    folder, _, _ = planted
    found = fit.read_points(folder / "points.csv", "entigraph")
    assert found["tokens"].tolist() == pytest.approx([0, *(size / 1e6 for size in made_up.SIZES)])
    table = pd.read_csv(folder / "curve.csv")
    judged = table[(table["panel"] == points.JUDGED) & table["series"].isin(["base", "entigraph"])]
    assert found["accuracy"].tolist() == pytest.approx(judged["value"].tolist())
    assert found["error"].between(0.5, 4).all() and found["error"].tolist() == pytest.approx(judged["error"].tolist())
    assert fit.fit_mixture(*found.to_numpy().T).at(np.array([1.09])) == pytest.approx(judged["value"].iloc[-1], abs=2)


def test_no_accuracy_is_known_better_than_to_half_a_question():
    line = {"tokens": 0.0, "value": 25.0, "error": 0.0, "items": 500, "books": 4, "seeds": 1}
    found = curve.for_the_fit(pd.DataFrame([{"series": "base", **line}, {"series": "raw", **line, "tokens": 1.0}]))
    assert found["error"].tolist() == [0.1, 0.1] and found["series"].tolist() == ["raw", "raw"]


def test_at_the_papers_scale_published_values_are_judged_and_at_smoke_nothing_is():
    found = verdicts(nothing, "paper")
    assert found["curve-gain-published"] == "not reproduced" and found["curve-null"] == "not comparable"
    assert set(verdicts(nothing, "smoke").values()) == {"not comparable"}
