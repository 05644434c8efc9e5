"""Prompts that give a book's title and nothing else: reads documents.parquet of made books, makes documents to be continued.

Each is the beginning of a summary, up to where it would begin to say something; ``copies`` of each, for as many samples. Its
parent is the book.
"""

from scripts.lib.books import language, parse
from scripts.lib.documents import document, read_documents, write_documents
from scripts.lib.progress import logging_to


def prompt_of(text: str) -> str:
    """What a model continues: ``prompt_of(text_of(book))`` is "Golden Mirror by Ada Wiku tells of".

    Raises:
        scripts.lib.books.NotABook: when the text is no made book.
    """
    book = parse(text)
    return language()["openings"]["summary"].split("{names}")[0].format(title=book.title, author=book.author).rstrip()


def make_prompts(names: list[str], texts: list[str], row: dict) -> list[dict]:
    """Documents: the prompts of each book, its copies one after the other."""
    return [
        document(prompt_of(text), source=row["name"], index=f"{name}-{copy}", parent_ids=[name], meta={"copy": copy})
        for name, text in zip(names, texts, strict=True)
        for copy in range(row["copies"])
    ]


def write_source(documents: str, out: str, *, row: dict, code: str) -> None:
    """Write the prompts of a source of made books, and their card."""
    books = read_documents(documents, ["id", "text"])
    made = make_prompts(books["id"].tolist(), books["text"].tolist(), row)
    write_documents(out, made, row=row, code=code, counts={"books": len(books)})


if __name__ == "__main__":
    with logging_to(snakemake.log[0]):
        params = snakemake.params
        write_source(snakemake.input.documents[0], snakemake.output[0], row=params.row, code=params.code)
