"""Made-up tables of SBP's models: losses and scores with planted effects of arms, shared by the tests of its figures."""

import json

import numpy as np
import pandas as pd

from scripts.lib.files import card_path

CLAIMS = "papers/sbp/claims.yaml"
TASKS = {
    "concepts_recall": {"label": "recall of facts", "metric": "acc", "filter": "none", "chance": 0.25},
    "concepts_choice": {"label": "questions in new words", "metric": "acc", "filter": "none", "chance": 0.25},
}
TOKENS = 1_848_320
DRAWS = 500


def models(*arms, seeds=3):
    return {arm: [f"{arm}-{seed}" for seed in range(seeds)] for arm in arms}


def losses(curves, seeds=3, documents=120, noise=0.02):
    """Held-out losses: ``curves`` maps arm -> {epoch: nats a token}; a seed shifts all documents of a model by ``noise``."""
    rng, lines = np.random.default_rng(1), []
    hard, tokens = rng.normal(0, 0.4, documents), rng.integers(20, 60, documents)
    for arm, curve in curves.items():
        for seed in range(seeds):
            shift, own = rng.normal(0, noise), rng.normal(0, 0.1, documents)
            for epoch, nats in curve.items():
                found = (nats + hard + shift + own) * tokens
                line = {"run": f"{arm}-{seed}", "subset": 0 if epoch else -1, "epoch": epoch, "item": range(documents)}
                lines.append(pd.DataFrame({**line, "nats": found, "tokens": tokens}))
    table = pd.concat(lines, ignore_index=True)
    return table.assign(item=table["item"].map("{:04d}".format))


def scores(accuracies, seeds=3, items=400):
    """Scores of two tasks: ``accuracies`` maps arm -> share of items right; the same items are hard for all models."""
    rng, lines = np.random.default_rng(2), []
    hard = {task: rng.random(items) for task in TASKS}
    for arm, share in accuracies.items():
        for seed in range(seeds):
            for task in TASKS:
                right = (0.5 * hard[task] + 0.5 * rng.random(items) < _threshold(share)).astype(float)
                line = {"run": f"{arm}-{seed}", "subset": -1, "epoch": 0, "task": task, "filter": "none", "metric": "acc"}
                lines.append(pd.DataFrame({**line, "item": range(items), "score": right}))
    return pd.concat(lines, ignore_index=True)


def _threshold(share):
    """Where the mean of two uniforms lies below with this probability."""
    return np.sqrt(share / 2) if share <= 0.5 else 1 - np.sqrt((1 - share) / 2)


def saved(folder, **tables):
    """Each table as Parquet in the folder; name -> path."""
    paths = {name: folder / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        table.to_parquet(paths[name], index=False)
    return paths


def card(path, **value):
    """A card without its artifact; the artifact's path."""
    card_path(path).parent.mkdir(parents=True, exist_ok=True)
    card_path(path).write_text(json.dumps(value))
    return str(path)


def outputs(folder, name):
    folder.mkdir(exist_ok=True)
    return [folder / f"{name}.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]


def verdicts(path):
    return {entry["claim"].split("-", 1)[1]: entry["verdict"] for entry in json.loads(path.read_text())["claims"]}
