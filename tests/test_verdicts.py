"""The page of verdicts from made-up figures: what it must show, and what must stop it."""

import base64
import io
import json
import math
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from scripts import replicates, verdicts
from scripts.lib.claims import VERDICTS
from scripts.lib.files import BrokenArtifact
from tests import made_up
from tests.conftest import snakemake
from tests.test_dag import jobs


class World:
    """A folder with the files of two figures, and a call that makes the page of them."""

    def __init__(self, folder, root):
        self.folder, self.figures = folder, ["fig5", "fig7"]
        self.paths = {figure: made_up.write_figure(folder, figure) for figure in self.figures}
        self.asked = made_up.write_claims_yaml(folder)
        self.template = (root / verdicts.TEMPLATE).read_text(encoding="utf-8")
        (folder / "scripts").mkdir()
        (folder / verdicts.TEMPLATE).write_text(self.template, encoding="utf-8")
        self.extra = []

    def make(self, figures=None, scale="laptop"):
        known = [str(self.paths[figure]["claims"]) for figure in self.figures]
        replicates.replicates([*known, *map(str, self.extra)], "replicates.csv")
        verdicts.verdicts(
            known,
            *([str(self.paths[figure][kind]) for figure in self.figures] for kind in ("csv", "png")),
            str(self.asked),
            "replicates.csv",
            "claims.json",
            "claims.html",
            figures={figure: made_up.sources(figure) for figure in figures or self.figures},
            title="A Paper",
            scale=scale,
        )
        return json.loads((self.folder / "claims.json").read_text()), (self.folder / "claims.html").read_text()


