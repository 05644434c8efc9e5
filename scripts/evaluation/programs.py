"""What lm-eval's code tasks take for Hugging Face's `code_eval`: the same contract, with every program run in the sandbox.

lm-eval's own humaneval and mbpp fetch `code_eval` from the hub and run generated code in a child of this process; `CODE` takes
its place. Programs of one checkpoint are collected first and run as one batch: a sandbox costs more than a program.
Also registers what local tasks need: the metric ``pass@1`` and the filter ``program`` (the prompt before what was generated).
"""

import contextlib
import functools
import math
from collections.abc import Iterator, Sequence

from scripts.evaluation.sandbox import Outcome, run_programs

SECONDS = 3.0  # as code_eval, but of CPU time: a busy machine changes no score


def pass_at(n: int, c: int, k: int) -> float:
    """The unbiased estimate of pass@k from n programs of which c passed: 1 - C(n - c, k) / C(n, k) (Chen et al. 2021, eq. 1).

    Worked example: ``pass_at(4, 1, 2)`` is 0.5.
    """
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


class CodeEval:
    """Outcomes of the programs run so far, and those that wait for the next batch; one a process, as lm-eval keeps it."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.waiting: dict[str, None] | None = None

    @contextlib.contextmanager
    def collected(self) -> Iterator[dict[str, None]]:
        """Within it, `compute` runs nothing, counts every program as failed and collects those without an outcome."""
        self.waiting = {}
        try:
            yield self.waiting
        finally:
            self.waiting = None

    def run(self, programs: Sequence[str]) -> None:
        """Run those programs that were not run before, as one batch."""
        todo = [program for program in dict.fromkeys(programs) if program not in self.outcomes]
        if todo:
            self.outcomes |= dict(zip(todo, run_programs(todo, SECONDS), strict=True))

    def compute(
        self, references: Sequence[str], predictions: Sequence[Sequence[str]], k: Sequence[int] = (1, 10, 100), **_: object
    ) -> tuple[dict[str, float], dict[int, list[tuple[int, dict]]]]:
        """pass@k over the problems, and what became of each program; the contract of `code_eval`.

        Args:
            references: the tests of each problem.
            predictions: the programs proposed for each problem; the tests are appended.
            k: pass@k is given for those k of which every problem has at least as many programs.
        """
        tried = [[f"{p}\n{tests}" for p in proposed] for proposed, tests in zip(predictions, references, strict=True)]
        programs = [program for proposed in tried for program in proposed]
        if self.waiting is None:
            self.run(programs)
        else:
            self.waiting |= dict.fromkeys(program for program in programs if program not in self.outcomes)
        absent = Outcome(False, "not run")
        found = [[self.outcomes.get(program, absent) for program in proposed] for proposed in tried]
        counts = [(len(each), sum(outcome.passed for outcome in each)) for each in found]
        scores = {
            f"pass@{n}": sum(pass_at(total, passed, n) for total, passed in counts) / len(counts)
            for n in k
            if all(total >= n for total, _ in counts)
        }
        results = {
            i: [
                (j, {"task_id": i, "passed": outcome.passed, "result": outcome.reason or "passed", "completion_id": j})
                for j, outcome in enumerate(each)
            ]
            for i, each in enumerate(found)
        }
        return scores, results


CODE = CodeEval()


@functools.cache
def replace_code_eval() -> None:
    """Give lm-eval's own tasks `CODE` for `evaluate.load("code_eval")`, which they load as they are imported."""
    import evaluate

    load = evaluate.load
    evaluate.load = lambda path, *rest, **more: CODE if path == "code_eval" else load(path, *rest, **more)


@functools.cache
def register() -> None:
    """Let local tasks name the metric pass@1 and the filter program."""
    from lm_eval.api.filter import Filter
    from lm_eval.api.registry import register_filter, register_metric

    @register_metric(metric="pass@1", higher_is_better=True, aggregation="mean")
    def pass_at_1(references: list[str], predictions: list[list[str]]) -> dict[str, float]:
        return CODE.compute(references, predictions, [1])[0]

    @register_filter("program")
    class Program(Filter):
        """A program from what was generated: the item's query goes before it, as lm-eval's humaneval does it."""

        def apply(self, resps: list[list[str]], docs: list[dict]) -> list[list[str]]:
            return [[doc["query"] + text for text in texts] for texts, doc in zip(resps, docs, strict=True)]
