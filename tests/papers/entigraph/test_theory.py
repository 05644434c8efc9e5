"""EntiGraph's toy: a graph worked by hand, a walk that goes step by step, the theorem's numbers, verdicts that can fail."""

import json
from collections import deque

import networkx
import numpy as np
import pandas as pd
import pytest

from papers.entigraph import theory
from scripts.lib import claims

CLAIMS = "papers/entigraph/claims.yaml"
ROW = {
    "name": "theory",
    "scale": "laptop",
    "entities": 30,
    "degree": 3.0,
    "sparse": 0.5,
    "degrees": [1.0, 3.0],
    "graphs": 4,
    "seed": 0,
}


def by_hand():
    """0 -> 1 -> 2 -> 3 and 3 -> 1."""
    known = np.zeros((4, 4), bool)
    known[[0, 1, 2, 3], [1, 2, 3, 1]] = True
    return known


def test_a_graph_by_hand():
    """From 0 to 3 the path is 1, 2, 3: drawing (0, 3) teaches (0, 2) and (0, 3); nothing leads to 0."""
    known = by_hand()
    on = theory.paths(known)
    assert [sorted(np.flatnonzero(on[0, y])) for y in range(4)] == [[], [1], [1, 2], [1, 2, 3]]
    assert [sorted(np.flatnonzero(on[3, y])) for y in range(4)] == [[], [1], [1, 2], []]
    assert not on[np.arange(4), np.arange(4)].any() and not on[:, 0].any()
    pairs = np.array([[3, 0], [0, 3], [0, 2], [3, 2], [1, 3]])
    found = theory.grow(known, pairs, np.arange(6))
    assert np.allclose(found.density * 12, [4, 4, 6, 6, 7, 8])
    # missing are (0, 2), drawn by (0, 2) or (0, 3), and (0, 3), (1, 3), (3, 2), (2, 1), drawn by themselves alone
    t = np.arange(6)
    assert np.allclose(found.expected * 12, 4 + (1 - (10 / 12) ** t) + 4 * (1 - (11 / 12) ** t))
    assert theory.reachable_density(known) == pytest.approx(9 / 12)


def step_by_step(known, pairs):
    """The toy as it is told: a search at every step, relations learned one by one. Densities after each step."""
    size, learned, out = len(known), known.copy(), []
    for x, y in pairs:
        before, todo = {x: None}, deque([x])
        while todo:
            at = todo.popleft()
            for z in np.flatnonzero(known[at]):
                if z not in before:
                    before[z] = at
                    todo.append(z)
        while y in before and y != x:
            learned[x, y] = True
            y = before[y]
        out.append(learned.sum() / (size * (size - 1)))
    return np.array(out)


@pytest.mark.parametrize("degree", [0.8, 1.5, 3.0])
def test_the_simulation_is_the_toy_step_by_step(degree):
    rng = np.random.default_rng(int(10 * degree))
    known = theory.relations(25, degree, rng)
    pairs = theory.draw_pairs(25, 800, rng)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    found = theory.grow(known, pairs, np.arange(801))
    assert np.allclose(found.density[1:], step_by_step(known, pairs))
    assert np.isclose(found.density[0], known.sum() / 600)


def test_paths_are_shortest_and_reach_what_networkx_reaches():
    known = theory.relations(40, 2.0, np.random.default_rng(5))
    graph = networkx.from_numpy_array(known, create_using=networkx.DiGraph)
    lengths = dict(networkx.all_pairs_shortest_path_length(graph))
    on = theory.paths(known)
    for x in range(40):
        for y in range(40):
            assert on[x, y].sum() == (lengths[x].get(y, 0)), (x, y)
    reached = sum(len(found) - 1 for found in lengths.values())
    assert theory.reachable_density(known) == pytest.approx(reached / (40 * 39))


def test_the_mean_of_simulations_is_the_expectation():
    """Forty draws of pairs on one graph: the mean lies within four standard errors of the mixture of exponentials."""
    known = theory.relations(20, 2.5, np.random.default_rng(3))
    steps = np.array([0, 5, 20, 80, 300, 1500])
    grown = [theory.grow(known, theory.draw_pairs(20, 1500, np.random.default_rng(s)), steps) for s in range(40)]
    density = np.stack([one.density for one in grown])
    error = density.std(0, ddof=1) / np.sqrt(40)
    assert (np.abs(density.mean(0) - grown[0].expected) <= 4 * error + 1e-12).all()


