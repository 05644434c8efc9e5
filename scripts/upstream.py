"""What stands upstream of an artifact, asked of Snakemake's own rules, so that no list of it is kept anywhere.

Answers the rules of rules/claims.smk, which pass Snakemake's ``workflow``. No job runs and no file is read.
"""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import TYPE_CHECKING

from scripts import answers

if TYPE_CHECKING:
    from snakemake.output_index import OutputIndex
    from snakemake.workflow import Workflow


def _producer(workflow: "Workflow", index: "OutputIndex", path: str) -> tuple[list[str], str | None, str]:
    """Input files, timing file and rule's docstring of the job that makes a path; ([], None, "") where no rule makes it.

    Raises:
        ValueError: naming the rules where several could make it and no ruleorder says which.
    """
    from snakemake.iocontainers import Wildcards

    able = sorted(index.match_producers(path), key=lambda rule: rule.name)
    rules = [one for one in able if all(one is other or workflow._ruleorder.compare(one, other) > 0 for other in able)]
    if not able:
        return [], None, ""
    if not rules:
        raise ValueError(f"{path}: expected one rule that makes it, found {', '.join(rule.name for rule in able)}")
    wildcards = Wildcards(fromdict=rules[0].get_wildcards(path))
    timing = rules[0].expand_benchmark(wildcards)
    read = [str(file) for file in rules[0].expand_input(wildcards)[0]]
    return read, timing and str(timing), " ".join((rules[0].docstring or "").split())


def _asked(workflow: "Workflow") -> Callable[[str], tuple[list[str], str | None, str]]:
    """``_producer`` of a path in this workflow, asked once a path: figures share most of what stands upstream of them."""
    from snakemake.output_index import OutputIndex

    return cache(partial(_producer, workflow, OutputIndex(workflow.rules)))


def tables_of(ask: Callable, figure: str, scale: str) -> list[str]:
    """The files under results/ that a figure reads: evaluations, audits and what else it draws."""
    read, _, _ = ask(f"results/{scale}/{figure}.csv")
    return sorted(path for path in dict.fromkeys(read) if path.startswith("results/"))


def timings_of(ask: Callable, figures: list[str], scale: str) -> list[str]:
    """The timing files of some figures' jobs and of every job upstream of them, the first figure's first."""
    todo, seen, timings = [f"results/{scale}/{figure}.csv" for figure in reversed(figures)], set(), []
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            read, timing, _ = ask(path)
            todo += read
            timings += [timing] if timing else []
    return [timings[0], *sorted(set(timings[1:]) - {timings[0]})]


def _tables(ask: Callable, figures: Iterable[str], number: int, scale: str) -> list[str]:
    names = [name for figure in figures for name in answers.replicates_of(figure, number, scale)]
    return sorted({path for name in names for path in tables_of(ask, name, scale)})


def tables(workflow: "Workflow", figures: dict[str, list[str]], number: int) -> Callable:
    """For ``input:``: the tables that the figures of a paper's folder read, and their replicates up to ``number``."""
    return lambda wildcards: _tables(_asked(workflow), figures[wildcards.folder], number, wildcards.scale)


def sources(workflow: "Workflow", figures: dict[str, list[str]], number: int) -> Callable:
    """For ``params:``: for each figure of a paper's folder, by the name of its claims: the folder, its rule's words on it;
    tables and timing files of it and of its replicates."""

    def found(wildcards):
        ask, scale = _asked(workflow), wildcards.scale
        return {
            figure.removeprefix(wildcards.folder): {
                "folder": wildcards.folder,
                "caption": ask(f"results/{scale}/{figure}.csv")[2],
                "tables": _tables(ask, [figure], number, scale),
                "timings": timings_of(ask, answers.replicates_of(figure, number, scale), scale),
            }
            for figure in figures[wildcards.folder]
        }

    return found
