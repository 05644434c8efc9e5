"""What jobs cost: arithmetic against cases worked by hand, sizes against transformers' count, rules against the workflow."""

import math
import re

import pytest
from snakemake.iocontainers import Wildcards

from benchmarks import gpu
from scripts import answers, costs, study
from scripts.schema import GENERATED
from tests.conftest import ROOT

QWEN = {
    "architecture": "qwen2",
    "hidden": 896,
    "layers": 24,
    "heads": 14,
    "kv_heads": 2,
    "feedforward": 4864,
    "vocabulary": 151936,
}


def test_parameters_of_a_half_billion_model_by_hand():
    # a layer: queries and output 896 x 896 each, keys and values 896 x 128 each, three matrices 896 x 4864
    layer = 2 * 802_816 + 2 * 114_688 + 3 * 4_358_144
    assert costs.shape(**QWEN).parameters == 24 * layer + 151_936 * 896 == 493_961_216
    # the model has 494,032,768: biases of queries, keys and values, and norms
    assert 493_961_216 / 494_032_768 == pytest.approx(1, abs=2e-4)


PUBLISHED = {name: row for scale in ("gpu", "paper") for name, row in study.load()[scale]["models"].items() if "shape" in row}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_have_the_shape_and_parameters_of_their_rows(name):
    import torch

    row = PUBLISHED[name]
    with torch.device("meta"):
        model = gpu.make(row["shape"])
    assert sum(p.numel() for p in model.parameters()) == row["parameters"]
    assert costs.shape(**row["shape"]).parameters == pytest.approx(row["parameters"], rel=1e-3)


def test_training_is_6nd_and_attention():
    shape = costs.shape(**QWEN)
    # 6 x 493,961,216 a token, and 12 x 24 layers x 896 wide x 512 long: scores and values, forward and twice backward
    assert costs.train_flops(shape, 1000, 512) == 1000 * (2_963_767_296 + 132_120_576)


def test_memory_of_a_training_step_by_hand():
    shape = costs.shape(architecture="qwen2", hidden=8, layers=2, heads=2, feedforward=10, vocabulary=100)._replace(
        parameters=1000
    )
    layer = 35 * 8 + 8 * 10
    assert costs.train_bytes(shape, 5) == 18000 + 5 * (2 * layer + 1200)
    assert costs.train_bytes(shape, 5, compiled=True, checkpointing=True) == 18000 + 5 * (2 * 32 + layer + 400)


def test_cache_of_a_token_is_keys_and_values_in_16_bits():
    assert costs.shape(**QWEN).cache == 2 * 24 * 128 * 2  # 12 kB


def test_thirteen_checkpoints_of_a_half_billion_model(monkeypatch):
    row = {
        **study.row_at("runs", "Qwen2.5-0.5B-on-bos-Qwen2.5-0.5B-t1.0", "paper"),
        "subsets": 1,
        "checkpoints": list(range(14)),
    }
    monkeypatch.setattr(
        costs, "row_at", lambda table, name, scale: row if table == "runs" else study.row_at(table, name, scale)
    )
    assert costs.checkpoints(row) == 13  # epoch 0 is the base
    assert costs.train({"run": "any"}, "paper").disk == 13 * 2 * 494_032_768  # 12.8 GB in bfloat16


def test_decoding_reads_the_weights_once_a_step():
    shape = costs.shape(**QWEN)
    one = costs.generate_seconds(shape, "paper", "vllm", 1, 1, 512)
    assert 512 / one == pytest.approx(311.55, rel=0.2)  # Qwen's published tokens/s of one sequence at 0.5B
    many = costs.generate_seconds(shape, "paper", "vllm", 256, 1, 512)
    assert one < many < 2 * one  # together they cost little more than one
    assert costs.generate_seconds(shape, "paper", "vllm", 512, 1, 512) == pytest.approx(2 * many, rel=0.01)


def test_twice_the_gpus_is_half_the_work(monkeypatch):
    name = "Qwen2.5-0.5B-on-bos-Qwen2.5-0.5B-t1.0"
    row = study.row_at("runs", name, "paper")
    one = costs.train({"run": name}, "paper")
    monkeypatch.setattr(costs, "row_at", lambda table, *at: {**row, "gpus": 2} if table == "runs" else study.row_at(table, *at))
    two = costs.train({"run": name}, "paper")
    start = costs.start_seconds("paper")
    assert two.gpus == 2 and two.seconds - start == pytest.approx((one.seconds - start) / 2)


