"""Corpora that a generator writes: what a budget takes, what a killed run repeats, what comes of useless answers."""

import itertools
import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from math import comb
from pathlib import Path

import pytest

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import BrokenArtifact, read_card
from scripts.synthesis import generate as making
from scripts.synthesis.collect import collect, total
from scripts.synthesis.generators import generator
from scripts.synthesis.requests import Answer, Refused, Request
from tests.synthesis.chat_server import KEY, serving

ROW = {
    "name": "entigraph-books",
    "scale": "smoke",
    "method": "entigraph",
    "engine": "pocket",
    "source_model": "rules",
    "tokens": 1000,
    "attempts": 3,
    "unusable": 0.5,
}
NAMES = ["Ada", "Bo", "Cy", "Di", "Ed", "Fay"]
BOOKS = [f"Book {i}, Author, 190{i}.\n" + " ".join(f"{name} walks." for name in NAMES[: 2 + i]) for i in range(5)]


def teacher(request: Request, seed: int) -> str:
    """A stand-in: names the entities of a document, and makes texts of 5 to 20 words that say what was asked."""
    names = [name for name in NAMES if name in request.document]
    title = request.document.split(",")[0]
    if request.kind == "entities":
        return json.dumps({"summary": f"{title} has {len(names)}.", "entities": names})
    if request.kind == "active-reading-strategies":
        return json.dumps({"strategies": ["rhyme", "ask"]})
    if request.kind == "textbook-outline":
        return f"{title}\n" + "\n".join(f"Chapter {n}: {request.fields['audience']}" for n in range(1, 11))
    if request.kind == "mga-genres":
        return json.dumps({"pairs": [{"genre": "ode", "audience": "all"}, {"genre": "list", "audience": "some"}]})
    said = [title, request.kind, *itertools.chain(*([v] if isinstance(v, str) else v for v in request.fields.values()))]
    return " ".join([*said, *["word"] * random.Random(seed).randint(5, 20)])


