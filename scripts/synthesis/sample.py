"""Synthesis from BOS: reads a corpus row and a model folder, makes synthesized.parquet, its card, and samples.txt.

    python -m scripts.synthesis.sample --row JSON --code HASH --model DIR --out X.parquet --samples samples.txt --work DIR

The prompt is the BOS id alone; nothing is truncated (no top-p, no top-k, no penalty); a sample ends at EOS or after
max_new_tokens. Sample i has the seed `seed_of(corpus, i)`, and is always drawn in the company of the other samples of its
block (indices [k * BLOCK, (k + 1) * BLOCK), whole even when fewer are asked for): matrix products differ in their last bits
with the shape of a batch, so this makes a sample a function of model, corpus and index, however many are drawn, and in
whatever pieces (on one kind of machine; another processor may round otherwise, and flip a draw now and then).
An empty sample (EOS first) is kept, with the text "", so that indices stay; curation removes it and says so.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.documents import document, write_documents
from scripts.lib.files import BrokenArtifact, atomic, card_path, read_card, sha256_of, write_text
from scripts.lib.models import BadModel, bos_of, eos_of, load_model, load_tokenizer
from scripts.lib.progress import Progress
from scripts.lib.seeds import seed_of
from scripts.lib.work import Busy, work_folder
from scripts.synthesis.draws import Refused, Sample

ENGINES = ("pocket", "hf", "vllm")
BLOCK = {"pocket": 512, "hf": 64, "vllm": 2048}  # samples drawn as one batch; changing one changes corpora in rare draws
SHOWN = 20


def engine_of(
    engine: str, model: str | Path, *, bos: int, eos: int, temperature: float, max_new_tokens: int
) -> Callable[[Sequence[int]], list[Sample]]:
    """A function from seeds (one per sample, drawn as one batch) to samples, by the engine of this name.

    Args:
        engine: pocket (fast, one CPU thread, small models), hf (reference, any device) or vllm (GPU).
        model: a Hugging Face folder.
        bos, eos: token ids; they may be the same (Qwen).
        temperature: logits are divided by it; above 0.
        max_new_tokens: draws per sample, a drawn EOS included.

    Raises:
        Refused: for an unknown engine or a value out of range.
    """
    if engine not in ENGINES:
        raise Refused(f"key engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
    if not temperature > 0:
        raise Refused(f"key temperature: expected a number above 0, got {temperature!r}")
    if max_new_tokens < 1:
        raise Refused(f"key max_new_tokens: expected at least 1, got {max_new_tokens!r}")
    limits = {"bos": bos, "eos": eos, "temperature": temperature, "max_new_tokens": max_new_tokens}
    if engine == "pocket":
        from scripts.synthesis import pocket

        return pocket.engine(load_model(model), **limits)
    if engine == "hf":
        from scripts.synthesis import hf

        return hf.engine(str(model), **limits)
    from scripts.synthesis import vllm

    return vllm.engine(str(model), **limits)


def sample(engine: str, model: str | Path, *, seeds: Sequence[int], **limits) -> list[Sample]:
    """Samples for these seeds, drawn as one batch; the other arguments are those of `engine_of`.

    Equal seeds give equal samples. To draw a range of a corpus use `draw_range`, which keeps to the blocks.
    """
    return engine_of(engine, model, **limits)(seeds)


def draw_range(draw: Callable[[Sequence[int]], list[Sample]], corpus: str, start: int, stop: int, block: int) -> list[Sample]:
    """Samples start .. stop - 1 of a corpus: the blocks that hold them are drawn whole, and the rest is left away."""
    first = start // block * block
    samples = [s for at in range(first, stop, block) for s in draw([seed_of(corpus, i) for i in range(at, at + block)])]
    return samples[start - first : stop - first]


def rates(samples: Sequence[Sample]) -> dict[str, float]:
    """Counts and rates of a corpus: tokens without BOS and EOS; unique_rate is of the samples that are not empty."""
    filled = [s.ids.tobytes() for s in samples if len(s.ids)]
    tokens = sum(len(s.ids) for s in samples)
    return {
        "samples": len(samples),
        "tokens": tokens,
        "mean_length": tokens / len(samples),
        "eos_rate": sum(s.complete for s in samples) / len(samples),
        "empty_rate": 1 - len(filled) / len(samples),
        "unique_rate": len(set(filled)) / max(len(filled), 1),
        "most_copies": max(Counter(filled).values(), default=0),
    }


def _model_hash(model: str | Path) -> str:
    """One hash for the files that decide samples; a folder with a card is checked against it."""
    if card_path(model).exists():
        hashes = read_card(model)["sha256"]
    else:
        hashes = {f.name: sha256_of(f) for f in Path(model).iterdir() if f.suffix in {".safetensors", ".json"}}
    return sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def _write_block(path: Path, samples: list[Sample], model: str) -> None:
    table = pa.table(
        {"ids": pa.array([s.ids for s in samples], pa.list_(pa.int32())), "complete": [s.complete for s in samples]}
    )
    with atomic(path) as beside:
        pq.write_table(table.replace_schema_metadata({"model": model}), beside)


def _read_block(path: Path, model: str) -> list[Sample] | None:
    """The samples of a finished block, or None when there are none or another model drew them."""
    if not path.exists():
        return None
    table = pq.read_table(path)
    if (table.schema.metadata or {}).get(b"model") != model.encode():
        return None
    columns = (table[name].to_pylist() for name in ("ids", "complete"))
    return [Sample(np.asarray(ids, np.int32), complete) for ids, complete in zip(*columns, strict=True)]


def draw_corpus(row: dict, model: str | Path, work: Path, *, bos: int, eos: int, block: int) -> list[Sample]:
    """All samples of a corpus row; finished blocks are kept in ``work`` as Parquet and not drawn again.

    The engine is loaded only when a block is missing.
    """
    name, count = row["name"], row["samples"]
    hashed = _model_hash(model)
    paths = [work / f"block-{block}-{at // block:06d}.parquet" for at in range(0, count, block)]
    found = [_read_block(path, hashed) for path in paths]
    done = min(count, sum(len(samples) for samples in found if samples))
    draw = None
    with Progress(name, count, "samples", done=done) as progress:
        for number, path in enumerate(paths):
            if found[number] is not None:
                continue
            if draw is None:
                draw = engine_of(
                    row["engine"], model, bos=bos, eos=eos, temperature=row["temperature"], max_new_tokens=row["max_new_tokens"]
                )
            found[number] = draw_range(draw, name, number * block, (number + 1) * block, block)
            _write_block(path, found[number], hashed)
            progress.add(min(block, count - number * block), tokens=sum(len(s.ids) for s in found[number]))
    return [s for samples in found for s in samples][:count]


def to_read(row: dict, texts: Sequence[str], samples: Sequence[Sample], counts: dict) -> str:
    """The first samples as a text to read: what they are, then each with its index, length and end."""
    lines = [
        f"{row['name']}: the first {min(SHOWN, len(samples))} of {counts['samples']} samples",
        f"written by {row['source_model']} from BOS alone at temperature {row['temperature']}, nothing filtered",
        f"{counts['tokens']} tokens, {counts['mean_length']:.1f} a sample; ended by EOS {counts['eos_rate']:.1%}, "
        f"empty {counts['empty_rate']:.1%}, unique {counts['unique_rate']:.1%}",
    ]
    for index, (text, one) in enumerate(zip(texts[:SHOWN], samples, strict=False)):
        lines += ["", f"--- {index}: {len(one.ids)} tokens, {'EOS' if one.complete else 'cut'}", text]
    return "\n".join(lines) + "\n"


def write_corpus(row: dict, code: str, model: str | Path, out: str | Path, samples_txt: str | Path, work: str | Path) -> None:
    """The file function: draws the corpus and writes documents, card and samples.txt; resumes what a killed process left.

    Raises:
        scripts.lib.work.Busy: when another living process draws this corpus.
    """
    bos, eos, tokenizer = bos_of(model), eos_of(model), load_tokenizer(model)
    with work_folder(work) as folder:
        start = time.monotonic()
        samples = draw_corpus(row, model, folder, bos=bos, eos=eos, block=BLOCK[row["engine"]])
        seconds = time.monotonic() - start
        texts = [tokenizer.decode(s.ids, skip_special_tokens=False, clean_up_tokenization_spaces=False) for s in samples]
        counts = rates(samples)
        if counts["unique_rate"] < 0.99 and row["temperature"] >= 1:
            print(f"{row['name']}: only {counts['unique_rate']:.1%} of the samples are unique", file=sys.stderr)
        documents = (
            document(
                text,
                source=row["name"],
                method="bos",
                index=i,
                meta={"index": i},
                source_model=row["source_model"],
                seed=seed_of(row["name"], i),
                complete=one.complete,
                ids=one.ids,
            )
            for i, (text, one) in enumerate(zip(texts, samples, strict=True))
        )
        write_text(samples_txt, to_read(row, texts, samples, counts))
        write_documents(
            out,
            documents,
            row=row,
            code=code,
            counts=counts,
            seeds="seed_of(corpus, index)",
            bos=bos,
            eos=eos,
            model=_model_hash(model),
            measured={"seconds": round(seconds, 1)},
        )


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", required=True, type=json.loads, help="the corpus row as JSON")
    for name in ("code", "model", "out", "samples", "work"):
        parser.add_argument(f"--{name}", required=True)
    a = parser.parse_args(arguments)
    if a.row["engine"] == "pocket":
        import torch

        torch.set_num_threads(1)
    try:
        write_corpus(a.row, a.code, a.model, a.out, a.samples, a.work)
    except (Busy, BadModel, BrokenArtifact, Refused) as error:
        sys.exit(f"{a.row['name']}: {error}")


if __name__ == "__main__":
    main()
