"""Losses of single tokens on made-up traces: rare tokens dear, paragraph breaks, nothing to find."""

import numpy as np
import pandas as pd
import pytest

from papers.mixtures import fig10
from tests.papers.mixtures import mixed

ARMS = ["cc", "hq-100", "qa-100", "txbk-100"]
ROW = {"name": "mixtures/fig10", "scale": "laptop", "arms": ARMS, "break": "\n\n", "window": 50, "shown": 300}


def saved(folder, shapes, **how):
    paths = [folder / "traces.parquet", folder / "unigrams.parquet"]
    mixed.traces(shapes, **how).to_parquet(paths[0])
    mixed.unigrams(shapes).to_parquet(paths[1])
    return paths


def judged(folder, shapes, **how):
    traces, unigrams = saved(folder, shapes, **how)
    stream = fig10.read_stream(traces, ARMS)
    found = fig10.measured(stream, *fig10.frequencies(unigrams, stream), ROW, 60)
    return mixed.judged("fig10", lambda asked: fig10.findings(found, asked))


def test_the_rolling_mean_and_its_steadiness():
    assert fig10.rolling(np.array([1.0, 3, 5]), 2)[1:] == pytest.approx([2, 4]) and np.isnan(fig10.rolling(np.ones(3), 2)[0])
    noise = np.random.default_rng(0).normal(size=40_000)
    assert fig10.unsteadiness(noise, 100) == pytest.approx(0.1, abs=0.02)
    assert fig10.unsteadiness(np.repeat([1.0, 3.0], 5000), 100) > 0.9


def test_planted_rarity_and_breaks_are_reproduced(tmp_path):
    out = mixed.outputs(tmp_path / "fig10", "fig10")
    fig10.fig10(*saved(tmp_path, mixed.frequencies()), mixed.CLAIMS, *out, row=ROW, code="c", draws=60)
    assert set(mixed.verdicts(mixed.entries(out[3])).values()) == {"reproduced"}
    table = pd.read_csv(out[2])
    breaks = table[table["panel"] == "breaks"].set_index("arm")
    assert breaks.loc["cc", "y"] - breaks.loc["hq-100", "y"] == pytest.approx(0.6 * np.log(10), abs=0.3)
    trace = table[table["panel"] == "trace"]
    assert set(trace["arm"]) == set(ARMS) and (trace.groupby("arm").size() == ROW["shown"]).all()


def test_where_frequency_does_not_matter_nothing_but_the_mean_is_reproduced(tmp_path):
    found = mixed.verdicts(judged(tmp_path, mixed.frequencies(), rare=0.0))
    assert found["rare"] == "not reproduced" and found["break"] != "reproduced" and found["stable"] == "reproduced"


def test_the_stretch_has_the_most_breaks():
    text = np.array(["a"] * 20 + ["\n\n", "b", " \n\n"] + ["c"] * 20)
    stream = fig10.Stream(np.zeros(43, int), ["d"], np.arange(43), text, {}, 1)
    part = fig10.stretch(stream, "\n\n", 5)
    assert (np.char.find(text[part], "\n\n") >= 0).sum() == 2


def test_arms_that_were_not_kept_are_said_and_other_tokens_refused(tmp_path):
    shapes = {name: p for name, p in mixed.frequencies().items() if name in ("test", "cc")}
    found = judged(tmp_path, shapes)
    assert found["break"]["verdict"] == "undecided" and found["rare"]["verdict"] == "reproduced"
    table = mixed.traces(mixed.frequencies(), tokens=20)
    table.loc[table["arm"] == "hq-100", "token"] = 0
    table.to_parquet(tmp_path / "traces.parquet")
    with pytest.raises(ValueError, match="arm hq-100, seed 0: expected the tokens of the first arm"):
        fig10.read_stream(tmp_path / "traces.parquet", ARMS)
