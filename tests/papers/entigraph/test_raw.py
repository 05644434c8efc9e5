"""Replay from made-up evaluations and losses: planted protection is found, and none where there is none."""

import json

import pandas as pd

from papers.entigraph import points, raw
from scripts.lib import claims
from tests.papers.entigraph import made_up

CLAIMS = "papers/entigraph/claims.yaml"
ARMS = {share: made_up.arm(f"raw-replay{share}", (174000,)) for share in ("0", "0.1", "0.3")}
ROW = made_up.row("entigraph/raw", ARMS, losses="heldout", generic="prose")


def accuracy(series, tokens, task):
    return made_up.BASE + (0.15 if task == "books_direct" else -0.02)


def protects(series, tokens, task):
    return {"0": 0.3, "0.1": 0.1, "0.3": 0.04}[series] if task == "prose" else -0.1


def made(folder, right, lost):
    given = made_up.write(folder, ROW, scores=made_up.scores(ROW, right), losses=made_up.losses(ROW, lost))
    out = made_up.outputs(folder, "raw")
    paths = (given["scores"], given["losses"], given["suites"], CLAIMS, out["pdf"], out["png"], out["csv"], out["claims.json"])
    raw.raw(*paths, row=ROW, code="c0de", draws=1000)
    return {entry["claim"]: entry for entry in json.loads((folder / "raw.claims.json").read_text())["claims"]}


def test_planted_protection_is_found(tmp_path):
    found = made(tmp_path, accuracy, protects)
    assert set(found) == set(claims.read_claims(CLAIMS, "raw"))
    assert found["raw-replay"]["verdict"] == "reproduced" and found["raw-published"]["verdict"] == "not comparable"
    assert 0.15 < found["raw-replay-protects"]["estimate"] < 0.25
    table = pd.read_csv(tmp_path / "raw.csv")
    assert set(table["panel"]) == {"loss on prose", "loss on books", "judged", *made_up.TASKS} and len(table) == 6 * 4
    assert table.loc[table["panel"] == "loss on prose", "unit"].eq("bits per byte").all()


def test_without_protection_nothing_is_reproduced_and_a_gain_of_raw_refutes():
    scores = made_up.scores(ROW, lambda series, tokens, task: made_up.BASE + 0.1)
    losses = made_up.losses(ROW, lambda series, tokens, task: -0.05)
    accuracies = points.accuracies(scores, made_up.books(), ROW, points.primary(ROW))
    drawn = (points.bootstrap(one, 500, "x") for one in (accuracies, points.bits_per_byte(losses, ROW, "prose")))
    entries = claims.read_claims(CLAIMS, "raw")
    found = {entry["claim"]: entry["verdict"] for entry in claims.judge(entries, raw.findings(*drawn, entries), "laptop")}
    assert found["raw-forgets"] == found["raw-replay"] == found["raw-below-base"] == "not reproduced"
    assert found["raw-replay-protects"] != "reproduced"
