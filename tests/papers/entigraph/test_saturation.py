"""Saturation and diversity from made-up evaluations: the order, the bend, and a rank correlation that can fail."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from papers.entigraph import points, saturation
from scripts.lib import claims
from tests.papers.entigraph import made_up

CLAIMS = "papers/entigraph/claims.yaml"
MOST = made_up.SIZES[-1:]
ARMS = {name: made_up.arm(name) for name in ("entigraph", "rephrase", "raw")}
ARMS |= {name: made_up.arm(name, MOST) for name in ("active-reading", "mga", "qa")}
ROW = made_up.row("entigraph/saturation", ARMS, {"once": made_up.arm("once", (174000,))}, tokens=174000)
GAINS = {"entigraph": 0.3, "active-reading": 0.25, "mga": 0.2, "rephrase": 0.15, "qa": 0.1, "raw": 0.0}


def bends(series, tokens, task):
    if series == "once":
        return made_up.BASE + 0.06
    rises = np.log10(tokens / 5000) / np.log10(MOST[0] / 5000)
    return made_up.BASE + GAINS[series] * (min(1, 1.6 * rises) if series == "rephrase" else rises)


def diversity(folder, by_series):
    """Self-BLEU by book of the first run of each arm, around a mean by series."""
    paths = []
    for series, run in saturation.most_of(ROW).items():
        rng = np.random.default_rng(len(series))
        values = by_series[series] + rng.normal(0, 0.02, made_up.BOOKS)
        paths.append(folder / f"{series}.csv")
        frame = {"run": run, "parent": range(made_up.BOOKS), "self_bleu": values, "texts": 8}
        pd.DataFrame(frame).to_csv(paths[-1], index=False)
    return [str(path) for path in paths]


def made(folder, truth, by_series):
    given = made_up.write(folder, ROW, scores=made_up.scores(ROW, truth))
    out = made_up.outputs(folder, "saturation")
    paths = (given["scores"], diversity(folder, by_series), given["suites"], CLAIMS)
    saturation.saturation(*paths, *out.values(), row=ROW, code="c0de", draws=500)
    return {entry["claim"]: entry for entry in json.loads((folder / "saturation.claims.json").read_text())["claims"]}


def test_planted_order_bend_and_correlation_are_found(tmp_path):
    found = made(tmp_path, bends, {series: 0.9 - 2 * gain for series, gain in GAINS.items()})
    assert set(found) == set(claims.read_claims(CLAIMS, "saturation"))
    assert {entry["verdict"] for entry in found.values()} == {"reproduced"}
    entry = found["saturation-diversity"]
    assert entry["estimate"] == pytest.approx(-1, abs=0.1) and entry["arms"] == 6
    assert entry["p_of_arms_at_random"] <= 7 / 720
    table = pd.read_csv(tmp_path / "saturation.csv")
    assert table["self_bleu"].notna().sum() == 6 and {"base", "once", *ARMS} == set(table["series"])


def test_a_straight_line_does_not_bend_and_diversity_may_say_nothing(tmp_path):
    def straight(series, tokens, task):
        return made_up.BASE + (0.1 if series == "once" else 0.1 * np.log10(tokens / 5000))

    table = pd.concat([pd.read_csv(path) for path in diversity(tmp_path, {series: 0.5 for series in GAINS})])
    accuracies = points.accuracies(made_up.scores(ROW, straight), made_up.books(), ROW, points.primary(ROW))
    entries = claims.read_claims(CLAIMS, "saturation")
    alike = saturation.diverse(table, ROW, 500)
    found = saturation.findings(points.bootstrap(accuracies, 500, "x"), *alike, entries, ROW["tokens"])
    verdicts = {entry["claim"]: entry["verdict"] for entry in claims.judge(entries, found, "laptop")}
    assert "reproduced" not in {verdicts[f"saturation-{name}"] for name in ("bends", "order", "diversity")}


def test_the_rank_correlation_is_scipys_and_its_chance_exact():
    one, other = np.array([3.0, 1.0, 2.0, 5.0, 5.0]), np.array([1.0, 4.0, 3.0, 0.0, 2.0])
    assert saturation.ranked(one, other) == pytest.approx(spearmanr(one, other).statistic)
    rising = np.arange(4.0)
    assert saturation.by_chance(rising, -rising) == pytest.approx(1 / 24) and saturation.by_chance(rising, rising) == 1


def test_halves():
    assert saturation.halves([1, 2, 4, 8, 16, 32]) == ([1, 2, 4], [8, 16, 32])
    assert saturation.halves([1, 2]) == ([1, 2], [1, 2])


def test_an_arm_may_lack_a_book_but_not_all(tmp_path):
    table = pd.concat([pd.read_csv(path) for path in diversity(tmp_path, GAINS)])
    of_mga = table["run"] == ARMS["mga"]["1090000"][0]
    series, values, _ = saturation.diverse(table[~of_mga | (table["parent"] < 3)], ROW, 10)
    assert values[series.index("mga")] == pytest.approx(table.loc[of_mga, "self_bleu"].iloc[:3].mean())
    with pytest.raises(ValueError, match="arm mga: the diversity of run Quill-small-on-mga-1090000-s1 is missing"):
        saturation.diverse(table[~of_mga], ROW, 10)
