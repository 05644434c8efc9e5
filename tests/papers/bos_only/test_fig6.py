"""Figures 6 and 11 on constructed likelihoods: numbers, files, and verdicts in null, planted and reversed worlds."""

import json

import numpy as np
import pandas as pd
import pytest

from papers.bos_only import curves, fig6
from scripts.lib import claims
from scripts.lib.files import write_card
from tests.papers.bos_only.test_fig5 import shown

CLAIMS = "papers/bos_only/claims.yaml"
TEMPERATURES = ("0.75", "1.0", "1.25")
TASKS = {
    "a": {"label": "A", "benchmark": "gsm8k", "metric": "acc", "filter": "none", "chance": 0.25},
    "b": {"label": "B", "benchmark": "math", "metric": "acc", "filter": "none", "chance": 0.0},
}
ROW = {
    "name": "fig6",
    "kind": "fig6",
    "scale": "laptop",
    "scorer": "Wren-small",
    "own": {t: f"bos-Wren-small-t{t}" for t in TEMPERATURES},
    "cross": {t: f"bos-Finch-small-t{t}" for t in TEMPERATURES},
    "arms": {"own": "on-own", "cross": "on-cross"},
    "controls": {},
    "models": {"own": "Wren-small", "cross": "Finch-small"},
    "suites": ["pocket"],
    "temperature": 1.0,
    "tasks": TASKS,
}
ELEVEN = {**ROW, "name": "fig11", "kind": "fig11", "arms": {}, "suites": [], "tasks": {}}
CONVERGING = {"own": (2.0, 3.4, 6.0), "cross": (3.5, 4.6, 6.1)}


def documents(means, n=800, seed=0):
    """(side, t) -> audit with these means and a standard deviation of 0.8."""
    rng = np.random.default_rng(seed)
    out = {}
    for side, some in means.items():
        for t, mean in zip(TEMPERATURES, some, strict=True):
            values = np.abs(rng.normal(mean, 0.8, n))
            sampled = side == "own"
            out[side, t] = pd.DataFrame(
                {
                    "id": [f"{i}" for i in range(n)],
                    "nll": values,
                    "tokens": 60,
                    "scored": "sampled" if sampled else "retokenised",
                    "same": (rng.random(n) < 0.6).tolist() if sampled else None,
                    "nll_text": values + 0.2 * sampled,
                }
            )
    return out


def verdicts(means, figure="fig6", n=800, seed=0, draws=400, scale="laptop"):
    entries = {k: v for k, v in claims.read_claims(CLAIMS, figure).items() if "helps" not in k and "harms" not in k}
    entries.pop("fig6-opposite-effects", None)
    found = fig6.likelihood_findings(fig6.gaps(fig6.likelihoods(documents(means, n, seed)), figure, draws), entries, figure)
    return {entry["claim"]: entry["verdict"] for entry in claims.judge(entries, found, scale)}


@pytest.mark.parametrize("figure", ["fig6", "fig11"])
def test_convergence_is_found(figure):
    assert verdicts(CONVERGING, figure)[f"{figure}-converged"] == "reproduced"


@pytest.mark.parametrize("figure", ["fig6", "fig11"])
def test_divergence_is_refuted(figure):
    """The reverse: the gap grows with temperature; and a gap of the other sign counts alike."""
    for sign in (1, -1):
        own = (3.0, 4.0, 6.0)
        found = verdicts({"own": own, "cross": tuple(o + sign * g for o, g in zip(own, (0.1, 0.5, 1.5), strict=True))}, figure)
        assert found[f"{figure}-gap-at-1.25"] == found[f"{figure}-gap-smallest"] == "not reproduced"
    constant = verdicts({"own": (3, 4, 6), "cross": (4, 5, 7)}, figure)
    assert constant[f"{figure}-gap-at-1.25"] == "not reproduced" and constant[f"{figure}-gap-smallest"] != "reproduced"


def test_null_worlds():
    """Gaps alike at all temperatures: `smallest` passes in at most 8 % of 50 worlds; a gap at the tolerance in 10 %."""
    found = [verdicts({"own": (3, 4, 6), "cross": (3.25, 4.25, 6.25)}, n=300, seed=seed, draws=300) for seed in range(50)]
    assert sum(one["fig6-gap-smallest"] == "reproduced" for one in found) <= 4
    assert sum(one["fig6-gap-at-1.25"] == "reproduced" for one in found) <= 5


def test_printed_means_are_judged_at_paper_scale_only():
    printed = {"own": (2.0, 3.4, 9.2), "cross": (3.5, 4.6, 9.0)}
    assert verdicts(printed)["fig6-own-mean"] == "not comparable"
    assert verdicts(printed, scale="paper")["fig6-own-mean"] == "reproduced"
    assert verdicts(CONVERGING, scale="paper")["fig6-own-mean"] == "not reproduced"


