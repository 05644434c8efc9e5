"""The page of verdicts: every claim of every figure on one page, with what it was decided from.

Reads each figure's claims.json, csv and png, claims.yaml, replicates.csv, the cards of the tables that figures read and the
timing files of what they took. Makes results/{scale}/claims.json (all of it as data) and claims.html (self-contained, without
script, for a phone and for paper too); verdicts.html.j2 is the page's template. Nothing is judged here: verdicts are those of
the figures, or over replicates those of replicates.csv, and are checked against their intervals.
"""

import base64
import csv
import io
import json
import math
import re
from collections import Counter
from pathlib import Path

from scripts.lib import claims as claims_
from scripts.lib.files import card_path, read_card, sha256_of, versions, write_json, write_text
from scripts.replicates import COVER, read_table

TEMPLATE = "scripts/verdicts.html.j2"
SCALES = {
    "smoke": "smoke: models of seconds, made to test that every artifact is built; no claim is judged",
    "laptop": "laptop analogue: an invented world, real prose, and small models that the workflow trains from scratch; "
    "directions are judged, of the same questions as the paper's but not on its models",
    "gpu": "gpu: small public models of the same families as the paper's",
    "paper": "paper: the paper's models and sizes",
}
COMMANDS = {
    "smoke": "snakemake --cores 2 results/{figure}.pdf --config scale=smoke",
    "laptop": "make results/{figure}.pdf",
    "gpu": "snakemake --cores 2 results/{figure}.pdf --config scale=gpu",
    "paper": "snakemake --profile slurm results/{figure}.pdf",
}
SHOWN = {"claim", "verdict", "scale", "low", "high", "estimate", "level", "claim_level", "alone"}  # elsewhere on the page
PICTURE = 1400  # pixels wide


# --- the claims -------------------------------------------------------------------------------------------------------------


def check(figure: str, value: dict, asked: dict[str, dict], scale: str) -> None:
    """Check a figure's claims.json against claims.yaml and its own intervals.

    Raises:
        ValueError: naming figure, claim and key where a claim has no finding or a finding no claim, where claim or threshold is
            not that of claims.yaml, or where a verdict is an unknown word or not the one that its interval gives.
    """
    for key, expected in (("artifact", figure), ("scale", scale)):
        if value.get(key) != expected:
            raise ValueError(f"{figure}: its claims.json, key {key}: expected {expected}, found {value.get(key)!r}")
    entries = {entry["claim"]: entry for entry in value["claims"]}
    if missing := [name for name in asked if name not in entries]:
        raise ValueError(f"{figure}: claims without a finding: {', '.join(missing)}")
    if extra := [name for name in entries if name not in asked]:
        raise ValueError(f"{figure}: findings without a claim in claims.yaml: {', '.join(extra)}")
    for name, entry in entries.items():
        for key in asked[name]:
            if key != "level" and entry.get(key) != asked[name][key]:
                raise ValueError(
                    f"{figure}: {name}, key {key}: expected {asked[name][key]!r} of claims.yaml, found {entry.get(key)!r}"
                )
        if entry["verdict"] not in claims_.VERDICTS:
            raise ValueError(f"{figure}: {name}, key verdict: expected one of {claims_.VERDICTS}, found {entry['verdict']!r}")
        if "all_of" in entry:
            given = claims_.conjunction(entries[part]["verdict"] for part in entry["all_of"])
        else:
            given = claims_.verdict(entry, entry["low"], entry["high"], scale)
        if given != entry["verdict"]:
            raise ValueError(f"{figure}: {name}, key verdict: its interval gives {given}, found {entry['verdict']}")


def with_replicates(figure: str, entries: list[dict], together: dict[tuple[str, str], dict]) -> list[dict]:
    """The entries with interval and verdict over replicates, where there are any; what replicate 1 says alone is kept."""
    out = []
    for entry in entries:
        over = together.get((figure, entry["claim"]))
        alone = {key: entry[key] for key in ("estimate", "low", "high", "level", "verdict") if key in entry}
        out.append({**entry, **over, "alone": alone} if over else entry)
    return out


