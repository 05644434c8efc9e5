"""The Makefile makes .venv from the lock, remakes it when it must, and leaves targets to Snakemake. Programs are stand-ins."""

import os
import re
import shutil
import subprocess

import pytest

PYTHON3 = """#!/bin/sh
echo venv >> calls
mkdir -p .venv/bin
printf '#!/bin/sh\\necho pip $1 >> calls\\n[ ! -e broken ]\\n' > .venv/bin/pip
printf '#!/bin/sh\\nfor last; do :; done\\necho snakemake $last >> calls\\necho "$@" > arguments\\n' > .venv/bin/snakemake
chmod +x .venv/bin/*
"""
INSTALLED = ["venv", "pip install", "pip check"]


@pytest.fixture
def make(tmp_path, root):
    """A call of make in a folder that holds the Makefile and a lock; it returns what was called."""
    (tmp_path / "envs").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "envs/laptop.lock").write_text("numpy==1\n")
    (tmp_path / "bin/python3").write_text(PYTHON3)
    (tmp_path / "bin/python3").chmod(0o755)
    shutil.copy(root / "Makefile", tmp_path)

    def call(*arguments, ok=True):
        (tmp_path / "calls").write_text("")
        environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
        done = subprocess.run(
            ["make", *(arguments or ["results/fig5.pdf"])], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return (tmp_path / "calls").read_text().splitlines()

    call.folder = tmp_path
    return call


def test_it_installs_once_and_asks_snakemake_always(make):
    assert make() == [*INSTALLED, "snakemake results/fig5.pdf"]
    (make.folder / "results").mkdir()
    (make.folder / "results/fig5.pdf").write_text("there, and newer than everything")
    assert make() == ["snakemake results/fig5.pdf"]


def test_a_changed_lock_remakes_the_environment_and_a_touched_one_does_not(make):
    make()
    os.utime(make.folder / "envs/laptop.lock", (4e9, 4e9))
    assert make() == ["snakemake results/fig5.pdf"]
    (make.folder / "envs/laptop.lock").write_text("numpy==2\n")
    os.utime(make.folder / "envs/laptop.lock", (4.1e9, 4.1e9))
    assert make() == [*INSTALLED, "snakemake results/fig5.pdf"]


def test_an_installation_cut_short_is_remade(make):
    (make.folder / "broken").touch()
    assert make(ok=False) == ["venv", "pip install"]
    (make.folder / "broken").unlink()
    assert make() == [*INSTALLED, "snakemake results/fig5.pdf"]


def test_redraw_allows_the_rules_that_draw_and_judge_and_no_others(make, root):
    for name in ("Snakefile", "papers/bos_only/rules.smk", "papers/sbp/rules.smk", "rules/claims.smk"):
        (make.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, make.folder / name)
    assert make("redraw")[-1] == "snakemake all"
    options = (make.folder / "arguments").read_text().split()
    allowed = options[options.index("--allowed-rules") + 1 : options.index("--")]
    forced = options[options.index("--forcerun") + 1 : options.index("--allowed-rules")]
    assert allowed == forced and {f"fig{number}" for number in range(1, 12)} <= set(allowed)
    assert {"all", "all_bos_only", "sbp_alphabet", "copy_of_the_active_scale", "verdicts"} <= set(allowed)
    assert make("redraw", "WHAT=all_sbp")[-1] == "snakemake all_sbp"
    heavy = {
        match
        for path in [*(root / "rules").glob("*.smk"), *(root / "papers").glob("*/tables.smk")]
        if path.name != "claims.smk"
        for match in re.findall(r"^(?:use rule \w+ as|rule) (\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(heavy) > 10 and not heavy & set(allowed)


def test_it_is_short(root):
    assert len((root / "Makefile").read_text().splitlines()) <= 15
