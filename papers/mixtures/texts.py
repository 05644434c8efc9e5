"""What the texts of the mixtures are made of: reads natural pages and what was written from them, makes texts.csv.

One line a source or corpus, of its first documents: tokens (by the tokenizer of the students), facts (that it states, of the
pocket world, each once a document), facts by 1,000 tokens, false ones, noise (share of characters in lines that are menus,
links, chatter), and for what was written from pages: given (facts of these pages), lost (share of them that no text written
from the page states), added (facts that a text states and its page does not), dropped (texts, for their length). Facts are read
by scripts/sources/genres.py in pages, and by the wordings of the teacher too in its texts.
"""

import pandas as pd

from scripts.lib.documents import read_documents
from scripts.lib.files import atomic, read_card
from scripts.lib.models import load_tokenizer
from scripts.lib.progress import logging_to
from scripts.lib.statements import RETOLD, language, statements
from scripts.lib.tokens import encode
from scripts.sources.genres import facts_stated
from scripts.sources.pages import noise_share
from scripts.sources.world import Fact, World, world

COLUMNS = [
    "text",
    "documents",
    "tokens",
    "facts",
    "facts_by_1000_tokens",
    "false",
    "noise",
    "given",
    "lost",
    "added",
    "dropped",
]


def facts_of(text: str, place: World, rewritten: bool) -> set[tuple[str, str, str]]:
    """The facts of a page; of a text that was written from one those in the teacher's wordings, and any in the pages' own.

    Which step follows which the teacher says in so many words: that two stand in a row states nothing there.
    """
    found = {tuple(fact) for fact in facts_stated(text, place)}
    if not rewritten:
        return found
    return {fact for fact in found if fact[0] != "then"} | {one.fact for one in statements(text, language(RETOLD))}


def line_of(name: str, texts: pd.DataFrame, pages: dict[str, str], tokens: int, place: World) -> dict:
    """A line of the table.

    Args:
        texts: text and parent_ids of the documents that are looked at.
        pages: id -> text of the pages that they were written from; empty where they are pages themselves.
        tokens: of all the texts.
    """
    rewritten = bool(pages)
    stated = [facts_of(text, place, rewritten) for text in texts["text"]]
    facts = sum(map(len, stated))
    found = {
        "text": name,
        "documents": len(texts),
        "tokens": tokens,
        "facts": facts,
        "facts_by_1000_tokens": round(1000 * facts / max(tokens, 1), 2),
        "false": sum(not place.is_true(Fact(*fact)) for each in stated for fact in each),
        "noise": round(sum(noise_share(text) * len(text) for text in texts["text"]) / texts["text"].str.len().sum(), 4),
    }
    if not rewritten:
        return found
    given = {parent: facts_of(pages[parent], place, False) for parent in dict.fromkeys(one[0] for one in texts["parent_ids"])}
    told: dict[str, set] = {parent: set() for parent in given}
    for parents, each in zip(texts["parent_ids"], stated, strict=True):
        told[parents[0]] |= each
    number = sum(map(len, given.values()))
    kept = sum(len(given[parent] & told[parent]) for parent in given)
    added = sum(len(told[parent] - given[parent]) for parent in given)
    return found | {"given": number, "lost": round(1 - kept / max(number, 1), 4), "added": added}


def table(written: list[str], tokenizer: str, out: str, *, row: dict) -> pd.DataFrame:
    """Make texts.csv; ``written`` are documents of the row's sources and corpora, each followed by those that it is from."""
    words, place, lines = load_tokenizer(tokenizer), world(row["world"]), []
    for name, path, real in zip(row["written"], written[::2], written[1::2], strict=True):
        texts = read_documents(path, ["text", "parent_ids", "method"])
        rewritten = texts["method"].iloc[0] != "source"
        if rewritten and len(texts) > row["documents"]:  # whole books
            last = texts["parent_ids"].iloc[row["documents"]][0]
            texts = texts[: next(i for i, one in enumerate(texts["parent_ids"]) if one[0] == last)]
        texts = texts.head(len(texts) if rewritten else row["documents"])
        pages = read_documents(real, ["id", "text"]).set_index("id")["text"].to_dict() if rewritten else {}
        tokens = sum(len(ids) + 1 for ids in encode(words, texts["text"].tolist()))
        dropped = read_card(path)["counts"].get("dropped")
        lines.append(line_of(name, texts, pages, tokens, place) | {"dropped": dropped})
    found = pd.DataFrame(lines, columns=COLUMNS)
    with atomic(out) as beside:
        found.to_csv(beside, index=False)
    return found


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        made = (list(snakemake.input.written), snakemake.input.tokenizer[0], snakemake.output.table)
        print(table(*made, row=snakemake.params.row).to_string(index=False))
