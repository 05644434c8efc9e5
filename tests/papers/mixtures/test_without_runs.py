"""Figures of a runs table that has too few runs, or none: drawn, with panels that say so, and nothing of ours is judged."""

import importlib

import pytest

from tests.papers.mixtures import made


@pytest.mark.parametrize("name", ["fig1", "fig2", "fig3", "fig6", "fig7", "fig8", "speedup"])
def test_no_law_can_be_fitted(tmp_path, name):
    module = importlib.import_module(f"papers.mixtures.{name}")
    few = {"sizes": dict(list(made.SIZES.items())[2:4]), "budgets": made.BUDGETS[1:3], "seeds": 1}
    table = made.runs(**few) if name in ("fig1", "fig3") else made.runs().iloc[:0]
    out = made.drawn(tmp_path, table, module, name, **({"generation": None} if name == "speedup" else {}))
    entries = made.judged(out[3])
    published = {claim: entry for claim, entry in entries.items() if "-published-" in claim or "-implied-" in claim}
    assert {entry["verdict"] for claim, entry in entries.items() if claim not in published} <= {"undecided", "not comparable"}
    assert {"reproduced", "not reproduced"} & {entry["verdict"] for entry in published.values()}
    assert all(path.stat().st_size > 0 for path in out)
