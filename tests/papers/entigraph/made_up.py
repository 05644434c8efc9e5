"""Made-up students: evaluations and losses of planted effects, for tests of the figures that read them."""

import numpy as np
import pandas as pd

from scripts.lib.seeds import seed_of

LABELS = {"books_direct": "direct", "books_reversed": "reversed", "books_two_hop": "two-hop"}
TASKS = {
    task: {"label": label, "metric": "acc", "filter": "none", "chance": 0.25, "primary": task != "books_direct"}
    for task, label in LABELS.items()
}
BOOKS, EACH = 40, 12
SIZES = (11000, 27500, 69000, 174000, 436000, 1090000)
BASE = 0.27


def arm(name, sizes=SIZES, seeds=3):
    """{tokens: [runs]} of a series."""
    return {str(tokens): [f"Quill-small-on-{name}-{tokens}-s{seed}" for seed in range(1, seeds + 1)] for tokens in sizes}


def row(name, arms, controls=None, **more):
    return {
        "name": name,
        "scale": "laptop",
        "student": "Quill-small",
        "suites": ["books"],
        "tasks": TASKS,
        "arms": arms,
        "controls": controls or {},
        **more,
    }


def cells(figure):
    named = {**figure["arms"], **figure["controls"]}
    return [(series, int(tokens), runs) for series, sizes in named.items() for tokens, runs in sizes.items()]


def scores(figure, truth, spread=0.01, seed=0):
    """Evaluations where ``truth(series, tokens, task)`` is the chance of a right answer.

    Books differ in how well they are known, alike in all runs; each run has luck of its own, of standard deviation ``spread``.
    """
    lines, known = [], np.random.default_rng(seed_of("books", seed)).normal(0, 0.05, BOOKS).repeat(EACH)
    for task in figure["tasks"]:
        uniform = np.random.default_rng(seed_of("base", task, seed)).random(len(known))
        for series, tokens, runs in cells(figure):
            for run in runs:
                own = np.random.default_rng(seed_of(run, task, seed))
                mixed = np.where(own.random(len(known)) < 0.5, uniform, own.random(len(known)))
                right = mixed < truth(series, tokens, task) + own.normal(0, spread) + known
                start = uniform < BASE + known
                lines += [(run, -1, 0, task, start), (run, 0, 1, task, start), (run, 0, 2, task, right)]
    table = tabled([line[:4] for line in lines], len(known)).assign(score=np.concatenate([line[4] for line in lines]))
    return table.assign(filter="none", metric="acc").astype({"score": "float32", "filter": "category", "metric": "category"})


def tabled(names, number):
    """(run, subset, epoch, task) repeated for each of so many items."""
    frame = pd.DataFrame(names, columns=["run", "subset", "epoch", "task"]).astype({"run": "category", "task": "category"})
    return frame.loc[frame.index.repeat(number)].reset_index(drop=True).assign(item=np.tile(np.arange(number), len(names)))


def losses(figure, truth, tasks=("prose", "books"), documents=60, seed=0):
    """Losses where ``truth(series, tokens, task)`` is the change in bits per byte against the base's 2."""
    parts = []
    for task in tasks:
        rng = np.random.default_rng(seed_of("documents", task, seed))
        size = rng.integers(100, 400, documents)
        level = rng.normal(2, 0.2, documents)
        for series, tokens, runs in cells(figure):
            for run in runs:
                own = np.random.default_rng(seed_of(run, task, seed))
                later = level + truth(series, tokens, task) + own.normal(0, 0.01) + own.normal(0, 0.02, documents)
                for epoch, subset, bits in ((0, -1, level), (2, 0, later)):
                    frame = {"run": run, "subset": subset, "epoch": epoch, "task": task, "item": np.arange(documents)}
                    parts.append(pd.DataFrame({**frame, "nats": bits * size * np.log(2), "bytes": size, "tokens": size // 3}))
    return pd.concat(parts, ignore_index=True)


def books():
    """The suite's items with their books."""
    items = np.arange(BOOKS * EACH)
    return pd.concat([pd.DataFrame({"task": task, "item": items, "book": items // EACH}) for task in TASKS], ignore_index=True)


def write(folder, figure, **tables):
    """Evaluations and losses by run as their rules would leave them, and the suite: paths by input name."""
    suite = folder / "suites/books"
    suite.mkdir(parents=True)
    books().to_parquet(suite / "items.parquet")
    paths = {"suites": [str(suite)]}
    for name, table in tables.items():
        paths[name] = []
        for run, part in table.groupby("run", observed=True):
            paths[name].append(str(folder / f"{run}.{name}.parquet"))
            part.to_parquet(paths[name][-1])
    return paths


def outputs(folder, name):
    return {ending: str(folder / f"{name}.{ending}") for ending in ("pdf", "png", "csv", "claims.json")}
