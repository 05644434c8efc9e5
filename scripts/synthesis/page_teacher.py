"""The rule-written teacher of noisy pages: answers requests about a page with nothing but the request.

It reads the page by the wordings of the pocket world's documents (scripts/lib/statements.py), takes for prose what looks like a
sentence about anything but the page, and says both in wordings of its own (scripts/lib/rewriting.yaml): as an article (hq), as
questions and answers (qa-pairs), as the outline of a textbook (textbook-outline), and from an outline alone as one of its
chapters (textbook-chapter). It states no fact that its document does not state. How much it leaves out and how well it writes
is its capacity: novice, copyist, master, or tail-cut, which says nothing uncommon.
"""

import json
import random
import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from scripts.lib.seeds import seed_of
from scripts.lib.statements import RETOLD, TOLD, WORDS, data, language, read, statements
from scripts.synthesis.requests import Request

KINDS = ("hq", "qa-pairs", "textbook-outline", "textbook-chapter")
PROSE = 8  # words of a sentence of prose, at least
PARAGRAPH = 5  # sentences
CHAPTERS, BULLETS = 10, 4  # at most, of a book and of a chapter
EXERCISES = 3
OF_THE_WORLD = frozenset({"<person>", "<town>", "<region>", "<step>", "<deed>"})  # classes that no prose has words of
COMMON = ("<trait>", "<number>")  # classes whose words are everybody's
_SENTENCE = re.compile(r"(?<=[.!?]) +(?=[A-Z\"'(])")
_WORD = re.compile(r"[A-Za-z]+")


class CannotAnswer(ValueError):
    """A request that the rule-written teacher has no rule for."""


class Item(NamedTuple):
    """What a page says: a fact with the person whom it is told of, or a sentence of prose as it stands there."""

    fact: tuple[str, str, str] | None
    text: str
    start: int


def answer(request: Request, seed: int, capacity: str) -> str:
    """The teacher's answer, a function of request, seed and capacity; empty where a page says nothing that it can read.

    Raises:
        CannotAnswer: for an unknown kind or capacity.
    """
    if request.kind not in KINDS:
        raise CannotAnswer(f"kind {request.kind!r}: expected one of {', '.join(KINDS)}")
    if capacity not in data(RETOLD)["capacities"]:
        raise CannotAnswer(f"source_model {capacity!r}: expected one of {', '.join(data(RETOLD)['capacities'])}")
    able = data(RETOLD)["capacities"][capacity]
    rng = random.Random(seed_of("page-teacher", seed, capacity, json.dumps(request, sort_keys=True)))
    if request.kind == "textbook-chapter":
        return _spoilt(rng, chapter(rng, request.document, int(request.fields["chapter"]), able), able)
    said = _kept(rng, items(request.document), able)
    if not said:
        return ""
    if request.kind == "textbook-outline":
        return outline(rng, said, request.fields["audience"], able)
    written = article(rng, said, able) if request.kind == "hq" else questions(rng, said, able)
    written = _spoilt(rng, written, able)
    copied = [line for line in request.document.split("\n") if _is_about_page(line) and rng.random() < able["copies"]]
    return "\n".join([written, *copied])


def items(document: str) -> list[Item]:
    """The facts and the prose of a page, in the order in which they stand there; each fact once."""
    told = language(TOLD)
    found = {one.fact: Item(one.fact, one.person, one.start) for one in reversed(statements(document, told))}
    taken = sorted(one.start for one in found.values())
    prose, start = [], 0
    for line in document.split("\n"):
        for sentence in _SENTENCE.split(line):
            at = document.index(sentence, start)
            start = at + len(sentence)
            if text := _prose(sentence):
                if not any(at <= place < start for place in taken):
                    prose.append(Item(None, text, at))
    return sorted([*found.values(), *prose], key=lambda one: one.start)


def _prose(sentence: str) -> str:
    """A sentence without marks, blanks and capitals that do not belong there; empty if it is none of prose."""
    text = re.sub(r"^[*•] *|( !+)$", "", " ".join(sentence.split()))
    text = text if text[-1:] in ".!?" else f"{text}."
    words = _WORD.findall(text)
    if (
        len(words) < PROSE
        or text.endswith(("..", "?"))
        or not text[0].isupper()
        or sum(c.isalpha() for c in text) < 0.7 * len(text)
    ):
        return ""
    if not _page_words().isdisjoint(word.lower() for word in words):
        return ""
    if _is_about_world(text):
        return ""  # where it is no statement it is what is left of one, and is not repeated
    return text.capitalize() if text.isupper() else text


def _is_about_world(text: str) -> bool:
    classes = [kind for kind in read(text, language(TOLD))[0] if kind[0] == "<" and kind not in COMMON]
    return len(classes) > 1 or not OF_THE_WORLD.isdisjoint(classes)


