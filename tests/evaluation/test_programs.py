"""Executed code: lm-eval's humaneval and mbpp on real items, the pocket analogue, one batch a checkpoint, and pass@k."""

import gzip
import itertools
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from scripts.evaluation import programs
from scripts.evaluation.programs import CODE, CodeEval, pass_at
from scripts.evaluation.sandbox import Outcome
from scripts.evaluation.suites import answer, describe, items_of, load_tasks
from scripts.sources.benchmarks import write_suite


def test_pass_at_k_is_the_share_of_draws_with_a_program_that_passes():
    for n, c in ((1, 0), (1, 1), (4, 1), (5, 2), (6, 6)):
        for k in range(1, n + 1):
            draws = list(itertools.combinations([True] * c + [False] * (n - c), k))
            assert pass_at(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_compute_keeps_the_contract_of_code_eval():
    tests, candidates = "assert add(2, 3) == 5", ["def add(a, b): return a * b", "def add(a, b): return a + b"]
    scores, results = CodeEval().compute(references=[tests], predictions=[candidates], k=[1, 2, 5])
    assert scores == {"pass@1": 0.5, "pass@2": 1.0}
    assert [(i, r["passed"], r["task_id"], r["completion_id"]) for i, r in results[0]] == [(0, False, 0, 0), (1, True, 0, 1)]
    assert results[0][0][1]["result"].startswith("AssertionError") and results[0][1][1]["result"] == "passed"


class Writer:
    """A model that writes what it is told to, by item."""

    def __init__(self, texts):
        self.texts = texts

    def generate_until(self, instances):
        return [self.texts[instance.doc_id] for instance in instances]


def local(folder: Path, name: str, docs: list[dict], shipped: str, **more) -> tuple[dict, Path]:
    """A suite whose one task is lm-eval's own in all but the data, which lie in the folder."""
    import lm_eval.tasks

    folder.mkdir()
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs), encoding="utf-8")
    config = {"include": str(Path(lm_eval.tasks.__file__).parent / shipped), "task": name, "dataset_path": "json"}
    config |= {"dataset_name": None, "dataset_kwargs": {"data_files": {"test": f"{name}.jsonl"}}, **more}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    return {"name": name, "kind": "pocket", "tasks": {name: {}}}, folder


def read(path: Path, n: int) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in itertools.islice(file, n)]


@pytest.fixture
def batches(monkeypatch):
    """The sizes of the batches that went into a sandbox."""
    sizes, original = [], programs.run_programs
    monkeypatch.setattr(CODE, "outcomes", {})
    # lm-eval's tasks import evaluate only for code_eval; the library itself takes seconds to import
    monkeypatch.setitem(sys.modules, "evaluate", SimpleNamespace(load=lambda path: pytest.fail(f"{path} is fetched")))
    programs.replace_code_eval.__wrapped__()
    monkeypatch.setattr(programs, "run_programs", lambda todo, *rest: sizes.append(len(todo)) or original(todo, *rest))
    return sizes


def mutate(code: str) -> str:
    """A function that returns nothing of what it should."""
    return code.replace("return", "return None and")


def test_humaneval_runs_in_the_sandbox_on_real_items(real_text, tmp_path, batches):
    docs = read(real_text / "benchmarks/HumanEval.jsonl.gz", 25)
    tasks = load_tasks(*local(tmp_path / "suite", "humaneval", docs, "humaneval/humaneval.yaml"))
    assert batches == [], "nothing runs as tasks are loaded"
    good = [doc["canonical_solution"] for doc in docs]
    scores = answer(Writer(good), tasks)
    assert batches == [25], "a checkpoint is one batch"
    assert scores == [("humaneval", "create_test", "pass@1", i, 1.0) for i in range(25)]
    mixed = [text if i % 3 else mutate(text) for i, text in enumerate(good)]
    scores = answer(Writer(mixed), tasks)
    assert [score for *_, score in scores] == [float(bool(i % 3)) for i in range(25)]
    assert batches == [25, 9], "what ran before is not run again"


