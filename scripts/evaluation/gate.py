"""The gate: where the bases stand before any student is trained, and whether the benchmarks leave room to rise and to fall.

Reads the scores of a gate's models on a suite in benchmark wording and in training wording, and their bits per byte; makes a
CSV with its card, one line per model and task: score, standard error, distance to chance and to the ceiling, score in training
wording and the difference, whether the skill is latent (it shows only in training wording), whether there is room, bits per
byte by source. Scores are shares of 1. Stops, with the table, when the student has no room on some task, unless the row says
``stop: false``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.files import atomic, read_card, write_card


class NoRoom(Exception):
    """Some task is too near chance or the ceiling for a change to show; the message holds the table."""


def task_scores(path: str | Path, tasks: dict[str, dict]) -> pd.DataFrame:
    """Score and standard error of epoch 0 by task (index), under the metric and filter that ``tasks`` names.

    Raises:
        ValueError: naming the file, the task, and what it has, when a task lacks its metric or filter, or when the guess
            that ``tasks`` counts with is not the one that the items allow.
    """
    card = read_card(path)
    table = pd.read_parquet(path, filters=[("epoch", "==", 0)])
    lines = {}
    for task, how in tasks.items():
        mine = table[table["task"] == task]
        chosen = mine[(mine["metric"] == how["metric"]) & (mine["filter"] == how["filter"])]["score"].to_numpy(float)
        if not len(chosen):
            found = sorted({f"{m} ({f})" for m, f in zip(mine["metric"], mine["filter"], strict=True)})
            raise ValueError(
                f"{path}: no {how['metric']} ({how['filter']}) of {task}; it has {', '.join(found) or 'no such task'}"
            )
        chance = card.get("tasks", {}).get(task, {}).get("chance", how["chance"])
        if abs(chance - how["chance"]) > 0.005:
            raise ValueError(
                f"{path}: the items of {task} allow a guess of {chance:.3f}, its row says {how['chance']:.3f} (chance)"
            )
        lines[task] = {"items": len(chosen), "score": chosen.mean(), "se": chosen.std() / np.sqrt(len(chosen))}
    return pd.DataFrame.from_dict(lines, orient="index")


def judge(scores: pd.DataFrame, familiar: pd.DataFrame, tasks: dict[str, dict], row: dict) -> pd.DataFrame:
    """One model's table: the columns of the CSV but model and bits.

    There is room when the score is at least ``above_chance`` over a guess (``above_zero`` over 0 where the answer is generated)
    and ``below_ceiling`` under 1. A skill is latent when training wording scores at least ``latent`` more.
    """
    chance = pd.Series({task: how["chance"] for task, how in tasks.items()}, dtype=float)
    needed = chance.map(lambda c: row["above_chance"] if c else row["above_zero"])
    table = pd.DataFrame.from_dict(tasks, orient="index")[["metric", "filter"]]
    table = table.assign(items=scores["items"], chance=chance, score=scores["score"], se=scores["se"])
    table["above_chance"] = table["score"] - chance
    table["below_ceiling"] = 1 - table["score"]
    table["training_wording"] = familiar["score"]
    table["difference"] = familiar["score"] - table["score"]
    # Shares of items are compared up to rounding: 0.33 - 0.25 is meant to be 0.08.
    table["latent"] = table["difference"] >= row["latent"] - 1e-9
    table["room"] = (table["above_chance"] >= needed - 1e-9) & (table["below_ceiling"] >= row["below_ceiling"] - 1e-9)
    return table.rename_axis("task").reset_index()


def markdown(table: pd.DataFrame) -> str:
    """A frame as a Markdown table; numbers with three decimals, yes and no."""

    def cell(value: object) -> str:
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = [[cell(value) for value in line] for line in table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [list(table.columns), ["---"] * table.shape[1], *lines])


def make_gate(scores: Sequence[str], bits: str, out: str | Path, *, row: dict, tasks: dict[str, dict], code: str) -> None:
    """Write the gate's table; print it too, as Markdown.

    Args:
        scores: for each of the row's models, its evaluation on ``suite`` and then on ``familiar``.
        bits: CSV of bits per byte (columns model, source, bits_per_byte).
        out: the CSV to write.
        row: the gate's row: student, matched, models, the thresholds, and ``stop``.
        tasks: task -> metric, filter, chance.
        code: hash of the code.

    Raises:
        NoRoom: when ``stop`` is true and the student lacks room on some task; the table is printed, no file is written.
    """
    read_card(bits)
    parts = []
    for i, model in enumerate(row["models"]):
        benchmark, familiar = (task_scores(path, tasks) for path in scores[2 * i : 2 * i + 2])
        part = judge(benchmark, familiar, tasks, row)
        part.insert(0, "model", model)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    measured = pd.read_csv(bits).pivot(index="model", columns="source", values="bits_per_byte")[row["heldout"]]
    print(markdown(table), "\n")
    print("Bits per byte\n")
    print(markdown(measured.loc[row["models"]].rename_axis(None, axis=1).reset_index()), "\n")
    student, matched = row["student"], row["matched"]
    if matched in measured.index:
        ratio = measured.loc[matched] / measured.loc[student] - 1
        print(f"{matched} against {student}: bits per byte {', '.join(f'{100 * v:+.1f} % on {s}' for s, v in ratio.items())}\n")
    lacking = table[(table["model"] == student) & ~table["room"]]
    if len(lacking):
        said = ", ".join(f"{t.task} {100 * t.score:.1f} (chance {100 * t.chance:.1f})" for t in lacking.itertuples())
        chosen, made, top = (f"{100 * row[key]:g}" for key in ("above_chance", "above_zero", "below_ceiling"))
        message = (
            f"gate {row['name']}: {student} has no room on {said}; expected {chosen} points above chance ({made} for generated "
            f"answers) and {top} below the ceiling"
        )
        if row["stop"]:
            raise NoRoom(f"{message}\n\n{markdown(table)}")
        print(f"{message}; the row says stop: false")
    table = table.merge(measured.add_prefix("bits_"), left_on="model", right_index=True)
    with atomic(out) as beside:
        table.to_csv(beside, index=False, float_format="%.6f")
    write_card(out, row=row, code=code, counts={"lines": len(table), "without_room": len(lacking)})


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        make_gate(
            list(snakemake.input.scores),
            snakemake.input.bits,
            snakemake.output.table,
            row=snakemake.params.row,
            tasks=snakemake.params.tasks,
            code=snakemake.params.code,
        )
