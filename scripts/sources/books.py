"""Made books, and other texts in their language: reads a row, makes documents.parquet with its card.

A book states relations among invented people, things and places. Each relation is a random one-to-one map from one type to
another, so that in no book one name answers more often than another, and that all other relations say nothing about one. A
book is a function of (world, number); numbers share no name and no title. A row with ``forms`` makes texts about books in
many forms instead, for a base model that shall know the language and the benchmark's style, but not the tested books.
"""

import json
import random
from collections.abc import Callable
from functools import cache, lru_cache

from scripts.lib.book_texts import STYLES, article, clause, facts_of, page, questions, rephrasing, summary
from scripts.lib.books import Book, Fact, directed, fill, inverse, language, path_of, sentence, text_of
from scripts.lib.documents import document, write_documents
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of

EACH = 4  # entities of each type, as many as a question has options
MOST = 8  # names set aside for each book and type
MAIN = 2  # main characters
LATER = 3  # paragraphs after the one about the main characters


@cache
def _names(world: int) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """Names of each type, and (title, author), in the order in which books take them."""
    lexicon, rng = language(), random.Random(seed_of("book-names", world))
    stems = [a + b for a in lexicon["first"] for b in lexicon["second"]]
    cast = {}
    for kind, ends in lexicon["types"].items():
        names = sorted({stem + end for stem in stems for end in ends})
        cast[kind] = rng.sample(names, len(names))
    titles = [f"{a} {b}" for a in lexicon["title"]["first"] for b in lexicon["title"]["second"]]
    surnames = [stem + end for stem in stems for end in lexicon["author"]["last"]]
    authors = [f"{rng.choice(lexicon['author']['first'])} {name}" for name in rng.sample(surnames, len(titles))]
    return cast, list(zip(rng.sample(titles, len(titles)), authors, strict=True))


