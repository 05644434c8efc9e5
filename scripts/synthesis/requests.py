"""What a generator is asked and what it answers: one request is one call, and equal requests have equal hashes everywhere."""

import hashlib
import json
from typing import NamedTuple


class Refused(Exception):
    """A row, prompt, endpoint or installation cannot do what is asked; the message names the key or file."""


class Request(NamedTuple):
    """One call: the name of its prompt, the whole document that it is about, and what else the prompt names.

    ``fields`` holds strings and lists of strings alone: entities, strategy, genre, audience.
    """

    kind: str
    document: str
    fields: dict


class Answer(NamedTuple):
    """What came back: its text, tokens asked and received, and why it ended.

    ``finish`` is stop (by itself), length (cut at max_new_tokens), or an endpoint's own word (content_filter).
    """

    text: str
    tokens_in: int
    tokens_out: int
    finish: str


def hash_of(request: Request, *more: object) -> str:
    """64 hexadecimal digits from a request and what else decides its answer (seed, prompt, engine); keys in any order."""
    text = json.dumps([*request, *more], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def json_object(text: str) -> dict:
    """The JSON object in an answer, around which a model may have put words or a fence.

    Raises:
        ValueError: saying what the answer has instead.
    """
    first, last = text.find("{"), text.rfind("}")
    if first < 0 or last < first:
        raise ValueError(f"expected a JSON object, found {text[:60]!r}")
    try:
        return json.loads(text[first : last + 1])
    except ValueError as error:
        raise ValueError(f"expected a JSON object, found {text[first : first + 60]!r} ({error})") from None


def strings(value: dict, key: str, least: int) -> list[str]:
    """The strings that a JSON object lists under a key: stripped, each once, in their order.

    Raises:
        ValueError: when they are no list of strings, or fewer than ``least``.
    """
    listed = value.get(key)
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ValueError(f"key {key}: expected a list of strings, found {str(listed)[:60]!r}")
    found = list(dict.fromkeys(one.strip() for one in listed if one.strip()))
    if len(found) < least:
        raise ValueError(f"key {key}: expected {least} or more different strings, found {len(found)}")
    return found
