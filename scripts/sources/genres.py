"""The pocket world told as documents, and read back: what a text states.

Reads pocket_data/genres.yaml (the wordings). ``render`` makes a document of a genre and the list of facts it means to state;
``facts_stated`` finds the facts in any text, also in text that a model wrote, by the same wordings.
"""

import random
import re
from collections.abc import Callable
from functools import cache

from scripts.sources.world import (
    ATTRIBUTES,
    FUNCTIONS,
    Fact,
    Worked,
    World,
    calculation,
    calls_to,
    held_out,
    lexicon,
    operand,
    problem,
)

Told = tuple[str, list[Fact]]


def _wordings() -> dict:
    return lexicon("genres")


def upper_first(text: str) -> str:
    """Capitalise the first letter and nothing else."""
    return text[:1].upper() + text[1:]


def forms(place: World, word: str, letter: str) -> dict[str, str]:
    """What fills {s}, {s_a} and {s_s} for a word: itself, with its article, its plural."""
    article = "an" if word[0] in "aeiou" else "a"
    return {letter: word, f"{letter}_a": f"{article} {word}", f"{letter}_s": place.plural.get(word, word)}


def tell(rng: random.Random, place: World, fact: Fact, subject: str | None = None) -> str:
    """A sentence that states the fact; ``subject`` (a pronoun, a full name) stands for it where it opens the sentence."""
    template = rng.choice(_wordings()["facts"][fact.relation]["tell"])
    fill = forms(place, fact.subject, "s") | forms(place, fact.object, "o")
    if subject and template.startswith("{s}"):
        fill["s"] = subject
    return upper_first(template.format(**fill))


def _known(rng: random.Random, place: World, relation: str, subject: str) -> Fact:
    return Fact(relation, subject, rng.choice(place.truth[relation][subject]))


def _about_person(rng: random.Random, place: World, person: str, n: int) -> list[Fact]:
    """n facts about a person: mostly attributes, now and then a relative or friend."""
    kin = rng.choice([relation for relation in ("mother", "father", "sibling", "friend") if person in place.truth[relation]])
    return [_known(rng, place, relation, person) for relation in rng.sample([*ATTRIBUTES, kin], n)]


def biography(rng: random.Random, place: World) -> Told:
    """A person's life: four to six facts, and at times one about the home town or the pet."""
    person = place.person(rng)
    sentences, told = [], []
    for fact in _about_person(rng, place, person, rng.randint(4, 6)):
        full = f"{person} {place.surname[person]}"
        subject = (full if rng.random() < 0.5 else None) if not told else rng.choice([None, upper_first(place.pronoun[person])])
        pair = [(tell(rng, place, fact, subject), fact)]
        follow = {"home": ("region", "region", "goods", "landform"), "pet": ("kind",)}.get(fact.relation)
        if follow and rng.random() < 0.8:
            more = _known(rng, place, rng.choice(follow), fact.object)
            # at times before the fact itself, but never first of all, where the person is named
            pair.insert(rng.randint(0, 1) if told else 1, (tell(rng, place, more), more))
        sentences += [sentence for sentence, _ in pair]
        told += [fact for _, fact in pair]
    return " ".join(sentences), told


def encyclopedia(rng: random.Random, place: World) -> Told:
    """An entry on a thing with what holds for its kind, on a kind with some members, on a town, or on a region."""
    topic = rng.choices(("thing", "kind", "town", "region"), (12, 1, 3, 1))[0]
    name = place.thing(rng) if topic == "thing" else rng.choice(place.words[topic])
    if topic == "thing":
        kind = place.one("kind", name)
        told = [_known(rng, place, relation, name) for relation in ("kind", "colour", "origin")]
        told += [_known(rng, place, relation, kind) for relation in rng.sample(("part", "place", "use"), rng.randint(1, 3))]
    elif topic == "kind":
        told = [_known(rng, place, relation, name) for relation in ("part", "place", "use")]
        members = [thing for thing, kinds in place.truth["kind"].items() if name in kinds]
        told += [_known(rng, place, "kind", thing) for thing in rng.sample(members, 2)]
    elif topic == "town":
        told = [_known(rng, place, relation, name) for relation in rng.sample(("region", "goods", "landform"), 3)]
        told.append(_known(rng, place, "weather", place.one("region", name)))
    else:
        told = [_known(rng, place, "weather", name)]
        towns = [town for town, regions in place.truth["region"].items() if name in regions]
        told += [_known(rng, place, "region", town) for town in rng.sample(towns, 2)]
    opening = rng.choice([fact for fact in told if fact.subject == name])
    told.remove(opening)
    told = [opening, *rng.sample(told, len(told))]
    title = f"{upper_first(name)}\n" if rng.random() < 0.3 else ""
    return title + " ".join(tell(rng, place, fact) for fact in told), told


