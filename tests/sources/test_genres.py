"""Documents of the pocket world: what they mean to state is found in them and true, and sources grow without changing."""

import json
import random
from collections import Counter

import pytest

from scripts.lib.documents import read_documents
from scripts.lib.text import ngrams, words
from scripts.sources.genres import GENRES, _wordings, facts_stated, render
from scripts.sources.pocket import make_documents, write_source
from scripts.sources.world import Fact, world

PLACE = world(1)
ROW = {"name": "trial", "kind": "pocket", "world": 1, "seed": 3, "genres": {genre: 1 / len(GENRES) for genre in GENRES}}


def test_genres_and_paraphrases():
    assert len(GENRES) >= 8
    told = _wordings()
    for group in (told["facts"][relation]["tell"] for relation in told["facts"]):
        assert len(set(group)) >= 4
    for name in ("numbers", "calculations", "problems"):
        assert all(len(set(group)) >= 4 for group in told[name].values())
    assert all(len(set(told["story"][part])) >= 4 for part in told["story"]) and len(set(told["traits"])) >= 4


@pytest.mark.parametrize("genre", GENRES)
def test_what_is_told_is_found_and_true(genre):
    lengths = []
    for seed in range(300):
        text, told = render(genre, random.Random(seed), PLACE)
        found = facts_stated(text, PLACE)
        assert Counter(found) == Counter(told), text
        assert told and all(PLACE.is_true(fact) for fact in found), text
        lengths.append(len(text))
    assert 40 <= min(lengths) and max(lengths) <= 900


def test_a_swapped_town_is_a_false_fact():
    seen = 0
    for seed in range(100):
        text, told = render("biography", random.Random(seed), PLACE)
        towns = [fact for fact in told if fact.relation == "home"]
        if not towns:
            continue
        other = next(town for town in PLACE.words["town"] if town not in text)
        false = [fact for fact in facts_stated(text.replace(towns[0].object, other), PLACE) if not PLACE.is_true(fact)]
        assert Fact("home", towns[0].subject, other) in false
        seen += 1
    assert seen > 20


def test_reading_survives_noise_and_nonsense():
    person = PLACE.people[0]
    expected = [Fact("home", person, "Arbeck")]
    for text in (
        f"Menu | Home\n***  {person.upper()}   LIVES IN ARBECK!!!",
        f"clik here {person} lives\nin Arbeck, all rights",
        f"Q: Where does {person} live?\nA: Arbeck",
        f"{person} {PLACE.surname[person]} lives in Arbeck.",
    ):
        assert facts_stated(text, PLACE) == expected, text
    assert facts_stated("", PLACE) == facts_stated("lives in Arbeck. � ## in in in", PLACE) == []
    assert facts_stated(f"{person} likes to eat pear. She lives in Arbeck.", PLACE)[1] == expected[0]


def test_a_wrong_sum_and_a_wrong_turn_are_false():
    for text in ("7 + 5 = 13", "7+5=13", "9-4=6", "def add_3(n):\n    return n + 3\n\nassert add_3(4) == 8"):
        (fact,) = facts_stated(text, PLACE)
        assert not PLACE.is_true(fact)
    trait = PLACE.truth["trait"]
    a, b = (next(person for person in PLACE.people if word in trait[person]) for word in ("strong", "weak"))
    for who, right in ((a, True), ("the strong one", True), (b, False), ("the weak one", False)):
        *traits, deed = facts_stated(f"{a} was strong but {b} was weak, so {who} carried the heavy box.", PLACE)
        assert all(PLACE.is_true(fact) for fact in traits) and PLACE.is_true(deed) is right


def test_code_runs():
    for seed in range(100):
        text, _ = render("code", random.Random(seed), PLACE)
        exec(text, {})  # the asserts in it hold


def test_growing_changes_no_document():
    few, many = (
        make_documents({**ROW, "documents": 60, "near_duplicates": 0.1}),
        make_documents({**ROW, "documents": 120, "near_duplicates": 0.1}),
    )
    assert many[:60] == few
    assert len({made["id"] for made in many}) == 120
    assert make_documents({**ROW, "name": "other", "documents": 1, "near_duplicates": 0})[0]["text"] != few[0]["text"]


def test_near_duplicates_come_in_the_share_asked_for():
    made = make_documents({**ROW, "documents": 3000, "near_duplicates": 0.05})
    by_id = {one["id"]: one for one in made}
    copies = [(one, by_id[of]) for one in made if (of := json.loads(one["meta"]).get("near_duplicate_of"))]
    assert 0.035 < len(copies) / len(made) < 0.065
    for copy, original in copies:
        before, after = original["text"].split(" "), copy["text"].split(" ")
        assert len(before) == len(after) and sum(a != b for a, b in zip(before, after, strict=True)) <= 2
        assert all(PLACE.is_true(Fact(*fact)) for fact in json.loads(copy["meta"])["facts"])
    shared = [len(set(ngrams(words(a["text"]), 3)) & set(ngrams(words(b["text"]), 3))) for a, b in copies]
    assert sum(n > 3 for n in shared) > 0.9 * len(shared)
    none = make_documents({**ROW, "documents": 500, "near_duplicates": 0})
    assert not any("near_duplicate_of" in one["meta"] for one in none)


def test_an_unknown_genre_is_named():
    with pytest.raises(ValueError, match="'trial', key genres: .'novel'. unknown"):
        make_documents({**ROW, "genres": {"novel": 1.0}, "documents": 1})


def test_file(tmp_path):
    out = tmp_path / "documents.parquet"
    write_source(str(out), row={**ROW, "documents": 50, "near_duplicates": 0.0}, code="c")
    frame = read_documents(out)
    assert len(frame) == 50 and set(frame["source"]) == {"trial"}
