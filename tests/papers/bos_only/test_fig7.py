"""Figure 7 on constructed tables: preserved, lost by points, lost by share, and improved."""

import json

import numpy as np
import pandas as pd
import pytest

from papers.bos_only import curves, fig7
from scripts.lib import claims

CLAIMS = "papers/bos_only/claims.yaml"
EPOCHS = [1, 2, 5, 10]
TASKS = {
    f"pocket_{key}": {
        "label": name,
        "benchmark": key,
        "metric": "acc",
        "filter": "none",
        "chance": 0.5 if key == "winogrande" else 0.25,
    }
    for key, name in fig7.BENCHMARKS.items()
}
ROW = {
    "name": "fig7",
    "student": "Plover-small",
    "arms": {"self": "P-on-self"},
    "controls": {name: f"P-on-{name}" for name in ("replay", "original", "cross_family")},
    "models": {"self": "Plover-small", "replay": "prose-background", "cross_family": "Finch-small"},
    "tasks": TASKS,
    "scale": "laptop",
}


def scores(lost=0.0, gained=0.0, above=0.3, items=2000, flips=0.01, seed=0):
    """Evaluations: the base is ``above`` over chance; of all items, ``lost`` are lost and ``gained`` gained, and a few flip."""
    rng = np.random.default_rng(seed)
    lines = []
    for task, how in TASKS.items():
        base = np.arange(items) < round((how["chance"] + above) * items)
        for kind, run in curves.series(ROW).values():
            for subset, epoch in [(-1, 0), *((s, e) for s in range(3 if kind == "arm" else 1) for e in EPOCHS)]:
                now = base.copy()
                if epoch:
                    now[: round(lost * items)] = False
                    now[items - round(gained * items) :] = True
                    now ^= rng.random(items) < np.where(base, flips * (1 - base.mean()), flips * base.mean())
                lines.append(
                    pd.DataFrame(
                        {
                            "run": run,
                            "subset": subset,
                            "epoch": epoch,
                            "task": task,
                            "item": np.arange(items),
                            "score": now * 1.0,
                        }
                    )
                )
    return pd.concat(lines).assign(filter="none", metric="acc")


def judged(frame, row=ROW):
    found = curves.changes(frame, row)
    entries = claims.read_claims(CLAIMS, "fig7")
    return {
        one["claim"]: one
        for one in claims.judge(entries, fig7.findings(found, np.array(EPOCHS), row, entries, 500), row["scale"])
    }


def test_what_is_preserved_is_reproduced():
    found = judged(scores())
    assert found["fig7-kept"]["verdict"] == "reproduced" and found["fig7-mean"]["verdict"] == "undecided"
    assert found["fig7-arc_easy-share"]["headroom"] == pytest.approx(30, abs=0.1)


def test_what_is_lost_is_not_reproduced():
    found = judged(scores(lost=0.06))
    assert {one["verdict"] for name, one in found.items() if not name.endswith("share")} == {"not reproduced"}
    assert found["fig7-hellaswag-kept"]["estimate"] == pytest.approx(-6, abs=0.5)
    assert found["fig7-hellaswag-share"]["estimate"] == pytest.approx(-0.2, abs=0.02)


def test_a_point_is_much_where_little_stands_above_chance():
    """One point of four above chance: within 1.5 points, but a quarter of what the base knows."""
    found = judged(scores(lost=0.01, above=0.04, flips=0.0, items=4000))
    assert {found[f"fig7-{key}-kept"]["verdict"] for key in fig7.BENCHMARKS} == {"reproduced"}
    assert {found[f"fig7-{key}-share"]["verdict"] for key in fig7.BENCHMARKS} == {"not reproduced"}
    assert found["fig7-kept"]["verdict"] == "not reproduced"


def test_what_improves_is_reproduced():
    assert {one["verdict"] for one in judged(scores(gained=0.05)).values()} == {"reproduced"}


def test_files(tmp_path):
    frame = scores(items=40)
    frame.to_parquet(tmp_path / "all.parquet")
    outputs = [tmp_path / f"fig7.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
    parts = {name: getattr(fig7, name) for name in ("findings", "panel", "footer")}
    row = {**ROW, "scale": "smoke"}
    curves.make(
        [tmp_path / "all.parquet"], CLAIMS, *outputs, row=row, code="0" * 12, draws=50, artifact="fig7", look=fig7.LOOK, **parts
    )
    value = json.loads(outputs[3].read_text())
    assert {one["verdict"] for one in value["claims"]} == {"not comparable"}
    assert {one["claim"] for one in value["claims"]} == set(claims.read_claims(CLAIMS, "fig7"))
    assert set(pd.read_csv(outputs[2])["series"]) == {"self", *ROW["controls"]}
