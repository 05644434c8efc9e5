"""The prose of docstrings, on docstrings written for the test, a package made for it, and two small installed packages."""

import json
import os
import subprocess
import sys
from importlib import metadata

import pyarrow.parquet as pq
import pytest

from scripts.lib.files import sha256_of
from scripts.sources import packages as installed
from scripts.sources import prose

ONE = (
    "The quick brown fox jumps over the lazy dog while the band plays on, and nobody in the long and winding street "
    "stops to ask where either of them is going tonight."
)
TWO = (
    "Every evening the lamplighter walks the same road with a ladder on his shoulder, lights each lamp in turn, and "
    "returns home by the river when the last one burns."
)
THREE = (
    "A second description, of some other thing altogether, which is long enough to count as a paragraph of its own and "
    "is here to be told apart from the first."
)


def _wrap(text, indent=""):
    words, lines = text.split(), [indent]
    for word in words:
        if len(lines[-1]) + len(word) > 60:
            lines.append(indent)
        lines[-1] += (" " if lines[-1].strip() else "") + word
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("See :func:`~numpy.linalg.dot` and\n  **not** ``x``.", "See dot and not x."),
        (
            "Read :ref:`the guide <guide-target>`, `docs <https://a.b/c>`_ and [this](https://x.y).",
            "Read the guide, docs and this.",
        ),
        ("A [`~pipelines.Pipeline`] of *one* kind [1]_.", "A Pipeline of one kind."),
        ("Call :meth:`.Session.close` or `close`, as method.", "Call Session.close or close, as method."),
        ("An array differs from .array in snake_case_name only.", "An array differs from .array in snake_case_name only."),
    ],
)
def test_markup_becomes_plain_text(marked, expected):
    assert prose.plain(marked) == expected


@pytest.mark.parametrize(
    "block",
    [
        ">>> " + ONE,
        "- " + ONE,
        "1. " + ONE,
        ":param x: " + ONE,
        ".. note:: " + ONE,
        "x : int, optional " + ONE,
        "| " + ONE,
        "def f(x): " + ONE,
        ONE[0].lower() + ONE[1:],
        ONE[:-1] + ":",
        ONE[:100] + ".",
        ONE.replace("dog", r"\alpha + x^{2}"),
        "The ids are " + "12 345 678, " * 12 + "and no more.",
        "Name    Value    Unit    Kind    Of    " * 4 + "Thing.",
    ],
)
def test_what_is_no_prose(block):
    assert prose.paragraphs(block) == [None]
    assert prose.paragraphs(ONE) == [ONE]  # and the check can pass


def test_a_numpy_docstring_gives_its_prose_and_nothing_else():
    docstring = f"""Add things.

{_wrap(ONE)}

Parameters
----------
x : array_like, optional
{_wrap(TWO, "    ")}
y : int
    Short.

See Also
--------
other : {ONE}

Notes
-----
{_wrap(THREE)}

Examples
--------
>>> print("{ONE}")

    x = {ONE}
"""
    found = prose.paragraphs(docstring)
    assert [p for p in found if p] == [ONE, TWO, THREE]
    assert prose.join(found) == [ONE, TWO, THREE]  # nothing is joined across a title or a name


def test_a_google_docstring_with_fences_and_hanging_lines():
    hanging = f"    key: a thing that is explained\n{_wrap(TWO, '        ')}"  # goes on from the line above: not a paragraph
    arguments = f"Args:\n    path (`str`, *optional*):\n{_wrap(THREE, '        ')}\n{hanging}"
    docstring = f"{_wrap(ONE)}\n\n{arguments}\n\n```\n{TWO}\n\n{TWO}\n```"
    assert [p for p in prose.paragraphs(docstring) if p] == [ONE, THREE]


def test_neighbours_are_joined_up_to_the_limit():
    assert prose.join([ONE, TWO, None, THREE]) == [f"{ONE}\n\n{TWO}", THREE]
    assert prose.join([ONE, TWO, THREE], longest=len(ONE) + 2 + len(TWO)) == [f"{ONE}\n\n{TWO}", THREE]
    assert prose.join([ONE, TWO], longest=len(ONE) + 1 + len(TWO)) == [ONE, TWO]


def test_docstrings_of_modules_classes_functions_and_nothing_else():
    source = f'''"""Module."""
x = 1
"""No docstring."""  # a comment
class A:
    """Class."""
    def f(self):
        """Method: bad escape \\d."""
        y = """No docstring."""
        if y:
            async def inner():
                """Inner."""
try:
    pass
except Exception:
    def g(): "One line."
match x:
    case 1:
        def h(): """{ONE}"""
'''
    found = list(prose.docstrings(source))
    assert found == [
        ("", "Module."),
        ("A", "Class."),
        ("A.f", "Method: bad escape \\d."),
        ("A.f.inner", "Inner."),
        ("g", "One line."),
        ("h", ONE),
    ]
    assert list(prose.docstrings("def broken(:")) == []


