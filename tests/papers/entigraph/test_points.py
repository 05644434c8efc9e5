"""Cells, books, slopes and correlations by hand, and intervals that cover what was planted."""

import numpy as np
import pandas as pd
import pytest

from papers.entigraph import points
from tests.papers.entigraph import made_up

ROW = made_up.row("curve", {"entigraph": made_up.arm("e", (1000, 10000), 2), "raw": made_up.arm("r", (1000,), 2)})


def even(series, tokens, task):
    return 0.5


def test_a_mean_of_units_of_unequal_size_is_the_mean_of_their_items():
    total, size = np.array([[3.0, 1.0], [1.0, 1.0], [0.0, 0.0]]), np.array([4, 2, 0])
    found = points.linearised(total, size)
    assert found.mean(0) == pytest.approx(total.sum(0) / 6)
    assert found[2] == pytest.approx(total.sum(0) / 6), "a unit without items says nothing"


def test_resampling_linearised_units_is_resampling_a_ratio():
    rng = np.random.default_rng(1)
    size = rng.integers(5, 40, 200)
    total = rng.binomial(size, rng.beta(4, 4, 200)).astype(float)
    values = points.linearised(total, size)
    picks = rng.integers(200, size=(4000, 200))
    ratio, mean = total[picks].sum(1) / size[picks].sum(1), values[picks].mean(1)
    assert mean.std() == pytest.approx(ratio.std(), rel=0.03) and np.corrcoef(mean, ratio)[0, 1] > 0.999


def test_accuracies_are_means_over_tasks_of_means_over_items():
    lines, books = made_up.scores(ROW, even), made_up.books()
    table = points.accuracies(lines, books, ROW, points.primary(ROW))
    assert points.primary(ROW) == ["books_reversed", "books_two_hop"]
    assert table.cells == [("entigraph", 1000), ("entigraph", 10000), ("raw", 1000)]
    assert table.values.shape == (40, 3, 2) and table.counts == {"items": 960, "books": 40}
    last = lines[(lines["epoch"] == 2) & lines["task"].isin(points.primary(ROW))]
    for i, (series, tokens) in enumerate(table.cells):
        for j, run in enumerate(ROW["arms"][series][str(tokens)]):
            expected = 100 * last[last["run"] == run].groupby("task")["score"].mean().mean()
            assert table.values[:, i, j].mean() == pytest.approx(expected)
    start = lines[(lines["epoch"] == 0) & lines["task"].isin(points.primary(ROW))]
    assert table.base.mean() == pytest.approx(100 * start.groupby("task")["score"].mean().mean())


def test_a_task_with_fewer_questions_weighs_the_same():
    lines, books = made_up.scores(ROW, even), made_up.books()
    lines = lines[(lines["task"] != "books_two_hop") | (lines["item"] % 12 < 5) | (lines["item"] > 300)]
    table = points.accuracies(lines, books, ROW, points.primary(ROW))
    start = lines[(lines["epoch"] == 0) & lines["task"].isin(points.primary(ROW))]
    assert table.base.mean() == pytest.approx(100 * start.groupby("task")["score"].mean().mean())


def test_bits_per_byte_are_of_all_bytes_together():
    lines = made_up.losses(ROW, lambda series, tokens, task: 0.1)
    table = points.bits_per_byte(lines, ROW, "prose")
    start = lines[(lines["epoch"] == 0) & (lines["task"] == "prose")].drop_duplicates("item")
    assert table.base.mean() == pytest.approx(start["nats"].sum() / np.log(2) / start["bytes"].sum())
    assert (table.values.mean((0, 2)) - table.base.mean()) == pytest.approx([0.1] * 3, abs=0.03)
    assert table.counts == {"documents": 60}


