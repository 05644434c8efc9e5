"""What training leaves: Hugging Face directories and trace.parquet."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.files import atomic, write_card
from scripts.training.parallel import first, whole

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TRACE = pa.schema(
    [
        ("subset", pa.int8()),
        ("step", pa.int32()),
        ("epoch", pa.int32()),
        ("loss", pa.float64()),
        ("learning_rate", pa.float64()),
        ("tokens", pa.int32()),
        ("tokens_per_second", pa.float64()),
        ("batch_hash", pa.string()),
    ]
)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


def save_model(model: "PreTrainedModel", folder: str | Path, tokenizer: str | Path, half: bool = False) -> None:
    """Write a model with the tokenizer of the folder ``tokenizer`` as a Hugging Face directory, whole or not at all.

    Of several processes all call this, since a sharded model is put together by all; the first writes. Weights above 50 GB
    are cut into several safetensors files. ``half`` writes them in bfloat16, for readers that compute in it.
    """
    from transformers.utils import logging

    weights = whole(model)
    if not first():
        return
    if half:
        weights = {name: p.detach().bfloat16() for name, p in (weights or dict(model.named_parameters())).items()}
    logging.disable_progress_bar()
    with atomic(folder) as beside:
        beside.mkdir()
        model.save_pretrained(beside, state_dict=weights)
        if half:
            config = json.loads((beside / "config.json").read_text(encoding="utf-8")) | {"dtype": "bfloat16"}
            (beside / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        for name in TOKENIZER_FILES:
            if (Path(tokenizer) / name).exists():
                shutil.copyfile(Path(tokenizer) / name, beside / name)


def publish(folder: str | Path, out: str | Path) -> None:
    """Make ``folder`` appear at ``out`` too, as hard links where the file system has them.

    What a kill left half-written in ``folder`` (``.name.pid.part``, see scripts.lib.files.atomic) stays behind.
    """

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)

    with atomic(out) as beside:
        shutil.copytree(folder, beside, copy_function=link, ignore=shutil.ignore_patterns(".*.part"))


def write_trace(path: str | Path, traces: dict[int, list[dict]], *, row: dict, code: str) -> None:
    """Write the traces of all subsets as Parquet, with a card."""
    lines = [{"subset": subset, **line} for subset, trace in sorted(traces.items()) for line in trace]
    with atomic(path) as beside:
        pq.write_table(pa.Table.from_pylist(lines, schema=TRACE), beside, compression="zstd")
    write_card(path, row=row, code=code, counts={"steps": len(lines), "tokens": sum(line["tokens"] for line in lines)})