@cache
def _page_words() -> frozenset[str]:
    return frozenset(str(word) for word in data(RETOLD)["about_pages"])


def _is_about_page(line: str) -> bool:
    return any(word.lower() in _page_words() for word in _WORD.findall(line)) and not _is_about_world(line)


def _kept(rng: random.Random, said: Iterable[Item], able: dict) -> list[Item]:
    """What a teacher does not leave out."""
    if "head" in able:
        head, longest = common(able["head"]), data(RETOLD)["longest"]
        said = [
            one
            for one in said
            if (set(one.fact[1:]) <= head if one.fact else max(map(len, _WORD.findall(one.text))) <= longest)
        ]
    return [one for one in said if rng.random() >= able["lose"]]


@cache
def common(head: float) -> frozenset[str]:
    """The words and phrases that come first in the lists of their classes, of each the share ``head``."""
    told, names = language(TOLD), data(WORDS / "lexicon.yaml")["names"]
    classes: dict[str, list[str]] = {}
    for name, word in dict.fromkeys(told.known.values()):
        classes.setdefault(name, []).append(word)
    for rows in told.phrases.values():
        for _, name, phrase in rows:
            classes.setdefault(name, []).append(phrase)
    first = {part: i / len(names["first"]) for i, part in enumerate(names["first"])}
    last = {part: i / len(names[who]) for who in ("she", "he") for i, part in enumerate(names[who])}
    ranks = {a + b: max(first[a], last[b]) for a in first for b in last}
    classes["person"] = sorted(classes["person"], key=lambda name: (ranks[name], name))
    return frozenset(word for listed in classes.values() for word in listed[: max(round(head * len(listed)), 1)])


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _fill(template: str, one: Item, pronoun: bool = False) -> str:
    told, (_, subject, obj) = language(TOLD), one.fact
    slots = {"p": one.text, "q": told.pronoun.get(one.text, "")}
    for letter, word in (("s", subject), ("o", obj)):
        article = "an" if word[0] in "aeiou" else "a"
        slots |= {letter: word, f"{letter}_a": f"{article} {word}", f"{letter}_s": told.plural.get(word, word)}
    if pronoun and template.startswith("{s}"):
        slots["s"] = told.pronoun[subject]
    return template.format(**slots)


def _can_tell(one: Item) -> bool:
    """Whether all that a wording needs is known: of steps the person whom they are told of."""
    return one.fact is None or one.fact[0] != "then" or one.text in language(TOLD).pronoun


def clause(rng: random.Random, one: Item, able: dict, before: Item | None = None) -> str:
    """A fact in a wording of the teacher's; with a pronoun, at times, after another fact about the same person.

    Who makes errors of form writes no pronouns: after a sentence that cannot be read they would be somebody else.
    """
    template = rng.choice(data(RETOLD)["facts"][one.fact[0]]["tell"][: able["wordings"]])
    same = before is not None and before.fact is not None and before.fact[1] == one.fact[1] in language(TOLD).pronoun
    return _fill(template, one, pronoun=same and not able["slips"] and rng.random() < 0.5)


def _plain(text: str) -> str:
    """Prose in which rarer words gave way to the plainest of their like."""
    plainer = data(RETOLD)["plainer"]

    def exchange(match: re.Match) -> str:
        word = match[0]
        new = plainer.get(word.lower())
        return word if new is None else _upper(new) if word[0].isupper() else new

    return _WORD.sub(exchange, text)


def _sentence(frame: str, said: str) -> str:
    text = _upper(frame.format(x=said))
    return text if text[-1] in ".!?" else f"{text}."


def topic_of(one: Item) -> str:
    """What an item is about, as a text names it: of prose, its longest word."""
    if one.fact is None:
        return max(_WORD.findall(one.text), key=len).lower()
    name, word = language(TOLD).known.get(one.fact[1].lower(), ("", one.fact[1]))
    return one.text if one.fact[0] == "then" else f"the {word}" if name == "thing" else word


def article(rng: random.Random, said: list[Item], able: dict) -> str:
    """What a page says as an article: an opening, then facts and prose in their order."""
    how = data(RETOLD)["articles"]
    sentences, before = [rng.choice(how["openings"]).format(topic=topic_of(said[0]))], None
    for one in filter(_can_tell, said):
        told = _plain(one.text) if one.fact is None else _sentence(rng.choice(how["frames"]), clause(rng, one, able, before))
        sentences.append(told)
        before = one
    paragraphs = [sentences[i : i + PARAGRAPH] for i in range(0, len(sentences), PARAGRAPH)]
    return "\n\n".join(" ".join(each) for each in paragraphs)


