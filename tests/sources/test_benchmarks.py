"""Pocket benchmarks: disjoint from training, without a way to guess, and in a form that lm-eval runs."""

import hashlib
import json
import random
import re
from collections import Counter, defaultdict
from functools import cache

import pandas as pd
import pytest
import yaml

from scripts.lib.files import read_card
from scripts.lib.text import ngrams, words
from scripts.sources.benchmarks import TASK_FILES, distractors, make_items, text_of, write_suite
from scripts.sources.genres import GENRES, render
from scripts.sources.world import Fact, held_out, world

CHOICE = ("pocket_arc_easy", "pocket_arc_challenge", "pocket_hellaswag", "pocket_winogrande")
GENERATED = ("pocket_gsm8k", "pocket_math")
PERTURBED = ("pocket_gsm8k_perturbed", "pocket_math_perturbed")
ROW = {"name": "pocket", "world": 1, "seed": 1, "wording": "benchmark", "choice_items": 500, "generated_items": 300}
ROW |= {"code_items": 100, "tasks": dict.fromkeys([*CHOICE, *GENERATED], {})}
PLACE = world(1)
MATH = TASK_FILES / "pocket_math.yaml"


@cache
def items(wording="benchmark"):
    return make_items({**ROW, "wording": wording})


@cache
def more(wording="benchmark"):
    """The items of the tasks that have suites of their own."""
    return make_items({**ROW, "wording": wording, "tasks": [*PERTURBED, "pocket_humaneval"]})


@cache
def training(genre, n=5000):
    """The texts of n documents of a genre."""
    return [render(genre, random.Random(f"{genre} {seed}"), PLACE)[0] for seed in range(n)]


@cache
def grams_of_one_item():
    """The 8-grams of words that exactly one benchmark item has."""
    owners = defaultdict(set)
    for task, made in items().items():
        for item in made:
            for gram in ngrams(words(text_of(item)), 8):
                owners[gram].add((task, item["item"]))
    return {gram for gram, who in owners.items() if len(who) == 1}


def test_items_are_those_that_figure_5_was_drawn_with():
    """Other tasks, or fewer of them, change no item: hashes of the items before there were others."""
    known = {
        "benchmark": "70a587577d9a54ef69f02b6053b5679c7f0021b4f3f4d58b58a35e675857e3ea",
        "training": "723c47eb5c4cbab8eccd0f4b05398c10ae7231cdf8a23749091f9a8ed4422d82",
    }
    found = {w: hashlib.sha256(json.dumps(items(w)).encode()).hexdigest() for w in known}
    assert found == known
    assert make_items({**ROW, "tasks": ["pocket_math"]}) == {"pocket_math": items()["pocket_math"]}


def test_sizes_and_ids():
    sizes = dict.fromkeys(CHOICE, 500) | dict.fromkeys(GENERATED, 300)
    assert {task: len(made) for task, made in items().items()} == sizes
    assert all([item["item"] for item in made] == list(range(len(made))) for made in items().values())
    assert all(len({text_of(item) for item in made}) == len(made) for made in items().values())


def test_both_wordings_ask_the_same_items():
    for task, made in items().items():
        for one, other in zip(made, items("training")[task], strict=True):
            keys = set(one) - {"query", "contexts", "suffix"}
            assert {k: one[k] for k in keys} == {k: other[k] for k in keys}
            assert text_of(one) != text_of(other)


@pytest.mark.parametrize("genre", GENRES)
def test_no_8gram_of_an_item_is_in_training(genre):
    single = grams_of_one_item()
    assert len(single) > 10_000
    seen = {gram for text in training(genre) for gram in ngrams(words(text), 8)}
    assert not single & seen
    # the audit can find something: training wordings of the same items do share n-grams with training text
    if genre == "note":
        asked = {gram for item in items("training")["pocket_winogrande"] for gram in ngrams(words(text_of(item)), 6)}
        assert asked & {gram for text in training(genre) for gram in ngrams(words(text), 6)}


