"""How fast training and sampling are at the paper's scale: `python -m benchmarks.gpu`, on a machine with a GPU.

Reads the shapes of the paper's students (papers/bos_only/study.yaml), peak rates (benchmarks/gpu.yaml) and the block and batch
of the paper's runs (config.yaml); makes a table on the terminal and a CSV. The models have random weights and the real shapes,
so that nothing is downloaded; a step is the step that `scripts.training` takes, on packed documents, and a sample is drawn by
the engines of `scripts.synthesis`. With `--device cpu --tiny` all of it runs in seconds anywhere, for the tests.

MFU, model FLOP utilisation, is the share of the device's peak that the model's own arithmetic takes (Chowdhery et al. 2022,
PaLM, appendix B): tokens/s x (6 N + 12 L H T) / peak, as scripts/costs.py counts. Padding counts as tokens, and what gradient
checkpointing computes again does not count. What is measured here belongs in scripts/costs.yaml, which the plan reckons with.
"""

import argparse
import csv
import gc
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from scripts import costs
from scripts.study import load

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROOT = Path(__file__).resolve().parent.parent
MEAN = 200  # tokens a document, as samples of 512 tokens at most have
WAYS = {  # name -> compiled, gradient checkpointing, deterministic kernels
    "eager": (False, False, True),
    "compiled": (True, False, True),
    "compiled, checkpointing": (True, True, True),
    "compiled, not deterministic": (True, False, False),
}
COLUMNS = ("model", "what", "tokens/s", "MFU", "peak GiB", "expected GiB", "batch", "micro", "length", "device", "versions")


def shapes(tiny: bool = False) -> dict[str, dict]:
    """The shapes of the paper's students by name, in small if ``tiny``."""
    models = load()["paper"]["models"]
    found = {name: models[name]["shape"] for name in ("Qwen2.5-0.5B", "Llama-3.2-1B", "pythia-1.4b")}
    return {name: {**shape, **(_data()["tiny"] if tiny else {})} for name, shape in found.items()}


def _data() -> dict:
    return yaml.safe_load((ROOT / "benchmarks/gpu.yaml").read_text(encoding="utf-8"))


def peak_of(device: str) -> float:
    """FLOP/s of a device by its name; nan where gpu.yaml knows none."""
    return next((1e12 * rate for part, rate in _data()["peaks"].items() if part in device), float("nan"))


