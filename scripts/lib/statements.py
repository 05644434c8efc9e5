"""What a text states, read by the wordings of a language that is data: who wrote it, and in which world, is not known here.

A language is made of a lexicon (scripts/sources/pocket_data/lexicon.yaml: the words by class) and of wordings: those of the
pocket world's documents (pocket_data/genres.yaml), or those of the teacher that rewrites them (rewriting.yaml beside this
file). A text becomes a row of words in which articles and labels are left out and each word of the lexicon is its class; a
wording is such a row too ("<person> lives in <town>"), and is looked for at every place where it could start.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from scripts.lib.text import words

WORDS = Path(__file__).parents[1] / "sources/pocket_data"  # data of another folder, not its code
TOLD, RETOLD = WORDS / "genres.yaml", Path(__file__).parent / "rewriting.yaml"
PRONOUNS = ("she", "he")
KINDS = ("part", "place", "use")
LISTED = ("town", "region", "weather", "goods", "landform", "job", "hobby", "colour")
_TOKEN = re.compile(r"[a-z]+|\d+|[+*=?]|(?<=\d)-(?=\d)|(?<=\d )-(?= \d)")
_DROPPED = {"a", "an", "the", "q", "question", "answer"}
_SLOT = re.compile(r"\{(\w)\w*\}")


class Statement(NamedTuple):
    """A fact, where in the text its wording begins (characters), and who was spoken of last ("" for nobody)."""

    fact: tuple[str, str, str]
    start: int
    person: str


class Language(NamedTuple):
    """What a reader knows: words, phrases of several words, and wordings."""

    known: dict[str, tuple[str, str]]  # word in lower case -> class, word
    plural: dict[str, str]
    pronoun: dict[str, str]  # of every first name that can be formed
    surnames: frozenset[str]
    phrases: dict[str, list[tuple[tuple[str, ...], str, str]]]  # first word -> (words, class, phrase)
    wordings: dict[tuple[str, ...], tuple[str, str]]  # row -> relation, letters of its slots
    lengths: dict[str, list[int]]  # of rows by their first word, longest first
    in_passing: bool  # whether two steps one after the other state that one follows the other


@cache
def data(path: Path) -> dict:
    """A data file, read once."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def tokens(text: str) -> list[str]:
    """The words of a text that count, in lower case."""
    return [token for token in _TOKEN.findall(text.lower()) if token not in _DROPPED]


@cache
def language(wordings: Path) -> Language:
    """The language of a data file with ``facts``: relation -> subject, object (classes), tell, ask, and perhaps ``traits``.

    A wording has the slots s (subject) and o (object); p and q are people who are named besides, and state nothing.

    Raises:
        ValueError: when two wordings read alike, or one uses a word of the lexicon.
    """
    lexicon, told = data(WORDS / "lexicon.yaml"), data(wordings)
    known, plural, pronoun = _words(lexicon)
    phrases: dict[str, list[tuple[tuple[str, ...], str, str]]] = {}
    steps = [step.format(x=x) for script in lexicon["scripts"] for step in script["steps"] for x in script["variants"]]
    deeds = [trait[f"{who}_did"] for trait in lexicon["traits"] for who in ("one", "other")]
    for name, listed in (("step", steps), ("deed", deeds)):
        for phrase in dict.fromkeys(listed):
            row = tuple(tokens(phrase))
            phrases.setdefault(row[0], []).append((row, name, phrase))
    for rows in phrases.values():
        rows.sort(key=lambda entry: -len(entry[0]))
    forms: dict[tuple[str, ...], tuple[str, str]] = {}
    for relation, entry in told["facts"].items():
        classes = {"s": entry["subject"], "o": entry["object"], "p": "person", "q": "person"}
        for template in [*entry["tell"], *(f"{asked} {entry.get('answer', '{o}')}" for asked in entry["ask"])]:
            _learn(forms, known, template, relation, classes)
    for template in told.get("traits", ()):
        classes = {"a": "person", "b": "person", "c": "person", "t": "trait", "u": "trait", "d": "deed"}
        _learn(forms, known, template, "did", classes)
        _learn(forms, known, template.replace("{c}", "the {c} one"), "did", {**classes, "c": "trait"})
    lengths: dict[str, list[int]] = {}
    for row in forms:
        lengths.setdefault(row[0], []).append(len(row))
    lengths = {start: sorted(set(sizes), reverse=True) for start, sizes in lengths.items()}
    surnames = frozenset(name.lower() for name in lexicon["surnames"])
    return Language(known, plural, pronoun, surnames, phrases, forms, lengths, wordings == TOLD)


