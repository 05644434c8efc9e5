"""The five-letter world of SBP's thought experiment (arXiv 2509.15248): what training reaches where nothing can be learned.

Reads nothing but the row; makes letters.csv: one line per world, replicate, arm and moment of training, with losses on letters
that no model was trained on, and beside them what share of the letters an arm trains on are their predecessor's successor.

A world has documents of letters 0 to 4. The first is uniform; each further one is the successor (in a circle) of the letter
before it with probability `follows`, or one of the other four in equal parts. At 0.2 that is the thought experiment: letters
independent and uniform, ln 5 nats each, whatever is known of others. Above 0.2 the same code has something to learn: the
entropy of a document is known, and no letter alone tells anything, since each is as frequent as any other.

Arms have equal budgets. `repeated`: a few documents over and over. `synthetic`: part of the budget is text of a synthesizer,
each once, the rest repeated. The synthesizer is SBP's: neighbours among the documents are paired, the model of the first arm is
tuned to write one of a pair given the other, and writes from documents drawn at random. `unique`: new documents all along.

Two losses. *Sampled* is the usual one: minus the log-probability of the letter that came. *Expected* takes, after the same
contexts, the mean over the letters that might have come, by the world's own probabilities. Gibbs' inequality holds after every
context, so that no model's expected loss can be below the entropy, and what is above it is the model's own error. A sampled
loss can fall below by luck, and would by a leak: models that see what they predict are found by it alone.

The models are small on purpose: P numbers fitted as well as can be to N letters cost P / (2 N) nats on new ones (Akaike 1974),
so that 576 numbers and 57,600 letters cost 0.005 at worst. Their recipe was chosen in the world with something to learn alone:
a Llama as small, whose input and output share a matrix, stayed 0.025 to 0.04 above the entropy in some draws; a GPT-NeoX, where
they do not, came within 0.0005 in each of four.
"""

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scripts.lib.files import atomic
from scripts.lib.seeds import seed_of
from scripts.training.data import NONE, Blocks

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LETTERS = 5
BOS = 5  # stands before each document; there is no end, since all documents are equally long
ARMS = ("repeated", "synthetic", "unique")
MOMENTS = 6  # how often a model is looked at while it is trained


# --- the world --------------------------------------------------------------------------------------------------------------


def write_documents(count: int, length: int, follows: float, rng: np.random.Generator) -> np.ndarray:
    """Documents of the world, int32 (count, length)."""
    ahead = np.full(LETTERS, (1 - follows) / (LETTERS - 1))
    ahead[1] = follows
    moves = rng.choice(LETTERS, size=(count, length), p=ahead)
    moves[:, 0] = rng.integers(LETTERS, size=count)
    return (moves.cumsum(1) % LETTERS).astype(np.int32)


def chances(documents: np.ndarray, follows: float) -> np.ndarray:
    """The world's probability of each letter at each place, given what stands before: (count, length, LETTERS)."""
    out = np.full((*documents.shape, LETTERS), (1 - follows) / (LETTERS - 1))
    np.put_along_axis(out[:, 1:], (documents[:, :-1, None] + 1) % LETTERS, follows, axis=2)
    out[:, 0] = 1 / LETTERS
    return out


def entropy(length: int, follows: float) -> float:
    """Nats a letter of a document: ln 5 for the first, that of its successor for each other; ln 5 = 1.6094 at follows 0.2."""
    parts = np.array([follows, *[(1 - follows) / (LETTERS - 1)] * (LETTERS - 1)])
    further = -(parts[parts > 0] * np.log(parts[parts > 0])).sum()
    return float((np.log(LETTERS) + (length - 1) * further) / length)


