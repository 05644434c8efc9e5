r"""Negative log-likelihood of documents under a model: reads curated.parquet and model folders, makes Parquet and CSV.

    python -m scripts.audits.nll --code HASH --model DIR [--writer DIR] \
        --documents X.parquet ... --out Y.parquet ... --lengths Z.csv ...

Parquet, one line a document: id, nll (nats per token, mean over the tokens after BOS; BOS itself is not scored, EOS is where
the document ended by itself), tokens (that were scored), scored ("sampled" or "retokenised"), same (whether the text
re-tokenises to the sampled ids; null where that cannot be asked), nll_text (nll of the text as the scorer's tokenizer cuts it).

Sampled ids are scored as they are where they are the scorer's own: the writer's tokenizer.json has the same bytes, and the
column ids is there. Elsewhere the text is re-tokenised, and at high temperature that is another sequence: bytes that are no
UTF-8 become U+FFFD, and tokens that the tokenizer would have merged are merged.

CSV, one line a length: length, documents (that have as many scored tokens), nll (mean over these of the mean nll of their first
``length`` tokens), sd. It says which sample length gives a published mean; see `length_for`.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from scripts.audits.stream import count, pieces, writing
from scripts.lib.files import BrokenArtifact, atomic, card_path, read_card, write_card
from scripts.lib.likelihood import token_nats
from scripts.lib.models import BadModel, bos_of, config_of, eos_of, load_model, load_tokenizer
from scripts.lib.progress import Progress
from scripts.lib.tokens import encode, wrap

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

LENGTHS = tuple(8 * 2**k for k in range(11))
WINDOW = 4096  # tokens that predict, at most; fewer where the model has fewer positions
BATCH = 64
LOGITS = {"cpu": 1 << 21, "cuda": 1 << 29}  # at once: 8 MiB (what suits a cache) and 2 GiB in float32, a few times over
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("nll", pa.float64()),
        ("tokens", pa.int32()),
        ("scored", pa.string()),
        ("same", pa.bool_()),
        ("nll_text", pa.float64()),
    ]
)
COLUMNS = ["id", "text", "complete", "ids"]


def same_tokenizer(one: str | Path, other: str | Path) -> bool:
    """Whether two folders hold the same tokenizer.json, byte for byte."""
    return (Path(one) / "tokenizer.json").read_bytes() == (Path(other) / "tokenizer.json").read_bytes()


def sequences(
    piece: dict[str, list], tokenizer: "Tokenizer", bos: int, eos: int, sampled: bool
) -> tuple[list[np.ndarray], list[np.ndarray], list[bool | None]]:
    """What to score of each document: (as sampled where that may be, as re-tokenised, whether they are the same or None).

    Args:
        piece: lists text, complete and ids (lists of int, or None).
        tokenizer: of the scorer.
        bos, eos: of the scorer.
        sampled: whether ids, where a document has them, are ids of the scorer's tokenizer.
    """
    ends = [eos if complete else None for complete in piece["complete"]]
    texts = [wrap(ids, bos, end) for ids, end in zip(encode(tokenizer, piece["text"]), ends, strict=True)]
    found = [
        wrap(np.asarray(ids, np.int32), bos, end) if sampled and ids is not None else None
        for ids, end in zip(piece["ids"], ends, strict=True)
    ]
    same = [None if one is None else bool(np.array_equal(one, text)) for one, text in zip(found, texts, strict=True)]
    return [text if one is None else one for one, text in zip(found, texts, strict=True)], texts, same


def mean_nats(values: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each array in float64; NaN where there was no token to score."""
    return np.array([one.mean(dtype=np.float64) if len(one) else np.nan for one in values])


def add_to_curve(curve: np.ndarray, values: Sequence[np.ndarray], lengths: Sequence[int] = LENGTHS) -> None:
    """Add documents to ``curve`` (lengths, 3): how many reach each length, sum and sum of squares of their mean up to there."""
    for one in values:
        reached = [length for length in lengths if length <= len(one)]
        if reached:
            means = np.cumsum(one, dtype=np.float64)[np.array(reached) - 1] / reached
            curve[: len(reached)] += np.stack([np.ones(len(reached)), means, means**2], axis=1)


