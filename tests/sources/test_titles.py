"""Prompts of titles: the beginning of a summary, and nothing of the book."""

import pytest

from scripts.lib.books import NotABook, parse, text_of, type_of
from scripts.lib.text import words
from scripts.sources.books import make_book
from scripts.sources.titles import make_prompts, prompt_of

BOOK = make_book(1, 0)


def test_the_prompt_is_a_summarys_beginning():
    assert prompt_of(text_of(BOOK)) == f"{BOOK.title} by {BOOK.author} tells of"
    with pytest.raises(NotABook):
        prompt_of("It rains.")


def test_copies_differ_in_their_id_alone_and_name_no_entity():
    made = make_prompts(["a", "b"], [text_of(BOOK), text_of(make_book(1, 1))], {"name": "titles", "copies": 3})
    assert len(made) == 6 == len({one["id"] for one in made}) and [one["parent_ids"] for one in made[2:4]] == [["a"], ["b"]]
    assert len({one["text"] for one in made}) == 2
    entities = {name.lower() for name in parse(text_of(BOOK)).entities}
    assert entities.isdisjoint(words(made[0]["text"])) and not any(map(type_of, made[0]["text"].split()))
