"""lm-eval's view of a small Qwen2, Llama or GPT-NeoX on one CPU thread: tokens and scores of lm-eval's own hf model, sooner.

Reads a loaded model and its tokenizer; makes log-likelihoods and greedy continuations for lm-eval. What saves time: tokens,
masks and batches are planned once and used for every checkpoint; choices of one item share the computation of their common
prefix (a tree mask); the last layer is computed only where a token is scored, and so is the vocabulary; generation keeps keys
and values in a static cache and drops finished rows.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text

TOKENS = 2048  # padded tokens of one batch of choices; larger ones fall out of the cache
ROWS = 64  # prompts of one batch of generation
GELU = {"gelu": "none", "gelu_new": "tanh", "gelu_fast": "tanh", "gelu_pytorch_tanh": "tanh"}
LOOK = 8  # steps between two looks for stop strings
ARCHITECTURES = ("qwen2", "llama", "gpt_neox")


class Layer(NamedTuple):
    """(weight, bias) pairs of one layer, projections that read the same input joined; bias None where there is none."""

    norm1: tuple
    qkv: tuple
    out: tuple
    norm2: tuple
    up: tuple  # with the gate before it, where there is one
    down: tuple


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


def _pair(module: torch.nn.Module) -> tuple:
    return module.weight, getattr(module, "bias", None)


class PocketLM(HFLM):
    """HFLM whose two heavy methods are replaced; it holds the plans and the joined weights of the current checkpoint."""

    def __init__(self, **options):
        super().__init__(**options)
        config = self.config
        if config.model_type not in ARCHITECTURES or getattr(config, "use_sliding_window", False):
            known = ", ".join(ARCHITECTURES)
            raise ValueError(
                f"model {config.name_or_path}: architecture {config.model_type}; backend pocket knows {known}: use hf"
            )
        self.neox = config.model_type == "gpt_neox"
        self.heads = config.num_attention_heads
        self.pairs = getattr(config, "num_key_value_heads", None) or self.heads
        self.width = (None if self.neox else getattr(config, "head_dim", None)) or config.hidden_size // self.heads
        self.epsilon = config.layer_norm_eps if self.neox else config.rms_norm_eps
        self.parallel = self.neox and config.use_parallel_residual
        if self.neox and config.hidden_act not in GELU:
            raise ValueError(f"backend pocket knows the activations {', '.join(GELU)}, not {config.hidden_act}: use backend hf")
        self.gelu = GELU[config.hidden_act] if self.neox else None
        self.turns = None
        self.tok_encode = functools.cache(self.tok_encode)  # contexts come back once for every choice
        self._choices: tuple[list, list[Batch]] | None = None
        self._prompts: tuple[list, list[list[int]]] | None = None
        self.join_weights()

    @torch.inference_mode()
    def join_weights(self) -> None:
        """Join the weights anew after they were changed in place."""
        body = self.model.gpt_neox if self.neox else self.model.model
        if self.turns is None:
            cos, sin = body.rotary_emb(self.model.get_input_embeddings().weight, torch.arange(self.max_length)[None])
            half = cos.shape[-1] // 2  # GPT-NeoX turns a part of each head only
            self.turns = torch.complex(cos[0, :, :half].contiguous(), sin[0, :, :half].contiguous())[:, None, :]
        self.layers = [(self._neox_layer if self.neox else self._llama_layer)(layer) for layer in body.layers]
        self.embedding = self.model.get_input_embeddings().weight
        self.norm = _pair(body.final_layer_norm if self.neox else body.norm)
        self.head = _pair(self.model.get_output_embeddings())

    def _turned(self, weight: torch.Tensor | None) -> torch.Tensor | None:
        """Rows of a projection in another order: what rotation pairs (i with i + half) stands side by side, as complex numbers.

        Scores stay, as queries and keys are reordered alike.
        """
        if weight is None:
            return None
        both = 2 * self.turns.shape[-1]
        order = torch.cat([torch.arange(both).view(2, -1).T.reshape(-1), torch.arange(both, self.width)])
        return weight.view(-1, self.width, *weight.shape[1:])[:, order].reshape(weight.shape)

    def _llama_layer(self, layer) -> Layer:
        a, m = layer.self_attn, layer.mlp
        if any(getattr(part, "bias", None) is not None for part in (a.o_proj, m.gate_proj, m.up_proj, m.down_proj)):
            raise ValueError("backend pocket knows no biases outside of query, key and value: use backend hf")
        bias = None if a.q_proj.bias is None else [self._turned(a.q_proj.bias), self._turned(a.k_proj.bias), a.v_proj.bias]
        return Layer(
            norm1=_pair(layer.input_layernorm),
            qkv=(
                torch.cat([self._turned(a.q_proj.weight), self._turned(a.k_proj.weight), a.v_proj.weight]),
                None if bias is None else torch.cat(bias),
            ),
            out=_pair(a.o_proj),
            norm2=_pair(layer.post_attention_layernorm),
            up=(torch.cat([m.gate_proj.weight, m.up_proj.weight]), None),
            down=_pair(m.down_proj),
        )

    def _neox_layer(self, layer) -> Layer:
        """GPT-NeoX keeps q, k, v of a head together: [heads, 3, width] becomes q of all heads, then k, then v."""

        def apart(part):
            if part is None:
                return None
            q, k, v = part.view(self.heads, 3, self.width, *part.shape[1:]).unbind(1)
            q, k, v = (each.reshape(-1, *part.shape[1:]) for each in (q, k, v))
            return torch.cat([self._turned(q), self._turned(k), v])

        return Layer(
            norm1=_pair(layer.input_layernorm),
            qkv=tuple(apart(part) for part in _pair(layer.attention.query_key_value)),
            out=_pair(layer.attention.dense),
            norm2=_pair(layer.post_attention_layernorm),
            up=_pair(layer.mlp.dense_h_to_4h),
            down=_pair(layer.mlp.dense_4h_to_h),
        )

    def _norm(self, x: torch.Tensor, pair: tuple) -> torch.Tensor:
        size = (x.shape[-1],)
        return F.layer_norm(x, size, *pair, self.epsilon) if self.neox else F.rms_norm(x, size, pair[0], self.epsilon)

    def _qkv(self, layer: Layer, x: torch.Tensor, turns: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values [B, heads, L, width] of hidden states [B, L, hidden]; turns [B, L, 1, width / 2]."""
        joined = F.linear(self._norm(x, layer.norm1), *layer.qkv)
        joined = joined.view(*x.shape[:2], -1, self.width)
        both = self.heads + self.pairs
        some = 2 * turns.shape[-1]
        turned = torch.view_as_real(torch.view_as_complex(joined[:, :, :both, :some].unflatten(3, (-1, 2))) * turns).flatten(3)
        if some < self.width:
            turned = torch.cat([turned, joined[:, :, :both, some:]], -1)
        q, k, v = turned[:, :, : self.heads], turned[:, :, self.heads :], joined[:, :, both:]
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def _rest(self, layer: Layer, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """Hidden states after attention's output projection and the feed-forward part."""
        attended = F.linear(attended.transpose(1, 2).flatten(2), *layer.out)
        inside = x if self.parallel else x + attended
        up = F.linear(self._norm(inside, layer.norm2), *layer.up)
        if self.neox:
            up = F.gelu(up, approximate=self.gelu)
        else:
            gate, up = up.chunk(2, dim=-1)
            up = F.silu(gate) * up
        down = F.linear(up, *layer.down)
        return x + attended + down if self.parallel else inside + down

    def _attend(self, q, k, v, mask=None, causal=False) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, enable_gqa=self.heads != self.pairs)

    @torch.inference_mode()
    def _score(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probability [M] of each scored token, and whether it is the likeliest [M]."""
        x = F.embedding(batch.ids, self.embedding)
        turns = self.turns[batch.positions]
        for layer in self.layers[:-1]:
            x = self._rest(layer, x, self._attend(*self._qkv(layer, x, turns), batch.mask))
        layer = self.layers[-1]
        q, k, v = self._qkv(layer, x, turns)
        q = q.gather(2, batch.rows[:, None, :, None].expand(-1, self.heads, -1, self.width))
        x = x.gather(1, batch.rows[:, :, None].expand(-1, -1, x.shape[-1]))
        x = self._rest(layer, x, self._attend(q, k, v, batch.last_mask)).flatten(0, 1)
        logits = F.linear(self._norm(x[batch.scored], self.norm), *self.head)
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

    def _loglikelihood_tokens(self, requests, disable_tqdm=True, override_bs=None):
        self._planned = plan([(context, continuation) for _, context, continuation in requests], self.max_length)
        return self._run(self._planned, len(requests))

    def _run(self, batches: list[Batch], count: int) -> list[tuple[float, bool]]:
        totals, missed = torch.zeros(count), torch.zeros(count)
        for batch in batches:
            chosen, greedy = self._score(batch)
            totals.index_add_(0, batch.owners, chosen)
            missed.index_add_(0, batch.owners, (~greedy).float())
        return list(zip(totals.tolist(), (missed == 0).tolist(), strict=True))

    def generate_until(self, requests, disable_tqdm=True):
        """Greedy continuations, as HFLM's for ``do_sample: false``; each is cut at its first stop string."""
        asked = [request.args for request in requests]
        if self._prompts is None or self._prompts[0] != asked:
            self._prompts = (asked, [self.tok_encode(context) for context, _ in asked])
        answers: list[str] = [""] * len(asked)
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
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
        x = F.embedding(ids, self.embedding)
        keys, values = [], []
        for number, layer in enumerate(self.layers):
            q, k, v = self._qkv(layer, x, self.turns[None, :length])
            for kept, part in ((keys, k), (values, v)):
                cache = part.new_zeros(count, self.pairs, length + new, self.width)
                cache[:, :, :length] = part
                kept.append(cache)
            if number + 1 < len(self.layers):
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
                texts = self.tokenizer.batch_decode(made[alive, : step + 1])
                going = torch.tensor([not any(s in text for s in stop if s) for text in texts])
                if not going.any():
                    break
                if going.sum() <= 0.8 * len(going):
                    alive, token, mask, lengths = alive[going], token[going], mask[going], lengths[going]
                    keys, values = [c[going] for c in keys], [c[going] for c in values]
            x = F.embedding(token, self.embedding)[:, None]
            turns = self.turns[lengths + step][:, None]
            here = length + step
            for layer, k_cache, v_cache in zip(self.layers, keys, values, strict=True):
                q, k, v = self._qkv(layer, x, turns)
                k_cache[:, :, here], v_cache[:, :, here] = k[:, :, 0], v[:, :, 0]
                seen = slice(0, here + 1)
                x = self._rest(layer, x, self._attend(q, k_cache[:, :, seen], v_cache[:, :, seen], mask[..., seen]))
            token = self._next(x)
        return [self._until_eos(ids) for ids in made.tolist()]

    def _next(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self._norm(x[:, 0], self.norm), *self.head).argmax(-1)

    def _until_eos(self, ids: list[int]) -> list[int]:
        return ids[: ids.index(self.eot_token_id)] if self.eot_token_id in ids else ids
