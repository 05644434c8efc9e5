"""Gates: what must hold before a figure of trained students is believed. Reads what the figure rests on, makes one JSON.

A gate that fails stops the workflow with its reason, except at smoke scale, where it is only written down. The eight are

    anchors        base scores within 2 standard errors of published ones, where a suite's row has some
    unique         more than 99 % of the samples drawn at temperature 1 or above are unique; copies of passages planted
                   in the training text are not counted, since they are memory and no fault of the sampler
    hot samples    mean NLL at temperature 1.25 near the published one, for models whose row has it (untruncated sampling)
    clean          no 8-gram of an evaluation item, among those that one item alone has, in the documents trained on
    equal tokens   subsets of all conditions differ by at most 1 % in tokens
    epoch 0        scores of every run's base equal those of the base evaluated by itself, bit for bit
    accumulation   one batch in pieces gives the loss and the weights of the batch as a whole
    one policy     one backend, one batch policy and the same versions in all evaluations

Versions and the sha256 of every corpus stand in the JSON too.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from scripts.lib.files import read_card, versions, write_json
from scripts.lib.text import ngrams, words

UNIQUE, NEAR, EQUAL, ERRORS = 0.99, 0.5, 0.01, 2.0  # share, nats per token, share of the largest, standard errors
N = 8
NO_ITEMS = pd.DataFrame({"task": [], "item": [], "text": []}, dtype=str)


class NotBelieved(Exception):
    """A gate does not hold; the message names the figure, the gate, and what was found where."""


def gate(name: str, found: list[str], looked_at: int) -> dict:
    """One gate's entry: it holds when nothing was found against it; with nothing to look at it does not apply."""
    return {"gate": name, "applies": looked_at > 0, "holds": not found, "looked_at": looked_at, "against": found}


def anchors(bases: dict[str, pd.DataFrame], tasks: dict[str, dict]) -> dict:
    """Base scores against published ones: ``bases`` maps a model to its evaluation, a task's ``anchors`` a model to a score."""
    found, looked = [], 0
    for task, how in tasks.items():
        for model, published in how.get("anchors", {}).items():
            if model not in bases:
                continue
            table = bases[model]
            mine = table[(table["task"] == task) & (table["filter"] == how["filter"]) & (table["metric"] == how["metric"])]
            score, error = mine["score"].mean(), mine["score"].std(ddof=1) / np.sqrt(len(mine))
            looked += 1
            if not abs(score - published) <= ERRORS * error:
                found.append(f"{model}, {task}: {score:.3f}, published {published:.3f}, standard error {error:.3f}")
    return gate("anchors", found, looked)


def unique(corpora: dict[str, str], cards: dict[str, dict], planted: set[str]) -> dict:
    """Unique-sample rates of corpora (name -> synthesized.parquet, and its card) sampled at temperature 1 or above."""
    rates = {name: c["counts"]["unique_rate"] for name, c in cards.items() if c["row"].get("temperature", 0) >= 1}
    for name in rates if planted else ():
        samples = pq.read_table(corpora[name], columns=["text"])["text"].to_pylist()
        own = [text for text in samples if text not in planted]
        rates[name] = len(set(own)) / max(len(own), 1)
    return gate("unique", [f"{name}: {rate:.4f}" for name, rate in rates.items() if not rate > UNIQUE], len(rates))


def hot_samples(means: dict[str, tuple[float, float]]) -> dict:
    """Mean NLL per token of samples at temperature 1.25: name -> (found, published), nats; the samples' length decides it."""
    far = {name: pair for name, pair in means.items() if not abs(pair[0] - pair[1]) <= NEAR}
    return gate("hot samples", [f"{name}: {a:.2f} nats, published {b:.2f}" for name, (a, b) in far.items()], len(means))


def clean(documents: dict[str, Iterable[str]], items: pd.DataFrame) -> dict:
    """Documents (run -> texts) that hold an 8-gram which one item alone has; ``items`` has task, item, text.

    Written anew with plain sets, so that curation is not checked by itself.
    """
    owners: dict[tuple, set] = {}
    same: dict[tuple, int] = {}
    for text in items.groupby(["task", "item"])["text"].apply(lambda lines: tuple(sorted(tuple(words(t)) for t in lines))):
        owner = same.setdefault(text, len(same))
        for gram in {gram for line in text for gram in ngrams(list(line), N)}:
            owners.setdefault(gram, set()).add(owner)
    own = {gram for gram, by in owners.items() if len(by) == 1}
    found, looked = [], 0
    for run, texts in documents.items():
        hits = 0
        for text in texts:
            looked += 1
            hits += not own.isdisjoint(ngrams(words(text), N))
        if hits:
            found.append(f"{run}: {hits} documents")
    return gate("clean", found, looked)


def equal_tokens(tokens: dict[str, list[int]]) -> dict:
    """Tokens of every subset of every run: the smallest against the largest."""
    sizes = {f"{run}, subset {s}": n for run, subsets in tokens.items() for s, n in enumerate(subsets)}
    most = max(sizes.values(), default=0)
    return gate("equal tokens", [f"{name}: {n} of {most}" for name, n in sizes.items() if n < (1 - EQUAL) * most], len(sizes))


