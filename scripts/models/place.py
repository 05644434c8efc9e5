"""A model that comes from elsewhere.

Reads a local Hugging Face directory (rows of kind path), a repository of the hub at its pinned revision (kind hub) or a run's
checkpoint (kind checkpoint); makes a folder of config.json, generation_config.json, *.safetensors and tokenizer.json, with the
row's BOS in its configs. Nothing else is taken over: no pickled weights, no code.
"""

import json
import shutil
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from scripts.lib import hub
from scripts.lib.files import atomic, read_card, write_card
from scripts.lib.models import BadModel, config_of
from scripts.lib.progress import logging_to

WEIGHTS = ("*.safetensors", "model.safetensors.index.json")
REST = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def check_folder(folder: Path, row: dict) -> dict:
    """The configuration of a Hugging Face directory that can be loaded without running anything that it brings.

    The BOS of the row, if it has one, takes the place of the configuration's.

    Raises:
        BadModel: naming the row, the file and what to do.
    """
    where = f"model {row['name']}"
    try:
        config = config_of(folder)
    except BadModel as error:
        raise BadModel(f"{where}: {error}") from None
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        found = [path.name for pattern in PICKLES for path in sorted(folder.glob(pattern))]
        pickled = f"only {', '.join(found)}, which can run code when it is loaded; " if found else ""
        raise BadModel(f"{where}: {folder} has no *.safetensors; {pickled}save it by save_pretrained of transformers first")
    index = folder / "model.safetensors.index.json"
    tokens = folder / "tokenizer_config.json"
    if tokens.exists() and "auto_map" in json.loads(tokens.read_text(encoding="utf-8")):
        raise BadModel(f"{where}: {tokens}, key auto_map, asks for code from outside; remove it if tokenizer.json is enough")
    named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.exists() else set()
    if missing := sorted(named - {path.name for path in weights}):
        raise BadModel(f"{where}: {index} names {', '.join(missing)}, which is not there; the copy is incomplete")
    if not (folder / "tokenizer.json").is_file():
        raise BadModel(f"{where}: {folder / 'tokenizer.json'} is missing; save the fast tokenizer beside the model")
    bos = row.get("bos", config.get("bos_token_id"))
    if isinstance(bos, bool) or not isinstance(bos, int):
        raise BadModel(
            f"{where}: {folder / 'config.json'} has no bos_token_id (it is {bos!r}); set `bos:` in the row to the id of the "
            "token that begins or separates documents"
        )
    if not 0 <= bos < config["vocab_size"]:
        raise BadModel(f"{where}: bos is {bos}, expected an id of the vocabulary, 0 to {config['vocab_size'] - 1}")
    if config.get("eos_token_id") is None:
        config["eos_token_id"] = bos
    return config | {"bos_token_id": bos}


def take_over(folder: Path, out: Path, row: dict) -> None:
    """Copy what counts of a checked directory to ``out``, weights as hard links where the file system has them."""
    config = check_folder(folder, row)
    with atomic(out) as beside:
        beside.mkdir()
        for pattern in WEIGHTS:
            for path in sorted(folder.glob(pattern)):
                hub.link(path.resolve(), beside / path.name)
        for name in REST:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, beside / name)
        (beside / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        generation = beside / "generation_config.json"
        settings = json.loads(generation.read_text(encoding="utf-8")) if generation.exists() else {}
        settings |= {
            "bos_token_id": config["bos_token_id"],
            "eos_token_id": settings.get("eos_token_id", config["eos_token_id"]),
        }
        generation.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def fetch(row: dict) -> Path:
    """The hub repository of ``row`` at its revision, in huggingface_hub's cache; the files that ``take_over`` reads, no others.

    Small files come first, so that a model that would be refused costs no download of weights.

    Raises:
        BadModel: one line, when it cannot be had or holds no safetensors; it names the row and the way around.
    """
    try:
        files = hub.files_of(row)
        weights = [name for name in files if any(fnmatchcase(name, pattern) for pattern in WEIGHTS) and "/" not in name]
        if not any(name.endswith(".safetensors") for name in weights):
            pickled = [name for name in files if any(fnmatchcase(name, pattern) for pattern in PICKLES)]
            only = f"only {', '.join(pickled)}, which can run code when loaded" if pickled else "no weights"
            raise hub.NotHad(f"{row['repo']} at {row['revision']} has no *.safetensors, {only}")
        folder = hub.fetch(row, [name for name in REST if name in files], files=files)
        config_of(folder)
        return hub.fetch(row, weights, files=files)
    except (hub.NotHad, BadModel) as error:
        raise BadModel(f"model {row['name']}: {error}; {hub.own_copy(row)}") from None


def place(out: str | Path, checkpoints: str | Path | None = None, *, row: dict, code: str) -> None:
    """Make the model folder of a row of kind path, hub or checkpoint, and its card; ``checkpoints`` is its run's folder."""
    if row["kind"] == "checkpoint":
        read_card(checkpoints)
        folder = Path(checkpoints) / f"subset-0/epoch-{row['epoch']}"
        if not folder.is_dir():
            raise BadModel(f"model {row['name']}, key epoch: run {row['run']} has no checkpoint of epoch {row['epoch']}")
    else:
        folder = fetch(row) if row["kind"] == "hub" else Path(row["path"]).expanduser()
        if not folder.is_dir():
            raise BadModel(f"model {row['name']}: path is {row['path']}, expected a Hugging Face directory")
    take_over(folder, Path(out), row)
    write_card(out, row=row, code=code)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        try:
            checkpoints = str(snakemake.input.checkpoints) if snakemake.params.row["kind"] == "checkpoint" else None
            place(snakemake.output.folder, checkpoints, row=snakemake.params.row, code=snakemake.params.code)
        except BadModel as error:
            print(error, file=sys.__stderr__)
            raise
