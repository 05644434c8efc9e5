import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from scripts.synthesis.draws import Sample, choose, cumulative, uniforms


def test_uniforms_depend_on_the_seed_alone_and_more_steps_append():
    few, many = uniforms([3, 2**62 + 1], 5), uniforms([9, 2**62 + 1, 3], 50)
    assert np.array_equal(few[0], many[2, :5]) and np.array_equal(few[1], many[1, :5])
    assert not np.array_equal(many[0], many[2])


def test_uniforms_are_uniform_along_steps_and_along_seeds():
    u = uniforms(range(2000), 20)
    assert u.shape == (2000, 20) and u.dtype == np.float64
    assert min(kstest(u[:, step], "uniform").pvalue for step in range(20)) > 1e-4
    assert abs(np.corrcoef(u[:, 0], u[:, 1])[0, 1]) < 0.1 and abs(np.corrcoef(u[:-1, 0], u[1:, 0])[0, 1]) < 0.1


def test_a_token_of_probability_zero_is_never_chosen():
    cdf = torch.tensor([[0.5, 0.5, 1.0]], dtype=torch.float64)
    assert [int(choose(cdf, torch.tensor([u], dtype=torch.float64))) for u in (0.0, 0.4999, 0.5, 0.9999)] == [0, 0, 2, 2]


@pytest.mark.parametrize("temperature", [0.75, 1.0, 1.25])
def test_draws_follow_the_tempered_softmax(temperature):
    logits = torch.randn(1, 30, generator=torch.Generator().manual_seed(1)) * 2
    u = torch.from_numpy(uniforms(range(20_000), 1)[:, 0])
    counts = torch.bincount(choose(cumulative(logits, temperature).expand(len(u), -1).contiguous(), u), minlength=30).numpy()
    p_of = {t: torch.softmax(logits[0].double() / t, -1).numpy() * len(u) for t in (0.75, 1.0, 1.25)}
    fits = {t: chisquare(counts, p).pvalue for t, p in p_of.items()}
    assert fits.pop(temperature) > 1e-3 and max(fits.values()) < 1e-6, "only the temperature asked for may fit"


def test_the_far_tail_of_a_large_vocabulary_keeps_its_mass():
    """One token holds 0.9, 150,000 share 0.1, each about 7e-7: a float32 sum near 1 could not move by that much exactly."""
    logits = torch.zeros(1, 150_001)
    logits[0, 0] = np.log(0.9 * 150_000 / 0.1)
    cdf = cumulative(logits, 1.0)
    exact = 0.9 + 0.1 * np.arange(150_001) / 150_000
    assert np.abs(cdf[0].numpy() - exact).max() < 1e-7
    assert int(choose(cdf, torch.tensor([1 - 2.0**-53], dtype=torch.float64))) == 150_000


def test_cut_ends_at_the_first_eos_and_leaves_it_out():
    done, empty, open_ended = Sample.cut([5, 6, 1, 1, 7], [1]), Sample.cut([1, 1], [1]), Sample.cut([5, 6], [1])
    assert (done.ids.tolist(), done.complete) == ([5, 6], True)
    assert (empty.ids.tolist(), empty.complete) == ([], True)
    assert (open_ended.ids.tolist(), open_ended.complete) == ([5, 6], False)
    assert done.ids.dtype == np.int32
    assert Sample.cut([5, 6, 9, 1], [1, 9]).ids.tolist() == [5, 6], "any of several ends it"