def test_relations_have_their_frequency_and_pairs_are_uniform():
    rng = np.random.default_rng(0)
    known = theory.relations(400, 3.0, rng)
    assert known.sum() / (400 * 399) == pytest.approx(3 / 400, rel=0.05) and not known.diagonal().any()
    pairs = theory.draw_pairs(4, 60_000, rng)
    counts = np.bincount(4 * pairs[:, 0] + pairs[:, 1], minlength=16).reshape(4, 4)
    assert np.allclose(counts[~np.eye(4, dtype=bool)], 5000, rtol=0.06)


def test_the_theorems_numbers():
    assert theory.extinction(3.0) == pytest.approx(0.0595, abs=5e-5)
    assert theory.ceiling(3.0) == pytest.approx(0.8845, abs=5e-5)
    for degree in (1.2, 2.0, 5.0):
        rho = theory.extinction(degree)
        assert 0 < rho < 1 and rho == pytest.approx(np.exp(degree * (rho - 1)))
    assert theory.ceiling(1.0) == theory.ceiling(0.4) == 0
    low, high = theory.bounds(100, 3.0, np.array([0, 990, 10**6]))
    assert np.allclose([low[0], low[2], high[2]], [0.03, 0.9145, 0.9145], atol=1e-4)
    assert low[1] == pytest.approx(0.03 + 0.8845 * (1 - np.exp(-0.1)), abs=1e-4) and high[1] > low[1]
    with pytest.raises(ValueError, match="degree 1"):
        theory.bounds(100, 1, np.arange(3))


def test_straightness_is_the_squared_correlation():
    rng = np.random.default_rng(0)
    x, y = np.arange(20.0), rng.normal(size=(3, 20)).cumsum(1)
    expected = [np.corrcoef(x, one)[0, 1] ** 2 for one in y]
    assert np.allclose(theory.straightness(x, y), expected)


def verdicts(steps, densities, sparse, row=ROW):
    entries = claims.read_claims(CLAIMS, "theory")
    found = theory.findings(steps, densities, sparse, entries, row)
    return {entry["claim"]: entry["verdict"] for entry in claims.judge(entries, found, "laptop")}


def test_other_curves_are_refuted():
    """One exponential has no logarithmic regime; a step at once is not linear; half the plateau is not the plateau."""
    row, rng = {**ROW, "entities": 100}, np.random.default_rng(0)
    steps = np.unique(np.concatenate([np.arange(100), np.round(np.geomspace(1, 99_000, 160)).astype(int)]))
    noise = rng.normal(0, 1e-3, (8, 1))
    one = 0.03 + (0.8845 - 0.03) * (1 - np.exp(-steps / 9900)) + noise
    found = verdicts(steps, one, np.full(8, 0.01) + noise[:, 0], row)
    assert found["theory-linear"] == found["theory-plateau"] == found["theory-sparse"] == "reproduced"
    assert found["theory-log-linear"] == found["theory-regimes"] == "not reproduced"
    early = 0.03 + 0.4 * (1 - np.exp(-steps / 10)) + noise
    found = verdicts(steps, early, np.full(8, 0.2) + noise[:, 0], row)
    assert {found[name] for name in ("theory-linear", "theory-plateau", "theory-sparse")} == {"not reproduced"}


def test_files_hold_what_is_drawn_and_come_out_the_same(tmp_path):
    for folder in ("one", "two"):
        paths = [tmp_path / folder / f"theory.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
        theory.theory(CLAIMS, *paths, row=ROW, code="c")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    table = pd.read_csv(tmp_path / "one/theory.csv")
    simulated = table[(table["panel"] == "growth") & (table["series"] == "simulated")]
    assert simulated["y"].is_monotonic_increasing and set(simulated["n"]) == {4}
    value = json.loads((tmp_path / "one/theory.claims.json").read_text())
    assert value["artifact"] == "theory" and {entry["scale"] for entry in value["claims"]} == {"laptop"}
    plateau = next(entry for entry in value["claims"] if entry["claim"] == "theory-plateau")
    assert plateau["estimate"] == pytest.approx(simulated["y"].iloc[-1] - theory.ceiling(3.0), abs=1e-5)


def test_smoke_judges_nothing(tmp_path):
    paths = [tmp_path / f"theory.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
    theory.theory(CLAIMS, *paths, row={**ROW, "scale": "smoke", "entities": 12, "graphs": 2, "degrees": [2.0]}, code="c")
    assert {entry["verdict"] for entry in json.loads(paths[-1].read_text())["claims"]} == {"not comparable"}
