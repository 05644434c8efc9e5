"""How different the texts of a run are that were written from one document: reads the run's documents, makes a CSV by document.

Columns: run, parent, texts (compared), words (of a text, mean), self_bleu, distinct. Self-BLEU (Zhu et al., 2018, arXiv
1802.01886) is the mean BLEU-4 of each text against all others of its parent: 1 where all are alike. It rises with the number
and the length of what is compared, so TEXTS texts of a parent are drawn, and none is longer than WORDS words. ``distinct`` is
the share of different word 5-grams. A text without a parent is its own: one that a run repeats is compared with itself.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from scripts.audits.quality import distinct
from scripts.lib.documents import read_documents
from scripts.lib.files import atomic, write_card
from scripts.lib.seeds import seed_of
from scripts.lib.text import words

TEXTS, WORDS = 8, 150
ORDER = 4  # of the longest n-grams of BLEU


def self_bleu(texts: list[list[str]]) -> float:
    """The mean BLEU-4 of each of two or more texts, as words, against all others; unmatched orders count as 0.1 of a match."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smooth = SmoothingFunction(epsilon=0.1).method1
    weights = (1 / ORDER,) * ORDER
    scores = [sentence_bleu(texts[:i] + texts[i + 1 :], text, weights, smooth) for i, text in enumerate(texts)]
    return float(np.mean(scores))


def groups_of(documents: pd.DataFrame) -> dict[str, list[str]]:
    """The texts of each parent (the first; where there is none the text itself), in file order; single ones are left out."""
    parents = [parents[0] if len(parents) else text for parents, text in documents[["parent_ids", "text"]].to_numpy()]
    grouped = documents["text"].groupby(parents, sort=True)
    return {parent: texts.tolist() for parent, texts in grouped if len(texts) > 1}


def diversity(documents: str | Path, out: str | Path, *, run: str, code: str) -> None:
    """Write the CSV of a run's documents and its card.

    Raises:
        ValueError: where no document has two texts.
    """
    found = groups_of(read_documents(documents, ["text", "parent_ids"]))
    lines = []
    for parent, texts in found.items():
        rng = np.random.default_rng(seed_of("diversity", parent))
        cut = [words(texts[i])[:WORDS] for i in np.sort(rng.choice(len(texts), min(TEXTS, len(texts)), replace=False))]
        size = float(np.mean([len(text) for text in cut]))
        spread = distinct([" ".join(text) for text in cut])
        lines.append((run, parent[:40], len(cut), size, self_bleu(cut), spread))
    if not lines:
        raise ValueError(f"{documents}: no document has two texts written from it; expected some to compare")
    table = pd.DataFrame(lines, columns=["run", "parent", "texts", "words", "self_bleu", "distinct"])
    with atomic(out) as beside:
        table.to_csv(beside, index=False, float_format="%.6g")
    write_card(out, row={"run": run, "texts": TEXTS, "words": WORDS}, code=code, counts={"parents": len(table)})


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        diversity(snakemake.input.documents, snakemake.output.table, run=snakemake.wildcards.run, code=snakemake.params.code)
