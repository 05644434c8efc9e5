"""Sweeps: which small models a row asks for, which of them another sweep trains already, which job trains which.

Reads rows alone. A row of the table ``sweeps`` stands for every combination of its arms, sizes, budgets (``tokens``) and seeds.
Reads rows alone. A row of the table ``sweeps`` stands for each combination of its arms, sizes, budgets (``tokens``) and seeds.
from its synthetic text of the kind ``hq`` and the rest natural. A run that several sweeps name is trained by the first of them;
those that keep traces come first, so that what they mark is marked.
"""

from collections.abc import Callable, Iterable
from itertools import product

RECIPE = ("tokenizer", "block", "batch", "learning_rate", "warmup", "repeat", "heldout", "heldout_documents")


def arm_of(row: dict, arm: str) -> dict:
    """What an arm of a sweep's row reads: kind, share of synthetic tokens, and the rows of its natural and synthetic text.

    >>> arm_of({"natural": "web", "synthetic": {"hq": "web-hq"}}, "hq-33")
    {'kind': 'hq', 'share': 0.33, 'natural': 'web', 'synthetic': 'web-hq'}

    Raises:
        ValueError: saying what was expected.
    """
    if arm == "cc":
        return {"kind": "natural", "share": 0.0, "natural": row["natural"], "synthetic": None}
    if arm == "filtered" and "filtered" in row:
        return {"kind": "filtered", "share": 0.0, "natural": row["filtered"], "synthetic": None}
    kind, _, percent = arm.rpartition("-")
    try:
        share = float(percent) / 100
    except ValueError:
        share = 0.0
    if kind not in row["synthetic"] or not 0 < share <= 1:
        kinds = ", ".join(f"{kind}-1 to {kind}-100" for kind in row["synthetic"])
        raise ValueError(f"arm {arm}: expected cc{', filtered' * ('filtered' in row)}, {kinds}")
    return {"kind": kind, "share": share, "natural": row["natural"], "synthetic": row["synthetic"][kind]}


def texts_of(runs: Iterable[dict]) -> list[str]:
    """The rows of all texts that some runs read, each once, in order."""
    return list(dict.fromkeys(text for run in runs for text in (run["natural"], run["synthetic"]) if text))


def named(row: dict, arm: str, size: str, tokens: int, seed: int) -> dict:
    """One run of a sweep: what runs.csv says of it, the texts that it reads, and its name."""
    found = arm_of(row, arm)
    generator = row["generator"] if found["synthetic"] else ""
    world = "" if row["world"] == "default" else f"{row['world']}-"
    name = f"{world}{arm}{f'-by-{generator}' * bool(generator)}-{size}-{tokens}-s{seed}"
    return {"run": name, "world": row["world"], "arm": arm, **found, "generator": generator, "size": size} | {
        "tokens": tokens,
        "seed": seed,
    }


def runs_of(rows: Iterable[dict]) -> dict[str, list[dict]]:
    """Sweep -> the runs that it trains, by all rows of a scale in their order.

    Raises:
        ValueError: naming the sweep, for an unknown arm, or two runs of one name that are not the same.
    """
    found, trained, names = {}, set(), {}
    for row in sorted(rows, key=lambda row: not row.get("trace", False)):
        found[row["name"]] = mine = []
        recipe = tuple(str(row.get(key)) for key in RECIPE)
        for size, tokens, seed, arm in product(row["sizes"], row["tokens"], row["seeds"], row["arms"]):
            try:
                run = named(row, arm, size, tokens, seed)
            except ValueError as error:
                raise ValueError(f"{row['name']}, key arms: {error}") from None
            key = (arm, run["natural"], run["synthetic"], run["share"], size, tokens, seed, recipe)
            if key in trained:
                continue
            if other := names.get(run["run"]):
                raise ValueError(f"{row['name']} and {other} both have a run {run['run']}, with other texts or another recipe")
            trained.add(key)
            names[run["run"]] = row["name"]
            mine.append(run)
    return found


def jobs_of(runs: list[dict], number: int, seconds: Callable[[dict], float]) -> list[list[dict]]:
    """The runs of each job, at most ``number`` jobs of about equally many ``seconds``, each in the order of ``runs``.

    What stays together are the budgets of one arm, size and seed, so that their job needs no more texts than the arm. With a
    ``number`` above that of such groups each run stands alone. The longest go first, each to the job that has least to do.
    """
    group = ("natural", "synthetic", "share", "size", "seed")
    if number > len({tuple(run[key] for key in group) for run in runs}):
        group = ("run",)
    units: dict[tuple, list[dict]] = {}
    for run in runs:
        units.setdefault(tuple(run[key] for key in group), []).append(run)
    took = {key: sum(map(seconds, unit)) for key, unit in units.items()}
    jobs: list[set] = [set() for _ in range(min(number, len(units)))]
    loads = [0.0] * len(jobs)
    for key in sorted(units, key=lambda key: -took[key]):
        least = loads.index(min(loads))
        jobs[least].update(run["run"] for run in units[key])
        loads[least] += took[key]
    return [[run for run in runs if run["run"] in job] for job in jobs]
