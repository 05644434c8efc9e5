"""What several tests use: a clean copy of the project, a Snakemake call, the folder of real text."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub_server import serving

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items):
    """The smoke build first: it takes longest, and the other files are tested beside it."""
    items.sort(key=lambda item: item.path.name != "test_smoke.py")


@pytest.fixture(autouse=True)
def _figures_are_closed():
    """pyplot keeps every figure until it is closed, and warns of the twenty-first."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No hub, whatever this machine reaches or has stored before."""
    for name, value in (("HF_HUB_OFFLINE", True), ("HF_HUB_CACHE", str(tmp_path / "hub"))):
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    for name, value in (("HF_HUB_OFFLINE", True), ("HF_DATASETS_CACHE", tmp_path / "datasets")):
        monkeypatch.setattr(f"datasets.config.{name}", value)


@pytest.fixture
def loopback(monkeypatch, tmp_path):
    """A hub on the loopback in the place of huggingface.co, and an empty cache."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serving() as hub:
        template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        for name, value in (
            ("ENDPOINT", hub.url),
            ("HUGGINGFACE_CO_URL_TEMPLATE", template),
            ("HF_HUB_CACHE", str(tmp_path / "hub")),
            ("HF_HUB_OFFLINE", False),
            ("HF_TOKEN_PATH", str(tmp_path / "token")),
        ):
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
        yield hub


@pytest.fixture
def offline_after(monkeypatch):
    """A function after whose call there is no network."""
    return lambda: monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def copy_of_the_project(folder: Path) -> Path:
    """The project's files without results, logs, environment and caches: what a clone holds."""
    leave = shutil.ignore_patterns(".git", ".venv*", ".snakemake", "results", "logs", "timings", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=leave, dirs_exist_ok=True)
    (folder / "results").mkdir(exist_ok=True)
    shutil.copy(ROOT / "results/README.md", folder / "results")
    return folder


@pytest.fixture
def project(tmp_path) -> Path:
    return copy_of_the_project(tmp_path / "project")


@pytest.fixture(scope="session")
def real_text() -> Path:
    """Real text for tests, beside the project; the tests that need it say so when they skip."""
    folder = ROOT.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip(f"no real text at {folder.relative_to(ROOT.parent)} beside the project")
    return folder


def snakemake(folder: Path, *arguments: str, check: bool = True, first: Path | None = None) -> subprocess.CompletedProcess:
    """Run Snakemake in a folder with the project's triggers, ``first`` on PATH; output and errors together in ``stdout``."""
    options = [each for each in arguments if each.startswith("-")]
    targets = [each for each in arguments if not each.startswith("-")]
    triggers = ["--rerun-triggers", "mtime", "params", "input"]
    # with the default of 1 s Snakemake comes to look for ready jobs many times a second; the Makefile has this too
    rate = ["--max-jobs-per-timespan", "300/3s"]
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *rate, *triggers, *options, "--", *targets]
    path = ":".join(str(each) for each in (first, Path(sys.executable).parent, os.environ["PATH"]) if each)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}\n{done.stdout[-6000:]}")
    return done
