"""QuALITY: two sets of questions about an article are one, prompts hold no article, and what a model answers is read."""

import json

import pandas as pd
import pytest

from scripts.sources import quality
from scripts.sources.path import BadSource

ROW = {"name": "quality", "scale": "gpu", "repo": "a/b", "revision": "0" * 40, "licence": "CC-BY-4.0", "articles": 2}
TASK = {"quality": {"metric": "exact_match", "filter": "answer"}}


def question(number, title="The Bell", author="A. Writer", gold=2, **more):
    return {
        "title": title, "author": author, "year": "1953", "article": f"{title} rang.\nIt stopped.",
        "question": f"Why {number}? ", "options": [f"{number} {letter}" for letter in "wxyz"], "gold_label": gold,
        "difficult": number % 2, "question_unique_id": f"q{number}", **more,
    }  # fmt: skip


QUESTIONS = pd.DataFrame(
    [question(3), question(1, gold=4), question(2, title="Ash"), question(4, title="The Bell", author="B.")]
)


def test_articles_are_merged_and_stand_in_the_order_of_their_titles():
    found = quality.articles(QUESTIONS, 3)
    assert [part["question_unique_id"].tolist() for part in found] == [["q2"], ["q1", "q3"], ["q4"]]
    assert quality.text_of(found[1].iloc[0].to_dict()) == "The Bell, A. Writer, 1953.\nThe Bell rang.\nIt stopped."
    with pytest.raises(ValueError, match="key articles: 3 articles in the data, expected 4"):
        quality.articles(QUESTIONS, 4)


def test_items_ask_without_the_article_after_five_examples():
    items = quality.make_items(QUESTIONS, 2)
    assert [(one["item"], one["book"], one["answer"], one["difficult"]) for one in items] == [
        (0, 0, "B", False),
        (1, 1, "D", True),
        (2, 1, "B", True),
    ]
    prompt = items[1]["query"]
    assert prompt.endswith(items[1]["question"]) and items[1]["question"].count("### Question\n") == 1
    assert "rang" not in prompt and prompt.count("### Question\n") == 6
    assert prompt.endswith(
        'In the context of "The Bell", written by A. Writer in 1953, why 1? There is only one correct choice.\n'
        "### Choices\nA. 1 w\nB. 1 x\nC. 1 y\nD. 1 z\n### Thought Process and Answer\nThought process:"
    )
    assert [prompt.split("Answer: ")[i][:2] for i in range(1, 6)] == ["C.", "B.", "A.", "A.", "D."]  # as published
    assert items[0]["text"].splitlines() == ["Why 2? ", "2 w", "2 x", "2 y", "2 z"]  # what is looked for in a corpus


def test_an_answer_is_read_wherever_it_stands_and_none_is_wrong(tmp_path, monkeypatch):
    from scripts.evaluation import suites

    monkeypatch.chdir(tmp_path)
    quality.write_suite("suites/quality", row={**ROW, "kind": "quality", "tasks": TASK}, code="", questions=QUESTIONS)
    tasks = suites.load_tasks({**ROW, "kind": "quality", "tasks": TASK}, "suites/quality")

    class LM:
        """Answers the first right, the second wrong, the third not at all."""

        def generate_until(self, instances):
            assert [one.args[1]["until"] for one in instances] == [["### Question"]] * 3
            return [" It rings. Answer: B.\n\n", " Answer: A.\n", " I do not know"]

    found = suites.answer(LM(), tasks)
    assert [(task, chosen, metric, item, score) for task, chosen, metric, item, score in found] == [
        ("quality", "answer", "exact_match", item, score) for item, score in enumerate([1.0, 0.0, 0.0])
    ]


def test_a_source_is_read_from_parquet_and_other_columns_are_named(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    QUESTIONS[:2].to_parquet(tmp_path / "data/train-0.parquet")
    QUESTIONS[2:].to_parquet(tmp_path / "data/validation-0.parquet")
    files = {"data/train-0.parquet": None, "data/validation-0.parquet": None, "README.md": None}
    monkeypatch.setattr(quality.hub, "files_of", lambda row, kind: files)
    monkeypatch.setattr(quality.hub, "fetch", lambda row, names, kind, files: tmp_path)
    quality.write_source(tmp_path / "documents.parquet", row=ROW, code="")
    found = pd.read_parquet(tmp_path / "documents.parquet")
    assert found["text"].tolist() == ["Ash, A. Writer, 1953.\nAsh rang.\nIt stopped."] + [
        "The Bell, A. Writer, 1953.\nThe Bell rang.\nIt stopped."
    ]
    assert json.loads(found["meta"][0])["title"] == "Ash"
    QUESTIONS.drop(columns="author").to_parquet(tmp_path / "data/validation-0.parquet")
    with pytest.raises(BadSource, match="row quality, key repo: a/b has not the columns expected: .*author"):
        quality.read(ROW)