@pytest.fixture
def world(tmp_path, root, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return World(tmp_path, root)


class Tags(HTMLParser):
    """Ids, links, sources and open tags of a page."""

    VOID = {"meta", "img", "rect", "line", "circle", "path", "use", "br"}

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources, self.names, self.open, self.text = [], [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.names.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        self.sources += [found["src"]] if "src" in found else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_holds_every_claim_and_is_self_contained(world):
    value, html = world.make()
    page = Tags(html)
    text = " ".join(" ".join(page.text).split())
    assert page.open == [] and "script" not in page.names and "link" not in page.names
    assert not re.search(r"(src|href)=\"(https?:)?//", html)
    assert len(page.sources) == 2 and all(source.startswith("data:image/png;base64,") for source in page.sources)
    for claim, entry in made_up.CLAIMS.items():
        assert claim in page.ids and entry["sentence"] in text
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert html.count('class="interval"') == 3, "a drawing for each claim with an interval"
    assert "no number is printed in the paper" in text and "9.1" in text
    assert "Laptop analogue" in text and "Not reproduced and undecided are results" in text
    assert "make results/fig5.pdf" in text and "2,600 items, 3 subsets" in text and "epoch 2" in text
    assert "What it shows." in text and "Figure 7" in text
    for figure in ("fig5", "fig7"):
        for digest in [*value["figures"][figure]["sha256"].values(), *value["figures"][figure]["tables"].values()]:
            assert len(digest) == 64 and digest in text
    assert value["counts"] == {"reproduced": 3, "not reproduced": 0, "undecided": 1, "not comparable": 0}
    assert re.search(r"<b>3</b>.{0,200}reproduced", html, re.DOTALL) and "intervals do not cover pretraining seeds" in text


def test_each_verdict_has_a_word_and_a_mark_of_its_own_shape(world):
    _, html = world.make()
    shapes = {re.sub(r"#\w+|[\d.]+", "", re.search(rf'id="m{k}"[^>]*>(.*?)</symbol>', html).group(1)) for k in range(4)}
    assert len(shapes) == 4
    for k, verdict in enumerate(VERDICTS):
        assert re.search(rf'class="verdict v{k}"><svg[^>]*><use href="#m{k}"/></svg> {verdict}<', html)


def test_times_are_sums_of_what_was_timed(world):
    value, html = world.make()
    made = value["figures"]["fig5"]
    assert (made["seconds"], made["seconds_with_all_before"], made["jobs"], made["jobs_timed"]) == (5.5, 206.5, 4, 3)
    assert value["seconds"] == 413.0 and "3 min 26 s" in html and "3 of its 4 timed jobs" in html


@pytest.mark.parametrize(
    ("found", "expected"),
    [((2.0, 1.0, 3.0), "reproduced"), ((-2.0, -3.0, -1.0), "not reproduced"), ((0.5, -1.0, 2.0), "undecided")],
)
def test_a_reversed_effect_flips_verdict_counts_and_conjunction(world, found, expected):
    made_up.write_judged(world.folder, "fig5", found={"above": found})
    value, html = world.make()
    by_name = {entry["claim"]: entry["verdict"] for entry in value["claims"]}
    assert by_name == {"above": expected, "no-worse": "reproduced", "both": expected, "same": "undecided"}
    assert html.count(f"{expected}<") >= 3


def test_no_claim_is_judged_where_the_scale_does_not(world):
    for figure in world.figures:
        path = made_up.write_judged(world.folder, figure, scale="smoke")
        world.paths[figure]["claims"] = path
    value, html = world.make(scale="smoke")
    assert value["counts"]["not comparable"] == 4 and "no claim is judged" in html and "laptop, paper" in html
    assert "results/fig5.pdf --config scale=smoke" in html


def test_over_replicates_intervals_come_from_their_table(world):
    for number, e in ((2, -1.0), (3, -2.5)):
        world.extra.append(made_up.write_judged(world.folder, "fig5", f"fig5-r{number}", {"above": (e, e - 1, e + 1)}))
    value, html = world.make()
    entry = value["claims"][0]
    assert entry["verdict"] == "undecided" and entry["alone"]["verdict"] == "reproduced"
    assert entry["estimate"] == pytest.approx(-0.5) and entry["low"] < -3
    assert value["claims"][2]["verdict"] == "undecided" and value["claims"][2]["alone"] == {"verdict": "reproduced"}
    assert "alone" not in value["claims"][3], "fig7 has one replicate"
    assert "t over 3 replicates" in html and "replicate 1 alone" in html
    assert value["figures"]["fig5"]["intervals_cover"].startswith("replicates")
    assert value["figures"]["fig7"]["intervals_cover"] == "items"


def stop(world, error, match, **call):
    with pytest.raises(error, match=match):
        world.make(**call)
    assert not (world.folder / "claims.html").exists()


def test_a_claim_without_finding_or_a_finding_without_claim_is_named(world):
    made_up.CLAIMS["forgotten"] = {**made_up.CLAIMS["above"]}
    try:
        world.asked = made_up.write_claims_yaml(world.folder)
    finally:
        del made_up.CLAIMS["forgotten"]
    stop(world, ValueError, "fig5: claims without a finding: forgotten")
    world.asked = made_up.write_claims_yaml(world.folder)
    made_up.edit(world.paths["fig7"]["claims"], claim="invented")
    stop(world, ValueError, "fig7: claims without a finding: same")


def test_a_missing_figure_is_named(world):
    stop(world, ValueError, "fig9: its claims.json is missing; found those of fig5, fig7", figures=["fig5", "fig7", "fig9"])


def test_claims_of_figures_that_are_not_built_are_listed(world):
    world.figures = ["fig5"]
    value, html = world.make()
    assert value["without_figure"] == {"same": "fig7"} and "Not on this page" in html


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"verdict": "confirmed"}, "fig5: above, key verdict: expected one of .* found 'confirmed'"),
        ({"verdict": "not reproduced"}, "fig5: above, key verdict: its interval gives reproduced, found not reproduced"),
        ({"low": -1.0}, "fig5: above, key verdict: its interval gives undecided, found reproduced"),
        ({"direction": "<"}, "fig5: above, key direction: expected '>' of claims.yaml, found '<'"),
        ({"sentence": "A is below B."}, "fig5: above, key sentence"),
    ],
)
def test_entries_that_contradict_themselves_or_claims_yaml_are_named(world, change, match):
    made_up.edit(world.paths["fig5"]["claims"], **change)
    stop(world, ValueError, match)


