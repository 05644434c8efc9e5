r"""What a language model as judge says of written texts: reads documents and those they were written after, makes Parquet.

    python -m scripts.synthesis.judge --row JSON --code HASH --documents X.parquet --audited Q.parquet --real R.parquet \
        --prompts DIR --out Y.parquet --work DIR [--model DIR]

Two questions of a sample of the documents that an audit has looked at (scripts.audits.quality), in the words of
papers/sbp/prompts: does it state something false (factuality), and has it nothing to do with the document that it was written
after (relevance; not asked of real documents). One line a document: id, non_factual, irrelevant (1.0, 0.0, or null where it was
not asked or no answer could be read).

The engines and their limits are those of a generated corpus (scripts.synthesis.generators), and so is the journal: a call that
is paid for is never made twice. Judges differ, and none is the one of the paper, which is not named: the row's engine and model
go into the card.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.files import BrokenArtifact, atomic, read_card, write_card
from scripts.lib.models import BadModel
from scripts.lib.seeds import seed_of
from scripts.lib.work import Busy, work_folder
from scripts.synthesis.chat import read_prompts
from scripts.synthesis.generate import journaled, settled, what_decides
from scripts.synthesis.generators import generator
from scripts.synthesis.journal import Journal
from scripts.synthesis.requests import Answer, Refused, Request, hash_of, json_object

KINDS = {"factuality": (), "relevance": ("text",)}
ASKED = {"factuality": "non_factual", "relevance": "irrelevant"}  # the key of an answer, and the column
ENGINES = ("vllm", "openai")


def sampled(frame: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    """A seeded sample without replacement of ``size`` lines at most, in their order."""
    chosen = np.random.default_rng(seed_of("judge", seed)).choice(len(frame), min(size, len(frame)), replace=False)
    return frame.iloc[np.sort(chosen)].reset_index(drop=True)


def verdict(answer: Answer, key: str) -> bool:
    """What an answer says under its key.

    Raises:
        ValueError: when it is no JSON object with true or false there.
    """
    said = json_object(answer.text).get(key)
    if not isinstance(said, bool):
        raise ValueError(f"key {key}: expected true or false, found {said!r}")
    return said


def questions(frame: pd.DataFrame, texts: dict[str, str]) -> list[tuple[Request, str, int]]:
    """What is asked of documents (id, text, parent): request, id, index; ``texts`` are the real documents' by id.

    Raises:
        BrokenArtifact: naming a parent that is not among them.
    """
    found = []
    for index, one in enumerate(frame.itertuples()):
        found.append((Request("factuality", one.text, {}), one.id, index))
        if one.parent is not None:
            if one.parent not in texts:
                raise BrokenArtifact(f"the document {one.parent}, after which {one.id} was written, is not among the real ones")
            found.append((Request("relevance", texts[one.parent], {"text": one.text}), one.id, index))
    return found


def judge(
    documents: str | Path,
    audited: str | Path,
    real: str | Path,
    prompts: str | Path,
    out: str | Path,
    work: str | Path,
    model: str | Path | None = None,
    *,
    row: dict,
    code: str,
) -> None:
    """The file function; resumes what a killed process left.

    Args:
        documents: of a corpus, or the real ones themselves.
        audited: what an audit found of some of them, by id.
        real: the documents that the corpus was written after.
        prompts: the folder of factuality.yaml and relevance.yaml.
        out: to be written, with its card.
        work: where finished calls wait.
        model: the folder of the judge, for engine vllm.
        row: name, sample (documents), seed, attempts, engine, max_new_tokens, and for openai endpoint.

    Raises:
        Refused: when the row asks for what cannot be done.
        BrokenArtifact: when files are not what their cards describe, or not of each other.
    """
    if row["engine"] not in ENGINES:
        raise Refused(f"key engine: expected one of {', '.join(ENGINES)}, found {row['engine']!r}")
    if row["engine"] == "vllm" and model is None:
        raise Refused("key engine: vllm needs --model")
    asked = read_prompts(prompts, KINDS)
    read_card(audited)
    frame = sampled(pd.read_parquet(audited, columns=["id", "parent"]), row["sample"], row["seed"])
    own = _texts_of(documents, frame["id"].tolist())
    if missing := sorted(set(frame["id"]) - own.keys()):
        raise BrokenArtifact(f"{audited}: its document {missing[0]} is not in {documents}; delete it")
    frame["text"] = frame["id"].map(own)
    frame["parent"] = frame["parent"].astype(object).where(frame["parent"].notna(), None)
    jobs = questions(frame, _texts_of(real, sorted(set(frame["parent"].dropna()))))
    print(f"{row['name']}: {len(frame)} documents, {len(jobs)} calls", file=sys.stderr)
    calls: dict[str, Counter] = {}
    known = {kind: what_decides(row, asked, model, kind) for kind in KINDS}
    with work_folder(work) as folder, Journal(folder / "answers.jsonl") as journal:
        generate = generator(row, prompts=asked, model=model, documents=[job[0].document for job in jobs], count=_count)
        ask = journaled(generate, journal, lambda r, seed: hash_of(r, seed, known[r.kind]), row["name"], calls)
        table = pd.DataFrame({"id": frame["id"], **{column: pd.Series(np.nan, frame.index) for column in ASKED.values()}})
        unread = Counter()
        for kind, column in ASKED.items():
            mine = [job for job in jobs if job[0].kind == kind]
            found = settled(mine, lambda answer, column=column: verdict(answer, column), row, ask)
            for (_, _, index), (_, _, said, why) in zip(mine, found, strict=True):
                if why:
                    unread[column] += 1
                else:
                    table.loc[index, column] = float(said)
        with atomic(out) as beside:
            table.to_parquet(beside, index=False)
        rates = {column: round(float(table[column].mean()), 6) for column in ASKED.values() if table[column].notna().any()}
        counts = {"documents": len(table), "unread": dict(unread), "calls": {kind: dict(one) for kind, one in calls.items()}}
        write_card(out, row=row, code=code, seed=row["seed"], counts=counts, rates=rates, decides=known)


def _count(texts: list[str]) -> list[int]:
    """Tokens of texts, about: only for an endpoint that tells no usage, and for its pace."""
    return [len(text) // 4 + 1 for text in texts]


def _texts_of(path: str | Path, ids: list[str]) -> dict[str, str]:
    """The texts of some documents by id; of a large source few are read into memory."""
    import pyarrow.parquet as pq

    if not ids:
        return {}
    table = pq.read_table(path, columns=["id", "text"], filters=[("id", "in", ids)])
    return dict(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", required=True, type=json.loads, help="the judge of a figure's row as JSON")
    for name in ("code", "documents", "audited", "real", "prompts", "out", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--model", nargs="*", default=[])
    a = parser.parse_args(arguments)
    model = a.model[0] if a.model else None
    try:
        judge(a.documents, a.audited, a.real, a.prompts, a.out, a.work, model, row=a.row, code=a.code)
    except (Busy, BadModel, BrokenArtifact, Refused) as error:
        sys.exit(f"{a.row['name']}: {error}")


if __name__ == "__main__":
    main()
