"""Replicates: the same figures with everything pretrained anew, and what several of them say about each claim.

Reads the claims.json of every figure and replicate (fig5.claims.json is replicate 1, fig5-r2.claims.json replicate 2). Makes
results/{scale}/replicates.csv: one line per claim and replicate, and from two replicates on one line per claim named ``all``
with Student's t interval over the replicates' estimates and the verdict from it. The mean of peaks stays above the truth,
however many there are, so for a claim that picks one the interval goes from the lower end of that over the replicates' own
lower bounds to the upper end of that over their upper bounds. A claim that must hold together with others gets its verdict
from theirs.
"""

import csv
import json
import re
from pathlib import Path

from scripts.lib import claims as claims_
from scripts.lib.files import atomic

COLUMNS = ("figure", "claim", "replicate", "estimate", "low", "high", "level", "verdict")
ALL = "all"
COVER = "replicates: models pretrained anew with other seeds, and all that follows; the benchmarks' items are the same in each"


def which(path: str | Path) -> tuple[str, int]:
    """Figure and replicate of a claims.json: ``fig5-r2.claims.json`` is ("fig5", 2), ``fig5.claims.json`` is ("fig5", 1)."""
    name = Path(path).name
    match = re.fullmatch(r"(.+?)(?:-r(\d+))?\.claims\.json", name)
    if not match:
        raise ValueError(f"{path}: expected a name like fig5.claims.json or fig5-r2.claims.json")
    return match.group(1), int(match.group(2) or 1)


def read_replicates(paths: list[str]) -> dict[str, dict[int, dict]]:
    """Figure -> replicate -> its claims.json, after checking that a figure's replicates judge the same claims alike.

    Raises:
        ValueError: naming the file whose artifact, scale, code, claims or thresholds are not those of the first replicate, or a
            replicate that is missing.
    """
    found: dict[str, dict[int, dict]] = {}
    for path in paths:
        figure, number = which(path)
        found.setdefault(figure, {})[number] = json.loads(Path(path).read_text(encoding="utf-8"))
    for figure, by_number in found.items():
        if missing := set(range(1, max(by_number) + 1)) - set(by_number):
            raise ValueError(f"{figure}: replicates {sorted(missing)} are missing; found {sorted(by_number)}")
        first = by_number[1]
        for number, value in by_number.items():
            where = f"{figure}, replicate {number}"
            for key in ("artifact", "scale", "code"):
                if value.get(key) != first.get(key):
                    raise ValueError(
                        f"{where}, key {key}: expected {first.get(key)!r} as in replicate 1, found {value.get(key)!r}"
                    )
            if value["artifact"] != figure:
                raise ValueError(f"{where}, key artifact: expected {figure}, found {value['artifact']}")
            if _asked(value) != _asked(first):
                raise ValueError(f"{where}: its claims and their thresholds are not those of replicate 1")
    return found


def _asked(value: dict) -> list[dict]:
    """The claims of a claims.json without what was found."""
    keys = {"claim", *claims_.REQUIRED, *claims_.OPTIONAL} - {"level"}
    return [{key: entry[key] for key in sorted(keys & set(entry))} for entry in value["claims"]]


def over_replicates(values: list[dict]) -> list[dict]:
    """One entry per claim from the claims.json of two or more replicates: mean, t interval, its level, verdict.

    Claims that a figure corrects together (their entries have p_holm) are corrected together here, on the t tests' p-values.

    Raises:
        ValueError: naming a claim that is corrected with others and picked: it has no p-value here.
    """
    from scripts.lib import statistics

    estimates, p = {}, {}
    for entry in values[0]["claims"]:
        if "all_of" not in entry:
            name = entry["claim"]
            estimates[name] = [_entry(value, name)["estimate"] for value in values]
            if not entry.get("picked"):
                p[name] = statistics.t_p_within(estimates[name], *claims_.region(entry))
    family = [entry["claim"] for entry in values[0]["claims"] if "p_holm" in entry]
    if picked := set(family) - set(p):
        raise ValueError(f"{values[0]['artifact']}: {sorted(picked)}: corrected with others, and picked; expected one of them")
    levels = {}
    if family:
        level = min(_entry(values[0], name)["claim_level"] for name in family)
        levels = dict(zip(family, map(float, statistics.holm_levels([p[name] for name in family], level)), strict=True))
    decided, out = {}, []
    for entry in values[0]["claims"]:
        name = entry["claim"]
        if "all_of" in entry:
            out.append({"claim": name, "verdict": claims_.conjunction(decided[part] for part in entry["all_of"])})
            continue
        level = levels.get(name, entry["claim_level"])
        estimate, low, high = statistics.t_interval(estimates[name], level)
        if entry.get("picked"):
            _, low, _ = statistics.t_interval([_entry(value, name)["low"] for value in values], level)
            _, _, high = statistics.t_interval([_entry(value, name)["high"] for value in values], level)
        decided[name] = claims_.verdict(entry, low, high, entry["scale"])
        out.append(
            {
                "claim": name,
                "estimate": estimate,
                "low": low,
                "high": high,
                "level": level,
                "verdict": decided[name],
                **({"p": p[name]} if name in p else {}),
            }
        )
    return out


def _entry(value: dict, claim: str) -> dict:
    return next(entry for entry in value["claims"] if entry["claim"] == claim)


def replicates(paths: list[str], table: str) -> None:
    """Write replicates.csv from the claims.json of all figures and replicates."""
    lines = []
    for figure, by_number in read_replicates(paths).items():
        for number in sorted(by_number):
            lines += [{"figure": figure, "replicate": number, **entry} for entry in by_number[number]["claims"]]
        if len(by_number) > 1:
            together = over_replicates([by_number[number] for number in sorted(by_number)])
            lines += [{"figure": figure, "replicate": ALL, **entry} for entry in together]
    with atomic(table) as beside, open(beside, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def read_table(path: str | Path) -> tuple[dict[str, int], dict[tuple[str, str], dict]]:
    """From replicates.csv: figure -> number of replicates, and (figure, claim) -> what all of them together say."""
    numbers: dict[str, int] = {}
    together = {}
    with open(path, newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["replicate"] == ALL:
                found = {key: float(line[key]) for key in ("estimate", "low", "high", "level") if line[key]}
                together[line["figure"], line["claim"]] = {**found, "verdict": line["verdict"]}
            else:
                numbers[line["figure"]] = max(numbers.get(line["figure"], 0), int(line["replicate"]))
    return numbers, together


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        replicates(snakemake.input.claims, snakemake.output.table)
