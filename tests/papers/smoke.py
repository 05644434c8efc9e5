"""What every paper's smoke test asks of a build: every figure's four files and its page of verdicts, and nothing judged."""

import json
import time
from pathlib import Path

from tests.conftest import copy_of_the_project, snakemake
from tests.warm import warm

SMOKE = "--config=scale=smoke"


def build(folder: Path, paper: str, target: str = "") -> Path:
    """A copy of the project in which every figure of a paper has been built at smoke scale, by all_{paper} or a target."""
    project = copy_of_the_project(folder / "a project")  # a space in the path on purpose
    start = time.monotonic()
    with warm() as first:
        snakemake(project, SMOKE, "--show-failed-logs", target or f"all_{paper}", first=first)
    print(f"all figures of {paper} at smoke scale: {time.monotonic() - start:.0f} s")
    return project


def look(project: Path, paper: str, figures: set[str]) -> dict:
    """Check that these figures and no others are there, whole, the same in both places, and unjudged; returns claims.json."""
    page = json.loads((project / f"results/{paper}/claims.json").read_text(encoding="utf-8"))
    assert set(page["figures"]) == figures and not page["without_figure"]
    for figure in figures:
        for suffix in ("pdf", "png", "csv", "claims.json"):
            copy, made = (project / f"results/{folder}/{figure}.{suffix}" for folder in (paper, f"smoke/{paper}"))
            assert copy.stat().st_size > 100 and copy.read_bytes() == made.read_bytes()
    assert page["claims"] and {claim["verdict"] for claim in page["claims"]} == {"not comparable"}
    assert "What reproduced, and what did not" in (project / f"results/{paper}/claims.html").read_text(encoding="utf-8")
    assert not [path for path in project.glob("results/smoke/work/*/*")]
    return page
