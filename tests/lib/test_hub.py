"""Files of a hub on the loopback: whole, cut off, damaged, refused; with the network gone."""

import hashlib
import os
import subprocess
import sys
import time

import pytest

from scripts.lib import hub
from tests.hub_server import REVISION

ROW = {"name": "Big", "repo": "maker/Big", "revision": REVISION, "scale": "gpu"}
WEIGHTS = bytes(range(256)) * 4000


@pytest.fixture
def big(loopback):
    loopback.repos["models/maker/Big"] = {
        "config.json": b"{}",
        "model.safetensors": WEIGHTS,
        "notes.py": b"raise",
        ".gitattributes": b"",
    }
    return loopback


def not_had(*arguments, **options) -> str:
    with pytest.raises(hub.NotHad) as caught:
        hub.fetch(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_come_once_and_are_read_without_network_afterwards(big, offline_after):
    files = hub.files_of(ROW)
    assert files["model.safetensors"] == (len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest())
    folder = hub.fetch(ROW, ["config.json", "model.safetensors"])
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert big.downloaded() == {"config.json", "model.safetensors"}
    before = len(big.asked)
    assert hub.fetch(ROW, ["config.json", "model.safetensors"]) == folder
    offline_after()
    assert hub.files_of(ROW) == files
    assert hub.fetch(ROW, ["config.json", "model.safetensors"]) == folder == hub.snapshot(ROW)
    assert len(big.asked) == before


def test_a_cut_connection_is_taken_up_where_it_broke(big, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100_000)  # what is written at once; 10 MB else
    big.cut["model.safetensors"] = [300_000]
    folder = hub.fetch(ROW, ["model.safetensors"])
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert big.ranges("model.safetensors") == ["", "bytes=300000-"]
    assert "maker/Big: downloading 1 files, 1.0 MB, into" in capsys.readouterr().out


def test_a_killed_job_is_taken_up_by_the_next(big, root, tmp_path):
    """A process that is killed while it waits for the rest; huggingface_hub would begin anew."""
    weights = WEIGHTS * 12
    big.repos["models/maker/Big"]["model.safetensors"] = weights
    big.stall["model.safetensors"] = 11_000_000
    call = f"from scripts.lib import hub; hub.fetch({ROW!r}, ['model.safetensors'])"
    environment = {**os.environ, "HF_ENDPOINT": big.url, "HF_HUB_CACHE": str(tmp_path / "hub"), "PYTHONPATH": str(root)}
    environment["HF_HUB_OFFLINE"] = "0"  # whatever another test left
    with subprocess.Popen([sys.executable, "-c", call], env=environment, stdout=subprocess.DEVNULL) as process:
        part = hub.snapshot(ROW).parent.parent / f"blobs/{hashlib.sha256(weights).hexdigest()}.part"
        started = time.monotonic()
        while not (part.exists() and part.stat().st_size) and process.poll() is None and time.monotonic() < started + 60:
            time.sleep(0.05)
        process.kill()
    had = part.stat().st_size
    assert 0 < had <= 11_000_000
    assert (hub.fetch(ROW, ["model.safetensors"]) / "model.safetensors").read_bytes() == weights
    assert big.ranges("model.safetensors") == ["", f"bytes={had}-"]
    assert not part.exists()


def test_a_part_that_is_wrong_is_dropped_and_named(big):
    folder = hub.snapshot(ROW)
    part = folder.parent.parent / f"blobs/{hashlib.sha256(WEIGHTS).hexdigest()}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 700_000)
    assert "model.safetensors has sha256" in not_had(ROW, ["model.safetensors"])
    assert (hub.fetch(ROW, ["model.safetensors"]) / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_other_bytes_than_the_hub_lists_are_refused_and_named(big, name):
    right = big.repos["models/maker/Big"][name]
    big.instead[name] = b"!" + right[1:]
    line = not_had(ROW, [name])
    assert f"maker/Big: {name} has {'sha256' if name == 'model.safetensors' else 'git hash'}" in line
    assert not (hub.snapshot(ROW) / name).exists()
    big.instead.clear()
    assert (hub.fetch(ROW, [name]) / name).read_bytes() == right


def test_a_truncated_file_is_refused_named_and_completed_later(big):
    big.instead["model.safetensors"] = WEIGHTS[:400_000]
    assert f"model.safetensors has 400000 bytes, expected {len(WEIGHTS)}" in not_had(ROW, ["model.safetensors"])
    not_had(ROW, ["model.safetensors"])  # the hub has no more to give
    big.instead.clear()
    assert (hub.fetch(ROW, ["model.safetensors"]) / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("damaged", [WEIGHTS[:-1], b"?" + WEIGHTS[1:]], ids=["shorter", "other"])
def test_a_damaged_file_of_the_cache_is_named_and_downloaded_again(big, damaged):
    path = hub.fetch(ROW, ["model.safetensors"]) / "model.safetensors"
    path.resolve().write_bytes(damaged)
    assert "maker/Big: model.safetensors in the cache has" in not_had(ROW, ["model.safetensors"])
    assert hub.fetch(ROW, ["model.safetensors"]) and path.read_bytes() == WEIGHTS


def test_what_another_program_put_into_the_cache_is_used_and_compared(big, offline_after):
    folder = hub.fetch(ROW, ["model.safetensors"])
    (folder.parent.parent / f"trees/{REVISION}.json").unlink()
    offline_after()
    assert set(hub.files_of(ROW)) == {"model.safetensors"}
    assert hub.fetch(ROW, ["model.safetensors"]) == folder


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"repo": "maker/None"}, "model maker/None is not on the hub, or private and not open to your token"),
        ({"revision": "f" * 40}, f"model maker/Big has no revision {'f' * 40}"),
    ],
)
def test_what_the_hub_does_not_have(big, row, line):
    assert not_had({**ROW, **row}, ["config.json"]) == line


