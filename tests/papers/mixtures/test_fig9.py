"""Single tokens on made-up counts: planted tokens, known slopes and divergences, texts that do not differ."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from papers.mixtures import fig9
from tests.papers.mixtures import mixed

ROW = {"name": "mixtures/fig9", "scale": "laptop", "world": "default", "generator": "copyist"}
ROW["marks"] = {"break": "\n\n", "colon": ":"}
LOSSES = mixed.kinds((0.33, 0.67, 1.0), hq=lambda s: -0.1 * s, qa=lambda s: -0.2 * s, txbk=lambda s: 0.3 * s)


ONE = {"sizes": {"Tern-3": 250_000}, "budgets": (600_000,)}


def counted(folder, shapes):
    mixed.unigrams(shapes).to_parquet(folder / "unigrams.parquet")
    return fig9.read_counts(folder / "unigrams.parquet")


def judged(folder, shapes, losses=LOSSES):
    counts, table = counted(folder, shapes), mixed.runs(losses, **ONE)
    found = fig9.measured(counts, table, mixed.by_domain(table), 100)
    laws = yaml.safe_load(Path(mixed.PUBLISHED).read_text(encoding="utf-8"))["laws"]
    return mixed.judged("fig9", lambda asked: fig9.findings(counts, found, laws, 100, asked, ROW))


def test_a_known_slope_is_found():
    rng = np.random.default_rng(0)
    p = (np.arange(1, 5001) + 3.0) ** -1.2
    counts = rng.multinomial(2_000_000, p / p.sum())
    slope, error, shift = fig9.zipf_mandelbrot(counts, (10, 3000))
    assert slope == pytest.approx(1.2, abs=5 * error + 0.01) and error < 0.01 and shift == pytest.approx(3, abs=1.5)


def test_types_are_those_of_all_samples():
    counts = np.array([3, 2, 1])
    tokens = [i for i, count in enumerate(counts) for _ in range(count)]
    for size in (1, 2, 4, 6):
        samples = list(itertools.combinations(range(6), size))
        mean = np.mean([len({tokens[i] for i in sample}) for sample in samples])
        assert fig9.types(counts, size)[0] == pytest.approx(mean)


def test_divergences_are_those_of_the_definition():
    p, q = np.array([[8.0, 2.0, 0.0]]), np.array([[5.0, 4.0, 1.0], [8.0, 2.0, 0.0]])
    forward, backward = fig9.divergences(p, q, "one")
    a, b = np.array([9, 3, 1]) / 13, np.array([6, 5, 2]) / 13
    assert forward[0] == pytest.approx([(a * np.log(a / b)).sum(), 0]) and backward[0, 0] == pytest.approx(
        (b * np.log(b / a)).sum()
    )
    small = fig9.divergences(p, q, "small")
    assert small[0][0, 0] == pytest.approx(0.8 * np.log(1.6) + 0.2 * np.log(0.5), abs=1e-7)
    assert small[1][0, 0] > 0.1 * np.log(0.1 / 1.1e-9) - 1  # what the held-out text lacks is dear


def test_a_mixture_is_the_weighted_mean_of_its_texts(tmp_path):
    counts = counted(tmp_path, mixed.frequencies())
    p = {name: one / one.sum() for name, one in counts.train.items()}
    third = fig9.mixed(counts, "hq-33")
    assert third / third.sum() == pytest.approx(0.33 * p["hq-100"] + 0.67 * p["cc"])
    assert fig9.mixed(counts, "cc") is counts.train["cc"] and fig9.mixed(counts, "poem-33") is None


def test_planted_tokens_and_shapes_are_recovered(tmp_path):
    runs = mixed.runs(LOSSES, **ONE)
    tables = [tmp_path / name for name in ("runs.csv", "domains.parquet", "unigrams.parquet")]
    mixed.saved(runs, tables[0])
    mixed.by_domain(runs).to_parquet(tables[1])
    mixed.unigrams(mixed.frequencies()).to_parquet(tables[2])
    out = mixed.outputs(tmp_path / "fig9", "fig9")
    fig9.fig9(*tables, mixed.PUBLISHED, mixed.CLAIMS, *out, row=ROW, code="c", draws=100)
    found = mixed.verdicts(mixed.entries(out[3]))
    assert {name for name, verdict in found.items() if verdict != "reproduced"} <= {"closest-backward-small", "closest"}
    table = pd.read_csv(out[2])
    marks = table[table["panel"] == "marks"].set_index(["name", "variant"])["y"]
    p = mixed.frequencies()
    assert marks["cc", "break"] == pytest.approx(np.log(p["cc"][mixed.BREAK] / p["test"][mixed.BREAK]), abs=0.15)
    assert marks["qa-100", "colon"] == pytest.approx(np.log(p["qa-100"][mixed.COLON] / p["test"][mixed.COLON]), abs=0.15)
    assert (table["panel"] == "loss").sum() == 10


def test_texts_that_do_not_differ_reproduce_nothing(tmp_path):
    same = dict.fromkeys(mixed.frequencies(), mixed.frequencies()["test"])
    found = mixed.verdicts(judged(tmp_path, same))
    kept = {"published-rank", "not-similarity"}
    assert {name for name, verdict in found.items() if verdict == "reproduced"} <= kept


def test_where_the_loss_follows_the_divergence_similarity_explains_it(tmp_path):
    counts = counted(tmp_path, mixed.frequencies())
    follows = {}
    for kind, share in itertools.product(("hq", "qa", "txbk"), (0.33, 0.67, 1.0)):
        train = np.stack([fig9.mixed(counts, arm) for arm in (f"{kind}-{100 * share:g}", "cc")])
        kl = fig9.all_divergences(counts.whole[None], train)["forward-small"][0]
        follows[kind, share, "copyist"] = 0.2 * (kl[0] - kl[1])
    found = judged(tmp_path, mixed.frequencies(), follows)
    assert found["not-similarity"]["verdict"] == "not reproduced" and found["not-similarity"]["estimate"] > 0.4


def test_a_domain_without_losses_is_named():
    table = mixed.runs(LOSSES, **ONE)
    domains = mixed.by_domain(table)
    with pytest.raises(ValueError, match="no losses on domain-9"):
        fig9.losses(domains, {"cc": list(table["run"][:1])}, [*mixed.DOMAINS, "domain-9"])
