"""Names in plain text: planted ones, and words that are capitalised for another reason."""

from scripts.synthesis.entities import entities, mentions, sentences

TEXT = """
Then Captain Kerr looked at Mars. "Why?" asked Kerr. He thought of the Sea of Storms, and of Kerr's ship. I saw Mars again. Mars
was red. Nobody spoke. Nobody moved, and nobody left. They said nobody had heard of Mr. Ives. Dr. Lund had, and so had Mr. Ives.
The Sea of Storms lay below Mars. Beneath the Sea of Storms was nothing. It was Monday. On Monday came Mr. Ives. Monday passed.
Kerr slept.
"""


def test_planted_names():
    assert entities(TEXT) == ["Mars", "Kerr", "Sea of Storms", "Mr. Ives"]
    assert entities(TEXT, most=2) == ["Mars", "Kerr"]
    assert "Dr. Lund" not in entities(TEXT) and entities("") == []


def test_sentences_keep_their_marks_and_titles():
    found = sentences('"Why?" asked Mr. Kerr. "Go!" He went.\n\n It rained.')
    assert found == ['"Why?"', "asked Mr. Kerr.", '"Go!"', "He went.", "It rained."]


def test_mentions_are_whole_words():
    assert mentions("Kerr", "It was Kerr's.") and not mentions("Kerr", "Kerrigan left.")
