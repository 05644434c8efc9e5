"""How fast, on this machine: `python -m benchmarks [part ...]`; without parts, all of them, in about a minute.

Reads the first scratch model row of the laptop, the docstrings of networkx, timings/ and results/ as they are; prints a table.
Rates are per CPU-second of one thread, so that a busy machine changes them little; the rest is wall time.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
SCALE = "laptop"
VOCABULARY = 2048
Line = tuple[str, str, str, str]  # name, value, unit, how it was measured


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _model_row() -> dict:
    from scripts.study import load

    return next(row for row in load()[SCALE]["models"].values() if row["kind"] == "scratch")


def sampling(length: int = 128) -> Iterator[Line]:
    """The engines on fresh weights, which seldom end a text by themselves; an EOS counts as a token."""
    from scripts.synthesis.sample import engine_of
    from scripts.training.architecture import make_model

    row = _model_row()
    with tempfile.TemporaryDirectory() as folder:
        make_model(row, VOCABULARY, 0, 0, seed=1).save_pretrained(folder)
        for engine, number in (("pocket", 256), ("hf", 64)):
            draw = engine_of(engine, folder, eos=[0], temperature=1.0, max_new_tokens=length)
            draw([[0]] * 8, range(8))
            start = time.process_time()
            tokens = sum(len(one.ids) + one.complete for one in draw([[0]] * number, range(number)))
            rate = tokens / (time.process_time() - start)
            how = f"{number} samples of up to {length} tokens, one batch, shape of {row['name']}"
            yield f"sampling, engine {engine}", f"{rate:,.0f}", "tokens/CPU-s", how


def training(rounds: int = 3, steps: int = 12) -> Iterator[Line]:
    """The project's loop, a plain eager loop and transformers.Trainer on the same packed blocks (benchmarks/training.py)."""
    from benchmarks.training import BATCH, BLOCK, compare

    for line in compare(("0.3M",), rounds, steps).to_dict("records"):
        name = {"loop": "the project's loop", "plain": "plain eager loop", "trainer": "Trainer"}[line["way"]]
        how = f"median of {rounds} x {steps} steps of {BATCH} x {BLOCK}, {line['model']}; {line['to plain']:.2f} of plain"
        yield f"training, {name}", f"{line['tokens/s']:,.0f}", "tokens/CPU-s", how


def dedup() -> Iterator[Line]:
    """Near-duplicate search and decontamination, on real English."""
    from importlib import metadata

    import pandas as pd

    from scripts.curation import contamination, duplicates
    from scripts.sources.prose import extract

    texts = [text for text, _ in extract("networkx", metadata.distribution("networkx"), set())]
    items = pd.DataFrame({"task": "prose", "item": range(500), "text": texts[:500]})
    how = f"{len(texts):,} docstrings of {sum(map(len, texts)) / len(texts):.0f} characters"

    def near(some: list[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            duplicates.sketch(Path(folder), some)
            duplicates.near_duplicates([Path(folder)])

    near(texts[:100])
    rate = len(texts) / _seconds(lambda: near(texts))
    yield "near-duplicates", f"{rate:,.0f}", "docs/CPU-s", how
    rate = len(texts) / _seconds(lambda: contamination.documents_per_second(texts, items))
    yield "decontamination", f"{rate:,.0f}", "docs/CPU-s", f"{how}, 500 items"


def workflow(target: str = "results/fig5.pdf") -> Iterator[Line]:
    """A dry run of everything, and a build in which nothing is to be done."""

    def snakemake(*arguments: str) -> tuple[str, str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
        return f"{time.perf_counter() - start:.1f}" if done.returncode == 0 else "failed", done.stdout + done.stderr

    same = ("--rerun-triggers", "mtime", "params", "input", "--")
    yield "dry run, all targets", snakemake("-n", "--forceall", "--", "all")[0], "s", "every job planned; wanted: under 3"
    built = (ROOT / target).exists() and "Nothing to be done" in snakemake("-n", *same, target)[1]
    value, how = (snakemake(*same, target)[0], "wanted: under 5") if built else ("-", "not built, or not up to date")
    yield "rebuild of nothing", value, "s", f"{target}; {how}"


def timings() -> Iterator[Line]:
    """Peak memory and the time of a cold build, from what the jobs left in timings/."""
    jobs = []
    for file in sorted((ROOT / "timings" / SCALE).rglob("*.tsv")):
        with open(file, encoding="utf-8", newline="") as lines:
            jobs += [(file.relative_to(ROOT), line) for line in csv.DictReader(lines, delimiter="\t")]
    minutes = sum(float(line["s"]) for _, line in jobs) / 60
    yield "cold build, sum of all jobs", f"{minutes:.1f}", "min", f"{len(jobs)} jobs in timings/{SCALE}; two run at once"
    known = [(float(line["max_rss"]) / 1024, file) for file, line in jobs if line["max_rss"].replace(".", "").isdigit()]
    peak, file = max(known, default=(float("nan"), "no job measured"))
    yield "peak memory of a job", f"{peak:.2f}", "GiB", f"{file}; allowed: 4"


PARTS: dict[str, Callable[[], Iterator[Line]]] = {f.__name__: f for f in (sampling, training, dedup, workflow, timings)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", help=f"any of {', '.join(PARTS)}; all when none is given")
    parts = parser.parse_args().part or list(PARTS)
    if unknown := ", ".join(part for part in parts if part not in PARTS):
        parser.error(f"unknown part {unknown}; parts are {', '.join(PARTS)}")
    for line in (("name", "value", "unit", "how measured"), *(line for part in parts for line in PARTS[part]())):
        print("{:<30}{:>8}  {:<13}{}".format(*line), flush=True)
