"""The GPU benchmark on a CPU: its arithmetic against hand-made sums, and every part of it once, tiny."""

import csv
import math

import pytest

from benchmarks import gpu
from scripts import costs


def test_peaks_are_found_by_a_device_s_name():
    qwen = costs.shape(**gpu.shapes()["Qwen2.5-0.5B"])
    # 3.2 GFLOP a token: 100k tokens/s on an A100 would be more than its peak
    assert 1e5 * costs.train_flops(qwen, 1, 512) / gpu.peak_of("NVIDIA A100-SXM4-80GB") == pytest.approx(0.992, abs=1e-3)
    assert gpu.peak_of("NVIDIA H100 PCIe") == 756e12
    assert gpu.peak_of("NVIDIA H100 80GB HBM3") == 989e12
    assert math.isnan(gpu.peak_of("cpu"))


def test_what_a_layer_keeps_is_what_memory_expects():
    """Saved tensors of two layers of Qwen's width, less those of one, in bfloat16: bytes a token."""
    import torch

    shape = {**gpu.shapes()["Qwen2.5-0.5B"], "vocabulary": 64}
    kept = []
    for layers in (1, 2):
        model, seen = gpu.make({**shape, "layers": layers}).train(), {}
        weights = {p.untyped_storage().data_ptr() for p in model.parameters()}

        def note(tensor, seen=seen, weights=weights):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights and not (tensor.ndim == 2 and 128 not in tensor.shape):  # nor a copy of them
                seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        ids = torch.zeros(1, 128, dtype=torch.long)
        positions = torch.cat([torch.arange(50), torch.arange(78)])[None]
        with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t), torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits  # noqa: F841
        kept.append(sum(seen.values()))
    expected = 128 * costs.shape(**{**shape, "layers": 1}).kept
    assert kept[1] - kept[0] == pytest.approx(expected, rel=0.05)


def test_all_of_it_runs_on_a_cpu(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    small = ["--batch", "4", "--micro", "2", "--block", "32", "--steps", "1", "--number", "3", "--length", "6"]
    out = tmp_path / "found.csv"
    code = gpu.main(["--device", "cpu", "--tiny", "--way", "eager", "--engine", "hf", *small, "--out", str(out)])
    with open(out, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert code == 0, capsys.readouterr().out
    whats = ["training, eager", "sampling, hf"]
    assert [(line["model"], line["what"]) for line in lines] == [(name, what) for name in gpu.shapes() for what in whats]
    assert all(float(line["tokens/s"]) > 0 and line["device"] == "cpu" and "torch" in line["versions"] for line in lines)


def test_a_way_that_fails_is_a_line_that_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(gpu, "make", lambda shape: 1 / 0)
    out = tmp_path / "found.csv"
    some = ["--model", "pythia-1.4b", "--way", "eager", "--engine", "--batch", "2", "--block", "32", "--out", str(out)]
    assert gpu.main(["--device", "cpu", "--tiny", *some]) == 1
    assert "training, eager: ZeroDivisionError" in out.read_text()


def test_without_a_gpu_it_says_what_to_do(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no GPU here; --device cpu --tiny"):
        gpu.main([])
