"""What a job costs: reads the checked rows and scripts/costs.yaml; makes seconds, memory, disk and downloads of a job.

Answers the rules' `resources:` (scripts/answers.py) and `python -m scripts.plan`. No job's output is read: the answer for a job
that was never run comes from parameters, tokens and items in its rows and from rates, which costs.yaml gives with their source.
"""

import math
from functools import cache
from typing import NamedTuple

from scripts import downloads
from scripts.code import ROOT
from scripts.schema import GENERATED
from scripts.study import StudyError, load, read_yaml, row_at
from scripts.sweeps import jobs_of

GPU_SCALES = ("gpu", "paper")
READ = 40  # bytes a token of text, ids, and input and target of a block
PAIRS = 1000  # held-out pairs that a synthesizer is asked about
WIDE = 1024  # dimensions of an embedder


class Shape(NamedTuple):
    """What a model's arithmetic depends on."""

    parameters: int
    matrix: int  # parameters that each token is multiplied with: all but an embedding that is no output matrix too
    attention: int  # layers times the width of all heads
    cache: int  # bytes of keys and values of one token, in 16 bits
    vocabulary: int
    kept: int  # bytes a token that the layers keep for the backward pass
    checkpointed: int  # the same under gradient checkpointing


class Cost(NamedTuple):
    """What a job takes."""

    seconds: float = 0.0
    gpus: int = 0
    gpu_bytes: float = 0.0  # memory of one GPU
    memory: float = 2e9  # bytes of main memory
    disk: float = 0.0  # bytes of declared outputs
    download: float = 0.0  # bytes


@cache
def rates() -> dict:
    """scripts/costs.yaml."""
    return read_yaml(ROOT / "scripts/costs.yaml")


@cache
def machine_of(scale: str) -> str:
    """The name of the machine that a scale's heavy jobs run on: cpu, or the GPU of config.yaml, key machines.

    Raises:
        StudyError: when config.yaml names a machine that costs.yaml does not have.
    """
    if scale not in GPU_SCALES:
        return "cpu"
    name = read_yaml(ROOT / "config.yaml").get("machines", {}).get(scale)
    if name not in rates()["machines"]:
        known = ", ".join(rates()["machines"])
        raise StudyError(f"config.yaml, key machines, {scale}: expected one of {known}, found {name!r}")
    return name


def shape(
    *,
    architecture: str,
    hidden: int,
    layers: int,
    heads: int,
    feedforward: int,
    vocabulary: int,
    kv_heads: int = 0,
    tied: bool = True,
) -> Shape:
    """A model's shape from its configuration; biases and norms (under 0.1 % of the parameters) are left out.

    A SwiGLU layer (qwen2, qwen3, llama) has 3 hidden x feedforward matrices, one of GPT-NeoX has 2. What autograd keeps of a
    layer was counted with saved_tensors_hooks: 35 h + 8 f bytes a token (h hidden, f feedforward), or 22 h + 4 f of GPT-NeoX;
    checkpointing keeps 4 h of each layer and all of one. One layer of hidden 4, 2 heads, feedforward 8 and vocabulary 10,
    tied, as Llama: 4 x 16 + 3 x 32 + 40 = 200 parameters.

    >>> shape(architecture="llama", hidden=4, layers=1, heads=2, feedforward=8, vocabulary=10).parameters
    200
    """
    narrow = hidden * (kv_heads or heads) // heads
    layer = 2 * hidden * hidden + 2 * hidden * narrow + (2 if architecture == "gpt_neox" else 3) * hidden * feedforward
    matrix = layers * layer + vocabulary * hidden
    parameters = matrix + (0 if tied else vocabulary * hidden)
    kept = 22 * hidden + 4 * feedforward if architecture == "gpt_neox" else 35 * hidden + 8 * feedforward
    cache = 2 * layers * narrow * 2
    return Shape(parameters, matrix, layers * hidden, cache, vocabulary, layers * kept, layers * 4 * hidden + kept)


