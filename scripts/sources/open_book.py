"""Questions after passages: reads a suite and what a retriever found for its questions, makes a suite in lm-eval's form.

The questions, answers and numbers are those of the suite that the row names, so that a model's answers with and without the
passages can be paired. A question stands after the first ``passages`` of what was retrieved for it: those of one document
under one title line, in the order of the text, so that a document found as a whole reads as it is; and the document with the
best passage is last, next to the question, as in EntiGraph's own order. Worked examples stay before the passages.
"""

import json
import shutil
from pathlib import Path

import pandas as pd
import yaml

from scripts.lib.files import atomic, write_card
from scripts.lib.progress import logging_to


def context_of(found: pd.DataFrame) -> str:
    """The passages of one question as a text; ``found`` has rank, document, part, head and text."""
    texts = []
    for document in reversed(found.sort_values("rank")["document"].unique().tolist()):
        own = found[found["document"] == document].sort_values("part")
        texts.append("\n".join([*filter(None, own["head"].iloc[:1]), *own["text"]]))
    return "\n\n".join(texts)


def opened(items: list[dict], found: pd.DataFrame, passages: int) -> list[dict]:
    """The items with passages before their questions; an item's ``question``, if it has one, is the end of its ``query``.

    Raises:
        ValueError: for an item for which nothing was retrieved.
    """
    by_item = dict(iter(found[found["rank"] <= passages].groupby("item")))
    made = []
    for item in items:
        if item["item"] not in by_item:
            raise ValueError(f"item {item['item']}: nothing was retrieved for it")
        question = item.get("question", item["query"])
        before = item["query"].removesuffix(question)
        made.append({**item, "query": f"{before}{context_of(by_item[item['item']])}\n{question}"})
    return made


def write_suite(suite: str | Path, retrieved: str | Path, out: str | Path, *, row: dict, code: str) -> None:
    """Write the folder of a suite; the data paths in its task files are relative to where the workflow runs.

    Args:
        suite: the folder of the suite without passages. ``retrieved``: what scripts/audits/retrieval.py found for it.
        row: name, tasks (some of the suite's), passages (how many stand before a question).

    Raises:
        ValueError: naming the task and the item for which nothing was retrieved.
    """
    suite, found, counts = Path(suite), pd.read_parquet(retrieved), {}
    with atomic(out) as beside:
        beside.mkdir()
        for task in row["tasks"]:
            with open(suite / f"{task}.jsonl", encoding="utf-8") as file:
                items = [json.loads(line) for line in file]
            try:
                items = opened(items, found[found["task"] == task], row["passages"])
            except ValueError as error:
                raise ValueError(f"suite {row['name']}, task {task}, {error}; let {retrieved} be made again") from None
            told = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
            (beside / f"{task}.jsonl").write_text(told, encoding="utf-8")
            settings = yaml.safe_load((suite / f"{task}.yaml").read_text(encoding="utf-8"))
            settings["dataset_kwargs"] = {"data_files": {"test": str(Path(out) / f"{task}.jsonl")}}
            (beside / f"{task}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
            counts[task] = len(items)
        shutil.copyfile(suite / "items.parquet", beside / "items.parquet")
    print(f"{row['name']}: {counts}")
    write_card(out, row=row, code=code, counts=counts)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        read, params = snakemake.input, snakemake.params
        write_suite(read.suite[0], read.retrieved, snakemake.output[0], row=params.row, code=params.code)
