"""Made-up runs tables with planted laws, shared by the tests of these figures. None stands in the project beyond them."""

import json

import numpy as np
import pandas as pd

from papers.mixtures import arms as arms_
from scripts.lib import laws
from scripts.lib.laws import Law

PUBLISHED, CLAIMS = "papers/mixtures/published.yaml", "papers/mixtures/claims.yaml"
ARMS = ["cc", "hq-33", "hq-67", "hq-100", "qa-33", "qa-67", "qa-100", "txbk-33", "txbk-67", "txbk-100"]
SIZES = {"0.05M": 130_000, "0.1M": 230_000, "0.2M": 390_000, "0.4M": 660_000, "0.8M": 1_150_000}
BUDGETS = [250_000, 500_000, 1_000_000, 2_000_000, 4_000_000]
ROW = {"scale": "laptop", "arms": ARMS, "world": "default", "generator": "copyist", "replicates": 200}
FIXED = {"size": "0.2M", "tokens": 1_000_000}
# Laws in millions, like the paper's in their order: A, alpha, B, beta, E
PLANTED = {
    "cc": (0.30, 0.40, 0.50, 0.50, 2.40),
    "hq-33": (0.30, 0.40, 0.48, 0.50, 2.20),
    "hq-67": (0.30, 0.40, 0.50, 0.50, 2.23),
    "hq-100": (0.30, 0.40, 0.60, 0.50, 2.46),
    "qa-33": (0.30, 0.40, 0.48, 0.50, 2.24),
    "qa-67": (0.30, 0.40, 0.49, 0.50, 2.26),
    "qa-100": (0.26, 0.40, 0.58, 0.50, 2.48),
    "txbk-33": (0.30, 0.40, 0.72, 0.50, 2.20),
    "txbk-67": (0.30, 0.40, 0.80, 0.45, 2.45),
    "txbk-100": (0.33, 0.40, 0.90, 0.40, 3.00),
}


def law(arm, planted=PLANTED):
    """A planted law in billions."""
    A, alpha, B, beta, E = planted[arm]
    return Law(E, A * 1e-3**alpha, alpha, B * 1e-3**beta, beta)


def runs(planted=PLANTED, noise=0.002, seeds=3, sizes=SIZES, budgets=BUDGETS, world="default", start=0, arms=None):
    """One line a run, all sizes by all budgets; ``noise`` is relative, half of it shared by all arms of a seed and cell."""
    rng, lines = np.random.default_rng(start), []
    for size, parameters in sizes.items():
        for tokens in budgets:
            for seed in range(seeds):
                common = rng.normal()
                for arm in arms or planted:
                    truth = laws.value(law(arm, planted), parameters / 1e9, tokens / 1e9)
                    loss = truth * (1 + noise * (0.7 * common + 0.7 * rng.normal()))
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


def control_runs():
    """Worlds where nothing differs, where textbooks harm, where nothing is noisy; and filtered text in the default one."""
    same = {arm: PLANTED["cc"] for arm in ("cc", "hq-33", "qa-33", "txbk-33")}
    small = {"sizes": {"0.2M": SIZES["0.2M"]}, "budgets": [1_000_000]}
    filtered = {"cc": PLANTED["cc"], "filtered": (0.30, 0.40, 0.50, 0.50, 2.33)}
    adverse = {"cc": PLANTED["cc"], "txbk-100": (0.33, 0.40, 0.90, 0.40, 3.20)}
    return pd.concat(
        [
            runs(same, world="null", start=1, **small),
            runs({arm: PLANTED["cc"] for arm in ("cc", "hq-33")}, world="clean", start=2, noise=0.001, **small),
            runs(adverse, world="adverse", start=3, **small),
            runs(filtered, start=4, sizes=small["sizes"]).query("arm == 'filtered'"),
        ]
    )


def saved(folder, table):
    path = folder / "runs.csv"
    folder.mkdir(exist_ok=True)
    table.to_csv(path, index=False)
    return str(path)


def outputs(folder, name):
    folder.mkdir(exist_ok=True)
    return [folder / f"{name}.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]


def verdicts(path):
    """Claim -> verdict."""
    return {entry["claim"]: entry["verdict"] for entry in json.loads(path.read_text())["claims"]}