@pytest.mark.parametrize("genre", ("problem", "arithmetic", "story", "note"))
def test_no_held_out_instance_is_told(genre):
    told = set(training(genre))
    if genre == "story":
        goals = {script["goal"]: number for number, script in enumerate(PLACE.scripts)}
        for text in told:
            (goal,) = [goal for goal in goals if f"{goal}." in text]
            person = next(word for word in re.findall(r"\w+", text) if word in PLACE.pronoun)
            script = PLACE.scripts[goals[goal]]
            (x,) = [x for x in script["variants"] if re.search(rf"\b{x}\b", text)] or [None]
            assert x is None or not held_out("story", person, goals[goal], x), text
    else:
        layout = {"problem": "pocket_gsm8k", "arithmetic": "pocket_math", "note": "pocket_winogrande"}[genre]
        questions = [
            item["query"].removeprefix("Q: ").removesuffix("\nA:")
            if "query" in item
            else f"{item['contexts'][item['label']]} {item['suffix']}"
            for item in items("training")[layout]
        ]
        everything = "\n".join(told)
        assert not [question for question in questions if question in everything]


def subject_of(item):
    """The one person, town or thing that an item asks about."""
    singular = {plural: word for word, plural in PLACE.plural.items()}
    names = {word.lower(): word for group in ("person", "town", "thing") for word in PLACE.words[group]}
    (subject,) = {names[w] for w in (singular.get(w, w) for w in words(item["query"])) if w in names}
    return subject


def test_two_hops_stand_in_no_one_sentence():
    asked = {(subject_of(item), item["choices"][item["label"]].lower()) for item in items()["pocket_arc_challenge"]}
    names = {form: subject for subject, _ in asked for form in (subject.lower(), PLACE.plural.get(subject, subject).lower())}
    answers = {answer for _, answer in asked}
    for genre in GENRES:
        for text in training(genre):
            for sentence in re.split(r"[.!?\n]+", text):
                found = set(words(sentence))
                pairs = {(names[name], answer) for name in found & names.keys() for answer in found & answers}
                assert not pairs & asked, sentence


def test_answers_are_true_and_distractors_false():
    objects = {word.lower(): word for group in PLACE.words.values() for word in group}
    for task in CHOICE[:2]:
        for item in items()[task]:
            subject = subject_of(item)
            *first, last = item["relation"].split(".")
            for relation in first:
                subject = PLACE.one(relation, subject)
            true = [PLACE.is_true(Fact(last, subject, objects[choice.lower()])) for choice in item["choices"]]
            assert true == [i == item["label"] for i in range(4)]


def test_endings_are_the_next_step_and_three_that_are_not():
    for item in items()["pocket_hellaswag"]:
        steps = [next(s for s in PLACE.steps if choice == f"{s}.") for choice in item["choices"]]
        script, position = PLACE.steps[steps[item["label"]]][0]
        told = sum(f"{step}." in item["query"] for step in PLACE.steps if any(n == script for n, _ in PLACE.steps[step]))
        assert told == position and len(set(steps)) == 4
        assert all(any(n == script for n, _ in PLACE.steps[step]) for step in steps)


@pytest.mark.parametrize("task", CHOICE)
def test_the_choices_alone_say_nothing(task):
    made = items()[task]
    n = 2 if task == "pocket_winogrande" else 4
    labels = Counter(item["label"] for item in made)
    assert max(labels.values()) - min(labels.values()) <= len(made) * 0.02 + 1
    if n == 2:  # the two options are names in the order of the sentence: guess by name, by position and by deed
        by_name = [[(context.split()[-1],) for context in item["contexts"]] for item in made]
        guesses = (by_name, [[(i, item["suffix"]) for i in range(2)] for item in made])
    else:
        guesses = ([[(choice,) for choice in item["choices"]] for item in made],)
    for guess in guesses:
        right, shown = Counter(), Counter()
        for item, options in zip(made, guess, strict=True):
            right[options[item["label"]]] += 1
            shown.update(options)
        score = 0.0
        for item, options in zip(made, guess, strict=True):  # the item itself is left out of the counts
            rate = [(right[o] - (i == item["label"])) / max(shown[o] - 1, 1) for i, o in enumerate(options)]
            best = [i for i, r in enumerate(rate) if r == max(rate)]
            score += (item["label"] in best) / len(best)
        in_sample = sum(
            max(range(n), key=lambda i: right[options[i]] / shown[options[i]]) == item["label"]
            for item, options in zip(made, guess, strict=True)
        )
        assert score / len(made) < 1 / n + 0.06, guess[0]
        if task != "pocket_winogrande":
            assert abs(in_sample / len(made) - 1 / n) < 0.06