# --- what it was made of ----------------------------------------------------------------------------------------------------


def hashed(path: str) -> dict[str, str]:
    """The sha256 of a table, checked against its card; of every file where the table is a folder.

    Raises:
        BrokenArtifact: naming the file that is not the one its card describes.
    """
    if card_path(path).exists():
        base = Path(path) if Path(path).is_dir() else Path(path).parent
        return {str(base / name): digest for name, digest in read_card(path)["sha256"].items()}
    return {path: sha256_of(path)}


def versions_of(tables: list[str]) -> dict[str, list[str]]:
    """Package -> its versions in the cards of some tables and here."""
    found = [versions()]
    for table in tables:
        if card_path(table).exists():
            found.append(json.loads(card_path(table).read_text(encoding="utf-8"))["versions"])
    return {
        package: sorted({one[package] for one in found if package in one})
        for package in dict.fromkeys(p for v in found for p in v)
    }


def seconds_of(timings: list[str]) -> list[float]:
    """The seconds that each timed job took, of those whose timing file exists."""
    found = []
    for path in timings:
        if Path(path).exists():
            with open(path, newline="", encoding="utf-8") as file:
                found.append(sum(float(line["s"]) for line in csv.DictReader(file, delimiter="\t")))
    return found


def counted(value: dict, table: str) -> str:
    """How many there are of what is averaged: the key n of claims.json, else the largest items and subsets of the csv."""
    if "n" in value:
        return str(value["n"])
    largest: dict[str, float] = {}
    with open(table, newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            for key in ("items", "documents", "texts", "subsets", "n"):
                if line.get(key):
                    largest[key] = max(largest.get(key, 0), float(line[key]))
    return ", ".join(f"{number:,.0f} {key}" if key != "n" else f"n {number:,.0f}" for key, number in largest.items())


def gather(
    figures: dict[str, dict], files: dict[str, dict[str, str]], asked: dict[str, dict], table: str, scale: str
) -> dict[str, object]:
    """All of the page as data: claims.json.

    ``figures`` has for each figure its folder under results/, tables and timings, ``files`` the paths of its claims, csv and
    png; ``asked`` are the entries of claims.yaml and ``table`` is replicates.csv.
    """
    numbers, together = read_table(table)
    made, entries, seconds = {}, [], {}
    for figure, source in figures.items():
        if figure not in files:
            raise ValueError(f"{figure}: its claims.json is missing; found those of {', '.join(files)}")
        paths = files[figure]
        value = json.loads(Path(paths["claims"]).read_text(encoding="utf-8"))
        check(figure, value, {name: claim for name, claim in asked.items() if claim["artifact"] == figure}, scale)
        if figure not in numbers and value["claims"]:
            raise ValueError(f"{table}: no line of {figure}")
        number = numbers.get(figure, 1)
        took = seconds_of(source["timings"])
        seconds |= {path: seconds_of([path])[0] for path in source["timings"] if Path(path).exists()}
        made[figure] = {
            "caption": captioned(source.get("caption", "")),
            "code": value["code"],
            "command": COMMANDS[scale].format(figure=source.get("folder", "") + figure),
            "n": counted(value, paths["csv"]),
            "replicates": number,
            "intervals_cover": COVER if number > 1 else value.get("intervals_cover", ""),
            "seconds": seconds.get(source["timings"][0]),
            "seconds_with_all_before": round(sum(took), 1),
            "jobs": len(source["timings"]),
            "jobs_timed": len(took),
            "versions": versions_of(source["tables"]),
            "sha256": hashed(paths["csv"]),
            "tables": {name: digest for path in source["tables"] for name, digest in hashed(path).items()},
            "timings": source["timings"],
        }
        entries += with_replicates(figure, value["claims"], together)
    return {
        "scale": scale,
        "reading": "low and high are one-sided bounds at level",
        "counts": count(entries),
        "seconds": round(sum(seconds.values()), 1),
        "without_figure": {name: claim["artifact"] for name, claim in asked.items() if claim["artifact"] not in figures},
        "figures": made,
        "claims": entries,
    }


def count(entries: list[dict]) -> dict[str, int]:
    """How many claims have each verdict."""
    found = Counter(entry["verdict"] for entry in entries)
    return {verdict: found[verdict] for verdict in claims_.VERDICTS}


# --- the page ---------------------------------------------------------------------------------------------------------------


def number(value: float, like: float | None = None) -> str:
    """A number with a sign and as many decimals as its interval deserves: ``number(-7.27159, 1.9)`` is ``-7.27``."""
    if not math.isfinite(value):
        return "\u221e" if value > 0 else "\u2212\u221e"
    size = abs(like if like else value) or 1.0
    decimals = min(6, max(0, 2 - math.floor(math.log10(size)) if size < 1 else 2 if size < 100 else 0))
    return f"{value:+,.{decimals}f}".replace("-", "\u2212")


def plain(value: object) -> str:
    """Any other value of an entry for the small print."""
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "\u2212")
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    return ", ".join(map(plain, value)) if isinstance(value, list) else str(value)


