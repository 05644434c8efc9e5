"""The gate on constructed scores: it passes, and fails in each way."""

import pandas as pd
import pytest

from scripts.evaluation.gate import NoRoom, judge, make_gate, markdown
from scripts.lib.files import BrokenArtifact, write_card

TASKS = {
    "choice": {"metric": "acc", "filter": "none", "chance": 0.25},
    "pair": {"metric": "acc", "filter": "none", "chance": 0.5},
    "sum": {"metric": "exact_match", "filter": "strict", "chance": 0.0},
}
ROW = {
    "name": "bases",
    "student": "Wren",
    "matched": "Finch",
    "models": ["Wren", "Finch"],
    "heldout": ["web", "prose"],
    "above_chance": 0.08,
    "above_zero": 0.05,
    "below_ceiling": 0.1,
    "latent": 0.1,
    "stop": True,
}
GOOD = {"choice": 0.5, "pair": 0.7, "sum": 0.2}


def evaluation(path, shares, items=100, chances=None):
    """An evaluation's file in which ``shares`` of the items of epoch 0 are right, and all of them later."""
    lines = [
        (
            "r",
            -1 if not epoch else 0,
            epoch,
            task,
            how["filter"],
            how["metric"],
            i,
            float(epoch > 0 or i < round(shares[task] * items)),
        )
        for epoch in (0, 1)
        for task, how in TASKS.items()
        for i in range(items)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ["run", "subset", "epoch", "task", "filter", "metric", "item", "score"]
    pd.DataFrame(lines, columns=columns).astype({"task": "category", "metric": "category"}).to_parquet(path)
    known = {task: {"chance": (chances or {}).get(task, how["chance"])} for task, how in TASKS.items()}
    write_card(path, row={}, code="", tasks=known)
    return str(path)


@pytest.fixture
def files(tmp_path):
    def make(wren=GOOD, wren_training=None, finch=None, chances=None):
        shares = [wren, wren_training or wren, finch or GOOD, finch or GOOD]
        scores = [evaluation(tmp_path / f"{i}/s.parquet", {**GOOD, **s}, chances=chances) for i, s in enumerate(shares)]
        bits = tmp_path / "bits.csv"
        values = [("Wren", "web", 2.0), ("Wren", "prose", 3.0), ("Finch", "web", 2.1), ("Finch", "prose", 2.97)]
        pd.DataFrame(values, columns=["model", "source", "bits_per_byte"]).to_csv(bits, index=False)
        write_card(bits, row={}, code="")
        return scores, str(bits), tmp_path / "bases.csv"

    return make


def gate(files, row=ROW):
    scores, bits, out = files
    make_gate(scores, bits, out, row=row, tasks=TASKS, code="c0de")
    return pd.read_csv(out)


def test_it_passes_and_says_how_things_stand(files, capsys):
    table = gate(files(wren_training={"choice": 0.6, "sum": 0.25}))
    assert len(table) == 6 and table["room"].all()
    first = table.iloc[0]
    assert (first["model"], first["task"], first["items"], first["chance"], first["score"]) == (
        "Wren",
        "choice",
        100,
        0.25,
        0.5,
    )
    assert first["above_chance"] == 0.25 and first["below_ceiling"] == 0.5 and first["se"] == pytest.approx(0.05)
    assert table["latent"].tolist() == [True, False, False, False, False, False]
    assert first["training_wording"] == 0.6 and first["difference"] == pytest.approx(0.1)
    assert table["bits_web"].tolist() == [2.0] * 3 + [2.1] * 3 and table["bits_prose"].tolist() == [3.0] * 3 + [2.97] * 3
    said = capsys.readouterr().out
    assert "| Wren | choice | acc | none | 100 | 0.250 | 0.500 |" in said
    assert "Finch against Wren: bits per byte +5.0 % on web, -1.0 % on prose" in said


@pytest.mark.parametrize(
    ("task", "share", "room"),
    [
        ("choice", 0.33, True),
        ("choice", 0.32, False),
        ("pair", 0.58, True),
        ("pair", 0.57, False),
        ("sum", 0.05, True),
        ("sum", 0.04, False),
        ("choice", 0.9, True),
        ("choice", 0.91, False),
        ("sum", 0.91, False),
    ],
)
def test_each_bound_from_both_sides(files, task, share, room, capsys):
    made = files(wren={**GOOD, task: share})
    if room:
        assert gate(made)["room"].all()
        return
    with pytest.raises(NoRoom, match=f"gate bases: Wren has no room on {task} {100 * share:.1f}") as error:
        gate(made)
    assert f"| Wren | {task} |" in str(error.value) and "| Finch | pair |" in str(error.value), "the table is in the message"
    assert "| Wren | pair |" in capsys.readouterr().out, "and printed"
    assert not made[2].exists()


def test_report_only(files, capsys):
    table = gate(files(wren={**GOOD, "sum": 0.0}), {**ROW, "stop": False})
    assert table["room"].tolist() == [True, True, False, True, True, True]
    assert "stop: false" in capsys.readouterr().out


def test_only_the_student_must_have_room(files):
    table = gate(files(finch={**GOOD, "choice": 0.95}))
    assert not table[table["model"] == "Finch"]["room"].all()


def test_a_matched_model_outside_the_gate_is_no_error(files):
    scores, bits, out = files()
    assert len(gate((scores[:2], bits, out), {**ROW, "models": ["Wren"], "matched": "Robin"})) == 3


def test_what_is_missing_is_named(files):
    scores, bits, out = files()
    other = {**TASKS, "sum": {"metric": "exact_match", "filter": "flexible", "chance": 0.0}}
    with pytest.raises(ValueError, match=r"s\.parquet: no exact_match \(flexible\) of sum; it has exact_match \(strict\)"):
        make_gate(scores, bits, out, row=ROW, tasks=other, code="")
    with pytest.raises(ValueError, match=r"no acc \(none\) of proverb; it has no such task"):
        make_gate(scores, bits, out, row=ROW, tasks={"proverb": TASKS["choice"]}, code="")
    with pytest.raises(ValueError, match=r"the items of choice allow a guess of 0\.333, its row says 0\.250"):
        gate(files(chances={"choice": 1 / 3}))
    with open(scores[0], "r+b") as file:
        file.seek(50)
        file.write(b"\0\0")
    with pytest.raises(BrokenArtifact, match=r"0/s\.parquet"):
        gate((scores, bits, out))


def test_latent_is_a_share_of_items(files):
    one = pd.DataFrame({"items": 10, "score": [0.4], "se": [0.1]}, index=["choice"])
    tasks = {"choice": TASKS["choice"]}
    assert judge(one, one + 0.1, tasks, ROW)["latent"].tolist() == [True]
    assert judge(one, one + 0.0999, tasks, ROW)["latent"].tolist() == [False]


def test_markdown():
    frame = pd.DataFrame({"task": ["a"], "score": [0.12345], "room": [True], "items": [3]})
    assert markdown(frame) == "| task | score | room | items |\n| --- | --- | --- | --- |\n| a | 0.123 | yes | 3 |"
