"""The teacher of noisy pages: it says nothing that its page does not say, and weaker ones say less and say it worse."""

import random
import re

import pytest

from scripts.lib.statements import RETOLD, data, language, statements
from scripts.sources.genres import facts_stated, render
from scripts.sources.pages import noise_share, page
from scripts.sources.world import world
from scripts.synthesis.methods import textbook
from scripts.synthesis.page_teacher import CannotAnswer, answer, bullets, common, items
from scripts.synthesis.requests import Request

PLACE = world(11)
GENRES = ("biography", "encyclopedia", "story", "note", "qa", "prose")
CAPACITIES = tuple(data(RETOLD)["capacities"])
PROSE = [
    "The estimator returns a matrix of weights whose rows sum to one. However, one may also utilize a sparse form of it.",
    "A context manager closes the connection, even if an exception was raised inside of the block that it guards.",
]


def articles(seed: int) -> list[tuple[str, str]]:
    """Two articles of different genres."""
    rng = random.Random(seed)
    return [(genre, rng.choice(PROSE) if genre == "prose" else render(genre, rng, PLACE)[0]) for genre in rng.sample(GENRES, 2)]


def a_page(seed: int) -> str:
    return page(random.Random(f"noise{seed}"), [text for _, text in articles(seed)], 0.5)[0]


PAGES = [a_page(seed) for seed in range(50)]


def written(kind: str, document: str, seed: int, capacity: str) -> list[str]:
    """The texts that a teacher of a capacity makes of a page, as the method of this kind asks for them."""
    if kind != "textbook":
        return [answer(Request(kind, document, {}), seed, capacity)]
    outline = answer(Request("textbook-outline", document, textbook.fields(seed)), seed, capacity)
    return [answer(one, seed, capacity) for one in textbook.requests(document, outline, seed)]


def stated(text: str) -> set[tuple[str, str, str]]:
    """What a text of the teacher states, in its own wordings or in those of the pages."""
    natural = {tuple(fact) for fact in facts_stated(text, PLACE) if fact.relation != "then"}
    return natural | {one.fact for one in statements(text, language(RETOLD))}


@pytest.mark.parametrize("capacity", CAPACITIES)
@pytest.mark.parametrize("kind", ["hq", "qa-pairs", "textbook"])
def test_no_fact_is_in_a_rewrite_that_is_not_in_its_page(kind, capacity):
    number = 0
    for seed, document in enumerate(PAGES):
        given = {tuple(fact) for fact in facts_stated(document, PLACE)}
        for text in written(kind, document, seed, capacity):
            assert stated(text) <= given, (document, text)
            number += len(stated(text))
    assert number > 20, "it states something at all"


@pytest.mark.parametrize("kind", ["hq", "qa-pairs", "textbook"])
def test_no_sentence_of_the_world_s_documents_is_repeated(kind):
    """Not as prose either: models are evaluated on such sentences."""
    sentences = 0
    for seed, document in enumerate(PAGES):
        theirs = {
            line.strip()
            for genre, text in articles(seed)
            for line in re.split(r"\n|(?<=[.?!]) ", text)
            if genre != "prose" and len(line.split()) > 3
        }
        sentences += len(theirs)
        for text in written(kind, document, seed, "copyist"):
            assert not [line for line in theirs if line in text], text
    assert sentences > 300


def test_the_check_can_fail():
    (text,) = written("hq", "Home | About\nAlala lives in Kelso.", 1, "master")
    assert stated(text) == {("home", "Alala", "Kelso")}
    assert stated(text.replace("Kelso", "Selby")) == {("home", "Alala", "Selby")}


@pytest.mark.parametrize("kind", ["hq", "qa-pairs", "textbook"])
def test_weaker_teachers_lose_more_facts(kind):
    given = [{tuple(fact) for fact in facts_stated(document, PLACE)} for document in PAGES]
    kept = {}
    for capacity in ("novice", "copyist", "master"):
        told = [set().union(*map(stated, written(kind, one, seed, capacity)), set()) for seed, one in enumerate(PAGES)]
        kept[capacity] = sum(len(few & many) for few, many in zip(told, given, strict=True)) / sum(map(len, given))
    assert kept["novice"] < 0.75 < kept["copyist"] < 0.92 < kept["master"] <= 1


