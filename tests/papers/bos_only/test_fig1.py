"""Figure 1 on constructed tables: what is carried over from the other figures, and the order judged from subsets alone."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from papers.bos_only import fig1
from scripts.lib import claims

CLAIMS = "papers/bos_only/claims.yaml"
EPOCHS = [0, 1, 2, 5, 10]
ROW = {"name": "fig1", "scale": "laptop", "student": "Wren", "memorizer": "Plover"}


def figure5(levels, subsets=3, sd=0.3, seed=0):
    """Figure 5's table: every source's macro change rises to its level at epoch 1 and stays."""
    rng, lines = np.random.default_rng(seed), []
    for role, level in zip(fig1.ROLES, levels, strict=True):
        lines.append({"series": role, "kind": "source", "task": "macro", "base": 40 + level})
        for subset in range(subsets):
            height = level + rng.normal(0, sd)
            lines += [
                {"series": role, "kind": "arm", "task": "macro", "epoch": e, "subset": subset, "change": height * (e > 0)}
                for e in EPOCHS
            ]
    return pd.DataFrame(lines)


def others():
    mean = [("mean", side, t, 5.0 + k) for k, side in enumerate(("own", "cross")) for t in (0.75, 1.25)]
    figure6 = pd.DataFrame(mean, columns=["panel", "side", "temperature", "y"])
    tasks = [("quiz", 60.0, 20.0, -4.0), ("test", 50.0, 50.0, 0.0), ("macro", 55.0, np.nan, -2.0)]
    figure7 = pd.DataFrame(tasks, columns=["task", "base", "chance", "mean"]).assign(kind="arm", epoch=10, subset=0)
    share = [("text", "held-out", 10, s, 0.1 + 0.1 * s) for s in range(3)] + [("code", "held-out", 10, 0, 0.5)]
    share += [("text", "look", 10, 0, 0.9), ("text", "held-out", 5, 0, 0.8)]
    figure8 = pd.DataFrame(share, columns=["task", "half", "epoch", "subset", "value"])
    return {"fig6": figure6, "fig7": figure7, "fig8": figure8.assign(series="self", quantity="share")}


FOUND = {name: {"estimate": float(i), "low": i - 1.0, "high": i + 1.0} for i, name in enumerate([*fig1.PROXIES, *fig1.CROSSED])}


def test_numbers_of_the_other_figures_are_carried_over():
    table = fig1.compose({"fig5": figure5((3, 2, 1, 0)), **others()}, FOUND)
    left = table[table["panel"] == "kept"].set_index("series")["y"]
    assert left["extraction, text"] == pytest.approx(20.0) and left["extraction, code"] == pytest.approx(50.0)
    assert left["scores above chance"] == pytest.approx((90.0 + 100.0) / 2)
    proxies = table[table["panel"] == "proxies"]
    assert list(proxies["series"])[:2] == ["own text, 5.00 nats", "cross text, 6.00 nats"]
    assert list(proxies["y"]) == [0, 1, 2, 3]
    assert list(table.loc[table["panel"] == "crossed", "low"]) == [3, 4, 5]
    moved = table[table["panel"] == "transfer"].set_index("series")
    assert moved.loc["self", "x"] == 43.0


def test_the_interval_is_welchs():
    rng = np.random.default_rng(1)
    a, b = rng.normal(1, 1, 3), rng.normal(0, 2, 3)
    found = fig1.contrast(a, b, 0.05)
    one_sided = stats.ttest_ind(a, b, equal_var=False, alternative="greater").pvalue
    assert (found["low"] > 0) == (one_sided < 0.05)
    assert found["estimate"] == pytest.approx(a.mean() - b.mean())
    alone = fig1.contrast(a[:1], b[:1], 0.05)
    assert (alone["low"], alone["high"]) == (-100, 100)


def verdicts(levels):
    entries = claims.read_claims(CLAIMS, "fig1")
    by_role = fig1.areas(figure5(levels))
    found = {n: fig1.contrast(by_role[a], by_role[b], entries[n]["level"]) for n, (a, b) in fig1.ORDER.items()}
    return {entry["claim"]: entry["verdict"] for entry in claims.judge(entries, found, "laptop")}


def test_planted_absent_and_reversed_orders():
    assert set(verdicts((6, 3, 1, 0)).values()) == {"reproduced"}
    assert set(verdicts((-3, 0, 1, 3)).values()) == {"not reproduced"}
    pairs = np.random.default_rng(2).normal(size=(300, 2, 3))
    passed = sum(fig1.contrast(a, b, 0.05)["low"] > 0 for a, b in pairs)
    assert passed <= 25  # 5 % of 300 and 2.6 standard deviations


def test_files_are_whole_and_the_same_each_time(tmp_path):
    csvs = {"fig5": figure5((3, 2, 1, 0)), **others()}
    for name, table in csvs.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    entries = [{"claim": name, **values} for name, values in FOUND.items()]
    (tmp_path / "found.json").write_text(json.dumps({"claims": entries}))
    made = []
    for again in ("a", "b"):
        (tmp_path / again).mkdir()
        outputs = [tmp_path / again / f"fig1.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
        inputs = {name: tmp_path / f"{name}.csv" for name in csvs}
        fig1.fig1(inputs, [tmp_path / "found.json"], CLAIMS, *outputs, row=ROW, code="0" * 12)
        made.append([path.read_bytes() for path in outputs])
    assert made[0] == made[1] and all(made[0])
    assert set(pd.read_csv(tmp_path / "a/fig1.csv")["panel"]) == {"transfer", "proxies", "kept", "crossed"}