@pytest.mark.parametrize(
    ("own", "cross", "expected"), [(4, -4, "reproduced"), (-4, 4, "not reproduced"), (4, 4, "not reproduced")]
)
def test_effects_of_training(own, cross, expected):
    rng = np.random.default_rng(0)
    values = [np.stack([rng.normal(mean, 20, (300, 4, 3)) for mean in (own, cross)], axis=1) for _ in TASKS]
    entries = claims.read_claims(CLAIMS, "fig6")
    found = fig6.effect_findings(values, np.array([1, 2, 5, 10]), entries, 400)
    entries = {name: entries[name] for name in (*found, "fig6-opposite-effects")}
    judged = {entry["claim"]: entry["verdict"] for entry in claims.judge(entries, found, "laptop")}
    assert judged["fig6-opposite-effects"] == expected


def make(folder, row, draws=200, n=200, means=CONVERGING):
    folder.mkdir(parents=True, exist_ok=True)
    audits, lengths = [], []
    for (side, t), table in documents(means, n).items():
        audits.append(folder / f"{side}-{t}.parquet")
        table.to_parquet(audits[-1])
        lengths.append(folder / f"{side}-{t}.lengths.csv")
        level = means[side][TEMPERATURES.index(t)]
        curve = {"length": [8, 16, 32, 64], "documents": [n, n, n // 2, 5], "nll": [level, level + 0.2, level + 0.5, level + 1]}
        pd.DataFrame({**curve, "sd": 0.7}).to_csv(lengths[-1], index=False)
        for path in (audits[-1], lengths[-1]):
            write_card(path, row={}, code="c", uniform=7.62)
    rng, lines = np.random.default_rng(1), []
    for run in row["arms"].values():
        for task in row["tasks"]:
            for subset, epoch in [(-1, 0), *((s, e) for s in range(3) for e in (1, 2, 5))]:
                score = np.arange(40) % 2 if epoch == 0 else rng.random(40).round()
                lines += [(run, subset, epoch, task, "none", "acc", i, float(score[i])) for i in range(40)]
    pd.DataFrame(lines, columns=curves.COLUMNS).to_parquet(folder / "scores.parquet")
    outputs = [folder / f"{row['name']}.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
    scores = [folder / "scores.parquet"] if row["arms"] else []
    fig6.fig6(audits, lengths, scores, CLAIMS, *outputs, row=row, code="c", draws=draws)
    return outputs


@pytest.mark.parametrize("row", [ROW, ELEVEN], ids=["fig6", "fig11"])
def test_files_hold_what_is_drawn(tmp_path, row):
    _, _, csv, judged = make(tmp_path, row)
    table = pd.read_csv(csv, dtype={"temperature": str})
    tables = documents(CONVERGING, 200)
    for (side, t), audit in tables.items():
        mine = table[(table["side"] == side) & (table["temperature"] == t)]
        mean = mine[mine["panel"] == "mean"].iloc[0]
        assert mean["y"] == pytest.approx(audit["nll"].mean(), abs=1e-4) and mean["low"] < mean["y"] < mean["high"]
        density = mine[mine["panel"] == "density"]
        assert np.trapezoid(density["y"], density["x"]) == pytest.approx(1, abs=0.02)
        assert mine[mine["panel"] == "sampled"]["y"].item() == (side == "own")
    share = table[(table["panel"] == "sampled") & (table["side"] == "own")].set_index("temperature")["high"]
    assert share["1.0"] == pytest.approx(1 - tables["own", "1.0"]["same"].mean(), abs=1e-4)
    gap = table[(table["panel"] == "gap") & (table["temperature"] == "1.25")]["y"].item()
    value = {entry["claim"]: entry for entry in json.loads(judged.read_text())["claims"]}
    assert value[f"{row['kind']}-gap-at-1.25"]["estimate"] == pytest.approx(gap, abs=1e-4)
    text = table[(table["panel"] == "gap as text") & (table["temperature"] == "1.25")]["y"].item()
    assert text == pytest.approx(gap + 0.2, abs=1e-4)
    assert set(value) == set(claims.read_claims(CLAIMS, row["kind"]))


@pytest.mark.parametrize("row", [ROW, ELEVEN, {**ROW, "scale": "paper"}], ids=["fig6", "fig11", "paper"])
def test_text_is_large_enough_and_apart(tmp_path, monkeypatch, row):
    kept = []
    monkeypatch.setattr(fig6.figures, "save", lambda figure, *paths: kept.append(figure))
    make(tmp_path, row, draws=20)
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
    if row["scale"] == "paper":
        assert "Own text at 1.25 reaches the printed 9.10 nats at nan tokens" in figure.texts[0].get_text()


def test_corpora_without_a_scored_token_are_named():
    tables = documents(CONVERGING, 5)
    tables["cross", "1.0"]["nll"] = np.nan
    with pytest.raises(ValueError, match="cross at 1.0: no document"):
        fig6.likelihoods(tables)