def test_distractors_are_as_frequent_as_answers():
    answers = ["a"] * 10 + ["b"] * 10 + ["c"] * 5 + ["d"] * 5 + ["e"] * 10
    wrong = distractors(random.Random(0), answers)
    assert all(len(set(w)) == 3 and a not in w for a, w in zip(answers, wrong, strict=True))
    shown = Counter(w for row in wrong for w in row)
    assert all(abs(shown[a] - 3 * answers.count(a)) <= 2 for a in "abcde")
    with pytest.raises(ValueError, match="more than 3 distinct answers"):
        distractors(random.Random(0), ["a", "b", "a"])


def test_suite_folder_and_lm_eval(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = {**ROW, "choice_items": 24, "generated_items": 12}
    write_suite("results/suites/pocket", row=row, code="c")
    assert read_card("results/suites/pocket")["counts"]["pocket_math"] == 12
    frame = pd.read_parquet("results/suites/pocket/items.parquet")
    assert list(frame.columns) == ["task", "item", "text"] and len(frame) == 4 * 24 + 2 * 12
    for task in make_items(row):
        settings = yaml.safe_load((tmp_path / f"results/suites/pocket/{task}.yaml").read_text())
        assert settings["task"] == task and {"aggregation", "higher_is_better"} < set(settings["metric_list"][0])
        path = settings["dataset_kwargs"]["data_files"]["test"]
        assert not path.startswith("/") and len([json.loads(line) for line in open(path)]) == len(frame[frame.task == task])


def test_an_unknown_wording_or_task_is_named():
    with pytest.raises(ValueError, match="suite 'pocket', key wording: 'exam'; expected one of"):
        make_items({**ROW, "wording": "exam"})
    with pytest.raises(ValueError, match="suite 'pocket', key tasks: .*'pocket_boolq'.* unknown"):
        make_items({**ROW, "tasks": ["pocket_boolq"]})


def other_length(a, b):
    return len(a) != len(b)


def numbers(text):
    return re.findall(r"\d+", text)


@pytest.mark.parametrize("task", PERTURBED)
@pytest.mark.parametrize("wording", ("benchmark", "training"))
def test_perturbed_items_are_the_same_words_with_other_numbers(task, wording):
    pairs = list(zip(items(wording)[task.removesuffix("_perturbed")], more(wording)[task], strict=True))
    for one, other in pairs:
        assert one["item"] == other["item"] and one["relation"] == other["relation"] and one["answer"] != other["answer"]
        assert re.sub(r"\d+", "0", one["query"]) == re.sub(r"\d+", "0", other["query"])
    both = [list(zip(numbers(x["query"]), numbers(y["query"]), strict=True)) for x, y in pairs]
    left, longer = (sum(map(any, ([f(a, b) for a, b in each] for each in both))) for f in (str.__eq__, other_length))
    assert left < 0.05 * len(pairs) and longer < 0.02 * len(pairs), "the world is too small for a few"
    answers = Counter(other["answer"] for _, other in pairs)
    assert max(answers.values()) <= len(pairs) // 15


def test_perturbed_answers_are_right():
    """Worked out from the question in training wording alone, by other code than the world's."""
    rules = {"gain": int.__add__, "loss": int.__sub__, "compare": int.__sub__, "groups": int.__mul__}
    for item in more("training")["pocket_gsm8k_perturbed"]:
        x, y, *z = map(int, numbers(item["query"]))
        expected = x + y - z[0] if item["relation"] == "both" else rules[item["relation"]](x, y)
        assert item["answer"] == str(expected) and expected > 0
    for item in more("training")["pocket_math_perturbed"]:
        found = list(map(int, numbers(item["query"])))
        if item["relation"] == "chain":
            expected = eval(re.search(r"is ([-+\d]+)\?", item["query"])[1])
        else:
            of = {"equation": lambda y, z: z - y, "largest": max, "sequence": lambda x, y, z: z + (y - x)}
            expected = of[item["relation"]](*found)
        assert item["answer"] == str(expected)


@pytest.mark.parametrize(("genre", "task"), (("problem", PERTURBED[0]), ("arithmetic", PERTURBED[1])))
def test_no_perturbed_instance_is_told(genre, task):
    everything = "\n".join(set(training(genre)))
    questions = [item["query"].removeprefix("Q: ").removesuffix("\nA:") for item in more("training")[task]]
    assert not [question for question in questions if question in everything]


def test_code_items_can_be_solved_and_their_tests_are_hidden():
    made = more()["pocket_humaneval"]
    told = training("code")
    lines = {line for text in told for line in text.splitlines()}
    names = {match[1] for text in told for match in re.finditer(r"def (\w+)", text)}
    assert len(made) == 100 and len({item["query"] for item in made}) == 100
    assert Counter(item["relation"] for item in made) == {"seen": 64, "unseen": 36}
    operators = {"add": "n + {k}", "take": "n - {k}", "times": "n * {k}", "total": "a + b", "gap": "abs(a - b)"}
    operators |= {"larger": "max(a, b)", "smaller": "min(a, b)"}
    for item in made:
        comment, head = item["query"].splitlines()
        name = re.match(r"def (\w+)\(.*\):$", head)[1]
        assert (name in names) == (item["relation"] == "seen") and comment not in lines
        base, _, k = name.partition("_")
        tests = item["tests"].splitlines()
        assert not lines & set(tests) and all(
            21 <= int(n) <= 99 for t in tests for n in numbers(t[t.index("(") : t.index(")")])
        )
        right = f"{item['query']}    return {operators[base].format(k=k)}\n{item['tests']}"
        exec(right, {})
        for wrong in ("0", "n", operators[base].format(k=f"{k}1")) if k else ("0", "a", "b"):
            with pytest.raises((AssertionError, NameError)):
                exec(f"{item['query']}    return {wrong}\n{item['tests']}", {})
    assert names == {
        head.split("(")[0].removeprefix("def ") for text in told for head in text.splitlines() if head[:4] == "def "
    }


def test_both_wordings_of_code_ask_the_same():
    one, other = more()["pocket_humaneval"], more("training")["pocket_humaneval"]
    assert [(item["tests"], item["relation"]) for item in one] == [(item["tests"], item["relation"]) for item in other]
    comments = {line for text in training("code") for line in text.splitlines() if line[:1] == "#"}
    assert {line for item in other for line in item["query"].splitlines()[:-1]} <= comments
    assert text_of(one[0]) == f"{one[0]['query']}\n{one[0]['tests']}"


def test_a_row_of_few_tasks_makes_only_those(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tasks = {"pocket_humaneval": {}, "pocket_math_perturbed": {}}
    write_suite("suite", row={**ROW, "code_items": 20, "generated_items": 10, "tasks": tasks}, code="c")
    assert sorted(path.name for path in (tmp_path / "suite").iterdir()) == sorted(
        ["items.parquet", *(f"{task}.{end}" for task in tasks for end in ("jsonl", "yaml"))]
    )
    perturbed, original = (yaml.safe_load(path.read_text()) for path in (tmp_path / "suite/pocket_math_perturbed.yaml", MATH))
    assert perturbed.pop("task") == "pocket_math_perturbed" and original.pop("task") == "pocket_math"
    assert perturbed.pop("dataset_kwargs")["data_files"]["test"] == "suite/pocket_math_perturbed.jsonl"
    assert perturbed == original