def make(shape: dict) -> "PreTrainedModel":
    """A model of a shape with random weights, float32."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        shape["architecture"],
        hidden_size=shape["hidden"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape.get("kv_heads", shape["heads"]),
        head_dim=shape["hidden"] // shape["heads"],
        intermediate_size=shape["feedforward"],
        vocab_size=shape["vocabulary"],
        tie_word_embeddings=shape.get("tied", True),
        bos_token_id=0,
        eos_token_id=0,
    )
    return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")


def training(name: str, shape: dict, way: str, *, batch: int, micro: int, block: int, steps: int, warm: int = 2) -> dict:
    """Tokens a second of ``steps`` steps after ``warm`` ones, and the peak of the memory."""
    import numpy as np
    import torch

    from scripts.training.data import Blocks, pack, pairs_of
    from scripts.training.device import device_and_precision
    from scripts.training.loop import one_step, optimizer_of
    from scripts.training.parallel import ready

    compiled, checkpointing, deterministic = WAYS[way]
    device, precision = device_and_precision()
    cuda = device.type == "cuda"
    if cuda and not deterministic:
        torch.use_deterministic_algorithms(False)
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.geometric(1 / min(MEAN, block // 2), 2 * batch * block // min(MEAN, block // 2)), 5, block - 2)
    documents = [rng.integers(1, shape["vocabulary"], length) for length in lengths]
    packed = pack(pairs_of(documents, [True] * len(documents), 0, 0), block, "documents", 0)
    part = Blocks(*(array[:batch] for array in packed))
    recipe = {"compile": compiled, "gradient_checkpointing": checkpointing, "precision": precision}
    model = ready(make(shape), device, recipe).train()
    optimizer = optimizer_of(model)
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    for step in range(warm + steps):
        if step == warm:
            start = time.perf_counter()
        one_step(model, optimizer, part, micro, precision, compiled)  # its loss waits for the device
    if cuda:
        torch.cuda.synchronize()
    rate = steps * part.inputs.size / (time.perf_counter() - start)
    known = costs.shape(**shape)
    device_name = torch.cuda.get_device_name() if cuda else "cpu"
    return {
        "model": name,
        "what": f"training, {way}",
        "tokens/s": rate,
        "MFU": rate * costs.train_flops(known, 1, block) / peak_of(device_name),
        "peak GiB": torch.cuda.max_memory_allocated() / 2**30 if cuda else float("nan"),
        "expected GiB": costs.train_bytes(known, micro * block, compiled, checkpointing) / 2**30,
        "batch": batch,
        "micro": micro,
        "length": block,
    }


def sampling(name: str, shape: dict, engine: str, *, number: int, length: int) -> dict:
    """Tokens a second of one batch of samples from the BOS token; weights are random, so that few end by themselves."""
    import torch

    from scripts.models.tokenizer import save_tokenizer, train_tokenizer
    from scripts.synthesis.sample import engine_of

    with tempfile.TemporaryDirectory() as folder:
        make(shape).save_pretrained(folder)
        save_tokenizer(train_tokenizer(["a b"], 258, "<s>", "<s>"), Path(folder), "<s>", "<s>")  # vLLM asks for one
        draw = engine_of(engine, folder, eos=[0], temperature=1.0, max_new_tokens=length)
        draw([[0]] * 2, range(2))
        if torch.cuda.is_available():
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        tokens = sum(len(one.ids) + one.complete for one in draw([[0]] * number, range(2, 2 + number)))
        rate = tokens / (time.perf_counter() - start)
    # vLLM allocates in a process of its own, and as much as it may
    here = torch.cuda.is_available() and engine == "hf"
    return {
        "model": name,
        "what": f"sampling, {engine}",
        "tokens/s": rate,
        "MFU": float("nan"),
        "peak GiB": torch.cuda.max_memory_allocated() / 2**30 if here else float("nan"),
        "expected GiB": float("nan"),
        "batch": number,
        "micro": number,
        "length": length,
    }


def measured(models: dict[str, dict], ways: list[str], engines: list[str], sizes: dict[str, int]) -> Iterator[dict]:
    """One line for each model and way of training or engine; a way that fails (memory, a compiler) is a line that says so."""
    import torch

    from scripts.lib.files import versions

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    known = versions() | {"cuda": torch.version.cuda or "none"}
    about = {"device": device, "versions": " ".join(f"{package} {version}" for package, version in known.items())}
    train = {key: sizes[key] for key in ("batch", "micro", "block", "steps")}
    draw = {key: sizes[key] for key in ("number", "length")}
    for name, shape in models.items():
        for call, how, more in [(training, way, train) for way in ways] + [(sampling, engine, draw) for engine in engines]:
            try:
                line = call(name, shape, how, **more)
            except Exception as error:  # the other lines are worth having
                line = {"model": name, "what": f"{call.__name__}, {how}: {type(error).__name__}: {error}".splitlines()[0]}
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            yield line | about


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns 1 where a line failed."""
    from scripts.training.device import settle

    paper = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["scales"]["paper"]["runs"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small shapes: does everything run?")
    parser.add_argument("--model", nargs="+", choices=list(shapes()), default=list(shapes()))
    parser.add_argument("--way", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--engine", nargs="*", choices=("hf", "vllm"), help="all that are installed, when not given")
    parser.add_argument("--batch", type=int, default=paper["batch"])
    parser.add_argument("--micro", type=int, default=paper["micro_batch"])
    parser.add_argument("--block", type=int, default=paper["block"])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--number", type=int, default=256, help="samples in a batch")
    parser.add_argument("--length", type=int, default=512, help="tokens of a sample, at most")
    parser.add_argument("--out", default="benchmark-gpu.csv")
    a = parser.parse_args(arguments)
    if a.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    if a.device == "cuda" and not torch.cuda.is_available():
        sys.exit("python -m benchmarks.gpu: no GPU here; --device cpu --tiny shows that everything runs")
    settle()
    engines = a.engine if a.engine is not None else ["hf", *(["vllm"] if importlib.util.find_spec("vllm") else [])]
    sizes = {key: getattr(a, key) for key in ("batch", "micro", "block", "steps", "number", "length")}
    models = {name: shape for name, shape in shapes(a.tiny).items() if name in a.model}
    failed = 0
    with open(a.out, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        print(f"{'model':<14}{'what':<40}{'tokens/s':>10}{'MFU':>7}{'peak GiB':>10}{'expected':>10}")
        for line in measured(models, a.way, engines, sizes):
            table.writerow(line)
            file.flush()
            failed += "tokens/s" not in line
            rate, mfu, peak, expected = (line.get(key, float("nan")) for key in ("tokens/s", "MFU", "peak GiB", "expected GiB"))
            print(f"{line['model']:<14}{line['what']:<40}{rate:>10,.0f}{mfu:>7.1%}{peak:>10.1f}{expected:>10.1f}", flush=True)
    print(f"{line['device']}; {line['versions']}; written to {a.out}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
