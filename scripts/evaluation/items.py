"""The items of lm-eval's own tasks as text, for decontamination.

Reads a suite's row of kind harness and the tasks' data from the hub; makes {suite}/items.parquet with the folder's card:
columns task, item, text; one line per item. The text is the prompt, the right answer, and the other choices. The data are kept
in {suite}/data/{task}/, where evaluations read them without network.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from scripts.evaluation.suites import items_of, load_tasks, place_data, quiet
from scripts.lib.files import atomic, write_card

if TYPE_CHECKING:
    from lm_eval.api.task import Task


def item_texts(parts: list["Task"]) -> list[tuple[int, str]]:
    """(item, text) of a suite's task; the right answer follows the prompt, as a contaminated document would have it."""
    found = []
    for item, task, instances in items_of(parts):
        doc = instances[0].doc
        if task.OUTPUT_TYPE != "multiple_choice":
            target = task.doc_to_target(doc)
            found.append((item, f"{instances[0].args[0]} {target if isinstance(target, str) else ' '.join(map(str, target))}"))
            continue
        texts = [context + continuation for context, continuation in (instance.args[:2] for instance in instances)]
        gold = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
        gold = task.doc_to_choice(doc).index(gold) if isinstance(gold, str) else gold[0] if isinstance(gold, list) else gold
        context = instances[gold].args[0]
        others = [text.removeprefix(context).strip() for i, text in enumerate(texts) if i != gold]
        found.append((item, "\n".join([texts[gold], *others])))
    return found


def write_items(out: str | Path, *, row: dict, code: str, folder: str | Path | None = None) -> None:
    """Write the suite's folder and its card; ``folder`` holds the tasks of a local suite.

    Raises:
        scripts.evaluation.suites.NoTasks: one line that names the row, where the data cannot be had.
    """
    with atomic(out) as beside, tempfile.TemporaryDirectory() as cache:
        beside.mkdir()
        quiet()
        if row["kind"] == "harness":
            place_data(row, beside / "data")
        quiet(cache)  # from here on there is no network
        tasks = load_tasks(row, folder or beside, answers=False)
        lines = [(name, item, text) for name, parts in tasks.items() for item, text in item_texts(parts)]
        pd.DataFrame(lines, columns=["task", "item", "text"]).to_parquet(beside / "items.parquet", index=False)
    write_card(out, row=row, code=code, counts={"items": len(lines)})


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        write_items(snakemake.output[0], row=snakemake.params.row, code=snakemake.params.code)
