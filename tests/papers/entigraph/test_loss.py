"""Loss on real text against accuracy, from made-up evaluations and losses."""

import json

import numpy as np
import pandas as pd

from papers.entigraph import loss, points
from scripts.lib import claims
from tests.papers.entigraph import made_up

CLAIMS = "papers/entigraph/claims.yaml"
SIZES = (11000, 174000, 1090000)
ARMS = {name: made_up.arm(name, SIZES) for name in ("entigraph", "rephrase", "raw")}
ARMS |= {name: made_up.arm(name, SIZES[-1:]) for name in ("mga", "active-reading", "qa")}
ROW = made_up.row("entigraph/loss", ARMS, losses="heldout", real="books")
GAINS = {"entigraph": 0.3, "active-reading": 0.25, "mga": 0.2, "rephrase": 0.15, "qa": 0.1, "raw": 0.0}


def right(series, tokens, task):
    return made_up.BASE + GAINS[series] * np.log10(tokens / 5000) / 2.34


def worse(series, tokens, task):
    return right(series, tokens, task) - made_up.BASE


def made(folder, lost):
    given = made_up.write(folder, ROW, scores=made_up.scores(ROW, right), losses=made_up.losses(ROW, lost))
    out = made_up.outputs(folder, "loss")
    loss.loss(given["scores"], given["losses"], given["suites"], CLAIMS, *out.values(), row=ROW, code="c0de", draws=500)
    return {entry["claim"]: entry for entry in json.loads((folder / "loss.claims.json").read_text())["claims"]}


def test_a_planted_paradox_is_found(tmp_path):
    found = made(tmp_path, worse)
    assert set(found) == set(claims.read_claims(CLAIMS, "loss"))
    assert {entry["verdict"] for entry in found.values()} == {"reproduced"}
    assert found["loss-together"]["estimate"] > 0.9 and found["loss-together"]["points"] == 12
    table = pd.read_csv(tmp_path / "loss.csv")
    assert set(table["panel"]) == {"loss on books", "loss on prose"} and len(table) == 2 * 13
    assert table["loss_documents"].eq(60).all()


def test_where_loss_falls_with_accuracy_there_is_no_paradox():
    losses = made_up.losses(ROW, lambda series, tokens, task: -worse(series, tokens, task))
    accuracies = points.accuracies(made_up.scores(ROW, right), made_up.books(), ROW, points.primary(ROW))
    drawn = (points.bootstrap(one, 500, "x") for one in (accuracies, points.bits_per_byte(losses, ROW, "books")))
    entries = claims.read_claims(CLAIMS, "loss")
    found = {entry["claim"]: entry["verdict"] for entry in claims.judge(entries, loss.findings(*drawn, entries), "laptop")}
    assert found["loss-together"] == found["loss-paradox"] == "not reproduced"
