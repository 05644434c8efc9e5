"""Embedders: what puts documents and benchmark items into one space. Makes results/{scale}/embedders/{embedder}/.

- kind lsa: TF-IDF over words and word pairs, then a truncated SVD, by scikit-learn. Fitted on the suite's items, if the row has
  one, and on the sources that the row names, never on a corpus under audit, so that all corpora stand in one space. Holds
  vocabulary.json and space.npz; nothing is pickled.
- kind path: a local sentence-transformers directory, copied.
- kind hub: one of the hub at a pinned revision; safetensors and JSON only, no code of others. A Llama that its authors run
  without causal mask by code of their own (``bidirectional: true``) is loaded as a Llama whose config says
  ``is_causal: false``, with mean pooling, which is the same computation.

Documents and items are encoded alike: same side, same prompt (the row's ``prompt``, empty if none), unit vectors.
"""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from scripts.audits.stream import count, pieces
from scripts.lib import hub
from scripts.lib.files import atomic, write_card
from scripts.lib.text import words

Encode = Callable[
    [Sequence[str]], np.ndarray
]  # texts -> (texts, dimensions) float32, rows of length 1, or 0 where nothing is known


KEPT = ("*.safetensors", "*.json", "*.txt", "*.model")  # what is taken of a sentence-transformers directory


class BadEmbedder(Exception):
    """An embedder that cannot be had or loaded; the message names the row and the way around."""


def terms(text: str) -> list[str]:
    """Words and pairs of neighbouring words: ``terms("A red box.")`` is ``["a", "red", "box", "a red", "red box"]``."""
    single = words(text)
    return single + [f"{one} {other}" for one, other in zip(single, single[1:], strict=False)]


def _vectorizer(vocabulary: dict[str, int] | None = None, **more: object) -> object:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=terms, sublinear_tf=True, vocabulary=vocabulary, dtype=np.float32, **more)


def fit_lsa(texts: Sequence[str], dimensions: int, seed: int) -> tuple[dict[str, int], np.ndarray, np.ndarray]:
    """Vocabulary (term -> column), idf (terms,) and components (dimensions, terms), float32, of latent semantic analysis.

    Terms that fewer than two texts have are left out; there are no more dimensions than terms less one.
    """
    from sklearn.decomposition import TruncatedSVD

    vectorizer = _vectorizer(min_df=2)
    table = vectorizer.fit_transform(texts)
    svd = TruncatedSVD(
        min(dimensions, table.shape[1] - 1, table.shape[0] - 1), algorithm="randomized", n_iter=4, random_state=seed
    )
    svd.fit(table)
    vocabulary = {term: int(column) for term, column in sorted(vectorizer.vocabulary_.items())}
    return vocabulary, vectorizer.idf_.astype(np.float32), svd.components_.astype(np.float32)


def lsa(vocabulary: dict[str, int], idf: np.ndarray, components: np.ndarray) -> Encode:
    """The encoder of a fitted space; a text without any term of the vocabulary is the zero vector, at cosine 0 to all."""
    vectorizer = _vectorizer(vocabulary)
    vectorizer.idf_ = idf

    def encode(texts: Sequence[str]) -> np.ndarray:
        return unit(vectorizer.transform(texts) @ components.T)

    return encode


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32; rows shorter than 1e-6 become zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), 0).astype(np.float32)


def spread(path: str | Path, number: int) -> list[str]:
    """At most ``number`` texts of a Parquet file of documents, evenly spread over it."""
    total = count(path)
    wanted = set(np.linspace(0, total - 1, min(number, total)).round().astype(int).tolist())
    texts = (text for piece in pieces(path, ["text"]) for text in piece["text"])
    return [text for i, text in enumerate(texts) if i in wanted]