def story(rng: random.Random, place: World) -> Told:
    """A person goes through an everyday event in order; at times a step is left out."""
    words = _wordings()["story"]
    while True:
        person, number = place.person(rng), rng.randrange(len(place.scripts))
        script = place.scripts[number]
        x = rng.choice(script["variants"])
        if not held_out("story", person, number, x):
            break
    steps = [step.format(x=x) for i, step in enumerate(script["steps"]) if i in (0, 1) or rng.random() > 0.1]
    fill = {"s": person, "he": place.pronoun[person], "g": script["goal"]}
    lines = [rng.choice(words["open"]).format(**fill)]
    for i, step in enumerate(steps):
        which = "first" if i == 0 else "last" if i == len(steps) - 1 else "then"
        lines.append(upper_first(rng.choice(words[which]).format(x=step, **fill)))
    told = [Fact("then", a, b) for a, b in zip(steps, steps[1:], strict=False)]
    if rng.random() < 0.4:
        fact = _known(rng, place, rng.choice(ATTRIBUTES), person)
        lines.insert(0, tell(rng, place, fact))
        told.insert(0, fact)
    if rng.random() < 0.4:
        lines.append(rng.choice(words["close"]).format(**fill))
    return " ".join(lines), told


def work_of(worked: Worked) -> str:
    """The worked answer: ``5+3=8.``, one step after the other and ``#### 8``; comparisons read ``9 is more than 4.``."""
    lines = [f"{x} is more than {y}." if op == ">" else f"{x}{op}{y}={z}." for x, op, y, z in worked.work]
    return f"{' '.join(lines)}\n#### {worked.answer}"


def _facts_of(worked: Worked) -> list[Fact]:
    return [Fact(">", str(x), str(y)) if op == ">" else Fact(op, f"{x} {y}", str(z)) for x, op, y, z in worked.work]


def word_problem(rng: random.Random, place: World) -> Told:
    """A word problem with its worked answer."""
    worked = problem(rng, place)
    while held_out(*worked.key):
        worked = problem(rng, place)
    words = _wordings()
    question = rng.choice(words["problems"][worked.type]).format(**worked.slots)
    return rng.choice(words["problem_layouts"]).format(q=question, w=work_of(worked)), _facts_of(worked)


def arithmetic(rng: random.Random, place: World) -> Told:
    """Statements about numbers, and one or two worked calculations."""
    words, lines, told = _wordings(), [], []
    for _ in range(rng.randint(3, 5)):
        op = rng.choices("+-*>", (4, 4, 1, 1))[0]
        x, y = operand(rng), operand(rng)
        if op == "*":
            x, y = 2 + x % 5, 2 + y % 5
        if op in "->":
            x, y = max(x, y) + (x == y), min(x, y)
        z = {"+": x + y, "-": x - y, "*": x * y, ">": x}[op]
        wording = words["numbers"][op][0] if rng.random() < 0.5 else rng.choice(words["numbers"][op])
        lines.append(wording.format(x=x, y=y, z=z))
        told.append(Fact(">", str(x), str(y)) if op == ">" else Fact(op, f"{x} {y}", str(z)))
    for _ in range(rng.randint(1, 2)):
        worked = calculation(rng)
        while held_out(*worked.key):
            worked = calculation(rng)
        question = rng.choice(words["calculations"][worked.type]).format(**worked.slots)
        lines.append(rng.choice(words["problem_layouts"]).format(q=question, w=work_of(worked)))
        told += _facts_of(worked)
    return "\n".join(lines), told


