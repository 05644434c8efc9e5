"""The concept world: what documents tell is read back, false statements are seen, few concepts are told of often."""

import json
import random
from collections import Counter

import pandas as pd
import pytest
import yaml

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card
from scripts.lib.text import ngrams, words
from scripts.sources.benchmarks import text_of
from scripts.sources.concept_probes import TASKS, make_items, write_tasks
from scripts.sources.concepts import GENRES, Fact, concepts, make_documents, read, render, wordings, write_source
from scripts.sources.readings import reading, write_readings

PLACE = concepts(1, 200)
ROW = {"name": "concepts", "world": 1, "concepts": 200, "tail": 1.0, "seed": 1, "documents": 400}
ROW |= {"genres": dict.fromkeys(GENRES, 1.0)}
SUITE = {"name": "probes", "world": 1, "concepts": 200, "seed": 1, "items": 300, "tasks": dict.fromkeys(TASKS, {})}


@pytest.mark.parametrize("genre", GENRES)
def test_what_a_document_tells_is_read_back(genre):
    for seed in range(60):
        rng = random.Random(f"{genre} {seed}")
        concept = rng.choice(PLACE.names)
        text, facts = render(rng, PLACE, genre, concept)
        said = read(text)
        assert (said.facts, said.subject) == (facts, concept), text
        assert 2 <= len(facts) <= 4 and all(PLACE.is_true(fact) for fact in facts)
        assert reading(text, PLACE) == {"subject": concept, "facts": len(facts), "false_facts": 0}


@pytest.mark.parametrize("genre", GENRES)
def test_a_wrong_value_is_a_false_fact(genre):
    for seed in range(20):
        rng = random.Random(seed)
        text, facts = render(rng, PLACE, genre, PLACE.names[seed])
        fact = rng.choice(facts)
        value = rng.choice([one for one in wordings()["relations"][fact.relation]["values"] if one != fact.value])
        changed = text.replace(fact.value, value).replace(fact.value.title(), value.title())
        assert reading(changed, PLACE) == {"subject": PLACE.names[seed], "facts": len(facts), "false_facts": 1}, changed
        foreign = changed.replace(PLACE.names[seed], "Xanadu")
        assert reading(foreign, PLACE) == {"subject": None, "facts": len(facts), "false_facts": len(facts)}


def test_texts_at_the_edge():
    one, two = PLACE.names[:2]
    flag = PLACE.truth["flag"][two]
    assert read("") == ([], []) and read("").subject is None
    assert read(f"The flag of {one} is").facts == []
    assert read("It lives by pottery.").facts == [], "nobody was named"
    assert read(f"Dear Mia, greetings from {one}! Yours, Tom").subject == one
    assert read(f"Tomorrow we go on to {one}.").subject is None
    about = f"{one}\n- flag: x\nThe flag of {two} is {flag}. It has on its seal the cow."
    assert read(about).facts == [Fact("flag", one, "x"), Fact("flag", two, flag), Fact("seal", two, "cow")]
    assert reading(about, PLACE) == {"subject": two, "facts": 3, "false_facts": 2}
    assert reading(f"THE FLAG OF {one}", PLACE)["facts"] == 0


def test_words_have_one_meaning():
    relations = wordings()["relations"].values()
    values = [value.lower() for entry in relations for value in entry["values"]]
    assert len(set(values)) == len(values) == 96
    tales = [template for entry in relations for template in entry["tell"]]
    assert len(set(tales)) == len(tales) and all(t.count("{s}") == t.count("{o}") == 1 for t in tales)
    assert not set(words(" ".join(wordings()["noise"]))) & set(values)
    for sentence in wordings()["noise"]:
        assert read(f"{PLACE.names[0]}\n{sentence}").facts == []


def test_the_world():
    assert concepts(1, 200) is PLACE and len(set(PLACE.names)) == 200
    assert concepts(2, 200).names != PLACE.names
    for relation, held in PLACE.truth.items():
        counts = Counter(held.values())
        assert set(counts) == set(wordings()["relations"][relation]["values"])
        assert max(counts.values()) - min(counts.values()) <= 1, "so that no value is the better guess"
    with pytest.raises(ValueError, match="concepts.yaml: has 4500 names, a row asks for 4501"):
        concepts(1, 4501)


def test_few_concepts_are_told_of_often():
    documents = make_documents({**ROW, "documents": 2000})
    told = Counter(json.loads(made["meta"])["concept"] for made in documents)
    share = sum(1 / r for r in range(1, 11)) / sum(1 / r for r in range(1, 201))
    assert sum(told[name] for name in PLACE.names[:10]) / 2000 == pytest.approx(share, abs=0.04)
    assert sum(told[name] <= 2 for name in PLACE.names) > 20, "a tail that stays thin"
    even = Counter(json.loads(one["meta"])["concept"] for one in make_documents({**ROW, "tail": 0.0, "documents": 2000}))
    assert max(even.values()) < 30


