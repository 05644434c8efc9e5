"""Real code without a download: the functions and methods of installed packages, without their docstrings.

Reads the Python files of the listed packages, at the versions that the lock pins. Makes documents.parquet: one document a
function or method, with package, version, module, object and licence in ``meta``. The code belongs to the packages' authors,
under the licence that each document names. Docstrings are left out, so that no text is in this source and in `prose` too.
"""

import ast
import textwrap
import warnings
from collections.abc import Iterator
from importlib import metadata

from scripts.sources.packages import licence_of, modules, script

# characters of a function: shorter ones are mostly accessors, longer ones would fill a block alone
SHORTEST, LONGEST = 120, 1000


def functions(source: str, filename: str = "<string>") -> Iterator[tuple[str, str]]:
    """Yield (qualified name, code) of functions and methods in the order of the file; those inside other functions stay inside.

    The code has its common indentation, its docstring and trailing blanks removed. Files that this Python cannot parse yield
    nothing, and so do functions that hold nothing but a docstring.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's strings
        try:
            tree = ast.parse(source, filename)
        except (SyntaxError, ValueError):
            return
    yield from _walk(tree, "", source.splitlines())


def _walk(node: ast.AST, name: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    for field in ("body", "orelse", "handlers", "finalbody"):
        for child in getattr(node, field, None) or ():
            inner = f"{name}.{child.name}" if name and hasattr(child, "name") else getattr(child, "name", name)
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                if code := _code(child, lines):
                    yield inner, code
            elif isinstance(child, ast.ClassDef):
                yield from _walk(child, inner, lines)
            elif hasattr(child, "body"):
                yield from _walk(child, name, lines)


def _code(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> str:
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    body = node.body
    kept = lines[first - 1 : node.end_lineno]
    if ast.get_docstring(node, clean=False) is not None:
        if len(body) == 1:
            return ""
        start, end = body[0].lineno, body[0].end_lineno
        if start == node.lineno or end == body[1].lineno:
            return ""  # a docstring that shares its line with code
        kept = lines[first - 1 : start - 1] + lines[end : node.end_lineno]
    return textwrap.dedent("\n".join(line.rstrip() for line in kept)).strip("\n")


def extract(name: str, package: metadata.Distribution, seen: set[str]) -> Iterator[tuple[str, dict]]:
    """Yield (code, meta) of each function of a distribution, in the order of module and position.

    Functions in ``seen`` are left out, and new ones are added to it, so that none occurs twice in a source.
    """
    about = {"package": name, "version": package.version, "licence": licence_of(package)}
    for module, file in modules(package):
        for obj, code in functions(file.read_text(encoding="utf-8", errors="replace"), str(file)):
            if SHORTEST <= len(code) <= LONGEST and code not in seen:
                seen.add(code)
                yield code, {**about, "module": module, "object": obj}


if __name__ == "__main__":
    script(snakemake, extract, "function of a usable length")