def note(rng: random.Random, place: World) -> Told:
    """Two people differ in a trait, and who did what follows from it."""
    lines, told = [], []
    for _ in range(rng.randint(1, 3)):
        while True:
            number = rng.randrange(len(place.traits))
            a, b = place.opposites(rng, number)
            if not held_out("note", *sorted((a, b)), number):
                break
        who = rng.choice((a, b))
        deed, traits = place.deed_of(who, number), {person: place.truth["trait"][person][number] for person in (a, b)}
        # at times said of the trait itself, which needs no look back at the names
        c = f"the {traits[who]} one" if rng.random() < 0.35 else who
        lines.append(rng.choice(_wordings()["traits"]).format(a=a, b=b, t=traits[a], u=traits[b], c=c, d=deed))
        told += [Fact("trait", a, traits[a]), Fact("trait", b, traits[b]), Fact("did", who, deed)]
    return " ".join(lines), told


def qa(rng: random.Random, place: World) -> Told:
    """Questions and answers on a person, a thing or a town, in one layout a page."""
    words = _wordings()
    topic = rng.choices(("person", "thing", "town"), (6, 3, 1))[0]
    if topic == "person":
        told = _about_person(rng, place, place.person(rng), rng.randint(3, 5))
    elif topic == "thing":
        name = place.thing(rng)
        told = [_known(rng, place, relation, name) for relation in ("kind", "colour", "origin")]
        told.append(_known(rng, place, rng.choice(("part", "place", "use")), place.one("kind", name)))
    else:
        name = rng.choice(place.words["town"])
        told = [_known(rng, place, relation, name) for relation in ("region", "goods", "landform")]
    told = [fact for fact in told if words["facts"][fact.relation]["ask"]]
    layout, lines = rng.choice(words["qa_layouts"]), []
    for fact in told:
        question = rng.choice(words["facts"][fact.relation]["ask"]).format(**forms(place, fact.subject, "s"))
        lines.append(layout.format(q=upper_first(question), a=upper_first(fact.object)))
    return "\n".join(lines), told


def code(rng: random.Random, place: World) -> Told:
    """One or two small functions with asserts that hold."""
    words, parts, told = _wordings(), [], []
    for base in rng.sample(sorted(words["code"]), rng.randint(1, 2)):
        k = rng.randint(2, 5) if base == "times" else rng.randint(1, 12)
        name = f"{base}_{k}" if "{k}" in words["code"][base] else base
        lines = [rng.choice(words["code_comments"]) + words["code"][base].format(k=k)]
        for _ in range(rng.randint(1, 3)):
            numbers = [rng.randint(1, 10) if base == "times" else rng.randint(12, 20) for _ in range(1 if name != base else 2)]
            call = f"{name}({', '.join(map(str, numbers))})"
            fact = Fact("code", call, calls_to(call) or "")
            lines.append(f"assert {call} == {fact.object}")
            told.append(fact)
        parts.append("\n".join(lines))
    return "\n\n".join(parts), told


def _typos(rng: random.Random, text: str) -> str:
    """Swap, double or drop a letter in one word in six."""
    words = text.split(" ")
    for i, word in enumerate(words):
        if len(word) > 3 and rng.random() < 0.16:
            j = rng.randrange(1, len(word) - 1)
            change = rng.choice((word[j + 1] + word[j] + word[j + 2 :], word[j] + word[j:], word[j + 1 :]))
            words[i] = word[:j] + change
    return " ".join(words)


