"""The worlds' verdicts on made-up runs: sound ones, and each broken in turn."""

import pandas as pd
import pytest

from papers.mixtures import worlds
from tests.papers.mixtures import mixed

ROW = {"name": "mixtures/worlds", "scale": "laptop", "generator": "copyist"}
ONE = {"sizes": {"Tern-3": 250_000}, "budgets": (600_000,), "noise": 0.004}
THIRDS = (0.33, 0.67, 1.0)
NONE = mixed.kinds(THIRDS, hq=lambda s: 0.0, qa=lambda s: 0.0)
NOISY = mixed.kinds(THIRDS, hq=lambda s: -0.15 * s, qa=lambda s: -0.1 * s) | {("filtered", 0.0, ""): -0.05}
LOSES = mixed.kinds(THIRDS, txbk=lambda s: 0.4 * s)


def table(default=NOISY, null=NONE, clean=NONE, adverse=LOSES):
    """Runs of all worlds; null and adverse read the default world's natural text and have no natural runs of their own."""
    made = {"default": default, "null": null, "clean": clean, "adverse": adverse}
    parts = [mixed.runs(effects, world=world, **ONE) for world, effects in made.items()]
    runs = pd.concat(parts, ignore_index=True)
    return runs[(runs["kind"] != "natural") | runs["world"].isin(("default", "clean"))]


def judged(runs):
    return mixed.verdicts(mixed.judged("worlds", lambda asked: worlds.findings(runs, asked, ROW["generator"])))


def drawn(folder, runs):
    out = mixed.outputs(folder / "worlds", "worlds")
    worlds.worlds(mixed.saved(runs, folder / "runs.csv"), mixed.CLAIMS, *out, row=ROW, code="c")
    return out


def test_sound_worlds_are_reproduced(tmp_path):
    out = drawn(tmp_path, table())
    assert set(mixed.verdicts(mixed.entries(out[3])).values()) == {"reproduced"}
    found = pd.read_csv(out[2]).set_index(["world", "arm"])["y"]
    assert found["default", "hq-100"] == pytest.approx(-0.15, abs=0.01)
    assert found["adverse", "txbk-33"] == pytest.approx(0.132, abs=0.01)


@pytest.mark.parametrize(
    ("broken", "effects"),
    [
        ("gain", {"default": NONE}),
        ("null", {"null": {**NONE, ("qa", 0.33, "copyist"): -0.06}}),
        ("clean", {"clean": {**NONE, ("hq", 1.0, "copyist"): -0.08}}),
        ("adverse", {"adverse": mixed.kinds(THIRDS, txbk=lambda s: -0.1 * s)}),
        ("rewriting", {"default": {**NOISY, ("filtered", 0.0, ""): -0.3}}),
        ("filtered", {"default": {**NOISY, ("filtered", 0.0, ""): 0.05}}),
    ],
)
def test_each_verdict_can_fail(broken, effects):
    found = judged(table(**effects))
    assert found[broken] != "reproduced"
    if broken not in ("gain", "filtered", "rewriting"):
        assert found[broken] == found["sound"] == "not reproduced"


def test_a_scale_without_these_worlds_is_drawn_and_decides_nothing_of_them(tmp_path):
    runs = mixed.runs({key: effect for key, effect in NOISY.items() if key[0] != "filtered"}, **ONE)
    found = mixed.verdicts(mixed.entries(drawn(tmp_path, runs)[3]))
    assert found.pop("gain") == "reproduced" and set(found.values()) == {"undecided"}


def test_the_farthest_arm_is_the_one_whose_bounds_reach_farthest():
    one = worlds.mixes.Difference
    found = worlds.farthest({"hq-33": one(0.01, 1e-8, 8), "qa-33": one(0.005, 1e-3, 8)}, 0.05, 0)
    assert found["arm"] == "qa-33" and found["arms"] == 2
