"""Whether two sets of samples come from one distribution: first tokens, unigrams, lengths, likelihood under the model.

Samples of a set are independent, the tokens of one sample are not; so unigrams are judged by dealing whole samples anew.
"""

import numpy as np
from scipy.stats import chi2_contingency, ks_2samp

from scripts.lib.likelihood import nats
from scripts.lib.models import load_model
from scripts.lib.statistics import holm
from scripts.synthesis.draws import Sample

DEALS = 5000


def mean_nll(model, samples: list[Sample], bos: int, eos: int) -> np.ndarray:
    """Nats per target of each sample under a loaded model, EOS included where it was sampled: float64, one a sample."""
    rows = [np.array([bos, *one.ids, *([eos] if one.complete else [])]) for one in samples]
    return nats(model, rows, window=max(map(len, rows))) / [len(row) - 1 for row in rows]


def first_tokens(one: list[Sample], other: list[Sample], eos: int) -> float:
    """Chi-squared on first tokens, EOS among them; those seen fewer than ten times are one class."""
    firsts = [[each.ids[0] if len(each.ids) else eos for each in samples] for samples in (one, other)]
    counts = np.stack([np.bincount(ids, minlength=max(map(max, firsts)) + 1) for ids in firsts])
    common = counts.sum(0) >= 10
    table = np.column_stack([counts[:, common], counts[:, ~common].sum(1)])
    return float(chi2_contingency(table[:, table.sum(0) > 0]).pvalue)


def unigrams(one: list[Sample], other: list[Sample], seed: int = 0) -> float:
    """Permutation test on the chi-squared distance of token counts, of tokens seen ten times or more."""
    every = [*one, *other]
    width = max(each.ids.max(initial=0) for each in every) + 1
    counts = np.stack([np.bincount(each.ids, minlength=width) for each in every])
    counts = counts[:, counts.sum(0) >= 10].astype(np.float32)
    rng, total, size = np.random.default_rng(seed), counts.sum(0), 500

    def distance(sides: np.ndarray) -> np.ndarray:
        first = sides @ counts
        second = total - first
        return ((first / first.sum(1, keepdims=True) - second / second.sum(1, keepdims=True)) ** 2 / total).sum(1)

    observed = distance((np.arange(len(every)) < len(one))[None].astype(np.float32))
    dealt = []
    for _ in range(DEALS // size):
        sides = np.zeros((size, len(every)), np.float32)
        chosen = rng.random(sides.shape, np.float32).argpartition(len(one) - 1, axis=1)[:, : len(one)]
        np.put_along_axis(sides, chosen, 1.0, axis=1)
        dealt.append(distance(sides))
    return float((1 + (np.concatenate(dealt) >= observed).sum()) / (1 + DEALS))


def p_values(folder, one: list[Sample], other: list[Sample], bos: int, eos: int) -> dict[str, float]:
    """The p-value of each comparison of two sets of samples of the model in a folder."""
    model = load_model(folder)
    return {
        "first tokens": first_tokens(one, other, eos),
        "unigrams": unigrams(one, other),
        "lengths": float(ks_2samp(*([len(each.ids) for each in samples] for samples in (one, other))).pvalue),
        "nats a token": float(ks_2samp(*(mean_nll(model, samples, bos, eos) for samples in (one, other))).pvalue),
    }


def table(pairs: dict[str, dict[str, float]]) -> tuple[str, dict[str, float]]:
    """Text with the p-values of several pairs, and the smallest Holm-adjusted one of each pair, over all of them."""
    adjusted = holm(np.array([p for pair in pairs.values() for p in pair.values()])).reshape(len(pairs), -1).min(1)
    lines = [f"{'p of':40}" + "".join(f"{name:>14}" for name in next(iter(pairs.values()))) + f"{'least by Holm':>15}"]
    for (name, pair), least in zip(pairs.items(), adjusted, strict=True):
        lines.append(f"{name:40}" + "".join(f"{p:14.4g}" for p in pair.values()) + f"{least:15.4g}")
    return "\n".join(lines), dict(zip(pairs, adjusted.tolist(), strict=True))
