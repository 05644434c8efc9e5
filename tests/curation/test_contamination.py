"""Decontamination: planted items in all their disguises, shared n-grams, and a slow reference."""

import re

import numpy as np
import pandas as pd
import pytest

from scripts.curation import contamination

ITEMS = [
    ("quiz", 0, "Which of the four harbours does Captain Maro Tellan, the old keeper of lamps, visit in winter?"),
    ("quiz", 1, "Which of the four harbours does the youngest of the seven cooks leave before the first snow falls?"),
    ("sums", 0, "Olin has 12 red boxes and gives 5 of them to Tessa; how many boxes does he have at the end?"),
    (
        "sums",
        1,
        "A cart holds thirty-one sacks. It's full. Nine sacks fall off near the mill. How many sacks are left on it now?",
    ),
]
FILLER = "the weather that day was mild and nobody in the village had anything to say about boats or lamps or boxes "


def frame(items=ITEMS) -> pd.DataFrame:
    return pd.DataFrame(items, columns=["task", "item", "text"])


def names(text: str, index: contamination.Items, ratio: float = 0.0) -> dict:
    (hit,) = contamination.find([text], index)
    return contamination.items_hit(hit, index, ratio) if contamination.contaminated(hit, ratio) else {}


DISGUISES = {
    "verbatim": lambda t: t,
    "re-wrapped": lambda t: re.sub(r"((?:\S+\s+){4})", "\\1\n   ", t),
    "upper case": str.upper,
    "title case": lambda t: " ".join(w[0].upper() + w[1:] for w in t.split()),
    "no punctuation": lambda t: re.sub(r"[^\w\s']", "", t).replace("-", " "),
    "other punctuation": lambda t: t.replace(",", " --").replace(";", "...").replace("?", "!!").replace("-", " "),
    "quoted": lambda t: "“" + t.replace(" ", "\u00a0") + "”",
    "tabs": lambda t: t.replace(" ", "\t"),
    "markdown": lambda t: "\n".join(f"> *{line}*" for line in t.split(". ")),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_planted_items_are_found(disguise):
    index = contamination.index_items(frame())
    for task, item, text in ITEMS:
        for planted in (DISGUISES[disguise](text), FILLER + DISGUISES[disguise](text) + " " + FILLER):
            assert names(planted, index) == {task: [item]}, planted


def test_part_of_an_item_is_found_from_eight_words_on():
    index = contamination.index_items(frame())
    tail = ITEMS[0][2].split()[6:]
    assert names(FILLER + " ".join(tail[:8]), index) == {"quiz": [0]}
    assert names(FILLER + " ".join(tail[:7]), index) == {}
    assert names(FILLER, index) == {}
    assert names("", index) == {}


def test_ngrams_that_two_items_share_do_not_count():
    template = "Read the short story below and answer the question with one word."
    items = [
        ("a", 0, f"{template} Where did Anna put the green lamp before supper on Friday?"),
        ("b", 7, f"{template} Who won?"),
    ]
    index = contamination.index_items(frame(items))
    assert names(template, index) == {}
    assert names(items[0][2], index) == {"a": [0]}
    assert index.shared == 12 - 8 + 1
    alone = contamination.index_items(frame(items[:1]))
    assert names(template, alone) == {"a": [0]}, "with one item the template is the item's own"


def test_an_item_that_two_tasks_repeat_is_found_for_both():
    items = [*ITEMS, ("again", 3, ITEMS[0][2].upper())]
    assert names(ITEMS[0][2], contamination.index_items(frame(items))) == {"again": [3], "quiz": [0]}


def test_an_item_in_several_lines_is_one_item():
    split = [("t", 0, "one two three four five six seven eight"), ("t", 0, "one two three four five six seven eight nine")]
    index = contamination.index_items(frame(split))
    assert (index.shared, index.own) == (0, [2])
    across = "five six seven eight one two three four"  # the end of one line and the beginning of another
    assert names(across, index) == {}


def test_the_ratio_is_the_share_of_the_items_own_ngrams():
    item = [f"k{n}" for n in range(27)]  # 20 n-grams of 8
    index = contamination.index_items(frame([("t", 0, " ".join(item))]))
    for words, share in ((27, 1.0), (17, 0.5), (16, 0.45), (8, 0.05)):
        (hit,) = contamination.find([" ".join(item[:words])], index)
        assert hit.shares == {0: pytest.approx(share)}
        assert contamination.contaminated(hit, 0.5) == (share >= 0.5)
        assert contamination.contaminated(hit)


def test_counts_by_task():
    items = [*ITEMS, ("sums", 2, "too short to find")]
    index = contamination.index_items(frame(items))
    hits = contamination.find([ITEMS[0][2], ITEMS[0][2] + FILLER, ITEMS[1][2], ITEMS[2][2] + ITEMS[0][2], FILLER], index)
    expected = {
        "quiz": {"items": 2, "without_own_ngrams": 0, "documents": 4, "hit": 2},
        "sums": {"items": 3, "without_own_ngrams": 1, "documents": 1, "hit": 1},
    }
    for parts in ([hits], [hits[:1], hits[1:]], [[one] for one in hits]):
        assert contamination.by_task([contamination.tally(part, index) for part in parts], index) == expected


@pytest.mark.parametrize("n", [2, 3, 5])
def test_against_a_slow_reference(n):
    rng = np.random.default_rng(n)
    words = [f"v{k}" for k in range(14)]

    def text(size):
        return " ".join(rng.choice(words, size))

    items = [("t", i, text(12)) for i in range(20)]
    index = contamination.index_items(frame(items), n)
    padded = [f" {t} " for _, _, t in items]
    for _ in range(200):
        document = text(rng.integers(1, 15))
        split = document.split()
        grams = [f" {' '.join(split[k : k + n])} " for k in range(len(split) - n + 1)]
        owners = [[i for i, item in enumerate(padded) if gram in item] for gram in grams]
        expected = sorted({found[0] for found in owners if len(found) == 1})
        assert names(document, index).get("t", []) == expected


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="column 'text' is missing"):
        contamination.index_items(frame().drop(columns="text"))


def test_without_items_nothing_is_contaminated():
    assert contamination.find([FILLER], contamination.index_items(frame([]))) == [None]
