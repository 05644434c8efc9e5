"""Natural web text of the laptop: noisy pages with articles of the pocket world and real prose.

Reads page_data/noise.yaml, documents.parquet of prose, and a row (world, seed, genres, slice, noise, documents); makes
documents.parquet with its card. A page has one to three articles, each a document of a genre or of prose, among menus, links,
ads, chatter and identifiers that nobody could foresee, which on average take the share ``noise`` of all characters; the more of
that, the more the articles themselves have capitals, marks, misspelt words, and ends that are cut off. At noise 0 the same
articles stand alone. The meta of a page: genres, facts that its text states, and noise, the share of its characters.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import yaml

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of
from scripts.sources.genres import GENRES, facts_stated, render
from scripts.sources.world import World, world

DATA = Path(__file__).parent / "page_data" / "noise.yaml"
PROSE = "prose"
ARTICLES = (1, 2, 2, 3)  # of a page
WORST = 1.6  # times the noise of the row is that of the noisiest pages; the best have none
CUT = 0.3  # chance of a cut last sentence on a page of nothing but noise
_SLOT = re.compile(r"\\{(\w+)\\}")
_SLOTS = {
    "user": r"[a-z]{3,7}\d{1,4}",
    "date": r"\d{1,2}/\d{1,2}/\d{4}",
    "time": r"\d{1,2}:\d{2}",
    "n": r"\d+",
    "price": r"\d+\.99",
    "code": r"[0-9a-f]{6}",
}


@cache
def noise_words() -> dict:
    """The data file, read once."""
    return yaml.safe_load(DATA.read_text(encoding="utf-8"))


def noise_line(rng: random.Random, where: str) -> str:
    """A line that says nothing, of those that stand at the head of a page, between its articles or at its foot."""
    words = noise_words()

    def fill(match: re.Match) -> str:
        slot = match[1]
        if slot == "user":
            return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 7))) + str(rng.randint(1, 9999))
        if slot == "date":
            return f"{rng.randint(1, 28)}/{rng.randint(1, 12)}/{rng.randint(1999, 2024)}"
        if slot == "time":
            return f"{rng.randint(0, 23)}:{rng.randint(0, 59):02}"
        if slot == "n":
            return str(rng.randint(1, 10 ** rng.randint(1, 5)))
        if slot == "price":
            return f"{rng.randint(1, 499)}.99"
        if slot == "code":
            return f"{rng.getrandbits(24):06x}"
        return rng.choice(words["sites" if slot == "site" else "menu"])

    return re.sub(r"\{(\w+)\}", fill, rng.choice(words[where]))


@cache
def _noisy() -> re.Pattern:
    words = noise_words()
    listed = {"site": "|".join(map(re.escape, words["sites"])), "menu": "|".join(map(re.escape, words["menu"]))}
    slots = {name: f"(?:{pattern})" for name, pattern in (_SLOTS | listed).items()}
    lines = (line for where in ("head", "between", "foot") for line in words[where])
    forms = "|".join(_SLOT.sub(lambda match: slots[match[1]], re.escape(line)) for line in lines)
    return re.compile(f"^(?:{forms})$", re.MULTILINE)


def noise_share(text: str) -> float:
    """The share of a text's characters that are lines of noise, wherever they come from: 0 of an empty text."""
    return sum(match.end() - match.start() for match in _noisy().finditer(text)) / max(len(text), 1)


def misspelt(rng: random.Random, word: str) -> str:
    """A word of four or more letters with two letters swapped, one doubled or one left out."""
    j = rng.randrange(1, len(word) - 1)
    return rng.choice((word[:j] + word[j + 1] + word[j] + word[j + 2 :], word[: j + 1] + word[j:], word[:j] + word[j + 1 :]))


def _worn(rng: random.Random, line: str, level: float) -> str:
    """A line of an article as it stands on a page of this level of noise."""
    if rng.random() < level / 2:
        how = rng.random()
        if how < 0.1:
            return line.upper()
        if how < 0.4:
            return f"* {line.rstrip('.')} !!"
        if how < 0.6:
            return line.replace(" ", "  ")
        words = line.split(" ")
        plain = [i for i, word in enumerate(words) if len(word) > 3 and word.isascii() and word.isalpha() and word.islower()]
        for i in rng.sample(plain, min(len(plain), 2)):
            words[i] = misspelt(rng, words[i])
        return " ".join(words)
    return line