@pytest.mark.parametrize("token", [None, "hf_other"])
def test_a_gated_repository_shows_its_terms(big, monkeypatch, token):
    big.gated.add("models/maker/Big")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    line = not_had(ROW, ["config.json"])
    assert line.startswith("model maker/Big is gated: accept its terms at https://huggingface.co/maker/Big and set HF_TOKEN")


def test_the_token_is_shown_to_the_hub_and_to_nobody_else(big, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.fetch(ROW, ["model.safetensors"])
    shown = {"cdn" if "cdn/" in path else "hub": token for _, path, _, token in big.asked}
    assert shown == {"hub": True, "cdn": False}


def test_without_network_the_line_names_the_command(big, offline_after):
    offline_after()
    line = not_had(ROW, ["config.json"])
    assert f"model maker/Big at {REVISION} is not whole in the cache" in line
    assert "on a node with network, `snakemake --cores 2 fetch --config scale=gpu` fills it" in line


def test_a_disk_that_is_too_small_is_seen_first(big, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    assert "1.0 MB are needed in" in not_had(ROW, ["model.safetensors"])
    assert big.downloaded() == set()


def test_data_sets_have_their_own_addresses(loopback):
    loopback.repos["datasets/maker/Texts"] = {"Wikipedia (en)/a [1].parquet": b"PAR1", ".gitattributes": b""}
    row = {"repo": "maker/Texts", "revision": REVISION}
    (name,) = [name for name in hub.files_of(row, "dataset") if name.endswith("parquet")]
    assert (hub.fetch(row, [name], "dataset") / name).read_bytes() == b"PAR1"
    with pytest.raises(hub.NotHad, match="dataset maker/None is not on the hub"):
        hub.files_of({**row, "repo": "maker/None"}, "dataset")
    assert hub.page("maker/Texts", "dataset") == "https://huggingface.co/datasets/maker/Texts"
