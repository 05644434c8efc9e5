"""What a scale takes from the hub: the table, what is refused before a run starts, a run against a hub on the loopback."""

import csv
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace as N

import numpy as np
import pytest
import yaml
from safetensors.numpy import save

from scripts import answers, downloads, study
from scripts.study import StudyError
from tests.hub_server import serving


@pytest.fixture(autouse=True)
def _nothing_is_here(loopback, monkeypatch, tmp_path):
    """An empty cache and no results, whatever this machine has."""
    monkeypatch.chdir(tmp_path)


def table(scale, folder) -> list[dict[str, str]]:
    downloads.write(folder / "downloads.tsv", downloads.listed(N(scale=scale)))
    with open(folder / "downloads.tsv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def job(rule: str, name: str, scale: str) -> N:
    class Wildcards(dict):
        scale: str

    wildcards = Wildcards({downloads.RULES.get(rule, "runs").removesuffix("s"): name})
    wildcards.scale = scale
    return N(rule=N(name=rule), wildcards=wildcards)


def refusal(*jobs: N) -> str:
    with pytest.raises(StudyError) as error:
        downloads.refuse(jobs)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("scale", ["smoke", "laptop"])
def test_small_scales_download_nothing(scale, tmp_path):
    assert table(scale, tmp_path) == [] == downloads.artifacts(scale)
    assert (tmp_path / "downloads.tsv").read_text().split() == list(downloads.COLUMNS)


def test_the_gpu_scale_takes_only_what_everybody_may_download(tmp_path):
    lines = {line["name"]: line for line in table("gpu", tmp_path)}
    assert {line["kind"] for line in lines.values()} == {"model", "embedder", "data", "benchmark"}
    assert {line["gated"] for line in lines.values()} == {"no"} and {line["terms"] for line in lines.values()} == {""}
    student = lines["Qwen2.5-0.5B"]
    assert (student["used_by"], student["bytes"], student["licence"]) == ("student self", "988097824", "Apache-2.0")
    assert lines["pile"]["used_by"] == "original-pythia-410m" and lines["pile"]["unverified"] == "revision gated bytes"
    assert lines["allenai/ai2_arc"]["used_by"] == "published-choice published published-few-shot sbp-published"
    assert lines["openai/gsm8k"]["used_by"] == "published published-few-shot published-perturbed"
    assert all(
        re.fullmatch("[0-9a-f]{40}", line["revision"]) and line["used_by"]
        for name, line in lines.items()
        if name != "google-research-datasets/mbpp"
    )


def test_the_paper_scale_shows_the_terms_of_what_is_gated(tmp_path):
    gated = [line for line in table("paper", tmp_path) if line["gated"] == "yes"]
    instructed = ("Llama-3.2-3B-Instruct", "Meta-Llama-3-8B-Instruct", "Meta-Llama-3-70B-Instruct")
    names = ("Llama-3.2-1B", "Meta-Llama-3-8B", *instructed)
    assert {line["name"]: line["terms"] for line in gated} == {
        name: f"https://huggingface.co/meta-llama/{name}" for name in names
    }


def test_the_table_says_what_is_here(tmp_path):
    def here() -> dict[str, str]:
        return {line["name"]: line["here"] for line in table("gpu", tmp_path)}

    assert set(here().values()) == {"no"}
    row = study.row_at("models", "SmolLM2-360M", "gpu")
    folder = downloads.hub.snapshot(row)
    folder.mkdir(parents=True)
    assert here()["SmolLM2-360M"] == "no", "an empty folder is nothing"
    (folder / "config.json").write_text("{}")
    assert here()["SmolLM2-360M"] == "cached"
    (tmp_path / "results/gpu/models/SmolLM2-360M").mkdir(parents=True)
    assert here()["SmolLM2-360M"] == "placed"
    for suite in ("published-choice", "published", "sbp-published"):
        (tmp_path / f"results/gpu/suites/{suite}").mkdir(parents=True)
    assert here()["Rowan/hellaswag"] == "no", "published-few-shot still needs it"
    assert here()["allenai/winogrande"] == "placed"


def test_everything_listed_is_fetched():
    for scale in ("gpu", "paper"):
        made = set(downloads.artifacts(scale))
        hubs = {n for t in ("models", "embedders") for n, row in study.load()[scale][t].items() if row["kind"] == "hub"}
        assert {path.split("/")[-1] for path in made if "/models/" in path or "/embedders/" in path} == hubs
        assert f"results/{scale}/suites/published-perturbed" in made and f"results/{scale}/suites/published" in made


def test_a_gated_model_is_refused_before_anything_starts(monkeypatch, loopback, tmp_path):
    llama, qwen = (job("hub_model", name, "paper") for name in ("Llama-3.2-1B", "Qwen2.5-0.5B"))
    line = refusal(job("train", "some", "paper"), qwen, llama)
    assert "Accept its terms at https://huggingface.co/meta-llama/Llama-3.2-1B and set HF_TOKEN" in line
    downloads.refuse([qwen])
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    downloads.refuse([qwen, llama])
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "token").write_text("hf_mine")
    downloads.refuse([llama])
    (tmp_path / "token").unlink()
    folder = downloads.hub.snapshot(study.row_at("models", "Llama-3.2-1B", "paper"))
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    downloads.refuse([llama])
    assert loopback.asked == [], "nothing is asked of the network"