def page(rng: random.Random, articles: Sequence[str], noise: float) -> tuple[str, float]:
    """Articles as a page, and the share of its characters that is noise; the rng draws the noise alone."""
    if not noise:
        return "\n\n".join(articles), 0.0
    level = rng.uniform(0, min(WORST * noise, 0.95))
    lines = []
    for article in articles:
        text = article
        if rng.random() < CUT * level:
            text = f"{text[: rng.randint(len(text) // 2, len(text))].rstrip()}..."
        pieces = text.split("\n") if "\n" in text else re.split(r"(?<=[.?!]) (?=[A-Z])", text)
        pieces = [_worn(rng, piece, level) for piece in pieces if piece]
        lines += pieces if rng.random() < 0.5 or "\n" in text else [" ".join(pieces)]
    wanted, extra = level / (1 - level) * sum(map(len, lines)), 0
    head, foot = [], []
    while extra < wanted:
        where = rng.choices(("head", "between", "foot"), (2, 5, 3))[0]
        line = noise_line(rng, where)
        extra += len(line) + 1
        if where == "between":
            lines.insert(rng.randint(0, len(lines)), line)
        else:
            (head if where == "head" else foot).append(line)
    text = "\n".join([*head, *lines, *foot])
    return text, noise_share(text)


def sliced(prose: Sequence[tuple[str, str]], which: str) -> list[str]:
    """The texts of (id, text) in slice k of n, in an order drawn from their ids; the slices of an n share no document."""
    k, n = map(int, which.split("-of-"))
    mine = [(seed_of("order", one), text) for one, text in prose if seed_of("slice", one) % n == k - 1]
    return [text for _, text in sorted(mine)]


def make_documents(row: dict, prose: Sequence[tuple[str, str]]) -> Iterator[dict]:
    """The pages of a row, from (id, text) of the prose; the first pages are the same however many are asked for.

    The articles are a function of world, seed, genres and slice, so that pages with and without noise have the same ones.

    Raises:
        ValueError: naming the row, when a genre is unknown or the slice has too little prose.
    """
    place, genres, shares = world(row["world"]), list(row["genres"]), list(row["genres"].values())
    if unknown := sorted(set(genres) - {*GENRES, PROSE}):
        raise ValueError(f"source {row['name']!r}, key genres: {unknown} unknown; expected some of {sorted([*GENRES, PROSE])}")
    real = iter(sliced(prose, row["slice"]))
    for index in range(row["documents"]):
        seed = seed_of("pages", row["world"], row["seed"], index)
        rng = random.Random(seed)
        chosen = rng.choices(genres, shares, k=rng.choice(ARTICLES))
        try:
            articles = [next(real) if genre == PROSE else _article(rng, place, genre) for genre in chosen]
        except StopIteration:
            raise ValueError(f"source {row['name']!r}, key documents: prose lasts for {index} of {row['documents']}") from None
        text, share = page(random.Random(seed_of("noise", seed)), articles, row["noise"])
        facts = facts_stated(text, place)
        meta = {"genres": chosen, "facts": [list(fact) for fact in facts], "noise": round(share, 4)}
        yield document(text, source=row["name"], index=index, seed=seed, meta=meta)


def _article(rng: random.Random, place: World, genre: str) -> str:
    return render(genre, rng, place)[0]


def write_source(prose: Sequence[str | Path], out: str | Path, *, row: dict, code: str) -> None:
    """Write documents.parquet and its card, which counts facts and the share of noise."""
    found = [read_documents(path, ["id", "text"]) for path in prose]
    real = [pair for frame in found for pair in zip(frame["id"], frame["text"], strict=True)]
    documents = list(make_documents(row, real))
    metas = [json.loads(one["meta"]) for one in documents]
    characters = sum(len(one["text"]) for one in documents)
    noisy = sum(meta["noise"] * len(one["text"]) for meta, one in zip(metas, documents, strict=True))
    counts = {"facts": sum(len(meta["facts"]) for meta in metas), "prose": sum(meta["genres"].count(PROSE) for meta in metas)}
    print(
        f"{row['name']}: {len(documents)} pages, {characters} characters, of which {noisy / characters:.3f} are noise; {counts}"
    )
    more = {"noise": round(noisy / characters, 4)}
    write_documents(out, documents, row=row, code=code, seed=row["seed"], counts=counts, **more)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        documents = list(snakemake.input.documents)
        write_source(documents, snakemake.output.documents, row=snakemake.params.row, code=snakemake.params.code)
