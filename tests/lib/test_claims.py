"""Claims: verdicts from intervals, and entries that cannot be judged stop with file, claim and key."""

import json

import pytest
import yaml

from scripts.lib import claims

ABOVE = {
    "sentence": "A is above B.",
    "artifact": "fig0",
    "statistic": "A minus B",
    "direction": ">",
    "published": None,
    "level": 0.05,
    "scales": ["laptop", "paper"],
}
AT_LEAST = {**ABOVE, "direction": ">=", "margin": 1.0}
SAME = {**ABOVE, "direction": "=", "tolerance": 1.5}
EQUAL = {**ABOVE, "direction": "=", "published": 9.10, "tolerance": 0.5}


@pytest.mark.parametrize(
    ("claim", "interval", "expected"),
    [
        (ABOVE, (0.2, 1.4), "reproduced"),
        (ABOVE, (-0.3, 1.1), "undecided"),
        (ABOVE, (-1.4, -0.2), "not reproduced"),
        (ABOVE, (0.0, 1.0), "undecided"),
        (ABOVE, (-1.0, 0.0), "not reproduced"),
        (AT_LEAST, (-0.9, 0.4), "reproduced"),
        (AT_LEAST, (-1.1, 0.4), "undecided"),
        (AT_LEAST, (-3.0, -1.2), "not reproduced"),
        ({**ABOVE, "direction": "<"}, (-1.4, -0.2), "reproduced"),
        ({**ABOVE, "direction": "<"}, (0.2, 1.4), "not reproduced"),
        ({**AT_LEAST, "direction": "<="}, (-2.0, 0.9), "reproduced"),
        (SAME, (-1.4, 0.3), "reproduced"),
        (SAME, (0.2, 1.2), "reproduced"),
        (SAME, (0.2, 1.7), "undecided"),
        (SAME, (-9.0, -1.5), "not reproduced"),
        (EQUAL, (8.9, 9.3), "reproduced"),
        (EQUAL, (9.3, 9.9), "undecided"),
        (EQUAL, (8.0, 11.0), "undecided"),
        (EQUAL, (9.7, 9.9), "not reproduced"),
    ],
)
def test_verdict(claim, interval, expected):
    assert claims.verdict(claim, *interval, "laptop") == expected
    assert claims.verdict(claim, *interval, "smoke") == "not comparable"


def test_an_interval_that_is_none_is_refused():
    for low, high in [(1.0, 0.0), (float("nan"), 1.0)]:
        with pytest.raises(ValueError, match="low <= high"):
            claims.verdict(ABOVE, low, high, "laptop")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["reproduced"] * 3, "reproduced"),
        (["reproduced", "undecided", "reproduced"], "undecided"),
        (["reproduced", "undecided", "not reproduced"], "not reproduced"),
        (["not comparable"] * 3, "not comparable"),
    ],
)
def test_claims_that_must_all_hold(parts, expected):
    assert claims.conjunction(parts) == expected


def written(folder, entries):
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump(entries))
    return path


def test_judge_and_write(tmp_path):
    both = {key: ABOVE[key] for key in ("sentence", "artifact", "statistic", "published", "scales")} | {"all_of": ["a", "b"]}
    entries = {"a": ABOVE, "b": AT_LEAST, "both": both, "elsewhere": {**ABOVE, "artifact": "fig1"}}
    read = claims.read_claims(written(tmp_path, entries), "fig0")
    assert list(read) == ["a", "b", "both"]
    found = {"a": {"estimate": 1.0, "low": 0.5, "high": 1.5}, "b": {"estimate": -0.5, "low": -1.5, "high": 0.5}}
    judged = claims.judge(read, found, "laptop")
    assert [entry["verdict"] for entry in judged] == ["reproduced", "undecided", "undecided"]
    with pytest.raises(ValueError, match="b: .*statistic"):
        claims.judge(read, {**found, "b": {**found["b"], "statistic": 154.0}}, "laptop")
    narrow = claims.judge(read, {**found, "a": {**found["a"], "level": 0.025}}, "laptop")
    assert (narrow[0]["level"], narrow[0]["claim_level"]) == (0.025, 0.05)
    claims.write_claims(tmp_path / "fig0.claims.json", judged, code="abc")
    value = json.loads((tmp_path / "fig0.claims.json").read_text())
    assert value["code"] == "abc" and value["claims"] == judged
    with pytest.raises(ValueError, match="'b'"):
        claims.judge(read, {"a": found["a"]}, "laptop")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 3}, "threshold"),
        ({"direction": "about"}, "direction"),
        ({"margin": 1.0}, "margin"),
        ({"direction": ">="}, "margin"),
        ({"direction": "="}, "tolerance"),
        ({"scales": ["smoke"]}, "smoke"),
    ],
)
def test_a_wrong_entry_stops_with_file_claim_and_key(tmp_path, change, message):
    path = written(tmp_path, {"a": {**ABOVE, **change}})
    with pytest.raises(ValueError, match=f"claims.yaml: a: .*{message}"):
        claims.read_claims(path, "fig0")


def test_missing_keys_and_parts_are_named(tmp_path):
    with pytest.raises(ValueError, match="a: .*published"):
        claims.read_claims(written(tmp_path, {"a": {k: v for k, v in ABOVE.items() if k != "published"}}), "fig0")
    both = {key: ABOVE[key] for key in ("sentence", "artifact", "statistic", "published", "scales")} | {"all_of": ["z"]}
    with pytest.raises(ValueError, match="all_of: .*z"):
        claims.read_claims(written(tmp_path, {"both": both}), "fig0")