def load_encoder(folder: str | Path, row: dict) -> Encode:
    """The encoder that a folder of ``make`` holds.

    Args:
        folder: results/{scale}/embedders/{embedder}.
        row: of the embedder: kind; prompt and max_tokens for sentence-transformers.
    """
    folder = Path(folder)
    if row["kind"] == "lsa":
        with np.load(folder / "space.npz") as space:
            return lsa(json.loads((folder / "vocabulary.json").read_text(encoding="utf-8")), space["idf"], space["components"])
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    cuda = torch.cuda.is_available()
    options = {"device": "cuda" if cuda else "cpu", "local_files_only": True}
    dtype = {"model_kwargs": {"dtype": torch.bfloat16}} if cuda and row.get("bidirectional") else {}
    if row.get("bidirectional"):
        transformer = Transformer(str(folder), processor_kwargs={"padding_side": "right"}, **dtype)
        modules = [transformer, Pooling(transformer.get_embedding_dimension(), "mean"), Normalize()]
        model = SentenceTransformer(modules=modules, device=options["device"])
    else:
        model = SentenceTransformer(str(folder), trust_remote_code=False, **options)
    if "max_tokens" in row:
        model.max_seq_length = row["max_tokens"]

    def encode(texts: Sequence[str]) -> np.ndarray:
        found = model.encode(
            list(texts), prompt=row.get("prompt") or None, batch_size=row.get("batch", 32), show_progress_bar=False
        )
        return unit(np.asarray(found, np.float32))

    return encode


def _config(folder: Path, row: dict) -> dict:
    """config.json as it is loaded: nothing in it asks for code from outside."""
    if not (folder / "config.json").is_file():
        raise BadEmbedder(f"embedders: {row['name']}: {folder}: expected config.json")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if row.get("bidirectional"):
        config = {k: v for k, v in config.items() if k not in ("auto_map", "pooling", "temperature")}
        config |= {"model_type": "llama", "architectures": ["LlamaModel"], "is_causal": False, "use_cache": False}
    elif "auto_map" in config:
        raise BadEmbedder(f"embedders: {row['name']}: {folder / 'config.json'}, key auto_map, asks for code from outside")
    return config


def _take(folder: Path, out: Path, row: dict) -> None:
    """Copy a sentence-transformers directory without pickles and code; a bidirectional Llama's config is rewritten."""
    if not any(folder.rglob("*.safetensors")):
        raise BadEmbedder(f"embedders: {row['name']}: {folder}: expected *.safetensors")
    config = _config(folder, row)
    with atomic(out) as beside:
        for path in sorted(path for pattern in KEPT for path in folder.rglob(pattern)):
            target = beside / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            hub.link(path.resolve(), target) if path.suffix == ".safetensors" else shutil.copyfile(path, target)
        (beside / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _fetch(row: dict) -> Path:
    try:
        files = hub.files_of(row)
        kept = [name for name in files if any(fnmatchcase(name, pattern) for pattern in KEPT)]
        _config(hub.fetch(row, [name for name in kept if not name.endswith(".safetensors")], files=files), row)
        return hub.fetch(row, kept, files=files)
    except hub.NotHad as error:
        raise BadEmbedder(f"embedders: {row['name']}: {error}; {hub.own_copy(row)}") from None


def make(items: str | Path | None, sources: Sequence[str | Path], out: str | Path, *, row: dict, code: str) -> None:
    """Make an embedder's folder and its card.

    Args:
        items: items.parquet of the suite that a row of kind lsa is fitted on, if any.
        sources: documents.parquet of the sources that it is fitted on, in the order of the row's ``fit``.
        out: the folder.
        row: of the embedder: kind; dimensions, documents (of each source), fit and seed for lsa; repo and revision or path.
        code: hash of the code.

    Raises:
        BadEmbedder: one line, when it cannot be had.
    """
    counts = {}
    if row["kind"] == "lsa":
        import pandas as pd

        texts = {"items": pd.read_parquet(items)["text"].tolist()} if items else {}
        texts |= {source: spread(path, row["documents"]) for source, path in zip(row["fit"], sources, strict=True)}
        vocabulary, idf, components = fit_lsa([t for some in texts.values() for t in some], row["dimensions"], row["seed"])
        counts = {"texts": {name: len(some) for name, some in texts.items()}, "terms": len(idf), "dimensions": len(components)}
        with atomic(out) as beside:
            beside.mkdir()
            (beside / "vocabulary.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
            np.savez(beside / "space.npz", idf=idf, components=components)
    else:
        folder = _fetch(row) if row["kind"] == "hub" else Path(row["path"]).expanduser()
        if not folder.is_dir():
            raise BadEmbedder(f"embedders: {row['name']}: path is {row['path']}, expected a sentence-transformers directory")
        _take(folder, Path(out), row)
    write_card(out, row=row, code=code, counts=counts)
    print(f"{row['name']}: {json.dumps(counts)}", file=sys.stderr)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fitted_on = Path(str(snakemake.input.suite)) / "items.parquet" if snakemake.input.get("suite") else None
        sources = list(snakemake.input.sources)
        make(fitted_on, sources, snakemake.output.folder, row=snakemake.params.row, code=snakemake.params.code)