def broken(change):
    lines, books, row = made_up.scores(ROW, even), made_up.books(), ROW
    if change == "a line is missing":
        lines = lines.drop(lines.index[(lines["epoch"] == 2) & (lines["task"] == "books_two_hop")][5])
    if change == "a run is missing":
        lines = lines[lines["run"] != "Quill-small-on-r-1000-s2"]
    if change == "another base":
        lines.loc[(lines["run"] == "Quill-small-on-r-1000-s2") & (lines["epoch"] == 0) & (lines["item"] == 3), "score"] = 0.5
    if change == "a book is missing":
        books = books[(books["task"] != "books_two_hop") | (books["item"] != 7)]
    if change == "seeds differ":
        row = {**ROW, "arms": {**ROW["arms"], "raw": made_up.arm("r", (1000,), 1)}}
    if change == "no primary task":
        row = {**ROW, "tasks": {"books_direct": made_up.TASKS["books_direct"]}}
    return lines, books, row, points.primary(row)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("a line is missing", "s1: 480 lines at epoch 0 and 479"),
        ("a run is missing", "run Quill-small-on-r-1000-s2: 0 lines"),
        ("another base", "r-1000-s2: epoch 0 differs"),
        ("a book is missing", "two_hop: item 7 has no book"),
        ("seeds differ", "different numbers of seeds.*'raw 1000': 1"),
        ("no primary task", "expected tasks with primary"),
    ],
)
def test_what_does_not_fit_is_named(change, said):
    with pytest.raises(ValueError, match=said):
        points.accuracies(*broken(change))


def test_the_slope_is_that_of_least_squares_and_a_line_is_straight():
    tokens, rng = np.array(made_up.SIZES, float), np.random.default_rng(2)
    accuracy = 30 + 5 * np.log10(tokens) + rng.normal(0, 1, 6)
    assert points.slope_weights(tokens) @ accuracy == pytest.approx(np.polyfit(np.log10(tokens), accuracy, 1)[0])
    expected = np.corrcoef(np.log10(tokens), accuracy)[0, 1] ** 2
    assert points.straightness(tokens, accuracy) == pytest.approx(expected)
    assert points.straightness(tokens, 3 * np.log10(tokens)) == pytest.approx(1)
    assert points.straightness(tokens, np.full(6, 40.0)) == 0
    assert points.straightness(tokens, np.stack([accuracy, accuracy])).shape == (2,)


def test_correlation_is_numpys_and_0_without_spread():
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(5, 9)), rng.normal(size=(5, 9))
    assert points.correlation(one, other) == pytest.approx([np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)])
    assert points.correlation(np.ones(4), np.arange(4)) == 0


def test_books_are_resampled_alike_in_all_cells_and_in_the_base():
    """A cell that is the base plus a constant differs from it by that constant in every draw."""
    rng = np.random.default_rng(4)
    base = rng.normal(50, 20, 40)
    values = np.repeat((base + 3)[:, None, None], 2, axis=2)
    drawn = points.bootstrap(points.Table([("entigraph", 1)], values, base, {}), 500, "x")
    value, draws = drawn.change("entigraph")
    assert value == pytest.approx(3) and np.ptp(draws) < 1e-4 and drawn.base_draws.std() > 2


def test_intervals_cover_a_planted_difference_about_as_often_as_they_say():
    covered = []
    for world in range(60):
        rng = np.random.default_rng(world)
        luck = rng.normal(0, 15, 40)  # of books, alike in all cells
        values = 40 + luck[:, None, None] + rng.normal(0, 10, (40, 2, 3)) + rng.normal(0, 2, (1, 2, 3))
        values[:, 1] += 4
        drawn = points.bootstrap(points.Table([("a", 1), ("b", 1)], values, 40 + luck, {}), 800, f"{world}")
        found = points.found(points.minus(drawn.at("b"), drawn.at("a")), 0.05)
        covered.append(found["low"] < 4 < found["high"])
    assert 0.8 <= np.mean(covered) <= 0.99  # 90 % expected, 60 worlds


def test_tokens_in_few_characters():
    assert [points.short(n) for n in (300, 27500, 1090000, 455e6)] == ["300", "27.5k", "1.09M", "455M"]


def test_lines_hold_the_base_and_every_cell():
    table = points.accuracies(made_up.scores(ROW, even), made_up.books(), ROW, ["books_direct"])
    lines = points.lines_of(points.bootstrap(table, 200, "x"), table, "direct", row=ROW, unit="%", chance=25.0)
    assert isinstance(lines, pd.DataFrame) and lines["series"].tolist() == ["base", "entigraph", "entigraph", "raw"]
    assert lines["tokens"].tolist() == [0, 0.001, 0.01, 0.001] and lines["ratio"].tolist() == [0, 0.1, 1, 1]
    assert (lines["low"] < lines["value"]).all() and (lines["value"] < lines["high"]).all()
    assert lines["change"].iloc[0] == 0 and lines["runs"].iloc[3] == " ".join(ROW["arms"]["raw"]["1000"])
