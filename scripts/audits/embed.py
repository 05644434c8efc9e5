r"""Embeddings of documents as a file that other stages read: reads documents and an embedder, makes embeddings.npy.

    python -m scripts.audits.embed --row JSON --code HASH --documents X.parquet --embedder DIR --out Y.npy

Row i, float32, is the unit vector of document i of the Parquet (zero where the embedder knows nothing of it); the card holds
the sha256 of the documents. NumPy's format, since a reader maps it and takes blocks, however large it is.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from scripts.audits.embedders import load_encoder
from scripts.audits.stream import count, pieces
from scripts.lib.files import BrokenArtifact, atomic, read_card, write_card
from scripts.lib.progress import Progress


def embed(documents: str | Path, embedder: str | Path, out: str | Path, *, row: dict, code: str) -> None:
    """Write the vectors of all documents, (documents, dimensions) float32, and their card; ``row`` is the embedder's.

    Raises:
        scripts.lib.files.BrokenArtifact: when the documents or the embedder are not what their cards describe, or there are
            no documents.
    """
    read_card(embedder)
    encode, total, done, without, vectors = load_encoder(embedder, row), count(documents), 0, 0, None
    if not total:
        raise BrokenArtifact(f"{documents}: no documents to embed")
    with atomic(out) as beside, Progress(str(documents), total, "documents") as progress:
        for piece in pieces(documents, ["text"]):
            found = encode(piece["text"])
            if vectors is None:
                shape = (total, found.shape[1])
                vectors = np.lib.format.open_memmap(beside, mode="w+", dtype=np.float32, shape=shape)
            vectors[done : done + len(found)] = found
            done, without = done + len(found), without + int((~found.any(1)).sum())
            progress.add(len(found))
        vectors.flush()
    counts = {"documents": total, "dimensions": shape[1], "documents_without_vector": without}
    write_card(out, row=row, code=code, counts=counts, documents=read_card(documents)["sha256"])


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", type=json.loads, required=True, help="the embedder's row as JSON")
    for name in ("code", "documents", "embedder", "out"):
        parser.add_argument(f"--{name}", required=True)
    a = parser.parse_args(arguments)
    try:
        embed(a.documents, a.embedder, a.out, row=a.row, code=a.code)
    except BrokenArtifact as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
