"""The environments: what their files hold, whether that is what the rules import, and whether each job runs in its own."""

import ast
import contextlib
import os
import re
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from snakemake.iocontainers import Wildcards

from scripts import code, environment, study
from tests.conftest import snakemake

# What the stand-in for conda does: it names itself, and makes of an environment file a prefix whose python notes that it was
# called, and is then the Python of these tests. It solves and installs nothing.
CONDA = """#!/bin/sh
set -eu
case "$1 ${2:-}" in
"info --json") echo '{"conda_prefix": "'"$STAND_IN"'", "platform": "linux-64"}' ;;
"--version "*) echo "conda 24.7.1" ;;
"config --get") echo '{"get": {"channel_priority": "strict"}}' ;;
"env create")
    while [ $# -gt 0 ]; do
        case "$1" in --file) file=$2 ;; --prefix) prefix=$2 ;; esac
        shift
    done
    mkdir -p "$prefix/bin"
    cp "$file" "$prefix/environment.yaml"
    cat > "$prefix/bin/python" <<END
#!/bin/sh
printf '%s\\t%s\\n' '$prefix' "\\$*" >> '$STAND_IN/calls'
exec '$PYTHON' "\\$@"
END
    chmod +x "$prefix/bin/python" ;;
"clean "*) ;;
*) echo "the stand-in does not know: $*" >&2; exit 1 ;;
esac
"""
COMMAND = r"(?:python -m|{params.launcher}) ([\w.]+)"  # what a rule's shell command runs
ACTIVATE = 'export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n'


def _packages(text: str) -> dict[str, str]:
    """The pip pins of an environment file, by normalised name."""
    return environment.pins("\n".join(yaml.safe_load(text)["dependencies"][-1]["pip"]))