def duration(seconds: float | None) -> str:
    """Seconds as read: ``duration(75)`` is ``1 min 15 s``."""
    if seconds is None:
        return "not on record"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes / 60:.1f} h"


def expectation(entry: dict) -> str:
    """What the interval must do for the claim to hold, in words."""
    least, most = claims_.region(entry)
    if math.isfinite(least) and math.isfinite(most):
        return f"holds where the whole interval lies between {number(least, 1)} and {number(most, 1)}"
    side, bound = ("above", least) if math.isfinite(least) else ("below", most)
    said = "0" if bound == 0 else number(bound, 1)
    return f"holds where the whole interval lies {side} {said}" + (" (margin fixed beforehand)" if bound else "")


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers from low to high, about so many: ``ticks(-1.3, 4.1)`` is ``[0, 2, 4]``."""
    step = 10 ** math.floor(math.log10((high - low) / about))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= about)
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def drawing(entry: dict, width: float = 340.0, margin: float = 14.0) -> dict | None:
    """Places of an interval's drawing along x: region, bounds, interval, estimate, ticks; None where there is no interval.

    An infinite end goes to the drawing's edge.
    """
    if "all_of" in entry or not any(math.isfinite(entry[key]) for key in ("low", "high")):
        return None
    region = claims_.region(entry)
    published = entry["published"] if isinstance(entry["published"], int | float) else None
    values = [0.0, entry["low"], entry["high"], entry["estimate"], *region, *([published] if published is not None else [])]
    finite = [value for value in values if math.isfinite(value)]
    span = (max(finite) - min(finite)) or 1.0
    low, high = min(finite) - 0.12 * span, max(finite) + 0.12 * span

    def x(value: float) -> float:
        return round(margin + (width - 2 * margin) * (min(max(value, low), high) - low) / (high - low), 1)

    labels = ticks(low, high)
    decimals = max(0, -math.floor(math.log10(labels[1] - labels[0]) + 1e-9)) if len(labels) > 1 else 1
    return {
        "width": width,
        "region": [x(value) for value in region],
        "bounds": [x(value) for value in region if math.isfinite(value)],
        "interval": [x(entry["low"]), x(entry["high"])],
        "estimate": x(entry["estimate"]) if math.isfinite(entry["estimate"]) else None,
        "published": None if published is None else x(published),
        "ticks": [(x(value), f"{value + 0.0:.{decimals}f}".replace("-", "\u2212")) for value in labels],
    }


def picture(path: str | Path, wide: int = PICTURE) -> dict[str, object]:
    """A PNG made smaller and embedded: a data URI with width and height."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB")
        if small.width > wide:
            small = small.resize((wide, round(small.height * wide / small.width)), Image.Resampling.LANCZOS)
        small = small.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        small.save(buffer, "PNG", optimize=True)
        text = base64.b64encode(buffer.getvalue()).decode()
        return {"uri": f"data:image/png;base64,{text}", "width": small.width, "height": small.height}


