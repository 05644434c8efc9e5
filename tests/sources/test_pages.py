"""Noisy pages: as much noise as asked for, articles that are still there, the same ones without noise, prose used once."""

import json
import random

import pytest

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card
from scripts.sources.genres import facts_stated
from scripts.sources.pages import make_documents, misspelt, noise_line, noise_share, noise_words, page, sliced, write_source
from scripts.sources.world import world

ROW = {
    "name": "web",
    "world": 11,
    "seed": 1,
    "genres": {"biography": 0.3, "encyclopedia": 0.2, "story": 0.1, "note": 0.1, "qa": 0.1, "prose": 0.2},
    "slice": "1-of-2",
    "noise": 0.5,
    "documents": 200,
}
PROSE = [(f"id{i}", f"Sentence number {i} of this made prose says hardly anything at all. It ends here.") for i in range(400)]


def pages(**changes) -> list[dict]:
    return list(make_documents({**ROW, **changes}, PROSE))


def metas(documents: list[dict]) -> list[dict]:
    return [json.loads(one["meta"]) for one in documents]


@pytest.mark.parametrize(("noise", "low", "high"), [(0.5, 0.43, 0.57), (0.25, 0.17, 0.3), (0.0, 0.0, 0.0)])
def test_noise_is_the_share_asked_for(noise, low, high):
    made = pages(noise=noise)
    share = sum(noise_share(one["text"]) * len(one["text"]) for one in made) / sum(len(one["text"]) for one in made)
    assert low <= share <= high
    shares = [meta["noise"] for meta in metas(made)]
    assert not noise or (min(shares) < 0.1 and max(shares) > 1.2 * noise), "pages differ, so that there is something to choose"


def test_pages_with_and_without_noise_have_the_same_articles():
    noisy, clean = pages(), pages(noise=0.0)
    assert [meta["genres"] for meta in metas(noisy)] == [meta["genres"] for meta in metas(clean)]
    facts = [{tuple(fact) for fact in meta["facts"]} for meta in metas(clean)]
    left = [{tuple(fact) for fact in meta["facts"]} for meta in metas(noisy)]
    assert sum(len(few & many) for few, many in zip(left, facts, strict=True)) > 0.7 * sum(map(len, facts))
    added = [fact for few, many in zip(left, facts, strict=True) for fact in few - many if fact[0] != "then"]
    # where a name is misspelt, a pronoun after it may be read as somebody else; a step that is lost lets its neighbours follow
    assert len(added) < 0.01 * sum(map(len, facts)), "noise takes statements away and hardly makes any"


def test_what_a_page_states_is_true_and_in_its_meta():
    place, made = world(11), pages(noise=0.0)
    for one, meta in zip(made, metas(made), strict=True):
        facts = facts_stated(one["text"], place)
        assert meta["facts"] == [list(fact) for fact in facts]
        assert all(place.is_true(fact) for fact in facts if fact.relation != "then")  # two stories on a page follow each other


def test_more_pages_begin_with_the_same_ones_and_use_no_prose_twice():
    few, many = pages(documents=50), pages(documents=120)
    assert [one["text"] for one in many[:50]] == [one["text"] for one in few]
    clean = pages(noise=0.0)
    used = [line for one in clean for line in one["text"].split("\n\n") if line.startswith("Sentence number")]
    assert len(used) == len(set(used)) > 50
    other = [
        line for one in pages(noise=0.0, slice="2-of-2") for line in one["text"].split("\n\n") if line.startswith("Sentence")
    ]
    assert not set(used) & set(other)


def test_slices_share_nothing_and_leave_nothing_out():
    parts = [sliced(PROSE, f"{k}-of-3") for k in (1, 2, 3)]
    assert sorted(text for part in parts for text in part) == sorted(text for _, text in PROSE)
    assert parts[0] == sliced(PROSE[::-1], "1-of-3")


def test_too_little_prose_and_an_unknown_genre_are_refused():
    with pytest.raises(ValueError, match=r"source 'web', key documents: prose lasts for \d+ of 5000"):
        pages(documents=5000)
    with pytest.raises(ValueError, match="key genres: \\['poem'\\] unknown"):
        pages(genres={"poem": 1.0})


def test_every_line_of_noise_is_recognised_and_articles_are_not():
    rng = random.Random(0)
    for where in ("head", "between", "foot"):
        for _ in range(20 * len(noise_words()[where])):
            line = noise_line(rng, where)
            assert "{" not in line and noise_share(line) == 1.0, line
    assert all(noise_share(one["text"]) < 0.01 for one in pages(noise=0.0))


def test_a_misspelt_word_is_another_word_of_the_same_letters():
    rng = random.Random(0)
    found = [misspelt(rng, "house") for _ in range(50)]
    assert all(set(word) <= set("house") and 4 <= len(word) <= 6 for word in found) and len(set(found)) > 5


def test_a_page_without_noise_is_its_articles():
    assert page(random.Random(0), ["One.", "Two."], 0) == ("One.\n\nTwo.", 0.0)


def test_the_source_is_written_with_its_counts(tmp_path):
    rows = [document(text, source="prose", index=i) for i, (_, text) in enumerate(PROSE)]
    write_documents(tmp_path / "prose.parquet", rows, row={}, code="c")
    write_source([tmp_path / "prose.parquet"], tmp_path / "documents.parquet", row={**ROW, "documents": 30}, code="c")
    card, made = read_card(tmp_path / "documents.parquet"), read_documents(tmp_path / "documents.parquet")
    assert len(made) == 30 == card["counts"]["documents"] and 0.3 < card["noise"] < 0.7
    assert card["counts"]["facts"] == sum(len(json.loads(meta)["facts"]) for meta in made["meta"])
