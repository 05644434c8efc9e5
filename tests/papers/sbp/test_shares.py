"""The sweep of shares on made-up models: an optimum between, at an end, and none."""

import pandas as pd
import pytest

from papers.sbp import shares
from tests.papers.sbp import made

GRID = ("0", "0.125", "0.25", "0.375", "0.5", "0.75")
BETWEEN = (2.0, 1.9, 1.8, 1.72, 1.82, 2.1)
RISING = (0.40, 0.42, 0.44, 0.46, 0.48, 0.52)


def drawn(folder, loss, right, name="shares"):
    row = {"name": "sbp/shares", "scale": "laptop", "tasks": made.TASKS}
    row["models"] = dict(reversed(made.models(*GRID).items()))  # in any order
    effects = {share: {0: value} for share, value in zip(GRID, loss, strict=True)}
    tables = made.saved(folder, losses=made.losses(effects), scores=made.scores(dict(zip(GRID, right, strict=True))))
    out = made.outputs(folder / name, "shares")
    shares.shares([tables["losses"]], [tables["scores"]], made.CLAIMS, *out, row=row, code="c", draws=made.DRAWS)
    return out


def test_an_optimum_between_is_found_and_one_at_the_end_is_none(tmp_path):
    out = drawn(tmp_path, BETWEEN, RISING)
    found = made.verdicts(out[3])
    assert found == {"interior-loss": "reproduced", "interior-accuracy": "not reproduced", "best": "not comparable"}
    table = pd.read_csv(out[2])
    best = table[table["panel"] == "best"].set_index("metric")
    assert best.loc["loss", "y"] == 0.375 and best.loc["accuracy", "y"] == 0.75
    assert list(table[(table["panel"] == "value") & (table["metric"] == "loss")]["x"]) == [float(share) for share in GRID]


def test_where_shares_make_no_difference_no_optimum_is_claimed(tmp_path):
    found = made.verdicts(drawn(tmp_path, [2.0] * 6, [0.4] * 6)[3])
    assert "reproduced" not in found.values()


def test_a_sweep_needs_none_and_two_more():
    with pytest.raises(ValueError, match=r"\[0.25, 0.5, 0.75\]: expected 0"):
        shares.by_share({"0.25": [], "0.75": [], "0.5": []})
