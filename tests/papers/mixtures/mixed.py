"""Made-up runs of mixtures with planted losses, shared by the tests of figures 4, 5, 9, 10 and of the worlds."""

import json

import numpy as np
import pandas as pd

CLAIMS = "papers/mixtures/claims.yaml"
PUBLISHED = "papers/mixtures/published.yaml"
SIZES = {"Tern-1": 60_000, "Tern-3": 250_000}
BUDGETS = (300_000, 1_200_000)
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)


def runs(effects, *, sizes=SIZES, budgets=BUDGETS, seeds=3, noise=0.004, world="default", seed=0):
    """One line a run: ``effects`` maps (kind, share, generator) -> nats above natural text, or a function of (size, budget).

    Natural text alone is there in every cell. All arms of a seed share what that seed is worth.
    """
    rng, lines = np.random.default_rng(seed), []
    for size, parameters in sizes.items():
        for tokens in budgets:
            natural = 2 + 3 * (parameters / 1e5) ** -0.2 * (tokens / 1e6) ** -0.3
            lift = {s: rng.normal(0, 0.05) for s in range(seeds)}
            for (kind, share, generator), effect in {("natural", 0.0, ""): 0.0, **effects}.items():
                more = effect(parameters, tokens) if callable(effect) else effect
                arm = {"natural": "cc", "filtered": "filtered"}.get(kind, f"{kind}-{100 * share:g}")
                for s in range(seeds):
                    name = f"{size}-{tokens}-{world}-{arm}-{generator}-s{s}"
                    line = {"run": name, "sweep": "grid", "world": world, "arm": arm, "kind": kind, "share": share}
                    line |= {"generator": generator, "size": size, "parameters": parameters, "non_embedding": parameters // 2}
                    loss = natural + more + lift[s] + rng.normal(0, noise)
                    lines.append(line | {"tokens": tokens, "seed": s, "macro": loss, "pooled": loss})
    return pd.DataFrame(lines)


def bowl(best, depth=0.1, end=None):
    """Nats above natural text by share, a quadratic in the share with its lowest point at ``best`` and 0 at share 0."""
    return lambda share: depth * ((share - best) ** 2 - best**2) / best**2 if best else depth * share


def kinds(shares=SHARES, generator="copyist", **shapes):
    """Effects of kinds by share: ``kinds(hq=bowl(0.3))``."""
    return {(kind, share, generator): shape(share) for kind, shape in shapes.items() for share in shares}


def saved(table, path):
    table.to_csv(path, index=False)
    return path


def outputs(folder, name):
    folder.mkdir(exist_ok=True)
    return [folder / f"{name}.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]


def verdicts(path):
    """Claim, without the artifact's name -> verdict."""
    return {entry["claim"].split("-", 1)[1]: entry["verdict"] for entry in json.loads(path.read_text())["claims"]}


def entries(path):
    return {entry["claim"].split("-", 1)[1]: entry for entry in json.loads(path.read_text())["claims"]}