def neighbours(documents: np.ndarray, each: int) -> np.ndarray:
    """Pairs of neighbouring documents as indices (count * each, 2): each with the ``each`` others of most similar letter pairs.

    Similar is the cosine of counts of adjacent letter pairs, less their mean.
    """
    pairs = documents[:, :-1] * LETTERS + documents[:, 1:]
    counts = np.stack([(pairs == pair).sum(1) for pair in range(LETTERS**2)], axis=1).astype(np.float32)
    counts -= counts.mean(0)
    counts /= np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)
    similar = counts @ counts.T
    np.fill_diagonal(similar, -2)
    nearest = np.argpartition(-similar, each, axis=1)[:, :each]
    return np.stack([np.repeat(np.arange(len(documents)), each), nearest.ravel()], axis=1)


# --- training ---------------------------------------------------------------------------------------------------------------


def blocks_of(documents: np.ndarray) -> Blocks:
    """One document a block: each letter is predicted from BOS and the letters before it."""
    inputs = np.concatenate([np.full((len(documents), 1), BOS, np.int32), documents[:, :-1]], axis=1)
    return Blocks(inputs, documents, np.tile(np.arange(documents.shape[1], dtype=np.int32), (len(documents), 1)))


def paired_blocks(first: np.ndarray, second: np.ndarray) -> Blocks:
    """One pair a block, BOS first BOS second; only the letters of the second are predicted."""
    one, two = blocks_of(first), blocks_of(second)
    inputs = np.concatenate([one.inputs, first[:, -1:], two.inputs], axis=1)
    targets = np.concatenate([np.full((len(first), first.shape[1] + 1), NONE, np.int32), second], axis=1)
    return Blocks(inputs, targets, np.tile(np.arange(inputs.shape[1], dtype=np.int32), (len(inputs), 1)))


def train(model: "PreTrainedModel", blocks: Blocks, row: dict, label: str, look: Callable[[int], None]) -> list[float]:
    """Train a model in place on blocks in their order, each once, and return the mean training loss of each of MOMENTS parts.

    ``look`` is called after each part with the number of blocks that are done.
    """
    from scripts.training.loop import fit

    ends = np.linspace(0, len(blocks.inputs), MOMENTS + 1).round().astype(int)
    recipe = {**row, "micro_batch": row["batch"], "schedule": "cosine", "precision": "float32"}
    with tempfile.TemporaryDirectory() as folder:  # seconds of work: nothing to resume
        trace = fit(
            model,
            lambda part: Blocks(*(array[ends[part - 1] : ends[part]] for array in blocks)),
            list(np.diff(ends)),
            recipe=recipe,
            state=Path(folder) / "state.safetensors",
            label=label,
            after_epoch=lambda part: look(int(ends[part])),
        )
    return [float(np.mean([line["loss"] for line in trace if line["epoch"] == part])) for part in range(1, MOMENTS + 1)]


