"""Continual training of a base model on each subset of a corpus.

Reads a Hugging Face directory and documents.parquet with a column `subset`, and perhaps `prompt`, a text that is given before
the document and not learned (scripts.training.data.conditioned), and the documents of the sources that the row's `replay` mixes
in; makes checkpoints/subset-{s}/epoch-{n}/ for the epochs that the row lists (epoch 0 is the base itself and is not copied) and
trace.parquet. One job trains all subsets, with one process a GPU: `python -m scripts.training.train`, or torchrun where the
row's `gpus` is above 1 (answers.launcher).
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from scripts.lib.documents import read_documents
from scripts.lib.files import BrokenArtifact, sha256_of, write_card
from scripts.lib.models import BadModel, bos_of, eos_of, load_model, load_tokenizer
from scripts.lib.seeds import seed_of
from scripts.lib.tokens import encode
from scripts.lib.work import Busy
from scripts.training.data import NONE, Blocks, conditioned, pack, pairs_of, replayed
from scripts.training.stop import Stopped, listen, never


def pairs_of_subsets(frame, words, subsets: int, bos: int, eos: int, block: int, where: str) -> list[list]:
    """The documents of each subset as [2, n] arrays; those with a prompt are at most a ``block`` long.

    Raises:
        BrokenArtifact: naming the file ``where`` and the subset that has no documents.
    """
    found = []
    for subset in range(subsets):
        part = frame[frame["subset"] == subset]
        ids, complete = encode(words, part["text"].tolist()), part["complete"].tolist()
        if "prompt" in frame:
            found.append(conditioned(encode(words, part["prompt"].tolist()), ids, complete, bos, eos, block))
        else:
            found.append(pairs_of(ids, complete, bos, eos))
        if not found[-1]:
            raise BrokenArtifact(f"{where}: subset {subset} has no documents; the run's row, key subsets, asks for {subsets}")
    return found


def pools_of(paths: Sequence[str | Path], words, row: dict, bos: int, eos: int) -> dict[str, Blocks]:
    """Source -> its text in blocks, for replay; the paths are documents.parquet, each in a folder of the source's name.

    Raises:
        BrokenArtifact: naming a source of the row's replay that was not given, or has no text.
    """
    pools = {}
    for path in paths:
        frame = read_documents(path, columns=["text", "complete"])
        pairs = pairs_of(encode(words, frame["text"].tolist()), frame["complete"].tolist(), bos, eos)
        source = Path(path).parent.name
        if pairs:
            pools[source] = pack(pairs, row["block"], row["packing"], seed_of("replay", row["seed"], source))
    if missing := sorted(set(row["replay"]["mix"]) - set(pools)):
        raise BrokenArtifact(f"the run's row, key replay: no text of {missing[0]} was given; got {', '.join(map(str, paths))}")
    return pools


def train(
    base: str | Path,
    corpus: str | Path,
    out: str | Path,
    trace: str | Path,
    work: str | Path,
    *,
    row: dict,
    code: str,
    replay: Sequence[str | Path] = (),
    why_stop: Callable[[], int] = never,
) -> None:
    """Train the base on each subset of the corpus, with warm-up and then a constant rate, so that epochs compare.

    A row whose ``schedule`` is cosine has one over all its epochs instead; of those only the last compares.

    Args:
        base: folder of the model to start from.
        corpus: documents with a column ``subset`` of 0 .. subsets - 1.
        out, trace: the folder of checkpoints and the trace, to be made.
        work: where a killed run left its state.
        row: of a run; trains to the last of ``checkpoints``. ``code`` is the hash of this code.
        replay: documents.parquet of the sources that the row's ``replay`` mixes in; none without it, or with a share of 0.
        why_stop: asked after every step (scripts.training.stop).
    """
    from scripts.training import parallel
    from scripts.training.device import device_and_precision
    from scripts.training.loop import fit
    from scripts.training.output import publish, save_model, write_trace
    from scripts.training.state import folder_of

    name, epochs = row["name"], max(row["checkpoints"])
    device, precision = device_and_precision()
    recipe = {"micro_batch": row["batch"], "schedule": "constant", **row, "precision": precision}
    with parallel.together(device), parallel.shared_work(work) as folder:
        words, bos, eos = load_tokenizer(base), bos_of(base), eos_of(base)
        prompts = {"prompt"} & set(pq.read_schema(corpus).names)
        frame = read_documents(corpus, columns=["text", "complete", "subset", *prompts])
        if prompts and row["packing"] != "documents":
            raise BrokenArtifact(f"{corpus}: has prompts; the run's row, key packing: expected documents, got {row['packing']}")
        subsets = pairs_of_subsets(frame, words, row["subsets"], bos, eos, row["block"], str(corpus))
        pools = pools_of(replay, words, row, bos, eos) if replay else {}
        inputs = [sha256_of(file) for file in [corpus, *replay, *sorted(Path(base).glob("*.safetensors"))]]
        mine = folder_of(folder, row, code, inputs, str(device), precision)
        traces, counts = {}, {}
        for subset, documents in enumerate(subsets):
            seed = seed_of("train", row["seed"], name, subset)

            def blocks_of(epoch, documents=documents, seed=seed):
                blocks = pack(documents, row["block"], row["packing"], seed_of(seed, epoch))
                return replayed(blocks, pools, row["replay"], seed_of("replay", seed, epoch)) if pools else blocks

            first = blocks_of(1)
            tokens = int((first.targets != NONE).sum())
            counts[subset] = {"documents": len(documents), "tokens": tokens, "blocks": len(first.inputs)}
            print(
                f"{name}, subset {subset}: {epochs} epochs of {tokens:,} tokens in {len(documents)} documents on {device}, "
                f"{precision}; blocks of {row['block']} {tokens / first.inputs.size:.0%} full",
                file=parallel.log(),
            )
            model = parallel.ready(load_model(base), device, recipe)

            def keep(epoch, model=model, subset=subset):
                if epoch in row["checkpoints"]:
                    folder = mine / "checkpoints" / f"subset-{subset}" / f"epoch-{epoch}"
                    save_model(model, folder, base, half=device.type == "cuda")  # where all that reads them is in bfloat16

            traces[subset] = fit(
                model,
                blocks_of,
                [len(first.inputs)] * epochs,
                recipe=recipe,
                state=mine / f"subset-{subset}.safetensors",
                label=f"{name}, subset {subset}",
                after_epoch=keep,
                why_stop=why_stop,
            )
        if parallel.first():
            publish(mine / "checkpoints", out)
            write_trace(trace, traces, row=row, code=code)
            write_card(out, row=row, code=code, counts={"subsets": counts}, precision=precision)


if __name__ == "__main__":
    from scripts.training.device import settle

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, required=True)
    parser.add_argument("--code", required=True)
    parser.add_argument("--replay", nargs="*", default=[])
    for option in ("base", "corpus", "out", "trace", "work"):
        parser.add_argument(f"--{option}", required=True)
    a = parser.parse_args()
    settle()
    try:
        train(a.base, a.corpus, a.out, a.trace, a.work, row=a.row, code=a.code, replay=a.replay, why_stop=listen())
    except (BadModel, BrokenArtifact, Busy, FloatingPointError, Stopped) as error:
        sys.exit(f"{a.row['name']}: {error}")