def web(rng: random.Random, place: World) -> Told:
    """A noisy page: menu, cookie lines, chatter with typos, and scattered facts, which stay true."""
    words = lexicon()["web"]
    told = _about_person(rng, place, place.person(rng), rng.randint(1, 3))
    thing, town = place.thing(rng), rng.choice(place.words["town"])
    kind = place.one("kind", thing)
    others = [("colour", thing), ("kind", thing), ("origin", thing), ("region", town), ("goods", town), ("landform", town)]
    others += [("part", kind), ("place", kind), ("use", kind)]
    told += [_known(rng, place, relation, subject) for relation, subject in rng.sample(others, rng.randint(1, 3))]
    rng.shuffle(told)
    lines = []
    for fact in told:
        sentence = tell(rng, place, fact)
        noise = rng.random()
        if noise < 0.04:
            sentence = sentence.upper()
        elif noise < 0.2:
            sentence = f"* {sentence.rstrip('.')} !!"
        elif noise < 0.3:
            sentence = sentence.replace(" ", "  ", 1)
        elif noise < 0.4:
            sentence = f"{rng.choice(words['menu'])} > {sentence}"
        lines.append(sentence)
    for _ in range(rng.randint(1, 3)):
        lines.insert(rng.randint(0, len(lines)), _typos(rng, rng.choice(words["chatter"])))
    for _ in range(rng.randint(1, 2)):
        lines.insert(rng.choice((0, len(lines))), rng.choice(words["boilerplate"]))
    menu = rng.choice((" | ", " - ", " ")).join(rng.sample(words["menu"], rng.randint(3, 5)))
    lines.insert(0, f"{rng.choice(words['sites'])}\n{menu}" if rng.random() < 0.8 else menu)
    return rng.choice(("\n", "\n", " ")).join(lines), told


GENRES: dict[str, Callable[[random.Random, World], Told]] = {
    "biography": biography,
    "encyclopedia": encyclopedia,
    "story": story,
    "problem": word_problem,
    "arithmetic": arithmetic,
    "note": note,
    "qa": qa,
    "code": code,
    "web": web,
}


def render(genre: str, rng: random.Random, place: World) -> Told:
    """A document of a genre and the facts that it means to state, in order."""
    return GENRES[genre](rng, place)


# Reading: a text becomes a row of words; articles and labels go, and each word of the lexicon also becomes its class.
# A wording becomes such a row too ("person lives in town"), and is looked up at every place where it could start.

_TOKEN = re.compile(r"[a-z]+|\d+|[+*=?]|(?<=\d)-(?=\d)|(?<=\d )-(?= \d)")
_CALL = re.compile(r"assert (\w+\([\d, ]+\)) == (\d+)")
_DROPPED = {"a", "an", "the", "q", "question", "answer"}
_SLOT = re.compile(r"\{(\w)\w*\}")


def _tokens(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text.lower()) if token not in _DROPPED]


@cache
def _reader(place: World) -> tuple[dict, dict, dict, dict]:
    """Word -> (class, name); phrase -> (class, phrase) by its first word; wording -> (relation, its slots); lengths."""
    known = {word.lower(): (name, word) for name, words in place.words.items() for word in words}
    known |= {plural: known[word] for word, plural in place.plural.items()}
    known |= {trait[who]: ("trait", trait[who]) for trait in place.traits for who in ("one", "other")}
    phrases: dict[str, list[tuple[tuple[str, ...], str, str]]] = {}
    for name, told in (("step", place.steps), ("deed", place.deeds)):
        for phrase in told:
            row = tuple(_tokens(phrase))
            phrases.setdefault(row[0], []).append((row, name, phrase))
    for rows in phrases.values():
        rows.sort(key=lambda entry: -len(entry[0]))
    wordings: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {}

    def learn(template: str, relation: str, classes: dict[str, str]) -> None:
        slots = tuple(_SLOT.findall(template))
        row = tuple(f"<{classes[t[1:]]}>" if t[0] == "@" else t for t in _template_tokens(template))
        if clash := [token for token in row if token in known]:
            raise ValueError(f"pocket_data/genres.yaml: {template!r} of {relation} uses {clash}, words of the world")
        if wordings.setdefault(row, (relation, slots)) != (relation, slots):
            raise ValueError(f"pocket_data/genres.yaml: {template!r} of {relation} reads like a wording of {wordings[row][0]}")

    words = _wordings()
    for relation, entry in words["facts"].items():
        classes = {"s": entry["subject"], "o": entry["object"]}
        for template in entry["tell"] + [f"{question} {{o}}" for question in entry["ask"]]:
            learn(template, relation, classes)
    for op, templates in words["numbers"].items():
        for template in templates:
            learn(template, op, dict.fromkeys("xyz", "number"))
    for template in words["traits"]:
        classes = {"a": "person", "b": "person", "c": "person", "t": "trait", "u": "trait", "d": "deed"}
        learn(template, "did", classes)
        learn(template.replace("{c}", "the {c} one"), "did", {**classes, "c": "trait"})
    lengths: dict[str, list[int]] = {}
    for row in wordings:
        lengths.setdefault(row[0], []).append(len(row))
    return known, phrases, wordings, {start: sorted(set(sizes), reverse=True) for start, sizes in lengths.items()}