def test_claims_of_another_figure_or_scale_are_named(world):
    stop(world, ValueError, "fig5: its claims.json, key scale: expected paper, found 'laptop'", scale="paper")


def test_a_changed_table_is_named(world):
    table = world.folder / "results/laptop/evaluations/fig5-run-one/suite.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"?")
    stop(world, BrokenArtifact, "fig5-run-one/suite.parquet: its sha256")


def test_the_same_files_give_the_same_page(world):
    assert world.make() == world.make()


def test_drawings_put_interval_and_bound_in_order():
    entry = {**made_up.CLAIMS["no-worse"], "estimate": 0.0, "low": -2.0, "high": 2.0}
    drawn = verdicts.drawing(entry)
    assert drawn["interval"][0] < drawn["bounds"][0] < drawn["estimate"] < drawn["interval"][1] < drawn["region"][1]
    assert [label for _, label in drawn["ticks"]] == ["\u22122", "0", "2"]
    same = {**made_up.CLAIMS["same"], "estimate": 9.2, "low": 8.0, "high": math.inf}
    drawn = verdicts.drawing(same)
    assert len(drawn["bounds"]) == 2 and drawn["bounds"][0] < drawn["published"] < drawn["bounds"][1] < drawn["interval"][1]
    assert drawn["interval"][1] == drawn["width"] - 14
    assert verdicts.drawing(made_up.CLAIMS["both"]) is None
    assert verdicts.drawing({**same, "low": math.nan, "high": math.nan, "estimate": math.nan}) is None


@pytest.mark.parametrize(
    ("value", "like", "expected"),
    [
        (-7.27159, 1.9, "\u22127.27"),
        (0.0123, 0.02, "+0.0123"),
        (1234.5, 400, "+1,234"),
        (2.0, None, "+2.00"),
        (0.0, None, "+0.00"),
    ],
)
def test_numbers_are_as_long_as_their_interval_deserves(value, like, expected):
    assert verdicts.number(value, like) == expected


def test_pictures_are_made_smaller_and_keep_their_shape(tmp_path):
    Image.effect_noise((2000, 500), 40).convert("RGB").save(tmp_path / "big.png")
    Image.new("RGB", (400, 300), "#0072B2").save(tmp_path / "small.png")
    big, small = (verdicts.picture(tmp_path / name) for name in ("big.png", "small.png"))
    assert (big["width"], big["height"]) == (1400, 350) and (small["width"], small["height"]) == (400, 300)
    data = base64.b64decode(small["uri"].removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(data)).convert("RGB").getpixel((9, 9)) == (0, 0x72, 0xB2)


def test_durations():
    assert [verdicts.duration(s) for s in (None, 5.4, 75, 7300)] == ["not on record", "5 s", "1 min 15 s", "2.0 h"]


@pytest.mark.workflow
def test_tables_and_timings_are_those_of_the_plan(project):
    """What the rule says stands upstream of all figures is what a dry run from nothing would run."""
    output = snakemake(project, "-n", "--config=scale=smoke", "results/smoke/claims.html").stdout
    read = re.search(r"^rule verdicts:\n    input: (.*)$", output, re.MULTILINE).group(1).split(", ")
    drawn = re.search(r"^rule fig5:\n    input: (.*)$", output, re.MULTILINE).group(1).split(", ")
    assert {path for path in drawn if path.startswith("results/")} <= set(read)
    script = (
        "from scripts import upstream\nrule probe:\n    params: found=upstream.sources(workflow, FIGURES, 1)\n"
        "    output: '{folder}probe-{scale}'\n    shell: 'echo {params.found:q} > {output}'\n"
    )
    with open(project / "Snakefile", "a", encoding="utf-8") as file:
        file.write("\n\n" + script)
    planned = snakemake(project, "-n", "-p", "probe-smoke").stdout
    timings = set(re.findall(r"timings/smoke/[^'\"\\ ,\]]+\.tsv", planned))
    assert timings == set(re.findall(r"benchmark: (\S+)", output)) and len(timings) > 50
    assert {rule for rule, _ in jobs(output)} >= {"fig5", "replicates", "verdicts", "train"}
