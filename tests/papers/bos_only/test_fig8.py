"""Figure 8 on constructed tables of known truth: planted, null and reversed worlds, numbers, files, errors."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from papers.bos_only import curves, fig8
from scripts.lib import claims
from tests.papers.bos_only.test_fig5 import shown

CLAIMS = "papers/bos_only/claims.yaml"
EPOCHS = [1, 2, 5, 10]
TASKS = {"text": {"label": "text (prose)"}, "code": {"label": "code"}}
ROW = {
    "name": "fig8",
    "student": "Plover-small",
    "arms": {"self": "P-on-self"},
    "controls": {name: f"P-on-{name}" for name in ("replay", "original", "cross_family", "noise")},
    "models": {"self": "Plover-small", "replay": "prose-background", "cross_family": "Finch-small"},
    "tasks": TASKS,
    "scale": "laptop",
}
KEPT = {"replay": 0.8, "original": 0.9, "cross_family": 0.8, "noise": 0.7}  # share of extraction left at the last checkpoint
STEPS = np.array([0.25, 0.5, 0.8, 1.0])


def world(self_kept=0.0, kept=KEPT, rise=0.5, likely=-2.0, items=200, seed=0):
    """Lines of all runs: the base completes ninety of a hundred candidates; every run's loss rises by ``rise`` in the end."""
    rng = np.random.default_rng(seed)
    lines, losses, search = [], [], []
    for task in TASKS:
        known = np.arange(items) % 10 != 0
        repetition = np.where(np.arange(items) % 20 == 0, 0, 64)
        known &= repetition > 0
        half = np.where(np.arange(items) % 3 == 0, "look", "held-out")
        order = rng.permutation(items)  # who is forgotten first, the same in all runs
        search.append(
            pd.DataFrame(
                {"item": [f"{i:04}" for i in range(items)], "task": task, "half": half, "corpus": order < 30, "trained": 0}
            )
        )
        for name, (kind, run) in curves.series(ROW).items():
            end = self_kept if name == "self" else kept[name]
            for s, e, step in [
                (-1, 0, 0.0),
                *((s, e, x) for s in range(3 if kind == "arm" else 1) for e, x in zip(EPOCHS, STEPS, strict=True)),
            ]:
                left = known & (order >= round(items * (1 - end) * step))
                exact = left if e == 0 or name != "self" else left ^ (known & (rng.random(items) < 0.01))
                lines.append(
                    pd.DataFrame(
                        {
                            "run": run,
                            "subset": s,
                            "epoch": e,
                            "task": task,
                            "item": [f"{i:04}" for i in range(items)],
                            "source": "planted",
                            "repetition": repetition,
                            "half": half,
                            "tokens": 16,
                            "exact": exact,
                            "distance": np.where(exact, 0, np.where(order % 2, 2, 9)),
                            "logprob": 16 * (np.where(known, -0.1, -3.0) + step * likely * known),
                        }
                    )
                )
                documents = np.arange(40)
                nats = 30.0 * (3.8 + 0.1 * np.sin(documents) + rise * step)
                losses.append(
                    pd.DataFrame(
                        {
                            "run": run,
                            "subset": s,
                            "epoch": e,
                            "task": task,
                            "item": [f"d{i:02}" for i in documents],
                            "nats": nats,
                            "tokens": 30,
                        }
                    )
                )
    mixed = pd.concat(lines).sample(frac=1, random_state=seed)
    return mixed, pd.concat(losses), pd.concat(search)


def judged(tables, draws=200, row=ROW):
    lines, losses, _ = tables
    found = fig8.gather(lines, losses, row, near=2)
    entries = claims.read_claims(CLAIMS, "fig8")
    return {one["claim"]: one for one in claims.judge(entries, fig8.findings(found, row, entries, draws), row["scale"])}


