"""Open book: planted accuracies by condition, paired; a null in which nothing helps; recall; files that come out the same."""

import json

import numpy as np
import pandas as pd
import pytest

from papers.entigraph import openbook
from scripts.lib import claims
from scripts.lib.seeds import seed_of

CLAIMS = "papers/entigraph/claims.yaml"
BOOKS, EACH = 40, 12
TASKS = ("books_direct", "books_reversed", "books_two_hop")
RUNS = [f"Quill-small-on-entigraph-books-1090000-s{seed}" for seed in (1, 2, 3)]
SUITES = {"closed": "books", "other": "books-other", "retrieved": "books-retrieved", "whole": "books-whole"}
ROW = {
    "name": "entigraph/openbook",
    "scale": "laptop",
    "student": "Quill-small",
    "arms": {"entigraph": {"1090000": RUNS}},
    "conditions": SUITES,
    "suites": list(SUITES.values()),
    "tasks": {
        task: {"label": task, "metric": "acc", "filter": "none", "chance": 0.25, "primary": task != "books_direct"}
        for task in TASKS
    },
}
TRUE = {
    "closed": {"base": 0.3, "trained": 0.6},
    "other": {"base": 0.3, "trained": 0.6},
    "retrieved": {"base": 0.65, "trained": 0.75},
    "whole": {"base": 0.7, "trained": 0.8},
}
NULL = {condition: {"base": 0.3, "trained": 0.3} for condition in SUITES}
ITEMS = np.arange(BOOKS * EACH)


def scores(truth, condition):
    """Evaluations where a question is answered if its luck, the same under all conditions, is below the truth."""
    parts, luck = [], np.random.default_rng(7).random((len(TASKS), len(ITEMS)))
    for run in RUNS:
        own = np.random.default_rng(seed_of(run)).normal(0, 0.02)
        for i, task in enumerate(TASKS):
            for epoch, model, extra in ((0, "base", 0.0), (2, "trained", own)):
                right = luck[i] < truth[condition][model] + extra
                about = {"run": run, "subset": -1 if epoch == 0 else 0, "epoch": epoch, "task": task, "item": ITEMS}
                parts.append(pd.DataFrame({**about, "filter": "none", "metric": "acc", "score": right.astype("float32")}))
    return pd.concat(parts, ignore_index=True).astype(dict.fromkeys(("run", "task", "filter", "metric"), "category"))


