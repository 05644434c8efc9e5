"""A sweep's job: losses against each document alone, equal texts under two names, budgets, a SIGKILL within a run."""

import os
import signal
import socket
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from scripts.lib.documents import document, write_documents
from scripts.lib.files import BrokenArtifact
from scripts.lib.models import load_tokenizer
from scripts.lib.tokens import encode
from scripts.models.tokenizer import save_tokenizer, train_tokenizer
from scripts.sweeps import named
from scripts.training import sweep as sweeping
from scripts.training.sweep import domains_of, losses_of, pieces_of, sweep
from scripts.training.tokens import read_tokens, write_tokens

SWEEP = {"world": "default", "natural": "web", "generator": "copyist", "synthetic": {"hq": "hq", "twin": "hq", "qa": "short"}}
SHAPES = {"tiny": {"name": "tiny", "architecture": "llama", "hidden": 16, "layers": 1, "heads": 2, "feedforward": 24}}
ROW = {"name": "few", "block": 16, "batch": 4, "learning_rate": 0.01, "warmup": 0.1, "heldout_documents": 5, "shapes": SHAPES}


def runs(*arms: str, tokens: int = 640, seed: int = 1) -> list[dict]:
    return [named(SWEEP, arm, "tiny", tokens, seed) for arm in arms]


