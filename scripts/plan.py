"""What a target would take before anything is paid for: jobs, GPU-hours, CPU-hours, disk, downloads, money.

    python -m scripts.plan results/fig5.pdf --config scale=paper
    python -m scripts.plan results/fig5.pdf --measured        # after a run: predicted beside what the jobs took

Asks Snakemake what it would run (a dry run, so that what is built already costs nothing) and scripts/costs.py what each of
these jobs takes. Nothing is written. All further arguments are Snakemake's.
"""

import argparse
import csv
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from scripts import costs
from scripts.code import ROOT
from scripts.study import read_yaml


class Job(NamedTuple):
    """A job that Snakemake would run."""

    rule: str
    scale: str
    wildcards: dict[str, str]
    timing: Path | None  # its benchmark file


def jobs_of(arguments: list[str]) -> list[Job]:
    """The jobs that Snakemake would run for these command-line arguments, in the project's folder.

    Raises:
        SystemExit: with Snakemake's messages, when the dry run fails.
    """
    from snakemake.cli import main

    found: list[Job] = []
    errors: list[str] = []

    def listen(record: logging.LogRecord) -> bool:
        """Take what Snakemake logs of each job; nothing is printed."""
        if hasattr(record, "rule_name") and hasattr(record, "wildcards"):
            wildcards = dict(record.wildcards)
            scale = wildcards.pop("scale", "")
            timing = getattr(record, "benchmark", None)
            found.append(Job(record.rule_name, scale, wildcards, Path(str(timing)) if timing else None))
        elif record.levelno >= logging.ERROR:
            errors.append(record.getMessage())
        return False

    logger = logging.getLogger("snakemake.logging")
    logger.addFilter(listen)
    try:
        main([*arguments, "--dry-run", "--cores", "1", "--rerun-triggers", "mtime", "params", "input"])
    except SystemExit as done:
        if done.code:
            sys.exit("\n".join(errors) or f"snakemake --dry-run ended with {done.code}")
    finally:
        logger.removeFilter(listen)
    return found


HOUR = 3600
FACTORS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def size(count: float) -> str:
    """Bytes as people write them.

    >>> size(23.71e9)
    '23.7 GB'
    """
    unit, factor = next(((unit, factor) for unit, factor in FACTORS if count >= factor), ("B", 1))
    return f"{count / factor:.3g} {unit}"


def duration(seconds: float) -> str:
    """Seconds as people write them.

    >>> duration(5400), duration(90), duration(9)
    ('1.5 h', '1.5 min', '9 s')
    """
    return f"{seconds / HOUR:.3g} h" if seconds >= HOUR else f"{seconds / 60:.3g} min" if seconds >= 60 else f"{seconds:.2g} s"


def by_rule(jobs: Iterable[Job]) -> dict[tuple[str, str], list[costs.Cost]]:
    """(scale, rule) -> the costs of its jobs, in the order in which Snakemake names them; jobs of no scale cost nothing."""
    found: dict[tuple[str, str], list[costs.Cost]] = {}
    for job in jobs:
        if job.scale:
            found.setdefault((job.scale, job.rule), []).append(costs.cost(job.rule, job.wildcards, job.scale))
    return found


def table(rows: list[list[str]]) -> str:
    """Rows of text in columns, the first flush left and the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True))]
        for row in rows
    )
    return "\n".join("  ".join(line).rstrip() for line in lines)


def report(jobs: list[Job], prices: dict[str, float]) -> str:
    """What some jobs would take, as a table by rule and a line for each of the sums.

    Args:
        jobs: of a dry run.
        prices: dollars an hour of a GPU by its kind, and of a core (``cpu``).
    """
    rules = by_rule(jobs)
    if not rules:
        return "Nothing to do: all of it is built."
    rows = [["rule", "jobs", "GPU-hours", "CPU-hours", "longest job", "disk"]]
    gpu: dict[str, float] = {}
    cpu = disk = download = 0.0
    tight = []
    for (scale, rule), each in rules.items():
        kind = costs.machine_of(scale)
        hours = sum(c.seconds * c.gpus for c in each) / HOUR
        cores = sum(c.seconds for c in each) / HOUR
        if hours:
            gpu[kind] = gpu.get(kind, 0.0) + hours
            if (most := max(c.gpu_bytes for c in each)) > (memory := costs.rates()["machines"][kind]["memory"]):
                tight.append(f"{rule} needs {size(most)} of a GPU's memory, and {kind} has {size(memory)}")
        cpu += cores
        disk += sum(c.disk for c in each)
        download += sum(c.download for c in each)
        longest = duration(max(c.seconds for c in each))
        stored = size(sum(c.disk for c in each))
        rows.append([rule, str(len(each)), f"{hours:.2f}" if hours else "", f"{cores:.2f}", longest, stored])
    sums = [f"{len(jobs)} jobs"]
    sums += [f"{hours:.1f} GPU-hours on {kind}" for kind, hours in gpu.items()]
    sums += [f"{cpu:.2f} CPU-hours", f"{size(disk)} on disk", f"{size(download)} to download"]
    money = sum(hours * prices.get(kind, 0) for kind, hours in gpu.items()) + cpu * prices.get("cpu", 0)
    sums.append(f"${money:,.2f} at the prices in config.yaml")
    lines = [table(rows), "", "In all: " + ", ".join(sums) + "."]
    for kind in gpu or {"cpu": 0.0}:
        lines.append(f"Rates of {kind} are {costs.rates()['machines'][kind]['kind']}: scripts/costs.yaml.")
    return "\n".join(lines + tight)


def seconds_of(timing: Path) -> float | None:
    """Wall seconds of a job by its benchmark file; None where there is none."""
    if not timing.exists():
        return None
    with open(timing, newline="") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


def comparison(jobs: list[Job]) -> str:
    """Predicted seconds beside measured ones, by rule, of the jobs that have been run.

    The error is predicted over measured, less 1; of a job run again, the last time counts.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for job in jobs:
        if job.scale and job.timing and (took := seconds_of(job.timing)) is not None:
            predicted = costs.cost(job.rule, job.wildcards, job.scale).seconds
            found.setdefault(job.rule, []).append((predicted, took))
    if not found:
        return "No job of it has been run: there are no benchmark files under timings/."
    rows = [["rule", "jobs", "predicted", "measured", "error"]]
    found["in all"] = [pair for pairs in found.values() for pair in pairs]
    for rule, pairs in found.items():
        predicted, took = (sum(part) for part in zip(*pairs, strict=True))
        rows.append([rule, str(len(pairs)), duration(predicted), duration(took), f"{predicted / took - 1:+.0%}"])
    return table(rows)


def main(arguments: list[str]) -> None:
    """Print the plan of a target, or the comparison after a run."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.plan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measured", action="store_true", help="predicted beside measured, of the jobs that have been run")
    own, others = parser.parse_known_args(arguments)
    if own.measured:
        print(comparison(jobs_of([*others, "--forceall"])))
    else:
        print(report(jobs_of(others), read_yaml(ROOT / "config.yaml")["prices"]))


if __name__ == "__main__":
    main(sys.argv[1:])