def losses(model: "PreTrainedModel", documents: np.ndarray, follows: float) -> tuple[np.ndarray, np.ndarray]:
    """Sampled and expected loss of each document, nats a letter, (count,) each; see the top of this file."""
    import torch

    sampled, expected = [], []
    for part in np.array_split(documents, -(-len(documents) // 4096)):
        with torch.no_grad():
            logits = model.eval()(input_ids=torch.from_numpy(blocks_of(part).inputs).long(), use_cache=False).logits
        nats = -torch.log_softmax(logits.double(), dim=-1)[..., :LETTERS].numpy()
        sampled.append(np.take_along_axis(nats, part[..., None], axis=2)[..., 0].mean(1))
        expected.append((chances(part, follows) * nats).sum(2).mean(1))
    return np.concatenate(sampled), np.concatenate(expected)


def answers_to(model: "PreTrainedModel", documents: np.ndarray, seed: int) -> np.ndarray:
    """What a synthesizer writes for each document at temperature 1, untruncated, as long as the document."""
    import torch

    out, length = [], documents.shape[1]
    how = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "max_new_tokens": length}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in np.array_split(documents, -(-len(documents) // 4096)):
            asked = np.pad(part, ((0, 0), (1, 1)), constant_values=BOS)
            ids = torch.from_numpy(asked).long()
            whole = model.eval().generate(
                ids, attention_mask=torch.ones_like(ids), suppress_tokens=[BOS], pad_token_id=BOS, **how
            )
            out.append(whole[:, -length:].numpy().astype(np.int32))
    return np.concatenate(out)


# --- the experiment ---------------------------------------------------------------------------------------------------------


def experiment(world: str, replicate: int, row: dict) -> list[dict]:
    """Train all arms of one replicate of one world, and say what each reaches at each moment.

    Everything is drawn anew in each replicate: documents, weights, order, and the letters that losses are taken on.
    """
    from scripts.training.architecture import make_model, parameters

    follows, names = row["worlds"][world], (row["name"], row["seed"], world, replicate)

    def rng(*what: object) -> np.random.Generator:
        return np.random.default_rng(seed_of(*names, *what))

    def written(count: int, what: str) -> np.ndarray:
        return write_documents(count, row["length"], follows, rng(what))

    real, heldout = written(row["documents"], "documents"), written(row["heldout"], "held-out")
    budget = row["documents"] * row["repetition"]
    start = make_model({**row, "name": row["name"]}, LETTERS + 1, BOS, BOS, seed_of(*names, "weights"))
    lines = []

    def run(arm: str, documents: np.ndarray, share: float) -> "PreTrainedModel":
        model, order, found = copy.deepcopy(start), rng(arm, "order").permutation(len(documents)), []

        def look(done: int) -> None:
            last = done == len(documents)
            found.append((done, *losses(model, heldout if last else heldout[: row["glance"]], follows)))

        trained = train(model, blocks_of(documents[order]), row, f"{world} {replicate} {arm}", look)
        for (done, sampled, expected), loss in zip(found, trained, strict=True):
            line = {"world": world, "follows": follows, "replicate": replicate, "arm": arm, "letters": done * row["length"]}
            line |= {"entropy": entropy(row["length"], follows), "trained": loss}
            for name, values in (("sampled", sampled), ("expected", expected)):
                line |= {name: values.mean(), f"{name}_error": values.std(ddof=1) / np.sqrt(len(values))}
            line |= {"heldout": len(sampled) * row["length"], "synthetic_share": share, "parameters": parameters(model)}
            line |= {"successors": float(((documents[:, 1:] - documents[:, :-1]) % LETTERS == 1).mean())}
            lines.append(line)
        return model

    repeated = np.resize(np.arange(len(real)), budget)
    base = run("repeated", real[repeated], 0.0)
    one, two = neighbours(real, row["neighbours"]).T
    shuffled = rng("pairs").permutation(len(one))
    train(base, paired_blocks(real[one[shuffled]], real[two[shuffled]]), row, f"{world} {replicate} pairs", lambda done: None)
    count = round(row["synthetic"] * budget)
    asked = rng("prompts").integers(len(real), size=count)
    synthetic = answers_to(base, real[asked], seed_of(*names, "answers"))
    run("synthetic", np.concatenate([synthetic, real[repeated[: budget - count]]]), row["synthetic"])
    run("unique", written(budget, "unique"), 0.0)
    return lines


def letters(out: str | Path, *, row: dict) -> None:
    """Run every world and replicate of a row and write letters.csv.

    Args:
        out: the CSV to be made.
        row: worlds (name -> follows), replicates, seed; documents, length (letters each), repetition (budget / documents),
            synthetic (share of the budget), neighbours (pairs a document), heldout and glance (documents that losses are taken
            on, at the end and before); the model (architecture, hidden, layers, heads, feedforward) and its recipe (batch,
            learning_rate, warmup).
    """
    import torch

    torch.set_num_threads(1)
    lines = []
    for world in row["worlds"]:
        for replicate in range(1, row["replicates"] + 1):
            lines += experiment(world, replicate, row)
    with atomic(out) as beside:
        pd.DataFrame(lines).to_csv(beside, index=False, float_format="%.9g")


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        letters(snakemake.output.table, row=snakemake.params.row)