@pytest.mark.parametrize("scale", study.SCALES)
def test_every_rule_and_row_has_a_cost(scale):
    tables = study.load()[scale]
    jobs = [("train", {"run": n}) for n, r in tables["runs"].items() if r["kind"] == "continual"]
    jobs += [("bos", {"corpus": n}) for n, r in tables["corpora"].items() if r["method"] == "bos"]
    jobs += [("generate", {"corpus": n}) for n, r in tables["corpora"].items() if r["method"] in GENERATED]
    jobs += [("curate", {"corpus": n}) for n in tables["corpora"]]
    jobs += [("sbp", {"corpus": n}) for n, r in tables["corpora"].items() if r["method"] == "sbp"]
    jobs += [("quality", {"written": n}) for n, r in tables["corpora"].items() if r["method"] == "sbp"]
    jobs += [("pretrain", {"model": n}) for n, r in tables["models"].items() if r["kind"] == "scratch"]
    for run, row in tables["runs"].items():
        if row["kind"] == "pairs":
            jobs += [("train", {"run": run}), ("conditional", {"run": run, "model": row["base"]})]
    for name, row in tables["pairs"].items():
        if row["kind"] == "neighbours":
            jobs += [("pairs", {"pairs": name}), ("embeddings", {"source": row["source"], "embedder": row["embedder"]})]
            jobs += [("heldout", {"model": "Lark-sbp", "source": row["source"]})]
    for suite, row in tables["suites"].items():
        for run in tables["runs"]:
            if row["kind"] != "extraction" or row["model"] == tables["runs"][run]["base"]:
                rule = {"extraction": "extract", "losses": "losses", "summaries": "summaries_of_run"}.get(
                    row["kind"], "evaluate_run"
                )
                jobs.append((rule, {"run": run, "suite": suite}))
    for sweep in tables["sweeps"]:
        number = len(costs.sweep_jobs(sweep, scale))
        jobs += [("sweep", {"sweep": sweep, "shard": f"{k}-of-{number}"}) for k in range(1, number + 1)]
    jobs += [("tokens", {"tokenizer": "any", "written": name}) for name in ("web-hq", "web-txbk")]
    for rule, wildcards in jobs:
        found = costs.cost(rule, wildcards, scale)
        assert math.isfinite(found.seconds) and found.seconds > 0 and found.memory > 0, (rule, wildcards)
        assert found.gpus == 0 or scale in ("gpu", "paper")


def test_every_rule_of_the_workflow_is_known():
    text = "\n".join(p.read_text(encoding="utf-8") for p in [*ROOT.glob("rules/*.smk"), *ROOT.glob("papers/*/*.smk")])
    rules = set(re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)", text, re.MULTILINE))
    assert rules == {*costs.HEAVY, *costs.rates()["light"]}


def test_what_fits_one_24_gb_card():
    tables = study.load()["gpu"]
    memory = costs.rates()["machines"][costs.machine_of("gpu")]["memory"]
    for run, row in tables["runs"].items():
        if row["kind"] in ("continual", "pairs"):
            assert costs.train({"run": run}, "gpu").gpu_bytes < memory, run
    for model, row in tables["models"].items():
        if row["kind"] == "scratch":
            assert costs.pretrain({"model": model}, "gpu").gpu_bytes < memory, model
    for sweep in tables["sweeps"]:
        number = len(costs.sweep_jobs(sweep, "gpu"))
        for k in range(1, number + 1):
            assert costs.sweep({"sweep": sweep, "shard": f"{k}-of-{number}"}, "gpu").gpu_bytes < memory, sweep
    for corpus, row in tables["corpora"].items():
        if row["method"] in ("bos", "sbp", *GENERATED):
            rule = costs.generate if row["method"] in GENERATED else costs.bos
            assert rule({"corpus": corpus}, "gpu").gpu_bytes < memory, corpus


