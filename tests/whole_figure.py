"""Whether fig5.csv holds every series, epoch, task and subset: python -m tests.whole_figure results/fig5.csv [scale]."""

import sys

import pandas as pd

from scripts import study


def missing(path, scale: str) -> list[str]:
    """What the table of figure 5 lacks at a scale; an empty list when it is whole."""
    tables = study.load()[scale]
    row = tables["figures"]["fig5"]
    table = pd.read_csv(path)
    lacking = []
    for series, run in {**row["arms"], **row["controls"]}.items():
        run = tables["runs"][run]
        for task in row["tasks"]:
            for epoch in run["checkpoints"]:
                lines = table[(table.series == series) & (table.task == task) & (table.epoch == epoch)]
                subsets = sorted(lines.subset[lines.change.notna()])
                if subsets != list(range(run["subsets"])):
                    lacking.append(f"{series}, {task}, epoch {epoch}: subsets {subsets} instead of {run['subsets']}")
    return lacking


if __name__ == "__main__":
    found = missing(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "laptop")
    print("\n".join(found) or f"{sys.argv[1]} holds every series, epoch, task and subset")
    sys.exit(bool(found))
