"""Made-up runs tables with planted laws, shared by the tests of these figures. None stands in the project beyond them."""

import json

import numpy as np
import pandas as pd

from papers.mixtures import arms as arms_
from scripts.lib import laws
from scripts.lib.laws import Law

PUBLISHED, CLAIMS = "papers/mixtures/published.yaml", "papers/mixtures/claims.yaml"
PRINTED = arms_.read_published(PUBLISHED)
ARMS = ["cc", "hq-33", "hq-67", "hq-100", "qa-33", "qa-67", "qa-100", "txbk-33", "txbk-67", "txbk-100"]
SIZES = {"0.05M": 130_000, "0.1M": 230_000, "0.2M": 390_000, "0.4M": 660_000, "0.8M": 1_150_000}
BUDGETS = [250_000, 500_000, 1_000_000, 2_000_000, 4_000_000]
FIXED = {"size": "0.2M", "tokens": 1_000_000}
ROW = {"scale": "laptop", "arms": ARMS, "world": "default", "generator": "copyist", "replicates": 100}


def law(E, A, alpha, B, beta):
    """A law of millions of parameters and tokens, in billions."""
    return Law(E, A * 1e-3**alpha, alpha, B * 1e-3**beta, beta)


PLANTED = {  # in the paper's order
    "cc": law(2.40, 0.30, 0.40, 0.50, 0.50),
    "hq-33": law(2.20, 0.30, 0.40, 0.48, 0.50),
    "hq-67": law(2.23, 0.30, 0.40, 0.50, 0.50),
    "hq-100": law(2.46, 0.30, 0.40, 0.60, 0.50),
    "qa-33": law(2.24, 0.30, 0.40, 0.48, 0.50),
    "qa-67": law(2.26, 0.30, 0.40, 0.49, 0.50),
    "qa-100": law(2.48, 0.26, 0.40, 0.58, 0.50),
    "txbk-33": law(2.20, 0.30, 0.40, 0.72, 0.50),
    "txbk-67": law(2.45, 0.30, 0.40, 0.80, 0.45),
    "txbk-100": law(3.00, 0.33, 0.40, 0.90, 0.40),
}


def runs(planted=PLANTED, noise=0.002, seeds=3, sizes=SIZES, budgets=BUDGETS, world="default"):
    """One line a run, all sizes by all budgets; ``noise`` is relative, half of its variance shared by arms (seed, cell)."""
    rng, lines = np.random.default_rng(0), []
    for size, parameters in sizes.items():
        for tokens in budgets:
            for seed in range(seeds):
                common = rng.normal()
                for arm, truth in planted.items():
                    off = noise * (common + rng.normal()) / np.sqrt(2)
                    loss = float(laws.value(truth, parameters / 1e9, tokens / 1e9)) * (1 + off)
                    kind, _, share = arm.partition("-")
                    line = {"run": f"{world}-{arm}-{size}-{tokens}-{seed}", "sweep": "grid", "world": world, "arm": arm}
                    line |= {"kind": {"cc": "natural"}.get(kind, kind), "share": float(share or 0) / 100}
                    line |= {"generator": "" if arm in arms_.NATURAL else "copyist", "size": size, "parameters": parameters}
                    line |= {"non_embedding": parameters // 2, "tokens": tokens, "seed": seed}
                    lines.append({**line, "macro": loss, "pooled": loss * 0.98})
    return pd.DataFrame(lines)


def cross(table):
    """Three seeds on the cross through the middle size and budget, one elsewhere."""
    middle = (table["size"] == FIXED["size"]) | (table["tokens"] == FIXED["tokens"])
    return table[middle | (table["seed"] == 0)]


def along(axis, **asked):
    """Runs of the middle size (axis tokens) or of the middle budget (axis parameters)."""
    fixed = {"sizes": {FIXED["size"]: SIZES[FIXED["size"]]}} if axis == "tokens" else {"budgets": [FIXED["tokens"]]}
    return runs(**{**fixed, **asked})


def row(name, **more):
    """The row of a figure, with what it holds fixed."""
    fixed = {"fig1": "size", "fig6": "size", "speedup": "size", "fig2": "tokens", "fig7": "tokens"}.get(name)
    return {**ROW, "name": f"mixtures/{name}", **({fixed: FIXED[fixed]} if fixed else {}), **more}


def saved(folder, table):
    """The path of runs.csv with this table."""
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / "runs.csv", index=False)
    return str(folder / "runs.csv")


def read(folder, table, asked):
    """The table as a figure reads it."""
    return arms_.read_runs(saved(folder, table), asked)


def outputs(folder, name):
    folder.mkdir(exist_ok=True)
    return [folder / f"{name}.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]


def drawn(folder, table, module, name, **more):
    """Draw a figure from a table; its four files."""
    out = outputs(folder, name)
    getattr(module, name)(saved(folder, table), PUBLISHED, CLAIMS, *out, row=row(name, **more), code="c")
    return out


def judged(path):
    """Claim -> entry of a claims.json."""
    return {entry["claim"]: entry for entry in json.loads(path.read_text())["claims"]}


def verdicts(claims, found, scale="laptop"):
    """Claim -> verdict of findings, those with a direction."""
    from scripts.lib.claims import verdict

    return {name: verdict(claims[name], one["low"], one["high"], scale) for name, one in found.items()}