def texts(count: int, words: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{word}" for word in rng.integers(words, size=rng.integers(3, 12))) for _ in range(count)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tokenizer, three texts as token ids, two held-out sources."""
    root = tmp_path_factory.mktemp("texts")
    written = {"web": texts(150, 40, 1), "hq": texts(150, 20, 2), "short": texts(4, 20, 3)}
    written |= {"domain-a": texts(8, 40, 4), "domain-b": texts(8, 20, 5)}
    folder = root / "tokenizer"
    folder.mkdir()
    save_tokenizer(train_tokenizer(written["web"], 300, "<s>", "</s>"), folder, "<s>", "</s>")
    for name, each in written.items():
        rows = [document(one, source=name, index=i, complete=i % 5 > 0) for i, one in enumerate(each)]
        write_documents(root / name / "documents.parquet", rows, row={"name": name}, code="")
        write_tokens(root / name / "documents.parquet", folder, root / "tokens" / name, code="")
    heldout = [root / name / "documents.parquet" for name in ("domain-a", "domain-b")]
    return {"tokenizer": folder, "texts": [root / "tokens" / name for name in ("web", "hq", "short")], "heldout": heldout}


def train(made, folder, chosen, **more) -> None:
    paths = (folder / "few" / "1-of-1.parquet", folder / "few" / "1-of-1.traces.parquet", folder / "work")
    sweep(made["tokenizer"], made["texts"], made["heldout"], *paths, row={**ROW, "runs": chosen, **more}, code="")


def done(made, folder, chosen, **more) -> pd.DataFrame:
    train(made, folder, chosen, **more)
    return pd.read_parquet(folder / "few" / "1-of-1.parquet")


def forked() -> int:
    """A child of this process, which has one thread that works."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that the child would lack: it waits for none
        return os.fork()


def test_token_ids_on_disk_are_the_documents(made):
    text = read_tokens(made["texts"][0])
    words = load_tokenizer(made["tokenizer"])
    starts = [0, *text.ends[:-1]]
    for index, one in enumerate(texts(150, 40, 1)):
        expected = [0, *encode(words, [one])[0].tolist(), *([1] if index % 5 else [])]
        assert text.ids[starts[index] : text.ends[index]].tolist() == expected
    assert text.ids.dtype == np.uint16


def test_the_same_text_under_two_names_gives_the_same_losses_bit_for_bit(made, tmp_path):
    found = done(made, tmp_path, [*runs("hq-33", "twin-33", "cc"), *runs("hq-33", seed=2)])
    by = found.pivot(index="domain", columns=["arm", "seed"], values="nats")
    assert (by["hq-33", 1] == by["twin-33", 1]).all()
    for other in (("cc", 1), ("hq-33", 2)):
        assert (by["hq-33", 1] != by[other]).all()
    assert set(found["tokens"]) == {640}  # 40 blocks of 16, exactly
    first = found.iloc[0]
    assert first["parameters"] - first["non_embedding"] == load_tokenizer(made["tokenizer"]).get_vocab_size() * 16
    assert first["non_embedding"] == 4 * 16**2 + 3 * 16 * 24 + 3 * 16  # attention, feed-forward, norms
    assert not (tmp_path / "work").exists()


def test_losses_are_those_of_each_document_alone(made):
    from scripts.training.architecture import make_model

    model = make_model(SHAPES["tiny"], 300, 0, 1, seed=3)
    words = load_tokenizer(made["tokenizer"])
    domains = domains_of(made["heldout"], words, 0, 1, documents=3)
    assert list(domains) == ["domain-a", "domain-b"] and [len(one) for one in domains.values()] == [3, 3]
    for block in (64, 8):  # the whole of each, and in pieces
        losses = losses_of(model, domains, block, half=False)
        for name, sequences in domains.items():
            expected = []
            for piece in [piece for sequence in sequences for piece in pieces_of(sequence, block)]:
                ids = torch.from_numpy(piece.astype(np.int64))[None]
                with torch.no_grad():
                    expected.append(float(model(input_ids=ids, labels=ids).loss) * (len(piece) - 1))
            assert losses[name].sum() == pytest.approx(sum(expected), rel=1e-5)
            assert len(losses[name]) == sum(len(sequence) - 1 for sequence in sequences)


def test_the_loss_of_each_token_is_kept_where_it_is_asked_for(made, tmp_path):
    found = done(made, tmp_path, runs("hq-100"), trace=True)
    trace = pd.read_parquet(tmp_path / "few/1-of-1.traces.parquet")
    assert list(trace.columns) == list(sweeping.TRACE)
    for line in found.itertuples():
        part = trace[trace["domain"] == line.domain]
        assert part["nats"].sum() == pytest.approx(line.nats, rel=1e-5)
        assert part["position"].tolist() == list(range(line.scored))
    words = load_tokenizer(made["tokenizer"])
    assert {words.decode([token], skip_special_tokens=False) for token in trace["token"]} == set(trace["text"])
    assert (trace.loc[trace["token"] == 1, "text"] == "</s>").all()


def test_a_text_that_is_too_short_stops_the_job_before_anything_is_trained(made, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeping, "train_run", lambda *_: pytest.fail("something was trained"))
    chosen = runs("cc", "qa-33")
    with pytest.raises(
        BrokenArtifact, match=r"sweeps: few, run qa-33-by-copyist-tiny-640-s1, key synthetic: short has \d+ tokens"
    ):
        done(made, tmp_path, chosen)
    with pytest.raises(BrokenArtifact, match="key tokens: 1,000 is not within 0.1 % of whole blocks of 16"):
        done(made, tmp_path, runs("cc", tokens=1000))
    monkeypatch.undo()
    assert set(done(made, tmp_path, chosen, repeat=True)["arm"]) == {"cc", "qa-33"}


def test_a_killed_job_repeats_no_finished_run_and_ends_with_the_same_bytes(made, tmp_path, monkeypatch):
    from scripts.training import loop

    chosen = runs("cc", "hq-33", "hq-100")
    whole = done(made, tmp_path / "whole", chosen)
    child = forked()
    if not child:
        step, steps = loop.one_step, []
        monkeypatch.setattr(loop, "EVERY", 0.0)
        monkeypatch.setattr(loop, "max", lambda *_: 0.0, raising=False)  # a state after every step
        monkeypatch.setattr(
            loop,
            "one_step",
            lambda *a: os.kill(os.getpid(), signal.SIGKILL) if len(steps) == 14 else steps.append(1) or step(*a),
        )
        train(made, tmp_path / "killed", chosen)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    trained, fit = [], loop.fit
    monkeypatch.setattr(loop, "fit", lambda *a, **k: trained.append((k["label"], k["state"].exists())) or fit(*a, **k))
    again = done(made, tmp_path / "killed", chosen)
    # each run takes 10 steps: the first was done, the second had a state
    assert trained == [(chosen[1]["run"], True), (chosen[2]["run"], False)]
    pd.testing.assert_frame_equal(again, whole)


def test_two_processes_train_and_score_as_one(made, tmp_path):
    chosen = runs("hq-33", "cc")
    one = done(made, tmp_path / "one", chosen)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in (0, 1):
        if not (child := forked()):
            code = 1
            try:
                os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
                os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
                train(made, tmp_path / "two", chosen)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    two = pd.read_parquet(tmp_path / "two/few/1-of-1.parquet")
    assert two["nats"].tolist() == pytest.approx(one["nats"].tolist(), rel=1e-4)  # sums are made in another order
    pd.testing.assert_frame_equal(two.drop(columns="nats"), one.drop(columns="nats"))
