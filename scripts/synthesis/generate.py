"""A corpus that a generator writes from documents: reads documents and a corpus row, makes synthesized documents and a card.

    python -m scripts.synthesis.generate --row JSON --documents D.parquet --tokenizer DIR --out X.parquet --work DIR --code HASH
        [--prompts DIR] [--model DIR] [--shard 2-of-8]

The row's method (`scripts.synthesis.methods`) says what is asked of a document: perhaps one request before all else, whose
answer is read as JSON, then a sequence of requests, each of which gives one text. The budget says how much of it is asked.

The budget, ``tokens``, is of texts in the student's tokenizer, as a run counts them (a complete text has one more for EOS): the
student's, since the curves that a corpus is for are drawn over it, whoever generates; what the generator itself counts is in
the card. Every document has a part of the budget in proportion to its own tokens, and gives the shortest beginning of its
sequence that reaches its part. So the corpus depends on row, documents and answers alone: not on shards, concurrency, or the
order in which answers come, and a greater budget only adds to each document's texts. Requests are asked in waves, each as
large as the tokens that are still wanted seem to need; the few answers beyond the budget are counted as unused.

An answer that cannot be used (no JSON as asked for, or no text) is asked for again with another seed, ``attempts`` times in
all. A text whose tokens are outside the row's ``lengths`` is dropped, counted, and not asked for again. A document whose first
request or whose texts come to nothing is listed in the card as skipped; where more than the share ``unusable`` of the documents
are, nothing is written.
"""

import argparse
import json
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import BrokenArtifact, card_path, read_card
from scripts.lib.models import BadModel, load_tokenizer
from scripts.lib.progress import Progress
from scripts.lib.seeds import seed_of
from scripts.lib.tokens import encode
from scripts.lib.work import Busy, work_folder
from scripts.synthesis.chat import Prompt, read_prompts
from scripts.synthesis.generators import ENGINES, Count, Generator, generator
from scripts.synthesis.journal import Journal
from scripts.synthesis.methods import active_reading, entigraph, hq, mga, qa, qa_pairs, rephrase, textbook
from scripts.synthesis.requests import Answer, Refused, Request, hash_of

METHODS = {"entigraph": entigraph, "rephrase": rephrase, "active-reading": active_reading, "mga": mga, "qa": qa}
OF_PAGES = {"hq": hq, "qa-pairs": qa_pairs, "textbook": textbook}  # another teacher's, where rules write
METHODS |= OF_PAGES
TYPICAL = 400  # tokens of an answer, as long as none has come
RECENT = 16  # texts of a document whose lengths tell of its next ones
GIVE_UP = 3  # a document's sequence ends where its requests that came to nothing outnumber its texts by so many

Asked = tuple[Request, int]  # with its seed
Ask = Callable[[Sequence[Asked]], list[Answer]]


class Text(NamedTuple):
    """One text of the corpus; ``index`` is its place in its document's sequence."""

    text: str
    kind: str
    fields: dict
    index: int
    seed: int
    complete: bool
    tokens: int


@dataclass
class Writing:
    """A document that texts are written from, and how far that is."""

    id: str
    text: str
    part: int  # of the budget, in tokens
    requests: Iterator[Request] = iter(())
    texts: list[Text] = field(default_factory=list)
    tokens: int = 0
    asked: int = 0  # how far in its sequence
    failed: int = 0
    dropped: int = 0
    unused: int = 0
    said: str = ""  # why the last answer that came to nothing did
    ended: bool = False

    @property
    def open(self) -> bool:
        """Whether more is wanted, and may come."""
        return self.tokens < self.part and not self.ended

    def add(self, text: Text) -> None:
        """Take a text in, unless the budget is reached."""
        if self.tokens < self.part:
            self.texts.append(text)
            self.tokens += text.tokens


