"""The tokenizer of a model, without the model: reads its folder, makes tokenizer.json and tokenizer_config.json."""

import shutil
from pathlib import Path

from scripts.lib.files import atomic, write_card
from scripts.lib.models import load_tokenizer
from scripts.lib.progress import logging_to

FILES = ("tokenizer.json", "tokenizer_config.json")


def copy_tokenizer(model: str | Path, out: str | Path, *, row: dict, code: str) -> None:
    """Copy the tokenizer's two files, and write the card.

    Raises:
        ValueError: when its vocabulary is not the row's, which sizes of models are reckoned with.
    """
    found = load_tokenizer(model).get_vocab_size()
    if found != row["vocabulary"]:
        raise ValueError(f"tokenizers row {row['name']}, key vocabulary: {row['vocabulary']}, {model} has {found}")
    with atomic(out) as beside:
        beside.mkdir()
        for name in FILES:
            shutil.copyfile(Path(model) / name, beside / name)
    write_card(out, row=row, code=code, counts={"vocabulary": found})


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        model, out = snakemake.input.model[0], snakemake.output.folder
        copy_tokenizer(model, out, row=snakemake.params.row, code=snakemake.params.code)
