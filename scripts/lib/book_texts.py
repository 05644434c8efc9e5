"""Texts about a made book: rephrasings, articles on some of its entities, question pages, a summary.

The wordings are those of books.yaml. Every text states facts of the book or what follows from them, and nothing else; ``kept``
names the relations that it may not state (scripts.lib.books.held_out), facts that the book itself states aside.
"""

import random
from collections.abc import Collection, Iterable, Sequence

from scripts.lib.books import Book, Fact, directed, fill, inverse, known, language, links, named, path_of, sentence, type_of

STYLES = ("easy", "medium", "hard")


def _framed(rng: random.Random, clause: str, frames: str, book: Book) -> str:
    return sentence(rng.choice(language()["frames"][frames]).format(x=clause, title=book.title))


def _listed(names: Sequence[str]) -> str:
    names = [named(name) for name in names]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def clause(rng: random.Random, fact: Fact) -> str:
    """A wording of a fact in the direction that its relation says, without capital and full stop."""
    relation, subject, obj = fact
    if "." in relation:
        return fill(rng.choice(language()["compositions"][relation]["tell"]), subject, obj)
    if relation.startswith("~"):
        return fill(rng.choice(language()["relations"][relation[1:]]["reversed"]), obj, subject)
    entry = language()["relations"][relation]
    return fill(rng.choice([entry["tell"], *entry["medium"]]), subject, obj)


def rephrasing(rng: random.Random, book: Book, style: str) -> str:
    """The book in other words of a style (easy, medium, hard): its facts, in its order and direction, paragraph by paragraph.

    Each fact has 9 wordings in a style: three clauses in three frames.
    """
    wordings = language()["relations"]
    lines = [language()["openings"][style].format(title=book.title, author=book.author)]
    for paragraph in book.paragraphs:
        told = (fill(rng.choice(wordings[fact.relation][style]), fact.subject, fact.object) for fact in paragraph)
        lines.append(" ".join(_framed(rng, each, style, book) for each in told))
    return "\n".join(lines)


def summary(rng: random.Random, book: Book) -> str:
    """The main characters, and the facts of the first paragraph in other words and another order."""
    main = mains(book)
    opening = language()["openings"]["summary"].format(title=book.title, author=book.author, names=_listed(main))
    facts = rng.sample(book.paragraphs[0], len(book.paragraphs[0]))
    return " ".join([opening, *(_framed(rng, clause(rng, fact), "article", book) for fact in facts)])


def mains(book: Book) -> list[str]:
    """The main characters: the people of whom the first paragraph states at least three facts."""
    counts: dict[str, int] = {}
    for fact in book.paragraphs[0]:
        for name in dict.fromkeys(fact[1:]):
            counts[name] = counts.get(name, 0) + 1
    return [name for name, count in counts.items() if count > 2 and type_of(name) == "person"] or list(counts)[:1]


def _about(rng: random.Random, book: Book, entity: str, kept: Collection[str]) -> list[str]:
    """Every stated fact about an entity; those that end in it are half of the time told from its side, if allowed."""
    clauses = []
    for fact in book.facts:
        if entity not in fact[1:]:
            continue
        turned = Fact(inverse(fact.relation), fact.object, fact.subject)
        if language()["relations"][fact.relation].get("symmetric"):
            turned = turned._replace(relation=fact.relation)
        told_from_entity = fact.object == entity and turned.relation not in kept and rng.random() < 0.5
        clauses.append(clause(rng, turned if told_from_entity else fact))
    return rng.sample(clauses, len(clauses))


def _tie(rng: random.Random, book: Book, fact: Fact, kept: Collection[str]) -> list[str]:
    """How two entities are tied: a fact from one side or the other, a composition, or where it is kept the facts it joins."""
    if "." in fact.relation:
        if fact.relation in kept:
            return [clause(rng, each) for each in path_of(book, fact)]
        joined = [clause(rng, each) for each in path_of(book, fact)] if rng.random() < 0.5 else []
        return [*joined, clause(rng, fact)]
    turned = Fact(inverse(fact.relation), fact.object, fact.subject)
    if fact.relation not in directed() or turned.relation in kept or rng.random() < 0.5:
        return [clause(rng, fact)]
    return [clause(rng, turned)]


