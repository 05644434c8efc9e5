"""Code is an input: Snakemake does not see that an imported module changed, so rules take a hash of what a script imports.

Parsing every module takes a second, at each start of Snakemake and on a cluster at each job's. So what a parse found is kept in
.snakemake/code/, under the hash of all that it depends on: the file's bytes, this module's and the Python version.
"""

import ast
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".snakemake/code"


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                node.body = body[1:]
    return tree


def _parsed(source: bytes) -> list:
    tree = ast.parse(source)
    imported = [name for name in _imports(tree) if name.split(".")[0] in ("scripts", "papers")]
    return [hashlib.sha256(ast.dump(_without_docstrings(tree)).encode()).hexdigest(), imported]


@cache
def _parser() -> bytes:
    """What besides a file's bytes decides what a parse of it finds."""
    return Path(__file__).read_bytes() + sys.version.encode()


@cache
def _module(path: Path) -> list:
    """The hash of a module's code, and the dotted names that it imports from this project.

    Each file is parsed once; a kept result that is missing, broken or cannot be written costs a parse and is no error.
    """
    source = path.read_bytes()
    kept = KEPT / hashlib.sha256(_parser() + source).hexdigest()
    with contextlib.suppress(OSError, ValueError):
        text, checksum = kept.read_text(encoding="ascii").splitlines()
        if hashlib.sha256(text.encode()).hexdigest() == checksum:
            return json.loads(text)
    found = _parsed(source)
    text = json.dumps(found)
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        beside = kept.with_suffix(f".{os.getpid()}")
        beside.write_text(f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}\n", encoding="ascii")
        beside.replace(kept)
    return found


def modules_of(script: str | Path, root: Path = ROOT) -> list[Path]:
    """A script and every module of this project that it imports, however deep, sorted."""
    todo, found = [root / script], set()
    while todo:
        path = todo.pop()
        if path not in found and path.is_file():
            found.add(path)
            for name in _module(path)[1]:
                base = root / Path(*name.split("."))
                todo += [base.with_suffix(".py"), base / "__init__.py"]
    return sorted(found)


@cache
def code_of(script: str, *data: str, root: Path = ROOT) -> str:
    """A hash of the code of a script and of the modules of this project that it imports, and of data files beside them.

    Comments, docstrings and layout do not count, so that a comment never costs GPU-hours. ``data`` are glob patterns.

    Raises:
        FileNotFoundError: when the script is missing or a pattern matches nothing.
    """
    if not (root / script).is_file():
        raise FileNotFoundError(f"{script}: no such script")
    digest = hashlib.sha256()
    for path in modules_of(script, root):
        digest.update(f"{path.relative_to(root)} {_module(path)[0]}\n".encode())
    for pattern in data:
        files = sorted(root.glob(pattern))
        if not files:
            raise FileNotFoundError(f"{pattern}: no such data file")
        for path in files:
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()
