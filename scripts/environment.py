"""Writes envs/laptop.yaml (conda) from envs/laptop.lock (pip): python -m scripts.environment."""

from scripts.code import ROOT

LOCK = ROOT / "envs/laptop.lock"
CONDA = ROOT / "envs/laptop.yaml"
HEAD = """\
# Generated from laptop.lock by: python -m scripts.environment
channels: [conda-forge, nodefaults]
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def conda_environment(lock: str) -> str:
    """The conda environment file of a lock: its pins, one a line, as the pip section."""
    return HEAD + "".join(f"      - {line.strip()}\n" for line in lock.splitlines() if line.strip())


if __name__ == "__main__":
    CONDA.write_text(conda_environment(LOCK.read_text(encoding="utf-8")), encoding="utf-8")
