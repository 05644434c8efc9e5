"""Likelihood against the models' own loss; what is scored, and what is said of it."""

import numpy as np
import pandas as pd
import pytest

from scripts.audits import nll
from scripts.lib.files import read_card
from scripts.lib.likelihood import token_nats
from scripts.lib.models import load_model, load_tokenizer
from scripts.lib.tokens import encode
from tests.audits.conftest import TEXTS, corpus


@pytest.mark.parametrize("architecture", ["qwen2", "llama", "gpt_neox"])
def test_nll_is_the_loss_of_transformers(tmp_path, models, architecture):
    import torch

    folder = models[architecture]
    complete = [i % 2 == 0 for i in range(12)]
    path = corpus(tmp_path / "curated.parquet", TEXTS[:12], complete=complete)
    nll.main(
        ["--code", "c", "--model", str(folder), "--documents", str(path)]
        + ["--out", str(tmp_path / "out.parquet"), "--lengths", str(tmp_path / "out.lengths.csv")]
    )
    table = pd.read_parquet(tmp_path / "out.parquet")
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    assert table["id"].tolist() == pd.read_parquet(path)["id"].tolist()
    for line, text, ended in zip(table.itertuples(), TEXTS, complete, strict=False):
        ids = torch.tensor([[0, *encode(tokenizer, [text])[0].tolist(), *([1] if ended else [])]])
        with torch.no_grad():
            expected = float(model(input_ids=ids, labels=ids).loss)
        assert line.nll == pytest.approx(expected, rel=1e-5)
        assert line.tokens == ids.shape[1] - 1
    assert table["nll"].std() > 0.01, "documents differ, so that a mix-up would show"


def test_memory_limits_and_batches_change_nothing(models):
    model = load_model(models["qwen2"])
    rng = np.random.default_rng(0)
    sequences = [np.append(0, rng.integers(2, 330, n)) for n in (0, 1, 5, 40, 3, 90, 17, 17)]
    expected = token_nats(model, sequences, window=128, batch=1)
    for batch, logits in ((3, None), (64, 330 * 100), (64, 1)):
        found = token_nats(model, sequences, window=128, batch=batch, logits=logits)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-5)
    assert [len(one) for one in expected] == [len(one) - 1 for one in sequences]


def lossy_documents(tokenizer):
    """Ids and texts: cut as the tokenizer would; a byte that is no UTF-8; letters that the tokenizer would merge."""
    words = load_tokenizer(tokenizer)
    plain = encode(words, [TEXTS[0]])[0].tolist()
    broken = [*plain[:4], words.token_to_id("Ã")]
    letters = [words.token_to_id(c) for c in "gate"]
    ids = [plain, broken, letters, None]
    texts = [words.decode(one, skip_special_tokens=False) if one else TEXTS[1] for one in ids]
    assert texts[0] == TEXTS[0] and "\ufffd" in texts[1] and texts[2] == "gate"
    return ids, texts


def scored(tmp_path, folder, writer, documents):
    out, lengths = tmp_path / f"{writer.name}.parquet", tmp_path / f"{writer.name}.lengths.csv"
    model = load_model(folder)
    nll.score(documents, out, lengths, model=model, folder=folder, writer=writer, code="c")
    return pd.read_parquet(out), read_card(out)["counts"], pd.read_csv(lengths)


def test_sampled_ids_are_scored_where_they_are_the_scorers_own(tmp_path, models, tokenizer, other_tokenizer):
    folder = models["qwen2"]
    ids, texts = lossy_documents(tokenizer)
    path = corpus(tmp_path / "curated.parquet", texts, ids=ids, complete=[False] * 4)
    own, counts, _ = scored(tmp_path, folder, tokenizer, path)
    assert own["scored"].tolist() == ["sampled", "sampled", "sampled", "retokenised"]
    assert own["same"].tolist() == [True, False, False, None]
    assert counts == {
        "documents": 4,
        "tokens": int(own["tokens"].sum()),
        "sampled": 3,
        "retokenised": 1,
        "other_ids_once_retokenised": 2,
        "replacement": 1,
    }
    model = load_model(folder)
    for i in range(3):
        direct = token_nats(model, [np.array([0, *ids[i]])])[0]
        assert own["nll"][i] == pytest.approx(direct.mean(), rel=1e-5) and own["tokens"][i] == len(ids[i])
    assert own["nll_text"][0] == own["nll"][0] and own["nll_text"][3] == own["nll"][3]
    cross, counts, _ = scored(tmp_path, folder, other_tokenizer, path)
    assert set(cross["scored"]) == {"retokenised"} and cross["same"].isna().all() and counts["sampled"] == 0
    np.testing.assert_allclose(cross["nll"], own["nll_text"], rtol=1e-5)
    assert (abs(cross["nll"] - own["nll"]) > 1e-3).tolist() == [False, True, True, False]


def test_curve_is_of_the_first_tokens_of_documents_that_reach_a_length():
    rng = np.random.default_rng(0)
    values = [rng.random(n).astype(np.float32) for n in (3, 8, 9, 16, 40)]
    curve = np.zeros((len(nll.LENGTHS), 3))
    for part in (values[:2], values[2:]):
        nll.add_to_curve(curve, part)
    table = nll.curve_table(curve)
    assert table["length"].tolist() == [8, 16, 32] and table["documents"].tolist() == [4, 2, 1]
    for line in table.itertuples():
        means = np.array([v[: line.length].mean() for v in values if len(v) >= line.length])
        assert line.nll == pytest.approx(means.mean(), rel=1e-5)
        if len(means) > 1:
            assert line.sd == pytest.approx(means.std(ddof=1), rel=1e-4)


def test_the_length_that_gives_a_mean():
    curve = pd.DataFrame({"length": [8, 32, 128], "nll": [4.0, 6.0, 7.0]})
    assert nll.length_for(curve, 5.0) == pytest.approx(16)
    assert nll.length_for(curve, 7.0) == pytest.approx(128)
    assert np.isnan(nll.length_for(curve, 9.1)) and np.isnan(nll.length_for(curve, 3.9))
    falling = curve.assign(nll=[7.0, 6.0, 4.0])
    assert nll.length_for(falling, 5.0) == pytest.approx(64)


def test_one_job_scores_several_corpora(tmp_path, models, capsys):
    paths = [corpus(tmp_path / name / "curated.parquet", TEXTS[:n], name=name) for name, n in (("a", 3), ("b", 5))]
    outs = [str(tmp_path / f"{name}.parquet") for name in "ab"]
    lengths = [str(tmp_path / f"{name}.lengths.csv") for name in "ab"]
    documents = list(map(str, paths))
    nll.main(["--code", "c", "--model", str(models["llama"]), "--documents", *documents, "--out", *outs, "--lengths", *lengths])
    assert [len(pd.read_parquet(path)) for path in outs] == [3, 5]
    assert "b-by-llama" in capsys.readouterr().err