def part_of(shard: str, count: int) -> range:
    """The positions of shard k of n among ``count`` documents: ``part_of("2-of-3", 10)`` is range(3, 6)."""
    match = re.fullmatch(r"(\d+)-of-(\d+)", shard)
    k, n = map(int, match.groups()) if match else (0, 0)
    if not 1 <= k <= n:
        raise Refused(f"expected a shard such as 2-of-8, found {shard!r}")
    return range((k - 1) * count // n, k * count // n)


def parts(lengths: Sequence[int], budget: int) -> list[int]:
    """A budget divided in proportion to lengths, in whole tokens that sum to it: ``parts([1, 1, 2], 10)`` is [2, 3, 5]."""
    total = sum(lengths)
    ends = [budget * upto // total for upto in accumulate(lengths)]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def settled(jobs: Sequence[tuple[Request, str, int]], read: Callable[[Answer], object], row: dict, ask: Ask) -> list[tuple]:
    """The answer to each request (request, document id, index) that could be read, asked for up to ``attempts`` times.

    Returns:
        One (seed, answer, what was read, "") each; where nothing could be read, what was read is None and the last says why.
    """
    found: list[tuple] = [()] * len(jobs)
    left = list(range(len(jobs)))
    for attempt in range(row["attempts"]):
        asked = [
            (request, seed_of(row["name"], row.get("seed", 0), name, request.kind, index, attempt))
            for request, name, index in (jobs[i] for i in left)
        ]
        for i, (_, seed), answer in zip(left, asked, ask(asked), strict=True):
            try:
                found[i] = (seed, answer, read(answer), "")
            except ValueError as error:
                found[i] = (seed, answer, None, f"{jobs[i][0].kind}: {error}")
        if not (left := [i for i in left if found[i][2] is None]):
            break
    return found


def text_of(answer: Answer) -> str:
    """The text of an answer that is one.

    Raises:
        ValueError: when it is empty, or was withheld.
    """
    if not answer.text.strip() or answer.finish not in ("stop", "length"):
        raise ValueError(f"expected a text, found {answer.text[:60]!r}, ended by {answer.finish}")
    return answer.text.strip()


def synthesize(
    documents: Sequence[tuple[str, str, int]], *, row: dict, method: ModuleType, ask: Ask, count: Count
) -> list[Writing]:
    """Write texts from documents until each has reached its part of the budget.

    Args:
        documents: id, text and part of the budget of each.
        row: of the corpus: name, perhaps seed, attempts, unusable.
        method: one of METHODS.
        ask: answers requests, in their order.
        count: tokens of texts in the student's tokenizer.

    Returns:
        Each document with its texts; a document of whose budget nothing came says why in ``said``.

    Raises:
        Refused: when more than the share ``unusable`` of the documents came to nothing.
    """
    writings = [Writing(*each) for each in documents]
    firsts = [(0, None, None, "")] * len(writings)
    if method.FIRST:
        fields = [method.fields(_seed(row, one)) if method.KINDS[method.FIRST] else {} for one in writings]
        jobs = [(Request(method.FIRST, one.text, more), one.id, 0) for one, more in zip(writings, fields, strict=True)]
        firsts = settled(jobs, lambda answer: method.read(answer.text), row, ask)
    for one, (seed, _, first, said) in zip(writings, firsts, strict=True):
        one.said, one.ended = said, bool(said)
        if not said:
            one.requests = method.requests(one.text, first, _seed(row, one))
            given = method.texts(first) if method.FIRST else []
            for text, tokens in zip(given, count(given), strict=True):
                one.add(Text(text, method.FIRST, {}, 0, seed, True, tokens + 1))
    _check_skipped(writings, row)
    low, high = row.get("lengths", (0, math.inf))
    while left := [one for one in writings if one.open]:
        known = [text.tokens for one in writings for text in one.texts] or [TYPICAL]
        waves = [_wave(one, max(sum(known) // len(known), 1)) for one in left]
        pairs = list(zip(left, waves, strict=True))
        jobs = [(request, one.id, one.asked + i) for one, wave in pairs for i, request in enumerate(wave, 1)]
        wanted = sum(one.part - one.tokens for one in left)
        print(f"{row['name']}: {wanted:,} tokens of texts to come; now {len(jobs):,} calls", file=sys.stderr)
        found = settled(jobs, text_of, row, ask)
        lengths = count([text or "" for _, _, text, _ in found])
        results = iter(zip(jobs, found, lengths, strict=True))
        for one, wave in pairs:
            one.asked += len(wave)
            one.ended = not wave
            for (request, _, index), (seed, answer, text, said), tokens in islice(results, len(wave)):
                if not one.open:
                    one.unused += 1
                elif said:
                    one.failed, one.said = one.failed + 1, said
                    one.ended = one.failed - len(one.texts) >= GIVE_UP
                elif not low <= tokens <= high:
                    one.dropped, one.said = one.dropped + 1, f"{request.kind}: {tokens} tokens, expected {low} to {high}"
                else:
                    complete = answer.finish == "stop"
                    one.add(Text(text, request.kind, request.fields, index, seed, complete, tokens + complete))
    _check_skipped(writings, row)
    return writings


def _seed(row: dict, one: Writing) -> int:
    return seed_of(row["name"], row.get("seed", 0), one.id)


def _wave(one: Writing, mean: int) -> list[Request]:
    """The next requests of a document: as many as seem to be wanted, by the mean length of its own last texts if it has any.

    No more than four and one for each text before, since answers may have to be paid for and the first lengths tell little,
    nor do those of pairs tell of triples.
    """
    if last := one.texts[-RECENT:]:
        mean = max(sum(text.tokens for text in last) // len(last), 1)
    return list(islice(one.requests, min((one.part - one.tokens) // mean + 1, 4 + len(one.texts))))


def skipped(writings: Sequence[Writing]) -> dict[str, str]:
    """The documents of which nothing came, and why: id -> what the last answer had."""
    return {one.id: one.said for one in writings if one.ended and one.said and not one.texts}


def _check_skipped(writings: Sequence[Writing], row: dict) -> None:
    without = skipped(writings)
    if len(without) > row["unusable"] * len(writings):
        name, said = next(iter(without.items()))
        raise Refused(
            f"key unusable: {len(without)} of {len(writings)} documents came to nothing, expected a share of {row['unusable']} "
            f"at most; {name}, asked {row['attempts']} times: {said}"
        )


def counts_of(writings: Sequence[Writing], calls: dict[str, Counter]) -> dict:
    """What the card says of a corpus: its texts and tokens by kind, calls and their tokens by kind, what came to nothing."""
    by_kind: dict[str, Counter] = {}
    for one in writings:
        for text in one.texts:
            by_kind.setdefault(text.kind, Counter()).update(texts=1, tokens=text.tokens, cut=int(not text.complete))
    return {
        "tokens": sum(one.tokens for one in writings),
        "budget": sum(one.part for one in writings),
        "texts": {kind: dict(found) for kind, found in by_kind.items()},
        "calls": {kind: dict(found) for kind, found in calls.items()},
        "unused": sum(one.unused for one in writings),
        "failed": sum(one.failed for one in writings),
        "dropped": sum(one.dropped for one in writings),
        "parents": sum(bool(one.texts) for one in writings),
        "short": sum(one.tokens < one.part for one in writings),
        "skipped": skipped(writings),
    }


def journaled(
    generate: Generator, journal: Journal, key_of: Callable[[Request, int], str], label: str, calls: dict[str, Counter]
) -> Ask:
    """Answers in the order asked; what the journal has is not asked again, what it has not is kept as it comes.

    ``calls`` counts the calls and their tokens by kind, those that the journal had included.
    """

    def ask(asked: Sequence[Asked]) -> list[Answer]:
        keys = [key_of(*each) for each in asked]
        missing = [i for i, key in enumerate(keys) if key not in journal.answers]
        if missing:
            requests, seeds = ([asked[i][part] for i in missing] for part in (0, 1))
            with Progress(label, len(keys), "calls", done=len(keys) - len(missing)) as progress:
                for i, answer in generate(requests, seeds):
                    journal.add(keys[missing[i]], answer)
                    progress.add(1, tokens_in=answer.tokens_in, tokens_out=answer.tokens_out)
            journal.sync()
        found = [journal.answers[key] for key in keys]
        for (request, _), answer in zip(asked, found, strict=True):
            spent = {"calls": 1, "tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out}
            calls.setdefault(request.kind, Counter()).update(spent)
        return found

    return ask


def what_decides(row: dict, prompts: dict[str, Prompt], model: str | Path | None, kind: str) -> dict:
    """What besides a request and its seed decides an answer: engine, model, length, and the words of the prompt."""
    keys = {key: row[key] for key in ("engine", "source_model", "max_new_tokens") if key in row}
    address = {key: row["endpoint"][key] for key in ("base_url", "model")} if row["engine"] == "openai" else {}
    weights = read_card(model)["sha256"] if model and card_path(model).exists() else {}
    return {**keys, **address, "weights": weights, "prompt": list(prompts[kind][1:]) if kind in prompts else []}


def _teacher(row: dict) -> Callable[[Request, int], str] | None:
    if row["engine"] != "pocket":
        return None
    if row["method"] in OF_PAGES:
        from scripts.synthesis import page_teacher

        return partial(page_teacher.answer, capacity=row["source_model"])
    from scripts.synthesis.teacher import answer

    return answer


def write_shard(
    row: dict,
    code: str,
    documents: str | Path,
    tokenizer: str | Path,
    shard: str,
    out: str | Path,
    work: str | Path,
    *,
    prompts: str | Path | None = None,
    model: str | Path | None = None,
) -> None:
    """The file function: writes the texts of one shard of the documents, and their card; resumes what a killed process left.

    Args:
        row: of the corpus: name, method, engine, source_model, tokens, attempts, unusable, what its engine wants, and perhaps
            lengths (bounds of a text's tokens) and reads (of a document so many tokens at most, its first).
        documents: the source's documents.parquet.
        tokenizer: the folder of the student or base that the budget is counted for.
        shard: which part of the documents, as ``2-of-8``.
        prompts: the folder of prompts, for engines vllm and openai.
        model: the folder of the generator's model, for engine vllm.

    Raises:
        Refused: when the row asks for what cannot be done, or too many documents came to nothing.
        scripts.lib.work.Busy: when another living process writes this shard.
    """
    for key, known in (("method", METHODS), ("engine", ENGINES)):
        if row[key] not in known:
            raise Refused(f"key {key}: expected one of {', '.join(known)}, found {row[key]!r}")
    if row["engine"] != "pocket" and prompts is None or row["engine"] == "vllm" and model is None:
        raise Refused(f"key engine: {row['engine']} needs --{'model' if prompts else 'prompts'}")
    method, tokens_of = METHODS[row["method"]], load_tokenizer(tokenizer)
    asked = read_prompts(prompts, method.KINDS) if row["engine"] != "pocket" else {}

    def count(texts: list[str]) -> list[int]:
        return [len(ids) for ids in encode(tokens_of, texts)]

    frame = read_documents(documents, ["id", "text"])
    if frame.empty:
        raise Refused(f"{documents}: no documents")
    ids, most = encode(tokens_of, frame["text"].tolist()), row.get("reads", math.inf)
    read = [text if len(one) <= most else tokens_of.decode(one[:most]) for text, one in zip(frame["text"], ids, strict=True)]
    lengths = [min(len(one), most) for one in ids]
    part, whole = part_of(shard, len(frame)), list(zip(frame["id"], read, parts(lengths, row["tokens"]), strict=True))
    mine = whole[part.start : part.stop]
    decides = {kind: what_decides(row, asked, model, kind) for kind in method.KINDS}
    number = (len(mine) if method.FIRST else 0) + sum(budget for *_, budget in mine) // TYPICAL
    asked_for = number * sum(lengths[part.start : part.stop]) // max(len(mine), 1)
    print(
        f"{row['name']}, shard {shard}: {len(mine)} documents; will ask for about {number:,} calls, {asked_for:,} tokens "
        f"in and {sum(budget for *_, budget in mine):,} out, if an answer has {TYPICAL} tokens",
        file=sys.stderr,
    )
    calls: dict[str, Counter] = {}
    with work_folder(work) as folder, Journal(folder / "answers.jsonl") as journal:
        texts = [text for _, text, _ in mine]
        generate = generator(row, prompts=asked, model=model, documents=texts, teacher=_teacher(row), count=count)
        start = time.monotonic()
        ask = journaled(generate, journal, lambda r, seed: hash_of(r, seed, decides[r.kind]), row["name"], calls)
        writings = synthesize(mine, row=row, method=method, ask=ask, count=count)
        seconds = time.monotonic() - start
        made = (
            document(
                text.text,
                source=row["name"],
                method=row["method"],
                index=f"{one.id}-{text.index}",
                meta={"kind": text.kind, **text.fields},
                source_model=row["source_model"],
                parent_ids=[one.id],
                seed=text.seed,
                complete=text.complete,
            )
            for one in writings
            for text in one.texts
        )
        write_documents(
            out,
            made,
            row=row,
            code=code,
            seeds="seed_of(corpus, seed, document, kind, index, attempt)",
            counts=counts_of(writings, calls),
            shard=shard,
            decides=decides,
            measured={"seconds": round(seconds, 1)},
        )


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", required=True, type=json.loads, help="the corpus row as JSON")
    for name in ("code", "documents", "tokenizer", "out", "work"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("prompts", "model"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--shard", default="1-of-1")
    a = parser.parse_args(arguments)
    try:
        write_shard(a.row, a.code, a.documents, a.tokenizer, a.shard, a.out, a.work, prompts=a.prompts, model=a.model)
    except (Busy, BadModel, BrokenArtifact, Refused) as error:
        sys.exit(f"{a.row['name']}, shard {a.shard}: {error}")


if __name__ == "__main__":
    main()
