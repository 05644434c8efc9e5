"""At temperature 1 the expected gradient of a model's loss on its own unfiltered samples is zero.

The sum over a sample of the gradients of -log p(x_t | BOS, x_<t) is a martingale stopped at EOS or at the length limit, so
its mean is zero, whatever the model: the mean gradient of N samples vanishes as 1/sqrt(N). Any disagreement between how
samples were drawn and how they are trained on (BOS, EOS, truncation, temperature, packing) leaves a floor. Pairs, blocks and
loss are the training stage's own.
"""

import tempfile

import numpy as np
import pytest
import torch

from scripts.synthesis import pocket
from scripts.synthesis.draws import Sample
from scripts.training.data import Blocks, pack, pairs_of
from scripts.training.loop import loss_sum

BOS, LONGEST, GROUP = 0, 24, 100
MODELS = {"BOS is EOS": ("qwen2", 8, 0), "BOS is not EOS": ("llama", 6, 1)}  # architecture, seed of the weights, EOS


@pytest.fixture(scope="module")
def cases(make_model):
    """name -> (model, bos, eos, its 4,000 samples)."""
    made = {}
    for name, (kind, seed, eos) in MODELS.items():
        sizes = {"vocab_size": 24, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "head_dim": 4}
        model = make_model(kind, seed=seed, eos_token_id=eos, scale=0.5, **sizes)
        made[name] = (model, BOS, eos, draw(model, eos))
    return made


def draw(model, eos: int, temperature: float = 1.0, count: int = 4000) -> list[Sample]:
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        engine = pocket.engine(folder, eos=[eos], temperature=temperature, max_new_tokens=LONGEST)
    return [one for start in range(0, count, 500) for one in engine([[BOS]] * 500, range(start, start + 500))]


def group_gradients(model, samples: list[Sample], bos: int, eos: int, packing: str = "documents", spoil=lambda blocks: blocks):
    """The gradient of the summed loss of each group of samples, divided by its samples: float64 [groups, parameters]."""
    rows = []
    for start in range(0, len(samples), GROUP):
        part = samples[start : start + GROUP]
        blocks = pack(pairs_of([s.ids for s in part], [s.complete for s in part], bos, eos), 32, packing, seed=start)
        model.zero_grad()
        loss_sum(model, spoil(blocks)).backward()
        rows.append(torch.cat([p.grad.flatten() for p in model.parameters()]).double() / len(part))
    return torch.stack(rows)


def deviation(gradients: torch.Tensor) -> float:
    """How many standard deviations |mean|^2 is above its expectation when the true mean is zero.

    The mean of g_i . g_j over i != j estimates |E g|^2 without bias; under a true mean of zero its variance is
    2 tr(C^2) / (n (n - 1)), and tr(C^2) is the mean of (g_i . g_j)^2.
    """
    n = len(gradients)
    products = (gradients @ gradients.T)[~torch.eye(n, dtype=torch.bool)]
    return float(products.mean() / (2 * products.square().mean() / (n * (n - 1))).sqrt())


@pytest.mark.parametrize("case", MODELS)
def test_the_mean_gradient_vanishes_with_the_samples_and_has_no_floor(case, cases):
    model, bos, eos, samples = cases[case]
    assert 0.2 < np.mean([s.complete for s in samples]) < 0.98, "both ends must occur"
    gradients = group_gradients(model, samples, bos, eos)
    assert abs(deviation(gradients)) < 3
    spread = gradients.var(0).sum()
    for groups in (5, 20, 40):
        parts = gradients.view(-1, groups, gradients.shape[1]).mean(1)
        ratio = float((parts.square().sum(1) * groups / spread).mean())
        assert 0.4 < ratio < 2.0, f"|mean|^2 of {groups * GROUP} samples is {ratio:.2f} times what 1/N gives"


def wrong_targets(blocks: Blocks) -> Blocks:
    return blocks._replace(targets=np.roll(blocks.targets, 1, axis=1))


def wrong_positions(blocks: Blocks) -> Blocks:
    return blocks._replace(positions=np.where(blocks.positions > 3, blocks.positions + 1, blocks.positions))


def with_complete(samples: list[Sample], complete: bool) -> list[Sample]:
    return [Sample(one.ids, complete) for one in samples]


SPOILT = {
    "another BOS in training": lambda m, b, e, s: group_gradients(m, s, 5, e),
    "EOS dropped": lambda m, b, e, s: group_gradients(m, with_complete(s, False), b, e),
    "EOS after texts that were cut": lambda m, b, e, s: group_gradients(m, with_complete(s, True), b, e),
    "another EOS in training": lambda m, b, e, s: group_gradients(m, s, b, 7),
    "only complete samples kept": lambda m, b, e, s: group_gradients(m, [x for x in s if x.complete], b, e),
    "empty samples left out": lambda m, b, e, s: group_gradients(m, [x for x in s if len(x.ids)], b, e),
    "attention and positions across documents": lambda m, b, e, s: group_gradients(m, s, b, e, "stream"),
    "targets off by one": lambda m, b, e, s: group_gradients(m, s, b, e, spoil=wrong_targets),
    "positions off by one": lambda m, b, e, s: group_gradients(m, s, b, e, spoil=wrong_positions),
    "temperature 0.9": lambda m, b, e, s: group_gradients(m, draw(m, e, 0.9), b, e),
}


@pytest.mark.parametrize("way", SPOILT)
def test_a_disagreement_between_sampling_and_training_leaves_a_floor(way, cases):
    assert deviation(SPOILT[way](*cases["BOS is EOS"])) > 8


@pytest.mark.parametrize("truncation", ["top-k 8", "top-p 0.9"])
def test_truncated_sampling_leaves_a_floor(truncation, cases, monkeypatch):
    model, bos, eos, _ = cases["BOS is EOS"]
    cumulative = pocket.cumulative

    def truncated(logits: torch.Tensor, temperature: float) -> torch.Tensor:
        ordered, order = torch.sort(logits, descending=True)
        before = torch.softmax(ordered, -1).cumsum(-1) - torch.softmax(ordered, -1)
        out = torch.arange(logits.shape[1]) >= 8 if truncation == "top-k 8" else before >= 0.9
        gone = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, order, out.expand(logits.shape))
        return cumulative(logits.masked_fill(gone, -torch.inf), temperature)

    monkeypatch.setattr(pocket, "cumulative", truncated)
    assert deviation(group_gradients(model, draw(model, eos), bos, eos)) > 8
