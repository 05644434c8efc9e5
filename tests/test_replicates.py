"""Replicates: t intervals over made-up ones, verdicts that flip with the effect, files that do not belong together."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from scripts import answers, replicates, study
from scripts.lib import statistics
from tests import made_up


def three(folder, estimates, **more):
    """The claims.json of three replicates in which both claims of fig5 were found at these estimates, +-0.5."""
    return [
        str(
            made_up.write_judged(
                folder,
                "fig5",
                "fig5" if number == 1 else f"fig5-r{number}",
                {claim: (e, e - 0.5, e + 0.5) for claim in ("above", "no-worse")},
                **more,
            )
        )
        for number, e in enumerate(estimates, 1)
    ]


def table(folder, paths):
    replicates.replicates(paths, str(folder / "replicates.csv"))
    return made_up.lines(folder / "replicates.csv")


def test_names():
    assert replicates.which("results/laptop/fig5.claims.json") == ("fig5", 1)
    assert replicates.which("results/laptop/fig10-r12.claims.json") == ("fig10", 12)
    with pytest.raises(ValueError, match="claims.csv: expected a name"):
        replicates.which("fig5.claims.csv")


def test_one_line_per_claim_and_replicate_and_the_t_interval_of_scipy(tmp_path):
    estimates = [2.0, 2.6, 3.1]
    found = table(tmp_path, three(tmp_path, estimates))
    assert [(line["claim"], line["replicate"]) for line in found] == [
        (claim, number) for number in ("1", "2", "3", "all") for claim in ("above", "no-worse", "both")
    ]
    assert {line["verdict"] for line in found[:9]} == {"reproduced"}
    over = found[9]
    expected = stats.t.interval(0.9, 2, np.mean(estimates), stats.sem(estimates))
    assert (float(over["low"]), float(over["high"])) == pytest.approx(expected)
    assert float(over["estimate"]) == pytest.approx(np.mean(estimates)) and float(over["level"]) == 0.05
    assert [line["verdict"] for line in found[9:]] == ["reproduced"] * 3


@pytest.mark.parametrize(
    ("estimates", "verdicts"),
    [
        ([3.0, 3.2, 2.9], ["reproduced", "reproduced", "reproduced"]),
        ([-3.0, -3.2, -2.9], ["not reproduced", "not reproduced", "not reproduced"]),
        ([-0.3, -0.35, -0.32], ["not reproduced", "reproduced", "not reproduced"]),
        ([3.0, -2.0, 6.0], ["undecided", "undecided", "undecided"]),
    ],
)
def test_the_verdict_is_that_of_the_replicates_together_and_flips_with_the_effect(tmp_path, estimates, verdicts):
    assert [line["verdict"] for line in table(tmp_path, three(tmp_path, estimates))[9:]] == verdicts


def test_claims_corrected_together_stay_so(tmp_path):
    """Both have p_holm: the larger p is tested at 0.05, the smaller at 0.025."""
    found = table(tmp_path, three(tmp_path, [2.0, 2.6, 3.1], p_holm=0.02))
    levels = {line["claim"]: line["level"] for line in found[9:]}
    assert (levels["above"], levels["no-worse"]) == ("0.05", "0.025"), "no-worse has a margin, so its p is smaller"


def test_no_effect_passes_as_often_as_the_level_says():
    rng = np.random.default_rng(3)
    entry = {"claim": "above", "direction": ">", "scale": "laptop", "scales": ["laptop"], "claim_level": 0.05}
    passed = 0
    for estimates in rng.standard_normal((600, 3)):
        values = [{"claims": [{**entry, "estimate": e}]} for e in estimates]
        passed += replicates.over_replicates(values)[0]["verdict"] == "reproduced"
    assert stats.binom.ppf(0.001, 600, 0.05) <= passed <= stats.binom.ppf(0.999, 600, 0.05)


def test_one_replicate_has_no_interval_over_replicates(tmp_path):
    found = table(tmp_path, three(tmp_path, [2.0])[:1])
    assert [line["replicate"] for line in found] == ["1"] * 3
    assert replicates.read_table(tmp_path / "replicates.csv") == ({"fig5": 1}, {})


def test_files_that_do_not_belong_together_are_named(tmp_path):
    paths = three(tmp_path, [2.0, 2.6, 3.1])
    with pytest.raises(ValueError, match=r"fig5: replicates \[2\] are missing"):
        replicates.read_replicates([paths[0], paths[2]])
    made_up.edit(tmp_path / "results/laptop/fig5-r3.claims.json", direction="<")
    with pytest.raises(ValueError, match="fig5, replicate 3: its claims and their thresholds"):
        replicates.read_replicates(paths)
    other = made_up.write_judged(tmp_path, "fig7", "fig5-r2")
    with pytest.raises(ValueError, match="fig5, replicate 2, key artifact: expected 'fig5'"):
        replicates.read_replicates([paths[0], str(other)])


def test_inputs_are_the_replicates_that_have_rows(monkeypatch):
    rows = dict.fromkeys(["fig1", "fig5", "fig5-r2", "fig5-r3", "sbp/alphabet"], {})
    monkeypatch.setattr(answers, "load", lambda: {"laptop": {"figures": rows}})
    here, there = (type("Wildcards", (), {"scale": "laptop", "folder": folder})() for folder in ("", "sbp/"))
    figures = {"": ["fig1", "fig5"], "sbp/": ["sbp/alphabet"]}
    names = ["fig1", "fig5", "fig5-r2"]
    assert answers.replicates(figures, 2)(here) == [f"results/laptop/{name}.claims.json" for name in names]
    assert answers.replicates(figures, 1)(here) == [f"results/laptop/{name}.claims.json" for name in names[:2]]
    assert answers.replicates(figures, 2)(there) == ["results/laptop/sbp/alphabet.claims.json"]
    with pytest.raises(study.StudyError, match="replicates: 4: no figure has a row -r4 at scale laptop"):
        answers.replicates(figures, 4)(here)
    with pytest.raises(study.StudyError, match="key replicates: expected a whole number above 0, found 0"):
        answers.replicates(figures, 0)


def peaks(rng, effect: float, picked: bool) -> bool:
    """Whether the largest of twelve noisy changes, of which one is an effect, passes as above zero over three replicates."""
    entry = {"claim": "peak", "direction": ">", "scale": "laptop", "scales": ["laptop"], "claim_level": 0.05, "picked": picked}
    truth, values = np.eye(12)[4] * effect, []
    for _ in range(3):
        estimate = truth + rng.standard_normal(12)
        low, high = statistics.simultaneous(estimate, estimate + rng.standard_normal((400, 12)), 0.05)
        found = {"estimate": estimate.max(), "low": low.max(), "high": high.max()}
        values.append({"artifact": "fig5", "claims": [{**entry, **found}]})
    return replicates.over_replicates(values)[0]["verdict"] == "reproduced"


def test_peaks_without_effect_seldom_pass_and_those_with_one_do():
    """The mean of peaks is above the truth, so its own interval would pass noise nearly always."""
    rng = np.random.default_rng(4)
    assert sum(peaks(rng, 0, picked=True) for _ in range(100)) <= 5
    assert sum(peaks(rng, 0, picked=False) for _ in range(100)) >= 80
    assert sum(peaks(rng, 8, picked=True) for _ in range(20)) >= 16


def test_what_is_picked_has_no_p_value_to_correct(tmp_path):
    paths = three(tmp_path, [2.0, 2.6, 3.1], p_holm=0.02)
    for path in paths:
        made_up.edit(Path(path), picked=True)
    with pytest.raises(ValueError, match=r"fig5: \['above'\]: corrected with others, and picked"):
        table(tmp_path, paths)
