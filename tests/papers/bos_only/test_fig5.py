"""Figure 5 on constructed tables of known truth: numbers, files, errors, and a check that can fail."""

import json

import numpy as np
import pandas as pd
import pytest

from papers.bos_only import curves, fig5, power
from scripts.lib import claims, figures

CLAIMS = "papers/bos_only/claims.yaml"
EPOCHS = [1, 2, 5, 10]
TASKS = {
    "pocket_arc_easy": {"label": "ARC-Easy analogue", "metric": "acc", "filter": "none", "chance": 0.25},
    "pocket_arc_challenge": {"label": "ARC-Challenge analogue", "metric": "acc", "filter": "none", "chance": 0.25},
    "pocket_hellaswag": {"label": "HellaSwag analogue", "metric": "acc_norm", "filter": "none", "chance": 0.25},
    "pocket_winogrande": {"label": "WinoGrande analogue", "metric": "acc", "filter": "none", "chance": 0.5},
    "pocket_gsm8k": {"label": "GSM8K analogue", "metric": "exact_match", "filter": "flexible-extract", "chance": 0.0},
    "pocket_math": {"label": "MATH analogue", "metric": "exact_match", "filter": "none", "chance": 0.0},
}
ROW = {
    "name": "fig5",
    "arms": {role: f"Wren-small-on-{role}" for role in fig5.ARMS},
    "controls": {role: f"Wren-small-on-{role}" for role in ("twin", "replay", "shuffled")},
    "models": {
        "self": "Wren-small",
        "same_lineage": "Wren-medium",
        "stronger": "Heron-medium",
        "cross_family": "Finch-small",
        "twin": "Wren-small-twin",
        "replay": "prose",
    },
    "tasks": TASKS,
    "temperature": 1.0,
    "scale": "laptop",
}


def scores(row=ROW, items=30, subsets=3, seed=0):
    """Evaluations of all runs: random scores, falling by arm; shuffled solves nothing."""
    rng = np.random.default_rng(seed)
    lines = []
    for task, how in row["tasks"].items():
        base = rng.random(items) < 0.5
        for place, (role, (kind, run)) in enumerate(curves.series(row).items()):
            shares = {"shuffled": 0.0}.get(role, 0.6 - 0.1 * place)
            for subset, epoch in [(-1, 0), *((s, e) for s in range(subsets if kind == "arm" else 1) for e in EPOCHS)]:
                right = base if epoch == 0 else rng.random(items) < shares
                lines += [(run, subset, epoch, task, how["filter"], how["metric"], i, float(r)) for i, r in enumerate(right)]
                lines += [(run, subset, epoch, task, "other", how["metric"], i, 1.0) for i in range(items)]
    columns = ["run", "subset", "epoch", "task", "filter", "metric", "item", "score"]
    return pd.DataFrame(lines, columns=columns).sample(frac=1, random_state=seed)


