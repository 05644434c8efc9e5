"""Probes of the concept world as a suite of lm-eval: what a model recalls of its facts.

Reads a suite row (world, concepts, seed, items, tasks), concept_data/concepts.yaml and the task files of
scripts/evaluation/tasks; makes the folder that scripts/sources/benchmarks.py describes. Both tasks ask the same facts, drawn
evenly from all concepts, and score four values of the relation by their likelihood: ``concepts_recall`` as the end of a
sentence that documents have too, ``concepts_choice`` as the answer to a question in words that no document has. An item names
its concept and the concept's rank (0 is told of most), by which results are told apart.
"""

import random

from scripts.lib.progress import logging_to
from scripts.lib.seeds import seed_of
from scripts.sources.benchmarks import distractors, place_answers, write_tasks
from scripts.sources.concepts import concepts, wordings

TASKS = ("concepts_recall", "concepts_choice")


def cloze(relation: str, concept: str) -> str:
    """The sentence that states a fact of the relation, up to the value: ``The flag of Beldaham is``."""
    before, _, _ = wordings()["relations"][relation]["tell"][0].partition(" {o}")
    return before.format(s=concept)


def question(relation: str, concept: str) -> str:
    """A question in words of no document, laid out as an item."""
    words = wordings()
    return words["layout"].format(q=words["relations"][relation]["probe"].format(s=concept))


def make_items(row: dict) -> dict[str, list[dict]]:
    """Items of the tasks that a suite row names, the same facts in the same order in each; every choice is as often right.

    Raises:
        ValueError: when a task is not known, or the world has not so many facts.
    """
    place = concepts(row["world"], row["concepts"])
    where = f"suite {row.get('name', '')!r}"
    if unknown := sorted(set(row["tasks"]) - set(TASKS)):
        raise ValueError(f"{where}, key tasks: {unknown} unknown; expected some of {sorted(TASKS)}")
    facts = [(relation, rank) for relation in sorted(place.truth) for rank in range(len(place.names))]
    if row["items"] > len(facts):
        raise ValueError(f"{where}, key items: {row['items']} asked for; {row['concepts']} concepts have {len(facts)} facts")
    rng = random.Random(seed_of("concept-probes", row["world"], row["seed"]))
    asked = sorted(rng.sample(facts, row["items"]))
    found = {}
    for relation in sorted(place.truth):
        ranks = [rank for one, rank in asked if one == relation]
        answers = [place.truth[relation][place.names[rank]] for rank in ranks]
        values = wordings()["relations"][relation]["values"]
        wrong = distractors(rng, answers) if len(set(answers)) > 3 else [_others(rng, answer, values) for answer in answers]
        placed = place_answers(rng, answers, wrong) if answers else []
        found |= {(relation, rank): one for rank, one in zip(ranks, placed, strict=True)}
    order = rng.sample(asked, len(asked))
    say = {"concepts_recall": cloze, "concepts_choice": question}
    tasks: dict[str, list[dict]] = {}
    for task in row["tasks"]:
        tasks[task] = []
        for item, (relation, rank) in enumerate(order):
            (choices, label), concept = found[relation, rank], place.names[rank]
            made = {"item": item, "query": say[task](relation, concept), "choices": choices, "label": label}
            tasks[task].append({**made, "relation": relation, "concept": concept, "rank": rank})
    return tasks


def _others(rng: random.Random, answer: str, values: list[str]) -> list[str]:
    """Three wrong choices where a tiny suite has too few distinct answers."""
    return rng.sample([value for value in values if value != answer], 3)


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        given = snakemake.params.row
        write_tasks(snakemake.output[0], make_items(given), {}, row=given, code=snakemake.params.code)
