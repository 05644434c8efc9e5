"""SBP's table on made-up models: planted gains are found, a null is none, a share of nothing is undefined, costs are summed."""

import numpy as np
import pandas as pd
import pytest

from papers.sbp import arms, gains
from tests.papers.sbp import made

ARMS = ("baseline", "sbp", "oracle", "random", "reseeded")
ROW = {"name": "sbp/gains", "scale": "laptop", "models": made.models(*ARMS), "tasks": made.TASKS}
EFFECT = {"baseline": 2.0, "sbp": 1.9, "oracle": 1.7, "random": 1.97, "reseeded": 2.0}
RIGHT = {"baseline": 0.4, "sbp": 0.48, "oracle": 0.6, "random": 0.42, "reseeded": 0.4}


def bill(folder):
    """Cards of a baseline, and of an arm with a corpus of its own; the bill that names them."""
    phases = [{"real": {"tokens": 1000, "repetitions": 20.0}}]
    for arm in ARMS:
        made.card(folder / arm, counts={"parameters": 10, "tokens": 1000, "phases": phases})
    made.card(folder / "corpus", counts={"tokens": 300})
    made.card(folder / "prompts", counts={"tokens": 200})
    run = {"subsets": {"0": {"blocks": 4}}}
    made.card(folder / "run", counts=run, row={"block": 50, "checkpoints": [0, 2]})
    written = {"corpus": "corpus", "prompts": "prompts", "run": "run", "base": "baseline"}
    card = {"run", "base"}
    one = {key: f"{folder / name}{'.card.json' if key in card else ''}" for key, name in written.items()} | {
        "embedder_parameters": 3
    }
    found = {arm: {"model": f"{folder / arm}.card.json", "corpora": [one] if arm in ("sbp", "random") else []} for arm in ARMS}
    paths = sorted({path for arm in found.values() for path in (arm["model"], *list(one.values())[:-1])})
    return found, paths


def drawn(folder, effect=EFFECT, right=RIGHT, name="gains", **changes):
    found, cards = bill(folder / "cards")
    tables = made.saved(
        folder, losses=made.losses({arm: {0: value} for arm, value in effect.items()}), scores=made.scores(right)
    )
    out = made.outputs(folder / name, "gains")
    row = ROW | changes
    gains.gains(
        [tables["losses"]], [tables["scores"]], cards, made.CLAIMS, *out, row=row, bill=found, code="c", draws=made.DRAWS
    )
    return out


def test_planted_gains_are_found(tmp_path):
    out = drawn(tmp_path)
    found = made.verdicts(out[3])
    assert {found[name] for name in ("oracle", "loss", "accuracy", "below-oracle", "order")} == {"reproduced"}
    assert found["reseeded-loss"] == found["reseeded-accuracy"] == "reproduced"
    assert found["share"] == "not comparable"
    table = pd.read_csv(out[2])
    one = table[(table["panel"] == "share") & (table["arm"] == "sbp")].set_index("metric")
    assert one.loc["loss", "y"] == pytest.approx(1 / 3, abs=0.1) and one.loc["mean", "y"] == pytest.approx(0.4, abs=0.15)
    assert (one["low"] < one["y"]).all() and (one["y"] < one["high"]).all()
    again = drawn(tmp_path, name="again")
    assert [path.read_bytes() for path in out] == [path.read_bytes() for path in again]


def test_where_nothing_differs_nothing_is_gained_and_no_share_is_said(tmp_path):
    out = drawn(tmp_path, dict.fromkeys(ARMS, 2.0), dict.fromkeys(ARMS, 0.4))
    found = made.verdicts(out[3])
    assert "reproduced" not in {found[name] for name in ("oracle", "loss", "accuracy", "below-oracle", "order", "related")}
    shares = pd.read_csv(out[2]).query("panel == 'share'")
    assert shares["y"].isna().all() and np.isinf(shares["low"]).all()


def test_a_null_that_gains_is_called_out(tmp_path):
    found = made.verdicts(drawn(tmp_path, EFFECT | {"reseeded": 1.7}, RIGHT | {"reseeded": 0.6})[3])
    assert found["reseeded-loss"] == found["reseeded-accuracy"] == "not reproduced"


def test_sbp_that_harms_is_an_outcome(tmp_path):
    found = made.verdicts(drawn(tmp_path, EFFECT | {"sbp": 2.4}, RIGHT | {"sbp": 0.3})[3])
    assert found["oracle"] == "reproduced"
    assert found["loss"] == found["accuracy"] == found["order"] == "not reproduced"


def test_the_estimate_is_nats_over_tokens_and_the_mean_over_tasks(tmp_path):
    loss, score = made.losses({arm: {0: value} for arm, value in EFFECT.items()}), made.scores(RIGHT)
    found = gains.measured(loss, score, ROW, draws=50)
    mine = loss[loss["run"].str.startswith("sbp-")]
    assert found["loss"][0][1] == pytest.approx(mine["nats"].sum() / mine["tokens"].sum())
    by_task = score[score["run"].str.startswith("oracle-")].groupby("task")["score"].mean()
    assert found["mean"][0][2] == pytest.approx(100 * by_task.mean())


def test_the_whole_cost(tmp_path):
    found, paths = bill(tmp_path)
    costs = gains.flops(found, {path: gains.read_card(path) for path in paths})
    assert costs["baseline"] == {"pretraining": 60_000}
    assert costs["sbp"] == {
        "pretraining": 60_000,
        "synthesizer's base": 60_000,
        "tuning": 6 * 10 * 4 * 50 * 2,
        "synthesis": 2 * 10 * (200 + 300),
        "embedding": 2 * 3 * 50,
    }


def test_a_model_without_its_items_is_named():
    loss = made.losses({arm: {0: value} for arm, value in EFFECT.items()})
    lacking = loss[~((loss["run"] == "oracle-1") & (loss["item"] == "0003"))]
    with pytest.raises(ValueError, match=r"sbp/gains: model oracle-1: has other items"):
        arms.losses(lacking, ROW["models"], [0], "sbp/gains")
    with pytest.raises(ValueError, match=r"model oracle-1: expected all items at the epochs \[0, 5\]"):
        arms.losses(loss[loss["run"] != "baseline-0"], {"oracle": ["oracle-1"]}, [0, 5], "x")


def test_one_seed_covers_documents_alone(tmp_path):
    row = {"models": made.models(*ARMS, seeds=1), "scale": "smoke"}
    assert set(made.verdicts(drawn(tmp_path, **row)[3]).values()) == {"not comparable"}
