"""GSM8K with other numbers: its test problems, their answers worked out anew.

Reads the test split from the hub at a pinned revision; makes {task}.jsonl, {task}.yaml (prompt, filters and metrics are those
of lm-eval's own task) and items.parquet (task, item: that of the published task, text), with the folder's card,
which counts what was kept and why the rest was not.

A GSM8K solution states its arithmetic in calculator annotations (<<16-3-4=9>>). `chain_of` turns it into steps whose operands
are numbers of the question, results of earlier steps, or constants, and keeps a problem only if nothing is left to guess: every
step recomputes exactly, every operand has one origin, the last step is the published answer, and every number that changes
leads to it. `perturb` draws numbers of as many digits and in the same order, with results positive and as whole as they were.
"""

import json
import random
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import yaml

from scripts.evaluation.suites import data_set
from scripts.lib.files import atomic, write_card
from scripts.lib.hub import NotHad
from scripts.lib.seeds import seed_of

NUMBER = re.compile(r"(?<![\w.,/:^_{\\-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w/:^]|[.,]\d|-\d)")
ANY_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|[-+*/()]")
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
)
WORDS = {word: Fraction(i) for i, word in enumerate(f"{ONES} nineteen twenty".split())}
WORDS |= {"thirty": Fraction(30), "forty": Fraction(40), "fifty": Fraction(50), "hundred": Fraction(100), "single": Fraction(1)}
# What a solution may reckon with though the question says it in words: a pattern, and the numbers that it stands for. Where the
# question has such a number in digits too, that number stays as it is.
CUES = {
    r"half|halves|twice|doubl\w*|couple|pairs?|both|each other|average\w*|mean": (2, Fraction(1, 2), Fraction(3, 2)),
    r"thirds?|tripl\w*|thrice": (3, Fraction(1, 3), Fraction(2, 3)),
    r"quarters?|fourths?|quadrupl\w*": (4, Fraction(1, 4), Fraction(3, 4), 25),
    r"fifths?": (5, Fraction(1, 5)),
    r"dozens?|feet|foot|inch\w*": (12,),
    r"days?|daily|weeks?|weekly": (7,),
    r"weekdays?|workdays?": (5,),
    r"weekends?": (2,),
    r"weeks?|months?|monthly": (4, 30, 52),
    r"months?|monthly|years?|yearly|annual\w*": (12, 365),
    r"hours?|hourly|minutes?|seconds?": (60, 3600),
    r"days?|daily|hours?": (24,),
    r"yards?": (3,),
    r"pounds?|ounces?": (16,),
    r"\w*meters?|\w*grams?|\w*liters?|km|kg|cm|ml": (1000, 100),
    r"percent\w*|cents?|dollars?|penny|pennies|[%$]": (100, Fraction(1, 100)),
    r"dimes?": (10, Fraction(1, 10)),
    r"nickels?": (5, Fraction(1, 20)),
    r"squares?|rectang\w*|perimeter": (2, 4),
}
UNSAFE = re.compile(
    r"\d\s*(?:[ap]\.?m\b|o'clock)|\d:\d|\d(?:st|nd|rd|th)\b|\b(?:19|20)\d\d\b|\d\s*/\s*\d|\d\s+\d+/\d", re.IGNORECASE
)


class Chain(NamedTuple):
    """A problem as arithmetic: steps of tokens (a number; ``q5``, a number of the question; ``r2``, a result; a sign)."""

    steps: tuple[tuple[str, ...], ...]
    results: tuple[Fraction, ...]
    free: tuple[Fraction, ...]  # numbers of the question that lead to the answer and may change


class Perturbed(NamedTuple):
    """A problem with other numbers: the question, its steps as equations, the answer, and which number became which."""

    question: str
    work: tuple[str, ...]
    answer: Fraction
    changed: dict[Fraction, Fraction]


