"""How many parameters the paper's models have, from the shapes in its Table 1.

A.2.1 says that sizes count non-embedding parameters. They do not: the labels are those plus one embedding matrix, as a model
with tied matrices has in all, or as Lingua's training loop counts an untied one for its FLOPs (one vocabulary x dimension
less).
"""

GATED, MULTIPLE = 2 / 3, 256  # Lingua's feed-forward: two thirds of 4 x dimension, rounded up to a multiple


def feedforward(dimension: int) -> int:
    """Width of the feed-forward layers: 4864 for a dimension of 1792."""
    width = int(GATED * 4 * dimension)
    return MULTIPLE * -(-width // MULTIPLE)


def non_embedding(dimension: int, layers: int) -> int:
    """Parameters outside of the embedding matrices of a Llama of this shape, with as many key-value heads as heads."""
    attention, gated, norms = 4 * dimension**2, 3 * dimension * feedforward(dimension), 2 * dimension
    return layers * (attention + gated + norms) + dimension


def counted(shape: dict, vocabulary: int) -> dict[str, int]:
    """Parameters of a model of Table 1: non_embedding, embedding (one matrix), and parameters, the sum, which is its label."""
    inside, matrix = non_embedding(shape["dimension"], shape["layers"]), vocabulary * shape["dimension"]
    return {"non_embedding": inside, "embedding": matrix, "parameters": inside + matrix}


def number(label: str) -> int:
    """The number that a label stands for: 100M is 100,000,000."""
    return int(label[:-1]) * {"M": 10**6, "B": 10**9}[label[-1]]


def rounded(count: int) -> int:
    """A count to one significant digit, as labels are: 191,923,264 is 200,000,000."""
    return int(float(f"{count:.0e}"))