@cache
def _imports(script: Path) -> set[str]:
    """The top-level modules of other projects that a script and the modules of this one import anywhere but for types."""
    found = set()
    for module in code.modules_of(script.relative_to(code.ROOT)):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        tree.body = [one for one in tree.body if not (isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING")]
        found |= {name.split(".")[0] for name in code._imports(tree)}
    return found - sys.stdlib_module_names - {"scripts", "papers"}


@cache
def _installed() -> dict[str, list[str]]:
    return metadata.packages_distributions()


def _distributions(name: str) -> set[str]:
    """The packages that an import name may come from; one that is not installed here goes by its own name."""
    return {canonicalize_name(each) for each in _installed().get(name, [name])}


@pytest.fixture(scope="module")
def rules(root) -> dict[str, tuple[list[str], list[Path]]]:
    """Rule -> the paths of its environment files (one, or several where a row decides), and the Python files that it runs."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ResourceSettings

    with SnakemakeApi() as api:
        workflow = api.workflow(resource_settings=ResourceSettings(cores=1), snakefile=root / "Snakefile", workdir=root)
        workflow.dag()
        found = {}
        for rule in workflow._workflow.rules:
            folder = Path(rule.basedir.get_path_or_uri(secret_free=True))
            run = [folder / rule.script] if rule.script else []
            run += [root / f"{name.replace('.', '/')}.py" for name in re.findall(COMMAND, rule.shellcmd or "")]
            conda = sorted(os.path.relpath(folder / one, root) for one in _asked(rule.conda_env))
            if run or rule.shellcmd:
                found[rule.name] = (conda, [path.resolve() for path in run])
    return found


def _asked(conda: object) -> set[str]:
    """The environment files that a rule names; where a function chooses by a row, those of all rows."""
    if not callable(conda):
        return {conda} if conda else set()
    found = set()
    for scale, tables in study.load().items():
        for table, wildcard in (("corpora", "corpus"), ("suites", "suite")):
            for name in tables[table]:
                with contextlib.suppress(AttributeError, KeyError):  # the wildcard is another
                    found.add(conda(Wildcards(fromdict={"scale": scale, wildcard: name})))
    return found


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return environment.environments()


def _missing(rules: dict, files: dict[str, str]) -> list[tuple[str, str]]:
    """(rule, import) where a rule's environment lacks what its script imports; (rule, "environment") where it is none of ours.

    Of several environments it is enough if one has it: what another lacks is an engine that is chosen together with it.
    """
    packages = {path: set(_packages(text)) for path, text in files.items()}
    found = []
    for rule, (several, run) in rules.items():
        if not several or not set(several) <= set(files):
            found.append((rule, "environment"))
            continue
        held = set().union(*(packages[conda] for conda in several))
        found += [(rule, name) for path in run for name in sorted(_imports(path)) if _distributions(name).isdisjoint(held)]
    return found


def test_the_files_are_what_the_locks_give(root, files):
    assert {str(path.relative_to(root)) for path in root.glob("envs/*.y*ml")} == set(files)
    for path, text in files.items():
        assert (root / path).read_text(encoding="utf-8") == text, f"{path}: run python -m scripts.environment"
    for lock in root.glob("envs/*.lock"):
        for line in lock.read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", line), f"{lock}: {line} is no pin"
    assert not list(root.glob("envs/*.pin.txt")), "a pin file wins over its environment file without a word"


def test_generation_holds_what_its_input_asks_for(root):
    pins = environment.pins((root / "envs/generation.lock").read_text(encoding="utf-8"))
    asked = environment.pins((root / "envs/generation.in").read_text(encoding="utf-8").replace("[math]", ""))
    for name, line in asked.items():
        assert pins[name].split("==")[1] == line.split("==")[1], name
    assert {"torch", "transformers"} <= pins.keys()


def test_every_rule_has_an_environment_with_all_that_it_imports(rules, files):
    assert _missing(rules, files) == []
    assert {conda for several, _ in rules.values() for conda in several} == set(files) - {"envs/launcher.yaml"}
    assert rules["bos"][0] == ["envs/generation.yaml", "envs/training.yaml"]
    assert rules["evaluate_run"][0] == ["envs/evaluation.yaml", "envs/generation.yaml"]
    assert rules["train"][0] == ["envs/training.yaml"] and rules["fig5"][0] == rules["curate"][0] == ["envs/figures.yaml"]


def test_the_check_of_the_rules_can_fail(rules, files):
    elsewhere = {**rules, "train": (["envs/figures.yaml"], rules["train"][1]), "curate": ([], rules["curate"][1])}
    found = _missing(elsewhere, files)
    assert ("train", "torch") in found and ("curate", "environment") in found


def test_no_root_is_there_for_nothing(rules):
    for name, roots in environment.ROOTS.items():
        if name == "launcher":
            continue
        run = {path for several, paths in rules.values() if f"envs/{name}.yaml" in several for path in paths}
        imported = {package for path in run for each in _imports(path) for package in _distributions(each)}
        # lm_eval imports accelerate where it loads a model of the hub, and does not say that it needs it
        named = {canonicalize_name(Requirement(root).name) for root in roots.split()}
        assert named - imported <= {"accelerate"}


def test_packages_that_are_read_as_text_are_where_they_are_read(files):
    figures = _packages(files["envs/figures.yaml"])
    assert {canonicalize_name(name) for name in environment.read_by_sources()} <= figures.keys()
    assert "statsmodels" in figures and "torch" not in figures


def test_needs_of_needs_are_found_and_versions_compared():
    lock = {f"{name}": f"{name}=={metadata.version(name)}" for name in ("pandas", "python-dateutil", "six", "numpy", "scipy")}
    assert [line.split("==")[0] for line in environment.needed(["pandas"], lock)] == [
        "numpy",
        "pandas",
        "python-dateutil",
        "six",
    ]
    with pytest.raises(ValueError, match=r"no torch.*ROOTS"):
        environment.needed(["torch"], lock)
    with pytest.raises(ValueError, match=r"six is installed as .* expected 0.1"):
        environment.needed(["pandas"], {**lock, "six": "six==0.1"})


@pytest.mark.workflow
def test_each_job_runs_in_the_environment_of_its_rule(project, tmp_path, monkeypatch):
    """Models of seconds through ``--sdm conda`` with a stand-in for conda: sources, a tokenizer, a model, samples, scores."""
    stand_in = tmp_path / "conda"
    (stand_in / "bin").mkdir(parents=True)
    (stand_in / "bin/conda").write_text(CONDA)
    (stand_in / "bin/conda").chmod(0o755)
    (stand_in / "bin/activate").write_text(ACTIVATE)
    monkeypatch.setenv("PATH", f"{stand_in / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN", str(stand_in))
    monkeypatch.setenv("PYTHON", sys.executable)
    corpus, scores = "corpora/bos-Wren-small-t1.0/samples.txt", "evaluations/Wren-small/pocket.parquet"
    targets = [f"results/smoke/{path}" for path in (corpus, scores)]
    snakemake(project, "--config=scale=smoke", "--sdm=conda", *targets)
    used: dict[str, set[str]] = {}
    for line in (stand_in / "calls").read_text().splitlines():
        prefix, command = line.split("\t")
        text = (Path(prefix) / "environment.yaml").read_text(encoding="utf-8")
        (name,) = [path.name for path in project.glob("envs/*.yaml") if path.read_text(encoding="utf-8") == text]
        if script := re.search(r"-m scripts\.(\S+)|\.snakemake/scripts/\w+\.(\w+)\.py", command):
            used.setdefault(name, set()).add(script[1] or script[2])
    assert used == {
        "figures.yaml": {"prose", "pocket", "benchmarks", "gather"},
        "training.yaml": {"tokenizer", "lib.gpus", "training.pretrain", "synthesis.sample"},
        "evaluation.yaml": {"lib.gpus", "evaluation.harness"},
    }


@pytest.mark.environments
@pytest.mark.parametrize("name", environment.ROOTS)
def test_an_environment_installs_and_imports_what_its_rules_import(name, rules, root, tmp_path):
    """The pip section of an environment file in a new virtual environment; conda itself is not at hand."""
    conda = f"envs/{name}.yaml"
    (tmp_path / "pins.txt").write_text("\n".join(_packages((root / conda).read_text(encoding="utf-8")).values()))
    python = tmp_path / "venv/bin/python"
    for command in (
        [sys.executable, "-m", "venv", tmp_path / "venv"],
        [python, "-m", "pip", "install", "-q", "-r", tmp_path / "pins.txt"],
        [python, "-m", "pip", "check"],
    ):
        subprocess.run(command, check=True)
    scripts = sorted({path for several, paths in rules.values() if conda in several for path in paths})
    modules = [str(path.relative_to(root).with_suffix("")).replace("/", ".") for path in scripts]
    third = sorted({name for path in scripts for name in _imports(path)} - {"vllm"})  # which is chosen with its environment
    named = [*modules, *third, *{"launcher": ["snakemake.cli"], "evaluation": ["lm_eval.models.huggingface"]}.get(name, [])]
    call = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    subprocess.run([python, "-c", call, *named], cwd=root, check=True)
    if name == "launcher":
        subprocess.run([python, "-m", "snakemake", "-n", "-q", "all", "--config", "scale=paper"], cwd=root, check=True)


@pytest.mark.environments
def test_the_lock_of_generation_solves_to_itself(root, tmp_path):
    """vLLM with CUDA is some GB: its pins are solved, and nothing is downloaded but what they say they need."""
    python = tmp_path / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "uv"], check=True)
    platform = ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28"]
    form = ["--no-annotate", "--no-header", "--no-config", "--system-certs", "--upgrade"]
    command = [python, "-m", "uv", "pip", "compile", root / "envs/generation.lock", *platform, *form]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.split() == (root / "envs/generation.lock").read_text(encoding="utf-8").split()
