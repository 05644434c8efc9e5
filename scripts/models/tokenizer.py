"""A tokenizer trained by the workflow.

Reads documents.parquet of the sources in a tokenizer row's mix; makes a folder that AutoTokenizer loads: byte-level BPE, each
digit a token of its own, BOS and EOS as the only special tokens, none of them added by the tokenizer itself.
"""

import json
from pathlib import Path

import numpy as np

from scripts.lib.documents import read_documents
from scripts.lib.files import atomic, write_card
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of


def sample_texts(texts: dict[str, list[str]], mix: dict[str, float], characters: int, seed: int) -> list[str]:
    """Whole texts of each source, in an order drawn from ``seed``, until its share of ``characters`` is reached.

    A source that runs out gives all that it has. The order of ``texts`` and of ``mix`` does not matter.
    """
    taken = []
    for source in sorted(mix):
        order = np.random.default_rng(seed_of(seed, source)).permutation(len(texts[source]))
        left = mix[source] * characters
        for index in order:
            if left <= 0:
                break
            taken.append(texts[source][index])
            left -= len(texts[source][index])
    return taken


def train_tokenizer(texts: list[str], vocabulary: int, bos: str, eos: str):
    """A byte-level BPE `tokenizers.Tokenizer` of at most ``vocabulary`` entries, special tokens and 256 bytes included.

    Special tokens get the first ids (BOS 0; EOS 1, or the same token). Training is deterministic: ties are broken by the text.

    Raises:
        ValueError: when ``vocabulary`` cannot hold the bytes and the special tokens, or exceeds 65536.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    special = list(dict.fromkeys([bos, eos]))
    if not 256 + len(special) <= vocabulary <= 65536:
        raise ValueError(
            f"vocabulary is {vocabulary}, expected {256 + len(special)} to 65536 (256 bytes and the special tokens)"
        )
    tokenizer = Tokenizer(models.BPE())
    # The splitting of Qwen2, which AutoTokenizer puts in place of any other in a Qwen2 directory. It keeps digits single.
    tokenizer.normalizer = normalizers.NFC()
    words = Regex(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(tokenizer, folder: Path, bos: str, eos: str) -> None:
    """Write tokenizer.json and tokenizer_config.json into an existing folder."""
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos,
        "eos_token": eos,
        "pad_token": eos,
        "add_bos_token": False,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1_000_000,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def make_tokenizer(documents: list[str], out: str | Path, *, row: dict, code: str) -> None:
    """Train the tokenizer of ``row`` and write its folder and card.

    ``documents`` are documents.parquet of every source of the row's mix, each in a folder of the source's name.
    """
    texts = {Path(path).parent.name: read_documents(path, columns=["text"])["text"].tolist() for path in documents}
    seed = seed_of(row["name"])
    taken = sample_texts(texts, row["mix"], row["characters"], seed)
    tokenizer = train_tokenizer(taken, row["vocabulary"], row["bos"], row["eos"])
    with atomic(out) as beside:
        beside.mkdir()
        save_tokenizer(tokenizer, beside, row["bos"], row["eos"])
    counts = {"documents": len(taken), "characters": sum(map(len, taken)), "vocabulary": tokenizer.get_vocab_size()}
    write_card(out, row=row, code=code, seed=seed, counts=counts)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        make_tokenizer(
            list(snakemake.input.documents), snakemake.output.folder, row=snakemake.params.row, code=snakemake.params.code
        )
