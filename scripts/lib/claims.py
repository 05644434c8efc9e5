"""Claims: a paper's sentences against what was found. Reads papers/<paper>/claims.yaml, makes the claims.json of a figure.

An entry of claims.yaml is named by its claim and has the keys

    sentence    what the paper says, in our words
    artifact    the figure or table that shows it
    statistic   the number that decides, in words
    direction   ">" or "<" (against zero), ">=" or "<=" (against zero less or plus the margin), "=" (against published, or where
                that is null against zero: equivalence by two one-sided tests)
    margin      of ">=" and "<=": how far on the wrong side still counts as equal, fixed beforehand
    published   the printed value, or null
    tolerance   of "=": how far from the printed value, or from zero, still counts as the same
    level       the error rate on either side of the interval
    picked      true where the estimate is chosen from several after looking (a peak, the smaller of two): it lies off its truth
                however many replicates there are, so that over replicates its own bounds decide
    scales      where it can be judged; elsewhere it is not comparable
    all_of      instead of direction: the claims that must all hold
"""

from collections.abc import Iterable
from pathlib import Path

from scripts.lib.files import write_json

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
UNDECIDED, NOT_COMPARABLE = "undecided", "not comparable"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_COMPARABLE)
REQUIRED = {"sentence", "artifact", "statistic", "published", "scales"}
OPTIONAL = {"direction", "margin", "tolerance", "level", "picked", "all_of"}
DIRECTIONS = {">", "<", ">=", "<=", "="}


def read_claims(path: str | Path, artifact: str | None = None) -> dict[str, dict]:
    """The entries of one artifact (of all without one), by name, in file order.

    Raises:
        ValueError: naming file, claim and key where an entry has an unknown, missing or contradictory key.
    """
    import yaml

    entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    for name, claim in entries.items():
        keys = set(claim)
        if keys - REQUIRED - OPTIONAL or REQUIRED - keys:
            wrong = sorted(keys - REQUIRED - OPTIONAL) or sorted(REQUIRED - keys)
            raise ValueError(f"{path}: {name}: {wrong}: expected {sorted(REQUIRED)} and any of {sorted(OPTIONAL)}")
        if "smoke" in claim["scales"]:
            raise ValueError(f"{path}: {name}: scales: smoke judges no claim")
        if "all_of" in claim:
            if missing := [part for part in claim["all_of"] if part not in entries or "all_of" in entries[part]]:
                raise ValueError(f"{path}: {name}: all_of: {missing}: expected claims of this file with a direction")
            continue
        if claim.get("direction") not in DIRECTIONS or "level" not in claim:
            raise ValueError(f"{path}: {name}: direction, level: expected one of {sorted(DIRECTIONS)} and an error rate")
        if (claim["direction"] in {">=", "<="}) != ("margin" in claim):
            raise ValueError(f"{path}: {name}: margin: expected with >= and <=, and only there")
        if claim["direction"] == "=" and "tolerance" not in claim:
            raise ValueError(f"{path}: {name}: tolerance: expected with the direction =")
    return {name: claim for name, claim in entries.items() if artifact in (None, claim["artifact"])}


def region(claim: dict) -> tuple[float, float]:
    """The values that the claim allows, as an open interval: ``>=`` with margin 0.5 allows (-0.5, inf)."""
    infinity, margin = float("inf"), claim.get("margin", 0.0)
    if claim["direction"] == "=":
        middle = claim["published"] or 0.0
        return middle - claim["tolerance"], middle + claim["tolerance"]
    return (-margin, infinity) if claim["direction"].startswith(">") else (-infinity, margin)


def verdict(claim: dict, low: float, high: float, scale: str) -> str:
    """The verdict on one claim from the interval (low, high) of its statistic.

    Reproduced where the whole interval lies in the claim's region, not reproduced where none of it does, undecided where it
    crosses the region's bound, not comparable at a scale that does not judge. For ">": (0.2, 1.4) is reproduced,
    (-0.3, 1.1) undecided, (-1.4, -0.2) not reproduced.
    """
    if scale not in claim["scales"]:
        return NOT_COMPARABLE
    if not low <= high:
        raise ValueError(f"interval ({low}, {high}): expected low <= high")
    least, most = region(claim)
    if least < low and high < most:
        return REPRODUCED
    return NOT_REPRODUCED if high <= least or low >= most else UNDECIDED


def conjunction(verdicts: Iterable[str]) -> str:
    """The verdict on claims that must all hold: one not reproduced refutes, one undecided leaves it undecided."""
    verdicts = list(verdicts)
    for worst in (NOT_COMPARABLE, NOT_REPRODUCED, UNDECIDED):
        if worst in verdicts:
            return worst
    return REPRODUCED


def judge(claims: dict[str, dict], found: dict[str, dict], scale: str) -> list[dict]:
    """One entry per claim: the claim, what was found and the verdict.

    ``found`` has for each claim with a direction a dict with estimate, low, high and whatever else should be on record; a level
    there is that of its interval (after Holm, say), and the claim's own is kept as claim_level.

    Raises:
        ValueError: naming the claim for which nothing was found, a finding without claim, or one with a key of its claim.
    """
    judged = {}
    single = {name: claim for name, claim in claims.items() if "all_of" not in claim}
    if set(single) != set(found):
        raise ValueError(f"claims without a finding or findings without a claim: {sorted(set(single) ^ set(found))}")
    for name, claim in single.items():
        if clash := (set(found[name]) & set(claim)) - {"level"}:
            raise ValueError(f"{name}: {sorted(clash)}: a finding has a key of its claim")
        decided = verdict(claim, found[name]["low"], found[name]["high"], scale)
        judged[name] = {"claim_level": claim["level"], **found[name], "verdict": decided}
    for name, claim in claims.items():
        if "all_of" in claim:
            judged[name] = {"verdict": conjunction(judged[part]["verdict"] for part in claim["all_of"])}
    return [{"claim": name, **claim, "scale": scale, **judged[name]} for name, claim in claims.items()]


def write_claims(path: str | Path, judged: list[dict], **more: object) -> None:
    """Write claims.json: what ``judge`` returned, and further keys on record (code, what the intervals cover)."""
    write_json(path, {**more, "claims": judged})
