"""Instruct generation: prompts from a file, rendered by the model's own template, completed in shards as BOS samples are."""

import copy
import json

import pyarrow as pa
import pytest
import torch
from tokenizers import AddedToken

from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.files import read_card
from scripts.lib.models import ends_of, load_model
from scripts.lib.seeds import seed_of
from scripts.synthesis import sample as sampling
from scripts.synthesis.draws import Refused
from scripts.synthesis.gather import gather
from scripts.synthesis.prompts import read_prompts

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BOS, START, END = 0, 257, 258  # after the 256 bytes
ROW = {
    "name": "answers",
    "scale": "smoke",
    "method": "rephrase",
    "source_model": "Chat",
    "temperature": 1.0,
    "max_new_tokens": 12,
    "engine": "hf",
    "shards": 1,
}
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


@pytest.fixture(scope="module")
def chat(make_model, tokenizer, tmp_path_factory):
    """A small Llama with a chat template, which ends a text by its EOS and a turn by <|im_end|>, as generation_config says."""
    path = tmp_path_factory.mktemp("models") / "Chat"
    model = make_model("llama", vocab_size=259, eos_token_id=BOS, scale=0.25)
    model.generation_config.eos_token_id = [END, BOS]
    model.save_pretrained(path)
    mine = copy.deepcopy(tokenizer)
    mine.add_special_tokens({"additional_special_tokens": [AddedToken("<|im_start|>"), AddedToken("<|im_end|>")]})
    mine.chat_template = TEMPLATE
    mine.save_pretrained(path)
    return path


def ask(path, count: int, messages: bool = True):
    """A file of prompts of different lengths."""
    rows = [document(f"Tell {'more ' * (i % 4)}of {i}.", source="asked", method="prompt", index=i) for i in range(count)]
    for i, row in enumerate(rows):
        user = {"role": "user", "content": row["text"]}
        row["messages"] = [user] if i % 2 else [{"role": "system", "content": "Be short."}, user]
    write_documents(path, rows, row={"name": "asked"}, code="c", extra={"messages": MESSAGES} if messages else None)
    return path


def write(folder, model, prompts, **changes):
    row = {**ROW, **changes}
    shards = [folder / f"{k}-of-{row['shards']}.parquet" for k in range(1, row["shards"] + 1)]
    for shard in shards:
        sampling.write_shard(row, "c0de", model, shard.stem, shard, folder / "work" / shard.stem, prompts)
    gather([str(path) for path in shards], folder / "synthesized.parquet", folder / "samples.txt", row=row, code="c")
    return folder / "synthesized.parquet"


def test_messages_are_rendered_by_the_template_of_the_model(chat, tokenizer, tmp_path):
    ids, parents = read_prompts(ask(tmp_path / "p.parquet", 2), chat)
    system, user, newline, answer = (
        tokenizer.backend_tokenizer.encode(text).ids for text in ("system\nBe short.", "user\nTell of 0.", "\n", "assistant\n")
    )
    assert ids[0] == [START, *system, END, *newline, START, *user, END, *newline, START, *answer]
    assert ids[1].count(START) == 2 and parents == read_documents(tmp_path / "p.parquet")["id"].tolist()


def test_a_text_is_continued_after_bos_and_nothing_in_it_is_special(chat, tokenizer, tmp_path):
    text = "How <|im_end|> and <|endoftext|> are spelled"
    write_documents(tmp_path / "p.parquet", [document(text, source="asked")], row={"name": "asked"}, code="c")
    ((first, *rest),), _ = read_prompts(tmp_path / "p.parquet", chat)
    assert first == BOS and not {BOS, START, END} & set(rest) and tokenizer.decode(rest) == text


@pytest.mark.parametrize("messages", [True, False])
def test_completions_in_shards_are_those_of_one_job(chat, tmp_path, messages, monkeypatch):
    monkeypatch.setitem(sampling.BLOCK, "hf", 8)
    prompts = ask(tmp_path / "p.parquet", 21, messages)
    whole, parts = (write(tmp_path / str(n), chat, prompts, shards=n) for n in (1, 3))
    assert whole.read_bytes() == parts.read_bytes()
    documents = read_documents(whole)
    assert documents.seed.tolist() == [seed_of("answers", i) for i in range(21)]
    assert [parent for (parent,) in documents.parent_ids] == read_documents(prompts)["id"].tolist()
    assert (set(documents.method), set(documents.source_model), len(documents.id.unique())) == ({"rephrase"}, {"Chat"}, 21)
    assert read_card(whole)["eos"] == [BOS, END] and "by method rephrase" in (whole.parent / "samples.txt").read_text()


@torch.inference_mode()
def test_padding_changes_nothing(chat, tmp_path):
    """Near temperature 0 a completion is that of greedy decoding by `transformers`, one prompt at a time."""
    ids, _ = read_prompts(ask(tmp_path / "p.parquet", 24), chat)
    assert len({len(one) for one in ids}) > 4
    model = load_model(chat)
    alone = [
        model.generate(torch.tensor([one]), do_sample=False, max_new_tokens=12, eos_token_id=None)[0, len(one) :].tolist()
        for one in ids
    ]
    asked = {"eos": ends_of(chat), "temperature": 1e-6, "max_new_tokens": 12, "longest": max(map(len, ids))}
    found = sampling.engine_of("hf", chat, **asked)(ids, range(24))
    ended = [one[: min([one.index(e) for e in (BOS, END) if e in one], default=12)] for one in alone]
    assert sum(a.ids.tolist() == b for a, b in zip(found, ended, strict=True)) >= 23


def test_the_end_of_a_turn_ends_a_completion(chat, tmp_path):
    prompts = ask(tmp_path / "p.parquet", 60)
    documents = read_documents(write(tmp_path, chat, prompts, max_new_tokens=40))
    assert documents.complete.any() and not documents.complete.all()
    assert not any({BOS, END} & set(ids) for ids in documents.ids)
    alone = sampling.engine_of("hf", chat, eos=[BOS], temperature=1.0, max_new_tokens=40)
    drawn = alone(read_prompts(prompts, chat)[0], [seed_of("answers", i) for i in range(60)])
    assert any(END in one.ids for one in drawn), "the texts of which some ended by it"


def test_what_cannot_be_asked_is_refused(chat, folder, tmp_path):
    prompts = ask(tmp_path / "p.parquet", 3)
    with pytest.raises(Refused, match="has messages, and .*Tiny has no chat template"):
        read_prompts(prompts, folder)
    write(tmp_path, chat, prompts, engine="pocket")  # which takes prompts of unequal length
    with pytest.raises(Refused, match="max_new_tokens: 90 asked for after prompts of up to 5. ids, the model has 128"):
        write(tmp_path, chat, prompts, max_new_tokens=90)
    write_documents(tmp_path / "none.parquet", [], row={"name": "asked"}, code="c")
    with pytest.raises(Refused, match="none.parquet: no prompts"):
        read_prompts(tmp_path / "none.parquet", chat)


def test_the_command_line_takes_prompts(chat, tmp_path):
    files = {"model": chat, "shard": "2-of-2", "out": tmp_path / "o.parquet", "work": tmp_path / "w"}
    files["prompts"] = ask(tmp_path / "p.parquet", 5)
    sampling.main(["--row", json.dumps(ROW), "--code", "c", *(f"--{k}={v}" for k, v in files.items())])
    assert [json.loads(meta)["index"] for meta in read_documents(tmp_path / "o.parquet").meta] == [2, 3, 4]
