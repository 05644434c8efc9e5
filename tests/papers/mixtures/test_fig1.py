"""Figure 1: what Table 4 says of the prose, and what is found in runs whose laws are planted."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

from papers.mixtures import arms, fig1, scaling
from scripts.lib import laws
from scripts.lib.claims import read_claims
from tests.papers.mixtures import made

CLAIMS = read_claims(made.CLAIMS, "fig1")
SAID = {  # the dossier of the paper's contradictions
    "crossing": "reproduced",
    "txbk-67": "reproduced",
    "txbk-67-far": "not reproduced",
    "textbook": "reproduced",
    "hq": "reproduced",
    "hq-far": "not reproduced",
    "qa": "not reproduced",
    "mixtures": "reproduced",
    "shares": "reproduced",
    "textbook-share": "reproduced",
    "67-better-hq": "not reproduced",
    "67-better-qa": "reproduced",
}


def found_of(tmp_path, table, **more):
    row = made.row("fig1", **more)
    fitted = arms.fitted(made.read(tmp_path, table, row), row, laws.fit_tokens, "fig1")
    found = fig1.reproduced(fitted, made.PRINTED, CLAIMS)
    return found, made.verdicts(CLAIMS, found, row["scale"])


def test_the_prose_against_table_4():
    found = fig1.published(made.PRINTED)
    assert {name.removeprefix("fig1-published-"): one for name, one in made.verdicts(CLAIMS, found).items()} == SAID
    by = made.PRINTED.tokens
    exact = brentq(lambda D: laws.value(by["txbk-33"], D=D) - laws.value(by["cc"], D=D), 10, 50)
    assert found["fig1-published-crossing"]["estimate"] == pytest.approx(exact, rel=1e-5) and exact == pytest.approx(
        21.67, abs=0.01
    )
    assert found["fig1-published-qa"]["estimate"] == pytest.approx(-0.0985, abs=1e-4)


def test_verdicts_on_the_prose_are_the_same_at_every_scale():
    found = fig1.published(made.PRINTED)
    assert made.verdicts(CLAIMS, found, "paper") == made.verdicts(CLAIMS, found) == made.verdicts(CLAIMS, found, "gpu")
    assert set(made.verdicts(CLAIMS, found, "smoke").values()) == {"not comparable"}


def test_crossing():
    x = np.geomspace(1, 100, 50)
    assert scaling.crossing(np.log(7.0) - np.log(x), x) == pytest.approx(7)
    assert scaling.crossing(np.stack([5 - x, x, -x]), x).tolist() == [pytest.approx(5, rel=0.01), np.inf, 0]


def test_planted_order_is_found(tmp_path):
    found, said = found_of(tmp_path, made.along("tokens"))
    good = ["mixtures", "textbook", "textbook-behind", "textbook-ahead", "hq", "qa", "order"]
    assert {said[f"fig1-{name}"] for name in good} == {"reproduced"}
    truth = {arm: laws.value(law, 390e-6, 4e-3) for arm, law in made.PLANTED.items()}
    assert found["fig1-textbook"]["low"] < truth["txbk-100"] - truth["cc"] < found["fig1-textbook"]["high"]
    assert said["fig1-crossing-published"] == said["fig1-law"] == "not comparable"


def test_where_nothing_differs_nothing_is_found(tmp_path):
    same = dict.fromkeys(made.ARMS, made.PLANTED["cc"])
    _, said = found_of(tmp_path, made.along("tokens", planted=same))
    assert not {said[f"fig1-{name}"] for name in ("mixtures", "textbook", "textbook-ahead", "order")} & {"reproduced"}


def test_the_reverse_is_not_reproduced(tmp_path):
    turned = {**made.PLANTED, "cc": made.PLANTED["cc"]._replace(E=2.0), "txbk-100": made.law(1.5, 0.3, 0.4, 0.5, 0.5)}
    _, said = found_of(tmp_path, made.along("tokens", planted=turned))
    assert {said[f"fig1-{name}"] for name in ("mixtures", "textbook", "textbook-ahead")} == {"not reproduced"}


def test_runs_on_the_printed_laws_reproduce_the_paper(tmp_path):
    budgets = [int(D * 1e9) for D in (1, 2, 5, 10, 20, 50, 100)]
    table = made.along("tokens", planted=made.PRINTED.tokens, budgets=budgets, noise=0.001)
    found, said = found_of(tmp_path, table, scale="paper")
    assert {said[f"fig1-{name}"] for name in ("law", "crossing-published", "order-published", "mixtures", "textbook")} == {
        "reproduced"
    }
    assert said["fig1-qa"] == "not reproduced"  # as Table 4 itself
    assert found["fig1-law"]["estimate"] < 0.005


def test_few_runs_leave_everything_of_ours_undecided(tmp_path):
    few = made.along("tokens", budgets=made.BUDGETS[:3])
    found, said = found_of(tmp_path, few)
    assert set(said.values()) == {"undecided", "not comparable"}
    assert all("too few" in one["lacking"] or "fewer" in one["lacking"] for one in found.values())


def test_the_figure(tmp_path):
    table = made.along("tokens")
    out = made.drawn(tmp_path, table, fig1, "fig1")
    entries = made.judged(out[3])
    assert set(entries) == set(CLAIMS) and entries["fig1-textbook-crossing"]["verdict"] == "reproduced"
    numbers = pd.read_csv(out[2])
    assert set(numbers["layer"]) == {"published", "reproduced"} and set(numbers["arm"]) == set(made.ARMS)
    end = numbers[(numbers["layer"] == "published") & (numbers["panel"] == "loss")].groupby("arm").tail(1).set_index("arm")
    assert end["x"].unique() == pytest.approx([8e12]) and end.loc["hq-33", "y"] == pytest.approx(2.527, abs=5e-4)
    pair = numbers[(numbers["series"] == "paired") & (numbers["arm"] == "hq-33")]
    by = table.set_index(["arm", "tokens", "seed"])["macro"]
    assert pair["y"].iloc[0] == pytest.approx((by["hq-33"] - by["cc"])[250_000].mean(), abs=1e-5)