def _package(folder, name, version, files, licence="License-Expression: MIT"):
    about = folder / f"{name}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{licence}\n")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (about / "RECORD").write_text("".join(f"{path},,\n" for path in reversed(list(files))))


@pytest.fixture
def packages(tmp_path, monkeypatch):
    doc = '"""{}"""\n'.format
    _package(
        tmp_path / "site",
        "zeta",
        "1.0",
        {
            "zeta/__init__.py": doc(f"{ONE}\n\n{ONE}\n\nIt ends."),
            "zeta/a.py": doc(TWO),
            "zeta/tests/test_a.py": doc(TWO + " Tested."),
            "../bin/zeta.py": doc(TWO + " Run."),
        },
    )
    _package(
        tmp_path / "site",
        "alpha_beta",
        "2.0",
        {"alpha.py": doc(ONE) + f"def f():\n    {doc(THREE)}"},
        "License: BSD\n\nLong text.",
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "lock").write_text("# a lock\nzeta==1.0\nAlpha.Beta==2.0+cpu ; python_version > '3'\n")
    return tmp_path


def test_a_source_of_two_packages(packages):
    out = packages / "documents.parquet"
    installed.make(
        packages / "lock",
        out,
        prose.extract,
        "prose",
        row={"name": "p", "kind": "prose", "packages": ["zeta", "alpha-beta"]},
        code="c",
    )
    rows = pq.read_table(out).to_pylist()
    assert [row["text"] for row in rows] == [ONE, THREE, TWO]  # by package, module, position; ONE of zeta is an exact duplicate
    assert json.loads(rows[1]["meta"]) == {
        "package": "alpha-beta",
        "version": "2.0",
        "module": "alpha",
        "object": "f",
        "licence": "BSD",
    }
    assert json.loads(rows[2]["meta"]) == {
        "package": "zeta",
        "version": "1.0",
        "module": "zeta.a",
        "object": "",
        "licence": "MIT",
    }
    assert {row["source"] for row in rows} == {"p"} and len({row["id"] for row in rows}) == 3
    again = packages / "again.parquet"
    installed.make(
        packages / "lock",
        again,
        prose.extract,
        "prose",
        row={"name": "p", "kind": "prose", "packages": ["alpha_beta==2.0", "zeta"]},
        code="d",
    )
    assert sha256_of(again) == sha256_of(out)  # the order in the row and other code change nothing


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "no-such-package==1.0",
            r"source row p, key packages: no-such-package is not installed; expected no-such-package==1.0",
        ),
        ("zeta==1.1", r"zeta is installed as 1.0; expected 1.1"),
        ("nowhere", r"nowhere has no version; expected it in the lock, or as nowhere==version"),
    ],
)
def test_another_environment_is_refused(packages, entry, expected):
    with pytest.raises(installed.NotInstalled, match=expected):
        row = {"name": "p", "kind": "prose", "packages": [entry]}
        installed.make(packages / "lock", packages / "out.parquet", prose.extract, "prose", row=row, code="c")
    assert not (packages / "out.parquet").exists()


def test_the_licence_prefers_the_expression_then_classifiers(tmp_path):
    lines = "License: whatever\nClassifier: License :: OSI Approved :: MIT License"
    _package(tmp_path, "one", "1", {}, lines + "\nLicense-Expression: BSD-3-Clause")
    _package(tmp_path, "two", "1", {}, lines)
    found = {d.metadata["Name"]: installed.licence_of(d) for d in metadata.distributions(path=[str(tmp_path)])}
    assert found == {"one": "BSD-3-Clause", "two": "MIT License"}


def test_real_packages_are_the_same_under_every_hash_seed(tmp_path, root):
    row = {"name": "prose", "kind": "prose", "packages": ["portalocker", "datasketch", "jinja2"]}
    call = "import sys; from scripts.sources.packages import make; from scripts.sources.prose import extract; "
    call += f"make('envs/laptop.lock', sys.argv[1], extract, 'prose', row={row!r}, code='c')"
    outs = [tmp_path / seed / "documents.parquet" for seed in ("1", "2")]
    for out in outs:
        environment = {**os.environ, "PYTHONHASHSEED": out.parent.name, "PYTHONPATH": str(root)}
        subprocess.run([sys.executable, "-c", call, str(out)], cwd=root, env=environment, check=True, capture_output=True)
    assert sha256_of(outs[0]) == sha256_of(outs[1])
    rows = pq.read_table(outs[0]).to_pylist()
    assert sum(len(row["text"]) for row in rows) > 50_000
    texts = [row["text"] for row in rows]
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert all(prose.is_prose(paragraph) for paragraph in text.split("\n\n"))
        assert not any(sign in text for sign in (">>>", "``", "::", ":class:", "  "))
    metas = [json.loads(row["meta"]) for row in rows]
    assert [m["package"] for m in metas] == sorted(m["package"] for m in metas)
    assert {m["licence"] for m in metas} == {"BSD License", "BSD-3-Clause", "MIT License"}