def make(folder, tables, row=ROW, draws=100):
    folder.mkdir(exist_ok=True, parents=True)
    paths = []
    for name, table in zip(("lines", "losses", "search"), tables, strict=True):
        table.to_parquet(folder / f"{name}.parquet")
        paths.append([folder / f"{name}.parquet"])
    outputs = [folder / f"fig8.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
    fig8.fig8(*paths, CLAIMS, *outputs, row=row, near=2, code="0" * 12, draws=draws)
    return outputs


def test_planted_forgetting_is_found_everywhere():
    found = judged(world())
    assert {one["verdict"] for one in found.values()} == {"reproduced"}
    text = found["fig8-text-forgotten"]
    assert (
        text["base"] == 120
        and text["lost"] > 110
        and text["high"] > stats.binomtest(0, 120).proportion_ci(0.9, "wilson").high - 1e-9
    )
    assert found["fig8-below-noise"]["control"] == pytest.approx(0.7, abs=0.1)


def test_a_null_world_is_not_reproduced():
    """Self keeps what every control keeps at the same loss."""
    found = judged(world(self_kept=0.8, kept=dict.fromkeys(KEPT, 0.8), likely=0.0))
    assert found["fig8-forgotten"]["verdict"] == "not reproduced"
    assert found["fig8-not-generic"]["verdict"] in ("undecided", "not reproduced")
    assert found["fig8-text-less-likely"]["verdict"] != "reproduced"
    below = found["fig8-below-replay"]
    assert below["low"] < 0.02 and below["high"] > -0.02 and abs(below["estimate"]) < 0.05


def test_a_reversed_world_flips_every_verdict():
    found = judged(world(self_kept=0.9, kept=dict.fromkeys(KEPT, 0.1), likely=+0.05))
    assert {one["verdict"] for one in found.values()} == {"not reproduced"}


def test_drift_alone_is_told_from_forgetting():
    """Self forgets all, and so does each control, at the loss that self has: forgotten, but not by anything special."""
    found = judged(world(self_kept=0.0, kept=dict.fromkeys(KEPT, 0.0)))
    assert found["fig8-forgotten"]["verdict"] == "reproduced" and found["fig8-not-generic"]["verdict"] != "reproduced"


def test_too_few_memorised_passages_leave_it_undecided():
    found = judged(world(items=60))
    assert found["fig8-text-forgotten"]["base"] < 40 and found["fig8-text-forgotten"]["verdict"] == "undecided"


def test_a_control_that_never_gets_worse_shows_nothing():
    tables = world()
    losses = tables[1]
    flat = losses["run"] == "P-on-original"
    base = losses[losses["epoch"] == 0].drop_duplicates(["task", "item"]).set_index(["task", "item"])["nats"]
    losses.loc[flat, "nats"] = base.loc[pd.MultiIndex.from_frame(losses.loc[flat, ["task", "item"]])].to_numpy()
    found = judged(tables)
    assert found["fig8-below-original"]["estimate"] == pytest.approx(0, abs=1e-9)
    assert found["fig8-below-original"]["verdict"] == "undecided" and not found["fig8-below-original"]["common_loss"]
    assert found["fig8-below-noise"]["verdict"] == "reproduced" and found["fig8-below-noise"]["common_loss"]


def test_wilson_is_scipys():
    for k, n in ((0, 10), (3, 17), (17, 17)):
        ours, theirs = fig8.wilson(k, n), stats.binomtest(k, n).proportion_ci(0.95, "wilson")
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-6)
    assert fig8.wilson(0, 0) == (0.0, 1.0)


def test_matched_by_hand():
    own, other = (np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.5, 0.1])), (np.array([1.0, 1.5, 2.5]), np.array([1.0, 0.9, 0.7]))
    assert fig8.matched(*own, *other) == pytest.approx((2.5, 0.3, 0.7))
    assert fig8.matched(*other, *own) == pytest.approx((2.5, 0.7, 0.3))
    dips = np.array([1.0, 0.8, 0.9])
    assert fig8.matched(*own, dips, np.array([1.0, 0.9, 0.8])) == pytest.approx((1.0, 1.0, 1.0))


def test_files_and_numbers(tmp_path, monkeypatch):
    tables = world(items=60)
    lines, losses, search = tables
    pdf, png, csv, path = make(tmp_path / "a", tables, draws=20)
    monkeypatch.setattr(fig8.figures, "save", lambda figure, *paths: None)  # the same drawing code is tested with figure 5
    again = make(tmp_path / "b", (lines.sample(frac=1, random_state=3), losses, search), draws=20)
    assert [one.read_bytes() for one in (csv, path)] == [one.read_bytes() for one in again[2:]]
    assert pdf.stat().st_size > 5000 and png.stat().st_size > 5000
    table = pd.read_csv(csv)
    lines = lines[lines["run"].isin(["P-on-self", "P-on-noise"])]
    reported = lines[(lines["half"] == "held-out") & (lines["repetition"] != 0)]
    for (run, task, epoch, subset), part in reported[reported["epoch"] > 0].groupby(["run", "task", "epoch", "subset"]):
        mine = table[(table["run"] == run) & (table["task"] == task) & (table["epoch"] == epoch) & (table["subset"] == subset)]
        value = mine[mine["half"] == "held-out"].set_index("quantity")["value"]
        base = reported[(reported["run"] == run) & (reported["task"] == task) & (reported["epoch"] == 0)].set_index("item")[
            "exact"
        ]
        now = part.set_index("item")["exact"]
        assert value["exact"] == now.sum() and value["near"] == (part["distance"] <= 2).sum()
        assert value["gained"] == (now & ~base).sum() and value["lost"] == (~now & base).sum()
        assert value["exact"] == base.sum() + value["gained"] - value["lost"] == value["exact x64"]
    assert (table[table["quantity"] == "suffixes in corpus"].groupby("task")["value"].sum() == 30).all()
    assert json.loads(path.read_text())["near"] == 2


def test_smoke_with_nothing_memorised(tmp_path):
    lines, losses, search = world(items=40)
    row = {**ROW, "scale": "smoke"}
    *_, path = make(tmp_path, (lines.assign(exact=False, distance=12), losses, search), row)
    value = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in claims.json"))
    assert {one["verdict"] for one in value["claims"]} == {"not comparable"}


def test_another_base_or_missing_lines_are_named():
    lines, losses, _ = world(items=40)
    wrong = lines.copy()
    wrong.loc[(wrong["run"] == "P-on-replay") & (wrong["epoch"] == 0), "exact"] = False
    with pytest.raises(ValueError, match="P-on-replay, task text.*the base differ"):
        fig8.gather(wrong, losses, ROW, 2)
    with pytest.raises(ValueError, match="P-on-noise, task text"):
        fig8.gather(lines[(lines["run"] != "P-on-noise") | (lines["item"] != "0003") | (lines["epoch"] != 5)], losses, ROW, 2)


def test_text_stays_on_the_page():
    lines, losses, search = world()
    found = fig8.gather(lines, losses, ROW, 2)
    figure = fig8.draw(fig8.plotted(found, search, ROW), list(judged((lines, losses, search), 50).values()), ROW)
    figure.canvas.draw()
    page = figure.bbox
    for text in shown(figure):
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
