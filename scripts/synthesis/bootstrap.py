r"""Synthetic bootstrapped pretraining (arXiv 2509.15248), around the model that writes: what it is tuned on, what it is asked.

    python -m scripts.synthesis.bootstrap tune --row JSON --code HASH --documents X.parquet --pairs P.parquet --model DIR \
        --out documents.parquet --held-out held-out.parquet
    python -m scripts.synthesis.bootstrap ask --row JSON --code HASH --documents X.parquet --model DIR --out prompts.parquet

``tune`` reads pairs, the documents that they are of, and the base's tokenizer; makes the documents of a run: each is a d2, with
d1 in the column ``prompt``, ids of both in parent_ids, and its ``subset``. A share of the documents is held out: pairs whose d2
is one of these are in the second file alone, so that a tuned model can be asked about a d2 that it was never tuned to write.

``ask`` draws d1 evenly from the real documents, with replacement: the same may be drawn again and is then continued by another
sample. A prompt keeps the id of its document, which so becomes the parent of what is written; its ids are what training put
before d2 (scripts.lib.tokens.given).
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import BrokenArtifact, read_card, sha256_of
from scripts.lib.models import BadModel, bos_of, eos_of, load_tokenizer
from scripts.lib.seeds import seed_of
from scripts.lib.tokens import encode, given

EXTRA = {"prompt": pa.string(), "subset": pa.int8(), "tokens": pa.int32()}


def held_out(ids: pd.Series, share: float, seed: int) -> pd.Series:
    """Whether each document is held out, a function of its id and the seed alone; about ``share`` of all are."""
    return ids.map({one: seed_of("held-out", seed, one) < share * 2**63 for one in ids.unique()})


def dealt(tokens: np.ndarray, budget: int, subsets: int) -> np.ndarray:
    """The subset of each pair, (n,) int8, one after the other until each holds the budget or just more; -1 is left over.

    >>> dealt(np.array([5, 5, 5, 5, 5]), 8, 2).tolist()
    [0, 0, 1, 1, -1]
    """
    found, subset, total = np.full(len(tokens), -1, np.int8), 0, 0
    for i, size in enumerate(tokens.tolist()):
        if subset == subsets:
            break
        found[i], total = subset, total + size
        if total >= budget:
            subset, total = subset + 1, 0
    return found


def tune(
    documents: str | Path, pairs: str | Path, model: str | Path, out: str | Path, kept: str | Path, *, row: dict, code: str
) -> None:
    """Write the documents of a run, and the pairs held out from it.

    Args:
        documents: that the pairs are of.
        pairs: d1, d2, similarity.
        model: the base, for its tokenizer.
        out, kept: where to write documents with the columns of EXTRA; those held out have subset -1.
        row: of the run: name, seed, subsets, tokens (of d2, EOS included, of each subset), held_out (share of documents).
        code: hash of the code.

    Raises:
        BrokenArtifact: naming the file whose pairs are of other documents, or too few for the budget.
    """
    for path in (documents, pairs):
        read_card(path)
    frame = read_documents(documents, ["id", "text", "complete"]).set_index("id")
    table = pq.read_table(pairs).to_pandas()
    if not (table["d1"].isin(frame.index) & table["d2"].isin(frame.index)).all():
        raise BrokenArtifact(f"{pairs}: its pairs are of other documents than {documents}; delete it")
    table = table.iloc[np.random.default_rng(seed_of("tuning", row["seed"])).permutation(len(table))]
    aside = held_out(table["d2"], row["held_out"], row["seed"]).to_numpy(bool)
    sizes = {one: len(ids) for one, ids in zip(frame.index, encode(load_tokenizer(model), frame["text"].tolist()), strict=True)}
    tokens = table["d2"].map(sizes).to_numpy(np.int64) + table["d2"].map(frame["complete"]).to_numpy(np.int64)
    subset = np.full(len(table), -1, np.int8)
    subset[~aside] = dealt(tokens[~aside], row["tokens"], row["subsets"])
    has = [int(tokens[subset == s].sum()) for s in range(row["subsets"])]
    if min(has) < row["tokens"]:
        raise BrokenArtifact(
            f"{pairs}: has {int(tokens[~aside].sum())} tokens; runs: {row['name']}, key tokens: {row['subsets']} subsets of "
            f"{row['tokens']} asked for; lower it, or raise neighbours of the pairs, or lower their floor"
        )

    def rows(chosen: np.ndarray):
        for i in np.flatnonzero(chosen).tolist():
            d1, d2 = table["d1"].iat[i], table["d2"].iat[i]
            made = document(frame["text"][d2], source=row["name"], method="pair", index=f"{d1} {d2}", parent_ids=[d1, d2])
            extra = {"prompt": frame["text"][d1], "subset": int(subset[i]), "tokens": int(tokens[i])}
            yield made | {"complete": bool(frame["complete"][d2])} | extra

    more = {"row": row, "code": code, "extra": EXTRA, "seed": row["seed"], "pairs": read_card(pairs)["sha256"]}
    counts = {"pairs": len(table), "held_out": int(aside.sum()), "tokens": has}
    order = np.argsort(subset[subset >= 0], kind="stable")
    chosen = list(rows(subset >= 0))
    write_documents(out, (chosen[i] for i in order), counts=counts, **more)
    write_documents(kept, rows(aside), counts=counts, **more)
    print(f"{row['name']}: {counts}", file=sys.stderr)


def ask(documents: str | Path, model: str | Path, out: str | Path, *, row: dict, code: str) -> None:
    """Write the prompts of a corpus, for `scripts.synthesis.sample --prompts`.

    Args:
        documents: the real documents.
        model: that will write, for its tokenizer, BOS and EOS.
        out: documents with ``ids`` of the prompts, in the order of the samples; more samples change none before them.
        row: of the corpus: name, seed, samples, block (of the run that tuned the model, half of which d1 may take), and
            perhaps each (how many texts are to be written after each document drawn).
        code: hash of the code.

    Raises:
        BrokenArtifact: when there are no documents.
    """
    read_card(documents)
    lines = pq.read_table(documents).to_pylist()
    if not lines:
        raise BrokenArtifact(f"{documents}: no documents to write after")
    bos, eos = bos_of(model), eos_of(model)
    # a float a draw, scaled, so that each draw depends on its index alone
    each = row.get("each", 1)
    drawn = np.random.default_rng(seed_of("bootstrap", row["seed"])).random(-(-row["samples"] // each)) * len(lines)
    drawn = np.repeat(drawn.astype(np.int64), each)[: row["samples"]]
    used = np.unique(drawn).tolist()
    texts = encode(load_tokenizer(model), [lines[i]["text"] for i in used])
    ids = {i: given(one, bos, eos, row["block"] // 2) for i, one in zip(used, texts, strict=True)}
    rows = ({**lines[i], "ids": ids[i]} for i in drawn.tolist())
    counts = {"documents_drawn": len(used), "of": len(lines), "tokens": sum(len(ids[i]) for i in drawn.tolist())}
    tokenizer = sha256_of(Path(model) / "tokenizer.json")
    write_documents(out, rows, row=row, code=code, seed=row["seed"], tokenizer=tokenizer, counts=counts)
    print(f"{row['name']}: {counts}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("tune", "ask"))
    parser.add_argument("--row", type=json.loads, required=True, help="the run's row, or the corpus', as JSON")
    for name in ("code", "documents", "model", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--pairs")
    parser.add_argument("--held-out")
    a = parser.parse_args(arguments)
    if a.what == "tune" and not (a.pairs and a.held_out):
        parser.error("tune needs --pairs and --held-out")
    try:
        if a.what == "tune":
            tune(a.documents, a.pairs, a.model, a.out, a.held_out, row=a.row, code=a.code)
        else:
            ask(a.documents, a.model, a.out, row=a.row, code=a.code)
    except (BadModel, BrokenArtifact) as error:
        sys.exit(f"{a.row['name']}: {error}")


if __name__ == "__main__":
    main()