def evaluate(tokens: Sequence[str], values: dict[str, Fraction]) -> Fraction:
    """The value of an arithmetic expression, exactly; ``values`` says what names stand for.

    Raises:
        ValueError: when it is no expression of numbers, ``+ - * /`` and parentheses, or divides by zero.
    """
    rest = list(reversed(tokens))

    def factor() -> Fraction:
        token = rest.pop() if rest else ""
        if token == "(":
            value = total()
            if not rest or rest.pop() != ")":
                raise ValueError(f"{' '.join(tokens)}: a parenthesis is not closed")
            return value
        if token == "-":
            return -factor()
        if token in values:
            return values[token]
        if not re.fullmatch(r"\d*\.?\d+", token):
            raise ValueError(f"{' '.join(tokens)}: expected a number, found {token!r}")
        return Fraction(token)

    def product() -> Fraction:
        value = factor()
        while rest and rest[-1] in "*/":
            sign, other = rest.pop(), factor()
            if sign == "/" and not other:
                raise ValueError(f"{' '.join(tokens)}: division by zero")
            value = value * other if sign == "*" else value / other
        return value

    def total() -> Fraction:
        value = product()
        while rest and rest[-1] in "+-":
            value = value + product() if rest.pop() == "+" else value - product()
        return value

    value = total()
    if rest:
        raise ValueError(f"{' '.join(tokens)}: expected its end, found {rest[-1]!r}")
    return value


