"""Tables 1 to 5: what is printed beside what is counted, set and refitted."""

import pandas as pd
import pytest

from papers.mixtures import tables
from tests.papers.mixtures import made

SWEEP = {"block": 128, "batch": 8, "learning_rate": 0.01, "warmup": 0.1, "heldout": ["a"] * 15}
SHAPES = {"0.2M": {"hidden": 64, "layers": 2, "heads": 4, "feedforward": 160}}


def written(folder, table, **more):
    out = [folder / f"table{number}.csv" for number in range(1, 6)]
    row = {**made.ROW, **made.FIXED, "replicates": 40, "name": "mixtures/tables"}
    tables.tables(made.saved(folder, table), made.PUBLISHED, out, row=row, sweep={**SWEEP, **more})
    return [pd.read_csv(path) for path in out]


def test_tables(tmp_path):
    one, two, three, four, five = written(tmp_path, made.cross(made.runs(noise=0.0005)), sizes=SHAPES)
    printed = one[one["layer"] == "published"].set_index("label")
    assert (printed["head_dimension"] == 64).all() and printed.loc["1B", "parameters"] == 1_087_781_632
    ours = one[one["layer"] == "reproduced"].set_index("label")
    assert list(ours.index) == list(made.SIZES) and ours.loc["0.2M", "feedforward"] == 160
    two = two.set_index("setting")
    assert two.loc["batch_tokens", "computed"] == "1048576" or float(two.loc["batch_tokens", "computed"]) == 1_048_576
    assert float(two.loc["batch_tokens", "here"]) == 1024 and float(
        two.loc["share_of_peak_flops", "computed"]
    ) == pytest.approx(0.45, abs=0.01)
    assert float(three.set_index("setting").loc["domains", "here"]) == 15
    for table, axis, amount in ((four, "tokens", "B"), (five, "parameters", "A")):
        table = table.set_index(["arm", "quantity"])
        law = getattr(made.PRINTED, axis)["hq-33"]
        assert table.loc[("hq-33", amount), "printed"] == pytest.approx(getattr(law, amount))
        planted = made.PLANTED["hq-33"]
        exponent = {"tokens": "beta", "parameters": "alpha"}[axis]
        line = table.loc[("hq-33", exponent)]
        assert line["low"] < getattr(planted, exponent) < line["high"] and line["runs"] == 15
    assert four.set_index(["arm", "quantity"]).loc[("cc", "loss at 8000B tokens"), "printed"] == pytest.approx(2.839, abs=5e-4)


def test_without_runs_the_printed_part_stands_alone(tmp_path):
    one, _, _, four, five = written(tmp_path, made.runs().iloc[:0])
    assert set(one["layer"]) == {"published"}
    assert four["refitted"].isna().all() and four["printed"].notna().all() and len(five) == 10 * 10
