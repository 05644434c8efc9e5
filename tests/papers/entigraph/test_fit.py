"""The three-exponential fit: printed constants from samples of the printed curve, planted truths, verdicts that can fail."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit

from papers.entigraph import fit
from scripts.lib import claims

CLAIMS, CURVE = "papers/entigraph/claims.yaml", "papers/entigraph/curve.yaml"
TOKENS = np.array([0, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 455])
ROW = {
    "name": "fit",
    "scale": "laptop",
    "tokens": TOKENS.tolist(),
    "items": 4609,
    "draws": 8,
    "series": "entigraph",
}


def test_the_printed_curve():
    printed, known = fit.printed_curve(CURVE)
    assert printed.at(np.array([0, 455])) == pytest.approx([38.31, 56.16], abs=0.005)
    assert printed.at(np.array([1, 10, 100, 1000])) == pytest.approx([42.92, 48.03, 52.15, 59.94], abs=0.005)
    assert printed.times == pytest.approx([0.344, 9.115, 908.6], rel=1e-3) and known["last"] == 455


@pytest.mark.parametrize("tokens", [TOKENS, np.append(0, np.geomspace(0.05, 455, 9))])
def test_printed_constants_come_back_from_samples(tokens):
    printed, _ = fit.printed_curve(CURVE)
    accuracy = printed.at(tokens)
    found = fit.fit_mixture(tokens, accuracy, fit.binomial_error(accuracy, 4609))
    assert fit.distance(found, printed) < 1e-6
    assert found.at(np.array([0, 455])) == pytest.approx([38.31, 56.16], abs=0.005)


@pytest.mark.parametrize(
    ("asymptote", "amplitudes", "times"), [(90, (30, 20, 10), (1, 12, 80)), (35.5, (1, 2, 6), (0.5, 3, 60))]
)
def test_planted_mixtures_come_back(asymptote, amplitudes, times):
    planted = fit.Mixture(asymptote, np.array(amplitudes, float), np.array(times, float))
    found = fit.fit_mixture(TOKENS, planted.at(TOKENS), np.full(len(TOKENS), 0.5))
    assert fit.distance(found, planted) < 1e-4


def test_a_noisy_fit_is_no_worse_than_scipys_and_the_same_each_time():
    """An independent reference: curve_fit over all seven numbers, started at the truth."""
    printed, _ = fit.printed_curve(CURVE)
    rng = np.random.default_rng(7)
    error = np.full(len(TOKENS), 0.3)
    accuracy = printed.at(TOKENS) + rng.normal(size=len(TOKENS)) * error

    def curve(x, a, b1, b2, b3, t1, t2, t3):
        return fit.Mixture(a, np.array([b1, b2, b3]), np.array([t1, t2, t3])).at(x)

    start = [printed.asymptote, *printed.amplitudes, *printed.times]
    values, _ = curve_fit(curve, TOKENS, accuracy, start, error, bounds=(0, [100, *[np.inf] * 3, 10, 200, 13650]))
    found = fit.fit_mixture(TOKENS, accuracy, error)
    cost, reference = ((((at - accuracy) / error) ** 2).sum() for at in (found.at(TOKENS), curve(TOKENS, *values)))
    assert cost <= reference * (1 + 1e-4)
    again = fit.fit_mixture(TOKENS, accuracy, error)
    assert again.asymptote == found.asymptote and (again.times == found.times).all()


def test_no_asymptote_is_above_100():
    steep = 40 + 10 * np.log1p(TOKENS)
    found = fit.fit_mixture(TOKENS, steep, np.full(len(TOKENS), 0.5))
    assert found.asymptote <= 100 and (found.amplitudes >= 0).all()


def test_the_line_and_aic():
    x, error = np.array([1.0, 10, 100, 1000]), np.ones(4)
    line = fit.fit_line(x, 40 + 4.5 * np.log10(x), error)
    assert line == pytest.approx((40, 4.5))
    assert fit.aic(line, x, 40 + 4.5 * np.log10(x) + np.array([1, -1, 0, 0]), error) == pytest.approx(2 + 4)


def test_which_shape_is_preferred_follows_the_truth():
    sharp, error = fit.Mixture(60.0, np.array([5.0, 5.0, 10.0]), np.array([0.3, 4.0, 40.0])), np.full(len(TOKENS), 0.2)
    straight = np.append(30.0, 40 + 4.5 * np.log10(TOKENS[1:]))
    for accuracy, preferred in ((sharp.at(TOKENS), True), (straight, False)):
        points = fit.with_tokens(pd.DataFrame({"tokens": TOKENS, "accuracy": accuracy, "error": error}))
        assert len(points[0]) == len(TOKENS) - 1
        found = fit.preference(fit.fit_mixture(*points), *points)
        assert found > 10 if preferred else found < 0


def test_a_refit_in_less_time_is_next_to_as_good():
    printed, _ = fit.printed_curve(CURVE)
    error = fit.binomial_error(printed.at(TOKENS), 4609)
    for accuracy in fit.redrawn(printed, TOKENS, error, 5, 3):
        quick, whole = (
            (((one.at(TOKENS) - accuracy) / error) ** 2).sum()
            for one in (fit.refit(printed, TOKENS, accuracy, error), fit.fit_mixture(TOKENS, accuracy, error))
        )
        assert whole - 1e-9 <= quick < whole + 0.2


def own(accuracy, error=0.2):
    return pd.DataFrame({"tokens": TOKENS, "accuracy": accuracy, "error": error})


def verdicts(points, scale, draws=20):
    entries = claims.read_claims(CLAIMS, "fit")
    fitted = []
    if points is not None:
        x, y, error = points.to_numpy().T
        one = fit.fit_mixture(x, y, error)
        fitted = [one, *fit.refits(one, x, error, draws, 0)]
    found = fit.findings(0.0, points, fitted, entries, 455, draws)
    return {entry["claim"]: entry["verdict"] for entry in claims.judge(entries, found, scale)}


def test_planted_shapes_are_told_apart():
    sharp = fit.Mixture(60.0, np.array([5.0, 5.0, 10.0]), np.array([0.3, 4.0, 40.0]))
    found = verdicts(own(sharp.at(TOKENS)), "paper")
    assert found["fit-mixture"] == "reproduced"
    assert found["fit-asymptote"] == found["fit-end"] == "not reproduced"  # it ends at 60 %
    line = np.append(34.0, 40 + 4.5 * np.log10(TOKENS[1:]))
    assert verdicts(own(line + np.random.default_rng(1).normal(0, 0.2, len(TOKENS))), "laptop")["fit-mixture"] != "reproduced"


def test_precise_points_on_the_printed_curve_are_reproduced_and_noisy_ones_are_not():
    printed, _ = fit.printed_curve(CURVE)
    found = verdicts(own(printed.at(TOKENS), 1e-3), "paper")
    assert found["fit-asymptote"] == found["fit-end"] == "reproduced"
    assert verdicts(own(printed.at(TOKENS), 0.7), "paper")["fit-asymptote"] == "undecided"


def test_without_points_nothing_of_ours_is_claimed():
    found = verdicts(None, "laptop")
    assert found == {
        "fit-constants": "reproduced",
        "fit-mixture": "undecided",
        "fit-asymptote": "not comparable",
        "fit-end": "not comparable",
    }


def test_six_points_with_tokens_leave_the_shape_undecided():
    """A mixture of three exponentials has seven numbers to choose."""
    printed, _ = fit.printed_curve(CURVE)
    assert verdicts(own(printed.at(TOKENS)).iloc[[0, 1, 4, 6, 8, 10, 12]], "laptop", 5)["fit-mixture"] == "undecided"


def make(folder, points=(), row=ROW):
    paths = [folder / f"fit.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
    fit.fit(CURVE, list(points), CLAIMS, *paths, row=row, code="c")
    return paths


def test_files_without_and_with_points(tmp_path):
    *_, csv, judged = make(tmp_path)
    table = pd.read_csv(csv)
    assert set(table["panel"]) == {"printed"}
    value = {entry["claim"]: entry for entry in json.loads(judged.read_text())["claims"]}
    assert value["fit-constants"]["verdict"] == "reproduced" and value["fit-mixture"]["points"] == 0
    printed, _ = fit.printed_curve(CURVE)
    points = pd.DataFrame({"series": "entigraph", "tokens": TOKENS, "accuracy": printed.at(TOKENS) - 5, "items": 800})
    pd.concat([points, points.assign(series="rephrase")]).to_csv(tmp_path / "points.csv", index=False)
    *_, csv, judged = make(tmp_path / "own", [tmp_path / "points.csv"])
    table = pd.read_csv(csv)
    mine = table[(table["panel"] == "own") & (table["series"] == "points")]
    assert mine["y"].to_numpy() == pytest.approx(points["accuracy"], abs=1e-3)
    assert mine["error"].to_numpy() == pytest.approx(fit.binomial_error(points["accuracy"], 800), abs=1e-3)
    assert (table.loc[table["series"] == "asymptote", "x"] >= 0).sum() == 2 * ROW["draws"]
    value = {entry["claim"]: entry for entry in json.loads(judged.read_text())["claims"]}
    assert value["fit-mixture"]["points"] == len(TOKENS) - 1 and value["fit-asymptote"]["verdict"] == "not comparable"


def test_fewer_than_seven_points_are_as_none(tmp_path):
    points = pd.DataFrame({"series": "entigraph", "tokens": [0.0, 0.01, 0.1, 1.0], "accuracy": 30.0, "error": 1.0})
    points.to_csv(tmp_path / "points.csv", index=False)
    *_, csv, judged = make(tmp_path, [tmp_path / "points.csv"])
    assert set(pd.read_csv(csv)["panel"]) == {"printed"}
    value = {entry["claim"]: entry for entry in json.loads(judged.read_text())["claims"]}
    assert value["fit-mixture"]["verdict"] == "undecided" and value["fit-mixture"]["points"] == 0


def test_bad_points_are_named(tmp_path):
    path = tmp_path / "points.csv"
    good = pd.DataFrame({"series": "entigraph", "tokens": [0.0, 1.0], "accuracy": [40.0, 42.0], "items": 100})
    for change, message in (
        ({"tokens": None}, "no column tokens"),
        ({"items": None}, "a column error"),
        ({"series": "rephrase"}, "no 'entigraph'"),
        ({"accuracy": [40.0, 142.0]}, "142.0.*expected tokens from 0"),
        ({"accuracy": [40.0, np.nan]}, "nan.*expected tokens from 0"),
    ):
        table = good.assign(**{k: v for k, v in change.items() if v is not None})
        table.drop(columns=[k for k, v in change.items() if v is None]).to_csv(path, index=False)
        with pytest.raises(ValueError, match=f"points.csv: .*{message}"):
            fit.read_points(path, "entigraph")
    good.to_csv(path, index=False)
    assert fit.read_points(path, "entigraph")["error"].iloc[0] == pytest.approx(100 * np.sqrt(0.24 / 100))
    with pytest.raises(ValueError, match="2 points: expected 7"):
        fit.fit_mixture([0, 1], [40, 42], [1, 1])