def count(texts: list[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def made(changes: dict | None = None, *, answer=teacher, books=tuple(BOOKS), reorder=None, calls=None) -> list[making.Writing]:
    """The texts that ``answer`` gives, with the budget divided by the lengths of the books."""
    row = {**ROW, **(changes or {})}
    generate = generator(row, teacher=answer, count=count)
    calls = [] if calls is None else calls

    def ask(asked):
        calls.extend(asked)
        answers = list(generate(*zip(*asked, strict=True))) if asked else []
        return [found for _, found in sorted(reorder(answers) if reorder else answers)]

    documents = list(zip(map(str, range(len(books))), books, making.parts(count(list(books)), row["tokens"]), strict=True))
    return making.synthesize(documents, row=row, method=making.METHODS[row["method"]], ask=ask, count=count)


def test_a_budget_is_divided_by_length_to_the_last_token():
    assert making.parts([1, 1, 2], 10) == [2, 3, 5]
    lengths = [random.Random(i).randint(1, 999) for i in range(100)]
    found = making.parts(lengths, 12_345)
    assert sum(found) == 12_345
    assert all(abs(part - 12_345 * one / sum(lengths)) < 1 for part, one in zip(found, lengths, strict=True))


def test_entigraph_is_the_summary_all_pairs_and_all_triples_where_the_budget_has_room():
    for i, one in enumerate(made({"tokens": 10**6})):
        n = 2 + i
        assert Counter(text.kind for text in one.texts) == +Counter(entities=1, pair=comb(n, 2), triple=comb(n, 3))
        assert one.ended and not one.open
        about = [tuple(text.fields["entities"]) for text in one.texts if text.kind == "pair"]
        assert sorted(about) == sorted(itertools.combinations(NAMES[:n], 2))
        assert all(text.text.startswith(f"Book {i}") for text in one.texts), "a text says nothing of another document"


@pytest.mark.parametrize("method", making.METHODS)
def test_each_document_gives_the_shortest_beginning_that_reaches_its_part(method):
    for one in made({"method": method, "tokens": 600}):
        tokens = [len(text.text.split()) + 1 for text in one.texts]  # EOS counts, as in training
        assert tokens == [text.tokens for text in one.texts] and sum(tokens) == one.tokens
        assert one.tokens >= one.part > one.tokens - tokens[-1] or one.ended
        assert len({(text.text, text.seed) for text in one.texts}) == len(tokens), "rounds differ by their seeds"


@pytest.mark.parametrize("method", [name for name in making.METHODS if name not in ("hq", "qa-pairs")])
def test_a_greater_budget_only_adds(method):
    few, many = (made({"method": method, "tokens": tokens}) for tokens in (300, 900))
    assert all(two.texts[: len(one.texts)] == one.texts for one, two in zip(few, many, strict=True))
    assert sum(len(one.texts) for one in many) > sum(len(one.texts) for one in few)


@pytest.mark.parametrize("method", ["hq", "qa-pairs"])
def test_a_page_is_rewritten_once_whatever_the_budget_has_room_for(method):
    for one in made({"method": method, "tokens": 10**6}):
        assert len(one.texts) == 1 and one.ended and one.tokens < one.part


def test_a_book_has_the_chapters_of_its_outline_and_one_audience():
    for one in made({"method": "textbook", "tokens": 10**6}):
        assert [text.fields["chapter"] for text in one.texts] == [str(n) for n in range(1, 11)]
        assert len({text.fields["audience"] for text in one.texts}) == 1
        assert all(text.kind == "textbook-chapter" for text in one.texts), "the outline is no part of the corpus"


def test_texts_of_other_lengths_than_the_row_s_are_dropped_counted_and_not_asked_for_again():
    calls: list = []
    found = made({"method": "hq", "tokens": 10**6, "lengths": [12, 18], "unusable": 1.0}, calls=calls)
    every = {one.id: one.texts[0].tokens - 1 for one in made({"method": "hq", "tokens": 10**6})}
    for one in found:
        assert (one.dropped, len(one.texts)) == ((0, 1) if 12 <= every[one.id] <= 18 else (1, 0))
        assert one.texts or re.fullmatch(r"hq: \d+ tokens, expected 12 to 18", making.skipped([one])[one.id])
    dropped = sum(one.dropped for one in found)
    assert 0 < dropped < len(found) == len(calls) and making.counts_of(found, {})["dropped"] == dropped


def test_a_corpus_is_its_seed_s():
    one, same, other = (made({"seed": seed}) for seed in (0, 0, 1))
    assert [each.texts for each in one] == [each.texts for each in same] != [each.texts for each in other]


def test_few_answers_are_asked_for_beyond_the_budget():
    calls: list = []
    found = made({"method": "rephrase", "tokens": 20_000}, calls=calls)
    used = sum(len(one.texts) for one in found)
    assert len(calls) - used == sum(one.unused for one in found) < 0.1 * used


def test_few_are_asked_for_beyond_the_budget_where_longer_texts_follow_shorter_ones(monkeypatch):
    names = [f"{letter}el" for letter in "ABCDEFGHIJKL"]  # 66 pairs, then triples, whose texts are four times as long
    monkeypatch.setattr(f"{__name__}.NAMES", names)
    books = [f"Book {i}, Author, 1900.\n" + " ".join(f"{name} walks." for name in names) for i in range(5)]
    found = made(
        {"tokens": 5 * 6000},
        books=tuple(books),
        answer=lambda request, seed: teacher(request, seed) + " word" * 45 * (request.kind == "triple"),
    )
    used = sum(len(one.texts) for one in found)
    assert all(one.texts[-1].kind == "triple" for one in found)
    assert sum(one.unused for one in found) < 0.15 * used


def test_an_unusable_first_answer_is_asked_for_again_with_another_seed():
    seeds: dict = {}

    def stubborn(request, seed):
        if request.kind != "entities":
            return teacher(request, seed)
        seeds.setdefault(request.document, []).append(seed)
        return "No." if len(seeds[request.document]) < 3 else teacher(request, seed)

    found = made(answer=stubborn)
    assert all(len(set(each)) == 3 for each in seeds.values()) and all(one.texts for one in found)


def test_a_document_whose_answers_never_validate_is_skipped_and_said():
    calls: list = []

    def silent(request, seed):
        wrong = request.kind == "entities" and "Book 3" in request.document
        return '{"entities": ["A", "B"]}' if wrong else teacher(request, seed)

    found, usual = made(answer=silent, calls=calls), made()
    assert making.skipped(found) == {"3": "entities: key summary: expected a text, found 'None'"}
    assert [one.texts for one in found if one.id != "3"] == [one.texts for one in usual if one.id != "3"]
    assert sum("Book 3" in request.document for request, _ in calls) == ROW["attempts"]
    counts = making.counts_of(found, {})
    assert (counts["parents"], list(counts["skipped"])) == (4, ["3"])


def test_beyond_a_share_of_them_the_run_stops():
    def silent(request, seed):
        wrong = request.kind == "entities" and request.document[5] in "134"
        return "I cannot." if wrong else teacher(request, seed)

    calls: list = []
    message = "key unusable: 3 of 5 documents came to nothing, expected a share of 0.5 at most; 1, asked 3 times: entities: "
    with pytest.raises(Refused, match=message):
        made(answer=silent, calls=calls)
    assert {request.kind for request, _ in calls} == {"entities"}, "before the expensive calls"
    assert len(making.skipped(made({"unusable": 0.6}, answer=silent))) == 3


def test_a_text_that_never_comes_is_left_out_and_a_document_without_any_is_given_up():
    def gaps(request, seed):
        if request.kind == "rephrase-hard" or "Book 2" in request.document:
            return " "
        return teacher(request, seed)

    calls: list = []
    found = made({"method": "rephrase"}, answer=gaps, calls=calls)
    assert list(making.skipped(found)) == ["2"] and "expected a text, found ' '" in found[2].said
    assert sum("Book 2" in request.document for request, _ in calls) <= 5 * ROW["attempts"]
    assert {text.kind for one in found for text in one.texts} == {"rephrase-easy", "rephrase-medium"}
    assert all(one.tokens >= one.part for one in found if one.id != "2")


def test_a_cut_text_is_kept_as_incomplete_and_a_withheld_one_is_not_kept():
    assert making.text_of(Answer(" cut ", 1, 1, "length")) == "cut"
    with pytest.raises(ValueError, match="ended by content_filter"):
        making.text_of(Answer("half of", 1, 1, "content_filter"))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Path:
    """Words as tokens: each word is one, whatever it is."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("models") / "Student"
    words = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def books(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sources") / "documents.parquet"
    write_documents(path, [document(text, source="books") for text in BOOKS], row={"name": "books"}, code="c")
    return path


@pytest.fixture
def by_rules(monkeypatch):
    monkeypatch.setattr(making, "_teacher", lambda row: teacher)


def write(folder: Path, books: Path, tokenizer: Path, shard: str = "1-of-1", **changes) -> Path:
    out = folder / f"{shard}.parquet"
    making.write_shard({**ROW, **changes}, "c0de", books, tokenizer, shard, out, folder / "work" / shard)
    return out


def test_documents_and_card_say_what_they_are(books, tokenizer, tmp_path, by_rules, capsys):
    out = write(tmp_path, books, tokenizer)
    found, card, sources = read_documents(out), read_card(out), read_documents(books)
    assert found["id"].is_unique and set(found["method"]) == {"entigraph"} and set(found["source_model"]) == {"rules"}
    parents = dict(zip(sources["id"], sources["text"], strict=True))
    for one in found.itertuples():
        (parent,) = one.parent_ids
        assert one.text.startswith(parents[parent].split(",")[0]) and one.seed >= 0 and one.complete
        assert json.loads(one.meta)["kind"] in ("entities", "pair", "triple")
    counts = card["counts"]
    assert counts["tokens"] == sum(count(found["text"].tolist())) + len(found)
    assert counts["budget"] == ROW["tokens"] and 0 < counts["short"] < 5, "a book of two names has no more to give"
    assert counts["tokens"] == sum(kind["tokens"] for kind in counts["texts"].values())
    assert counts["calls"]["entities"]["calls"] == 5 and counts["calls"]["entities"]["tokens_in"] == sum(count(BOOKS))
    made = sum(kind["texts"] for kind in counts["texts"].values())
    assert sum(kind["calls"] for kind in counts["calls"].values()) == made + counts["unused"] + counts["failed"]
    assert not (tmp_path / "work/1-of-1").exists()
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("entigraph-books, shard 1-of-1: 5 documents; will ask for about 7 calls, ")


def test_a_corpus_does_not_depend_on_its_shards(books, tokenizer, tmp_path, by_rules):
    made = {}
    for n in (1, 3):
        shards = [str(write(tmp_path, books, tokenizer, f"{k}-of-{n}")) for k in range(1, n + 1)]
        assert all(len(read_documents(shard)) for shard in shards)
        made[n] = tmp_path / f"{n}/synthesized.parquet"
        collect(shards, made[n], tmp_path / f"{n}/samples.txt", row=ROW, code="joined")
    assert made[1].read_bytes() == made[3].read_bytes()
    one, three = (read_card(path)["counts"] for path in made.values())
    assert {**one, "unused": 0, "calls": 0} == {**three, "unused": 0, "calls": 0}, "waves may ask for a few more or less"
    assert (tmp_path / "1/samples.txt").read_text() == (tmp_path / "3/samples.txt").read_text()
    assert ": pair | Ada, Bo\nBook" in (tmp_path / "1/samples.txt").read_text()
    with pytest.raises(BrokenArtifact, match="another row, prompt or model made it than"):
        collect(shards, tmp_path / "o.parquet", tmp_path / "s.txt", row={**ROW, "tokens": 5}, code="joined")


def test_a_source_without_documents_is_named(tokenizer, tmp_path):
    write_documents(tmp_path / "none.parquet", [], row={"name": "none"}, code="c")
    with pytest.raises(Refused, match="none.parquet: no documents"):
        write(tmp_path, tmp_path / "none.parquet", tokenizer)


def test_counts_of_shards_add_up():
    one = {"tokens": 3, "calls": {"qa": {"calls": 2}}, "skipped": {"a": "No."}}
    two = {"tokens": 4, "calls": {"qa": {"calls": 3}, "pair": {"calls": 1}}, "skipped": {"b": "Nor."}}
    calls = {"qa": {"calls": 5}, "pair": {"calls": 1}}
    assert total([one, two]) == {"tokens": 7, "calls": calls, "skipped": {"a": "No.", "b": "Nor."}}


def _slow(request, seed):
    with open(os.environ["SEEN"], "a") as file:
        file.write(f"{seed}\n")
    time.sleep(0.01)
    return teacher(request, seed)


def test_a_killed_run_repeats_no_finished_call(books, tokenizer, tmp_path, monkeypatch):
    """SIGKILL in the middle; what the journal has is not asked again, and the corpus is that of a run that nothing killed."""
    monkeypatch.setattr("scripts.synthesis.generators.BLOCK", 1)
    monkeypatch.setattr(making, "_teacher", lambda row: _slow)
    seen = {name: tmp_path / f"{name}.txt" for name in ("whole", "cut", "resumed")}
    monkeypatch.setenv("SEEN", str(seen["whole"]))
    expected = write(tmp_path / "whole", books, tokenizer).read_bytes()
    monkeypatch.setenv("SEEN", str(seen["cut"]))
    child = multiprocessing.get_context("fork").Process(target=write, args=(tmp_path / "cut", books, tokenizer), daemon=True)
    child.start()
    journal = tmp_path / "cut/work/1-of-1/answers.jsonl"
    deadline = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < 12:
        assert child.is_alive() and time.monotonic() < deadline, "ended before it could be killed"
        time.sleep(0.002)
    child.kill()
    child.join()
    kept = journal.read_bytes().count(b"\n")
    assert child.exitcode == -signal.SIGKILL and not (tmp_path / "cut/1-of-1.parquet").exists()
    monkeypatch.setenv("SEEN", str(seen["resumed"]))
    assert write(tmp_path / "cut", books, tokenizer).read_bytes() == expected
    calls = {name: path.read_text().split() for name, path in seen.items()}
    assert len(calls["resumed"]) == len(calls["whole"]) - kept > 0
    assert len(calls["cut"]) - kept <= 1, "the call during which it was killed"
    assert set(calls["cut"][:kept]) | set(calls["resumed"]) == set(calls["whole"])
    cards = [read_card(tmp_path / name / "1-of-1.parquet")["counts"] for name in ("whole", "cut")]
    assert cards[0] == cards[1], "tokens of calls before the kill are counted"


def test_the_command_line_stops_with_one_line_that_names_row_shard_and_key(books, tokenizer, tmp_path):
    def run(**changes):
        files = {"documents": books, "tokenizer": tokenizer, "out": tmp_path / "o.parquet", "work": tmp_path / "w", "code": "c"}
        making.main(["--row", json.dumps({**ROW, **changes}), "--shard", "1-of-2", *(f"--{k}={v}" for k, v in files.items())])

    for changes, message in (
        ({"method": "summarise"}, "key method: expected one of entigraph, rephrase, "),
        ({"engine": "gpt"}, "key engine: "),
        ({"engine": "openai"}, "key engine: openai needs --prompts"),
    ):
        with pytest.raises(SystemExit, match=f"^entigraph-books, shard 1-of-2: {message}"):
            run(**changes)
    assert not (tmp_path / "o.parquet").exists()


def answer_of(body: dict) -> str:
    """The stand-in teacher behind an endpoint: it reads messages, not requests."""
    system, user = (message["content"] for message in body["messages"])
    text, _, entities = user.removeprefix("### Document\n").partition("\n\n### Entities\n")
    names = [line.removeprefix("- ") for line in entities.splitlines()]
    kind = "entities" if '"entities"' in system else ("pair", "triple")[len(names) - 2]
    return teacher(Request(kind, text, {"entities": names} if names else {}), body["seed"])


def test_a_killed_run_of_an_endpoint_repeats_no_finished_call(root, books, tokenizer, tmp_path):
    """The command itself, killed in the middle of its calls; counted is what the endpoint saw."""
    pytest.importorskip("openai", reason="the client of engine openai is not installed here")
    with serving(answer_of) as end:
        end.delay = 0.03
        about = {"base_url": end.base_url, "model": "writer-1", "key_variable": "WRITER_KEY", "concurrency": 3}
        about |= {"requests_per_minute": 1e6, "tokens_per_minute": 1e9, "retries": 2, "timeout": 60}
        row = {**ROW, "engine": "openai", "max_new_tokens": 99, "endpoint": about}

        def command(name: str) -> list[str]:
            files = {"documents": books, "tokenizer": tokenizer, "prompts": root / "papers/entigraph/prompts", "code": "c"}
            files |= {"out": tmp_path / f"{name}.parquet", "work": tmp_path / name, "row": json.dumps(row)}
            return [sys.executable, "-m", "scripts.synthesis.generate", *(f"--{k}={v}" for k, v in files.items())]

        run = {"cwd": root, "env": {**os.environ, "WRITER_KEY": KEY}, "stderr": subprocess.DEVNULL}
        child = subprocess.Popen(command("cut"), **run)
        journal = tmp_path / "cut/answers.jsonl"
        deadline = time.monotonic() + 300
        while not journal.exists() or journal.read_bytes().count(b"\n") < 15:
            assert child.poll() is None and time.monotonic() < deadline, "ended before it could be killed"
            time.sleep(0.005)
        child.kill()
        child.wait()
        kept, before = journal.read_bytes().count(b"\n"), len(end.asked)
        assert not (tmp_path / "cut.parquet").exists() and before - kept <= 3, "lost are calls that were under way"
        time.sleep(0.1)
        subprocess.run(command("cut"), check=True, **run)
    resumed = len(end.asked) - before
    counts = read_card(tmp_path / "cut.parquet")["counts"]
    calls = sum(kind["calls"] for kind in counts["calls"].values())
    assert resumed == calls - kept > 0
    times = Counter(json.dumps(body, sort_keys=True) for body in end.asked)
    assert len(times) == calls and sum(times.values()) - calls <= 3
    assert counts["calls"]["pair"]["tokens_in"] == 11 * counts["calls"]["pair"]["calls"], "as the endpoint tells"
    texts = read_documents(tmp_path / "cut.parquet")["text"]
    assert set(texts.str.split().str[2]) == {"has", "pair", "triple"}
