"""Text to token ids, without special tokens: what curation counts, what training and evaluation wrap in BOS and EOS."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def encode(tokenizer: "Tokenizer", texts: list[str]) -> list[np.ndarray]:
    """Token ids of each text, int32, one array a text (empty text: length 0); no BOS, no EOS, no truncation.

    A text that spells a special token out (``<|endoftext|>``) is encoded as ordinary text: nothing that a document says can
    end it. Raises nothing for any valid string; lone surrogates are replaced by U+FFFD, as they have no UTF-8 form.
    """
    if not texts:
        return []
    texts = [text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text for text in texts]
    tokenizer.no_truncation()
    tokenizer.no_padding()
    before = tokenizer.encode_special_tokens
    tokenizer.encode_special_tokens = True
    try:
        return [np.asarray(one.ids, np.int32) for one in tokenizer.encode_batch(texts, add_special_tokens=False)]
    finally:
        tokenizer.encode_special_tokens = before


def wrap(ids: np.ndarray, bos: int, eos: int | None) -> np.ndarray:
    """``[BOS] ids [EOS]``, int32; ``eos`` None leaves the end open, for a text that a length limit cut.

    >>> wrap(np.array([5, 6]), 0, 1).tolist()
    [0, 5, 6, 1]
    """
    return np.concatenate([[bos], ids, [] if eos is None else [eos]]).astype(np.int32)


def given(ids: np.ndarray, bos: int, eos: int, longest: int) -> np.ndarray:
    """``[BOS] ids [EOS] [BOS]``, int32: a document after which another is written; EOS that is BOS too stands once between.

    Both stand wrapped as each does alone, so that no text can be mistaken for the border, no token is new to the model, and
    a model that does not look back writes as it does from BOS. A document is cut at its end so that there are at most
    ``longest`` ids in all.

    >>> given(np.array([5, 6]), 0, 1, 9).tolist(), given(np.array([5, 6, 7]), 0, 0, 4).tolist()
    ([0, 5, 6, 1, 0], [0, 5, 6, 0])
    """
    end = [eos] if eos == bos else [eos, bos]
    return np.concatenate([[bos], ids[: max(longest - 1 - len(end), 0)], end]).astype(np.int32)
