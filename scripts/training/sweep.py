"""One job of a sweep: many small models, one after the other, each trained on its mixture and scored on held-out domains.

Reads the texts of its runs as token ids (scripts/training/tokens.py), a tokenizer and documents.parquet of held-out sources;
makes Parquet of one line a run and domain, and Parquet of the loss of each held-out token where the row says ``trace``. Every
run has random weights of its own seed, one cosine over its own budget, and is scored once, at its end: no checkpoint stands for
a smaller budget. Weights depend on size and seed alone, so that arms are paired. Models are not kept.

A job that was killed finds the runs that were done, and the state of the one that was under way. One process a GPU, as in
scripts/training/train.py; the first scores.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scripts.lib.documents import read_documents
from scripts.lib.files import BrokenArtifact, atomic, sha256_of, write_card
from scripts.lib.likelihood import token_nats
from scripts.lib.models import BadModel, load_tokenizer, special_token
from scripts.lib.progress import Progress
from scripts.lib.seeds import seed_of
from scripts.lib.tokens import encode, wrap
from scripts.lib.work import Busy
from scripts.training.data import Blocks
from scripts.training.mixtures import TooShort, mixture
from scripts.training.stop import Stopped, listen, never
from scripts.training.tokens import Text, read_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel

EXACT = 1e-3  # how far a budget may be off, by the order that asks for it
TRACE = ("arm", "seed", "domain", "position", "token", "text", "nats")
LOGITS = 1 << 26  # of one pass over held-out text: 256 MB in float32


def domains_of(paths: Sequence[str | Path], words, bos: int, eos: int, documents: int) -> dict[str, list[np.ndarray]]:
    """Held-out source -> its documents as [BOS] tokens [EOS]: as many as asked for, or all, drawn by the source's name.

    Raises:
        BrokenArtifact: naming a source without text.
    """
    found = {}
    for path in paths:
        name, frame = Path(path).parent.name, read_documents(path, columns=["text", "complete"])
        frame = frame[frame["text"].str.len() > 0]
        if frame.empty:
            raise BrokenArtifact(f"{path}: no document has text; the row's key heldout asks for some")
        kept = np.sort(np.random.default_rng(seed_of("held-out", name)).permutation(len(frame))[:documents])
        frame = frame.iloc[kept]
        ids = encode(words, frame["text"].tolist())
        found[name] = [wrap(one, bos, eos if done else None) for one, done in zip(ids, frame["complete"], strict=True)]
    return found


def blocks_of(run: dict, texts: dict[str, Text], row: dict) -> Blocks:
    """What a run is trained on: its share of synthetic tokens and the rest natural, whole blocks in all.

    Raises:
        BrokenArtifact: naming row and key, when a text is too short or the budget cannot be met within EXACT.
    """
    total = round(run["tokens"] / row["block"]) * row["block"]
    where = f"sweeps: {row['name']}, run {run['run']}"
    if abs(total - run["tokens"]) > EXACT * run["tokens"]:
        raise BrokenArtifact(f"{where}, key tokens: {run['tokens']:,} is not within 0.1 % of whole blocks of {row['block']}")
    synthetic = round(run["share"] * total)
    names = (run["natural"], run["synthetic"])
    parts = [texts.get(name) for name in names]
    try:
        return mixture(parts, [total - synthetic, synthetic], row["block"], run["seed"], row.get("repeat", False))
    except TooShort as error:
        key = ("natural", "synthetic")[error.args[1]]
        said = f"{where}, key {key}: {names[error.args[1]]} {error.args[0]}"
        raise BrokenArtifact(f"{said}; make the text longer, lower the budget, or say repeat: true") from None


def losses_of(
    model: "PreTrainedModel", domains: dict[str, list[np.ndarray]], block: int, half: bool, compiled: bool = False
) -> dict[str, np.ndarray]:
    """Domain -> nats of every token after BOS, its documents end to end.

    A document longer than a ``block`` is read in pieces of that many tokens, each from the last token of the one before, as
    lm-eval's rolling windows are, and every token is predicted once.
    With ``half`` the model computes in bfloat16, as it was trained. Layers that were ``compiled`` are run as they are written,
    since here every batch has another shape.
    """
    import torch

    stance = torch.compiler.set_stance("force_eager") if compiled else contextlib.nullcontext()
    with stance, torch.autocast(next(model.parameters()).device.type, torch.bfloat16, enabled=half):
        model.eval()
        pieces = {name: [part for whole in each for part in pieces_of(whole, block)] for name, each in domains.items()}
        flat = [piece for each in pieces.values() for piece in each]
        found = iter(token_nats(model, flat, window=block, batch=64, logits=LOGITS))
    return {name: np.concatenate([next(found) for _ in each]) for name, each in pieces.items()}


def pieces_of(sequence: np.ndarray, block: int) -> list[np.ndarray]:
    """A document in pieces of ``block`` tokens to predict, each after the last token of the one before.

    >>> [piece.tolist() for piece in pieces_of(np.array([0, 5, 6, 7, 8, 1]), 2)]
    [[0, 5, 6], [6, 7, 8], [8, 1]]
    """
    return [sequence[start : start + block + 1] for start in range(0, len(sequence) - 1, block)]


def trace_of(run: dict, domains: dict[str, list[np.ndarray]], losses: dict[str, np.ndarray], words) -> pd.DataFrame:
    """The loss of every held-out token of a run, in the order of the text; ``text`` is what the token decodes to."""
    parts = []
    for name, sequences in domains.items():
        ids = np.concatenate([sequence[1:] for sequence in sequences])
        part = pd.DataFrame({"domain": name, "position": np.arange(len(ids), dtype=np.int32), "token": ids})
        parts.append(part.assign(nats=losses[name].astype(np.float32)))
    table = pd.concat(parts, ignore_index=True).assign(arm=run["arm"], seed=run["seed"])
    spelled = {token: words.decode([token], skip_special_tokens=False) for token in table["token"].unique().tolist()}
    return table.assign(text=table["token"].map(spelled))[list(TRACE)]


def train_run(run: dict, blocks: Blocks, words, row: dict, folder: Path, how: tuple, why_stop: Callable[[], int]) -> tuple:
    """Train one model of the sweep from its random weights; returns it, and what runs.csv says of its size and tokens.

    ``how`` is device, precision, BOS and EOS.

    Raises:
        RuntimeError: when it was trained on another number of tokens than its blocks hold, which cannot be.
    """
    from scripts.training import parallel
    from scripts.training.architecture import make_model, parameters
    from scripts.training.loop import fit

    device, precision, bos, eos = how
    shape = {**row["shapes"][run["size"]], "block": row["block"]}
    recipe = {"micro_batch": row["batch"], **shape, "schedule": "cosine", "precision": precision}
    recipe |= {key: row[key] for key in ("batch", "learning_rate", "warmup")}
    model = make_model(shape, words.get_vocab_size(), bos, eos, seed_of("sweep", run["seed"], "weights"))
    size = parameters(model)
    model = parallel.ready(model, device, recipe)
    number, block = blocks.inputs.shape
    lines = fit(
        model,
        lambda epoch: blocks,
        [number],
        recipe=recipe,
        state=folder / f"{run['run']}.safetensors",
        label=run["run"],
        why_stop=why_stop,
    )
    tokens = sum(line["tokens"] for line in lines)
    if tokens != number * block:
        raise RuntimeError(f"{run['run']}: trained on {tokens:,} tokens and not on {number * block:,}")
    embedding = words.get_vocab_size() * shape["hidden"]  # tied: the output matrix is the same
    return model, {"tokens": tokens, "parameters": size, "non_embedding": size - embedding}


def sweep(
    tokenizer: str | Path,
    texts: Sequence[str | Path],
    heldout: Sequence[str | Path],
    out: str | Path,
    traces: str | Path,
    work: str | Path,
    *,
    row: dict,
    code: str,
    why_stop: Callable[[], int] = never,
) -> None:
    """Train and score the runs of one job.

    Args:
        tokenizer: folder of the row's tokenizer.
        texts: folders of token ids, each named after the source or corpus.
        heldout: documents.parquet of the held-out sources, each in a folder of its name.
        out, traces: the two tables, to be made; the second is empty without ``trace``.
        work: where a killed job left what it had.
        row: the sweep's name, block, batch, learning_rate, warmup, heldout_documents, maybe repeat and trace; ``shapes`` of its
            sizes by name; ``runs`` of this job (scripts.sweeps.named). ``code`` is the hash of this code.
        why_stop: asked after every step (scripts.training.stop).

    Raises:
        BrokenArtifact: naming row and key, before anything is trained, when a text is too short or a budget not exact.
    """
    from scripts.training import parallel
    from scripts.training.device import device_and_precision
    from scripts.training.state import folder_of

    device, precision = device_and_precision()
    with parallel.together(device), parallel.shared_work(work) as folder:
        words = load_tokenizer(tokenizer)
        bos, eos = (special_token(tokenizer, key) for key in ("bos_token", "eos_token"))
        read = {Path(path).name: read_tokens(path, check=parallel.first()) for path in texts}
        for run in row["runs"]:
            blocks_of(run, read, row)
        domains = domains_of(heldout, words, bos, eos, row["heldout_documents"])
        hashes = [sha256_of(path) for path in heldout] + [sha256_of(Path(tokenizer) / "tokenizer.json")]
        hashes += [text.sha256 for text in read.values()]
        mine = folder_of(folder, row, code, hashes, str(device), precision)
        done = [run for run in row["runs"] if (mine / f"{run['run']}.parquet").exists()]
        scored = sum(len(sequence) - 1 for sequences in domains.values() for sequence in sequences)
        print(
            f"{row['name']}: {len(row['runs'])} runs of {sum(run['tokens'] for run in row['runs']):,} tokens in all, "
            f"{len(done)} of {sum(run['tokens'] for run in done):,} already done; each scored on {scored:,} tokens of "
            f"{len(domains)} domains; {device}, {precision}",
            file=parallel.log(),
            flush=True,
        )
        with Progress(f"sweep {row['name']}", len(row["runs"]), "runs", out=parallel.log(), done=len(done)) as progress:
            for run in row["runs"]:
                if run in done:
                    continue
                how = (device, precision, bos, eos)
                model, counts = train_run(run, blocks_of(run, read, row), words, row, mine, how, why_stop)
                if parallel.first():
                    compiled = row["shapes"][run["size"]].get("compile", False)
                    losses = losses_of(model, domains, row["block"], device.type == "cuda", compiled)
                    if row.get("trace"):
                        _write(trace_of(run, domains, losses, words), mine / f"{run['run']}.traces")
                    _write(_lines(run | counts, losses), mine / f"{run['run']}.parquet")
                    for state in mine.glob(f"{run['run']}.*safetensors"):
                        state.unlink()
                del model  # before the next one takes its memory
                parallel.barrier()
                progress.add(1, tokens=run["tokens"])
        if parallel.first():
            tables = [pd.read_parquet(mine / f"{run['run']}.parquet") for run in row["runs"]]
            _write(pd.concat(tables, ignore_index=True), out)
            kept = [pd.read_parquet(path) for path in sorted(mine.glob("*.traces"))]
            _write(pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=TRACE), traces)
            write_card(out, row=row, code=code, counts={"runs": len(row["runs"]), "scored": scored}, precision=precision)


def _lines(run: dict, losses: dict[str, np.ndarray]) -> pd.DataFrame:
    """One line a domain: what is said of the run, the domain, nats in all, and how many tokens were scored."""
    sums = [{"domain": name, "nats": float(nats.sum(dtype=np.float64)), "scored": len(nats)} for name, nats in losses.items()]
    return pd.DataFrame([{**run, **line} for line in sums]).drop(columns=["natural", "synthetic"])


def _write(table: pd.DataFrame, path: str | Path) -> None:
    with atomic(path) as beside:
        table.to_parquet(beside, index=False, compression="zstd")


if __name__ == "__main__":
    from scripts.training.device import settle

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True)
    parser.add_argument("--code", required=True)
    parser.add_argument("--texts", nargs="+", required=True)
    parser.add_argument("--heldout", nargs="+", required=True)
    for option in ("tokenizer", "out", "traces", "work"):
        parser.add_argument(f"--{option}", required=True)
    a = parser.parse_args()
    settle()
    try:
        sweep(a.tokenizer, a.texts, a.heldout, a.out, a.traces, a.work, row=a.row, code=a.code, why_stop=listen())
    except (BadModel, BrokenArtifact, Busy, FloatingPointError, Stopped) as error:
        sys.exit(f"{a.row['name']}: {error}")
