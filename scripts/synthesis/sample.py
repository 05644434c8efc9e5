"""One shard of a corpus that a model writes: reads a corpus row and a model folder, makes documents with their card.

    python -m scripts.synthesis.sample --row JSON --code HASH --model DIR --shard 2-of-8 --out X.parquet --work DIR

The prompt is the BOS id alone, or, with --prompts, a line of that file (`scripts.synthesis.prompts`); nothing is truncated
(no top-p, no top-k, no penalty); a sample ends at EOS or after max_new_tokens. Sample i has the seed `seed_of(corpus, i)`.
By the engines pocket and hf it is always drawn in the company of the other samples of its block (indices [k * BLOCK, (k + 1) *
BLOCK), whole even when a shard has a part of it): matrix products differ in their last bits with the shape of a batch, so this
makes a sample a function of model, corpus and index, however many are drawn, and in whatever shards (on one kind of machine;
another processor may round otherwise, and flip a draw now and then). vLLM forms batches as it likes; its blocks begin with the
shard and are only what a killed one resumes from.
An empty sample (EOS first) is kept, with the text "", so that indices stay; curation removes it and says so.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.documents import document, write_documents
from scripts.lib.files import BrokenArtifact, atomic, card_path, read_card, sha256_of
from scripts.lib.models import BadModel, bos_of, config_of, ends_of, eos_of, load_tokenizer
from scripts.lib.progress import Progress
from scripts.lib.seeds import seed_of
from scripts.lib.work import Busy, work_folder
from scripts.synthesis.draws import Draw, Refused, Sample
from scripts.synthesis.prompts import read_prompts

ENGINES = ("pocket", "hf", "vllm")
BLOCK = {"pocket": 512, "hf": 64, "vllm": 2048}  # samples drawn as one batch; changing one changes corpora in rare draws


def engine_of(
    engine: str,
    model: str | Path,
    *,
    eos: Sequence[int],
    temperature: float,
    max_new_tokens: int,
    longest: int = 1,
    tensor_parallel: int = 1,
) -> Draw:
    """The engine of this name: a function from the prompts and seeds of one batch to its samples; equal seeds, equal samples.

    Args:
        engine: pocket (fast, one CPU thread, small models), hf (reference, any device) or vllm (GPU).
        model: a Hugging Face folder.
        eos: ids that end a sample; BOS may be among them (Qwen).
        temperature: logits are divided by it; above 0.
        max_new_tokens: draws per sample, a drawn EOS included.
        longest: ids of the longest prompt.
        tensor_parallel: GPUs that hold the model together; vllm alone can have more than one.

    Raises:
        Refused: for an unknown engine or a value out of range.
    """
    if engine not in ENGINES:
        raise Refused(f"key engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
    if not temperature > 0:
        raise Refused(f"key temperature: expected a number above 0, got {temperature!r}")
    if max_new_tokens < 1:
        raise Refused(f"key max_new_tokens: expected at least 1, got {max_new_tokens!r}")
    if tensor_parallel > 1 and engine != "vllm":
        raise Refused(f"key tensor_parallel: only engine vllm spreads a model over {tensor_parallel} GPUs, got {engine}")
    positions = config_of(model).get("max_position_embeddings", float("inf"))
    if longest + max_new_tokens - (engine != "vllm") > positions:  # the last draw is read by nobody, but vLLM counts it
        asked = f"{max_new_tokens} asked for" + (f" after prompts of up to {longest} ids" if longest > 1 else "")
        raise Refused(f"key max_new_tokens: {asked}, the model has {positions} positions")
    limits = {"eos": eos, "temperature": temperature, "max_new_tokens": max_new_tokens}
    if engine == "pocket":
        from scripts.synthesis import pocket

        return pocket.engine(str(model), **limits, longest=longest)
    if engine == "hf":
        from scripts.synthesis import hf

        return hf.engine(str(model), **limits)
    from scripts.synthesis import vllm

    return vllm.engine(str(model), **limits, longest=longest, tensor_parallel=tensor_parallel)


def part_of(shard: str, count: int) -> range:
    """The indices of shard k of n of a corpus: ``part_of("2-of-3", 10)`` is range(3, 6)."""
    match = re.fullmatch(r"(\d+)-of-(\d+)", shard)
    k, n = map(int, match.groups()) if match else (0, 0)
    if not 1 <= k <= n:
        raise Refused(f"expected a shard such as 2-of-8, got {shard!r}")
    return range((k - 1) * count // n, k * count // n)


def _model_hash(model: str | Path) -> str:
    """One hash for the files that decide samples; a folder with a card is checked against it."""
    if card_path(model).exists():
        hashes = read_card(model)["sha256"]
    else:
        hashes = {f.name: sha256_of(f) for f in Path(model).iterdir() if f.suffix in {".safetensors", ".json"}}
    return sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def _write_block(path: Path, samples: list[Sample], key: str) -> None:
    table = pa.table(
        {"ids": pa.array([s.ids for s in samples], pa.list_(pa.int32())), "complete": [s.complete for s in samples]}
    )
    with atomic(path) as beside:
        pq.write_table(table.replace_schema_metadata({"key": key}), beside)


def _read_block(path: Path, key: str) -> list[Sample] | None:
    """The samples of a finished block, or None when there are none or they are of another model or other prompts."""
    if not path.exists():
        return None
    table = pq.read_table(path)
    if (table.schema.metadata or {}).get(b"key") != key.encode():
        return None
    columns = (table[name].to_pylist() for name in ("ids", "complete"))
    return [Sample(np.asarray(ids, np.int32), complete) for ids, complete in zip(*columns, strict=True)]


def draw_part(
    row: dict, model: str | Path, hashed: str, part: range, work: Path, *, prompts: list[list[int]], eos: list[int]
) -> list[Sample]:
    """The samples of these indices; finished blocks are kept in ``work`` as Parquet and not drawn again.

    ``hashed`` tells models apart; ``prompts`` may be more than the corpus has samples, to fill its last block. The engine is
    loaded only when a block is missing.
    """
    if not part:
        return []
    name, engine, step = row["name"], row["engine"], BLOCK[row["engine"]]
    first, last = (part.start, part.stop) if engine == "vllm" else (part.start // step * step, len(prompts))
    blocks = [range(at, min(at + step, last)) for at in range(first, part.stop, step)]
    keys = [sha256(json.dumps([hashed, prompts[b.start : b.stop]]).encode()).hexdigest() for b in blocks]
    paths = [work / f"block-{b.start:09d}-{b.stop:09d}.parquet" for b in blocks]
    found = [_read_block(*each) for each in zip(paths, keys, strict=True)]
    limits = {key: row[key] for key in ("temperature", "max_new_tokens", "tensor_parallel") if key in row}
    draw = None
    done = sum(len(samples) for samples in found if samples)
    with Progress(name, sum(map(len, blocks)), "samples", done=done) as progress:
        for number, block in enumerate(blocks):
            if found[number] is not None:
                continue
            if draw is None:
                draw = engine_of(engine, model, eos=eos, **limits, longest=max(map(len, prompts)))
            found[number] = draw(prompts[block.start : block.stop], [seed_of(name, i) for i in block])
            _write_block(paths[number], found[number], keys[number])
            progress.add(len(block), tokens=sum(len(s.ids) for s in found[number]))
    return [s for samples in found for s in samples][part.start - first : part.stop - first]


def write_shard(
    row: dict, code: str, model: str | Path, shard: str, out: str | Path, work: str | Path, prompts: str | Path | None = None
) -> None:
    """The file function: draws one shard and writes documents and card; resumes what a killed process left.

    Args:
        row: of the corpus; without ``prompts`` it has ``samples``, with them there is one sample a prompt.
        shard: which, as ``2-of-8``.
        prompts: a documents Parquet (see `scripts.synthesis.prompts`); BOS alone where None.

    Raises:
        Refused: when the row asks for what cannot be done.
        scripts.lib.work.Busy: when another living process draws this shard.
    """
    if prompts:
        (asked, parents), eos = read_prompts(prompts, model), ends_of(model)
        count = len(asked)
    else:
        count, eos = row["samples"], [eos_of(model)]
        asked, parents = [[bos_of(model)]] * (-(-count // BLOCK[row["engine"]]) * BLOCK[row["engine"]]), None
    tokenizer, part, hashed = load_tokenizer(model), part_of(shard, count), _model_hash(model)
    with work_folder(work) as folder:
        start = time.monotonic()
        samples = draw_part(row, model, hashed, part, folder, prompts=asked, eos=eos)
        seconds = time.monotonic() - start
        documents = (
            document(
                tokenizer.decode(one.ids.tolist(), skip_special_tokens=False),
                source=row["name"],
                method=row["method"],
                index=i,
                meta={"index": i},
                source_model=row["source_model"],
                parent_ids=[parents[i]] if parents else [],
                seed=seed_of(row["name"], i),
                complete=one.complete,
                ids=one.ids,
            )
            for i, one in zip(part, samples, strict=True)
        )
        write_documents(
            out,
            documents,
            row=row,
            code=code,
            seeds="seed_of(corpus, index)",
            bos=bos_of(model),
            eos=eos,
            model=hashed,
            measured={"seconds": round(seconds, 1)},
        )


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", required=True, type=json.loads, help="the corpus row as JSON")
    for name in ("code", "model", "shard", "out", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--prompts")
    a = parser.parse_args(arguments)
    if a.row["engine"] == "pocket":
        import torch

        torch.set_num_threads(1)
    try:
        write_shard(a.row, a.code, a.model, a.shard, a.out, a.work, a.prompts)
    except (Busy, BadModel, BrokenArtifact, Refused) as error:
        sys.exit(f"{a.row['name']}, shard {a.shard}: {error}")


if __name__ == "__main__":
    main()