def test_weaker_teachers_make_more_errors_of_form_and_take_more_noise_over():
    def doubled(capacity):
        texts = [written("hq", one, seed, capacity)[0] for seed, one in enumerate(PAGES)]
        words = sum(len(text.split()) for text in texts)
        return sum(len(re.findall(r"\b([a-z]+) \1\b", text)) for text in texts) / words, sum(map(noise_share, texts)) / len(
            texts
        )

    errors, noise = zip(*map(doubled, ("novice", "copyist", "master")), strict=True)
    assert errors[0] > errors[1] > errors[2] and errors[2] < 0.001
    assert noise[0] > noise[1] > noise[2] == 0


def test_a_tail_cut_teacher_says_nothing_uncommon():
    full, cut = (
        {fact for seed, one in enumerate(PAGES) for text in written("hq", one, seed, capacity) for fact in stated(text)}
        for capacity in ("master", "tail-cut")
    )
    words = [{word for fact in facts for word in fact[1:]} for facts in (full, cut)]
    head = common(data(RETOLD)["capacities"]["tail-cut"]["head"])
    assert words[1] <= head and not words[0] <= head and len(words[1]) < 0.8 * len(words[0])
    assert len(cut) < 0.7 * len(full)


def test_a_chapter_is_written_from_the_outline_alone():
    document = PAGES[0]
    outline = answer(Request("textbook-outline", document, textbook.fields(3)), 3, "master")
    one, *_ = requests = list(textbook.requests("", outline, 3))
    assert all(request.document == outline for request in requests) and document not in outline
    assert list(textbook.requests(document, outline, 3)) == requests, "the page itself is not asked about again"
    other = outline.replace(bullets(outline, 1)[1][0], "Alala resides in the town of Kelso.")
    assert ("home", "Alala", "Kelso") in stated(answer(one._replace(document=other), 3, "master"))
    assert ("home", "Alala", "Kelso") not in stated(answer(one, 3, "master"))


def test_each_audience_is_spoken_to_in_its_own_way():
    openings = {}
    for seed in range(40):
        audience = textbook.fields(seed)["audience"]
        text = written("textbook", "Alala lives in Kelso. Kelso sells rope. Alala enjoys chess.", seed, "master")[0]
        openings.setdefault(audience, set()).add(text.split("\n")[1].split(".")[0])
        assert "Exercise 1. " in text and "Reference solution 1: " in text
    assert set(openings) == set(textbook.AUDIENCES) == set(data(RETOLD)["chapters"]["audiences"])
    assert not set.intersection(*openings.values())


def test_prose_is_kept_and_what_is_about_the_page_is_not():
    chatter = "I think this is really good, thanks for sharing.\nWe use cookies, and so on, on every page here."
    document = f"Home | About\n* {PROSE[1].rstrip('.')} !!\n{chatter}"
    assert [one.text for one in items(document)] == [PROSE[1]]
    (text,) = written("hq", document, 1, "master")
    assert "closes the connection" in text and "cookies" not in text and "sharing" not in text
    plain = written("hq", PROSE[0], 1, "master")[0]
    assert "But, one may also use a sparse form of it." in plain, "rarer words give way to plainer ones"


def test_an_answer_is_a_function_of_request_seed_and_capacity():
    request = Request("hq", PAGES[1], {})
    one = answer(request, 5, "master")
    assert one == answer(request, 5, "master")
    assert len({one, answer(request, 6, "master"), answer(request, 5, "novice")}) == 3


def test_where_nothing_is_said_there_is_no_answer():
    assert answer(Request("hq", "Home | About | News\nLoading, please wait...", {}), 1, "master") == ""


@pytest.mark.parametrize(
    ("kind", "capacity", "said"),
    [("poem", "master", "kind 'poem': expected one of hq"), ("hq", "genius", "source_model 'genius': expected one of novice")],
)
def test_what_it_has_no_rule_for_is_refused(kind, capacity, said):
    with pytest.raises(CannotAnswer, match=re.escape(said)):
        answer(Request(kind, "Alala lives in Kelso.", {}), 1, capacity)