def curve_table(curve: np.ndarray, lengths: Sequence[int] = LENGTHS) -> pd.DataFrame:
    """Columns length, documents, nll, sd (ddof 1); lengths that no document reaches are left out."""
    count, total, squares = (curve[:, i] for i in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        sd = np.sqrt(np.maximum(squares - count * mean**2, 0) / (count - 1))
    table = pd.DataFrame({"length": lengths, "documents": count.astype(int), "nll": mean, "sd": sd})
    return table[table["documents"] > 0].reset_index(drop=True)


def length_for(curve: pd.DataFrame, nats: float) -> float:
    """The sample length at which the mean NLL of the first tokens is ``nats``: the first crossing, on a log axis of lengths.

    NaN where the curve does not get there. From 4 nats at 8 tokens to 6 at 32, 5 nats are reached at 16.
    """
    x, y = np.log(curve["length"].to_numpy(float)), curve["nll"].to_numpy(float) - nats
    for i in np.flatnonzero(np.sign(y[:-1]) != np.sign(y[1:])):
        return float(np.exp(x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i])))
    return float(np.exp(x[0])) if len(y) == 1 and y[0] == 0 else float("nan")


def score(
    documents: str | Path,
    out: str | Path,
    lengths: str | Path,
    *,
    model: "PreTrainedModel",
    folder: str | Path,
    writer: str | Path | None,
    code: str,
) -> None:
    """Score one corpus and write its Parquet and CSV, with their cards.

    Args:
        documents: curated.parquet, with its card.
        out, lengths: where to write.
        model: the scorer, loaded from ``folder``.
        folder: of the scorer.
        writer: folder of the model whose ids the column ids holds; None where there is none.
        code: hash of the code.
    """
    tokenizer, bos, eos = load_tokenizer(folder), bos_of(folder), eos_of(folder)
    sampled = writer is not None and same_tokenizer(folder, writer)
    window = min(WINDOW, config_of(folder).get("max_position_embeddings", WINDOW))
    how = {"window": window, "batch": BATCH, "logits": LOGITS[model.device.type]}
    curve = np.zeros((len(LENGTHS), 3))
    counts = dict.fromkeys(("documents", "tokens", "sampled", "retokenised", "other_ids_once_retokenised", "replacement"), 0)
    corpus = read_card(documents)["row"]
    with (
        Progress(f"{corpus['name']} by {Path(folder).name}", count(documents), "documents") as progress,
        writing(out, SCHEMA) as file,
    ):
        for piece in pieces(documents, COLUMNS):
            chosen, texts, same = sequences(piece, tokenizer, bos, eos, sampled)
            values = token_nats(model, chosen, **how)
            means = mean_nats(values)
            by_text = means.copy()
            others = [i for i, one in enumerate(same) if one is False]
            by_text[others] = mean_nats(token_nats(model, [texts[i] for i in others], **how))
            add_to_curve(curve, values)
            scored = ["retokenised" if one is None else "sampled" for one in same]
            tokens = [len(one) for one in values]
            columns = [piece["id"], means, tokens, scored, same, by_text]
            file.write_table(pa.table([pa.array(c, t) for c, t in zip(columns, SCHEMA.types, strict=True)], schema=SCHEMA))
            counts["documents"] += len(tokens)
            counts["tokens"] += sum(tokens)
            counts["sampled"] += scored.count("sampled")
            counts["retokenised"] += scored.count("retokenised")
            counts["other_ids_once_retokenised"] += len(others)
            counts["replacement"] += sum("\ufffd" in text for text in piece["text"])
            progress.add(len(tokens), tokens=sum(tokens))
    more = {"corpus": corpus, "scorer": Path(folder).name, "scored": "tokens after BOS, EOS included where complete"}
    more["uniform"] = round(math.log(config_of(folder)["vocab_size"]), 6)  # nats of a scorer that knows nothing
    row = {"name": f"{corpus['name']}-by-{Path(folder).name}"}
    write_card(out, row=row, code=code, counts=counts, window=window, **more)
    with atomic(lengths) as beside:
        curve_table(curve).to_csv(beside, index=False, float_format="%.6g")
    write_card(lengths, row=row, code=code, counts={"documents": counts["documents"]}, **more)
    print(f"{row['name']}: {json.dumps(counts)}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--code", required=True)
    parser.add_argument("--model", required=True, help="folder of the scorer")
    parser.add_argument("--writer", nargs="*", default=[], help="folder of the model that sampled the column ids, if any")
    for name in ("documents", "out", "lengths"):
        parser.add_argument(f"--{name}", nargs="+", required=True)
    a = parser.parse_args(arguments)
    cuda = torch.cuda.is_available()
    if not cuda:
        torch.set_num_threads(1)
    try:
        if card_path(a.model).exists():
            read_card(a.model)
        model = load_model(a.model).to("cuda" if cuda else "cpu")
        for documents, out, lengths in zip(a.documents, a.out, a.lengths, strict=True):
            writer = a.writer[0] if a.writer else None
            score(documents, out, lengths, model=model, folder=a.model, writer=writer, code=a.code)
    except (BadModel, BrokenArtifact) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