@cache
def shape_of(model: str, scale: str) -> Shape:
    """The shape of a model row.

    A model of the user counts as its ``parameters``, with attention and the cache left out.
    """
    row = row_at("models", model, scale)
    if row["kind"] == "checkpoint":
        return shape_of(row_at("runs", row["run"], scale)["base"], scale)
    if row["kind"] == "scratch":
        vocabulary = row_at("tokenizers", row["tokenizer"], scale)["vocabulary"]
        keys = ("architecture", "hidden", "layers", "heads", "feedforward")
        more = {"vocabulary": vocabulary, "kv_heads": row.get("kv_heads", 0), "tied": row["architecture"] != "gpt_neox"}
        return shape(**{key: row[key] for key in keys}, **more)
    if "shape" in row:
        return shape(**row["shape"])._replace(parameters=row["parameters"])
    n = row.get("parameters", 0)
    return Shape(n, n, 0, 0, 0, 0, 0)


def forward_flops(model: Shape, tokens: float, length: float) -> float:
    """FLOPs of a forward pass over ``tokens`` in sequences of ``length``: 2 N + 4 L H T a token (PaLM, appendix B).

    N are the weights that every token is multiplied with, L layers, H the width of all heads, T the length; attention counts in
    full, although half of it is masked.
    """
    return tokens * (2 * model.matrix + 4 * model.attention * length)


def train_flops(model: Shape, tokens: float, length: float) -> float:
    """FLOPs of training on ``tokens``: three times the forward pass, 6 N + 12 L H T a token."""
    return 3 * forward_flops(model, tokens, length)


def _work(scale: str, flops: float, what: str) -> float:
    """Seconds of some FLOPs of a kind (train | score | generate) on a scale's machine, one GPU or one core."""
    machine = rates()["machines"][machine_of(scale)]
    return flops / (machine["flops"] * machine[what] if "flops" in machine else machine[what])


def generate_seconds(
    model: Shape, scale: str, engine: str, sequences: float, prompt: float, new: float, prompts: float | None = None
) -> float:
    """Seconds of generating ``new`` tokens after ``prompt`` tokens for each of ``sequences``.

    On a CPU by FLOPs. On a GPU each step reads all weights and the cache of the sequences that are decoded together, or
    computes, whichever takes longer; the prompts are a forward pass, over ``prompts`` of them where many are one and cached.
    """
    machine = rates()["machines"][machine_of(scale)]
    if "flops" not in machine:
        return _work(scale, forward_flops(model, sequences * (prompt + new), prompt + new), "generate")
    how = rates()["engines"][engine]
    free = 0.85 * machine["memory"] - 2 * model.parameters
    together = max(1.0, min(how["together"], sequences, free / max(model.cache * (prompt + new), 1)))
    read = 2 * model.matrix + together * model.cache * (prompt + new / 2)
    compute = together * 2 * model.matrix / (machine["flops"] * machine["score"])
    step = how["step"] + max(read / (rates()["bandwidth"] * machine["bandwidth"]), compute)
    steps = math.ceil(sequences / together) * new
    read_first = sequences if prompts is None else prompts
    return steps * step + _work(scale, forward_flops(model, read_first * prompt, prompt), "score")


def start_seconds(scale: str) -> float:
    """Seconds until a heavy job begins its work."""
    return rates()["machines"][machine_of(scale)]["start"]


# --- the heavy rules: wildcards and scale -> cost


def _gpus(scale: str, row: dict, key: str) -> int:
    return row.get(key, 1) if scale in GPU_SCALES else 0


def pretrain(wildcards: dict, scale: str) -> Cost:
    """A model from scratch."""
    row, model = row_at("models", wildcards["model"], scale), shape_of(wildcards["model"], scale)
    gpus = _gpus(scale, row, "gpus")
    seconds = _work(scale, train_flops(model, row["tokens"], row["block"]), "train") / max(gpus, 1)
    gpu_bytes = _bytes_of(model, row) if gpus else 0
    memory = 1.5e9 + READ * row["tokens"]  # all that it is trained on is read and packed at once
    disk = 4 * model.parameters * (1 + len(row.get("checkpoints", [])))
    return Cost(start_seconds(scale) + seconds, gpus, gpu_bytes, memory=memory, disk=disk)


@cache
def _shape_of_size(size: str, tokenizer: str, scale: str) -> Shape:
    keys = ("architecture", "hidden", "layers", "heads", "feedforward", "kv_heads")
    found = {key: value for key, value in row_at("sizes", size, scale).items() if key in keys}
    return shape(**found, vocabulary=row_at("tokenizers", tokenizer, scale)["vocabulary"])