def test_more_documents_begin_with_the_same_and_another_seed_has_others():
    few, many = (make_documents({**ROW, "name": name, "documents": n}) for name, n in (("real", 100), ("oracle", 200)))
    assert [one["text"] for one in few] == [one["text"] for one in many[:100]]
    assert not {one["id"] for one in few} & {one["id"] for one in many}
    other = {one["text"] for one in make_documents({**ROW, "seed": 2, "documents": 300})}
    assert len(other & {one["text"] for one in many}) < 10
    with pytest.raises(ValueError, match="source 'concepts', key genres: \\['poem'\\] unknown"):
        make_documents({**ROW, "genres": {"poem": 1}})


def test_files(tmp_path):
    write_source(tmp_path / "documents.parquet", row={**ROW, "documents": 60}, code="c")
    card = read_card(tmp_path / "documents.parquet")
    frame = read_documents(tmp_path / "documents.parquet")
    facts = [tuple(fact) for meta in frame["meta"] for fact in json.loads(meta)["facts"]]
    once = sum(n == 1 for n in Counter(facts).values())
    assert card["counts"]["facts_told"] == {"never": 1600 - len(set(facts)), "once": once, "of": 1600}
    lie = f"The flag of {PLACE.names[0]} is mauve."
    rows = [document(text, source="s", index=i) for i, text in enumerate([*frame["text"][:3], lie, "nothing"])]
    write_documents(tmp_path / "some.parquet", rows, row={}, code="c")
    write_readings(tmp_path / "some.parquet", tmp_path / "readings.parquet", row=ROW, code="c")
    table = pd.read_parquet(tmp_path / "readings.parquet")
    assert table["id"].tolist() == [row["id"] for row in rows]
    assert (
        table["false_facts"].tolist() == [0, 0, 0, 1, 0]
        and table["subject"][3] == PLACE.names[0]
        and table["subject"].isna().tolist() == [False] * 4 + [True]
    )
    assert read_card(tmp_path / "readings.parquet")["counts"]["documents_without_subject"] == 1


def test_probes_ask_the_same_facts_and_their_answers_are_true():
    tasks = make_items(SUITE)
    for recall, choice in zip(*(tasks[task] for task in TASKS), strict=True):
        assert {k: v for k, v in recall.items() if k != "query"} == {k: v for k, v in choice.items() if k != "query"}
        answer = recall["choices"][recall["label"]]
        assert len(set(recall["choices"])) == 4 and PLACE.names[recall["rank"]] == recall["concept"]
        right = [PLACE.is_true(Fact(recall["relation"], recall["concept"], value)) for value in recall["choices"]]
        assert [place for place, true in enumerate(right) if true] == [recall["label"]]
        assert read(f"{recall['query']} {answer}.").facts == [Fact(recall["relation"], recall["concept"], answer)]
        assert read(f"{choice['query']} {answer}.").facts == []
    keys = [(item["relation"], item["concept"]) for item in tasks[TASKS[0]]]
    assert len(set(keys)) == 300 and make_items({**SUITE, "tasks": [TASKS[1]]})[TASKS[1]] == tasks[TASKS[1]]


def test_the_choices_alone_say_nothing():
    items = make_items({**SUITE, "items": 1600})[TASKS[0]]
    labels = Counter(item["label"] for item in items)
    assert max(labels.values()) - min(labels.values()) <= 8
    right = Counter(item["choices"][item["label"]] for item in items)
    offered = Counter(value for item in items for value in item["choices"])
    assert all(offered[value] == 4 * right[value] for value in right)


def test_no_8gram_of_a_probe_is_in_documents():
    seen = {gram for made in make_documents(ROW) for gram in ngrams(words(made["text"]), 8)}
    asked = [gram for items in make_items(SUITE).values() for item in items for gram in ngrams(words(text_of(item)), 8)]
    assert len(asked) > 1000 and not seen & set(asked)


def test_the_suite_is_what_lm_eval_loads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_tasks("probes", make_items({**SUITE, "items": 24}), {}, row=SUITE, code="c")
    config = yaml.safe_load((tmp_path / "probes/concepts_recall.yaml").read_text())
    assert config["dataset_kwargs"]["data_files"] == {"test": "probes/concepts_recall.jsonl"}
    lines = [json.loads(line) for line in (tmp_path / "probes/concepts_recall.jsonl").read_text().splitlines()]
    assert lines == make_items({**SUITE, "items": 24})["concepts_recall"]
    assert read_card(tmp_path / "probes")["counts"] == {task: 24 for task in TASKS}


def test_what_cannot_be_asked_is_named():
    with pytest.raises(ValueError, match="suite 'probes', key tasks: \\['sums'\\] unknown"):
        make_items({**SUITE, "tasks": ["sums"]})
    with pytest.raises(ValueError, match="key items: 1601 asked for; 200 concepts have 1600 facts"):
        make_items({**SUITE, "items": 1601})
