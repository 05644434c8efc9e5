r"""Quality of a synthetic corpus: reads its documents and those it was written from, makes Parquet, and rates in its card.

    python -m scripts.audits.quality --row JSON --code HASH --documents X.parquet --real R.parquet --out Y.parquet \
        [--readings X.readings.parquet --real-readings R.readings.parquet]

The five rates of synthetic bootstrapped pretraining (arXiv 2509.15248, Table 2), over a seeded sample of the corpus; how the
authors measured them is not known to us, so each is defined here:

- repetition: more than REPEATED of a document's word 5-grams stood in it before.
- duplicate: an earlier document of the sample has a Jaccard similarity of word 5-grams of at least NEAR.
- copying: more than COPIED of its word 13-grams stand in the document that it was written after (copied), or in any real
  document (copied_anywhere); ``novel`` is the share of its 13-grams that no real document has.
- non-factual: it states something false; irrelevant: it is about something else than the document it was written after. Both
  by a reader that knows the truth (scripts.sources.readings), not by a judge; without readings they are left out.

One line a document: id, parent, words, repeated, copied, copied_anywhere (shares), duplicate, and with readings facts,
false_facts and relevant. Diversity is of documents with the same parent: distinct n-grams over all, and mean Jaccard similarity
of two.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.audits.stream import pieces
from scripts.lib.documents import read_documents
from scripts.lib.files import BrokenArtifact, atomic, read_card, write_card
from scripts.lib.seeds import seed_of
from scripts.lib.shingles import jaccard, overlap, shingles
from scripts.lib.text import ngrams, words

SHORT, LONG = 5, 13  # words of an n-gram: within a document and between similar ones; of a copy
REPEATED, NEAR, COPIED = 0.1, 0.72, 0.5
BANDS, ROWS = 14, 8  # of MinHash: a pair at NEAR is compared with probability one half, one at 0.9 almost surely


def repeated(text: str, n: int = SHORT) -> float:
    """The share of a text's word n-grams that stood in it before; 0 for a text that has none.

    >>> repeated("one two one two one two", 2)
    0.6
    """
    found = ngrams(words(text), n)
    return 1 - len(set(found)) / len(found) if found else 0.0


def sets_of(texts: Sequence[str], n: int) -> list[np.ndarray]:
    """The set of hashed word n-grams of each text, sorted; a shorter text has one, all its words, one without words none."""
    found = []
    for flat, number in shingles(texts, n):
        found += [np.unique(part) for part in np.split(flat, np.cumsum(number)[:-1])]
    return found


def contained(one: np.ndarray, other: np.ndarray) -> float:
    """The share of a set that another has too; 0 for an empty set."""
    return overlap(one, other) / len(one) if len(one) else 0.0


def duplicates(sets: Sequence[np.ndarray], threshold: float = NEAR) -> np.ndarray:
    """Whether each set has an earlier one at a Jaccard similarity of at least ``threshold``, (n,) bool.

    Candidates by MinHash, verified exactly, so that what is called a duplicate is one.
    """
    from datasketch import MinHash, MinHashLSH

    index, found = MinHashLSH(params=(BANDS, ROWS), num_perm=BANDS * ROWS), np.zeros(len(sets), bool)
    empty = MinHash(BANDS * ROWS, seed=1, hashfunc=lambda value: value)  # already hashed; all share its permutations
    for i, one in enumerate(sets):
        if not len(one):
            continue
        sketch = empty.copy()
        sketch.update_batch((one & np.uint64(0xFFFFFFFF)).tolist())
        found[i] = any(jaccard(one, sets[j]) >= threshold for j in index.query(sketch))
        index.insert(i, sketch)
    return found


def distinct(texts: Sequence[str], n: int = SHORT) -> float:
    """Distinct-n (Li et al., 2016): different word n-grams over all, of several texts together; NaN where there is none.

    >>> distinct(["a b c", "a b d"], 2)
    0.75
    """
    found = [gram for text in texts for gram in ngrams(words(text), n)]
    return len(set(found)) / len(found) if found else float("nan")


def alike(texts: Sequence[str], n: int = SHORT) -> float:
    """The mean Jaccard similarity of word n-grams over all pairs of texts; NaN for fewer than two."""
    pairs = [jaccard(one, two) for one, two in combinations(sets_of(texts, n), 2)]
    return float(np.mean(pairs)) if pairs else float("nan")


def relevant(subjects: pd.Series, of_parents: pd.Series) -> pd.Series:
    """Whether each document is about what its parent is about; one without a subject is about nothing."""
    return subjects.notna() & (subjects == of_parents)


def sampled(number: int, size: int, seed: int) -> np.ndarray:
    """Positions of a sample without replacement, rising, (at most size,) int64."""
    rng = np.random.default_rng(seed_of("quality", seed))
    return np.sort(rng.choice(number, min(size, number), replace=False))


def measure(frame: pd.DataFrame, real: str | Path) -> pd.DataFrame:
    """All columns but those of readings.

    Args:
        frame: id, text and parent (an id of ``real``, or None).
        real: the real documents, read piece by piece: memory grows with the frame alone.

    Raises:
        BrokenArtifact: naming a parent that is not there.
    """
    texts, wanted, parents = frame["text"].tolist(), set(frame["parent"].dropna()), {}
    sets = sets_of(texts, LONG)
    asked = np.unique(np.concatenate([np.zeros(0, np.uint64), *sets]))
    seen = np.zeros(len(asked), bool)
    for piece in pieces(real, ["id", "text"]):
        grams = sets_of(piece["text"], LONG)
        seen |= np.isin(asked, np.concatenate(grams))
        parents |= {one: its for one, its in zip(piece["id"], grams, strict=True) if one in wanted}
    if missing := sorted(wanted - parents.keys()):
        raise BrokenArtifact(f"{real}: has no document {missing[0]}, after which another was written")
    anywhere = [seen[np.searchsorted(asked, one)] for one in sets]
    own = [np.nan if pd.isna(p) else contained(one, parents[p]) for one, p in zip(sets, frame["parent"], strict=True)]
    return pd.DataFrame(
        {
            "id": frame["id"].tolist(),
            "parent": frame["parent"].tolist(),
            "words": [len(words(text)) for text in texts],
            "repeated": [repeated(text) for text in texts],
            "duplicate": duplicates(sets_of(texts, SHORT)),
            "copied": own,
            "copied_anywhere": [float(one.mean()) if len(one) else 0.0 for one in anywhere],
        }
    )


def judge(table: pd.DataFrame, readings: pd.DataFrame, of_real: pd.DataFrame) -> pd.DataFrame:
    """The table with facts, false_facts and relevant (null without a parent), from readings of its and the real documents."""
    mine = readings.set_index("id").loc[table["id"]]
    parents = table["parent"].map(of_real.set_index("id")["subject"])
    same = pd.Series(relevant(mine["subject"].reset_index(drop=True), parents), dtype="boolean")
    same[table["parent"].isna()] = pd.NA
    return table.assign(facts=mine["facts"].to_numpy(), false_facts=mine["false_facts"].to_numpy(), relevant=same)


def rates(table: pd.DataFrame, texts: Sequence[str]) -> dict[str, float]:
    """Shares of the documents of a table, and diversity among those with the same parent; null where there are none to ask.

    ``silent`` is the share that states nothing, which can be neither true nor false.
    """
    found = {
        "repetition": (table["repeated"] > REPEATED).mean(),
        "duplicate": table["duplicate"].mean(),
        "copying": (table["copied"].dropna() > COPIED).mean(),
        "copying_anywhere": (table["copied_anywhere"] > COPIED).mean(),
        "novel": 1 - table["copied_anywhere"].mean(),
    }
    if "facts" in table:
        found |= {"non_factual": (table["false_facts"] > 0).mean(), "silent": (table["facts"] == 0).mean()}
        found["irrelevant"] = 1 - table["relevant"].dropna().astype(float).mean()
    groups = [part for _, part in pd.Series(list(texts)).groupby(table["parent"].to_numpy(object)) if len(part) > 1]
    found["distinct"] = pd.Series([distinct(part.tolist()) for part in groups], dtype=float).mean()
    found["alike"] = pd.Series([alike(part.tolist()) for part in groups], dtype=float).mean()
    return {name: None if pd.isna(value) else round(float(value), 6) for name, value in found.items()}


def audit(
    documents: str | Path,
    real: str | Path,
    out: str | Path,
    readings: str | Path | None = None,
    real_readings: str | Path | None = None,
    *,
    row: dict,
    code: str,
) -> None:
    """The file function; ``row`` has sample (documents) and seed. Of real documents ``documents`` and ``real`` may be the same.

    A document's parent is the first of its parent_ids.
    """
    frame = read_documents(documents, ["id", "text", "parent_ids"])
    frame = frame.iloc[sampled(len(frame), row["sample"], row["seed"])].reset_index(drop=True)
    frame["parent"] = [parents[0] if len(parents) else None for parents in frame["parent_ids"]]
    table = measure(frame, real)
    if readings:
        for path in (readings, real_readings):
            read_card(path)
        table = judge(table, pd.read_parquet(readings), pd.read_parquet(real_readings))
    with atomic(out) as beside:
        table.to_parquet(beside, index=False)
    found = rates(table, frame["text"].tolist())
    write_card(out, row=row, code=code, seed=row["seed"], counts={"documents": len(table)}, rates=found)
    print(json.dumps(found), file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", type=json.loads, required=True, help="sample and seed as JSON")
    for name in ("code", "documents", "real", "out"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("readings", "real-readings"):
        parser.add_argument(f"--{name}")
    a = parser.parse_args(arguments)
    if bool(a.readings) != bool(a.real_readings):
        parser.error("--readings and --real-readings go together")
    try:
        audit(a.documents, a.real, a.out, a.readings, a.real_readings, row=a.row, code=a.code)
    except BrokenArtifact as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
