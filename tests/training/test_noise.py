"""Noise on weights: its size, its seed, its layout."""

import pytest
import torch

from scripts.training.architecture import make_model
from scripts.training.noise import add_noise, make_noisy

SIZE = {"architecture": "gpt_neox", "hidden": 32, "layers": 1, "heads": 2, "feedforward": 64, "name": "small"}


def model(**more):
    return make_model({**SIZE, **more}, 300, 0, 0, seed=1)


def weights(one):
    return {name: p.detach().clone() for name, p in one.named_parameters()}


def test_noise_is_as_large_as_it_says_and_of_one_direction():
    before = weights(model())
    moved = {}
    for level in (0.1, 0.3):
        noisy = model()
        add_noise(noisy, level, 0, "run")
        moved[level] = {name: p - before[name] for name, p in weights(noisy).items()}
    for name, p in before.items():
        if p.numel() > 1000:
            assert moved[0.1][name].std().item() == pytest.approx(0.1 * p.std().item(), rel=0.1)
        assert torch.allclose(3 * moved[0.1][name], moved[0.3][name], atol=1e-6), name
    other = model()
    add_noise(other, 0.1, 1, "run")
    largest = max(before, key=lambda name: before[name].numel())
    assert not torch.allclose(weights(other)[largest] - before[largest], moved[0.1][largest], atol=1e-3)


def test_checkpoints_lie_as_those_of_a_run(tmp_path):
    base = tmp_path / "base"
    model().save_pretrained(base)
    for out in ("a", "b"):
        make_noisy(base, tmp_path / out, row={"name": "noisy", "levels": [0.05, 0.2], "seed": 3}, code="c")
    files = sorted(str(path.relative_to(tmp_path / "a")) for path in (tmp_path / "a").rglob("*.safetensors"))
    assert files == ["subset-0/epoch-1/model.safetensors", "subset-0/epoch-2/model.safetensors"]
    assert [(tmp_path / "a" / one).read_bytes() for one in files] == [(tmp_path / "b" / one).read_bytes() for one in files]
    assert (tmp_path / "a.card.json").exists()