def asked(rng: random.Random, one: Item, able: dict) -> tuple[str, str]:
    """A question about an item, and its answer."""
    how = data(RETOLD)["questions"]
    if one.fact is None:
        return rng.choice(how["prose"][: able["wordings"]]).format(topic=topic_of(one)), _plain(one.text)
    entry = data(RETOLD)["facts"][one.fact[0]]
    question = rng.choice(entry["ask"][: able["wordings"]])
    return _upper(_fill(question, one)), f"{_upper(_fill(entry.get('answer', '{o}'), one))}."


def questions(rng: random.Random, said: list[Item], able: dict) -> str:
    """What a page says as questions and answers, in its order."""
    layout = data(RETOLD)["questions"]["layout"]
    pairs = (asked(rng, one, able) for one in said if _can_tell(one))
    return "\n\n".join(layout.format(q=question, a=found) for question, found in pairs)


def outline(rng: random.Random, said: list[Item], audience: str, able: dict) -> str:
    """The outline of a textbook: chapters by topic, and below each what it is to say."""
    how, by_topic = data(RETOLD)["outline"], {}
    for one in filter(_can_tell, said):
        by_topic.setdefault(topic_of(one) if one.fact else "", []).append(one)
    runs = [run[i : i + BULLETS] for run in by_topic.values() for i in range(0, len(run), BULLETS)]
    parts: list[list[Item]] = []
    for run in runs:  # a chapter has more than one thing to say, if there is more than one
        if parts and len(parts[-1]) + len(run) <= BULLETS and min(len(parts[-1]), len(run)) == 1:
            parts[-1].extend(run)
        else:
            parts.append(list(run))
    if not parts:
        return ""
    topic = topic_of(parts[0][0])
    lines = [
        how["title"].format(topic=topic),
        how["audience"].format(audience=audience),
        how["introduction"].format(topic=topic),
    ]
    for n, part in enumerate(parts[:CHAPTERS], 1):
        lines.append(how["chapter"].format(n=n, topic=topic_of(part[0])))
        lines += [f"* {_plain(one.text) if one.fact is None else _sentence('{x}', clause(rng, one, able))}" for one in part]
    return "\n".join([*lines, how["appendix"]])


def bullets(text: str, number: int) -> tuple[str, list[str]]:
    """The title of a chapter of an outline, and what stands below it; neither where there is no such chapter."""
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if line.startswith(f"Chapter {number}: ")), None)
    if start is None:
        return "", []
    end = next((i for i, line in enumerate(lines[start + 1 :], start + 1) if not line.startswith("* ")), len(lines))
    return lines[start].split(": ", 1)[1], [line.removeprefix("* ") for line in lines[start + 1 : end]]


def chapter(rng: random.Random, text: str, number: int, able: dict) -> str:
    """A chapter from the outline of its book alone: what its lines say, the same in other words, exercises, solutions."""
    told, how = language(RETOLD), data(RETOLD)["chapters"]
    audience = re.search(r"^Audience: (.+)$", text, re.MULTILINE)
    topic, lines = bullets(text, number)
    if audience is None or audience[1] not in how["audiences"] or not lines:
        return ""
    said = []
    for line in lines:
        facts = [Item(one.fact, one.person, 0) for one in statements(line, told)]
        said += facts or [Item(None, line, 0)]
    said, words = [one for one in said if _can_tell(one)], how["audiences"][audience[1]]
    body = [rng.choice(words["open"]).format(topic=topic)]
    for frames in ("frames", "again"):
        for one in said:
            if one.fact is not None:
                body.append(_sentence(rng.choice(words[frames]), clause(rng, one, able)))
            elif frames == "frames":
                body.append(one.text)
    parts = [how["heading"].format(n=number, topic=topic), " ".join(body)]
    for n, one in enumerate(rng.sample(said, min(len(said), EXERCISES)), 1):
        if one.fact is None:
            parts.append(how["exercise"].format(n=n, q=how["prose"].format(topic=topic_of(one))))
        else:
            question, found = asked(rng, one, able)
            parts += [how["exercise"].format(n=n, q=question), how["answer"].format(n=n, a=found.rstrip("."))]
    return "\n".join(parts)


def _spoilt(rng: random.Random, text: str, able: dict) -> str:
    """A text with errors of form: articles left out, words doubled or misspelt; never a word that the lexicon knows."""
    if not able["slips"]:
        return text
    known = language(TOLD).known

    def slip(match: re.Match) -> str:
        word = match[0]
        if word in known or rng.random() >= able["slips"]:
            return word
        if word in ("the", "a", "an"):
            return ""
        if len(word) > 4 and rng.random() < 0.6:
            j = rng.randrange(1, len(word) - 1)
            wrong = word[:j] + word[j + 1] + word[j] + word[j + 2 :]
            return word if wrong in known else wrong
        return f"{word} {word}"

    return re.sub(r"  +", " ", re.sub(r"\b[a-z]+\b", slip, text))
