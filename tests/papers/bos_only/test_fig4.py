"""Figure 4 on constructed tables: numbers, files, and verdicts in null, planted and reversed worlds."""

import json

import numpy as np
import pandas as pd
import pytest

from papers.bos_only import curves, fig4
from scripts.lib import claims
from scripts.lib.documents import document, write_documents
from scripts.lib.files import write_card
from tests.papers.bos_only.test_fig5 import shown

CLAIMS = "papers/bos_only/claims.yaml"
EPOCHS = np.array([1, 2, 5, 10])
TASKS = {
    "pocket_arc_challenge": {
        "label": "ARC-Challenge analogue",
        "benchmark": "arc_challenge",
        "metric": "acc",
        "filter": "none",
    },
    "pocket_hellaswag": {"label": "HellaSwag analogue", "benchmark": "hellaswag", "metric": "acc_norm", "filter": "none"},
    "pocket_gsm8k": {"label": "GSM8K analogue", "benchmark": "gsm8k", "metric": "exact_match", "filter": "flexible-extract"},
    "pocket_math": {"label": "MATH analogue", "benchmark": "math", "metric": "exact_match", "filter": "none"},
}
ROW = {
    "name": "fig4",
    "scale": "laptop",
    "corpora": {"0.75": "bos-t0.75", "1.0": "bos-t1.0", "1.25": "bos-t1.25"},
    "reference": "replay-prose",
    "embedder": "lsa",
    "benchmarks": ["arc_challenge", "hellaswag", "gsm8k"],
    "outcome": "gsm8k",
    "arms": {"below": "on-below", "above": "on-above"},
    "controls": {},
    "models": {},
    "suites": ["pocket"],
    "tasks": {task: {"chance": 0.25, **how} for task, how in TASKS.items()},
}


def entries():
    return claims.read_claims(CLAIMS, "fig4")


def world(seed, below, above, items=300, subsets=3, flips=0.1, spread=0.5):
    """Changes in points, (items, 2, epochs, subsets): each arm's mean follows its peak at the third epoch."""
    rng = np.random.default_rng(seed)
    shape = np.array([0.4, 0.8, 1.0, 0.6])
    base = rng.random(items) < 0.4
    out = np.zeros((items, 2, len(EPOCHS), subsets))
    for arm, peak in enumerate((below, above)):
        for subset in range(subsets):
            lucky = rng.normal(0, spread)
            for epoch, share in enumerate(shape):
                up = flips / 2 / (1 - base.mean()) + (peak * share + lucky) / 100 / (1 - base.mean())
                p = np.where(base, 1 - flips / 2 / base.mean(), np.clip(up, 0, 1))
                out[:, arm, epoch, subset] = 100.0 * ((rng.random(items) < p).astype(float) - base)
    return out


def verdicts(values):
    found = fig4.findings(values, EPOCHS, entries(), draws=400)
    return {entry["claim"]: entry["verdict"] for entry in claims.judge(entries(), found, "laptop")}


def test_equal_gains_are_found_with_enough_items():
    found = [verdicts(world(seed, 6, 6, items=12000, spread=0.1)) for seed in range(10)]
    assert sum(one["fig4-alike"] == "reproduced" for one in found) >= 8
    assert all(one["fig4-below-gains"] == one["fig4-above-gains"] == "reproduced" for one in found)


def test_a_gain_of_one_half_only_is_refuted():
    for low, high in ((0, 12), (12, 0)):
        found = [verdicts(world(seed, low, high, items=2000, spread=0.2)) for seed in range(6)]
        assert sum(one["fig4-equal-gains"] == "not reproduced" for one in found) >= 5
        assert not any(one["fig4-alike"] == "reproduced" for one in found)


def test_a_loss_in_both_halves_is_refuted():
    found = [verdicts(world(seed, -8, -8, items=2000, flips=0.2, spread=0.2)) for seed in range(6)]
    assert all(one["fig4-alike"] == "not reproduced" for one in found)


def test_null_worlds_gain_seldom_and_a_difference_passes_as_equal_seldom():
    """No gain: either half passes in at most 10 % of 40 worlds. A difference at the tolerance passes as equal as seldom."""
    null = [verdicts(world(seed, 0, 0)) for seed in range(40)]
    for name in ("fig4-below-gains", "fig4-above-gains"):
        assert sum(one[name] == "reproduced" for one in null) <= 4
    edge = [verdicts(world(seed, 6 + 1.5, 6, items=6000, spread=0.1)) for seed in range(20)]
    assert sum(one["fig4-equal-gains"] == "reproduced" for one in edge) <= 2


def test_no_change_at_all_can_be_judged():
    found = verdicts(np.zeros((20, 2, 4, 3)))
    assert found["fig4-equal-gains"] == "reproduced" and found["fig4-alike"] != "reproduced"


