"""The pocket world: enough of everything, deterministic, and right about what is true."""

import pytest

from scripts.sources import world as module
from scripts.sources.world import ATTRIBUTES, Fact, calculation, calls_to, held_out, problem, world

PLACE = world(1)


def test_sizes():
    assert len(set(PLACE.people)) == len(PLACE.people) >= 200
    assert len(ATTRIBUTES) >= 5
    assert all(len(PLACE.truth[attribute]) == len(PLACE.people) for attribute in ATTRIBUTES)
    kinds = set(kind for (kind,) in PLACE.truth["kind"].values())
    assert len(kinds) >= 8
    assert len(PLACE.scripts) >= 12 and all(5 <= len(script["steps"]) <= 7 for script in PLACE.scripts)


def test_a_seed_is_a_world():
    again, other = world.__wrapped__(1), world.__wrapped__(2)
    assert again.truth == PLACE.truth and again.people == PLACE.people
    assert other.truth["home"] != PLACE.truth["home"]


def test_values_are_dealt_equally():
    homes = [PLACE.one("home", person) for person in PLACE.people]
    assert {homes.count(town) for town in PLACE.words["town"]} <= {7, 8}


def test_relations_agree_with_each_other():
    for child, siblings in PLACE.truth["sibling"].items():
        assert all(child in PLACE.truth["sibling"][other] for other in siblings)
        assert all(PLACE.one("mother", other) == PLACE.one("mother", child) for other in siblings)
        assert PLACE.surname[PLACE.one("father", child)] == PLACE.surname[child]
    assert all(PLACE.one("friend", PLACE.one("friend", person)) == person for person in PLACE.people)


def test_truth():
    person = PLACE.people[0]
    home = PLACE.one("home", person)
    elsewhere = next(town for town in PLACE.words["town"] if town != home)
    assert PLACE.is_true(Fact("home", person, home)) and not PLACE.is_true(Fact("home", person, elsewhere))
    assert not PLACE.is_true(Fact("home", "Nobody", home)) and not PLACE.is_true(Fact("nothing", person, home))
    assert PLACE.is_true(Fact("+", "7 5", "12")) and not PLACE.is_true(Fact("+", "7 5", "13"))
    assert PLACE.is_true(Fact(">", "9", "4")) and not PLACE.is_true(Fact(">", "4", "9"))
    assert PLACE.is_true(Fact("then", "fills the kettle", "boils the water"))
    assert PLACE.is_true(Fact("then", "fills the kettle", "drinks from the cup")), "a step may be left out"
    assert not PLACE.is_true(Fact("then", "boils the water", "fills the kettle"))
    assert not PLACE.is_true(Fact("then", "fills the kettle", "buys a ticket"))
    strong = next(person for person in PLACE.people if "strong" in PLACE.truth["trait"][person])
    assert PLACE.is_true(Fact("did", strong, "carried the heavy box"))
    assert not PLACE.is_true(Fact("did", strong, "asked for a hand"))
    assert "weak" not in PLACE.truth["trait"][strong]
    assert PLACE.is_true(Fact("code", "add_3(4)", "7")) and not PLACE.is_true(Fact("code", "add_3(4)", "8"))


def test_calls():
    calls = {"take_3(9)": "6", "larger(3, 9)": "9", "gap(3, 9)": "6", "os(3)": None, "add(x)": None}
    assert {call: calls_to(call) for call in calls} == calls


def test_a_word_has_one_class(monkeypatch):
    with pytest.raises(ValueError, match="lexicon.yaml: 'Arbeck' is both town and person"):
        module._check_disjoint({"town": ["Arbeck"], "person": ["Arbeck"]})


def test_work_is_right_and_numbers_are_small():
    import random

    rng = random.Random(5)
    for _ in range(2000):
        for worked in (problem(rng, PLACE), calculation(rng)):
            assert 0 <= worked.answer <= 60 and worked.work[-1][3] == worked.answer
            for x, op, y, z in worked.work:
                assert PLACE.is_true(Fact(">", str(x), str(y)) if op == ">" else Fact(op, f"{x} {y}", str(z)))


def test_a_fifth_is_held_out():
    share = sum(held_out("chain", x, y) for x in range(100) for y in range(100)) / 10_000
    assert 0.18 < share < 0.22