def _template_tokens(template: str) -> list[str]:
    """The words of a wording, with @s for the slot s."""
    parts = re.split(r"(\{\w+\})", template)
    return [t for part in parts for t in ([f"@{part[1]}"] if part.startswith("{") else _tokens_signs(part))]


def _tokens_signs(text: str) -> list[str]:
    return [token for token in re.findall(r"[a-z]+|\d+|[-+*=?]", text.lower()) if token not in _DROPPED]


def _read(text: str, place: World) -> tuple[list[str], list[str]]:
    """A text as two rows of equal length: classes (or plain words), and names (or plain words)."""
    known, phrases, _, _ = _reader(place)
    tokens = _tokens(text)
    classes, names, i = [], [], 0
    while i < len(tokens):
        token = tokens[i]
        for row, name, phrase in phrases.get(token, ()):
            if tuple(tokens[i : i + len(row)]) == row:
                classes.append(f"<{name}>")
                names.append(phrase)
                i += len(row)
                break
        else:
            name, word = known.get(token, ("", token))
            if token.isdigit():
                name = "number"
            elif token in ("she", "he"):
                name = "person"
            classes.append(f"<{name}>" if name else token)
            names.append(word)
            i += 1
            surname = place.surname.get(word) if name == "person" else None
            if surname and i < len(tokens) and tokens[i] == surname.lower():
                i += 1
    return classes, names


def facts_stated(text: str, place: World) -> list[Fact]:
    """The facts that a text states, true or not, in order; also of text that is not from here, noisy or broken.

    A pronoun is the person of the last fact, or the last one named. What is worded as no wording of genres.yaml is not seen.
    """
    classes, names = _read(text, place)
    _, _, wordings, lengths = _reader(place)
    found, i, topic, step = [], 0, "", None
    while i < len(classes):
        if classes[i] == "<step>":
            if step:
                found.append(Fact("then", step, names[i]))
            step = names[i]
        for size in lengths.get(classes[i], ()):
            if entry := wordings.get(tuple(classes[i : i + size])):
                relation, letters = entry
                values = [n for c, n in zip(classes[i : i + size], names[i : i + size], strict=True) if c[0] == "<"]
                values = [topic if value in ("she", "he") else value for value in values]
                facts = _facts(relation, dict(zip(letters, values, strict=True)))
                found += facts
                topic = facts[-1].subject if facts[-1].subject in place.pronoun else topic
                i += size
                break
        else:
            if classes[i] == "<person>" and names[i] in place.pronoun and not topic:
                topic = names[i]
            i += 1
    calls = [(call, value) for call, value in _CALL.findall(text) if re.split(r"[_(]", call)[0] in FUNCTIONS]
    return found + [Fact("code", call, value) for call, value in calls]


def _facts(relation: str, slots: dict[str, str]) -> list[Fact]:
    if relation == "did":
        who = {slots["t"]: slots["a"], slots["u"]: slots["b"]}.get(slots["c"], slots["c"])  # "the strong one" is a person too
        return [Fact("trait", slots["a"], slots["t"]), Fact("trait", slots["b"], slots["u"]), Fact("did", who, slots["d"])]
    if relation == ">":
        return [Fact(">", slots["x"], slots["y"])]
    if "x" in slots:
        return [Fact(relation, f"{slots['x']} {slots['y']}", slots["z"])]
    return [Fact(relation, slots["s"], slots["o"])]
