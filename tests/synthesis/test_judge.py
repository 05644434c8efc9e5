"""The judge against an endpoint on the loopback: what it asks, what it makes of answers, what it never pays for twice."""

import json

import pandas as pd
import pytest

pytest.importorskip("openai", reason="the client of engine openai is not installed here")

from scripts.lib.documents import document, write_documents
from scripts.lib.files import BrokenArtifact, read_card, write_card
from scripts.synthesis import judge
from scripts.synthesis.chat import read_prompts
from scripts.synthesis.requests import Answer, Refused
from tests.synthesis.chat_server import KEY, serving

PROMPTS = "papers/sbp/prompts"
ROW = {"name": "judge", "engine": "openai", "sample": 50, "seed": 0, "attempts": 2, "max_new_tokens": 50}


def answer(body):
    """False where the text says so, unrelated where it says so; no JSON where it says so."""
    text = body["messages"][1]["content"]
    if "UNREADABLE" in text:
        return "I would rather not say."
    if "Second text" in text:
        return json.dumps({"shared": "", "irrelevant": "OTHER" in text})
    return "Sure: " + json.dumps({"claims": [], "non_factual": "FALSE" in text})


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("WRITER_KEY", KEY)
    with serving(answer) as end:
        yield end


@pytest.fixture
def files(tmp_path):
    real = [document(f"real {i}", source="real", index=i) for i in range(3)]
    texts = ["all true", "FALSE things", "OTHER things", "UNREADABLE"]
    written = [document(t, source="s", index=i, parent_ids=[real[i % 3]["id"]]) for i, t in enumerate(texts)]
    write_documents(tmp_path / "real.parquet", real, row={}, code="c")
    write_documents(tmp_path / "x.parquet", written, row={}, code="c")
    return tmp_path


def judged(folder, end, documents="x", work="work", **changes):
    frame = pd.read_parquet(folder / f"{documents}.parquet")
    parents = [one[0] if len(one) else None for one in frame["parent_ids"]]
    pd.DataFrame({"id": frame["id"], "parent": parents}).to_parquet(folder / "audited.parquet")
    write_card(folder / "audited.parquet", row={}, code="c")
    limits = {"concurrency": 4, "requests_per_minute": 1e6, "tokens_per_minute": 1e9, "retries": 0, "timeout": 20}
    endpoint = {"base_url": end.base_url, "model": "writer-1", "key_variable": "WRITER_KEY", **limits}
    paths = [
        folder / f"{documents}.parquet",
        folder / "audited.parquet",
        folder / "real.parquet",
        PROMPTS,
        folder / "y.parquet",
        folder / work,
    ]
    judge.judge(*paths, row={**ROW, "endpoint": endpoint, **changes}, code="c")
    return pd.read_parquet(folder / "y.parquet")


def test_answers_become_rates(files, endpoint):
    table = judged(files, endpoint)
    assert table["non_factual"].fillna(-1).tolist() == [0, 1, 0, -1]
    assert table["irrelevant"].fillna(-1).tolist() == [0, 0, 1, -1]
    card = read_card(files / "y.parquet")
    assert card["counts"]["unread"] == {"non_factual": 1, "irrelevant": 1} and card["rates"]["non_factual"] == 0.333333
    assert len(endpoint.asked) == 8 + 2  # what cannot be read is asked once more
    asked = [body["messages"][1]["content"] for body in endpoint.asked]
    assert any("real 2" in one and "OTHER things" in one for one in asked)


def test_real_documents_are_asked_for_truth_alone(files, endpoint):
    table = judged(files, endpoint, documents="real")
    assert len(endpoint.asked) == 3 and table["irrelevant"].isna().all() and (table["non_factual"] == 0).all()


def test_a_sample_is_seeded_and_part_of_the_documents(files, endpoint):
    ids = judged(files, endpoint, sample=2)["id"].tolist()
    assert ids == judged(files, endpoint, sample=2)["id"].tolist() and len(ids) == 2


def test_what_was_answered_before_a_kill_is_not_asked_again(files, endpoint, monkeypatch):
    monkeypatch.setattr(judge, "write_card", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        judged(files, endpoint)
    before = len(endpoint.asked)
    monkeypatch.undo()
    monkeypatch.setenv("WRITER_KEY", KEY)
    judged(files, endpoint)
    assert len(endpoint.asked) == before


def test_refusals(files, endpoint):
    with pytest.raises(Refused, match="key engine: expected one of vllm, openai, found 'pocket'"):
        judged(files, endpoint, engine="pocket")
    write_documents(files / "z.parquet", [document("a", source="s", parent_ids=["gone"])], row={}, code="c")
    with pytest.raises(BrokenArtifact, match="the document gone, after which"):
        judged(files, endpoint, documents="z")
    for text in ("yes", '{"irrelevant": 1}', "{}"):
        with pytest.raises(ValueError, match="expected"):
            judge.verdict(Answer(text, 1, 1, "stop"), "irrelevant")


def test_prompts_name_what_is_asked():
    prompts = read_prompts(PROMPTS, judge.KINDS)
    for kind, key in judge.ASKED.items():
        assert f'"{key}"' in prompts[kind].system and prompts[kind].json and prompts[kind].temperature == 0