def test_mbpp_runs_in_the_sandbox_on_real_items(real_text, tmp_path, batches):
    docs = read(real_text / "benchmarks/mbpp.jsonl.gz", 40)[10:]
    tasks = load_tasks(*local(tmp_path / "suite", "mbpp", docs, "mbpp/mbpp.yaml"))
    good = [doc["code"] for doc in docs]
    scores = answer(Writer([text if i % 2 else mutate(text) for i, text in enumerate(good)]), tasks)
    assert {line[:3] for line in scores} == {("mbpp", "none", "pass_at_1")}
    assert [score for *_, score in scores] == [float(i % 2) for i in range(30)]
    assert batches == [30]


def test_the_reference_in_this_process_agrees(real_text):
    """code_eval's rule (a program passes that runs to its end with its tests) by a plain exec, on trusted programs."""
    docs = read(real_text / "benchmarks/HumanEval.jsonl.gz", 12)
    tests = [f"{doc['test']}\ncheck({doc['entry_point']})" for doc in docs]
    candidates = [[doc["prompt"] + text for text in (doc["canonical_solution"], "    pass\n")] for doc in docs]

    def passes(program: str) -> bool:
        try:
            exec(program, {})
        except Exception:
            return False
        return True

    expected = [[passes(f"{c}\n{t}") for c in each] for each, t in zip(candidates, tests, strict=True)]
    scores, results = CodeEval().compute(tests, candidates, [1, 2])
    assert [[r["passed"] for _, r in results[i]] for i in range(12)] == expected
    assert scores["pass@1"] == pytest.approx(sum(map(sum, expected)) / 24) and scores["pass@2"] == 1.0


@pytest.fixture
def pocket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = {"name": "pocket-code", "kind": "pocket", "world": 1, "seed": 1, "wording": "benchmark", "code_items": 20}
    row["tasks"] = {"pocket_humaneval": {}}
    write_suite("suite", row=row, code="c")
    return row


SOLUTIONS = {"add": "n + {k}", "take": "n - {k}", "times": "n * {k}", "larger": "max(a, b)", "smaller": "min(a, b)"}
SOLUTIONS |= {"total": "a + b", "gap": "abs(a - b)"}


def test_the_pocket_analogue_is_executed(pocket, batches):
    tasks = load_tasks(pocket, "suite")
    assert describe(tasks)["pocket_humaneval"] == {"items": 20, "output": "generate_until", "chance": 0.0}
    requests = [instances[0] for _, _, instances in items_of(tasks["pocket_humaneval"])]
    assert set(requests[0].args[1]["until"]) == {"\ndef", "\nassert", "\n#", "\n\n", "<|"}
    names = [request.doc["query"].splitlines()[-1].removeprefix("def ").split("(")[0] for request in requests]
    good = [f"    return {SOLUTIONS[name.split('_')[0]].format(k=name.rpartition('_')[2])}\n" for name in names]
    scores = answer(Writer(good), tasks)
    assert scores == [("pocket_humaneval", "create_test", "pass@1", i, 1.0) for i in range(20)]
    bad = [
        "    return n + 11116=11. lilies",
        "    import os\n    os._exit(0)\n",
        "",
        "    return 0\n",
        "    while True: pass\n",
    ]
    scores = answer(Writer([*bad, *good[5:]]), tasks)
    assert [score for *_, score in scores] == [0.0] * 5 + [1.0] * 15
    assert batches == [20, 5]


def test_scores_are_those_of_lm_evals_own_evaluator(pocket, base, row):
    import lm_eval

    from scripts.evaluation import harness

    lm = harness.make_lm(row, base)[0]
    ours = answer(lm, load_tasks(pocket, "suite"))
    (task,) = load_tasks(pocket, "suite")["pocket_humaneval"]
    theirs = lm_eval.evaluate(
        lm, {"pocket_humaneval": task}, bootstrap_iters=0, log_samples=True, confirm_run_unsafe_code=True
    )["samples"]["pocket_humaneval"]
    assert [(sample["doc_id"], float(sample["pass@1"])) for sample in theirs] == [line[3:] for line in ours]


def test_collected_programs_are_not_run(monkeypatch):
    monkeypatch.setattr(programs, "run_programs", lambda *_: pytest.fail("ran"))
    code = CodeEval()
    code.outcomes["known\nt"] = Outcome(True, "")
    with code.collected() as waiting:
        assert code.compute(["t"], [["new", "known"]], [1])[0] == {"pass@1": 0.5}
    assert list(waiting) == ["new\nt"] and code.waiting is None
