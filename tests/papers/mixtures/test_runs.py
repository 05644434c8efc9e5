"""runs.csv from a line a run and domain: means of domains and of all tokens, and what must not be there."""

import numpy as np
import pandas as pd
import pytest

from papers.mixtures.runs import COLUMNS, gather, gathered
from papers.mixtures.unigrams import lines_of, sampled
from scripts.lib.files import BrokenArtifact
from scripts.training.tokens import Text


def lines() -> pd.DataFrame:
    about = {"world": "default", "kind": "natural", "share": 0.0, "generator": "", "size": "small", "parameters": 9}
    about |= {"non_embedding": 4, "tokens": 640, "seed": 1}
    run = [("cc", "a", 300.0, 100), ("cc", "b", 50.0, 50), ("hq-33", "a", 200.0, 100), ("hq-33", "b", 100.0, 50)]
    return pd.DataFrame(
        [{"run": f"{arm}-s1", "arm": arm, "domain": d, "nats": n, "scored": k, **about} for arm, d, n, k in run]
    )


def test_macro_is_the_mean_of_domains_and_pooled_of_tokens():
    runs, domains = gathered(lines().assign(sweep="grid"))
    assert list(runs.columns) == [*COLUMNS, "macro", "pooled"]
    assert runs["run"].tolist() == ["cc-s1", "hq-33-s1"]
    assert runs["macro"].tolist() == pytest.approx([2.0, 2.0]) and runs["pooled"].tolist() == pytest.approx([350 / 150, 2.0])
    assert list(domains.columns) == ["run", "domain", "nats", "tokens"] and len(domains) == 4


def test_a_run_of_two_jobs_and_a_run_without_a_domain_are_refused():
    with pytest.raises(BrokenArtifact, match="the run cc-s1 was trained twice"):
        gathered(pd.concat([lines(), lines().head(1)]).assign(sweep="grid"))
    with pytest.raises(BrokenArtifact, match="the run hq-33-s1 was scored on 1 domains, others on 2"):
        gathered(lines().head(3).assign(sweep="grid"))


def test_the_three_tables_are_written(tmp_path):
    for sweep in ("grid", "traces"):
        (tmp_path / sweep).mkdir()
    lines().head(2).to_parquet(tmp_path / "grid/1-of-1.parquet")
    lines().tail(2).to_parquet(tmp_path / "traces/1-of-1.parquet")
    pd.DataFrame({"arm": ["cc"], "nats": [1.0]}).to_parquet(tmp_path / "traces/1-of-1.traces.parquet")
    tables = [str(tmp_path / sweep / "1-of-1.parquet") for sweep in ("grid", "traces")]
    outputs = [str(tmp_path / name) for name in ("runs.csv", "domains.parquet", "traces.parquet")]
    gather(tables, [str(tmp_path / "traces/1-of-1.traces.parquet")], *outputs)
    runs = pd.read_csv(outputs[0], keep_default_na=False)
    assert dict(zip(runs["arm"], runs["sweep"], strict=True)) == {"cc": "grid", "hq-33": "traces"}
    assert len(pd.read_parquet(outputs[1])) == 4 and len(pd.read_parquet(outputs[2])) == 1


def test_equally_many_tokens_of_each_text_are_counted():
    texts = {
        name: Text(np.tile(np.array([0, token, token + 1, 1], np.uint16), n), np.arange(4, 4 * n + 1, 4), "")
        for name, token, n in (("cc", 5, 100), ("hq-100", 7, 40))
    }
    counts = sampled(texts, 10)
    assert all(one.sum() == 120 for one in counts.values())  # three targets of each of 40 documents
    assert counts["hq-100"].tolist() == [0, 40, 0, 0, 0, 0, 0, 40, 40, 0]
    table = lines_of("cc", "train", counts["cc"], [f"w{token}" for token in range(10)])
    assert table["token"].tolist() == [1, 5, 6] and table["text"].tolist() == ["w1", "w5", "w6"]
    assert sampled(texts, 10, largest=30)["cc"].sum() == 30