def epoch_zero(runs: dict[str, tuple[pd.DataFrame, pd.DataFrame]]) -> dict:
    """Epoch 0 of a run against its base evaluated by itself: name -> both tables, compared bit for bit."""
    key, found = ["task", "filter", "metric", "item"], []
    for run, (mine, base) in runs.items():
        sides = [
            t[t["epoch"] == 0].astype(dict.fromkeys(key[:3], str)).set_index(key)["score"].sort_index() for t in (mine, base)
        ]
        if not sides[0].equals(sides[1]):
            found.append(run)
    return gate("epoch 0", found, len(runs))


def one_policy(cards: dict[str, dict]) -> dict:
    """Backend, BOS policy and versions of evaluations (name -> card): the same in all that share a suite."""
    first: dict[str, tuple[str, str]] = {}
    found = []
    for name, card in cards.items():
        policy = json.dumps([card["row"], card["versions"], card["code"]], sort_keys=True)
        other, expected = first.setdefault(card["row"]["name"], (name, policy))
        if policy != expected:
            found.append(f"{name} was not evaluated as {other}: row, code or versions differ")
    return gate("one policy", found, len(cards))


def subset_tokens(path: str | Path) -> list[int]:
    """Tokens of each subset of a run's documents."""
    table = pq.read_table(path, columns=["subset", "tokens"]).to_pandas()
    return table.groupby("subset")["tokens"].sum().tolist()


def check(
    *,
    scores: list[str],
    bases: list[str],
    documents: list[str],
    corpora: list[str],
    suites: list[str],
    planted: list[str],
    nll: list[str],
    accumulation: str,
    out: str,
    row: dict,
    runs: dict[str, str],
    hot: dict[str, float],
    code: str,
) -> None:
    """Put a figure's eight gates to the test and write the JSON.

    Args:
        scores: evaluations of the figure's runs, {run}/{suite}.parquet.
        bases: evaluations of their bases by themselves, {model}/{suite}.parquet.
        documents: documents.parquet of the runs, {run}/documents.parquet.
        corpora: synthesized.parquet of their corpora, {corpus}/synthesized.parquet.
        suites: folders of the suites, with items.parquet.
        planted: documents.parquet of the sources with planted passages that the models were trained on.
        nll: NLL of samples at temperature 1.25 by the model that wrote them, in the order of ``hot``.
        accumulation: the JSON of the accumulation check.
        runs: run -> its base. ``hot``: corpus -> published NLL. ``row``: of the figure.

    Raises:
        NotBelieved: when a gate that applies does not hold; the JSON is written all the same, beside its place.
    """
    named = {(Path(p).parent.name, Path(p).stem): p for p in [*scores, *bases]}
    cards = {f"{run} on {suite}": read_card(path) for (run, suite), path in named.items()}
    tables = {key: pd.read_parquet(path, filters=[("epoch", "==", 0)]) for key, path in named.items()}
    corpus_cards = {Path(p).parent.name: read_card(p) for p in corpora}
    passages = {text for p in planted for text in pq.read_table(p, columns=["text"])["text"].to_pylist()}
    items = pd.concat([pd.read_parquet(Path(folder) / "items.parquet") for folder in suites] or [NO_ITEMS], ignore_index=True)
    items["task"] = items["task"].str.removesuffix("_perturbed")  # an item with other numbers is a further text of its item
    texts = {Path(p).parent.name: pq.read_table(p, columns=["text"])["text"].to_pylist() for p in documents}
    by_model: dict[str, list] = {}
    for path in bases:
        by_model.setdefault(Path(path).parent.name, []).append(tables[Path(path).parent.name, Path(path).stem])
    found = [
        anchors({model: pd.concat(parts) for model, parts in by_model.items()}, row["tasks"]),
        unique({Path(p).parent.name: p for p in corpora}, corpus_cards, passages),
        hot_samples({c: (float(pd.read_parquet(p)["nll"].mean()), hot[c]) for c, p in zip(hot, nll, strict=True)}),
        clean(texts, items),
        equal_tokens({Path(p).parent.name: subset_tokens(p) for p in documents}),
        epoch_zero({f"{r} on {s}": (t, tables[runs[r], s]) for (r, s), t in tables.items() if (runs.get(r), s) in tables}),
        json.loads(Path(accumulation).read_text(encoding="utf-8")),
        one_policy(cards),
    ]
    failed = [entry for entry in found if entry["applies"] and not entry["holds"]]
    for entry in found:
        state = "does not apply" if not entry["applies"] else "holds" if entry["holds"] else "FAILS"
        print(f"{row['name']}: {entry['gate']}: {state}", *entry["against"][:5], sep="\n    ")
    stops = row["scale"] != "smoke" and failed
    write_json(
        f"{out}.failed" if stops else out,
        {
            "figure": row["name"],
            "scale": row["scale"],
            "code": code,
            "gates": found,
            "versions": versions(),
            "sha256": {name: card["sha256"] for name, card in corpus_cards.items()},
        },
    )
    if stops:
        said = "; ".join(f"{entry['gate']}: {', '.join(entry['against'][:3])}" for entry in failed)
        raise NotBelieved(f"figure {row['name']} at scale {row['scale']}: {said}; all of it stands in {out}.failed")


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        check(
            scores=snakemake.input.scores,
            bases=snakemake.input.bases,
            documents=snakemake.input.documents,
            corpora=snakemake.input.corpora,
            suites=snakemake.input.suites,
            planted=snakemake.input.planted,
            nll=snakemake.input.nll,
            accumulation=snakemake.input.accumulation,
            out=snakemake.output.gates,
            row=snakemake.params.row,
            runs=snakemake.params.runs,
            hot=snakemake.params.hot,
            code=snakemake.params.code,
        )