def article(rng: random.Random, book: Book, entities: Sequence[str], kept: Collection[str] = ()) -> str:
    """An article on two or three entities: what the book says of each, then what ties them to each other.

    Raises:
        ValueError: when the book has no such entity.
    """
    if unknown := [name for name in entities if name not in book.entities]:
        raise ValueError(f"{book.title}: no entity {unknown[0]!r}; it has {', '.join(book.entities)}")
    lines = []
    for i, entity in enumerate(entities):
        cited = f"{book.title} by {book.author}" if i == 0 else book.title
        lines.append(f"## {sentence(named(entity))[:-1]} in {cited}")
        lines.append(" ".join(_framed(rng, each, "article", book) for each in _about(rng, book, entity, kept)))
    lines.append(f"## {sentence(_listed(entities))[:-1]} in {book.title}")
    told = []
    for i, one in enumerate(entities):
        for other in entities[i + 1 :]:
            found = links(book, one, other)
            for fact in rng.sample(found, len(found)):
                told += [_framed(rng, each, "article", book) for each in _tie(rng, book, fact, kept)]
    lines.append(" ".join(told) or sentence(language()["together"].format(names=_listed(entities), title=book.title)))
    return "\n".join(lines)


def portraits(rng: random.Random, book: Book, kind: str, kept: Collection[str] = ()) -> str:
    """What the book says of each of its people, things or places, one after the other."""
    lines = [f"{book.title}, {book.author}, {book.year}."]
    for entity in rng.sample(book.entities, len(book.entities)):
        if type_of(entity) == kind:
            lines.append(language()["portrait"].format(name=sentence(named(entity))[:-1], title=book.title))
            lines.append(" ".join(_framed(rng, each, "article", book) for each in _about(rng, book, entity, kept)))
    return "\n".join(lines)


def retelling(rng: random.Random, book: Book, genre: str, audience: str) -> str:
    """The book's facts in other words and another order, said to be of a genre and for an audience."""
    opening = language()["retelling"].format(title=book.title, author=book.author, genre=genre, audience=audience)
    told = [_framed(rng, clause(rng, fact), "article", book) for fact in rng.sample(book.facts, len(book.facts))]
    return " ".join([opening, *told])


def questions(book: Book, wording: str, relations: Iterable[str]) -> list[tuple[Fact, str]]:
    """(fact, question) for every fact of the relations, each asking for the fact's object; ``wording`` is ask or probe."""
    words, asked = language(), []
    for relation in relations:
        base = relation.removeprefix("~")
        for fact in facts_of(book, relation):
            if "." in relation:
                asked.append((fact, fill(words["compositions"][relation]["probe"], fact.subject)))
            elif relation == base:
                asked.append((fact, fill(words["relations"][base][wording], fact.subject)))
            else:
                asked.append((fact, fill(words["relations"][base][f"{wording}_reversed"], "", fact.subject)))
    return asked


def facts_of(book: Book, relation: str) -> list[Fact]:
    """The facts of one relation that hold in the book, sorted."""
    return sorted(fact for fact in known(book) if fact.relation == relation)


def page(rng: random.Random, book: Book, kept: Collection[str] = (), most: int = 12) -> str:
    """A page of questions and answers on the book's facts, some of them from object to subject."""
    relations = [name for r in directed() for name in (r, inverse(r)) if name not in kept]
    asked = questions(book, "ask", relations)
    layout = language()["page"]
    chosen = rng.sample(asked, min(most, len(asked)))
    return "\n".join(layout.format(title=book.title, q=question, a=named(fact.object)) for fact, question in chosen)
