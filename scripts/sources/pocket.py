"""The `pocket` source: reads a row (world, seed, genres, documents, near_duplicates); makes documents.parquet with its card.

The meta of a document holds its genre, the facts that it states and, for a near-duplicate, the id of the document it copies.
"""

import json
import random

from scripts.lib.documents import document, write_documents
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of
from scripts.sources.genres import GENRES, facts_stated, render
from scripts.sources.world import World, world

FILLERS = ("really", "quite", "perhaps", "just", "even", "surely", "indeed", "still")


def make_documents(row: dict) -> list[dict]:
    """The documents of a row; document i depends on (name, seed, i) and earlier ones only, so more documents change none.

    Keys: name, world (seed of the world), seed, genres ({genre: share}), documents (how many), near_duplicates (share of
    copies of an earlier document in which one or two words differ).
    """
    place, genres, shares = world(row["world"]), list(row["genres"]), list(row["genres"].values())
    if unknown := sorted(set(genres) - set(GENRES)):
        raise ValueError(f"source {row['name']!r}, key genres: {unknown} unknown; expected some of {sorted(GENRES)}")
    made: list[dict] = []
    told: list[tuple[str, str]] = []  # genre and text of each, to copy from
    originals: list[int] = []
    for index in range(row["documents"]):
        seed = seed_of(row["name"], row["seed"], index)
        rng = random.Random(seed)
        if originals and rng.random() < row.get("near_duplicates", 0.0):
            of = originals[rng.randrange(len(originals))]
            genre, text = told[of]
            text = _altered(rng, text, place)
            facts, more = facts_stated(text, place), {"near_duplicate_of": made[of]["id"]}
        else:
            genre = rng.choices(genres, shares)[0]
            text, facts = render(genre, rng, place)
            originals.append(index)
            more = {}
        told.append((genre, text))
        meta = {"genre": genre, "facts": [list(fact) for fact in facts], **more}
        made.append(document(text, source=row["name"], index=index, seed=seed, meta=meta))
    return made


def _altered(rng: random.Random, text: str, place: World) -> str:
    """The text with one or two words replaced that name nothing in the world, so that no statement becomes false."""
    pieces = text.split(" ")
    named = {word.lower() for words in place.words.values() for word in words}
    free = [i for i, piece in enumerate(pieces) if piece.isalpha() and piece.lower() not in named]
    for i in rng.sample(free, min(len(free), rng.randint(1, 2))):
        pieces[i] = rng.choice([filler for filler in FILLERS if filler != pieces[i]])
    return " ".join(pieces)


def write_source(out: str, *, row: dict, code: str) -> None:
    """Write documents.parquet and its card, which counts genres and near-duplicates."""
    documents = make_documents(row)
    metas = [json.loads(made["meta"]) for made in documents]
    genres = {genre: sum(meta["genre"] == genre for meta in metas) for genre in row["genres"]}
    near = sum("near_duplicate_of" in meta for meta in metas)
    print(f"{row['name']}: {len(documents)} documents, {near} of them near-duplicates; {genres}")
    counts = {"genres": genres, "near_duplicates": near, "facts": sum(len(meta["facts"]) for meta in metas)}
    write_documents(out, documents, row=row, code=code, seed=row["seed"], counts=counts)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        write_source(snakemake.output[0], row=snakemake.params.row, code=snakemake.params.code)