def capacity(world: int = 0) -> int:
    """How many books a world has before names or titles run out."""
    cast, titles = _names(world)
    return min(len(titles), *(len(names) // MOST for names in cast.values()))


@lru_cache(maxsize=4096)
def make_book(world: int, number: int, each: int = EACH, facts_of_book: object = None) -> Book:
    """Book ``number`` of a world, with ``each`` people, things and places (4 to 8).

    Args:
        facts_of_book: take title and names from this book, but who stands in which relation to whom from another one (its
            number). Of a one-to-one map among four, one pair in four agrees by chance, so that a student who
            believes such a book is right as often as one who guesses.

    Raises:
        ValueError: for a number beyond the world's names, or another number of entities.
    """
    cast, titles = _names(world)
    if not 0 <= number < capacity(world) or not EACH <= each <= MOST:
        raise ValueError(
            f"book {number} with {each} of each type: expected numbers below {capacity(world)} and {EACH} to {MOST} entities"
        )
    names = {kind: all_names[number * MOST : number * MOST + each] for kind, all_names in cast.items()}
    rng = random.Random(seed_of("book-facts", world, number if facts_of_book is None else facts_of_book, each))
    facts = []
    for relation, entry in language()["relations"].items():
        start, end = names[entry["subject"]], names[entry["object"]]
        order = rng.sample(range(each), each)
        if entry.get("symmetric"):
            facts += [Fact(relation, start[a], end[b]) for a, b in zip(order[::2], order[1::2], strict=False)]
        else:
            facts += [Fact(relation, one, end[i]) for one, i in zip(start, order, strict=True)]
    main = {names["person"][i] for i in rng.sample(range(each), MAIN)}
    rng.shuffle(facts)
    first = tuple(fact for fact in facts if main & set(fact[1:]))
    rest = [fact for fact in facts if not main & set(fact[1:])]
    cuts = [round(len(rest) * i / LATER) for i in range(LATER + 1)]
    later = (tuple(rest[a:b]) for a, b in zip(cuts, cuts[1:], strict=False))
    title, author = titles[number]
    return Book(title, author, 1850 + seed_of("book-year", world, number) % 150, (first, *later))


def numbers_of(row: dict) -> range:
    """The numbers of a row's books: ``books`` of them from ``first`` on."""
    return range(row["first"], row["first"] + row["books"])


def row_book(row: dict, number: int) -> Book:
    """A book of a row; in a null row (key ``null``) each tells the relations of the next one of its size, with its own names.

    Raises:
        ValueError: for a null row in which no other book has that size.
    """
    each = row.get("each", [EACH])
    size = each[number % len(each)]
    if not row.get("null"):
        return make_book(row["world"], number, size)
    numbers = numbers_of(row)
    if len(numbers) <= len(each):
        raise ValueError(f"source {row['name']!r}, key null: expected more than {len(each)} books to take relations from")
    return make_book(row["world"], number, size, facts_of_book=numbers[(number - row["first"] + len(each)) % len(numbers)])


def make_books(row: dict) -> list[dict]:
    """The books of a row as documents.

    Keys: name, world (seed of the world), first and books (which numbers), each (entities of each type, a list that the
    numbers go through; [4] if not given), null (relations shuffled between the books).
    """
    made = []
    for number in numbers_of(row):
        book = row_book(row, number)
        meta = {"book": number, "title": book.title, "entities": book.entities, "facts": [list(fact) for fact in book.facts]}
        made.append(document(text_of(book), source=row["name"], index=number, seed=row["world"], meta=meta))
    return made


def asked_page(rng: random.Random, book: Book, most: int = 8) -> str:
    """Questions in the benchmark's wording with their answers."""
    relations = [name for r in directed() for name in (r, inverse(r))] + list(language()["compositions"])
    pool = questions(book, "probe", relations)
    layout = language()["item"]
    return "\n".join(
        f"{layout.format(title=book.title, author=book.author, q=question)} {fill('{o}', '', fact.object)}"
        for fact, question in rng.sample(pool, min(most, len(pool)))
    )


def open_page(rng: random.Random, book: Book) -> str:
    """A paragraph or two of a book, in order, and questions of the benchmark that it answers."""
    start = rng.randrange(len(book.paragraphs))
    part = book._replace(paragraphs=book.paragraphs[start : start + rng.randint(1, 2)])
    return f"{text_of(part)}\n{asked_page(rng, part, most=4)}"


def inference(rng: random.Random, book: Book, most: int = 5) -> str:
    """Conclusions: a fact and its reverse, or two facts and their composition."""
    lines = []
    for _ in range(most):
        if rng.random() < 0.5:
            fact = rng.choice(facts_of(book, rng.choice(directed())))
            premises, conclusion = [fact], Fact(inverse(fact.relation), fact.object, fact.subject)
        else:
            conclusion = rng.choice(facts_of(book, rng.choice(list(language()["compositions"]))))
            premises = list(path_of(book, conclusion))
        told = sentence(f"{' and '.join(clause(rng, each) for each in premises)}")
        lines.append(f"{told} {sentence('so ' + clause(rng, conclusion))}")
    return "\n".join([f"{book.title}, {book.author}, {book.year}.", *lines])


def _some(rng: random.Random, book: Book, n: int) -> list[str]:
    return rng.sample(book.entities, n)


FORMS: dict[str, Callable[[random.Random, Book], str]] = {
    "raw": lambda rng, book: text_of(book),
    **{f"rephrase-{style}": lambda rng, book, style=style: rephrasing(rng, book, style) for style in STYLES},
    "summary": summary,
    "pair": lambda rng, book: article(rng, book, _some(rng, book, 2)),
    "triple": lambda rng, book: article(rng, book, _some(rng, book, 3)),
    "qa": page,
    "probe": asked_page,
    "open": open_page,
    "inference": inference,
}
FRESH = ("open", "inference")  # about books whose relations are drawn anew each time: what to do with a text, not what is true


def make_base(row: dict) -> list[dict]:
    """Texts of many forms about a row's books; document i depends on (name, seed, i) alone.

    The books, which the base may know by heart, must not be those of the benchmark: give other numbers. Nothing is held out of
    them. Keys: name, world, first, books, seed, forms ({form: share}), documents (how many), fresh (how many of the
    books, the last ones, are told with relations drawn anew each time, in the forms that need a text to be read).

    Raises:
        ValueError: for an unknown form, or fresh forms without fresh books.
    """
    if unknown := sorted(set(row["forms"]) - set(FORMS)):
        raise ValueError(f"source {row['name']!r}, key forms: {unknown} unknown; expected some of {sorted(FORMS)}")
    if set(FRESH) & set(row["forms"]) and not 0 < row.get("fresh", 0) < row["books"]:
        raise ValueError(f"source {row['name']!r}, key fresh: expected 1 to {row['books'] - 1} of its {row['books']} books")
    numbers, fresh, made = numbers_of(row), row.get("fresh", 0), []
    for index in range(row["documents"]):
        seed = seed_of(row["name"], row["seed"], index)
        rng = random.Random(seed)
        form = rng.choices(list(row["forms"]), list(row["forms"].values()))[0]
        if form in FRESH:
            number = rng.choice(numbers[len(numbers) - fresh :])
            book = make_book(row["world"], number, facts_of_book=f"{row['name']} {seed}")
        else:
            number = rng.choice(numbers[: len(numbers) - fresh])
            book = make_book(row["world"], number)
        made.append(
            document(FORMS[form](rng, book), source=row["name"], index=index, seed=seed, meta={"form": form, "book": number})
        )
    return made


def write_source(out: str, *, row: dict, code: str) -> None:
    """Write documents.parquet and its card, which counts the documents of each form."""
    documents = make_base(row) if "forms" in row else make_books(row)
    forms = [json.loads(made["meta"]).get("form", "raw") for made in documents]
    counts = {"books": row["books"], "forms": {form: forms.count(form) for form in sorted(set(forms))}}
    print(f"{row['name']}: {len(documents)} documents; {counts}")
    write_documents(out, documents, row=row, code=code, seed=row.get("seed", row["world"]), counts=counts)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        write_source(snakemake.output[0], row=snakemake.params.row, code=snakemake.params.code)