def run_seconds(run: dict, row: dict) -> float:
    """Seconds of one run of a sweep: its training, on the GPUs of its size, and its score on the held-out documents.

    Small models on a CPU take their FLOPs, and besides a time for each token and each run that no size makes less.
    """
    scale, known = row["scale"], rates()["sweeps"]
    model = _shape_of_size(run["size"], row["tokenizer"], scale)
    gpus = max(_gpus(scale, row_at("sizes", run["size"], scale), "gpus"), 1)
    scored = forward_flops(model, len(row["heldout"]) * row["heldout_documents"] * rates()["heldout"], row["block"])
    if scale in GPU_SCALES:
        return (
            known["run"]
            + _work(scale, train_flops(model, run["tokens"], row["block"]), "train") / gpus
            + _work(scale, scored, "score")
        )
    flops = train_flops(model, run["tokens"], row["block"]) + scored
    return known["run"] + run["tokens"] * known["token"] + flops / known["train"]


@cache
def sweep_jobs(sweep: str, scale: str) -> list[list[dict]]:
    """The runs of each job of a sweep, of about equal seconds."""
    row = row_at("sweeps", sweep, scale)
    return jobs_of(row["runs"], row["shards"], lambda run: run_seconds(run, row))


def sweep(wildcards: dict, scale: str) -> Cost:
    """One job of a sweep: its runs one after the other, on as many GPUs as the largest asks for."""
    row = row_at("sweeps", wildcards["sweep"], scale)
    runs = sweep_jobs(row["name"], scale)[int(wildcards["shard"].split("-of-")[0]) - 1]
    sizes = {run["size"]: row_at("sizes", run["size"], scale) for run in runs}
    gpus = max(_gpus(scale, size, "gpus") for size in sizes.values())
    models = {name: _shape_of_size(name, row["tokenizer"], scale) for name in sizes}
    order = 80 * max(run["tokens"] for run in runs) / 500  # bytes in which each process orders documents of 500 tokens
    return Cost(
        start_seconds(scale) + sum(run_seconds(run, row) for run in runs),
        gpus=gpus,
        gpu_bytes=max(_bytes_of(models[name], row | sizes[name]) for name in sizes) if gpus else 0,
        memory=1.5e9 + 24 * max(model.parameters for model in models.values()) + max(gpus, 1) * order,
        disk=1e4 * len(runs),
    )


def tokens(wildcards: dict, scale: str) -> Cost:
    """A text as token ids: of a document 500 tokens where the row does not say how many there are in all."""
    tables = load()[scale]
    row = tables["corpora"].get(wildcards["written"]) or tables["sources"][wildcards["written"]]
    number = row["tokens"] if "tokens" in row else 500 * row.get("documents", 0)
    return Cost(3 + number / rates()["sweeps"]["encoded"], memory=2e9, disk=4 * number)


def checkpoints(row: dict) -> int:
    """How many directories a run saves: every epoch that its row names but 0, which is the base, for each subset."""
    return row["subsets"] * sum(epoch > 0 for epoch in row["checkpoints"])


def train(wildcards: dict, scale: str) -> Cost:
    """A run: all subsets, all epochs. Its disk is its checkpoints, 4 bytes a parameter, or 2 on a GPU (bfloat16)."""
    row = row_at("runs", wildcards["run"], scale)
    model = shape_of(row["base"], scale)
    gpus = _gpus(scale, row, "gpus")
    tokens = row["tokens"] * row["subsets"] * max(row["checkpoints"]) * (2 if row["kind"] == "pairs" else 1)  # d1 is read too
    seconds = _work(scale, train_flops(model, tokens, row["block"]), "train") / max(gpus, 1)
    held = 32 * row["tokens"] * row["subsets"] * max(gpus, 1)  # each process: documents as pairs, and an epoch's blocks
    return Cost(
        start_seconds(scale) + seconds,
        gpus=gpus,
        gpu_bytes=_bytes_of(model, row) if gpus else 0,
        memory=1.2e9 + 24 * model.parameters + held,
        disk=checkpoints(row) * (2 if gpus else 4) * model.parameters,
    )


