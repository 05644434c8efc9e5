"""Two corpora as bags of tokens: reads two curated.parquet and a model's tokenizer, makes a CSV with its card.

Texts are cut by the tokenizer, as a student of that model reads them; BOS and EOS are not counted. Columns: measure, of,
smoothing, rank, value.

- documents, tokens, types (that occur), entropy (nats a token): of each corpus
- overlap_types: share of the types that occur in either which occur in both; overlap_tokens: share of the tokens of ``of``
  whose type occurs in the other corpus too
- kl: nats, of one corpus against the other, both ways, twice: ``add-half`` adds one half to the count of every type of the
  vocabulary in both corpora; ``jelinek-mercer`` mixes both distributions with that of the two corpora together, weight 0.1
- frequency: share of the token at a rank, from the most frequent on; ranks spaced by their logarithm, the last one included
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.audits.stream import pieces
from scripts.lib.files import atomic, read_card, write_card

POOLED = 0.1  # weight of both corpora together in Jelinek-Mercer smoothing
HALF = 0.5
RANKS = 200


def counted(documents: str | Path, tokenizer_folder: str | Path) -> tuple[np.ndarray, int]:
    """How often each token id of the tokenizer occurs in a corpus, (vocabulary,) int64, and the number of documents."""
    from scripts.lib.models import load_tokenizer
    from scripts.lib.tokens import encode

    tokenizer = load_tokenizer(tokenizer_folder)
    counts, number = np.zeros(tokenizer.get_vocab_size(), np.int64), 0
    for piece in pieces(documents, ["text"]):
        ids = np.concatenate([np.zeros(0, np.int32), *encode(tokenizer, piece["text"])])
        counts += np.bincount(ids, minlength=len(counts))
        number += len(piece["text"])
    return counts, number


def entropy(counts: np.ndarray) -> float:
    """Nats a token of the distribution that counts make; types that do not occur add nothing."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback-Leibler divergence of p from q in nats; q is above 0 where p is."""
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())


def smoothed(one: np.ndarray, other: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Smoothing -> the two distributions over the vocabulary; neither is 0 where the other is not."""
    both = (one + other) / (one.sum() + other.sum())
    return {
        "add-half": tuple((counts + HALF) / (counts.sum() + HALF * len(counts)) for counts in (one, other)),
        "jelinek-mercer": tuple((1 - POOLED) * counts / counts.sum() + POOLED * both for counts in (one, other)),
    }


def ranks(types: int, number: int = RANKS) -> np.ndarray:
    """Ranks from 1 to ``types``, about evenly spaced by their logarithm: ``ranks(5)`` is ``[1, 2, 3, 4, 5]``."""
    return np.unique(np.geomspace(1, types, number).round().astype(int))


def compare(one: np.ndarray, other: np.ndarray, names: tuple[str, str]) -> pd.DataFrame:
    """The lines of the CSV but documents, from the counts of two corpora over one vocabulary.

    Raises:
        ValueError: naming the corpus that has no token.
    """
    for counts, name in zip((one, other), names, strict=True):
        if not counts.sum():
            raise ValueError(f"corpora: {name}: no tokens; expected a corpus with text")
    lines = []
    for counts, against, name in ((one, other, names[0]), (other, one, names[1])):
        lines += [("tokens", name, "", "", int(counts.sum())), ("types", name, "", "", int((counts > 0).sum()))]
        lines += [("entropy", name, "", "", entropy(counts))]
        lines += [("overlap_tokens", name, "", "", float(counts[against > 0].sum() / counts.sum()))]
    union = ((one > 0) | (other > 0)).sum()
    lines.append(("overlap_types", "both", "", "", float(((one > 0) & (other > 0)).sum() / union)))
    for smoothing, (p, q) in smoothed(one, other).items():
        lines += [("kl", names[0], smoothing, "", divergence(p, q)), ("kl", names[1], smoothing, "", divergence(q, p))]
    for counts, name in ((one, names[0]), (other, names[1])):
        shares = np.sort(counts[counts > 0])[::-1] / counts.sum()
        lines += [("frequency", name, "", int(rank), float(shares[rank - 1])) for rank in ranks(len(shares))]
    return pd.DataFrame(lines, columns=["measure", "of", "smoothing", "rank", "value"])


def write_unigrams(
    documents: str | Path, other: str | Path, tokenizer: str | Path, out: str | Path, *, names: tuple[str, str], code: str
) -> None:
    """The file function; ``names`` are those of the two corpora."""
    if names[0] == names[1]:
        raise ValueError(f"corpora: {names[0]} against {names[1]}: expected two different corpora")
    counts = [counted(path, tokenizer) for path in (documents, other)]
    table = compare(counts[0][0], counts[1][0], names)
    numbers = [("documents", name, "", "", number) for name, (_, number) in zip(names, counts, strict=True)]
    table = pd.concat([pd.DataFrame(numbers, columns=table.columns), table], ignore_index=True)
    with atomic(out) as beside:
        table.to_csv(beside, index=False, float_format="%.8g")
    corpora = [read_card(path)["row"] for path in (documents, other)]
    write_card(out, row={"name": Path(out).stem}, code=code, counts={"lines": len(table)}, corpora=corpora)
    print(table[table["measure"] != "frequency"].to_string(index=False), file=sys.stderr)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        paths = (snakemake.input.documents, snakemake.input.other, snakemake.input.tokenizer, snakemake.output[0])
        compared = (snakemake.wildcards.corpus, snakemake.wildcards.other)
        write_unigrams(*paths, names=compared, code=snakemake.params.code)
