"""Made-up figures for tests of the page of verdicts, of replicates and of packing: their claims, pictures and tables."""

import csv
import json
from pathlib import Path

import yaml

from scripts.lib import claims
from scripts.lib.files import sha256_of, write_card

COMMON = {"published": None, "level": 0.05, "scales": ["laptop", "paper"]}
CLAIMS = {
    "above": {"sentence": "A is above B.", "artifact": "fig5", "statistic": "A minus B, points", "direction": ">", **COMMON},
    "no-worse": {
        "sentence": "C is no worse than B.",
        "artifact": "fig5",
        "statistic": "C minus B, points",
        "direction": ">=",
        "margin": 1.0,
        **COMMON,
    },
    "both": {
        "sentence": "A is above B and C no worse.",
        "artifact": "fig5",
        "statistic": "both of them",
        "all_of": ["above", "no-worse"],
        "published": None,
        "scales": ["laptop", "paper"],
    },
    "same": {
        "sentence": "It is <the same> & printed.",
        "artifact": "fig7",
        "statistic": "mean, nats",
        "direction": "=",
        "tolerance": 0.5,
        **{**COMMON, "published": 9.1},
    },
}
FOUND = {"above": (2.0, 1.0, 3.0), "no-worse": (0.0, -0.5, 0.5), "same": (9.2, 8.5, 9.9)}


def write_claims_yaml(folder: Path) -> Path:
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump(CLAIMS, sort_keys=False), encoding="utf-8")
    return path


def write_judged(folder: Path, figure: str, name: str = "", found: dict | None = None, scale: str = "laptop", **more) -> Path:
    """The claims.json of a figure (or of its replicate ``name``) in which claims were found at (estimate, low, high)."""
    asked = {claim: entry for claim, entry in CLAIMS.items() if entry["artifact"] == figure}
    values = {**FOUND, **(found or {})}
    findings = {
        claim: {**dict(zip(("estimate", "low", "high"), values[claim], strict=True)), "p": 0.01, "epoch": 2, **more}
        for claim in asked
        if "all_of" not in asked[claim]
    }
    path = folder / f"results/{scale}/{name or figure}.claims.json"
    judged = claims.judge(asked, findings, scale)
    claims.write_claims(path, judged, artifact=figure, scale=scale, code="c0de", intervals_cover="items")
    return path


def write_figure(folder: Path, figure: str, scale: str = "laptop") -> dict[str, Path]:
    """All that the page reads of one figure, and two tables that it was drawn from, one with a card."""
    from PIL import Image

    home = folder / f"results/{scale}"
    paths = {"claims": write_judged(folder, figure, scale=scale), "csv": home / f"{figure}.csv", "png": home / f"{figure}.png"}
    paths["csv"].write_text("task,items,subsets\na,500,3\nmacro,2600,3\n")
    Image.new("RGB", (300, 120), "white").save(paths["png"])
    for name in ("one", "two"):
        table = home / f"evaluations/{figure}-run-{name}/suite.parquet"
        table.parent.mkdir(parents=True)
        table.write_bytes(f"{figure} {name}".encode() * 100)
        timing = folder / f"timings/{scale}/evaluate_run/{figure}-run-{name}.tsv"
        timing.parent.mkdir(parents=True, exist_ok=True)
        timing.write_text("s\th:m:s\n100.5\t0:01:40\n")
    write_card(home / f"evaluations/{figure}-run-one/suite.parquet", row={"name": "suite"}, code="c")
    timing = folder / f"timings/{scale}/{figure}/{figure}.tsv"
    timing.parent.mkdir(parents=True)
    timing.write_text("s\th:m:s\n5.5\t0:00:05\n")
    return paths


def sources(figure: str, scale: str = "laptop") -> dict[str, object]:
    """What rules/claims.smk says about a figure of ``write_figure``; the paths are relative to its folder."""
    names = ("one", "two")
    return {
        "caption": f"Figure {figure[3:]}: what it shows.",
        "tables": [f"results/{scale}/evaluations/{figure}-run-{name}/suite.parquet" for name in names],
        "timings": [f"timings/{scale}/{figure}/{figure}.tsv"]
        + [f"timings/{scale}/evaluate_run/{figure}-run-{name}.tsv" for name in names]
        + [f"timings/{scale}/train/never-timed-{figure}.tsv"],
    }


def edit(path: Path, **changes) -> None:
    """Change keys of the first claim in a claims.json; None removes the key."""
    value = json.loads(path.read_text(encoding="utf-8"))
    for key, new in changes.items():
        if new is None:
            del value["claims"][0][key]
        else:
            value["claims"][0][key] = new
    path.write_text(json.dumps(value), encoding="utf-8")


def lines(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def listed(folder: Path) -> dict[str, str]:
    """Path -> sha256 of all files under a folder."""
    return {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}
