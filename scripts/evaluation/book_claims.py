"""What a model says of a book when it is given its title alone: claims that are true, false, and salient.

The exact counterpart of the judged summaries of EntiGraph (paper, section 4.3): a reader finds the claims, the book decides.
"""

from typing import NamedTuple

from scripts.lib.books import known, language, one_side, parse, statements


class Claims(NamedTuple):
    """Counts of different claims in a text; salient ones are among the true."""

    true: int
    false: int
    salient: int


def prompt_of(document: str) -> str:
    """What a model continues: the beginning of a summary, up to where the main characters would be named."""
    book = parse(document)
    return language()["openings"]["summary"].split("{names}")[0].format(title=book.title, author=book.author).rstrip()


def claims_of(document: str, text: str) -> Claims:
    """Count what a text claims, against the book that it should be about.

    A claim is a sentence in a wording of scripts/lib/books.yaml; what is worded otherwise is not seen. It is true if the book
    states it or it follows from what the book states, and salient if it is a fact of the book's first paragraph, which is
    about the main characters, told from either side. Said twice, or from both sides, a fact is one claim.
    """
    book = parse(document)
    true = known(book)
    said = {one_side(fact) for fact in statements(text)}
    salient = {one_side(fact) for fact in book.paragraphs[0]}
    return Claims(
        true=sum(fact in true for fact in said), false=sum(fact not in true for fact in said), salient=len(said & salient)
    )
