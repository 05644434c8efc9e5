"""What a generator is asked: one request is one call, and equal requests have equal hashes on every machine."""

import hashlib
import json
from typing import NamedTuple


class Request(NamedTuple):
    """One call: the name of its prompt, the whole document that it is about, and what else the prompt names.

    ``fields`` holds strings and lists of strings alone: entities, strategy, genre, audience.
    """

    kind: str
    document: str
    fields: dict


def hash_of(request: Request, *more: object) -> str:
    """64 hexadecimal digits from a request and what else decides its answer (seed, prompt, engine); keys in any order."""
    text = json.dumps([*request, *more], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