def train_bytes(model: Shape, tokens: int, compiled: bool = False, checkpointing: bool = False) -> float:
    """Bytes of one GPU that a training step takes with ``tokens`` in a pass, without sharding.

    18 a weight: float32 weight, gradient and two moments, and the bfloat16 copy that autocast keeps. A token takes what its
    layers keep, and 12 bytes for each word of the vocabulary (bfloat16 and float32 logits, softmax, gradient), or 4 where the
    loss is compiled.
    """
    kept = model.checkpointed if checkpointing else model.kept
    return 18 * model.parameters + tokens * (kept + (4 if compiled else 12) * model.vocabulary)


def _bytes_of(model: Shape, row: dict) -> float:
    """Bytes of one GPU in training; FSDP has the others hold their part of weights, gradients and moments."""
    tokens = row.get("micro_batch", row["batch"]) * row["block"]
    if row.get("parallel") == "fsdp":  # weights, gradients and moments are divided among the processes
        model = model._replace(parameters=model.parameters // row.get("gpus", 1))
    return train_bytes(model, tokens, row.get("compile", False), row.get("gradient_checkpointing", False))


def bos(wildcards: dict, scale: str) -> Cost:
    """Samples from BOS, or after prompts of at most half a block: one shard of a corpus."""
    row = row_at("corpora", wildcards["corpus"], scale)
    model = shape_of(row["source_model"], scale)
    gpus = _gpus(scale, row, "tensor_parallel")
    samples = row["samples"] / row.get("shards", 1)
    engine = row["engine"] if row["engine"] in rates()["engines"] else "hf"
    prompt = row["block"] // 2 if row["method"] == "sbp" else 1
    seconds = generate_seconds(model, scale, engine, samples, prompt, row["max_new_tokens"]) / max(gpus, 1)
    return Cost(
        start_seconds(scale) + (rates()["engines"][engine]["start"] if gpus else 0) + seconds,
        gpus=gpus,
        gpu_bytes=2 * model.parameters / max(gpus, 1) + 2e9 if gpus else 0,
        memory=1.2e9 + 4 * model.parameters,
        disk=samples * row["max_new_tokens"] * 6,
    )


def generate(wildcards: dict, scale: str) -> Cost:
    """What a generator writes about documents: one shard of a corpus. An endpoint takes as long as its limits let it."""
    row = row_at("corpora", wildcards["corpus"], scale)
    size = _size(row)
    calls, documents = (n / row["shards"] for n in (row["tokens"] / size["answer"], _documents(row["source"], scale)))
    model, gpus, gpu_bytes = Shape(0, 0, 0, 0, 0, 0, 0), 0, 0.0
    if row["engine"] == "pocket":
        seconds = calls * size["seconds"]
    elif row["engine"] == "openai":
        limits = row["endpoint"]
        tokens = calls * (size["document"] + size["answer"])
        seconds = 60 * max(tokens / limits["tokens_per_minute"], calls / limits["requests_per_minute"])
    else:
        model, gpus = shape_of(row["source_model"], scale), _gpus(scale, row, "tensor_parallel")
        prompt, start = size["document"], rates()["engines"]["vllm"]["start"]
        seconds = start + generate_seconds(model, scale, "vllm", calls, prompt, size["answer"], documents) / max(gpus, 1)
        gpu_bytes = 2 * model.parameters / max(gpus, 1) + 2e9
    return Cost(
        start_seconds(scale) + seconds,
        gpus=gpus,
        gpu_bytes=gpu_bytes,
        memory=1.2e9 + 4 * model.parameters + 12 * row["tokens"],
        disk=3 * row["tokens"] / row["shards"],
    )


def _documents(source: str, scale: str) -> int:
    """How many documents a source's row says that it has; 0 where it does not."""
    row = row_at("sources", source, scale)
    return next((row[key] for key in ("documents", "books", "articles") if key in row), 0)


def _items(suite: dict, size: dict, kind: str) -> float:
    """How many items a task of a suite has."""
    if suite["kind"] == "open-book":
        suite = row_at("suites", suite["suite"], suite["scale"])
    if suite["kind"] == "books":
        return 4 * suite["books"] * suite["sets"]
    if suite["kind"] == "quality":
        return size["items"] * suite["articles"]
    return size["items"] if "items" in size else suite.get("items") or suite[kind]


def _passage_tokens(suite: dict, scale: str) -> float:
    """Tokens of what stands before each question of an open-book suite, four characters each; a book has as many as 24,000."""
    if suite["kind"] != "open-book":
        return 0
    return min(suite["passages"] * row_at("retrievers", suite["retriever"], scale)["characters"], 24_000) / 4


def _suite_seconds(suite: dict, model: Shape, scale: str) -> tuple[float, float]:
    """Seconds of one model on a suite, and how many items it has."""
    known = rates()["benchmarks"]
    seconds, items = 0.0, 0.0
    backend = suite["backend"] if suite["backend"] in rates()["engines"] else "hf"
    for name, task in suite["tasks"].items():
        size = known.get(name, known["pocket"])
        generated = task["metric"] not in ("acc", "acc_norm")
        kind = "code_items" if task["group"] == "code" else "generated_items" if generated else "choice_items"
        count = _items(suite, size, kind)
        prompt = size["tokens"] + size["example"] * task.get("shots", 0) + _passage_tokens(suite, scale)
        if generated:
            seconds += generate_seconds(model, scale, backend, count, prompt, size["generated"])
        else:
            tokens = prompt + size["requests"] * size["choice"] if "choice" in size else size["requests"] * prompt
            seconds += _work(scale, forward_flops(model, count * tokens, prompt), "score")
        seconds += count * size.get("seconds", 0)
        items += count
    return seconds, items


def _evaluation(model: str, suite: str, scale: str, number: int) -> Cost:
    row, size = row_at("suites", suite, scale), shape_of(model, scale)
    seconds, items = _suite_seconds(row, size, scale)
    gpus = int(scale in GPU_SCALES)
    if gpus and row["backend"] == "vllm":
        seconds += rates()["engines"]["vllm"]["start"]  # weights cannot be swapped: an engine a checkpoint
    return Cost(
        start_seconds(scale) + rates()["harness"] + number * seconds,
        gpus=gpus,
        gpu_bytes=2 * size.parameters + 64 * 1024 * size.cache + 16 * 512 * 6 * size.vocabulary if gpus else 0,
        memory=1.2e9 + 8 * size.parameters,
        disk=number * items * 12,
    )


def evaluate_run(wildcards: dict, scale: str) -> Cost:
    """All checkpoints of a run, and its base, on one suite."""
    run = row_at("runs", wildcards["run"], scale)
    number = len(run["levels"]) if run["kind"] == "noise" else checkpoints(run)
    return _evaluation(run["base"], wildcards["suite"], scale, 1 + number)


def evaluate_model(wildcards: dict, scale: str) -> Cost:
    """One model on one suite, and the checkpoints within its pretraining."""
    row = row_at("models", wildcards["model"], scale)
    return _evaluation(wildcards["model"], wildcards["suite"], scale, 1 + len(row.get("checkpoints", [])))


def _scored(model: str, scale: str, tokens: float, length: int) -> Cost:
    """A model that reads ``tokens`` in sequences of ``length``."""
    size, gpus = shape_of(model, scale), int(scale in GPU_SCALES)
    seconds = _work(scale, forward_flops(size, tokens, length), "score")
    return Cost(start_seconds(scale) + seconds, gpus=gpus, gpu_bytes=2 * size.parameters + 4e9 if gpus else 0, memory=3e9)


def heldout(wildcards: dict, scale: str) -> Cost:
    """The loss of a model and of the checkpoints within its pretraining on documents, each at most a block."""
    row = row_at("models", wildcards["model"], scale)
    tokens = row_at("sources", wildcards["source"], scale)["documents"] * row["block"] * (1 + len(row.get("checkpoints", [])))
    return _scored(wildcards["model"], scale, tokens, row["block"])


def conditional(wildcards: dict, scale: str) -> Cost:
    """Held-out pairs three times: after their own document, after another, and the second of each alone."""
    block = row_at("runs", wildcards["run"], scale)["block"]
    return _scored(wildcards["model"], scale, 2.5 * PAIRS * block, block)


def embeddings(wildcards: dict, scale: str) -> Cost:
    """The vectors of all documents of a source."""
    documents = row_at("sources", wildcards["source"], scale)["documents"]
    return _embedded(wildcards["embedder"], documents, scale)._replace(disk=4096 * documents)


def pairs(wildcards: dict, scale: str) -> Cost:
    """Exact search among up to a million documents: all products of two vectors; beyond, an index of a byte a dimension."""
    row = row_at("pairs", wildcards["pairs"], scale)
    documents = row_at("sources", row["source"], scale)["documents"]
    products = documents * min(documents, 1e6) * WIDE
    seconds = 2 * products / rates()["machines"]["cpu"]["score"] + 1e-3 * documents
    return Cost(5 + seconds, memory=2e9 + WIDE * documents, disk=60 * row["neighbours"] * documents)


def extract(wildcards: dict, scale: str) -> Cost:
    """Greedy continuation of all candidates, and the loss on held-out documents, for all checkpoints of a run."""
    run, suite = row_at("runs", wildcards["run"], scale), row_at("suites", wildcards["suite"], scale)
    model = shape_of(run["base"], scale)
    number = 1 + (len(run["levels"]) if run["kind"] == "noise" else checkpoints(run))
    sources = load()[scale]["sources"]
    candidates = 0
    for task in suite["tasks"].values():
        for name in task["candidates"]:
            source = sources[name]
            candidates += sum(source["passages"].values()) if "passages" in source else source["documents"]
    length = suite["prefix"] + suite["suffix"]
    seconds = generate_seconds(model, scale, "hf", candidates, suite["prefix"], suite["suffix"])
    heldout = suite["heldout"] * len(suite["tasks"])
    seconds += _work(scale, forward_flops(model, candidates * length + heldout * rates()["heldout"], length), "score")
    gpus = int(scale in GPU_SCALES)
    return Cost(
        start_seconds(scale) + number * seconds,
        gpus=gpus,
        gpu_bytes=2 * model.parameters + 4e9 if gpus else 0,
        memory=1.2e9 + 8 * model.parameters,
        disk=number * candidates * 20,
    )


def losses(wildcards: dict, scale: str) -> Cost:
    """The loss of all checkpoints of a run, and of its base, on held-out text."""
    run, suite = row_at("runs", wildcards["run"], scale), row_at("suites", wildcards["suite"], scale)
    model = shape_of(run["base"], scale)
    number = 1 + (len(run["levels"]) if run["kind"] == "noise" else checkpoints(run))
    documents = sum(task["documents"] for task in suite["tasks"].values())
    seconds = number * _work(scale, forward_flops(model, documents * rates()["heldout"], rates()["heldout"]), "score")
    gpus = int(scale in GPU_SCALES)
    return Cost(
        start_seconds(scale) + seconds,
        gpus=gpus,
        gpu_bytes=2 * model.parameters + 16 * 256 * 6 * model.vocabulary if gpus else 0,
        memory=1.2e9 + 8 * model.parameters,
        disk=number * documents * 20,
    )


def nll(wildcards: dict, scale: str) -> Cost:
    """Mean NLL of a corpus (or of a model's corpora at all temperatures) under a model."""
    tables, model = load()[scale]["corpora"], shape_of(wildcards["model"], scale)
    if "writer" in wildcards:
        rows = [r for r in tables.values() if r["name"].startswith(f"bos-{wildcards['writer']}-t")]
    else:
        rows = [tables[wildcards["corpus"]]]
    tokens = sum(_samples(row["name"], scale) * row.get("max_new_tokens", 512) for row in rows)
    gpus = int(scale in GPU_SCALES)
    seconds = _work(scale, forward_flops(model, tokens, 512), "score")
    return Cost(start_seconds(scale) + seconds, gpus=gpus, gpu_bytes=2 * model.parameters + 4e9 if gpus else 0, memory=3e9)


def _size(row: dict) -> dict:
    """What a generator of a corpus reads and writes for a text: by its engine, or by engine and method."""
    known = rates()["generated"]
    return known.get(f"{row['engine']}-{row['method']}", known[row["engine"]])


def _samples(corpus: str, scale: str) -> int:
    """Documents of a corpus; a corpus made of another has at most as many."""
    row = row_at("corpora", corpus, scale)
    if row["method"] in GENERATED:
        return math.ceil(row["tokens"] / _size(row)["answer"])
    if row["method"] == "filtered":
        return math.ceil(row["keep"] * _documents(row["source"], scale))
    return row["samples"] if "samples" in row else _samples(row["corpus"], scale)


def similarity(wildcards: dict, scale: str) -> Cost:
    """The embedding of a corpus and of a suite's items."""
    return _embedded(wildcards["embedder"], _samples(wildcards["corpus"], scale), scale)


def _embedded(name: str, documents: float, scale: str) -> Cost:
    embedder = row_at("embedders", name, scale)
    gpus = int(scale in GPU_SCALES)
    if "parameters" not in embedder:
        return Cost(2.5 + 5e-4 * documents, memory=2e9)
    tokens = documents * embedder.get("max_tokens", 512)
    seconds = _work(scale, 2 * embedder["parameters"] * tokens, "score")
    return Cost(
        start_seconds(scale) + seconds,
        gpus=gpus,
        gpu_bytes=2 * embedder["parameters"] + 4e9,
        memory=2e9 + 4 * embedder["parameters"],
    )


def retrieval(wildcards: dict, scale: str) -> Cost:
    """The passages of 265 articles and 4,609 questions at most: vectors of all, and a reranker's reading of what they find."""
    row = row_at("retrievers", wildcards["retriever"], scale)
    if row["kind"] != "dense":
        return Cost(10, memory=2e9)
    length, texts = row["characters"] / 4, 265 * 24_000 / row["characters"] + 4609
    flops = 2 * row_at("embedders", row["embedder"], scale)["parameters"] * texts * length
    if "reranker" in row:
        flops += 2 * row_at("embedders", row["reranker"], scale)["parameters"] * 4609 * row["first"] * (length + 64)
    return Cost(start_seconds(scale) + _work(scale, flops, "score"), gpus=1, gpu_bytes=1e10, memory=8e9)


def summaries(wildcards: dict, scale: str) -> Cost:
    """What a model writes from 80 titles."""
    row, run = row_at("suites", wildcards["suite"], scale), wildcards["run"]
    runs = load()[scale]["runs"]
    model, gpus = shape_of(runs[run]["base"] if run in runs else run, scale), int(scale in GPU_SCALES)
    engine = row["engine"] if row["engine"] in rates()["engines"] else "hf"
    seconds = generate_seconds(model, scale, engine, 80, 16, row["max_new_tokens"])
    start = start_seconds(scale) + (rates()["engines"][engine]["start"] if gpus else 0)
    gpu_bytes = 2 * model.parameters + 2e9 if gpus else 0
    return Cost(start + seconds, gpus=gpus, gpu_bytes=gpu_bytes, memory=1.2e9 + 4 * model.parameters)


HEAVY = {
    "pretrain": pretrain,
    "train": train,
    "bos": bos,
    "generate": generate,
    "sbp": bos,
    "heldout": heldout,
    "conditional": conditional,
    "embeddings": embeddings,
    "pairs": pairs,
    "evaluate_run": evaluate_run,
    "evaluate_model": evaluate_model,
    "extract": extract,
    "losses": losses,
    "sweep": sweep,
    "tokens": tokens,
    "nll": nll,
    "nll_of_all_temperatures": nll,
    "similarity": similarity,
    "retrieval": retrieval,
    "summaries_of_run": summaries,
    "summaries_of_model": summaries,
}


def _light(rule: str, wildcards: dict, scale: str) -> Cost:
    """A job of one core: its constant, and its documents'."""
    first, *each = rates()["light"][rule]
    documents = 0
    if "corpus" in wildcards and wildcards["corpus"] in load()[scale]["corpora"]:
        documents = _samples(wildcards["corpus"], scale)
    elif "written" in wildcards:
        tables = load()[scale]
        row = tables["corpora"].get(wildcards["written"]) or tables["sources"][wildcards["written"]]
        documents = row.get("samples", row.get("documents", 0))
    elif "source" in wildcards:
        documents = _documents(wildcards["source"], scale)
    elif rule == "budget":
        documents = _samples(row_at("runs", wildcards["run"], scale)["corpus"], scale)
    download = 0
    if rule in downloads.RULES:
        table = downloads.RULES[rule]
        row = row_at(table, wildcards[table.removesuffix("s")], scale)
        download = sum(one["bytes"] for one in downloads.repositories(row))
    seconds = first + sum(each) * documents / 1000 + download / rates()["network"]
    return Cost(seconds, disk=download or 2000 * documents, download=download)


@cache
def _cost(rule: str, wildcards: tuple, scale: str) -> Cost:
    known = dict(wildcards)
    return HEAVY[rule](known, scale) if rule in HEAVY else _light(rule, known, scale)


def cost(rule: str, wildcards: dict, scale: str) -> Cost:
    """What a job of a rule takes.

    Raises:
        KeyError: for a rule that neither HEAVY nor costs.yaml has.
    """
    return _cost(rule, tuple(sorted(wildcards.items())), scale)
