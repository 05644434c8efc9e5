"""Requests as chat messages: reads a folder of prompts, one YAML file a kind of request.

A prompt has four keys: system and user, texts in which $document and the request's fields stand by name (a list is put in as
lines that begin with a dash, a dollar sign is written $$); json, whether the answer is to be a JSON object; temperature. A
fifth, top_p, is 1 where it is left out.
"""

from pathlib import Path
from string import Template
from typing import NamedTuple

from scripts.synthesis.requests import Refused, Request


class Prompt(NamedTuple):
    """A prompt as its file has it."""

    file: str
    system: str
    user: str
    json: bool
    temperature: float
    top_p: float = 1.0


EXPECTED = {"system": str, "user": str, "json": bool, "temperature": (int, float)}
_WORDS = {"system": "a text", "user": "a text", "json": "true or false", "temperature": "a number of 0 or more"}


def read_prompt(path: str | Path, fields: tuple[str, ...]) -> Prompt:
    """The prompt in a file, whose texts name the document and exactly these fields.

    Raises:
        Refused: naming the file and the key.
    """
    import yaml

    path = Path(path)
    if not path.is_file():
        raise Refused(f"{path}: missing; expected a prompt with {', '.join(EXPECTED)}")
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise Refused(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise Refused(f"{path}: expected a mapping with {', '.join(EXPECTED)}")
    top_p = value.pop("top_p", 1.0)
    if isinstance(top_p, bool) or not isinstance(top_p, int | float) or not 0 < top_p <= 1:
        raise Refused(f"{path}, key top_p: expected a number above 0 and up to 1, found {top_p!r}")
    for key in [*value, *EXPECTED]:
        if key not in EXPECTED:
            raise Refused(f"{path}, key {key}: unknown; a prompt has {', '.join(EXPECTED)}")
        if key not in value:
            raise Refused(f"{path}, key {key}: missing; expected {_WORDS[key]}")
        found = value[key]
        if not isinstance(found, EXPECTED[key]) or (key == "temperature" and (isinstance(found, bool) or found < 0)):
            raise Refused(f"{path}, key {key}: expected {_WORDS[key]}, found {found!r}")
    named = set()
    for key in ("system", "user"):
        template = Template(value[key])
        if not template.is_valid():
            raise Refused(f"{path}, key {key}: a dollar sign that names nothing; write $$ for one that is meant")
        named |= set(template.get_identifiers())
        if unknown := sorted(set(template.get_identifiers()) - {"document", *fields}):
            raise Refused(f"{path}, key {key}: ${unknown[0]} is unknown; expected {_listed(fields)}")
    if missing := [name for name in ("document", *fields) if name not in named]:
        raise Refused(f"{path}, key user: ${missing[0]} is missing; expected {_listed(fields)}")
    return Prompt(str(path), value["system"], value["user"], value["json"], float(value["temperature"]), float(top_p))


def _listed(fields: tuple[str, ...]) -> str:
    return ", ".join(f"${name}" for name in ("document", *fields))


def read_prompts(folder: str | Path, kinds: dict[str, tuple[str, ...]]) -> dict[str, Prompt]:
    """The prompt of each kind, from ``<kind>.yaml``; ``kinds`` gives the fields that a method's requests have."""
    return {kind: read_prompt(Path(folder) / f"{kind}.yaml", fields) for kind, fields in kinds.items()}


def names_of(prompt: Prompt) -> set[str]:
    """What stands by name in a prompt's texts: the document, and the fields of its requests."""
    return {name for text in (prompt.system, prompt.user) for name in Template(text).get_identifiers()}


def messages_of(prompt: Prompt, request: Request) -> list[dict[str, str]]:
    """The chat messages of a request: system, user.

    Raises:
        Refused: naming the prompt's file and a field of the request that it lacks, or that the request lacks.
    """
    values = {"document": request.document, **request.fields}
    wanted = names_of(prompt)
    for name in sorted(wanted ^ set(values)):
        missing = "the request has none" if name in wanted else "no text of the prompt names it"
        raise Refused(f"{prompt.file}, field {name}: {missing} (a request of kind {request.kind})")
    shown = {key: value if isinstance(value, str) else "\n".join(f"- {one}" for one in value) for key, value in values.items()}
    return [
        {"role": role, "content": Template(text).substitute(shown).strip()}
        for role, text in (("system", prompt.system), ("user", prompt.user))
    ]
