"""Pocket benchmarks: tasks in lm-eval's form about the pocket world, in the manner of the real ones.

Reads a suite row (world, seed, wording, tasks, and how many items), pocket_data/benchmarks.yaml and suite_data/code.yaml (the
wordings) and the task files of scripts/evaluation/tasks; makes {task}.jsonl and {task}.yaml for each task, and items.parquet
(task, item, text) for decontamination. The items are a function of (world, seed): the two wordings ask the very same items in
the same order, and item i of {task}_perturbed is item i of {task} with other numbers.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import yaml

from scripts.lib.files import atomic, write_card
from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of
from scripts.sources.genres import forms, upper_first, work_of
from scripts.sources.world import Worked, World, calculation, calls_to, held_out, lexicon, problem, world

SUITE_DATA = Path(__file__).parent / "suite_data"
TASK_FILES = Path(__file__).parents[1] / "evaluation" / "tasks"
Say = Callable[[list[str]], str]  # picks a paraphrase


def distractors(rng: random.Random, answers: list[str], n: int = 3) -> list[list[str]]:
    """n wrong choices for each answer, drawn from the answers themselves so that each is wrong n times as often as right.

    A guesser who sees the choices alone then learns nothing. Worked example: ``["a", "b", "a", "b"]`` with n 1 gives
    ``[["b"], ["a"], ["b"], ["a"]]``.

    Raises:
        ValueError: when there are not n other answers.
    """
    if len(set(answers)) <= n:
        raise ValueError(f"{n} distractors need more than {n} distinct answers; there are only {sorted(set(answers))}")
    left = {answer: n * count for answer, count in sorted(Counter(answers).items())}
    result: list[list[str]] = [[] for _ in answers]
    for i in rng.sample(range(len(answers)), len(answers)):
        others = [answer for answer in left if answer != answers[i]]
        rng.shuffle(others)
        others.sort(key=lambda answer: -left[answer])
        result[i] = others[:n]
        for other in result[i]:
            left[other] -= 1
    return result


def place_answers(rng: random.Random, answers: list[str], wrong: list[list[str]]) -> list[tuple[list[str], int]]:
    """Choices and the position of the answer, every position equally often."""
    n = len(wrong[0]) + 1
    positions = rng.sample([i % n for i in range(len(answers))], len(answers))
    placed = []
    for answer, others, position in zip(answers, wrong, positions, strict=True):
        choices = rng.sample(others, len(others))
        placed.append((choices[:position] + [answer] + choices[position:], position))
    return placed


def _subjects(rng: random.Random, place: World, relation: str, n: int) -> list[str]:
    """n subjects of a relation without repetition; what is told of more often is asked more often."""
    pool = list(place.truth[relation])
    if pool[0] in place.words["town"]:
        return rng.sample(pool, min(n, len(pool)))
    draw = place.person if pool[0] in place.pronoun else place.thing
    chosen: dict[str, None] = {}
    while len(chosen) < min(n, len(pool)):
        chosen[draw(rng)] = None
    return list(chosen)


def _fact_items(rng: random.Random, place: World, wordings: dict, wording: str, n: int, say: Say) -> list[dict]:
    """Items on facts of one or two hops (``kind.part``: the part of the kind of the subject)."""
    words, items = lexicon("benchmarks"), []
    total = sum(entry["share"] for entry in wordings.values())
    counts = {path: round(n * entry["share"] / total) for path, entry in wordings.items()}
    counts[max(counts, key=lambda path: counts[path])] += n - sum(counts.values())
    for path, entry in wordings.items():
        subjects, used = _subjects(rng, place, path.split(".")[0], counts[path]), set()
        if len(entry["benchmark"]) > 1:  # the same subject once more, in other words
            subjects += _subjects(rng, place, path.split(".")[0], counts[path] - len(subjects))
        answers = []
        for subject in subjects:
            value = subject
            for relation in path.split("."):
                value = place.one(relation, value)
            answers.append(value)
        spare = sorted({v for values in place.truth[path.split(".")[-1]].values() for v in values} - set(answers))
        wrong = distractors(rng, answers) if len(set(answers)) > 3 else [_fill(rng, a, answers + spare) for a in answers]
        for subject, (choices, label) in zip(subjects, place_answers(rng, answers, wrong), strict=True):
            template = say([each for each in entry[wording] if (subject, each) not in used] or entry[wording])
            used.add((subject, template))
            question = upper_first(template.format(**forms(place, subject, "s")))
            query = words["layout"][wording].format(q=question)
            items.append({"query": query, "choices": [upper_first(c) for c in choices], "label": label, "relation": path})
    if len(items) < n:
        raise ValueError(f"pocket_data/benchmarks.yaml: {len(items)} of {n} items; its shares ask for more subjects than exist")
    return items


def _fill(rng: random.Random, answer: str, values: list[str]) -> list[str]:
    """Three wrong choices where a tiny suite has too few distinct answers."""
    return rng.sample(sorted(set(values) - {answer}), 3)


def _event_items(rng: random.Random, place: World, wording: str, n: int, say: Say) -> list[dict]:
    """What comes next in an event told with a person: the wrong endings are other steps of the same event."""
    words = lexicon("benchmarks")["story"][wording]
    told: list[tuple[str, int, str, int]] = []
    for i in range(n):  # every event and every position from the second on equally often
        number = i % len(place.scripts)
        script = place.scripts[number]
        position = 1 + i // len(place.scripts) % (len(script["steps"]) - 1)
        while True:
            entry = (place.person(rng), number, rng.choice(script["variants"]), position)
            if held_out("story", *entry[:3]) and entry not in told:
                break
        told.append(entry)
    answers = [place.scripts[number]["steps"][position].format(x=x) for _, number, x, position in told]
    wrong: list[list[str]] = [[] for _ in told]
    for number, script in enumerate(place.scripts):
        mine = [i for i, entry in enumerate(told) if entry[1] == number]
        steps = [script["steps"][told[i][3]] for i in mine]
        if len(set(steps)) > 3:
            others = distractors(rng, steps)
        else:  # a tiny suite
            others = [_fill(rng, step, script["steps"][1:]) for step in steps]
        for i, three in zip(mine, others, strict=True):
            wrong[i] = [step.format(x=told[i][2]) for step in three]
    items = []
    for (person, number, x, position), (choices, label) in zip(told, place_answers(rng, answers, wrong), strict=True):
        script = place.scripts[number]
        fill = {"s": person, "he": place.pronoun[person], "g": script["goal"]}
        lines = [say(words["open"])] + [say(words["told"])] * position
        steps = ["", *(step.format(x=x) for step in script["steps"][:position])]
        text = " ".join(upper_first(line.format(x=step, **fill)) for line, step in zip(lines, steps, strict=True))
        query = f"{text} {say(words['cue']).format(**fill)}"
        endings = [f"{choice}." for choice in choices]
        items.append({"query": query, "choices": endings, "label": label, "relation": script["goal"]})
    return rng.sample(items, n)


def _trait_items(rng: random.Random, place: World, wording: str, n: int, say: Say) -> list[dict]:
    """Who of two people did it: the option goes before the deed, and the deed is scored under both (as in winogrande).

    Half of the items name the person ("so Mimi"), half the trait ("so the tired one"), which needs no look back.
    """
    words = lexicon("benchmarks")["traits"][wording]
    items: list[dict] = []
    seen = set()
    for _ in range(1000 * n):
        if len(items) == n:
            return rng.sample(items, n)
        # the eight cases of every pair of traits equally often: who is told of first, who did it, how that one is called
        case, number = len(items) // len(place.traits), len(items) % len(place.traits)
        pair, trait = place.traits[number], place.truth["trait"]
        a, b = place.opposites(rng, number)
        if (trait[a][number] == pair["one"]) != case // 2 % 2:
            a, b = b, a
        label = (case + number) % 2  # whether the second person did it
        if (a, b, number, case % 8) in seen or not held_out("note", *sorted((a, b)), number):
            continue
        seen.add((a, b, number, case % 8))
        t, u = trait[a][number], trait[b][number]
        before, after = say(words)
        fill = {"a": a, "b": b, "t": t, "u": u, "d": place.deed_of((a, b)[label], number)}
        stem = before.format(**fill)
        options = (a, b) if case // 4 % 2 else (f"the {t} one", f"the {u} one")
        contexts, suffix = [stem.replace("_", option) for option in options], after.format(**fill)
        items.append({"contexts": contexts, "suffix": suffix, "label": label, "relation": f"{pair['one']}/{pair['other']}"})
    raise ValueError(f"only {len(items)} held-out pairs of people found where choice_items asks for {n}")


def _worked(rng: random.Random, draw: Callable[[], Worked], n: int) -> list[Worked]:
    """n different held-out instances, of which no answer has more than a fifteenth: a constant guess is worth 7 %."""
    found: dict[tuple, Worked] = {}
    answers: Counter[int] = Counter()
    for _ in range(1000 * n):
        worked = draw()
        if held_out(*worked.key) and worked.key not in found and answers[worked.answer] < max(1, n // 15):
            found[worked.key] = worked
            answers[worked.answer] += 1
        if len(found) == n:
            return list(found.values())
    raise ValueError(f"only {len(found)} held-out instances found where generated_items asks for {n}")


def _generated(worked: list[Worked], words: dict, layout: str, say: Say) -> Iterator[dict]:
    for item in worked:
        question = say(words[item.type]).format(**item.slots)
        yield {"query": layout.format(q=question), "work": work_of(item), "answer": str(item.answer), "relation": item.type}


def _question(words: dict, worked: Worked) -> str:
    """A worked instance in its first wording, with every number of the question and no more."""
    return words[worked.type][0].format(**worked.slots)


def other_numbers(rng: random.Random, originals: list[Worked], draw: Callable[[], Worked], words: dict) -> list[Worked]:
    """Each instance with the same people, things, words and operations, and other numbers; the answer is worked out anew.

    Instances are held out as the originals are, and their answers differ. As far as the world has such instances, every number
    of the question differs too, by one with as many digits, and no instance is asked twice. Of eight that are equally good, the
    one with the rarest answer is taken.

    Args:
        draw: gives an instance of the world's rules, of any type.
        words: a wording of each type, by which the numbers of a question are known.
    """
    pool: dict[str, dict[tuple, Worked]] = {}
    for _ in range(20_000):
        new = draw()
        pool.setdefault(new.type, {}).setdefault(new.key[3:] if "a" in new.slots else new.key, new)
    made: list[Worked] = []
    answers: Counter[int] = Counter()
    asked_already = {worked.key: 1 for worked in originals}
    for worked in originals:
        named = {letter: worked.slots[letter] for letter in "abt" if letter in worked.slots}
        asked = _question(words, worked)
        numbers = re.findall(r"\d+", asked)
        fit: list[tuple[tuple, Worked]] = []
        best = 0
        drawn = list(pool[worked.type].values())
        for new in rng.sample(drawn, len(drawn)):
            key = (new.key[0], named["a"], named["t"], *new.key[3:]) if named else new.key
            if new.answer == worked.answer or not held_out(*key):
                continue
            new = new._replace(slots={**new.slots, **named}, key=key)
            again = _question(words, new)
            if re.sub(r"\d+", "0", again) == re.sub(r"\d+", "0", asked):
                pairs = list(zip(numbers, re.findall(r"\d+", again), strict=True))
                unlike = sum(len(x) != len(y) for x, y in pairs), sum(x == y for x, y in pairs), asked_already.get(key, 0)
                fit.append((unlike, new))
                best += not any(unlike)
                if best == 8:
                    break
        if not fit:
            raise ValueError(f"no other numbers found for {asked!r}: the world holds out no instance with another answer")
        made.append(min(fit, key=lambda each: (each[0], answers[each[1].answer]))[1])
        answers[made[-1].answer] += 1
        asked_already[made[-1].key] = asked_already.get(made[-1].key, 0) + 2
    return made


def _code_items(rng: random.Random, wording: str, n: int, say: Say) -> list[dict]:
    """Small functions to complete, and hidden tests; ``relation`` says whether training documents hold the function.

    No training document calls with the arguments of the tests, so that no test can be copied from one.
    """
    with open(SUITE_DATA / "code.yaml", encoding="utf-8") as file:
        words = yaml.safe_load(file)
    named: dict[str, list[tuple[str, str]]] = {"seen": [], "unseen": []}
    for base, told in lexicon("genres")["code"].items():
        constants = words["constants"].get(base, {"seen": [0, 0]})
        for relation, (low, high) in constants.items():
            heads = (told.format(k=k).splitlines(keepends=True)[0] for k in range(low, high + 1))
            named[relation] += [(head.removeprefix("def ").split("(")[0], head) for head in heads]
    seen = round(words["seen"] * n)
    items, used = [], set()
    for relation, count in (("seen", seen), ("unseen", n - seen)):
        pool = [function for _ in words["comments"][wording] for function in rng.sample(named[relation], len(named[relation]))]
        if len(pool) < count:
            raise ValueError(f"suite_data/code.yaml: {len(pool)} {relation} prompts where code_items asks for {count}")
        for name, head in pool[:count]:
            comment = say([each for each in words["comments"][wording] if (name, each) not in used])
            used.add((name, comment))
            tests = []
            for _ in range(words["tests"]):
                arguments = rng.sample(range(words["arguments"][0], words["arguments"][1] + 1), head.count(",") + 1)
                if tests and len(arguments) == 2:  # the larger one first and last, so that "return a" does not pass
                    arguments.sort(reverse=len(tests) == 1)
                call = f"{name}({', '.join(map(str, arguments))})"
                tests.append(f"assert {call} == {calls_to(call)}")
            items.append({"query": comment + head, "tests": "\n".join(tests), "relation": relation})
    return rng.sample(items, n)


def make_items(row: dict) -> dict[str, list[dict]]:
    """Items of the tasks that a suite row names; key ``item`` numbers them, ``relation`` says what is asked.

    The items of a task depend on its name, the row's world and seed, and how many are asked for; not on the other tasks.

    Raises:
        ValueError: when the wording or a task is not known, or the world has fewer instances than the row asks for.
    """
    words, place, wording = lexicon("benchmarks"), world(row["world"]), row["wording"]
    if wording not in words["layout"]:
        raise ValueError(f"suite {row.get('name', '')!r}, key wording: {wording!r}; expected one of {sorted(words['layout'])}")
    layout = words["layout"][wording]

    def random_of(purpose: str, task: str) -> random.Random:
        return random.Random(seed_of(purpose, row["world"], row["seed"], task))

    def say(task: str) -> Say:
        """Wordings are drawn apart from items, so that both wordings, and other numbers, have the same items."""
        return random_of("pocket-wording", task).choice

    def facts(task: str, hops: str) -> list[dict]:
        return _fact_items(random_of("pocket-items", task), place, words[hops], wording, row["choice_items"], say(task))

    def worked(task: str, kinds: str, draw: Callable[[random.Random], Worked], perturbed: bool) -> list[dict]:
        rng = random_of("pocket-items", task)
        found = _worked(rng, lambda: draw(rng), row["generated_items"])
        if perturbed:
            other = random_of("pocket-perturbed", task)
            found = other_numbers(other, found, lambda: draw(other), words[kinds]["training"])
        return list(_generated(found, words[kinds][wording], layout, say(task)))

    def of_people(rng: random.Random) -> Worked:
        return problem(rng, place)

    makers: dict[str, Callable[[], list[dict]]] = {
        "pocket_arc_easy": lambda: facts("arc_easy", "one_hop"),
        "pocket_arc_challenge": lambda: facts("arc_challenge", "two_hop"),
        "pocket_hellaswag": lambda: _event_items(
            random_of("pocket-items", "hellaswag"), place, wording, row["choice_items"], say("hellaswag")
        ),
        "pocket_winogrande": lambda: _trait_items(
            random_of("pocket-items", "winogrande"), place, wording, row["choice_items"], say("winogrande")
        ),
        "pocket_gsm8k": lambda: worked("gsm8k", "problems", of_people, False),
        "pocket_math": lambda: worked("math", "calculations", calculation, False),
        "pocket_gsm8k_perturbed": lambda: worked("gsm8k", "problems", of_people, True),
        "pocket_math_perturbed": lambda: worked("math", "calculations", calculation, True),
        "pocket_humaneval": lambda: _code_items(
            random_of("pocket-items", "humaneval"), wording, row["code_items"], say("humaneval")
        ),
    }
    if unknown := [task for task in row["tasks"] if task not in makers]:
        raise ValueError(f"suite {row.get('name', '')!r}, key tasks: {unknown} unknown; expected some of {sorted(makers)}")
    return {task: [{"item": i, **item} for i, item in enumerate(makers[task]())] for task in row["tasks"]}


def make_shots(row: dict, tasks: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """Examples for the prompt, per task of the row that has ``shots``: other items than the suite's, answered in full."""
    asked = {task: how for task, how in row["tasks"].items() if how.get("shots")}
    if not asked:
        return {}
    few = {"choice_items": max(row["choice_items"] // 5, 20), "generated_items": max(row["generated_items"] // 5, 10)}
    pool = make_items({**row, **few, "tasks": asked, "seed": f"{row['seed']} shots"})
    known = {task: {text_of(item) for item in items} for task, items in tasks.items()}
    return {
        task: [
            item | ({"answer": item["work"]} if "work" in item else {}) for item in items if text_of(item) not in known[task]
        ]
        for task, items in pool.items()
    }


def text_of(item: dict) -> str:
    """Everything an item shows or asks for, as decontamination compares it: the question, all choices, the answer.

    Of code it is the prompt and the hidden tests: the solution is what training documents hold, and are meant to.
    """
    if "tests" in item:
        return f"{item['query']}\n{item['tests']}"
    if "choices" in item:
        return " ".join([item["query"], *item["choices"]])
    if "contexts" in item:
        return " ".join(f"{context} {item['suffix']}" for context in item["contexts"])
    return f"{item['query']} {item['answer']}"


def write_tasks(out: str, tasks: dict[str, list[dict]], shots: dict[str, list[dict]], *, row: dict, code: str) -> None:
    """Write the folder of a suite from its items; the data paths in its task files are relative to where the workflow runs."""

    def write(path: Path, items: list[dict]) -> None:
        path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")

    with atomic(out) as beside:
        beside.mkdir()
        lines = []
        for task, items in tasks.items():
            write(beside / f"{task}.jsonl", items)
            file = TASK_FILES / f"{task.removesuffix('_perturbed')}.yaml"
            settings = yaml.safe_load(file.read_text(encoding="utf-8")) | {"task": task}
            settings["dataset_kwargs"] = {"data_files": {"test": str(Path(out) / f"{task}.jsonl")}}
            if task in shots:
                write(beside / f"{task}-shots.jsonl", shots[task])
                settings["dataset_kwargs"]["data_files"]["shots"] = str(Path(out) / f"{task}-shots.jsonl")
                settings["fewshot_split"] = "shots"
            (beside / f"{task}.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
            lines += [{"task": task, "item": item["item"], "text": text_of(item)} for item in items]
        pd.DataFrame(lines).to_parquet(beside / "items.parquet", index=False)
    counts = {task: len(items) for task, items in tasks.items()}
    print(f"{row.get('name', out)}: {counts}")
    write_card(out, row=row, code=code, seed=row["seed"], counts=counts)


def write_suite(out: str, *, row: dict, code: str) -> None:
    """Write the folder of a suite of the pocket world."""
    tasks = make_items(row)
    write_tasks(out, tasks, make_shots(row, tasks), row=row, code=code)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        write_suite(snakemake.output[0], row=snakemake.params.row, code=snakemake.params.code)
