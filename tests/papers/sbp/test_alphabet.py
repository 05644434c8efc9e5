"""The figure of the thought experiment on constructed losses: verdicts that can fail, files that hold what is drawn."""

import json

import numpy as np
import pandas as pd
import pytest

from papers.sbp import alphabet, letters
from scripts.lib import claims

CLAIMS = "papers/sbp/claims.yaml"
ROW = {
    "name": "alphabet",
    "scale": "laptop",
    "documents": 1625,
    "length": 32,
    "repetition": 20,
    "synthetic": 0.375,
    "replicates": 3,
}


def table(above=None, below=0.0, learned=0.002, replicates=3, noise=1e-4):
    """letters.csv with planted excesses: ``above`` by arm in the uniform world, ``learned`` in the other; sampled ``below``."""
    rng, lines = np.random.default_rng(0), []
    for world, follows in (("uniform", 0.2), ("learnable", 0.6)):
        entropy = letters.entropy(32, follows)
        for replicate in range(1, replicates + 1):
            for arm in letters.ARMS:
                end = (above or {}).get(arm, 0.0005) if world == "uniform" else learned
                for moment in (1, 2, 3):
                    expected = entropy + end + 0.3 * (3 - moment) + abs(rng.normal(0, noise))
                    line = {"world": world, "follows": follows, "replicate": replicate, "arm": arm, "letters": 1000 * moment}
                    line |= {"entropy": entropy, "trained": expected - 0.001, "sampled": expected - below, "expected": expected}
                    line |= {"sampled_error": 1e-4, "expected_error": 1e-6, "heldout": 3200, "parameters": 520}
                    lines.append(line)
    return pd.DataFrame(lines)


def verdicts(frame):
    entries = claims.read_claims(CLAIMS, "alphabet")
    judged = claims.judge(entries, alphabet.findings(frame, entries), "laptop")
    return {entry["claim"].removeprefix("alphabet-"): entry["verdict"] for entry in judged}


def test_arms_and_letters_are_those_of_the_runs():
    assert (alphabet.ARMS, alphabet.LETTERS) == (letters.ARMS, letters.LETTERS)


def test_all_holds_where_nothing_is_learned():
    assert set(verdicts(table()).values()) == {"reproduced"}


def test_one_arm_that_memorises_is_named():
    found = verdicts(table(above={"repeated": 0.02}))
    assert found["repeated"] == found["thought-experiment"] == "not reproduced"
    assert found["unique"] == found["synthetic"] == found["none-below"] == "reproduced"


def test_a_leak_is_found_by_the_sampled_loss_alone():
    found = verdicts(table(below=0.05))
    assert found["none-below"] == found["thought-experiment"] == "not reproduced"
    assert found["repeated"] == found["synthetic"] == found["unique"] == "reproduced"


def test_models_that_learn_nothing_anywhere_fail_the_control():
    found = verdicts(table(learned=np.log(5) - letters.entropy(32, 0.6) + 0.001))
    assert found["learnable-below"] == found["learnable-learned"] == "not reproduced"
    assert found["thought-experiment"] == "reproduced"


def test_noise_leaves_it_undecided():
    assert verdicts(table(noise=0.02))["repeated"] == "undecided"


def test_the_interval_is_students_over_replicates_and_the_worst_arm_decides():
    frame = table(above={"unique": 0.003})
    entries = claims.read_claims(CLAIMS, "alphabet")
    found = alphabet.findings(frame, entries)
    last = frame[(frame["letters"] == 3000) & (frame["world"] == "uniform")]
    values = (last.loc[last["arm"] == "unique", "expected"] - np.log(5)).to_numpy()
    half = 2.919986 * values.std(ddof=1) / np.sqrt(3)
    assert found["alphabet-unique"]["low"] == pytest.approx(values.mean() - half, rel=1e-5)
    assert found["alphabet-none-below"]["estimate"] == pytest.approx(
        (last["sampled"] - np.log(5)).groupby(last["arm"]).mean().min()
    )


def test_a_missing_run_is_named():
    frame = table()
    lacking = frame[~((frame["world"] == "learnable") & (frame["arm"] == "unique"))]
    with pytest.raises(ValueError, match="something to learn: no run of unique"):
        alphabet.findings(lacking, claims.read_claims(CLAIMS, "alphabet"))


def test_files_hold_what_is_drawn(tmp_path):
    table().to_csv(tmp_path / "letters.csv", index=False)
    for folder in ("one", "two"):
        paths = [tmp_path / folder / f"alphabet.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
        alphabet.alphabet(tmp_path / "letters.csv", CLAIMS, *paths, row=ROW, code="c")
    for path in paths:
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()
    drawn = pd.read_csv(paths[2])
    end = drawn[(drawn["panel"] == "end") & (drawn["world"] == "uniform") & (drawn["quantity"] == "expected")]
    value = {entry["claim"]: entry for entry in json.loads(paths[3].read_text())["claims"]}
    for arm in letters.ARMS:
        one, entry = end[end["arm"] == arm].iloc[0], value[f"alphabet-{arm}"]
        assert (one["y"], one["low"], one["high"]) == pytest.approx((entry["estimate"], entry["low"], entry["high"]), rel=1e-4)


def test_smoke_judges_nothing(tmp_path):
    table(replicates=2).to_csv(tmp_path / "letters.csv", index=False)
    paths = [tmp_path / f"alphabet.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
    alphabet.alphabet(tmp_path / "letters.csv", CLAIMS, *paths, row={**ROW, "scale": "smoke", "replicates": 2}, code="c")
    assert {entry["verdict"] for entry in json.loads(paths[-1].read_text())["claims"]} == {"not comparable"}
