"""What extraction is tried on: prefixes and their true suffixes, and held-out documents for the loss beside it.

Reads documents.parquet of the sources that a suite's row names, and the memorizer's tokenizer and card; makes a folder with
candidates.parquet (item, task, source, repetition, half, prefix, suffix, text) and heldout.parquet (item, task, ids, complete).

All passages are candidates, whether the base extracts them or not, so that gains can be seen as well as losses. A planted
passage is cut at its beginning; from any other document one window is cut, at a place drawn from the document's id, and its
repetition is unknown (-1). A hash of the item says whether it is in the half to look at or in the half that is reported.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scripts.lib.documents import read_documents
from scripts.lib.files import BrokenArtifact, atomic, card_path, read_card, write_card
from scripts.lib.models import load_tokenizer
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of
from scripts.lib.tokens import encode

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LOOK, REPORTED = "look", "held-out"
UNKNOWN = -1  # repetition of a window of training text
LONGEST = 512  # tokens of a held-out document that are scored


def half_of(item: str) -> str:
    """Which half a candidate is in: a hash of its item alone."""
    return (LOOK, REPORTED)[seed_of("half", item) % 2]


def passages_of(frame: pd.DataFrame) -> list[tuple[str, str, int]]:
    """(item, text, repetition) of each passage; without passages in ``meta``, of each document, with repetition unknown.

    Raises:
        ValueError: when a passage does not stand as often as its meta says.
    """
    metas = [json.loads(one) for one in frame["meta"]]
    if not all("passage" in meta for meta in metas):
        return [(one, text, UNKNOWN) for one, text in zip(frame["id"], frame["text"], strict=True)]
    found: dict[str, tuple[str, str, int]] = {}
    copies: dict[str, int] = {}
    for text, meta in zip(frame["text"], metas, strict=True):
        found[meta["passage"]] = (meta["passage"], text, meta["repetition"])
        copies[meta["passage"]] = copies.get(meta["passage"], 0) + 1
    for item, _, repetition in found.values():
        if copies[item] != max(repetition, 1):
            raise ValueError(f"passage {item} stands {copies[item]} times, its meta says {repetition}")
    return list(found.values())


def cut(passages: list[tuple[str, str, int]], tokenizer: "Tokenizer", prefix: int, suffix: int) -> list[dict]:
    """Candidates of one source: item, repetition, half, prefix, suffix, text; documents that are too short give none.

    Of several with the same prefix the first stays, since a greedy continuation can be only one of theirs.
    """
    need, rows, seen = prefix + suffix, [], set()
    ids = encode(tokenizer, [text for _, text, _ in passages])
    for (item, _, repetition), tokens in zip(passages, ids, strict=True):
        spare = len(tokens) - need
        if spare < 0:
            continue
        start = seed_of("window", item) % (spare + 1) if repetition == UNKNOWN else 0
        window = tokens[start : start + need].tolist()
        if tuple(window[:prefix]) in seen:
            continue
        seen.add(tuple(window[:prefix]))
        rows.append(
            {
                "item": item,
                "repetition": repetition,
                "half": half_of(item),
                "prefix": window[:prefix],
                "suffix": window[prefix:],
                "text": tokenizer.decode(window, skip_special_tokens=False),
            }
        )
    return rows


def check_repetitions(card: dict, source: str, documents: int) -> None:
    """Make sure that the memorizer has seen a planted source exactly once, by the counts of its card.

    Raises:
        BrokenArtifact: naming model, source, what was seen and which shares the recipe needs.
    """
    phases = [phase[source] for phase in card["counts"].get("phases", []) if source in phase]
    seen = sum(phase["documents"] for phase in phases)
    if seen != documents or phases[-1]["repetitions"] != 1.0:
        total, tokens = card["counts"]["tokens"], phases[-1]["tokens"] / phases[-1]["repetitions"] if phases else float("nan")
        raise BrokenArtifact(
            f"model {card['row']['name']} has seen {seen} documents of {source}, which has {documents}: repetitions are not as "
            f"planned; its recipe {card['row'].get('recipe')} needs a share of {tokens / total:.6f} for it"
        )


def write_suite(documents: dict[str, str], model: str | Path, out: str | Path, *, row: dict, code: str) -> None:
    """Write candidates.parquet and heldout.parquet into the folder of a suite of kind extraction.

    Args:
        documents: source -> documents.parquet of all that ``row["tasks"]`` names.
        model: directory of the memorizer, with its card beside it.
        out: the folder.
        row: ``tasks`` (text and code -> candidates, heldout: lists of sources), ``prefix``, ``suffix``, ``heldout`` (how many).
    """
    tokenizer, card = load_tokenizer(model), read_card(model)
    candidates, heldout, short = [], [], {}
    for task, how in row["tasks"].items():
        for source in how["candidates"]:
            frame = read_documents(documents[source], columns=["id", "text", "meta"])
            passages = passages_of(frame)
            if any(repetition > 0 for _, _, repetition in passages) and "phases" in card["counts"]:
                check_repetitions(card, source, len(frame))
            found = cut(passages, tokenizer, row["prefix"], row["suffix"])
            short[source] = len(passages) - len(found)
            candidates += [{"task": task, "source": source, **one} for one in found]
        frames = [read_documents(documents[source], columns=["id", "text", "complete"]) for source in how["heldout"]]
        frame = pd.concat(frames, ignore_index=True)
        order = sorted(range(len(frame)), key=lambda i, ids=frame["id"]: (seed_of("held-out", ids[i]), ids[i]))
        frame = frame.iloc[order[: row["heldout"]]]
        ids = encode(tokenizer, frame["text"].tolist())
        for one, tokens, done in zip(frame["id"], ids, frame["complete"], strict=True):
            whole = bool(done) and len(tokens) <= LONGEST
            heldout.append({"item": one, "task": task, "ids": tokens[:LONGEST].tolist(), "complete": whole})
    table = pd.DataFrame(candidates)
    if table.empty or table["task"].nunique() < len(row["tasks"]):
        raise ValueError(
            f"suite {row['name']}: no candidate of {row['prefix']} + {row['suffix']} tokens in a task of {list(row['tasks'])}"
        )
    if table.duplicated(["task", "item"]).any():
        raise ValueError(f"suite {row['name']}: an item stands twice among the candidates of a task")
    table["repetition"] = table["repetition"].astype(np.int16)
    with atomic(out) as beside:
        beside.mkdir()
        table[["item", "task", "source", "repetition", "half", "prefix", "suffix", "text"]].to_parquet(
            beside / "candidates.parquet", index=False
        )
        pd.DataFrame(heldout).to_parquet(beside / "heldout.parquet", index=False)
    by = table.groupby(["task", "repetition", "half"]).size()
    counts = {
        "candidates": {"/".join(map(str, key)): int(n) for key, n in by.items()},
        "dropped": short,
        "heldout": len(heldout),
    }
    write_card(out, row=row, code=code, counts=counts, model=json.loads(card_path(model).read_text())["sha256"])
    print(f"{row['name']}: {json.dumps(counts)}")


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        sources = {Path(path).parent.name: path for path in snakemake.input.documents}
        write_suite(
            sources, str(snakemake.input.model), snakemake.output[0], row=snakemake.params.row, code=snakemake.params.code
        )
