"""Prompts for a model: reads a documents Parquet, makes token ids. Texts are continued, messages answered, ids taken."""

from pathlib import Path

import pyarrow.parquet as pq

from scripts.lib.documents import read_documents
from scripts.lib.files import read_card, sha256_of
from scripts.lib.models import bos_of, load_tokenizer, load_tokenizer_of_transformers
from scripts.lib.tokens import encode, wrap
from scripts.synthesis.draws import Refused


def read_prompts(path: str | Path, model: str | Path) -> tuple[list[list[int]], list[str]]:
    """The ids of each prompt, and the ids of the documents that the prompts are.

    With a column ``messages`` (a list of {role, content} a prompt) they are rendered by the chat template of the model's own
    folder, up to where its answer begins; what a message says is read as the template's text, special tokens included.
    Where the card names a tokenizer (the sha256 of its tokenizer.json), the column ``ids`` is the prompts as they are.
    Otherwise the prompt is BOS and the document's text, in which nothing is special.

    Raises:
        Refused: when there are no prompts, messages and no template, or ids of another tokenizer than the model's.
    """
    documents = read_documents(path)
    if documents.empty:
        raise Refused(f"{path}: no prompts")
    if made_by := read_card(path).get("tokenizer"):
        if made_by != sha256_of(Path(model) / "tokenizer.json"):
            raise Refused(f"{path}: its ids are of another tokenizer than {model} has; delete it")
        return [one.tolist() for one in documents["ids"]], documents["id"].tolist()
    if "messages" not in documents:
        ids = [wrap(one, bos_of(model), None).tolist() for one in encode(load_tokenizer(model), documents["text"].tolist())]
        return ids, documents["id"].tolist()
    tokenizer = load_tokenizer_of_transformers(model)
    if tokenizer.chat_template is None:
        raise Refused(f"{path}: has messages, and {model} has no chat template; expected texts, or a model trained on chats")
    messages = pq.read_table(path, columns=["messages"])["messages"].to_pylist()
    ids = [tokenizer.apply_chat_template(one, add_generation_prompt=True, return_dict=False) for one in messages]
    return ids, documents["id"].tolist()