def test_the_row_that_the_refusal_shows_can_be_written(root):
    (written,) = re.findall("`(Llama.*)`", refusal(job("hub_model", "Llama-3.2-1B", "paper")))
    config, paper = (study.read_yaml(root / name) for name in ("config.yaml", "papers/bos_only/study.yaml"))
    paper["models"] |= yaml.safe_load(written)
    row = study.resolve(config, {"study.yaml": paper})["paper"]["models"]["Llama-3.2-1B"]
    assert (row["kind"], row["bos"], row["path"]) == ("path", 128000, "/path/to/it")


def test_without_network_or_room_nothing_starts(monkeypatch, capsys):
    jobs = [job("hub_model", "Qwen2.5-0.5B", "gpu"), job("harness_suite", "published", "gpu"), job("embedder", "lsa", "laptop")]
    downloads.refuse(jobs)
    said = capsys.readouterr().err
    assert said.startswith("To be downloaded: Qwen/Qwen2.5-0.5B, allenai/ai2_arc, Rowan/hellaswag") and "about 1.0 GB" in said
    monkeypatch.setattr("shutil.disk_usage", lambda _: N(free=500_000_000))
    assert "about 1.0 GB are to be downloaded, 0.5 GB are free in" in refusal(*jobs)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "run `snakemake --cores 2 fetch --config scale=gpu`" in refusal(*jobs)


def test_what_a_row_tells_people_reaches_no_job():
    wildcards = type("W", (dict,), {"scale": "gpu"})
    assert {"bytes", "gated", "unverified", "note"}.isdisjoint(answers.row("models", "model")(wildcards(model="pythia-410m")))
    suite = json.loads(answers.json_row("suites", "suite")(wildcards(suite="published")))
    assert set(suite["data"]["gsm8k"]) == {"repo", "revision", "licence"} and "note" not in suite


@pytest.mark.workflow
def test_a_run_without_gpu_downloads_and_another_is_refused_at_once(project, tmp_path):
    weights = save({"weight": np.arange(12.0).reshape(3, 4)})
    config = json.dumps({"model_type": "qwen2", "vocab_size": 151936, "bos_token_id": 151643}).encode()
    files = {"config.json": config, "model.safetensors": weights, "tokenizer.json": b"{}", ".gitattributes": b""}
    with serving() as hub:
        hub.revision = study.row_at("models", "Qwen2.5-0.5B", "gpu")["revision"]
        hub.repos["models/Qwen/Qwen2.5-0.5B"] = files
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}

        def run(*arguments: str) -> subprocess.CompletedProcess:
            command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
            return subprocess.run(command, cwd=project, env=environment, text=True, capture_output=True)

        model = "results/gpu/models/Qwen2.5-0.5B"
        done = run(model, "results/downloads.tsv", "--config", "scale=gpu")
        assert done.returncode == 0, done.stderr[-3000:]
        assert "To be downloaded: Qwen/Qwen2.5-0.5B; about 1.0 GB" in done.stderr
        assert (project / model / "model.safetensors").read_bytes() == weights
        with open(project / "results/downloads.tsv", newline="", encoding="utf-8") as file:
            here = {line["name"]: line["here"] for line in csv.DictReader(file, delimiter="\t")}
        assert len(here) > 10 and here["SmolLM2-360M"] == "no"
        asked = len(hub.asked)
        refused = run("results/paper/models/Llama-3.2-1B", "--config", "scale=paper")
        assert refused.returncode != 0 and len(hub.asked) == asked
        assert "Accept its terms at https://huggingface.co/meta-llama/Llama-3.2-1B" in refused.stderr
