"""Text normalised for comparison: the words that deduplication and decontamination count."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+", re.UNICODE)


def words(text: str) -> list[str]:
    """Lower-case words without punctuation: ``words("It's 5 o'clock.")`` is ``["it", "s", "5", "o", "clock"]``."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def ngrams(tokens: list[str], n: int) -> list[tuple[str, ...]]:
    """All n-grams in order; a text shorter than n has none: ``ngrams(["a", "b", "c"], 2)`` is ``[("a", "b"), ("b", "c")]``."""
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