def make(folder, frame, row=ROW, draws=200):
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{run}.parquet" for run in frame["run"].unique()]
    for path, (_, of_run) in zip(paths, frame.groupby("run", sort=False), strict=True):
        of_run.to_parquet(path)
    outputs = [folder / f"fig5.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
    own = frame[(frame["run"] == row["arms"]["self"]) & (frame["epoch"] == 0)]
    sources = pd.concat([own.assign(run=model) for model in ("Wren-small", "Finch-small")])
    sources.to_parquet(folder / "sources.parquet")
    fig5.fig5(paths, [folder / "sources.parquet"], CLAIMS, *outputs, row=row, code="0" * 12, draws=draws)
    return outputs


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    frame = scores()
    return frame, make(tmp_path_factory.mktemp("fig5"), frame)


def test_csv_holds_every_series_task_epoch_and_subset(made):
    _, (_, _, csv, _) = made
    table = pd.read_csv(csv, keep_default_na=False, na_values=[""])
    table = table[table["kind"] != "source"]
    for role, (kind, _) in curves.series(ROW).items():
        for task in [*TASKS, "macro"]:
            lines = table[(table["series"] == role) & (table["task"] == task)]
            subsets = 3 if kind == "arm" else 1
            assert sorted(zip(lines["epoch"], lines["subset"], strict=True)) == [
                (e, s) for e in [0, *EPOCHS] for s in range(subsets)
            ]
            assert set(lines["kind"]) == {kind} and set(lines["subsets"]) == {subsets}
    assert (table.loc[table["epoch"] == 0, "change"] == 0).all()


def test_csv_numbers_against_pandas(made):
    frame, (_, _, csv, _) = made
    table = pd.read_csv(csv, keep_default_na=False, na_values=[""])
    own = table[table["kind"] == "source"].set_index(["series", "task"])["base"]
    table = table[table["kind"] != "source"]
    assert set(own.index.get_level_values(0)) == {"self", "cross_family"}
    assert own["self", "macro"] == pytest.approx(own["self"].drop("macro").mean(), abs=1e-3)
    assert own["self", "pocket_math"] == pytest.approx(table.loc[table["task"] == "pocket_math", "base"].iloc[0], abs=1e-3)
    kept = frame[frame["filter"] != "other"]
    means = 100 * kept.groupby(["run", "task", "epoch", "subset"])["score"].mean()
    for line in table[(table["task"] != "macro") & (table["epoch"] > 0)].itertuples():
        runs = means[line.run, line.task, line.epoch] - means[line.run, line.task, 0, -1]
        assert line.change == pytest.approx(runs[line.subset], abs=1e-3)
        assert line.mean == pytest.approx(runs.mean(), abs=1e-3)
        assert line.base == pytest.approx(means[line.run, line.task, 0, -1], abs=1e-3)
        if line.kind == "arm":
            assert line.sd == pytest.approx(runs.std(ddof=1), abs=1e-3)
    macro = table[table["task"] == "macro"].set_index(["series", "epoch", "subset"])["change"].sort_index()
    expected = table[table["task"] != "macro"].groupby(["series", "epoch", "subset"])["change"].mean()
    pd.testing.assert_series_equal(macro, expected, atol=1e-3, check_names=False)


def test_claims_json_says_what_decided(made):
    _, (_, _, csv, path) = made
    value = json.loads(path.read_text())
    found = {entry["claim"]: entry for entry in value["claims"]}
    assert set(found) == set(claims.read_claims(CLAIMS, "fig5")) and value["scale"] == "laptop"
    assert "not pretraining seeds" in value["intervals_cover"]
    table = pd.read_csv(csv)
    macro = table[(table["task"] == "macro") & (table["subset"] == 0)].set_index(["series", "epoch"])["mean"]
    x = np.log1p([0, *EPOCHS])
    areas = {role: np.trapezoid(macro[role], x) / x[-1] for role in fig5.ARMS}
    for name, (one, other) in fig5.CONTRASTS.items():
        assert found[name]["estimate"] == pytest.approx(areas[one] - areas[other], abs=1e-3)
        assert found[name]["low"] < found[name]["estimate"] < found[name]["high"]
    assert found["fig5-self-gains"]["estimate"] == pytest.approx(macro["self"][EPOCHS].max(), abs=1e-3)


def test_same_numbers_same_bytes(made, tmp_path):
    frame, before = made
    after = make(tmp_path, frame.sample(frac=1, random_state=5))
    for one, other in zip(before, after, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.suffix


def test_smoke_judges_nothing_and_one_subset_is_enough(tmp_path):
    row = {**ROW, "scale": "smoke", "controls": {}, "tasks": dict(list(TASKS.items())[:2])}
    *_, path = make(tmp_path, scores(row, items=5, subsets=1), row)
    assert {entry["verdict"] for entry in json.loads(path.read_text())["claims"]} == {"not comparable"}


@pytest.mark.parametrize("tasks", [5, 6])
def test_all_text_is_large_enough_inside_and_apart(made, tasks):
    """Fonts of 7 points and more; no text leaves the page, and no panel's text runs into another's."""
    frame, _ = made
    row = {**ROW, "tasks": dict(list(TASKS.items())[:tasks])}
    found = curves.changes(frame, row)
    entries = claims.read_claims(CLAIMS, "fig5")
    values = [np.stack([found[role, task].change for role in fig5.ARMS], axis=1) for task in row["tasks"]]
    judged = claims.judge(entries, fig5.findings(values, np.array(EPOCHS), entries, 50), "laptop")
    table, by_name = curves.plotted(found, row), {entry["claim"]: entry for entry in judged}
    lines, more = fig5._footer(table, by_name, row), [lambda axis: fig5._contrasts(axis, by_name)]
    figure = curves.draw(table, row, fig5.LOOK, lines, more=more)
    figure.canvas.draw()
    page, boxes = figure.bbox, []
    for text in shown(figure):
        assert text.get_fontsize() >= 7, text.get_text()
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
        for other, b in boxes:
            apart = box.x1 <= b.x0 + 1 or b.x1 <= box.x0 + 1 or box.y1 <= b.y0 + 1 or b.y1 <= box.y0 + 1
            assert apart, f"{text.get_text()!r} runs into {other!r}"
        boxes.append((text.get_text(), box))


def shown(figure):
    """All texts that a reader sees: titles, labels, notes, ticks inside the limits, legend, footer."""
    yield from figure.texts
    yield from (text for legend in figure.legends for text in legend.get_texts())
    for axes in figure.axes:
        if axes.axison:
            yield from (text for text in (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts) if text.get_text())
            for axis in (axes.xaxis, axes.yaxis):
                low, high = axis.get_view_interval()
                yield from (tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)


def test_ticks_keep_first_and_last():
    assert figures.spread_ticks([0, 1, 2, 5, 10]) == [0, 1, 2, 5, 10]
    paper = figures.spread_ticks([0, 1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 35, 40])
    assert paper[0] == 0 and paper[-1] == 40 and len(paper) >= 6


def test_missing_scores_and_another_base_are_named():
    frame = scores(items=4)
    stronger = frame["run"] == ROW["arms"]["stronger"]
    math = frame["task"] == "pocket_math"
    with pytest.raises(ValueError, match="Wren-small-on-stronger, task pocket_math.*no scores"):
        curves.changes(frame[~(stronger & math)], ROW)
    hole = frame[~(stronger & math & (frame["epoch"] == 5) & (frame["subset"] == 1) & (frame["item"] == 2))]
    with pytest.raises(ValueError, match="task pocket_math.*expected one for each"):
        curves.changes(hole, ROW)
    with pytest.raises(ValueError, match="items differ"):
        curves.changes(frame[~(stronger & math & (frame["item"] == 2))], ROW)
    other = frame.copy()
    other.loc[stronger & math & (frame["epoch"] == 0), "score"] = 0.5
    with pytest.raises(ValueError, match="epoch 0 differs"):
        curves.changes(other, ROW)


def entries():
    return claims.read_claims(CLAIMS, "fig5")


def test_null_worlds_pass_seldom():
    """200 worlds in which all sources are alike: no claim of a difference, of the order, or of a gain passes in over 7 %."""
    found = power.rates(entries(), 200, (0, 0, 0, 0), draws=500)
    for name in ("any >", "fig5-order", "fig5-trend", "fig5-self-gains"):
        assert found.get((name, "reproduced"), 0) <= 0.07, name


def test_permuted_labels_pass_seldom():
    """One table with a lucky subset effect, its twelve curves dealt to sources at random 200 times."""
    rng, judged, counts = np.random.default_rng(0), entries(), {"any >": 0, "order": 0}
    values = power.table(17, (0, 0, 0, 0), spread=1.0)
    for _ in range(200):
        order = rng.permutation(12)
        dealt = [
            v.transpose(0, 2, 1, 3).reshape(len(v), 4, 12)[:, :, order].reshape(len(v), 4, 4, 3).transpose(0, 2, 1, 3)
            for v in values
        ]
        found = power.verdicts(dealt, judged, 300)
        counts["any >"] += "reproduced" in [found[name] for name in list(fig5.CONTRASTS)[1:]]
        counts["order"] += found["fig5-order"] == "reproduced"
    assert max(counts.values()) <= 0.07 * 200, counts


def test_a_planted_order_is_found():
    """Steps of 2.5 points, the size sought: the whole order and each contrast are found in 80 % of worlds at least."""
    found = power.rates(entries(), 60, (5, 2.5, 0, -2.5), draws=500)
    for name in (*fig5.CONTRASTS, "fig5-order", "fig5-trend", "fig5-self-gains"):
        assert found.get((name, "reproduced"), 0) >= 0.8, name


def test_a_reversed_order_is_refuted():
    found = power.rates(entries(), 40, (-5, -2.5, 0, 2.5), draws=500)
    assert found.get(("fig5-order", "not reproduced"), 0) >= 0.95
    assert found.get(("fig5-trend", "not reproduced"), 0) >= 0.8
    assert found.get(("fig5-order", "reproduced"), 0) == 0
