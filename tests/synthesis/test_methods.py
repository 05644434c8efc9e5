"""What each method asks of a document, and which answers it can read."""

import itertools
import json
import random
from collections import Counter

import pytest

from scripts.synthesis.generate import METHODS
from scripts.synthesis.methods import active_reading, entigraph, hq, mga, qa, qa_pairs, rephrase, textbook
from scripts.synthesis.requests import Request, hash_of

NAMES = ["Ada", "Bo", "Cy", "Di", "Ed"]
FIRST = {"summary": "Short.", "entities": NAMES}


def ahead(method, first, number: int, seed: int = 7) -> list[Request]:
    return list(itertools.islice(method.requests("The document.", first, seed), number))


def test_entigraph_asks_about_every_pair_once_then_every_triple_once():
    asked = ahead(entigraph, FIRST, 99)
    pairs, triples = asked[:10], asked[10:]
    for part, kind, size in ((pairs, "pair", 2), (triples, "triple", 3)):
        assert {one.kind for one in part} == {kind}
        found = [tuple(one.fields["entities"]) for one in part]
        assert len(found) == 10 and set(found) == set(itertools.combinations(NAMES, size))
    assert {one.document for one in asked} == {"The document."}


def test_entigraph_s_order_is_its_seed_s_and_not_the_list_s():
    asked = ahead(entigraph, FIRST, 20)
    assert ahead(entigraph, FIRST, 20) == asked != ahead(entigraph, FIRST, 20, seed=8)
    listed = [list(pair) for pair in itertools.combinations(NAMES, 2)]
    assert [one.fields["entities"] for one in asked[:10]] != listed


def test_any_pair_may_come_first():
    """400 seeds, 10 pairs: a count outside 15 to 70 has a chance of about one in a million where all are as likely."""
    first = Counter(next(entigraph.subsets(5, 2, random.Random(seed))) for seed in range(400))
    assert len(first) == 10 and 15 < min(first.values()) and max(first.values()) < 70


def test_two_entities_have_one_pair_and_no_triple():
    assert [one.kind for one in ahead(entigraph, {"summary": "", "entities": NAMES[:2]}, 9)] == ["pair"]


def test_entigraph_reads_a_summary_and_entities():
    answer = 'Here it is:\n```json\n{"summary": " S. ", "entities": ["Ada", " Bo", "Ada", ""]}\n```'
    assert entigraph.read(answer) == {"summary": "S.", "entities": ["Ada", "Bo"]}
    assert entigraph.texts(entigraph.read(answer)) == ["S."], "the summary is part of the corpus, as published"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("I cannot.", "expected a JSON object, found 'I cannot.'"),
        ('{"summary": "S", "entities": ["A", "B"', "expected a JSON object"),
        ('{"entities": ["A", "B"]}', "key summary: expected a text, found 'None'"),
        ('{"summary": " ", "entities": ["A", "B"]}', "key summary"),
        ('{"summary": "S"}', "key entities: expected a list of strings"),
        ('{"summary": "S", "entities": "A, B"}', "key entities: expected a list of strings"),
        ('{"summary": "S", "entities": ["A", 2]}', "key entities: expected a list of strings"),
        ('{"summary": "S", "entities": ["A", "A"]}', "key entities: expected 2 or more different strings, found 1"),
    ],
)
def test_entigraph_refuses_other_answers(answer, message):
    with pytest.raises(ValueError, match=message):
        entigraph.read(answer)


def test_rephrase_takes_its_three_styles_in_turn_and_qa_its_one():
    assert [one.kind for one in ahead(rephrase, None, 4)] == [
        "rephrase-easy",
        "rephrase-medium",
        "rephrase-hard",
        "rephrase-easy",
    ]
    assert ahead(qa, None, 2) == [Request("qa", "The document.", {})] * 2


def test_active_reading_applies_each_strategy_in_turn():
    strategies = active_reading.read('{"strategies": ["Rhyme it.", "Ask why."]}')
    asked = ahead(active_reading, strategies, 3)
    assert [one.fields for one in asked] == [{"strategy": name} for name in ("Rhyme it.", "Ask why.", "Rhyme it.")]
    assert active_reading.texts(strategies) == []
    with pytest.raises(ValueError, match="key strategies: expected 1 or more"):
        active_reading.read('{"strategies": []}')


def test_mga_rewrites_for_each_pair_in_turn():
    one, two = ({"genre": genre, "audience": "children"} for genre in ("a song", "a letter"))
    pairs = mga.read(json.dumps({"pairs": [one, two, one]}))
    assert [each.fields for each in ahead(mga, pairs, 3)] == [one, two, one] and mga.texts(pairs) == []
    for wrong in ('{"pairs": []}', '{"pairs": "a song"}', '{"pairs": [{"genre": "a song"}]}', '{"pairs": ["a song"]}'):
        with pytest.raises(ValueError, match="key pairs: expected"):
            mga.read(wrong)


def test_every_request_has_the_fields_that_its_method_declares():
    firsts = {
        "entigraph": FIRST,
        "active-reading": ["Rhyme it."],
        "mga": [{"genre": "a song", "audience": "all"}],
        "textbook": "Chapter 1: A",
    }
    for name, method in METHODS.items():
        asked = ahead(method, firsts.get(name), 30)
        assert {one.kind for one in asked} == set(method.KINDS) - {method.FIRST}
        assert all(set(one.fields) == set(method.KINDS[one.kind]) for one in asked)


def test_the_hash_of_a_request_is_of_all_that_it_is():
    one = Request("pair", "d", {"entities": ["a", "b"], "x": "y"})
    assert hash_of(one, 1) == hash_of(Request("pair", "d", {"x": "y", "entities": ["a", "b"]}), 1)
    others = [one._replace(kind="triple"), one._replace(document="e"), one._replace(fields={"entities": ["b", "a"], "x": "y"})]
    assert len({hash_of(one, 1), hash_of(one, 2), *(hash_of(other, 1) for other in others)}) == 5


@pytest.mark.parametrize(("method", "kind"), [(hq, "hq"), (qa_pairs, "qa-pairs")])
def test_a_web_document_is_rewritten_once(method, kind):
    assert ahead(method, None, 5) == [Request(kind, "The document.", {})]


def test_a_textbook_s_chapters_are_asked_for_from_its_outline_alone():
    outline = "Title: Owls\nChapter 1: Eyes\n* see\n**Chapter 2: Wings**\nchapter 3. Nests\nChapter 12: Too many"
    asked = list(textbook.requests("The document.", textbook.read(outline), 7))
    assert [one.fields["chapter"] for one in asked] == ["1", "2", "3"] and {one.document for one in asked} == {outline}
    assert {one.fields["audience"] for one in asked} == {textbook.fields(7)["audience"]} <= set(textbook.AUDIENCES)
    assert {textbook.fields(seed)["audience"] for seed in range(40)} == set(textbook.AUDIENCES)
    assert textbook.texts(outline) == []
    with pytest.raises(ValueError, match="expected lines such as Chapter 1, found 'Sorry"):
        textbook.read("Sorry, I cannot.")
