"""Reading by wordings that are data: as the pocket world's own reader reads; no wording of the teacher's is the world's."""

import random

import pytest

from scripts.lib import statements as reading
from scripts.lib.statements import RETOLD, TOLD, WORDS, data, language, row_of, statements, tokens
from scripts.sources.genres import facts_stated, render
from scripts.sources.pages import page
from scripts.sources.world import Fact, world

GENRES = ("biography", "encyclopedia", "story", "note", "qa", "web")
PLACE = world(11)


def rows(path) -> list[tuple[str, tuple[str, ...]]]:
    """(relation, row) of every wording of a language."""
    return [(relation, row) for row, (relation, _) in language(path).wordings.items()]


@pytest.mark.parametrize("genre", GENRES)
def test_documents_and_noisy_pages_are_read_as_by_the_world_s_own_reader(genre):
    rng = random.Random(genre)
    for _ in range(40):
        text = render(genre, rng, PLACE)[0]
        for each in (text, page(rng, [text, render("biography", rng, PLACE)[0]], 0.5)[0]):
            assert [one.fact for one in statements(each, language(TOLD))] == facts_stated(each, PLACE)


def test_a_statement_says_where_it_stands_and_whom_it_is_told_of():
    text = "Home | About\nToday Milo decides to make tea. First he fills the kettle. Then he boils the water."
    (one,) = statements(text.replace("Milo", "Alala").replace(" he ", " she "), language(TOLD))
    assert one.fact == ("then", "fills the kettle", "boils the water") and one.person == "Alala"
    assert text.replace("Milo", "Alala").replace(" he ", " she ")[one.start :].startswith("boils")


@pytest.mark.parametrize("relation", data(RETOLD)["facts"])
def test_every_wording_of_the_teacher_states_its_fact_and_no_other(relation):
    """Each is filled with words of the world; read back by the teacher's language it is that fact, by the world's nothing."""
    entry, told = data(RETOLD)["facts"][relation], language(RETOLD)
    words = {"step": "fills the kettle", "deed": "won the race", "trait": "brave", "person": "Alala", "town": "Kelso"}
    words |= {name: next(word for kind, word in told.known.values() if kind == name) for name in told_classes() - set(words)}
    second = {"step": "boils the water", "person": "Bola"} | {"town": "Selby"}
    subject, obj = words[entry["subject"]], second.get(entry["object"], words[entry["object"]])
    fill = {"s": subject, "o": obj, "p": "Alala", "q": "she"}
    for letter, word in (("s", subject), ("o", obj)):
        fill |= {f"{letter}_a": f"a {word}", f"{letter}_s": told.plural.get(word, word)}
    asked = [f"{question} {entry.get('answer', '{o}')}" for question in entry["ask"]]
    for template in [*entry["tell"], *asked]:
        text = template.format(**fill)
        assert [one.fact for one in statements(text, told)] == [(relation, subject, obj)], text
        assert [fact for fact in facts_stated(text, PLACE) if fact != Fact("then", subject, obj)] == [], text


def told_classes() -> set[str]:
    return {kind for kind, _ in language(RETOLD).known.values()}


def test_no_wording_of_the_teacher_is_part_of_one_of_the_world_s_or_the_other_way_round():
    def parts(row):
        return {row[i : i + n] for n in range(1, len(row) + 1) for i in range(len(row) - n + 1)}

    ours, theirs = ([row for _, row in rows(path)] for path in (TOLD, RETOLD))
    assert not set(theirs) & {part for row in ours for part in parts(row)}
    assert not set(ours) & {part for row in theirs for part in parts(row)}


def test_a_wording_that_uses_a_word_of_the_world_or_reads_like_another_is_refused(tmp_path):
    home = "{subject: person, object: town, tell: ['%s'], ask: []}"
    for facts, said in (
        (f"home: {home % '{s} is red in {o}'}", "uses \\['red'\\], words of the lexicon"),
        (f"home: {home % '{s} dwells in {o}'}, born: {home % '{s} dwells in the {o}'}", "reads like a wording of home"),
    ):
        path = tmp_path / f"{len(facts)}.yaml"
        path.write_text(f"facts: {{{facts}}}", encoding="utf-8")
        with pytest.raises(ValueError, match=said):
            language(path)


def test_all_names_that_can_be_formed_are_known_and_none_is_a_common_word():
    known = language(TOLD)
    assert set(PLACE.people) <= set(known.pronoun) and {name: known.pronoun[name] for name in PLACE.people} == PLACE.pronoun
    common = {word for path in WORDS.glob("*.yaml") for word in tokens(path.read_text(encoding="utf-8"))}
    assert not {name.lower() for name in known.pronoun} & common


def test_a_row_has_classes_for_slots_and_no_articles():
    assert row_of("The {s} lies in a {o}.", {"s": "town", "o": "region"}) == ("<town>", "lies", "in", "<region>")
    assert reading.PRONOUNS == ("she", "he")
