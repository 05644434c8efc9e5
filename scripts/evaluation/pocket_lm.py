"""lm-eval's view of a small decoder on one CPU thread: tokens and scores of lm-eval's own hf model, sooner.

Reads model directories (`scripts.lib.decoder`); makes log-likelihoods and greedy continuations for lm-eval. What saves time:
none of transformers is imported; tokens, masks and batches are planned once and used for every checkpoint; choices of one item
share the computation of their common prefix (a tree mask); the last layer is computed only where a token is scored, and so is
the vocabulary; generation keeps keys and values in a static cache and drops finished rows.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from lm_eval import utils
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text

from scripts.lib.decoder import Layer, Weights, after_attention, norm, read_weights
from scripts.lib.models import bos_of, config_of, eos_of, load_tokenizer, special_token

TOKENS = 2048  # padded tokens of one batch of choices; larger ones fall out of the cache
ROWS = 64  # prompts of one batch of generation
LOOK = 8  # steps between two looks for stop strings


class Batch(NamedTuple):
    """A planned batch of choices; B trees, L tokens each, Q scored positions each, M scored tokens in all."""

    ids: torch.Tensor  # [B, L]
    positions: torch.Tensor  # [B, L]
    mask: torch.Tensor  # [B, 1, L, L], 0 or -inf
    rows: torch.Tensor  # [B, Q] scored positions, padded with 0
    last_mask: torch.Tensor  # [B, 1, Q, L]
    scored: torch.Tensor  # [M] into the flattened [B * Q]
    targets: torch.Tensor  # [M]
    owners: torch.Tensor  # [M] which request a token belongs to


def shared_prefix(sequences: Sequence[Sequence[int]]) -> int:
    """How many leading tokens all sequences share: ``shared_prefix([[1, 2, 3], [1, 2, 4]])`` is 2."""
    first, last = min(sequences), max(sequences)
    for i, token in enumerate(first):
        if i == len(last) or token != last[i]:
            return i
    return len(first)


def group(sequences: list[list[int]], most: int = 16) -> list[list[int]]:
    """Neighbours that share at least half of the shorter one, as lists of indices: mostly the choices of one item."""
    groups: list[list[int]] = []
    for i, sequence in enumerate(sequences):
        if groups and len(groups[-1]) < most:
            head = sequences[groups[-1][0]]
            if 2 * shared_prefix([head, sequence]) >= min(len(head), len(sequence)):
                groups[-1].append(i)
                continue
        groups.append([i])
    return groups


class Tree(NamedTuple):
    """Sequences laid out as one prefix and their branches."""

    ids: list[int]
    positions: list[int]
    branch: list[int]  # 0 for the prefix, i + 1 for branch i
    places: list[list[int]]  # of each sequence: where its tokens stand


def tree_of(sequences: list[list[int]]) -> Tree:
    """Lay out sequences: ``tree_of([[1, 2, 3], [1, 2, 4, 5]])`` has ids 1 2 3 4 5 and positions 0 1 2 2 3."""
    prefix = shared_prefix(sequences)
    ids, positions, branch = list(sequences[0][:prefix]), list(range(prefix)), [0] * prefix
    places = []
    for number, sequence in enumerate(sequences, 1):
        start = len(ids)
        ids += sequence[prefix:]
        positions += range(prefix, len(sequence))
        branch += [number] * (len(sequence) - prefix)
        places.append([*range(prefix), *range(start, len(ids))])
    return Tree(ids, positions, branch, places)


def plan(requests: list[tuple[list[int], list[int]]], max_length: int) -> list[Batch]:
    """Batches for (context, continuation) pairs of token ids; sequences longer than ``max_length`` lose their left end.

    Raises:
        ValueError: naming the request whose continuation is empty.
    """
    for number, (_, continuation) in enumerate(requests):
        if not continuation:
            raise ValueError(
                f"request {number}: its continuation has no token of its own; expected text that adds tokens to the context"
            )
    inputs = [(context + continuation)[-(max_length + 1) :][:-1] for context, continuation in requests]
    trees = []
    for members in group(inputs):
        tree = tree_of([inputs[i] for i in members])
        scored = [
            (place, token, i)
            for i, places in zip(members, tree.places, strict=True)
            for place, token in zip(places[-len(requests[i][1]) :], requests[i][1][-len(places) :], strict=True)
        ]
        trees.append((tree, scored))
    trees.sort(key=lambda item: (-len(item[0].ids), item[1][0][2]))
    batches = []
    while trees:
        size = max(1, TOKENS // len(trees[0][0].ids))
        batches.append(_batch(trees[:size]))
        trees = trees[size:]
    return batches


def _batch(trees: list[tuple[Tree, list[tuple[int, int, int]]]]) -> Batch:
    count, length = len(trees), max(len(tree.ids) for tree, _ in trees)
    ids = torch.zeros(count, length, dtype=torch.long)
    positions = torch.zeros(count, length, dtype=torch.long)
    branch = torch.full((count, length), -1)
    wanted = [sorted({place for place, _, _ in scored}) for _, scored in trees]
    queries = max(map(len, wanted))
    rows = torch.zeros(count, queries, dtype=torch.long)
    where, targets, owners = [], [], []
    for b, (tree, scored) in enumerate(trees):
        n = len(tree.ids)
        ids[b, :n], positions[b, :n], branch[b, :n] = (torch.tensor(v) for v in (tree.ids, tree.positions, tree.branch))
        rows[b, : len(wanted[b])] = torch.tensor(wanted[b])
        column = {place: q for q, place in enumerate(wanted[b])}
        where += [b * queries + column[place] for place, _, _ in scored]
        targets += [token for _, token, _ in scored]
        owners += [owner for _, _, owner in scored]
    earlier = torch.ones(length, length, dtype=torch.bool).tril()
    seen = earlier & ((branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None]))
    mask = torch.zeros(count, 1, length, length).masked_fill_(~seen[:, None], -torch.inf)
    last = mask.gather(2, rows[:, None, :, None].expand(-1, 1, -1, length))
    return Batch(ids, positions, mask, rows, last, torch.tensor(where), torch.tensor(targets), torch.tensor(owners))


def side_by_side(w: Weights) -> Weights:
    """The same weights, rows of queries and keys in another order: what rotation pairs (i with i + half) stands side by side.

    So a pair is one complex number, and rotation is a product. Scores stay, as queries and keys are reordered alike.
    """
    turned = w.cos.shape[-1]  # GPT-NeoX turns a part of each head only
    order = torch.cat([torch.arange(turned).view(2, -1).T.reshape(-1), torch.arange(turned, w.head_size)])
    rows = (w.heads + w.kv_heads) * w.head_size

    def reordered(part: torch.Tensor | None, rows: int = rows) -> torch.Tensor | None:
        if part is None:
            return None
        heads = part[:rows].view(-1, w.head_size, *part.shape[1:])
        return torch.cat([heads[:, order].reshape(rows, *part.shape[1:]), part[rows:]])

    def layer_of(layer: Layer) -> Layer:
        norm_q, norm_k = (pair and (reordered(pair[0], w.head_size), None) for pair in (layer.norm_q, layer.norm_k))
        return layer._replace(qkv=tuple(map(reordered, layer.qkv)), norm_q=norm_q, norm_k=norm_k)

    return w._replace(layers=list(map(layer_of, w.layers)))


class PocketLM(TemplateLM):
    """An LM of lm-eval that holds the weights of the current checkpoint, and what was planned for the last questions."""

    eot_token_id = prefix_token_id = None  # an object has its own
    max_gen_toks = 256  # where a task does not say, as HFLM's

    def __init__(self, base: str | Path, add_bos: bool):
        """Tokenises as HFLM does with the tokenizer of ``base``, or, with ``add_bos``, so that every context begins with BOS.

        Raises:
            BadModel, BrokenArtifact: see `scripts.lib.decoder.read_weights`.
        """
        super().__init__()
        self.tokenizer = load_tokenizer(base)
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.add_bos, self.prefix_token_id, eos = add_bos, bos_of(base), special_token(base, "eos_token")
        self.eot_token_id = eos_of(base) if eos is None else eos
        self.max_length = config_of(base).get("max_position_embeddings", 2048)  # lm-eval's default
        self.tok_encode = functools.cache(self.tok_encode)  # contexts come back once for every choice
        self._choices: tuple[list, list[Batch]] | None = None
        self._prompts: tuple[list, list[list[int]]] | None = None
        self.load(base)

    @torch.inference_mode()
    def load(self, folder: str | Path) -> None:
        """Answer from now on as the checkpoint in ``folder``."""
        self.weights = w = side_by_side(read_weights(folder, self.max_length))
        half = w.cos.shape[-1] // 2
        self.turns = torch.complex(w.cos[:, :half].contiguous(), w.sin[:, :half].contiguous())[:, None, :]

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_) -> list[int]:
        """Token ids of a text, which may spell special tokens; one that begins with the prefix token's text gets none more."""
        if add_special_tokens is None:
            add_special_tokens = not string.startswith(self.tok_decode([self.prefix_token_id], skip_special_tokens=False))
        if add_special_tokens and self.add_bos:
            return [self.prefix_token_id, *self.tokenizer.encode(string, add_special_tokens=False).ids]
        return self.tokenizer.encode(string, add_special_tokens=add_special_tokens).ids

    def tok_decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of token ids."""
        return self.tokenizer.decode(tokens, skip_special_tokens=skip_special_tokens)

    def _qkv(self, layer: Layer, x: torch.Tensor, turns: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values [B, heads, L, size] of hidden states [B, L, hidden]; turns [B, L, 1, turned / 2]."""
        w = self.weights
        joined = F.linear(norm(x, layer.norm_in, w), *layer.qkv).view(*x.shape[:2], -1, w.head_size)
        both, some = w.heads + w.kv_heads, 2 * turns.shape[-1]
        qk = joined[:, :, :both]
        if layer.norm_q:
            qk = torch.cat([norm(qk[:, :, : w.heads], layer.norm_q, w), norm(qk[:, :, w.heads :], layer.norm_k, w)], 2)
        turned = torch.view_as_real(torch.view_as_complex(qk[..., :some].unflatten(3, (-1, 2))) * turns).flatten(3)
        if some < w.head_size:
            turned = torch.cat([turned, qk[..., some:]], -1)
        q, k, v = turned[:, :, : w.heads], turned[:, :, w.heads :], joined[:, :, both:]
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def _rest(self, layer: Layer, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        return after_attention(x, attended.transpose(1, 2).flatten(2), layer, self.weights)

    def _attend(self, q, k, v, mask=None, causal=False) -> torch.Tensor:
        shared = self.weights.heads != self.weights.kv_heads
        return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, enable_gqa=shared)

    @torch.inference_mode()
    def _score(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probability [M] of each scored token, and whether it is the likeliest [M]."""
        w = self.weights
        x = F.embedding(batch.ids, w.embedding)
        turns = self.turns[batch.positions]
        for layer in w.layers[:-1]:
            x = self._rest(layer, x, self._attend(*self._qkv(layer, x, turns), batch.mask))
        layer = w.layers[-1]
        q, k, v = self._qkv(layer, x, turns)
        q = q.gather(2, batch.rows[:, None, :, None].expand(-1, w.heads, -1, w.head_size))
        x = x.gather(1, batch.rows[:, :, None].expand(-1, -1, x.shape[-1]))
        x = self._rest(layer, x, self._attend(q, k, v, batch.last_mask)).flatten(0, 1)
        logits = F.linear(norm(x[batch.scored], w.norm, w), *w.head)
        chosen = logits.gather(1, batch.targets[:, None])[:, 0]
        return chosen - logits.logsumexp(-1), logits.argmax(-1) == batch.targets

    def loglikelihood(self, requests, disable_tqdm=True):
        """As HFLM's; asked the same questions again (of the next checkpoint), it does not tokenise or plan again."""
        asked = [request.args for request in requests]
        if self._choices and self._choices[0] == asked:
            return self._run(self._choices[1], len(asked))
        self._choices = None
        answers = super().loglikelihood(requests, disable_tqdm=True)
        self._choices = (asked, self._planned)
        return answers

    def _loglikelihood_tokens(self, requests, **_):
        self._planned = plan([(context, continuation) for _, context, continuation in requests], self.max_length)
        return self._run(self._planned, len(requests))

    def _run(self, batches: list[Batch], count: int) -> list[tuple[float, bool]]:
        totals, missed = torch.zeros(count), torch.zeros(count)
        for batch in batches:
            chosen, greedy = self._score(batch)
            totals.index_add_(0, batch.owners, chosen)
            missed.index_add_(0, batch.owners, (~greedy).float())
        return list(zip(totals.tolist(), (missed == 0).tolist(), strict=True))

    def loglikelihood_rolling(self, requests, disable_tqdm=True):
        """As HFLM's: each text in windows of the model's length, every token scored once."""
        totals = []
        for (text,) in (request.args for request in requests):
            windows = utils.get_rolling_token_windows(self.tok_encode(text), self.prefix_token_id, self.max_length, 1)
            pairs = [(None, *utils.make_disjoint_window(window)) for window in windows]
            totals.append(sum(score for score, _ in self._loglikelihood_tokens(pairs)))
        return totals

    def generate_until(self, requests, disable_tqdm=True):
        """Greedy continuations, as HFLM's for ``do_sample: false``; each is cut at its first stop string."""
        asked = [request.args for request in requests]
        if self._prompts is None or self._prompts[0] != asked:
            self._prompts = (asked, [self.tok_encode(context) for context, _ in asked])
        answers: list[str] = [""] * len(asked)
        eos = self.tok_decode([self.eot_token_id], skip_special_tokens=False)
        kinds: dict[str, list[int]] = {}
        for i, (_, options) in enumerate(asked):
            kinds.setdefault(repr(options), []).append(i)
        for members in kinds.values():
            options = normalize_gen_kwargs(asked[members[0]][1], self.max_gen_toks)
            stop = handle_stop_sequences(options.pop("until", None), eos=eos)
            new = options.pop("max_gen_toks")
            if options.pop("do_sample", False) or options.pop("temperature", 0.0):
                raise ValueError("backend pocket continues greedily only (do_sample: false): use backend hf")
            prompts = {i: self._prompts[1][i][-(self.max_length - new) :] for i in members}
            order = sorted(members, key=lambda i: (-len(prompts[i]), i))
            for start in range(0, len(order), ROWS):
                chosen = order[start : start + ROWS]
                for i, ids in zip(chosen, self._continue([prompts[i] for i in chosen], new, stop), strict=True):
                    answers[i] = postprocess_generated_text(self.tok_decode(ids), stop, None)
        return answers

    @torch.inference_mode()
    def _continue(self, prompts: list[list[int]], new: int, stop: list[str]) -> list[list[int]]:
        """Likeliest next tokens of each prompt, up to ``new``, ended by EOS or soon after a stop string."""
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        count, length = len(prompts), int(lengths.max())
        ids = torch.zeros(count, length, dtype=torch.long)
        for b, prompt in enumerate(prompts):
            ids[b, : len(prompt)] = torch.tensor(prompt)
        w = self.weights
        x = F.embedding(ids, w.embedding)
        keys, values = [], []
        for number, layer in enumerate(w.layers):
            q, k, v = self._qkv(layer, x, self.turns[None, :length])
            for kept, part in ((keys, k), (values, v)):
                cache = part.new_zeros(count, w.kv_heads, length + new, w.head_size)
                cache[:, :, :length] = part
                kept.append(cache)
            if number + 1 < len(w.layers):
                x = self._rest(layer, x, self._attend(q, k, v, causal=True))
        pad = torch.arange(length + new)[None] >= lengths[:, None]
        pad[:, length:] = False
        mask = torch.zeros(count, 1, 1, length + new).masked_fill_(pad[:, None, None], -torch.inf)
        last = lengths - 1
        rows = torch.arange(count)
        x = self._rest(layer, x[rows, last][:, None], self._attend(q[rows, :, last][:, :, None], k, v, mask[..., :length]))
        token = self._next(x)
        made = torch.full((count, new), self.eot_token_id)
        alive = rows
        for step in range(new):
            made[alive, step] = token
            if step + 1 == new:
                break
            if (step + 1) % LOOK == 0:
                texts = self.tokenizer.decode_batch(made[alive, : step + 1].tolist(), skip_special_tokens=False)
                going = torch.tensor([not any(s in text for s in stop if s) for text in texts])
                if not going.any():
                    break
                if going.sum() <= 0.8 * len(going):
                    alive, token, mask, lengths = alive[going], token[going], mask[going], lengths[going]
                    keys, values = [c[going] for c in keys], [c[going] for c in values]
            x = F.embedding(token, w.embedding)[:, None]
            turns = self.turns[lengths + step][:, None]
            here = length + step
            for layer, k_cache, v_cache in zip(w.layers, keys, values, strict=True):
                q, k, v = self._qkv(layer, x, turns)
                k_cache[:, :, here], v_cache[:, :, here] = k[:, :, 0], v[:, :, 0]
                seen = slice(0, here + 1)
                x = self._rest(layer, x, self._attend(q, k_cache[:, :, seen], v_cache[:, :, seen], mask[..., seen]))
            token = self._next(x)
        return [self._until_eos(ids) for ids in made.tolist()]

    def _next(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(norm(x[:, 0], self.weights.norm, self.weights), *self.weights.head).argmax(-1)

    def _until_eos(self, ids: list[int]) -> list[int]:
        return ids[: ids.index(self.eot_token_id)] if self.eot_token_id in ids else ids
