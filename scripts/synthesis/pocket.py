"""The fast engine, for small models on one CPU thread: takes a model folder, makes samples.

A key-value cache written in place and inverse-CDF draws (`scripts.synthesis.draws`); a block of samples walks in step, and
rows that have ended leave it. Prompts may be of unequal length: all begin at position 0, and a row draws where its own prompt
ends, while others still read theirs. Architectures are those of `scripts.lib.decoder`.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812

from scripts.lib.decoder import Layer, Weights, after_attention, norm, read_weights
from scripts.synthesis.draws import Draw, Sample, choose, cumulative, uniforms

KEEP = 0.85  # rows that have ended leave once no more than this share of the batch goes on: leaving copies the cache
ROOM = 64  # positions by which the cache grows


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of x [rows, heads, size]; cos, sin [n] with n <= size, the rest is left as it is."""
    n = len(cos)
    turned, rest = x[..., :n], x[..., n:]
    left, right = turned.chunk(2, -1)
    turned = torch.cat([-right, left], -1).mul_(sin).addcmul_(turned, cos)
    return torch.cat([turned, rest], -1) if rest.shape[-1] else turned


class Walk:
    """A batch that walks in step: its position, and keys and values in blocks [rows * kv heads, ROOM * n, size] for each layer.

    Blocks grow by ROOM positions, so that what is read at a step lies close together: reading them takes half of all time.
    """

    def __init__(self, weights: Weights, rows: int):
        self.weights, self.rows, self.position = weights, rows, 0
        size = (rows * weights.kv_heads, ROOM, weights.head_size)
        self.cache = [[torch.empty(size), torch.empty(size)] for _ in weights.layers]

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with the rows of these numbers (int64, ascending) and let the others leave."""
        for pair in self.cache:
            pair[:] = [block.view(self.rows, -1, *block.shape[1:])[rows].flatten(0, 1) for block in pair]
        self.rows = len(rows)

    def step(self, ids: torch.Tensor) -> torch.Tensor:
        """Feed one id a row, int64 [rows]; logits of the next, float32 [rows, vocabulary]."""
        w, at = self.weights, self.position
        if at and at % ROOM == 0:
            for pair in self.cache:
                pair[:] = [F.pad(block, (0, 0, 0, ROOM)) for block in pair]
        x = F.embedding(ids, w.embedding)
        for layer, blocks in zip(w.layers, self.cache, strict=True):
            x = after_attention(x, self._attend(norm(x, layer.norm_in, w), layer, *blocks), layer, w)
        self.position = at + 1
        return F.linear(norm(x, w.norm, w), *w.head)

    def _attend(self, x: torch.Tensor, layer: Layer, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        w, at = self.weights, self.position
        qkv = F.linear(x, *layer.qkv).view(self.rows, -1, w.head_size)
        qk = qkv[:, : w.heads + w.kv_heads]
        if layer.norm_q:
            qk = torch.cat([norm(qk[:, : w.heads], layer.norm_q, w), norm(qk[:, w.heads :], layer.norm_k, w)], 1)
        qk = _rotate(qk, w.cos[at], w.sin[at])
        keys[:, at] = qk[:, w.heads :].reshape(-1, w.head_size)
        values[:, at] = qkv[:, w.heads + w.kv_heads :].reshape(-1, w.head_size)
        q = qk[:, : w.heads].reshape(self.rows * w.kv_heads, -1, w.head_size)
        scores = torch.baddbmm(q.new_empty(1), q, keys[:, : at + 1].transpose(1, 2), beta=0, alpha=w.head_size**-0.5)
        return torch.bmm(torch.softmax(scores, -1), values[:, : at + 1]).view(self.rows, -1)


def engine(folder: str, *, eos: Sequence[int], temperature: float, max_new_tokens: int, longest: int = 1) -> Draw:
    """Draws one block, in float32; prompts have up to ``longest`` ids. The n-th draw of a row takes its n-th uniform.

    Raises:
        scripts.lib.models.BadModel: when the model is not one that `scripts.lib.decoder` knows.
    """
    weights, ends = read_weights(folder, longest + max_new_tokens - 1), torch.tensor(eos)

    @torch.inference_mode()
    def block(prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Sample]:
        u = torch.from_numpy(uniforms(seeds, max_new_tokens).T.copy())
        ids = torch.empty(len(seeds), max_new_tokens, dtype=torch.int32)
        length = torch.full((len(seeds),), max_new_tokens)
        complete = torch.zeros(len(seeds), dtype=torch.bool)
        last = torch.tensor([len(prompt) - 1 for prompt in prompts])  # the position after which a row draws first
        given = torch.zeros(len(seeds), int(last.max()) + 2, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            given[row, : len(prompt)] = torch.tensor(prompt)
        walk = Walk(weights, len(seeds))
        rows = torch.arange(len(seeds))
        alive = torch.ones(len(seeds), dtype=torch.bool)
        token = given[:, 0]
        while len(rows):
            at = walk.position
            logits, number = walk.step(token), at - last[rows]  # number of the draw; below 0 while a row reads its prompt
            draws = (number >= 0) & (number < max_new_tokens)
            if draws.all():
                token = choose(cumulative(logits, temperature), u[number, rows])
            else:
                token = given[rows, min(at + 1, given.shape[1] - 1)]
                token[draws] = choose(cumulative(logits[draws], temperature), u[number[draws], rows[draws]])
            ids[rows[draws], number[draws]] = token[draws].int()
            ended = alive & draws & torch.isin(token, ends)
            done = ended | (alive & (number == max_new_tokens - 1))
            if done.any():
                length[rows[ended]], complete[rows[ended]] = number[ended], True
                alive &= ~done
                left = int(alive.sum())
                if not left:
                    break
                if left <= KEEP * len(rows):
                    walk.keep(alive.nonzero()[:, 0])
                    rows, token, alive = rows[alive], token[alive], alive[alive]
        return [
            Sample(row[:n].copy(), done) for row, n, done in zip(ids.numpy(), length.tolist(), complete.tolist(), strict=True)
        ]

    return block
