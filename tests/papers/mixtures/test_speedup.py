"""Speed-up: the values that Table 4 gives, what generation takes, planted speed-ups."""

import numpy as np
import pandas as pd
import pytest

from papers.mixtures import arms, speedup
from scripts.lib import laws
from scripts.lib.claims import read_claims
from tests.papers.mixtures import made

CLAIMS = read_claims(made.CLAIMS, "speedup")
SEVEN = {"parameters": 7e9, "prompt": 1.0}


@pytest.mark.parametrize(
    ("arm", "expected"),
    [
        ("hq-33", [1.64, 3.97, 6.07, 9.89, 37.0]),
        ("qa-67", [1.77, 4.48, 6.87, 11.2, 41.7]),
        ("hq-100", [0.70, 0.81, 0.95, 1.19, 2.71]),
        ("txbk-67", [0.47, 0.43, 0.48, 0.59, 1.28]),
        ("txbk-100", [0.02, 0, 0, 0, 0]),
    ],
)
def test_speedups_of_the_printed_laws(arm, expected):
    found = laws.speedup(made.PRINTED.tokens[arm], made.PRINTED.tokens["cc"], np.array([5, 50, 100, 200, 1000]))
    assert found == pytest.approx(expected, rel=6e-3, abs=6e-3)


def test_5_to_10_times_is_between_74B_and_203B_tokens():
    of = made.PRINTED.tokens
    assert speedup.reached(of["hq-33"], of["cc"], 5) == pytest.approx(74, abs=0.6)
    assert speedup.reached(of["hq-33"], of["cc"], 10) == pytest.approx(203, abs=1)
    assert speedup.reached(of["txbk-100"], of["cc"], 2) == np.inf


def test_what_generation_takes():
    assert speedup.costlier("hq-33", 1e9, SEVEN) == pytest.approx(1 + 28 / 3 / 6)
    assert speedup.costlier("hq-100", 1e9, SEVEN, models=10) == pytest.approx(1 + 2.8 / 6)
    assert speedup.costlier("hq-33", 1e9, {"parameters": 0, "prompt": 1.0}) == 1


def test_the_abstract_against_table_4():
    found = speedup.published(made.PRINTED, SEVEN)
    assert made.verdicts(CLAIMS, found) == {
        "speedup-published-hq-33": "reproduced",
        "speedup-published-qa-33": "reproduced",
        "speedup-published-flops": "not reproduced",
        "speedup-published-hq": "reproduced",
        "speedup-published-qa": "not reproduced",
    }
    assert found["speedup-published-flops"]["estimate"] == pytest.approx(6.07 / 2.556, abs=0.01)
    written_by_nobody = speedup.published(made.PRINTED, {"parameters": 0, "prompt": 1.0})
    assert made.verdicts(CLAIMS, written_by_nobody)["speedup-published-flops"] == "reproduced"


def said_of(tmp_path, table):
    row = made.row("speedup")
    found = arms.fitted(made.read(tmp_path, table, row), row, laws.fit_tokens, "fig1")
    return speedup.reproduced(found, CLAIMS)


def test_planted_speedups_are_found(tmp_path):
    """Half the tokens for a loss: D' = D / 2 where B is 2**-beta times as large."""
    twice = made.PLANTED["cc"]._replace(B=made.PLANTED["cc"].B * 2**-0.5)
    found = said_of(tmp_path, made.along("tokens", planted={"cc": made.PLANTED["cc"], "hq-33": twice}, noise=0.0005))
    one = found["speedup-hq-33"]
    assert one["low"] < np.log10(2) < one["high"] and one["estimate"] == pytest.approx(np.log10(2), abs=0.05)
    said = made.verdicts(CLAIMS, found)
    assert (
        said["speedup-hq-33"] == "reproduced" and said["speedup-grows"] == "undecided" and said["speedup-qa-33"] == "undecided"
    )


def test_an_arm_that_never_gets_there_is_not_faster(tmp_path):
    worse = made.PLANTED["cc"]._replace(E=6.0)
    found = said_of(tmp_path, made.along("tokens", planted={"cc": made.PLANTED["cc"], "hq-33": worse, "hq-100": worse}))
    said = made.verdicts(CLAIMS, found)
    assert said["speedup-hq-33"] == "not reproduced" and said["speedup-hq"] == "reproduced"


@pytest.mark.parametrize("generation", [None, {"parameters": 7241732096, "prompt": 1.0}])
def test_the_figure(tmp_path, generation):
    out = made.drawn(tmp_path, made.along("tokens"), speedup, "speedup", generation=generation)
    assert set(made.judged(out[3])) == set(CLAIMS)
    numbers = pd.read_csv(out[2])
    ours = numbers[(numbers["layer"] == "reproduced") & (numbers["panel"] == "cost")]
    assert len(ours["series"].unique()) == (3 if generation else 0)
    marks = numbers[numbers["series"] == "mark"].set_index("y")["x"]
    assert marks.to_dict() == pytest.approx({5.0: 74e9, 10.0: 203e9}, rel=0.01)
