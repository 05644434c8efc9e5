"""Questions and answers against EntiGraph from made-up evaluations."""

import json

import numpy as np
import pandas as pd

from papers.entigraph import points, qa
from scripts.lib import claims
from tests.papers.entigraph import made_up

CLAIMS = "papers/entigraph/claims.yaml"
SIZES = (27500, 174000, 1090000)
ROW = made_up.row(
    "entigraph/qa",
    {"entigraph": made_up.arm("e", made_up.SIZES), "qa": made_up.arm("qa", SIZES)},
    direct=["books_direct"],
    composed=["books_two_hop"],
)


def narrow(series, tokens, task):
    """QA teaches what is stated from the first tokens on and nothing else; EntiGraph both, slowly."""
    if series == "qa":
        return made_up.BASE + (0.4 if task == "books_direct" else 0)
    return made_up.BASE + 0.1 * np.log10(tokens / 5000)


def made(folder, truth):
    given = made_up.write(folder, ROW, scores=made_up.scores(ROW, truth))
    out = made_up.outputs(folder, "qa")
    qa.qa(given["scores"], given["suites"], CLAIMS, *out.values(), row=ROW, code="c0de", draws=500)
    return {entry["claim"]: entry for entry in json.loads((folder / "qa.claims.json").read_text())["claims"]}


def test_planted_narrowness_is_found(tmp_path):
    found = made(tmp_path, narrow)
    assert set(found) == set(claims.read_claims(CLAIMS, "qa"))
    assert {entry["verdict"] for entry in found.values()} == {"reproduced"} and found["qa-faster"]["sizes"] == 3
    table = pd.read_csv(tmp_path / "qa.csv")
    assert table.groupby("panel")["series"].value_counts()["direct"].to_dict() == {"entigraph": 6, "qa": 3, "base": 1}


def test_arms_that_teach_alike_reproduce_nothing():
    scores, entries = made_up.scores(ROW, lambda series, tokens, task: made_up.BASE), claims.read_claims(CLAIMS, "qa")
    drawn = {kind: points.bootstrap(points.accuracies(scores, made_up.books(), ROW, ROW[kind]), 500, "qa") for kind in qa.KINDS}
    judged = claims.judge(entries, qa.findings(drawn, entries), "laptop")
    assert "reproduced" not in {entry["verdict"] for entry in judged}
