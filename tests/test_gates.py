"""The eight gates: each holds on what is right and fails on one planted fault, and a fault stops with its reason."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from scripts import answers, gates
from scripts.lib.documents import document, write_documents
from scripts.lib.files import write_card
from scripts.training import accumulation
from scripts.training.loop import Blocks, loss_sum

TASKS = {"quiz": {"metric": "acc", "filter": "none", "chance": 0.0, "anchors": {"base": 0.5}}}


def scores(share=0.5, items=400, seed=0, epochs=(0,)):
    rng = np.random.default_rng(seed)
    lines = [("quiz", "none", "acc", i, e, float(rng.random() < share)) for e in epochs for i in range(items)]
    table = pd.DataFrame(lines, columns=["task", "filter", "metric", "item", "epoch", "score"])
    return table.astype({"task": "category", "score": "float32"})


def holds(entry):
    assert entry["applies"]
    return entry["holds"]


def test_anchors():
    assert holds(gates.anchors({"base": scores(0.5)}, TASKS))
    far = gates.anchors({"base": scores(0.7)}, TASKS)
    assert not holds(far) and "base, quiz" in far["against"][0]
    assert not gates.anchors({"other": scores()}, TASKS)["applies"]


def test_unique():
    def card(rate, t):
        return {"counts": {"unique_rate": rate}, "row": {"temperature": t}}

    assert holds(gates.unique({}, {"a": card(1.0, 1.25), "cold": card(0.8, 0.75)}, set()))
    assert gates.unique({}, {"a": card(0.98, 1.0)}, set())["against"] == ["a: 0.9800"]


def test_what_was_planted_is_no_fault_of_the_sampler(tmp_path):
    cards = {"a": {"counts": {"unique_rate": 0.0}, "row": {"temperature": 1.0}}}
    corpora = {"a": str(tmp_path / "a.parquet")}
    new = [f"text {i}" for i in range(198)]
    pd.DataFrame({"text": [*new, *["by heart"] * 20]}).to_parquet(corpora["a"])
    assert holds(gates.unique(corpora, cards, {"by heart"}))
    assert not holds(gates.unique(corpora, cards, {"something else"}))
    pd.DataFrame({"text": [*new, "text 1", "text 2", "by heart"]}).to_parquet(corpora["a"])
    assert gates.unique(corpora, cards, {"by heart"})["against"] == ["a: 0.9900"]


def test_hot_samples():
    assert holds(gates.hot_samples({"a": (9.3, 9.1)}))
    assert not holds(gates.hot_samples({"a": (6.0, 9.1)})) and not holds(gates.hot_samples({"a": (float("nan"), 9.1)}))


def test_clean():
    item = "one two three four five six seven eight nine"
    frame = pd.DataFrame({"task": "t", "item": [0, 1, 2], "text": [item, f"{item} ten eleven", "w x y z a b c d"]})
    assert holds(gates.clean({"run": ["two words", "said: one two three four five six seven eight"]}, frame))  # of two items
    found = gates.clean({"run": ["W, x - y z; a b c d!", "two words"], "other": ["none"]}, frame)
    assert found["against"] == ["run: 1 documents"] and found["looked_at"] == 3


def test_equal_tokens():
    assert holds(gates.equal_tokens({"a": [1000, 995], "b": [991]}))
    assert gates.equal_tokens({"a": [1000], "b": [1000, 980]})["against"] == ["b, subset 1: 980 of 1000"]


def test_epoch_zero():
    base = scores()
    run = pd.concat([scores(), scores(0.9, seed=3, epochs=(1,))]).astype({"task": "category"}).sample(frac=1, random_state=0)
    assert holds(gates.epoch_zero({"run": (run, base)}))
    off = base.copy()
    off.loc[7, "score"] = np.nextafter(np.float32(off.loc[7, "score"]), np.float32(2))
    assert gates.epoch_zero({"run": (run, off)})["against"] == ["run"]


def test_one_policy():
    card = {"row": {"name": "s", "backend": "hf"}, "versions": {"torch": "1"}, "code": "c"}
    assert holds(gates.one_policy({"a": card, "b": card}))
    assert not holds(gates.one_policy({"a": card, "b": {**card, "row": {"name": "s", "backend": "vllm"}}}))
    assert not holds(gates.one_policy({"a": card, "b": {**card, "versions": {"torch": "2"}}}))


def test_accumulation_holds_and_finds_the_known_mistake():
    def mean_of_means(model, optimizer, batch, micro, precision):
        total, parts = 0.0, range(0, len(batch.inputs), micro)
        for start in parts:
            piece = Blocks(*(part[start : start + micro] for part in batch))
            loss = loss_sum(model, piece, precision) / int((piece.targets != -100).sum()) / len(parts)
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total

    assert holds(accumulation.compare(6, 2, 24))
    assert not holds(accumulation.compare(6, 1, 24, mean_of_means))


@pytest.fixture
def figure(tmp_path):
    """A figure of two runs that passes every gate, as files."""
    paths = SimpleNamespace(bases=[], scores=[], documents=[], corpora=[], suites=[], planted=[], nll=[])
    suite = {"name": "suite", "backend": "pocket"}
    for name, table in {"base": scores(), "one": scores(epochs=(0,)), "two": scores(epochs=(0,))}.items():
        path = tmp_path / "evaluations" / name / "suite.parquet"
        path.parent.mkdir(parents=True)
        table.to_parquet(path)
        write_card(path, row=suite, code="c")
        (paths.bases if name == "base" else paths.scores).append(str(path))
    for run in ("one", "two"):
        path = tmp_path / "runs" / run / "documents.parquet"
        texts = [document("a few harmless words", source="c", index=i, subset=i % 2, tokens=10) for i in range(20)]
        kinds = {"subset": "int8", "tokens": "int32"}
        path.parent.mkdir(parents=True)
        write_documents(path, texts, row={}, code="c", extra=kinds)
        paths.documents.append(str(path))
    corpus = tmp_path / "corpora" / "bos" / "synthesized.parquet"
    corpus.parent.mkdir(parents=True)
    corpus.write_text("samples")
    write_card(corpus, row={"temperature": 1.25}, code="c", counts={"unique_rate": 1.0})
    paths.corpora.append(str(corpus))
    folder = tmp_path / "suites" / "suite"
    folder.mkdir(parents=True)
    pd.DataFrame({"task": ["quiz"], "item": [0], "text": ["p q r s t u v w x"]}).to_parquet(folder / "items.parquet")
    paths.suites.append(str(folder))
    pd.DataFrame({"nll": [9.0, 9.2]}).to_parquet(tmp_path / "nll.parquet")
    paths.nll.append(str(tmp_path / "nll.parquet"))
    (tmp_path / "accumulation.json").write_text(json.dumps(gates.gate("accumulation", [], 3)))
    row = {"name": "fig2", "scale": "laptop", "tasks": TASKS}
    runs, hot = {"one": "base", "two": "base"}, {"bos": 9.1}
    more = {"accumulation": str(tmp_path / "accumulation.json"), "out": str(tmp_path / "fig2.json")}
    return {**vars(paths), **more, "row": row, "runs": runs, "hot": hot, "code": "c"}


def test_all_gates_hold_and_are_written(figure):
    gates.check(**figure)
    value = json.loads(open(figure["out"]).read())
    assert [entry["gate"] for entry in value["gates"]] == [
        "anchors",
        "unique",
        "hot samples",
        "clean",
        "equal tokens",
        "epoch 0",
        "accumulation",
        "one policy",
    ]
    assert all(entry["applies"] and entry["holds"] for entry in value["gates"])
    assert value["sha256"]["bos"] and value["versions"]["python"]


def test_a_failing_gate_stops_with_its_reason(figure, tmp_path):
    pd.DataFrame({"nll": [5.0]}).to_parquet(tmp_path / "nll.parquet")
    with pytest.raises(gates.NotBelieved, match="figure fig2 at scale laptop: hot samples: bos: 5.00 nats, published 9.10"):
        gates.check(**figure)
    assert not (tmp_path / "fig2.json").exists() and (tmp_path / "fig2.json.failed").exists()
    gates.check(**{**figure, "row": {**figure["row"], "scale": "smoke"}})
    assert (tmp_path / "fig2.json").exists()


def test_extraction_is_gated_on_what_applies_to_it():
    wildcards = SimpleNamespace(figure="fig8", scale="laptop")
    assert answers.drawn_bases(wildcards) == answers.drawn_suites(wildcards) == []
    assert len(answers.drawn_documents(wildcards)) == 4, "noise is trained on nothing"
    planted = [f"results/laptop/sources/planted-{kind}/documents.parquet" for kind in ("prose", "code")]
    assert answers.drawn_planted(wildcards) == planted
    assert answers.drawn_planted(SimpleNamespace(figure="fig5", scale="laptop")) == []
    assert answers.drawn_planted(SimpleNamespace(figure="fig8", scale="paper")) == []
    assert answers.drawn_corpora(wildcards) == [
        f"results/laptop/corpora/bos-{model}-t1.0/synthesized.parquet" for model in ("Plover-small", "Finch-small")
    ]


def test_the_paper_scale_is_gated_on_published_nll():
    wildcards = SimpleNamespace(figure="fig2", scale="paper")
    assert answers.published_nll(wildcards) == {"bos-Qwen2.5-0.5B-t1.25": 9.1}
    assert answers.drawn_nll(wildcards) == ["results/paper/audits/nll/bos-Qwen2.5-0.5B-t1.25-by-Qwen2.5-0.5B.parquet"]