def books():
    return pd.concat([pd.DataFrame({"task": task, "item": ITEMS, "book": ITEMS // EACH}) for task in TASKS], ignore_index=True)


def retrieved(right_at):
    """Eight passages a question; the first of the right book stands at rank ``right_at`` (none where 9)."""
    lines = pd.DataFrame([(task, item, rank) for task in TASKS for item in ITEMS for rank in range(1, 9)])
    lines.columns = ["task", "item", "rank"]
    return lines.assign(right=lines["rank"] >= right_at)


def given(truth, tasks=TASKS[1:]):
    return openbook.answers({c: scores(truth, c) for c in SUITES}, books(), ROW, list(tasks), "test")


def verdicts(truth, recall, scale="laptop"):
    entries = claims.read_claims(CLAIMS, "openbook")
    found = openbook.findings(given(truth), openbook.recalls(recall), entries)
    return {entry["claim"]: entry for entry in claims.judge(entries, found, scale)}


def test_planted_differences_come_back_with_paired_intervals():
    answers, name = given(TRUE), openbook.contrasts()
    for contrast, expected in {"closed gain": 30, "open gain": 35, "complementary": 10, "null": 0, "less half": 12.5}.items():
        value, draws = answers.of(name[contrast][1])
        assert value == pytest.approx(expected, abs=4) and draws.mean() == pytest.approx(value, abs=0.5)
    # luck is the same under both conditions, so that what differs is known far better than either
    assert answers.of(name["open gain"][1])[1].std() < 0.8 * answers.of({("closed", "base"): 1.0})[1].std() * 2**0.5


def test_the_planted_world_is_reproduced_and_the_null_is_not():
    found = verdicts(TRUE, retrieved(1))
    judged = {name: entry["verdict"] for name, entry in found.items()}
    names = ("complementary", "whole-book", "reading-on", "gain", "half", "share", "null", "recall")
    assert {judged[f"openbook-{name}"] for name in names} == {"reproduced"}
    assert judged["openbook-base-published"] == "not comparable"
    judged = {name: entry["verdict"] for name, entry in verdicts(NULL, retrieved(9)).items()}
    assert judged["openbook-gain"] == "not reproduced" or judged["openbook-gain"] == "undecided"
    assert judged["openbook-recall"] == "not reproduced" and judged["openbook-share"] != "reproduced"
    assert judged["openbook-complementary"] != "reproduced" and judged["openbook-null"] == "reproduced"


def test_a_gain_without_reading_is_no_share():
    """Where reading does not help, half of its gain is nothing, which the closed-book gain exceeds: still no share."""
    lame = {**TRUE, "retrieved": {"base": 0.3, "trained": 0.6}, "whole": {"base": 0.3, "trained": 0.55}}
    judged = {name: entry["verdict"] for name, entry in verdicts(lame, retrieved(1)).items()}
    assert judged["openbook-half"] == "reproduced" and judged["openbook-share"] != "reproduced"


def test_printed_accuracies_are_judged_at_the_papers_scale():
    printed = {c: {m: openbook.PUBLISHED.get((c, m), 50.0) / 100 for m in ("base", "trained")} for c in SUITES}
    judged = {name: entry for name, entry in verdicts(printed, retrieved(1), "paper").items()}
    assert judged["openbook-complementary-published"]["estimate"] == pytest.approx(2.25, abs=2.5)
    off = {**printed, "retrieved": {"base": 0.9, "trained": 0.95}}
    judged = verdicts(off, retrieved(1), "paper")
    assert judged["openbook-base-published"]["verdict"] == judged["openbook-trained-published"]["verdict"] == "not reproduced"


def test_printed_numbers_give_the_printed_share():
    closed, read = openbook.published("closed gain"), openbook.published("open gain")
    assert closed == pytest.approx(16.73) and closed / read == pytest.approx(0.802, abs=5e-4)
    assert np.isnan(openbook.published("whole book"))


def test_recall_by_rank():
    found = openbook.recalls(retrieved(3))
    assert found["value"].tolist() == [0.0] * 2 + [100.0] * 6 and set(found["n"]) == {len(TASKS) * len(ITEMS)}
    assert (found["low"] <= found["value"]).all() and (found["value"] <= found["high"]).all()


def make(folder, truth=TRUE, row=ROW):
    (folder / "books").mkdir(parents=True)
    books().to_parquet(folder / "books/items.parquet")
    paths = []
    for condition, suite in SUITES.items():
        for run, part in scores(truth, condition).groupby("run", observed=True):
            paths.append(folder / f"{run}/{suite}.parquet")
            paths[-1].parent.mkdir(exist_ok=True)
            part.to_parquet(paths[-1])
    retrieved(2).to_parquet(folder / "books-by-bm25.parquet")
    out = [folder / f"openbook.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]
    searched = [str(folder / "books-by-bm25.parquet")]
    openbook.openbook([*map(str, paths)], str(folder / "books"), searched, CLAIMS, *map(str, out), row=row, code="c")
    return out


def test_files_hold_what_is_drawn_and_come_out_the_same(tmp_path):
    for one, other in zip(make(tmp_path / "one"), make(tmp_path / "two"), strict=True):
        assert one.read_bytes() == other.read_bytes()
    table = pd.read_csv(tmp_path / "one/openbook.csv")
    assert set(table["panel"]) == {"accuracy", "difference", "recall"}
    main = table[(table["panel"] == "accuracy") & (table["tasks"] == "judged")]
    assert len(main) == 8 and (main["items"] == 2 * len(ITEMS)).all() and (main["books"] == BOOKS).all()
    value = json.loads((tmp_path / "one/openbook.claims.json").read_text())
    by_name = {entry["claim"]: entry for entry in value["claims"]}
    shown = table[(table["tasks"] == "judged") & (table["what"] == "complementary")]["value"].item()
    assert by_name["openbook-complementary"]["estimate"] == pytest.approx(shown, abs=1e-4)


def test_several_cells_are_refused():
    row = {**ROW, "arms": {"entigraph": {"1": RUNS[:1], "2": RUNS[1:2]}}}
    with pytest.raises(ValueError, match="key arms: expected one series at one number"):
        openbook.answers({}, books(), row, ["books_direct"], "test")
