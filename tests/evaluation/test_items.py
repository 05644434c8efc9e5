"""Items as text: every task kind, one line an item, the right answer after the prompt."""

import pandas as pd

from scripts.evaluation import items
from scripts.evaluation.items import write_items
from scripts.lib.files import read_card


def test_items_of_every_kind(tmp_path, row, suite, monkeypatch):
    monkeypatch.setattr(items, "quiet", lambda *_: None)  # it is for the whole process
    out = tmp_path / "small"
    write_items(out, row=row, code="c0de", folder=suite)
    table = pd.read_parquet(out / "items.parquet")
    assert list(table) == ["task", "item", "text"] and len(table) == 12 * 3 + 8
    text = table.set_index(["task", "item"])["text"]
    assert text["choice", 1] == "Question: Where is Boris waiting?\nAnswer: Brinewick\nAldmoor\nCathor\nDunhelm"
    assert text["sum", 3].startswith("Question: Ana lives in Dunhelm") and text["sum", 3].endswith(
        "How many apples?\nAnswer: 3"
    )
    assert text["blank", 1].splitlines()[0] == "Boris met Greta because Greta was waiting at the gate."
    assert text["ending", 2].count("in the evening.") == 3
    assert read_card(out)["counts"] == {"items": 44}