def titled(figure: str) -> str:
    """``fig5`` is ``Figure 5``, ``theory`` is ``Theory``."""
    return re.sub(r"^fig(\d+)", r"Figure \1", figure[:1].upper() + figure[1:] if not figure.startswith("fig") else figure)


def captioned(text: str) -> str:
    """A rule's docstring without the figure's number: ``captioned("Figure 5: change of x.")`` is ``Change of x.``"""
    text = re.sub(r"^Figures? \d+: ", "", text)
    return text[:1].upper() + text[1:]


def shown(entry: dict) -> dict[str, object]:
    """What the template needs of one claim besides the entry itself."""
    numbers = [entry.get(key, math.nan) for key in ("low", "high")]
    like = numbers[1] - numbers[0] if all(map(math.isfinite, numbers)) else None
    more = {key: plain(value) for key, value in entry.items() if key not in SHOWN | claims_.REQUIRED | claims_.OPTIONAL}
    alone = entry.get("alone")
    found = {} if "all_of" in entry else {key: number(entry[key], like) for key in ("estimate", "low", "high")}
    return {
        "found": found,
        "drawing": drawing(entry),
        "expectation": "" if "all_of" in entry else expectation(entry),
        "more": more,
        "alone": alone and {**alone, **{key: number(alone[key], like) for key in ("estimate", "low", "high") if key in alone}},
        "published": plain(entry["published"]) if entry["published"] is not None else "no number is printed in the paper",
    }


def page(value: dict, pictures: dict[str, dict], title: str, template: str) -> str:
    """claims.html from claims.json, the pictures and the template's text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(duration=duration, titled=titled)
    by_figure = {figure: [e for e in value["claims"] if e["artifact"] == figure] for figure in value["figures"]}
    return environment.from_string(template).render(
        value=value,
        pictures=pictures,
        title=title,
        scale=SCALES[value["scale"]],
        by_figure=by_figure,
        counts={figure: count(entries) for figure, entries in by_figure.items()},
        shown={entry["claim"]: shown(entry) for entry in value["claims"]},
        verdicts=claims_.VERDICTS,
    )


def verdicts(
    claims: list[str],
    csvs: list[str],
    pngs: list[str],
    asked: str,
    replicates: str,
    data: str,
    html: str,
    *,
    figures: dict[str, dict],
    title: str,
    scale: str,
    template: str = TEMPLATE,
) -> None:
    """Write claims.json and claims.html: paths of the figures' files, of claims.yaml and of replicates.csv in."""
    files: dict[str, dict[str, str]] = {}
    for kind, paths, ending in (("claims", claims, ".claims.json"), ("csv", csvs, ".csv"), ("png", pngs, ".png")):
        for path in paths:
            files.setdefault(Path(path).name.removesuffix(ending), {})[kind] = path
    value = gather(figures, files, claims_.read_claims(asked), replicates, scale)
    pictures = {figure: picture(files[figure]["png"]) for figure in figures}
    text = page(value, pictures, title, Path(template).read_text(encoding="utf-8"))
    write_json(data, value)
    write_text(html, text)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        verdicts(
            snakemake.input.claims,
            snakemake.input.csvs,
            snakemake.input.pngs,
            snakemake.input.asked,
            snakemake.input.replicates,
            snakemake.output.data,
            snakemake.output.html,
            figures=snakemake.params.figures,
            title=snakemake.params.title,
            scale=snakemake.wildcards.scale,
        )
