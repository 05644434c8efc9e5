"""Real English without a download: the prose paragraphs in the docstrings of installed packages.

Reads the Python files of the listed packages, at the versions that the lock pins. Makes documents.parquet: one document
for consecutive paragraphs of one docstring, with package, version, module, object and licence in ``meta``. The text
belongs to the packages' authors, under the licence that each document names.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from importlib import metadata

from scripts.sources.packages import licence_of, modules, script

SHORTEST = 120  # characters of a paragraph: shorter ones are mostly titles and one-line summaries
LETTERS = 0.9  # share of letters and spaces in a paragraph: English has 0.96, formulas and tables far less
LONGEST = 600  # characters beyond which no further paragraph of a docstring joins a document

_UNDERLINE = re.compile(r"([=\-~^*#+\"'.])\1{2,}$")
_FENCE = re.compile(r"\s*(```|~~~)")
_NO_PROSE = re.compile(
    r"""(>>>|\.\.[ ]|:[\w ~*.]+:|@\w+|\||\+[-=]|[-=]{3}|\#|%|\$|<\w+>  # doctest, directive, field, table, rule, heading, tag
      |[-*+•][ ]|\(?(\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)][ ]|\[\w+\]        # bullet, numbered item, reference
      |\w+[ ]?:[ ][a-zA-Z{(]|\w+\(|\**\w+[ ]\([^)]*\)[ ]?:)""",  # a table of parameters, a signature
    re.VERBOSE,
)
_LISTED = {
    *("parameters", "other parameters", "returns", "return", "yields", "raises", "warns", "receives", "attributes", "methods"),
    *("see also", "references", "arguments", "args", "keyword arguments", "keywords", "inputs", "outputs", "options", "usage"),
}
_HEADER = re.compile(r"(.*:|\.\. [a-z]+::.*|[\w*.,' ]+ : .+|[*`]*\w+[*`]*)$")  # what a description may stand under
_MARKUP = [
    (re.compile(r"\b([A-Za-z]\w*)_(?=[\s.,;:)])"), r"\1"),  # reference_
    (re.compile(r"\[(\d+|[A-Z]\w*)\]_"), ""),  # footnotes and citations
    (re.compile(r":(?:\w+:)?\w+:`[~!]?([^`<]+?)\s*<[^`>]*>`"), r"\1"),  # :role:`title <target>`
    (re.compile(r":(?:\w+:)?\w+:`~(?:[\w]+\.)*([^`]+)`"), r"\1"),  # :role:`~package.name`
    (re.compile(r":(?:\w+:)?\w+:`[!.]?([^`]+)`"), r"\1"),  # :role:`name`
    (re.compile(r"`([^`<]+?)\s*<[^`>]+>`_{1,2}"), r"\1"),  # `title <address>`_
    (re.compile(r"\[`?~?(?:\w+\.)*([^\]`]+)`?\]\([^)\s]*\)"), r"\1"),  # [title](address)
    (re.compile(r"\[`~?(?:\w+\.)*([^\]`]+)`\]"), r"\1"),  # [`~package.Name`]
    (re.compile(r"``([^`]+)``"), r"\1"),
    (re.compile(r"`~?([^`]+)`_{0,2}"), r"\1"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"\1"),
    (re.compile(r"(?<![\w*])\*([^\s*][^*]*)\*(?![\w*])"), r"\1"),
]
_REMNANT = re.compile(r"[\\`{}|^~$]|\*|::|:\w+:|://|\.\. |>>|</?\w+>| {3}")
_SENTENCE = re.compile(r"""["'“(]?[A-Z].*[.!?]["'”)]?$""")


def plain(text: str) -> str:
    """A paragraph without its reStructuredText or Markdown markup, on one line.

    ``plain("See :func:`~numpy.dot` and\\n**not** `x`.")`` is ``"See dot and not x."``.
    """
    text = " ".join(text.split())
    for pattern, new in _MARKUP:
        text = pattern.sub(new, text)
    return re.sub(r" +([.,;](?:\s|$))", r"\1", " ".join(text.split()))


def is_prose(text: str) -> bool:
    """Whether a plain paragraph is prose: long enough, whole sentences, letters and spaces, no markup or code left."""
    if len(text) < SHORTEST or not _SENTENCE.match(text) or _REMNANT.search(text):
        return False
    return sum(c.isalpha() or c == " " for c in text) >= LETTERS * len(text)


def paragraphs(docstring: str) -> list[str | None]:
    """The paragraphs of a docstring in order, plain; ``None`` in place of each block that is not prose.

    Not prose: code, doctests, fences, lists, tables, titles and names of parameters. The description under the name of a
    parameter, or in a note, is prose where it reads as such without its indentation. ``docstring`` has its common
    indentation removed (as ``ast.get_docstring`` returns it).
    """
    found: list[str | None] = []
    listed = fenced = False
    deep = 0
    for lines, follows in _blocks(docstring):
        indent = _indent(lines[0])
        if len(lines) > 1 and _UNDERLINE.match(lines[1].strip()) and not _UNDERLINE.match(lines[0].strip()):
            listed = lines[0].strip().rstrip(":").lower() in _LISTED
            lines = lines[2:]
            found.append(None)
        fences = sum(bool(_FENCE.match(line)) for line in lines)
        if fences or fenced:
            fenced ^= fences % 2 == 1
            found.append(None)
        elif lines:
            hangs = indent > 0 and follows is not None and _indent(follows) < indent and not _HEADER.match(follows.strip())
            refused = hangs or (listed and indent == 0) or any(_NO_PROSE.match(line.strip()) for line in lines)
            text = "" if refused else plain("\n".join(lines))
            if indent != deep:
                found.append(None)
            found.append(text if text and is_prose(text) else None)
        deep = indent
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _blocks(text: str) -> Iterator[tuple[list[str], str | None]]:
    """Yield runs of lines of equal indentation, and the line just above (None after an empty line)."""
    block: list[str] = []
    above: str | None = None
    for line in [*text.expandtabs().split("\n"), ""]:
        if block and (not line.strip() or _indent(line) != _indent(block[0])):
            yield block, above
            above = block[-1]
            block = []
        if line.strip():
            block.append(line.rstrip())
        else:
            above = None


def docstrings(source: str, filename: str = "<string>") -> Iterator[tuple[str, str]]:
    """Yield (qualified name, docstring) of the module, its classes and functions, in the order of the file.

    The module's name is empty. Files that this Python cannot parse (templates, other versions) yield nothing.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's docstrings
        try:
            tree = ast.parse(source, filename)
        except (SyntaxError, ValueError):
            return
    yield from _walk(tree, "")


def _walk(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        if text := ast.get_docstring(node):
            yield name, text
    for field in ("body", "orelse", "handlers", "finalbody", "cases"):  # statements only: docstrings are never in expressions
        for child in getattr(node, field, None) or ():
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _walk(child, f"{name}.{child.name}" if name else child.name)
            elif hasattr(child, "body") or hasattr(child, "cases"):
                yield from _walk(child, name)


def join(found: list[str | None], longest: int = LONGEST) -> list[str]:
    """Texts of documents: neighbouring paragraphs joined by an empty line while they stay within ``longest`` characters.

    ``join(["A.", "B.", None, "C."])`` is ``["A.\\n\\nB.", "C."]``.
    """
    texts: list[str] = []
    open_ = False
    for paragraph in found:
        if paragraph is None:
            open_ = False
        elif open_ and len(texts[-1]) + 2 + len(paragraph) <= longest:
            texts[-1] += "\n\n" + paragraph
        else:
            texts.append(paragraph)
            open_ = True
    return texts


def extract(name: str, package: metadata.Distribution, seen: set[str]) -> Iterator[tuple[str, dict]]:
    """Yield (text, meta) of each document of a distribution, in the order of module and position.

    Paragraphs in ``seen`` are left out, and new ones are added to it, so that none occurs twice in a source.
    """
    about = {"package": name, "version": package.version, "licence": licence_of(package)}
    for module, file in modules(package):
        source = file.read_text(encoding="utf-8", errors="replace")
        if '"""' not in source and "'''" not in source:
            continue
        for obj, docstring in docstrings(source, str(file)):
            if len(docstring) < SHORTEST:
                continue
            found = paragraphs(docstring)
            for i, paragraph in enumerate(found):
                if paragraph in seen:
                    found[i] = None
                elif paragraph:
                    seen.add(paragraph)
            yield from ((text, {**about, "module": module, "object": obj}) for text in join(found))


if __name__ == "__main__":
    script(snakemake, extract, "paragraph of prose")
