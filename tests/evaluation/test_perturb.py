"""GSM8K with other numbers: exact chains on the real test problems, planted problems with known truth, chains to be refused."""

import gzip
import io
import itertools
import json
import random
import re
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest

from scripts.evaluation import perturb
from scripts.evaluation.perturb import chain_of, evaluate, perturb_all, read_hub, read_solution, recompute, shown, write_suite
from scripts.evaluation.suites import answer, load_tasks
from scripts.lib.files import read_card
from tests.hub_server import REVISION

ROW = {"name": "published-perturbed", "kind": "perturbed", "repo": "openai/gsm8k", "revision": "7" * 40, "config": "main"}
ROW |= {"split": "test", "of": "gsm8k", "seed": 5, "tasks": {"gsm8k_perturbed": {}}, "add_bos": False, "backend": "hf"}


@pytest.fixture(scope="module")
def docs(real_text):
    with gzip.open(real_text / "benchmarks/gsm8k_test.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in itertools.islice(file, 300)]


@pytest.fixture(scope="module")
def made(docs):
    return perturb_all(docs, 5)


def chain(doc):
    return chain_of(doc["question"], *read_solution(doc["answer"]))


def exactly(expression: str) -> Fraction:
    """Python's own arithmetic on fractions."""
    return eval(re.sub(r"\d*\.?\d+", lambda match: f"Fraction('{match[0]}')", expression), {"Fraction": Fraction})


def test_expressions_are_those_of_python():
    rng = random.Random(1)
    for _ in range(300):
        expression = str(rng.randint(1, 99))
        for _ in range(rng.randint(1, 5)):
            other = rng.choice([str(rng.randint(1, 99)), f"{rng.randint(1, 9)}.5", ".25", f"({rng.randint(1, 9)}+1)"])
            expression = f"{expression}{rng.choice('+-*/')}{other}"
            expression = f"({expression})" if rng.random() < 0.3 else expression
        assert evaluate(perturb._tokens(expression), {}) == exactly(expression)
    for broken in (["1", "+"], ["(", "1"], ["1", "1"], ["1", "/", "0"], ["+"], []):
        with pytest.raises(ValueError):
            evaluate(broken, {})


def test_numbers_are_written_as_they_stood():
    for value, like, text in (
        (80000, "12,345", "80,000"),
        (Fraction(5, 2), "1.75", "2.50"),
        (7, "3", "7"),
        (1200, "3400", "1200"),
    ):
        assert shown(Fraction(value), like) == text
    assert [shown(Fraction(v)) for v in ("1200", "0.25", "3")] == ["1200", "0.25", "3"] and shown(Fraction(1, 3)) == "1/3"


def test_real_problems_recompute_exactly(docs, made):
    kept, counts = made
    assert counts["kept"] == len(kept) and sum(counts.values()) == len(docs)
    assert len(kept) > 0.35 * len(docs), counts
    for doc in kept:
        original = docs[doc["item"]]
        found = chain(original)
        assert recompute(found, {})[-1] == read_solution(original["answer"])[1], (
            "the original numbers give the published answer"
        )
        assert recompute(found, {}) == list(found.results)


def test_new_problems_are_the_same_words_with_other_numbers(docs, made):
    for doc in made[0]:
        original, changed = docs[doc["item"]], json.loads(doc["changed"])
        assert re.sub(r"[\d,.]*\d", "0", doc["question"]) == re.sub(r"[\d,.]*\d", "0", original["question"])
        values = {Fraction(old): Fraction(new) for old, new in changed.items()}
        before, after = (
            [Fraction(n[0].replace(",", "")) for n in perturb.ANY_NUMBER.finditer(d["question"])] for d in (original, doc)
        )
        assert after == [values.get(number, number) for number in before], "no changed number is left behind"
        assert all(len(old.strip("0.")) >= 1 and old != new for old, new in changed.items())
        assert set(values) <= {
            Fraction(n) for n in re.findall(r"\d*\.?\d+", " ".join(re.findall("<<.*?>>", original["answer"])))
        }


def test_new_answers_follow_from_the_new_numbers(docs, made):
    """The published annotations with old numbers replaced by new ones, step by step, by Python's arithmetic."""
    for doc in made[0]:
        values = {Fraction(old): Fraction(new) for old, new in json.loads(doc["changed"]).items()}
        known = dict(values)
        for note in re.findall(r"<<([^>]*)>>", docs[doc["item"]]["answer"]):
            left, _, right = note.replace(",", "").rpartition("=")
            replaced = re.sub(
                r"\d*\.?\d+",
                lambda m, known=known: f"({known.get(Fraction(m[0]), Fraction(m[0]))})",
                left,
            )
            known[Fraction(right)] = last = exactly(replaced)
        final = Fraction(doc["answer"].rpartition("#### ")[2])
        assert final == last > 0 and final != read_solution(docs[doc["item"]]["answer"])[1]
        notes = re.findall(r"<<(.*)=(.*)>>", doc["answer"])
        assert all(exactly(left) == exactly(right) for left, right in notes) and exactly(notes[-1][1]) == final


def test_the_same_seed_gives_the_same_problems(docs, made):
    assert perturb_all(docs[:40], 5)[0] == [doc for doc in made[0] if doc["item"] < 40]
    assert perturb_all(docs[:40], 6)[0] != perturb_all(docs[:40], 5)[0]


def test_a_shuffled_chain_is_refused(docs, made):
    tried = 0
    for doc in made[0]:
        steps, published, stated = read_solution(docs[doc["item"]]["answer"])
        if len(steps) > 1 and len({right for _, right in steps}) == len(steps):
            tried += 1
            assert isinstance(chain_of(docs[doc["item"]]["question"], steps[::-1], published, stated), str)
            moved = [(left, right) for (left, _), (_, right) in zip(steps, steps[1:] + steps[:1], strict=True)]
            assert isinstance(chain_of(docs[doc["item"]]["question"], moved, published, stated), str)
    assert tried > 50


QUESTION = "Ana fills 14 boxes with 23 pens each and gives 95 pens away. How many pens are left?"
SOLUTION = "She has 14*23=<<14*23=322>>322 pens. So 322-95=<<322-95=227>>227 are left.\n#### 227"


def test_a_planted_problem_has_its_known_answer():
    for seed in range(20):
        (doc,), _ = perturb_all([{"question": QUESTION, "answer": SOLUTION}], seed)
        boxes, pens, away = map(int, re.findall(r"\d+", doc["question"]))
        assert int(doc["answer"].rpartition("#### ")[2]) == boxes * pens - away
        assert boxes < pens < away and not {boxes, pens, away} & {14, 23, 95}


@pytest.mark.parametrize(
    ("question", "solution", "reason"),
    [
        (QUESTION.replace("23", "24"), SOLUTION, "an operand of no known origin"),
        (QUESTION, SOLUTION.replace("<<14*23=322>>", "<<14*23=332>>"), "a step does not recompute"),
        (QUESTION, SOLUTION.replace("#### 227", "#### 228"), "the last step is not the answer"),
        (QUESTION, SOLUTION.replace("<<14*23=322>>", ""), "an operand of no known origin"),
        (QUESTION.replace("Ana", "The 322 club"), SOLUTION, "an operand with two possible origins"),
        (QUESTION.replace("away", "away at 5 pm"), SOLUTION, "a time, date, ordinal or fraction in the question"),
        (QUESTION.replace("Ana", "x2"), SOLUTION, "a number inside a word or a formula"),
        (QUESTION, SOLUTION.replace("<<14*23=322>>", "<<14*n=322>>"), "a step is no arithmetic"),
        (QUESTION, SOLUTION.replace("She", "As 5+5=10, she"), "a result that no step gives"),
        ("Ana has fourteen pens and gets nine more.", "<<14+9=23>>\n#### 23", "no number of the question that may change"),
    ],
)
def test_what_leaves_something_to_guess_is_refused(question, solution, reason):
    assert chain({"question": question, "answer": solution}) == reason


def test_a_number_said_in_words_too_or_taken_as_a_share_stays():
    found = chain({"question": "A week has 7 days. Ana runs 15 miles a day.", "answer": "<<7*15=105>>\n#### 105"})
    assert found.free == (15,)
    question = "Of 200 pens 20% are red, of 300 others 20 are. How many are red?"
    found = chain({"question": question, "answer": "<<200*.2=40>> <<40+20=60>>\n#### 60"})
    assert found.free == (200,), "the percentage is one number with the 20 others"


class Writer:
    def __init__(self, texts):
        self.texts = texts

    def generate_until(self, instances):
        return [self.texts[instance.doc_id] for instance in instances]


def test_the_suite_is_gsm8k_with_other_documents(docs, tmp_path, monkeypatch):
    import lm_eval.tasks
    from lm_eval.tasks._yaml_loader import load_yaml

    monkeypatch.chdir(tmp_path)
    write_suite("suite", row=ROW, code="c", docs=docs[:60])
    card, items = read_card("suite"), pd.read_parquet("suite/items.parquet")
    assert list(items) == ["task", "item", "text"] and len(items) == card["counts"]["kept"]
    assert sum(card["counts"].values()) == 60 and card["revision"] == ROW["revision"]
    ours = load_yaml("suite/gsm8k_perturbed.yaml")
    theirs = load_yaml(Path(lm_eval.tasks.__file__).parent / "gsm8k/gsm8k.yaml")
    for key in ("doc_to_text", "doc_to_target", "metric_list", "filter_list", "generation_kwargs", "output_type"):
        assert ours[key] == theirs[key]
    tasks = load_tasks(ROW, "suite")
    instances = tasks["gsm8k_perturbed"][0].instances
    assert instances[0].args[0] == f"Question: {instances[0].doc['question']}\nAnswer:"
    scores = {
        name: answer(Writer([d["answer"] for d in found]), tasks)
        for name, found in (("new", [i.doc for i in instances]), ("old", [docs[n] for n in items["item"]]))
    }
    assert {line[1:3] for line in scores["new"]} == {("strict-match", "exact_match"), ("flexible-extract", "exact_match")}
    assert {line[4] for line in scores["new"]} == {1.0}, "the new answers are right"
    assert {line[4] for line in scores["old"]} == {0.0}, "whoever has the published answers by heart gets nothing"


def test_without_network_one_line_names_the_row(tmp_path, offline):
    with pytest.raises(SystemExit, match="key of: lm-eval has no gsm9k.yaml"):
        write_suite(tmp_path / "suite", row={**ROW, "of": "gsm9k"}, code="c")
    with pytest.raises(SystemExit) as error:
        write_suite(tmp_path / "suite", row=ROW, code="c")
    assert str(error.value).startswith("suite published-perturbed: dataset openai/gsm8k at 777") and "\n" not in str(
        error.value
    )


def test_the_published_problems_come_from_the_hub_at_their_revision(loopback, offline_after):
    docs = [{"question": "1 and 1?", "answer": "1+1=<<1+1=2>>2\n#### 2"}]
    out = io.BytesIO()
    pd.DataFrame(docs).to_parquet(out)
    configs = b"---\nconfigs:\n- config_name: main\n  data_files:\n  - {split: test, path: main/test.parquet}\n---\n"
    files = {"README.md": configs, "main/test.parquet": out.getvalue(), "gsm8k.py": b"raise", ".gitattributes": b""}
    loopback.repos["datasets/openai/gsm8k"] = files
    row = {**ROW, "revision": REVISION, "config": "main", "split": "test"}
    assert read_hub(row) == docs
    offline_after()
    assert read_hub(row) == docs
    assert loopback.downloaded() == {"README.md", "main/test.parquet"}
