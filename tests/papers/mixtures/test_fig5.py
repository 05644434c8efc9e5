"""The study of generators on made-up runs: planted order, equal generators, none at all."""

import pytest

from papers.mixtures import fig5
from tests.papers.mixtures import mixed

SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2)
ROW = {
    "name": "mixtures/fig5",
    "scale": "laptop",
    "world": "default",
    "generators": {"weak": "novice", "middle": "copyist", "strong": "master"},
}
ONE = {"sizes": {"Tern-3": 250_000}, "budgets": (600_000,)}


def effects(weak, strong_hq, strong_qa):
    """Nats above the middle generator's."""
    out = {}
    for generator, hq, qa in (("copyist", 0, 0), ("novice", weak, weak), ("master", strong_hq, strong_qa)):
        out |= mixed.kinds(SHARES, generator, hq=lambda s, more=hq: more - 0.1 * s, qa=lambda s, more=qa: more - 0.1 * s)
    return out


def judged(planted, **how):
    found = fig5.compared(mixed.runs(planted, **ONE, **how), ROW)
    return mixed.judged("fig5", lambda asked: fig5.findings(*found, asked))


def test_the_published_order_is_reproduced_where_it_is_planted(tmp_path):
    out = mixed.outputs(tmp_path / "fig5", "fig5")
    runs = mixed.saved(mixed.runs(effects(0.02, 0.02, 0.0), **ONE), tmp_path / "runs.csv")
    fig5.fig5(runs, mixed.CLAIMS, *out, row=ROW, code="c")
    found = mixed.entries(out[3])
    assert set(mixed.verdicts(found).values()) == {"reproduced"}
    assert found["weak-hq-signs"]["signs"] == "7 of 7" and found["weak-hq-signs"]["p"] == pytest.approx(1 / 128)
    assert found["weak-hq"]["low"] < 0.02 < found["weak-hq"]["high"]


def test_equal_generators_are_comparable_and_none_is_worse():
    found = mixed.verdicts(judged(effects(0.0, 0.0, 0.0), noise=0.003))
    assert found["strong-qa"] == found["bigger"] == "reproduced"
    assert "reproduced" not in {
        found[name] for name in ("weak", "strong-hq", "strong-hq-signs", "weak-hq-signs", "weak-qa-signs")
    }


def test_a_better_large_generator_refutes():
    found = mixed.verdicts(judged(effects(0.02, -0.03, -0.03)))
    assert {found[name] for name in ("strong-hq", "strong-hq-signs", "strong-qa", "bigger")} == {"not reproduced"}


def test_single_seeds_decide_nothing_but_signs():
    found = mixed.verdicts(judged(effects(0.02, 0.02, 0.0), seeds=1))
    assert found["weak-hq"] == "undecided" and found["weak-hq-signs"] == "reproduced"


def test_a_scale_without_the_largest_judges_the_other_two(tmp_path):
    two = {key: value for key, value in effects(0.02, 0.0, 0.0).items() if key[2] != "master"}
    out = mixed.outputs(tmp_path / "fig5", "fig5")
    fig5.fig5(mixed.saved(mixed.runs(two, **ONE), tmp_path / "runs.csv"), mixed.CLAIMS, *out, row=ROW, code="c")
    found = mixed.verdicts(mixed.entries(out[3]))
    assert found["weak"] == "reproduced" and found["bigger"] == found["strong-hq"] == "undecided"


def test_only_shares_of_all_three_count():
    planted = {key: value for key, value in effects(0.02, 0.0, 0.0).items() if key[2] != "master" or key[1] < 0.1}
    assert fig5.compared(mixed.runs(planted, **ONE), ROW)[1] == {
        "hq": [0.005, 0.01, 0.02, 0.05],
        "qa": [0.005, 0.01, 0.02, 0.05],
    }