def _value(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _tokens(expression: str) -> list[str] | None:
    """Numbers and signs of an expression, or None when it holds anything else."""
    expression = expression.replace(",", "").replace(" ", "")
    found = TOKEN.findall(expression)
    return found if "".join(found) == expression and found else None


def _said(question: str) -> dict[Fraction, Fraction | None]:
    """Numbers that a question says in words, or that its units and percentages stand for; for these, of which percentage."""
    text = question.lower()
    found: dict[Fraction, Fraction | None] = {v: None for word, v in WORDS.items() if re.search(rf"\b{word}\b", text)}
    for cue, values in CUES.items():
        if re.search(rf"(?<!\w)(?:{cue})(?!\w)" if "%" not in cue else cue, text):
            found |= dict.fromkeys(map(Fraction, values))
    for match in re.finditer(r"(\d+(?:\.\d+)?)\s*(?:%|percent)", text):
        percent = Fraction(match[1])
        for value in (percent, 100 - percent, 100 + percent):
            found |= {value / 100: percent} | ({value: percent} if value != percent else {})
    return found


def chain_of(question: str, steps: Sequence[tuple[str, str]], answer: Fraction, stated: Sequence[Fraction] = ()) -> Chain | str:
    """The chain of a problem, or why it has none that is beyond doubt.

    Args:
        question: the problem's text.
        steps: (expression, result) as the solution states them, in order.
        answer: the published answer.
        stated: further results that the solution's text states; each must be a step's, or a number of the question.
    """
    if UNSAFE.search(question):
        return "a time, date, ordinal or fraction in the question"
    asked = {_value(match[0]) for match in NUMBER.finditer(question)}
    if {_value(match[0]) for match in ANY_NUMBER.finditer(question)} != asked:
        return "a number inside a word or a formula"
    said = _said(question)
    bound: set[Fraction] = set()  # percentages that a step takes as a share
    results: list[Fraction] = []
    made: list[tuple[str, ...]] = []
    for expression, stated_result in steps:
        tokens, result = _tokens(expression), _tokens(stated_result)
        if tokens is None or result is None or len(result) != 1:
            return "a step is no arithmetic"
        if len(tokens) == 1:
            continue  # says a number again
        named: list[str] = []
        for token in tokens:
            if token in "+-*/()":
                named.append(token)
                continue
            value = Fraction(token)
            earlier = [i for i, each in enumerate(results) if each == value]
            if len({made[i] for i in earlier}) > 1 or (earlier and (value in asked or value in said)):
                return "an operand with two possible origins"
            if earlier:
                named.append(f"r{earlier[0]}")
            elif value in asked and value not in said and value > 1:
                named.append(f"q{value}")
            elif value in asked or value in said or value == 1:
                named.append(token)
                bound |= {said[value]} if said.get(value) else set()
            else:
                return "an operand of no known origin"
        try:
            value = evaluate(tokens, {})
        except ValueError:
            return "a step is no arithmetic"
        if value != Fraction(result[0]):
            return "a step does not recompute"
        made.append(tuple(named))
        results.append(value)
    if not made or results[-1] != answer:
        return "the last step is not the answer"
    if set(stated) - set(results) - asked:
        return "a result that no step gives"
    used, todo = set(), [len(made) - 1]
    while todo:
        step = todo.pop()
        used.add(step)
        todo += [int(name[1:]) for name in made[step] if name[0] == "r" and int(name[1:]) not in used]
    free = {Fraction(name[1:]) for step in used for name in made[step] if name[0] == "q"}
    free -= bound
    if not free:
        return "no number of the question that may change"
    return Chain(tuple(made), tuple(results), tuple(sorted(free)))


def recompute(chain: Chain, changed: dict[Fraction, Fraction]) -> list[Fraction]:
    """The result of every step after some numbers of the question have changed; none changed gives ``chain.results``."""
    values = {name: Fraction(name[1:]) for step in chain.steps for name in step if name[0] == "q"}
    values = {name: changed.get(value, value) for name, value in values.items()}
    found: list[Fraction] = []
    for i, step in enumerate(chain.steps):
        found.append(evaluate(step, values))
        values[f"r{i}"] = found[-1]
    return found


def _places(value: Fraction) -> int | None:
    """Decimal places of a number, None when it has no end."""
    return next((i for i in range(7) if (value * 10**i).denominator == 1), None)


def _draw(rng: random.Random, value: Fraction) -> Fraction:
    """Another number with as many digits, decimal places and zeros at its end."""
    places = _places(value) or 0
    whole = int(value * 10**places)
    zeros = 0
    while whole % 10 ** (zeros + 1) == 0 and whole >= 10 ** (zeros + 2):
        zeros += 1  # 80,000 becomes 37,000: two digits are left to draw
    digits = len(str(whole // 10**zeros))
    low, high = max(2, 10 ** (digits - 1)), 10**digits - 1
    return Fraction(rng.randint(low, high) * 10**zeros, 10**places)


def shown(value: Fraction, like: str = "") -> str:
    """A number as text, with the thousands' commas and decimal places of the text that it replaces."""
    places = len(like.partition(".")[2]) if like else _places(value)
    if places is None:
        return f"{value.numerator}/{value.denominator}"
    text = f"{int(value * 10**places):0{places + 1}d}" if value >= 0 else "-" + f"{int(-value * 10**places):0{places + 1}d}"
    whole, decimals = (text[:-places], text[-places:]) if places else (text, "")
    if "," in like:
        whole = f"{int(whole):,}"
    return f"{whole}.{decimals}" if decimals else whole


def perturb(question: str, chain: Chain, seed: int, tries: int = 2000) -> Perturbed | None:
    """A problem with other numbers, or None when none are found that keep every result positive and as whole as it was.

    Every free number changes, the same number to the same wherever it stands, and the answer changes.
    """
    rng = random.Random(seed)
    places = [_places(result) for result in chain.results]
    fixed = {_value(match[0]) for match in NUMBER.finditer(question)} - set(chain.free)
    for _ in range(tries):
        changed = {value: _draw(rng, value) for value in chain.free}
        if any(value == new for value, new in changed.items()) or len(set(changed.values()) | fixed) < len(changed) + len(
            fixed
        ):
            continue
        try:
            found = recompute(chain, changed)
        except ValueError:
            continue
        good = all(
            new > 0 and (allowed is None or (_places(new) is not None and _places(new) <= allowed))
            for new, allowed in zip(found, places, strict=True)
        )
        # what was less stays less, so that a part stays smaller than its whole
        order = sorted(changed)
        if (
            good
            and found[-1] != chain.results[-1]
            and all(changed[a] < changed[b] for a, b in zip(order, order[1:], strict=False))
        ):
            break
    else:
        return None

    def other(match: re.Match) -> str:
        value = _value(match[0])
        return shown(changed[value], match[0]) if value in changed else match[0]

    values = {name: Fraction(name[1:]) for step in chain.steps for name in step if name[0] == "q"}
    names = {name: shown(changed.get(value, value)) for name, value in values.items()}
    names |= {f"r{i}": shown(result) for i, result in enumerate(found)}
    work = tuple(
        f"{''.join(names.get(name, name) for name in step)}={shown(result)}"
        for step, result in zip(chain.steps, found, strict=True)
    )
    return Perturbed(NUMBER.sub(other, question), work, found[-1], changed)


def read_solution(solution: str) -> tuple[list[tuple[str, str]], Fraction | None, list[Fraction]]:
    """Steps, answer and further results of a GSM8K solution: its calculator annotations, and what stands after ``####``."""
    text, _, final = solution.partition("####")
    steps = [(left, right) for left, _, right in (note.rpartition("=") for note in re.findall(r"<<([^>]*)>>", text))]
    bare = re.sub(r"<<[^>]*>>", "", text)
    stated = [_value(match) for match in re.findall(r"=\s*\$?\s*(\d+(?:,\d{3})*(?:\.\d+)?)(?!\s*[-+*/x×])", bare)]
    final = final.strip().replace("$", "")
    return steps, _value(final) if re.fullmatch(r"[\d,]*\.?\d+", final) else None, stated


def perturb_all(docs: Sequence[dict], seed: int) -> tuple[list[dict], Counter]:
    """Problems with other numbers, with the number of the original, and how many originals were kept or dropped, and why.

    A document of the result has the keys of the task's own (question, answer), item (the original's) and changed: old -> new.
    """
    made, counts = [], Counter()
    for number, doc in enumerate(docs):
        steps, answer, stated = read_solution(doc["answer"])
        chain = "no answer" if answer is None else chain_of(doc["question"], steps, answer, stated)
        if isinstance(chain, str):
            counts[chain] += 1
            continue
        new = perturb(doc["question"], chain, seed_of("perturbed", seed, doc["question"]))
        if new is None:
            counts["no other numbers fit"] += 1
            continue
        counts["kept"] += 1
        notes = "\n".join(f"<<{step}>>" for step in new.work)
        changed = {shown(old): shown(now) for old, now in new.changed.items()}
        answered = {"question": new.question, "answer": f"{notes}\n#### {shown(new.answer)}"}
        made.append({**answered, "item": number, "changed": json.dumps(changed)})
    return made, counts


def read_hub(row: dict) -> list[dict]:
    """The documents of the row's data set.

    Raises:
        SystemExit: one line that names the row, when the hub cannot be read.
    """
    import datasets

    try:
        folder, _ = data_set(row)
        with tempfile.TemporaryDirectory() as cache:
            return list(datasets.load_dataset(str(folder), row["config"], split=row["split"], cache_dir=cache))
    except (NotHad, ValueError) as error:
        raise SystemExit(f"suite {row['name']}: {' '.join(str(error).split())}") from None


def write_suite(out: str | Path, *, row: dict, code: str, docs: Sequence[dict] | None = None) -> None:
    """Write the folder of a suite: the perturbed task of ``row["of"]``, one of lm-eval's own without functions in its YAML."""
    import lm_eval.tasks
    from lm_eval.tasks._yaml_loader import load_yaml

    (task,) = row["tasks"]
    published = sorted(Path(lm_eval.tasks.__file__).parent.rglob(f"{row['of']}.yaml"))  # its index takes seconds to build
    if not published:
        raise SystemExit(f"suite {row['name']}, key of: lm-eval has no {row['of']}.yaml; expected a task such as gsm8k")
    made, counts = perturb_all(read_hub(row) if docs is None else docs, row["seed"])
    settings = load_yaml(published[0], resolve_func=False)
    hub = ("dataset_name", "training_split", "validation_split", "fewshot_split", "tag")
    settings = {key: value for key, value in settings.items() if key not in hub}
    settings |= {"task": task, "dataset_path": "json", "test_split": "test", "num_fewshot": 0}
    settings["dataset_kwargs"] = {"data_files": {"test": str(Path(out) / f"{task}.jsonl")}}
    texts = [f"{doc['question']} {doc['answer']}" for doc in made]
    with atomic(out) as beside:
        beside.mkdir()
        (beside / f"{task}.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in made), encoding="utf-8")
        (beside / f"{task}.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        items = {"task": task, "item": [doc["item"] for doc in made], "text": texts}
        pd.DataFrame(items).to_parquet(beside / "items.parquet", index=False)
    print(f"{row['name']}: {dict(counts.most_common())}")
    write_card(out, row=row, code=code, seed=row["seed"], counts=dict(counts.most_common()), revision=row["revision"])


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        write_suite(snakemake.output[0], row=snakemake.params.row, code=snakemake.params.code)