def _words(lexicon: dict) -> tuple[dict, dict, dict]:
    names, taken = lexicon["names"], {word for path in WORDS.glob("*.yaml") for word in words(path.read_text(encoding="utf-8"))}
    pronoun = {first + last: who for who in PRONOUNS for first in names["first"] for last in names[who]}
    pronoun = {name: who for name, who in pronoun.items() if name.lower() not in taken}
    kinds = lexicon["kinds"]
    things = [member for entry in kinds.values() for member in entry["members"]]
    plural = {word: lexicon["plurals"].get(word, word + "s") for word in things}
    plural |= {kind: entry["plural"] for kind, entry in kinds.items()}
    classes = {name: lexicon[name] for name in LISTED} | {name: [kinds[kind][name] for kind in kinds] for name in KINDS}
    classes |= {"person": pronoun, "thing": things, "kind": list(kinds)}
    known = {word.lower(): (name, word) for name, listed in classes.items() for word in listed}
    known |= {many: known[one] for one, many in plural.items()}
    known |= {trait[who]: ("trait", trait[who]) for trait in lexicon["traits"] for who in ("one", "other")}
    return known, plural, pronoun


def row_of(template: str, classes: dict[str, str]) -> tuple[str, ...]:
    """A wording as a row.

    >>> row_of("{s} lives in {o}.", {"s": "person", "o": "town"})
    ('<person>', 'lives', 'in', '<town>')
    """
    parts = re.split(r"(\{\w+\})", template)
    return tuple(t for part in parts for t in ([f"<{classes[part[1]]}>"] if part.startswith("{") else tokens(part)))


def _learn(forms: dict, known: dict, template: str, relation: str, classes: dict[str, str]) -> None:
    row, letters = row_of(template, classes), "".join(_SLOT.findall(template))
    if clash := [token for token in row if token in known]:
        raise ValueError(f"wording {template!r} of {relation} uses {clash}, words of the lexicon")
    if forms.setdefault(row, (relation, letters)) != (relation, letters):
        raise ValueError(f"wording {template!r} of {relation} reads like a wording of {forms[row][0]}")


def read(text: str, told: Language) -> tuple[list[str], list[str], list[int]]:
    """A text as three rows of equal length: classes (or plain words), names (or plain words), and where each begins."""
    found = [match for match in _TOKEN.finditer(text.lower()) if match[0] not in _DROPPED]
    plain, starts = [match[0] for match in found], [match.start() for match in found]
    classes, names, where, i = [], [], [], 0
    while i < len(plain):
        token, start = plain[i], starts[i]
        for row, kind, phrase in told.phrases.get(token, ()):
            if tuple(plain[i : i + len(row)]) == row:
                name, word, i = kind, phrase, i + len(row)
                break
        else:
            name, word = told.known.get(token, ("", token))
            name = "number" if token.isdigit() else "person" if token in PRONOUNS else name
            i += 1
            if name == "person" and token not in PRONOUNS and i < len(plain) and plain[i] in told.surnames:
                i += 1
        classes.append(f"<{name}>" if name else token)
        names.append(word)
        where.append(start)
    return classes, names, where


def statements(text: str, told: Language) -> list[Statement]:
    """The facts that a text states, true or not, in order; what is worded in no wording of the language is not seen.

    A pronoun is the person of the last fact about one, or the first one named.
    """
    classes, names, where = read(text, told)
    found, i, topic, spoken, step = [], 0, "", "", None
    while i < len(classes):
        if classes[i] == "<step>" and told.in_passing:
            if step:
                found.append(Statement(("then", step, names[i]), where[i], spoken))
            step = names[i]
        for size in told.lengths.get(classes[i], ()):
            if entry := told.wordings.get(tuple(classes[i : i + size])):
                relation, letters = entry
                values = [n for c, n in zip(classes[i : i + size], names[i : i + size], strict=True) if c[0] == "<"]
                values = [topic if value in PRONOUNS else value for value in values]
                slots = dict(zip(letters, values, strict=True))
                facts = _facts(relation, slots)
                found += [Statement(fact, where[i], slots.get("p", topic)) for fact in facts]
                topic = facts[-1][1] if facts[-1][1] in told.pronoun else topic
                i += size
                break
        else:
            if classes[i] == "<person>" and names[i] in told.pronoun:
                topic, spoken = topic or names[i], names[i]
            i += 1
    return found


def _facts(relation: str, slots: dict[str, str]) -> list[tuple[str, str, str]]:
    if "d" in slots:
        who = {slots["t"]: slots["a"], slots["u"]: slots["b"]}.get(slots["c"], slots["c"])  # "the strong one" is a person too
        return [("trait", slots["a"], slots["t"]), ("trait", slots["b"], slots["u"]), ("did", who, slots["d"])]
    return [(relation, slots["s"], slots["o"])]
