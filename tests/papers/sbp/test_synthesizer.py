"""The synthesizer's figure on made-up likelihoods: what d1 is worth, pairs of one document counted once, and nulls."""

import numpy as np
import pandas as pd
import pytest

from papers.sbp import synthesizer
from tests.papers.sbp import made

ROW = {"name": "sbp/synthesizer", "scale": "laptop", "models": {"untuned": "a", "tuned": "b", "random": "c"}}
WORTH = {"untuned": 0.02, "tuned": 0.3, "random": 0.03}


def tables(worth, documents=80, each=4):
    """Likelihoods of pairs, several a document: ``worth`` maps model -> nats a token that the true d1 is worth."""
    rng = np.random.default_rng(0)
    pairs = [(f"{i}-{j}", f"d2-{i}") for i in range(documents) for j in range(each)]
    held = pd.DataFrame({"id": [one for one, _ in pairs], "parent_ids": [["d1", d2] for _, d2 in pairs]})
    hard = np.repeat(rng.normal(2, 0.4, documents), each)
    found = {}
    for model, value in worth.items():
        own = np.repeat(rng.normal(value, 0.1, documents), each)
        other = hard + rng.normal(0, 0.05, len(pairs))
        line = {"id": held["id"], "tokens": 30, "nll": other - own, "nll_other": other, "nll_alone": other + 0.05}
        found[model] = pd.DataFrame(line).sample(frac=1, random_state=1)
    return found, held


def drawn(folder, worth=WORTH, name="synthesizer"):
    found, held = tables(worth)
    paths = made.saved(folder, held=held, **found)
    out = made.outputs(folder / name, "synthesizer")
    asked = [paths[model] for model in ROW["models"]]
    synthesizer.synthesizer(asked, paths["held"], made.CLAIMS, *out, row=ROW, code="c", draws=made.DRAWS)
    return out


def test_what_was_planted_is_found(tmp_path):
    out = drawn(tmp_path)
    assert set(made.verdicts(out[3]).values()) == {"reproduced"}
    worth = pd.read_csv(out[2]).query("panel == 'worth'").set_index("model")
    assert worth["y"].to_dict() == pytest.approx(WORTH, abs=0.05)
    assert (worth["n"] == 80).all()


def test_a_synthesizer_that_ignores_what_it_is_given_is_found_out(tmp_path):
    found = made.verdicts(drawn(tmp_path, dict.fromkeys(WORTH, 0.0))[3])
    assert "reproduced" not in found.values()


def test_one_that_random_pairs_teach_as_well_has_not_learned_relatedness(tmp_path):
    found = made.verdicts(drawn(tmp_path, WORTH | {"random": 0.35})[3])
    assert found["conditional"] == found["tuning"] == "reproduced"
    assert found["related"] == found["valid"] == "not reproduced"


def test_more_pairs_of_a_document_do_not_narrow_the_interval():
    widths = []
    for each in (1, 16):
        found, held = tables(WORTH, each=each)
        values = synthesizer.worth(synthesizer.by_document({m: found[m] for m in synthesizer.MODELS}, held))
        one = synthesizer.plotted(synthesizer.by_document(found, held), "x", 400).query("panel == 'worth'")
        widths.append((one["high"] - one["low"]).mean())
        assert values.shape == (80, 3)
    assert widths[1] > 0.7 * widths[0]


def test_other_pairs_are_refused():
    found, held = tables(WORTH)
    found["random"] = found["random"].iloc[1:]
    with pytest.raises(ValueError, match="random: was asked about other pairs"):
        synthesizer.by_document(found, held)
