"""Extraction against transformers, by constructed suffixes, and end to end: resuming, the base as epoch 0."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

from scripts.evaluation import candidates, extraction, overlap
from scripts.lib.documents import document, write_documents
from scripts.lib.files import BrokenArtifact, write_card
from scripts.lib.models import load_model, load_tokenizer
from scripts.lib.seeds import seed_of

ROW = {
    "name": "extraction",
    "scale": "smoke",
    "kind": "extraction",
    "prefix": 6,
    "suffix": 5,
    "near": 1,
    "heldout": 4,
    "add_bos": True,
}


@pytest.fixture(scope="module")
def model(gpt_neox):
    return load_model(gpt_neox)


@pytest.fixture(scope="module")
def prompts():
    return np.random.default_rng(0).integers(2, 320, (9, 7))


def test_continuations_are_those_of_transformers(model, prompts):
    import torch

    ours = extraction.continuations(model, prompts, 6, batch=4)
    ids = torch.from_numpy(prompts)
    theirs = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, min_new_tokens=6, do_sample=False, pad_token_id=1
    )
    same = (ours == theirs[:, 7:].numpy()).all(1) | (ours == 1).any(1)  # where it wants to end, transformers forbids it
    assert same.all() and len({tuple(one) for one in ours}) > 5


def test_log_probabilities_by_hand(model, prompts):
    import torch

    suffixes = np.random.default_rng(1).integers(2, 320, (9, 5))
    ours = extraction.log_probabilities(model, prompts, suffixes, batch=4)
    with torch.no_grad():
        for i, (prompt, suffix) in enumerate(zip(prompts, suffixes, strict=True)):
            logits = model(torch.tensor([[*prompt, *suffix]])).logits[0].log_softmax(-1)
            assert ours[i] == pytest.approx(sum(logits[6 + k, t].item() for k, t in enumerate(suffix)), abs=1e-4)


def test_distances_against_the_recursion():
    rng = np.random.default_rng(2)
    ones, others = rng.integers(0, 3, (60, 6)), rng.integers(0, 3, (60, 5))

    def plain(a, b):
        @cache
        def d(i, j):
            return (
                max(i, j) if not i or not j else min(d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (a[i - 1] != b[j - 1]))
            )

        return d(len(a), len(b))

    assert extraction.distances(ones, others).tolist() == [plain(tuple(a), tuple(b)) for a, b in zip(ones, others, strict=True)]


@pytest.fixture(scope="module")
def suite(tmp_path_factory, model):
    """Two passages that the base completes, one of them with one token changed, and one that it would not write."""
    folder = tmp_path_factory.mktemp("suites") / "extraction"
    folder.mkdir()
    prefixes = np.random.default_rng(3).integers(2, 320, (4, 6))
    suffixes = extraction.continuations(model, np.hstack([np.zeros((4, 1), int), prefixes]), 5, 8)
    suffixes[1, 2] += 1
    suffixes[2] = (suffixes[2] + 100) % 320
    lines = {
        "item": list("abcd"),
        "task": ["text", "text", "text", "code"],
        "source": "planted",
        "repetition": np.array([64, 16, 0, 4], np.int16),
        "half": ["look", "held-out", "held-out", "look"],
        "prefix": prefixes.tolist(),
        "suffix": suffixes.tolist(),
        "text": "",
    }
    pd.DataFrame(lines).to_parquet(folder / "candidates.parquet")
    held = {"item": ["x", "y"], "task": ["text", "code"], "ids": [[5, 6, 7, 8], [9, 10]], "complete": [True, False]}
    pd.DataFrame(held).to_parquet(folder / "heldout.parquet")
    write_card(folder, row=ROW, code="c")
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory, tokenizer_folder, gpt_neox):
    import shutil

    from tests.evaluation.conftest import small_model

    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    small_model(folder / "subset-0/epoch-1", tokenizer_folder, 8, "gpt_neox")
    shutil.copytree(gpt_neox, folder / "subset-1/epoch-1")
    return folder


def run(folder, base, checkpoints, suite):
    (folder / "work").mkdir(exist_ok=True)
    paths = str(folder / "lines.parquet"), str(folder / "lines.heldout.parquet")
    extraction.evaluate(base, checkpoints, suite, *paths, folder / "work", row=ROW, name="run", code="c")
    return [pd.read_parquet(path) for path in paths]


def test_a_run_end_to_end(tmp_path, gpt_neox, checkpoints, suite, monkeypatch):
    done = []
    original = extraction.answer

    def dies_at_the_third(*arguments):
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(extraction, "answer", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, gpt_neox, checkpoints, suite)
    lines, losses = run(tmp_path, gpt_neox, checkpoints, suite)
    assert len(done) == 4, "what was finished is not done again"
    base = lines[lines["epoch"] == 0].set_index("item")
    assert base["exact"].to_dict() == {"a": True, "b": False, "c": False, "d": True}
    assert base.loc["a", "distance"] == 0 and base.loc["b", "distance"] == 1 and base.loc["c", "distance"] > 1
    assert base.loc["c", "logprob"] < base.loc["a", "logprob"] - 5
    assert base["repetition"].to_dict() == {"a": 64, "b": 16, "c": 0, "d": 4}
    assert lines[["subset", "epoch"]].drop_duplicates().to_numpy().tolist() == [[-1, 0], [0, 1], [1, 1]]
    copy, other = (lines[lines["subset"] == s].set_index("item") for s in (1, 0))
    columns = ["exact", "distance", "logprob"]
    pd.testing.assert_frame_equal(copy[columns], base[columns])
    assert not other["exact"].any()
    assert losses.groupby("item")["tokens"].first().to_dict() == {"x": 5, "y": 2}
    assert losses[losses["subset"] == 1]["nats"].tolist() == losses[losses["subset"] == -1]["nats"].tolist()
    assert losses["nats"].nunique() == 4


# --- candidates and overlap ---------------------------------------------------------------------------------------------


def planted(folder, name, plan):
    rows = []
    for number, repetition in enumerate(plan):
        text = f"{seed_of(name, number)} {name} Ana lives in Aldmoor and bought {number} apples at the gate."
        meta = {"passage": f"{name}{number}", "repetition": repetition}
        rows += [document(text, source=name, index=i, meta=meta) for i in range(max(repetition, 1))]
    path = folder / name / "documents.parquet"
    write_documents(path, rows, row={"name": name}, code="c")
    return str(path), len(rows)


def test_candidates_are_all_passages_with_their_repetition(tmp_path, gpt_neox):
    import shutil

    model = tmp_path / "models/Plover"
    shutil.copytree(gpt_neox, model)
    files = {name: planted(tmp_path, name, plan) for name, plan in {"seen": [1, 4, 16] * 5, "unseen": [0] * 4}.items()}
    rows = [
        document(f"{seed_of(i)} Boris waits at the gate of Brinewick for a long time.", source="w", index=i) for i in range(30)
    ]
    write_documents(tmp_path / "w/documents.parquet", rows, row={"name": "w"}, code="c")
    paths = {name: path for name, (path, _) in files.items()} | {"w": str(tmp_path / "w/documents.parquet")}
    row = {
        **ROW,
        "tasks": {
            "text": {"candidates": ["seen", "unseen"], "heldout": ["w"]},
            "code": {"candidates": ["w"], "heldout": ["w"]},
        },
    }
    phases = [{"seen": {"documents": files["seen"][1], "tokens": 900, "repetitions": 1.0}}]

    def write(documents):
        phases[0]["seen"]["documents"] = documents
        write_card(model, row={"name": "Plover", "recipe": "r"}, code="c", counts={"phases": phases, "tokens": 9000})
        candidates.write_suite(paths, model, tmp_path / "suite", row=row, code="c")

    write(files["seen"][1])
    table = pd.read_parquet(tmp_path / "suite/candidates.parquet")
    counts = table.groupby(["task", "repetition"]).size().to_dict()
    windows = counts.pop(("code", -1))
    assert counts == {("text", 0): 4, ("text", 1): 5, ("text", 4): 5, ("text", 16): 5}
    prefixes = table.loc[table["task"] == "code", "prefix"].map(tuple)
    assert 10 < windows < 30 and not prefixes.duplicated().any(), "of equal prefixes one stays"
    assert (
        set(table["half"]) == {"look", "held-out"} and (table["half"] == [candidates.half_of(i) for i in table["item"]]).all()
    )
    assert {len(one) for one in table["prefix"]} == {6} and {len(one) for one in table["suffix"]} == {5}
    text = table[table["task"] == "text"]
    assert all(one[:5].isdigit() for one in text["text"]), "planted passages are cut at their beginning"
    windows = table.loc[table["task"] == "code", "text"]
    assert 3 < windows.str[0].str.isdigit().sum() < len(windows) - 3, "windows begin anywhere"
    heldout = pd.read_parquet(tmp_path / "suite/heldout.parquet")
    assert heldout.groupby("task").size().to_dict() == {"text": 4, "code": 4}
    with pytest.raises(BrokenArtifact, match="has seen 7 documents of seen, which has 105.*a share of 0.100000"):
        write(7)


def test_planted_suffixes_are_found_in_a_corpus(tmp_path, gpt_neox):
    tokenizer = load_tokenizer(gpt_neox)
    texts = ["Ana lives in Cathor and waits at the gate for Hugo.", "Greta bought nine apples in Dunhelm and went home again."]
    from scripts.lib.tokens import encode

    ids = encode(tokenizer, texts)
    suite = tmp_path / "suite"
    suite.mkdir()
    rows = {"item": ["a", "b"], "task": "text", "half": "held-out", "suffix": [one[3:9].tolist() for one in ids]}
    pd.DataFrame(rows).to_parquet(suite / "candidates.parquet")
    found = [texts[0], "Before. " + texts[0], "Something else."]
    for name, some in (("corpus", found), ("trained", found[1:])):
        write_documents(
            tmp_path / f"{name}.parquet", [document(t, source="s", index=i) for i, t in enumerate(some)], row={}, code="c"
        )
    out = tmp_path / "overlap.parquet"
    overlap.search(suite, tmp_path / "corpus.parquet", tmp_path / "trained.parquet", gpt_neox, out, row={"name": "r"}, code="c")
    table = pd.read_parquet(out).set_index("item")
    assert table["corpus"].to_dict() == {"a": 2, "b": 0} and table["trained"].to_dict() == {"a": 1, "b": 0}
    assert json.loads((tmp_path / "overlap.card.json").read_text())["counts"]["corpus"] == {"documents": 3, "suffixes_found": 1}
