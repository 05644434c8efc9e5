"""Figure 2: what Tables 5, 4 and 1 say of the prose, and what is found in runs whose laws are planted."""

import pytest

from papers.mixtures import arms, fig2, sizes
from scripts.lib import laws
from scripts.lib.claims import read_claims
from tests.papers.mixtures import made

CLAIMS = read_claims(made.CLAIMS, "fig2")
SAID = {
    "hq": "reproduced",
    "qa": "reproduced",
    "67-worse-hq": "reproduced",
    "67-worse-qa": "reproduced",
    "67-marginal-hq": "reproduced",
    "67-marginal-qa": "not reproduced",
    "textbook-share": "reproduced",
    "shrinks": "not reproduced",
    "shrinks-far": "reproduced",
    "grows-with-tokens": "reproduced",
    "sizes": "reproduced",
    "non-embedding": "not reproduced",
}


def found_of(tmp_path, table, **more):
    row = made.row("fig2", **more)
    fitted = arms.fitted(made.read(tmp_path, table, row), row, laws.fit_parameters, "fig2")
    found = fig2.reproduced(fitted, made.PRINTED, CLAIMS)
    return found, made.verdicts(CLAIMS, found, row["scale"])


def test_the_prose_against_the_tables():
    found = fig2.published(made.PRINTED)
    assert {name.removeprefix("fig2-published-"): one for name, one in made.verdicts(CLAIMS, found).items()} == SAID
    assert found["fig2-published-67-worse-qa"]["estimate"] == pytest.approx(0.142, abs=1e-3)
    assert fig2.rises(made.PRINTED, "qa-100") == pytest.approx(2.0, abs=0.05)


def test_table_1s_labels_count_one_embedding_matrix():
    known = made.PRINTED.known["sizes"]
    counts = {label: sizes.counted(shape, known["vocabulary"]) for label, shape in known["models"].items()}
    assert [round(one["parameters"] / 1e6) for one in counts.values()] == [102, 192, 489, 1088, 2005, 3024]
    assert [round(one["non_embedding"] / 1e6) for one in counts.values()] == [28, 85, 325, 858, 1718, 2687]
    assert all(shape["dimension"] == 64 * shape["heads"] for shape in known["models"].values())
    assert sizes.number("500M") == 500_000_000 and sizes.rounded(489_268_480) == 500_000_000


def test_parameters_are_those_of_a_llama_of_this_shape():
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": sizes.feedforward(64)}
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(vocab_size=100, tie_word_embeddings=True, **shape))
    counted = sizes.counted({"dimension": 64, "layers": 2}, 100)
    assert sum(each.numel() for each in model.parameters()) == counted["parameters"]


def test_planted_differences_are_found(tmp_path):
    sharper = {**made.PLANTED, "cc": made.law(2.30, 0.34, 0.40, 0.50, 0.50)}  # natural text gains more from size
    found, said = found_of(tmp_path, made.along("parameters", planted=sharper, noise=0.0005))
    names = ("hq", "qa", "hq-rises", "qa-rises", "67-worse-hq", "67-worse-qa", "textbook-share", "shrinks")
    assert {said[f"fig2-{name}"] for name in names} == {"reproduced"}
    truth = {arm: laws.value(law, 1150e-6, 1e-3) for arm, law in sharper.items()}
    assert found["fig2-hq"]["low"] < truth["hq-100"] - truth["cc"] < found["fig2-hq"]["high"]


def test_where_nothing_differs_nothing_is_found(tmp_path):
    same = dict.fromkeys(made.ARMS, made.PLANTED["cc"])
    _, said = found_of(tmp_path, made.along("parameters", planted=same))
    assert "reproduced" not in said.values()


def test_runs_on_the_printed_laws_reproduce_the_paper(tmp_path):
    models = {label: sizes.number(label) for label in made.PRINTED.known["sizes"]["models"]}
    table = made.along("parameters", planted=made.PRINTED.parameters, sizes=models, noise=0.0005)
    _, said = found_of(tmp_path, table, scale="paper")
    assert said["fig2-law"] == said["fig2-crossing-published"] == said["fig2-textbook-share"] == "reproduced"


def test_few_runs_leave_everything_of_ours_undecided(tmp_path):
    few = made.along("parameters", sizes=dict(list(made.SIZES.items())[:3]))
    _, said = found_of(tmp_path, few)
    assert set(said.values()) == {"undecided", "not comparable"}
