"""Writes envs/*.yaml (conda), one environment a stage, from envs/*.lock (pip): python -m scripts.environment.

laptop.lock pins the one virtual environment that make and CI install. A stage's environment is a part of it: what the stage's
scripts import and what that needs in turn, by the metadata of the packages installed here; so this runs in that environment.

vLLM asks for an older transformers than the rest and for a numpy older than Snakemake's Slurm plugin does, so generation.lock
stands alone; it holds lm-eval too, for evaluation by vLLM. It was solved for Linux and CUDA by
uv pip compile envs/generation.in -o envs/generation.lock --no-annotate --no-header --python-version 3.11 \\
    --python-platform x86_64-manylinux_2_28
"""

from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import study
from scripts.code import ROOT

# What the rules of a stage import, which tests/test_environment.py compares with the rules; launcher runs Snakemake itself.
ROOTS = {
    "launcher": "snakemake snakemake-executor-plugin-slurm",
    "figures": "datasketch huggingface_hub jinja2 matplotlib numpy pandas pillow pyarrow pyyaml rensa scipy",
    "training": "bm25s faiss-cpu huggingface_hub matplotlib numpy openai pandas pyarrow pyyaml safetensors scikit-learn scipy "
    "sentence-transformers tokenizers torch transformers",
    "evaluation": "accelerate datasets evaluate lm_eval[math] numpy pandas pyarrow pyyaml safetensors tokenizers torch "
    "transformers",
}
HEAD = """\
# Generated from {lock} by: python -m scripts.environment
channels: [conda-forge, nodefaults]
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def pins(lock: str) -> dict[str, str]:
    """The lines of a lock by normalised name: ``{"scikit-learn": "scikit-learn==1.9.1"}``."""
    return {canonicalize_name(line.split("==")[0]): line for line in lock.split()}


def needed(roots: Iterable[str], lock: dict[str, str]) -> list[str]:
    """The lines of some packages and of all that they need where this runs, by name.

    A need that is not in the lock is left out: CUDA's libraries, where torch is built for it; torch pins those itself.

    Raises:
        ValueError: when a root is not in the lock, or a package is not installed at the lock's version.
    """
    todo, found = [Requirement(root) for root in roots], set()
    if absent := [each.name for each in todo if canonicalize_name(each.name) not in lock]:
        raise ValueError(f"envs/laptop.lock has no {', '.join(absent)}; scripts/environment.py, ROOTS, or a source asks for it")
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name not in lock or (name, *requirement.extras) in found:
            continue
        found.add((name, *requirement.extras))
        installed, wanted = metadata.distribution(name), lock[name].split("==")[1]
        if installed.version.split("+")[0] != wanted:
            raise ValueError(f"{name} is installed as {installed.version}; expected {wanted}, the version in envs/laptop.lock")
        for need in map(Requirement, installed.requires or []):
            extras = [{"extra": extra} for extra in ("", *requirement.extras)]
            if need.marker is None or any(need.marker.evaluate(extra) for extra in extras):
                todo.append(need)
    return [lock[name] for name in sorted({name for name, *_ in found})]


def read_by_sources() -> set[str]:
    """The packages of the lock whose docstrings or functions are a source at some scale."""
    rows = [row for tables in study.load().values() for row in tables["sources"].values()]
    return {package for row in rows for package in row.get("packages", []) if "==" not in package}


def conda_environment(lock: str, lines: Iterable[str]) -> str:
    """The conda environment file of some lines of a lock, which is named in its first line."""
    return HEAD.format(lock=lock) + "".join(f"      - {line}\n" for line in lines)


def environments() -> dict[str, str]:
    """Every environment file, by its path in the project."""
    folder = ROOT / "envs"
    lock = pins((folder / "laptop.lock").read_text(encoding="utf-8"))
    found = {
        "generation": conda_environment("generation.lock", (folder / "generation.lock").read_text(encoding="utf-8").split())
    }
    for name, roots in ROOTS.items():
        read = read_by_sources() if name == "figures" else ()
        found[name] = conda_environment("laptop.lock", needed([*roots.split(), *read], lock))
    return {f"envs/{name}.yaml": text for name, text in found.items()}


if __name__ == "__main__":
    for path, text in environments().items():
        (ROOT / path).write_text(text, encoding="utf-8")
