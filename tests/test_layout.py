"""The shape of the project: who may import whom, what may be in git, how rules are written."""

import ast
import os
import re
import subprocess

import pytest

import scripts
from scripts import code

STAGES = ("sources", "models", "synthesis", "curation", "audits", "training", "evaluation")


def _modules(root):
    return [path for folder in ("scripts", "papers") for path in sorted((root / folder).rglob("*.py"))]


def _imported(path):
    return set(code._imports(ast.parse(path.read_text(encoding="utf-8"))))


def _forbidden(parts, name):
    """Whether a module at ``parts`` may not import ``name``: papers -> stages -> lib, and stages not each other."""
    if not name.startswith(("scripts.", "papers.")):
        return False
    target = name.split(".")
    if parts[0] == "papers":
        return target[0] == "papers" and target[1] != parts[1]
    if target[0] == "papers":
        return True
    if parts[1] == "lib":
        return target[1] != "lib"
    if parts[1] in STAGES:
        return target[1] not in ("lib", parts[1])
    return False


def test_imports_point_one_way(root):
    wrong = [
        (str(path.relative_to(root)), name)
        for path in _modules(root)
        for name in _imported(path)
        if _forbidden(path.relative_to(root).parts, name)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("scripts", "training", "loop.py"), "scripts.curation.budget"),
        (("scripts", "lib", "files.py"), "scripts.training.loop"),
        (("scripts", "sources", "world.py"), "papers.bos_only.fig5"),
    ],
)
def test_the_import_check_can_fail(parts, name):
    assert _forbidden(parts, name)


def test_scripts_is_ours(root):
    assert scripts.__file__ == str(root / "scripts/__init__.py")


def test_no_run_blocks_and_no_lambdas_in_rules(root):
    for path in [root / "Snakefile", *root.glob("rules/*.smk"), *root.glob("papers/*/*.smk")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s+run:|lambda", text, re.MULTILINE), path


def test_script_files_have_no_future_imports(root):
    for path in _modules(root):
        assert "from __future__" not in path.read_text(encoding="utf-8"), path


def test_nothing_big_and_no_results_in_git(root):
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [name for name in listed if name.startswith(("results/", "logs/", "timings/", ".venv/"))] == ["results/README.md"]
    assert [name for name in listed if (root / name).exists() and (root / name).stat().st_size > 1 << 20] == []


def test_code_of_ignores_comments_and_sees_helpers(tmp_path):
    (tmp_path / "scripts/lib").mkdir(parents=True)
    (tmp_path / "scripts/__init__.py").write_text("")
    (tmp_path / "scripts/lib/__init__.py").write_text("")
    main, helper = tmp_path / "scripts/main.py", tmp_path / "scripts/lib/helper.py"
    main.write_text("from scripts.lib.helper import f\n\n\ndef g():\n    return f()\n")
    helper.write_text("def f():\n    return 1\n")

    def hashed():
        code.code_of.cache_clear()
        code._module.cache_clear()
        return code.code_of("scripts/main.py", root=tmp_path)

    before = hashed()
    helper.write_text('"""What it is."""\n# why\n\n\ndef f():\n    """One."""\n\n    return 1\n')
    assert hashed() == before
    helper.write_text("def f():\n    return 2\n")
    assert hashed() != before
    with pytest.raises(FileNotFoundError, match="missing.py"):
        code.code_of("scripts/missing.py", root=tmp_path)


def test_kept_parses_never_outlive_their_file_and_are_never_needed(tmp_path, monkeypatch):
    script = tmp_path / "scripts/main.py"
    script.parent.mkdir()
    monkeypatch.setattr(code, "KEPT", tmp_path / "kept")
    parses = []
    monkeypatch.setattr(code, "_parsed", lambda source, parse=code._parsed: parses.append(source) or parse(source))

    def hashed(text):
        script.write_text(text)
        os.utime(script, (1e9, 1e9))  # the same size and time each time: only what stands in it tells files apart
        code.code_of.cache_clear()
        code._module.cache_clear()
        return code.code_of("scripts/main.py", root=tmp_path)

    one, two = hashed("one = 1\n"), hashed("one = 2\n")
    assert one != two and len(parses) == 2
    assert (hashed("one = 1\n"), hashed("one = 2\n")) == (one, two) and len(parses) == 2
    for kept in (tmp_path / "kept").iterdir():
        kept.write_text(kept.read_text().replace(kept.read_text()[3], "x", 1))
    assert hashed("one = 1\n") == one and len(parses) == 3  # a broken one is parsed again
    for kept in (tmp_path / "kept").iterdir():
        kept.write_bytes(b"\xff")
    assert hashed("one = 2\n") == two and len(parses) == 4
    monkeypatch.setattr(code, "KEPT", script / "kept")  # where nothing can be written
    assert hashed("one = 1\n") == one and len(parses) == 5
    monkeypatch.setattr(code, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(code, "_parser", lambda: b"another code.py, or another Python")
    assert hashed("one = 1\n") == one and len(parses) == 6