def make(folder, row=ROW, draws=200):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    paths, items = [], []
    for place, name in enumerate([*row["corpora"].values(), row["reference"]]):
        table = {"id": [f"{i}" for i in range(400)]}
        for task in TASKS:
            table[f"max_{task}"] = np.clip(rng.normal(0.5 - 0.1 * place, 0.1, 400), 0, 1)
        paths.append(folder / f"{name}.parquet")
        pd.DataFrame(table).to_parquet(paths[-1])
        items.append(folder / f"{name}.items.parquet")
        rows = [(task, i, rng.random(), "x", 0.7) for task in TASKS for i in range(9)]
        pd.DataFrame(rows, columns=["task", "item", "max", "document", "among"]).to_parquet(items[-1])
        for path in (paths[-1], items[-1]):
            write_card(path, row={}, code="c")
    splits = []
    for side in fig4.ARMS:
        splits.append(folder / f"{side}.parquet")
        card = {"row": {"side": side, "threshold": "median"}, "threshold": 0.31, "mean_score": 0.25}
        write_documents(splits[-1], [document("a", source="s")], code="c", **card)
    lines = []
    for arm, run in enumerate(row["arms"].values()):
        for task, how in row["tasks"].items():
            values = world(1, 5, 5, items=60)
            start = np.random.default_rng(5).random(60).round()
            lines += [(run, -1, 0, task, how["filter"], how["metric"], i, start[i]) for i in range(60)]
            for e, epoch in enumerate(EPOCHS):
                for s in range(3):
                    scores = np.clip(start + values[:, arm, e, s] / 100, 0, 1)
                    lines += [(run, s, epoch, task, how["filter"], how["metric"], i, scores[i]) for i in range(60)]
    table = pd.DataFrame(lines, columns=curves.COLUMNS)
    table.to_parquet(folder / "scores.parquet")
    outputs = [folder / f"fig4.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
    scores = [folder / "scores.parquet"]
    fig4.fig4(paths, items, splits, scores, CLAIMS, *outputs, row=row, code="c", draws=draws)
    return outputs


def test_files_hold_what_is_drawn(tmp_path):
    _, _, csv, judged = make(tmp_path)
    table = pd.read_csv(csv)
    audit = pd.read_parquet(tmp_path / "bos-t1.0.parquet")["max_pocket_gsm8k"]
    mine = table[(table["series"].astype(str) == "1.0") & (table["task"] == "pocket_gsm8k")]
    middle = mine[(mine["panel"] == "quantile") & (mine["x"] == 0.5)]["y"].item()
    assert middle == pytest.approx(audit.median(), abs=1e-4)
    density = mine[mine["panel"] == "density"]
    assert density["y"].sum() * (fig4.EDGES[1] - fig4.EDGES[0]) == pytest.approx(1, abs=1e-3)
    assert density["n"].unique().tolist() == [400]
    changes = table[table["panel"] == "change"]
    assert set(changes["series"]) == {"below", "above"} and set(changes["task"]) == {"pocket_gsm8k"}
    value = json.loads(judged.read_text())
    assert {entry["claim"] for entry in value["claims"]} == set(entries()) and "median, 0.31" in value["threshold"]
    peaks = changes.groupby(["series", "epoch"])["mean"].first().groupby("series").max()
    found = {entry["claim"]: entry for entry in value["claims"]}
    assert found["fig4-equal-gains"]["estimate"] == pytest.approx(peaks["below"] - peaks["above"], abs=1e-3)
    again = make(tmp_path / "again")
    assert [p.read_bytes() for p in again] == [(tmp_path / p.name).read_bytes() for p in again]


def test_text_is_large_enough_and_apart(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(fig4.figures, "save", lambda figure, *paths: kept.append(figure))
    make(tmp_path)
    figure = kept[0]
    figure.canvas.draw()
    page, boxes = figure.bbox, []
    for text in shown(figure):
        box = text.get_window_extent()
        assert text.get_fontsize() >= 7, text.get_text()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
        for other, b in boxes:
            apart = box.x1 <= b.x0 + 1 or b.x1 <= box.x0 + 1 or box.y1 <= b.y0 + 1 or b.y1 <= box.y0 + 1
            assert apart, f"{text.get_text()!r} runs into {other!r}"
        boxes.append((text.get_text(), box))


def test_halves_of_two_splits_and_an_absent_benchmark_are_named(tmp_path):
    make(tmp_path)
    write_documents(
        tmp_path / "other.parquet", [], row={"side": "above", "threshold": 0.2}, code="c", threshold=0.2, mean_score=0.5
    )
    with pytest.raises(ValueError, match="expected both sides of one split"):
        fig4.read_thresholds([tmp_path / "below.parquet", tmp_path / "other.parquet"])
    with pytest.raises(ValueError, match=r"row fig4|figures: fig4, key benchmarks: no task of pocket stands for \['mmlu'\]"):
        fig4.tasks_of({**ROW, "benchmarks": ["mmlu"]})