def test_the_mixtures_main_runs_take_what_the_paper_says_at_its_own_speed():
    """Published: over 70,000 hours of an A100, and 15B tokens a day for the 1B model on eight."""
    sweeps = study.load()["paper"]["sweeps"]
    main = ("traces", "grid", "across-sizes", "across-budgets")
    of_one = costs._shape_of_size("1B", "llama-3", "paper")
    rate = costs.train_flops(of_one, 15e9, 4096) / (8 * 24)  # FLOPs an hour of one GPU
    assert 0.4 < rate / 3600 / 3.12e14 < 0.65
    hours = 0.0
    for run in [run for name in main for run in sweeps[name]["runs"]]:
        shape = costs._shape_of_size(run["size"], "llama-3", "paper")
        hours += costs.train_flops(shape, run["tokens"], 4096) / rate
    assert 70_000 < hours < 80_000


def test_a_generator_reads_a_cached_document_once(monkeypatch):
    shape = costs.shape(**QWEN)
    each = costs.generate_seconds(shape, "paper", "vllm", 256, 6000, 900)
    cached = costs.generate_seconds(shape, "paper", "vllm", 256, 6000, 900, prompts=2)
    machine = costs.rates()["machines"]["A100-80GB"]
    reading = costs.forward_flops(shape, 254 * 6000, 6000) / (machine["flops"] * machine["score"])
    assert each - cached == pytest.approx(reading)


def test_an_endpoint_takes_as_long_as_its_limits_let_it(monkeypatch):
    row = {**study.row_at("corpora", "qa-books", "paper"), "tokens": 900_000, "shards": 1}
    row["endpoint"] = {**row["endpoint"], "tokens_per_minute": 690_000, "requests_per_minute": 10**6}
    monkeypatch.setattr(
        costs, "row_at", lambda table, name, scale: row if table == "corpora" else study.row_at(table, name, scale)
    )
    found = costs.generate({"corpus": "any"}, "paper")  # 1,000 calls of 6,900 tokens, 100 a minute
    assert (found.seconds - costs.start_seconds("paper"), found.gpus) == (pytest.approx(600), 0)


def test_sharded_weights_take_their_share_of_a_gpu():
    row = study.row_at("models", "Lark-baseline", "paper")
    model = costs.shape_of("Lark-baseline", "paper")
    whole = costs.train_bytes(model, row["micro_batch"] * row["block"], compiled=True, checkpointing=True)
    assert whole - costs.pretrain({"model": "Lark-baseline"}, "paper").gpu_bytes == pytest.approx(18 * model.parameters * 7 / 8)


def test_a_checkpoint_has_the_shape_of_its_base_and_evaluating_checkpoints_takes_as_often():
    assert costs.shape_of("Lark-large-synthesizer", "laptop") == costs.shape_of("Lark-large-baseline", "laptop")
    once, often = (costs.heldout({"model": name, "source": "concepts"}, "laptop") for name in ("Lark-share-0.25", "Lark-sbp"))
    start = costs.start_seconds("laptop")
    kept = study.load()["laptop"]["models"]["Lark-sbp"]["checkpoints"]
    assert (often.seconds - start) / (once.seconds - start) == pytest.approx(1 + len(kept))


def test_a_machine_that_is_not_known_is_named(monkeypatch):
    monkeypatch.setattr(
        costs, "read_yaml", lambda path: {"machines": {"paper": "B-9000"}} if path.name == "config.yaml" else {}
    )
    costs.machine_of.cache_clear()
    monkeypatch.setattr(costs, "rates", lambda: {"machines": {"cpu": {}}})
    with pytest.raises(study.StudyError, match="config.yaml, key machines, paper: expected one of cpu, found 'B-9000'"):
        costs.machine_of("paper")
    costs.machine_of.cache_clear()


def test_requests_follow_from_the_plan_with_a_margin():
    wildcards = Wildcards(fromdict={"scale": "paper", "run": "Qwen2.5-0.5B-on-bos-Qwen2.5-0.5B-t1.0"})
    planned = costs.train({"run": wildcards.run}, "paper")
    assert 2 * planned.seconds / 60 + 15 <= answers.minutes("train")(wildcards) < 2 * planned.seconds / 60 + 16
    assert answers.memory("train")(wildcards, attempt=1) == math.ceil(1.5 * planned.memory / 1e6)
    assert answers.memory("train")(wildcards, attempt=3) == 3 * answers.memory("train")(wildcards, attempt=1)
