"""Entities of real text without a model: capitalised spans and how often they occur; and the sentences that name them.

A heuristic for stories: it finds names, no concepts, and does not know that two names are one person.
"""

import re
from collections import Counter

_SENTENCE = re.compile(r"(?<!\bMr\.)(?<!\bMrs\.)(?<!\bDr\.)(?<!\bSt\.)(?:(?<=[.!?])|(?<=[.!?][\"”’']))\s+")
_SPAN = re.compile(r"(?:(?:Mr|Mrs|Dr|St)\. )?[A-Z][a-z]+(?:[-'’][A-Z][a-z]+)*(?: (?:of (?:the )?)?[A-Z][a-z]+)*")
_START = re.compile(r"[\W_]*")
_NOT_NAMES = set(
    "i he she it we you they his her its our your their him them us me my this that these those who what which "
    "mr mrs dr st yes no oh well sir madam monday tuesday wednesday thursday friday saturday sunday".split()
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, with the white space inside them made single."""
    return [" ".join(each.split()) for each in _SENTENCE.split(text) if each.strip()]


def mentions(name: str, sentence: str) -> bool:
    """Whether a sentence has the name as a whole word."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sentence) is not None


def entities(text: str, most: int = 12, least: int = 3) -> list[str]:
    """The names that a text mentions most, at most ``most`` of them and each at least ``least`` times, most frequent first.

    A span counts if it also stands inside a sentence, where English does not capitalise by itself, and if its word is not
    written small as often. Of two names of which one holds the other ("Kerr", "Captain Kerr") the shorter stays.
    """
    inside: Counter[str] = Counter()
    found: Counter[str] = Counter()
    small = Counter(re.findall(r"\b[a-z]+\b", text))
    for sentence in sentences(text):
        start = _START.match(sentence).end()
        for match in _SPAN.finditer(sentence):
            words = match[0].split()
            begins = match.start() == start or sentence[: match.start()].rstrip()[-1:] in '"“‘:'
            if begins and len(words) > 1 and small[words[0].lower()]:  # "Then Kerr left": the first word is no name
                words, begins = words[1:], False
            if words[0] == "of" or words[0].lower() in _NOT_NAMES and len(words) == 1:
                continue
            found[" ".join(words)] += 1
            inside[" ".join(words)] += not begins
    names = [
        name
        for name, count in found.items()
        if count >= least and inside[name] and (" " in name or small[name.lower()] < inside[name])
    ]
    names = [name for name in names if not any(other != name and mentions(other, name) for other in names)]
    return sorted(names, key=lambda name: -found[name])[:most]
