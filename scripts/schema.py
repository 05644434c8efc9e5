"""What a row may hold: tables, kinds, keys, and what each value must be. scripts/study.py checks every row against this.

A check takes a value and returns what was expected, or None when the value is good.
"""

from collections.abc import Callable


def _is(kind: type | tuple[type, ...], expected: str) -> Callable:
    return lambda value: None if isinstance(value, kind) and not isinstance(value, bool) else expected


def _whole(value: object) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "a whole number of 0 or more"


def _count(value: object) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) and value > 0 else "a whole number above 0"


def _number(value: object) -> str | None:
    return None if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else "a number above 0"


def _share(value: object) -> str | None:
    return None if isinstance(value, int | float) and 0 <= value <= 1 else "a share between 0 and 1"


def _part(value: object) -> str | None:
    return None if isinstance(value, int | float) and 0 <= value < 1 else "a share of 0 or more and below 1"


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _one_of(*options: str) -> Callable:
    return lambda value: None if value in options else "one of " + ", ".join(options)


def mix(value: object) -> str | None:
    """Check a mix: names mapped to shares above 0 that sum to 1."""
    if not isinstance(value, dict) or not value or not all(isinstance(v, int | float) and v > 0 for v in value.values()):
        return "a mapping of names to shares above 0"
    total = sum(value.values())
    return None if abs(total - 1) < 1e-6 else f"shares that sum to 1 (they sum to {total:g})"


def _revision(value: object) -> str | None:
    good = isinstance(value, str) and len(value) == 40 and set(value) <= set("0123456789abcdef")
    return None if good else "a full commit hash of 40 hexadecimal digits"


def _epochs(value: object) -> str | None:
    good = (
        isinstance(value, list) and value[:1] == [0] and all(isinstance(v, int) for v in value) and value == sorted(set(value))
    )
    return None if good else "a list of rising epochs that begins with 0"


def _percentages(value: object) -> str | None:
    good = isinstance(value, list) and all(isinstance(v, int) and 0 < v < 100 for v in value) and value == sorted(set(value))
    return None if good and value else "a list of rising whole numbers between 0 and 100"


def _plan(value: object) -> str | None:
    good = (
        isinstance(value, dict) and value and all(str(k).isdigit() and isinstance(v, int) and v > 0 for k, v in value.items())
    )
    return None if good else "a mapping of repetitions to numbers of passages"


def _levels(value: object) -> str | None:
    good = isinstance(value, list) and all(isinstance(v, int | float) and v > 0 for v in value) and value == sorted(set(value))
    return None if good and value else "a list of rising numbers above 0"


def _shape(value: object) -> str | None:
    """What scripts/costs.py reckons with; kv_heads and tied may be left out (as many as heads; tied)."""
    needed = {"architecture", "hidden", "layers", "heads", "feedforward", "vocabulary"}
    good = isinstance(value, dict) and needed <= set(value) <= needed | {"kv_heads", "tied"}
    return None if good else f"a mapping of {', '.join(sorted(needed))}, and optionally kv_heads and tied"


_text = _is(str, "a string")
_names = _is((list, str), "a list of strings")
_table = _is(dict, "a mapping")

_CURATED = {
    "near_duplicates": _one_of("report", "drop"),
    "suites": _names,
    "seed": _whole,
    "min_tokens?": _whole,
    "ngram?": _count,
    "ratio?": _share,
}


def _threshold(value: object) -> str | None:
    good = value == "median" or (isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 1)
    return None if good else "a cosine between -1 and 1, or median"


# What is downloaded. ``unverified`` names the keys for which no public record of this revision was found; none was asked of
# the hub itself.
_DOWNLOADED = {
    "repo": _text,
    "revision": _revision,
    "licence": _text,
    "gated": _flag,
    "bytes": _count,
    "unverified?": _names,
}


def _data(value: object) -> str | None:
    wanted = {key.rstrip("?") for key in _DOWNLOADED}
    for task, row in value.items() if isinstance(value, dict) else [(None, None)]:
        if not isinstance(row, dict) or set(row) | {"unverified"} != wanted:
            return f"a mapping of tasks to {', '.join(_DOWNLOADED)}"
        for key, given in row.items():
            if expected := (_DOWNLOADED.get(key) or _DOWNLOADED[f"{key}?"])(given):
                return f"{expected} at {task}, {key}"
    return None


def _sizes(value: object) -> str | None:
    good = isinstance(value, list) and value and all(isinstance(v, int) and v > 0 for v in value)
    return None if good else "a list of whole numbers above 0"


def _forms(value: object) -> str | None:
    good = isinstance(value, dict) and value and all(isinstance(v, int | float) and v > 0 for v in value.values())
    return None if good else "a mapping of forms to weights above 0"


# What an endpoint is asked with, and how fast (scripts/synthesis/endpoint.py).
_ENDPOINT = {
    "base_url": _text,
    "model": _text,
    "key_variable?": _text,
    "concurrency": _count,
    "requests_per_minute": _count,
    "tokens_per_minute": _count,
    "retries": _count,
    "timeout": _number,
}


def _endpoint(value: object) -> str | None:
    return _mapping_of(_ENDPOINT, value)


# Blocks of other text among those of a corpus (scripts/training/data.py: replayed).
_REPLAY = {"share": _part, "how": _one_of("replace", "add"), "mix": mix}


def _replay(value: object) -> str | None:
    return _mapping_of(_REPLAY, value)


def _mapping_of(keys: dict[str, Callable], value: object) -> str | None:
    known = {key.rstrip("?"): check for key, check in keys.items()}
    if not isinstance(value, dict) or set(value) - set(known) or {key for key in keys if key[-1] != "?"} - set(value):
        return f"a mapping of {', '.join(keys)}"
    found = ((key, known[key](given)) for key, given in value.items())
    return next((f"{expected} at {key}" for key, expected in found if expected), None)


_PARALLEL = {"gpus?": _count, "parallel?": _one_of("ddp", "fsdp"), "gradient_checkpointing?": _flag, "compile?": _flag}
_CURVES = {"student": _text, "arms": _table, "controls?": _table, "models": _table, "suites": _names, "tasks?": _names}
_ENCODED = {"prompt?": _is(str, "a string"), "max_tokens?": _count, "batch?": _count, "bidirectional?": _flag}
_DRAWN = {"samples": _count, **_CURATED}
# Arms and controls of EntiGraph's figures: {series: {synthetic tokens seen once: [runs of the training seeds]}}
_BY_TOKENS = {"student": _text, "suites": _names, "arms": _table, "controls?": _table, "tasks?": _names}
_SEARCHED = {"source": _text, "characters": _count, "keep": _count}
_BOOKS = {"world": _whole, "first": _whole, "books": _count, "each?": _sizes}
# ``tokens`` are counted by the tokenizer of the model ``tokenizer_of``; scripts/synthesis/generators.py says what engines want.
_WRITTEN = {
    "source": _text,
    "source_model": _text,
    "tokenizer_of": _text,
    "engine": _one_of("pocket", "vllm", "openai"),
    "tokens": _count,
    "attempts": _count,
    "unusable": _share,
    "shards": _count,
    "max_new_tokens?": _count,
    "tensor_parallel?": _count,
    "endpoint?": _endpoint,
    "note?": _text,
    **_CURATED,
}
GENERATED = ("entigraph", "rephrase", "active-reading", "mga", "qa")  # methods that ask a generator about documents


def needs_model(corpus: dict) -> bool:
    """Whether a row of models writes a corpus; the rule-written teacher and an endpoint are no rows.

    >>> needs_model({"method": "qa", "engine": "pocket", "source_model": "rules"})
    False
    """
    return "source_model" in corpus and (corpus["method"] not in GENERATED or corpus["engine"] == "vllm")


# table -> the key that tells kinds apart -> kind -> allowed keys; a trailing ? marks what may be left out.
KEYS: dict[str, dict[str, dict[str, Callable]]] = {
    "sources": {
        "prose": {"packages": _names},
        "code": {"packages": _names},
        "part": {"of": _text, "part": _one_of("planted", "held-out", "background")},
        "planted": {
            "of": _text,
            "part": _one_of("planted", "held-out"),
            "tokenizer": _text,
            "tokens": _count,
            "passages": _plan,
        },
        "pocket": {"world": _whole, "seed": _whole, "genres": mix, "documents": _count, "near_duplicates": _share},
        "books": {**_BOOKS, "null?": _flag},
        "about-books": {**_BOOKS, "seed": _whole, "documents": _count, "fresh?": _count, "forms": _forms},
        "quality": {**_DOWNLOADED, "articles": _count, "note?": _text},
        "titles": {"of": _text, "copies": _count},
        "concepts": {
            "world": _whole,
            "concepts": _count,
            "tail": _number,
            "seed": _whole,
            "genres": mix,
            "documents": _count,
        },
        "path": {"path": _names, "text": _text, "split?": _one_of("file", "paragraph", "line")},
        "hub": {
            **_DOWNLOADED,
            "config?": _text,
            "split": _text,
            "text": _text,
            "documents": _count,
            "files?": _names,
            "where?": _table,
            "note?": _text,
        },
    },
    "tokenizers": {"bpe": {"vocabulary": _count, "mix": mix, "characters": _count, "bos": _text, "eos": _text}},
    "recipes": {"phases": {"phases": _is(list, "a list of phases"), "note?": _text}},
    "models": {
        "scratch": {
            "architecture": _one_of("qwen2", "qwen3", "llama", "gpt_neox"),
            "tokenizer": _text,
            "recipe": _text,
            "tokens": _count,
            "hidden": _count,
            "layers": _count,
            "heads": _count,
            "kv_heads?": _count,
            "feedforward": _count,
            "block": _count,
            "batch": _count,
            "micro_batch?": _count,
            "learning_rate": _number,
            "warmup": _share,
            "steps?": _count,
            "checkpoints?": _percentages,
            "seed": _whole,
            "note?": _text,
            **_PARALLEL,
        },
        "path": {"path": _text, "bos?": _whole, "parameters?": _count, "note?": _text},
        "hub": {
            **_DOWNLOADED,
            "shape": _shape,
            "bos": _whole,
            "parameters": _count,
            "hot_nll?": _number,
            "note?": _text,
        },
        "checkpoint": {"run": _text, "epoch": _count},
    },
    "corpora": {
        "bos": {
            "source_model": _text,
            "temperature": _number,
            "max_new_tokens": _count,
            "engine": _one_of("pocket", "hf", "vllm"),
            "shards": _count,
            "tensor_parallel?": _count,
            **_DRAWN,
        },
        "sbp": {
            "source_model": _text,
            "source": _text,
            "temperature": _number,
            "max_new_tokens": _count,
            "block": _count,
            "engine": _one_of("pocket", "hf", "vllm"),
            "shards": _count,
            "tensor_parallel?": _count,
            "samples": _count,
            "each?": _count,
            "seed": _whole,
            "note?": _text,
        },
        "replay": {"mix": mix, **_DRAWN},
        "shuffle": {"corpus": _text, "tokenizer_of": _text, **_CURATED},
        "split": {
            "corpus": _text,
            "suite": _text,
            "embedder": _text,
            "benchmark": _text,
            "side": _one_of("below", "above"),
            "threshold": _threshold,
            **_CURATED,
        },
        **dict.fromkeys(GENERATED, _WRITTEN),
    },
    "runs": {
        "continual": {
            "base": _text,
            "corpus": _text,
            "tokens": _count,
            "subsets": _count,
            "checkpoints": _epochs,
            "batch": _count,
            "micro_batch?": _count,
            "block": _count,
            "packing": _one_of("documents", "stream"),
            "learning_rate": _number,
            "warmup": _share,
            "seed": _whole,
            "gate?": _text,
            "repeat?": _flag,
            "schedule?": _one_of("constant", "cosine"),
            "replay?": _replay,
            **_PARALLEL,
        },
        "pairs": {
            "base": _text,
            "pairs": _text,
            "tokens": _count,
            "held_out": _share,
            "subsets": _count,
            "checkpoints": _epochs,
            "batch": _count,
            "micro_batch?": _count,
            "block": _count,
            "packing": _one_of("documents"),
            "learning_rate": _number,
            "warmup": _share,
            "seed": _whole,
            "note?": _text,
            **_PARALLEL,
        },
        "noise": {"base": _text, "levels": _levels, "seed": _whole},
    },
    "pairs": {
        "neighbours": {
            "source": _text,
            "embedder": _text,
            "neighbours": _count,
            "floor": _share,
            "shingle": _count,
            "containment": _share,
            "seed": _whole,
            "note?": _text,
        },
        "random": {"of": _text, "seed": _whole},
    },
    "suites": {
        "pocket": {
            "world": _whole,
            "seed": _whole,
            "wording": _one_of("benchmark", "training"),
            "choice_items": _count,
            "generated_items": _count,
            "code_items?": _count,
            "tasks": _table,
            "add_bos": _flag,
            "backend": _one_of("pocket", "hf", "vllm"),
        },
        "books": {
            **_BOOKS,
            "seed": _whole,
            "sets": _count,
            "tasks": _table,
            "add_bos": _flag,
            "backend": _one_of("pocket", "hf", "vllm"),
        },
        "concepts": {
            "world": _whole,
            "concepts": _count,
            "seed": _whole,
            "items": _count,
            "tasks": _table,
            "add_bos": _flag,
            "backend": _one_of("pocket", "hf", "vllm"),
        },
        # another suite's questions after what a retriever found; of a book, what is told of it from its title
        "open-book": {
            "suite": _text,
            "retriever": _text,
            "passages": _count,
            "tasks": _table,
            "add_bos": _flag,
            "backend": _one_of("pocket", "hf", "vllm"),
        },
        "summaries": {
            "source": _text,
            "prompts": _text,
            "sentences": _sizes,
            "temperature": _number,
            "max_new_tokens": _count,
            "engine": _one_of("pocket", "hf", "vllm"),
            "tasks": _table,
        },
        "quality": {
            **_DOWNLOADED,
            "articles": _count,
            "tasks": _table,
            "add_bos": _flag,
            "backend": _one_of("pocket", "hf", "vllm"),
            "note?": _text,
        },
        "harness": {
            "tasks": _table,
            "data": _data,
            "add_bos": _flag,
            "backend": _one_of("pocket", "hf", "vllm"),
            "note?": _text,
        },
        "perturbed": {
            **_DOWNLOADED,
            "config": _text,
            "split": _text,
            "of": _text,
            "seed": _whole,
            "tasks": _table,
            "add_bos": _flag,
            "backend": _one_of("pocket", "hf", "vllm"),
            "note?": _text,
        },
        "losses": {"tasks": _table},
        "extraction": {
            "model": _text,
            "tasks": _table,
            "prefix": _count,
            "suffix": _count,
            "near": _count,
            "heldout": _count,
            "add_bos": _flag,
            "note?": _text,
        },
    },
    "embedders": {
        "lsa": {"suite?": _text, "fit": _names, "documents": _count, "dimensions": _count, "seed": _whole},
        "path": {"path": _text, **_ENCODED},
        "hub": {
            **_DOWNLOADED,
            "parameters": _count,
            "note?": _text,
            **_ENCODED,
        },
    },
    # passages of a source's documents, of at most so many characters; ``keep`` are written of each question's
    "retrievers": {
        "bm25": {**_SEARCHED, "first": _count, "k1": _number, "b": _share},
        "dense": {**_SEARCHED, "first": _count, "embedder": _text, "reranker?": _text, "instruction?": _text},
        "gold": _SEARCHED,
        "other": _SEARCHED,
    },
    "gates": {
        "headroom": {
            "student": _text,
            "matched": _text,
            "models": _names,
            "suite": _text,
            "familiar": _text,
            "heldout": _names,
            "above_chance": _number,
            "above_zero": _number,
            "below_ceiling": _number,
            "latent": _number,
            "stop": _flag,
        }
    },
    "figures": {
        "fig1": {"student": _text, "memorizer": _text, "figures": _table},
        "fig2": _CURVES,
        "fig3": _CURVES,
        "fig5": {**_CURVES, "temperature": _number},
        "fig7": _CURVES,
        "fig8": _CURVES,
        "fig9": _CURVES,
        "fig10": {**_CURVES, "crossed": _table},
        "fig4": {
            **_CURVES,
            "corpora": _table,
            "reference": _text,
            "embedder": _text,
            "benchmarks": _names,
            "outcome": _text,
        },
        "fig6": {**_CURVES, "scorer": _text, "own": _table, "cross": _table, "temperature": _number},
        "fig11": {**_CURVES, "scorer": _text, "own": _table, "cross": _table},
        "entigraph-fit": {
            "tokens": _is(list, "a list of millions of tokens"),
            "items": _count,
            "draws": _count,
            "series": _text,
        },
        "entigraph-theory": {
            "entities": _count,
            "degree": _number,
            "sparse": _share,
            "degrees": _levels,
            "graphs": _count,
            "seed": _whole,
        },
        "entigraph-curve": {**_BY_TOKENS, "lines?": _table},
        "entigraph-raw": {**_BY_TOKENS, "losses": _text, "generic": _text},
        "entigraph-qa": {**_BY_TOKENS, "direct": _names, "composed": _names},
        "entigraph-saturation": {**_BY_TOKENS, "tokens": _count},
        "entigraph-loss": {**_BY_TOKENS, "losses": _text, "real": _text},
        "entigraph-openbook": {
            "student": _text,
            "arms": _table,
            "conditions": _table,
            "suites": _names,
            "tasks?": _names,
        },
        "entigraph-salient": {"student": _text, "arms": _table, "suites": _names},
        "entigraph-corpus": {"growth": _text, "corpora": _table},
        "sbp-gains": {"models": _table, "heldout_source": _text, "suites": _names},
        "sbp-dynamics": {"models": _table, "heldout_source": _text},
        "sbp-shares": {"models": _table, "heldout_source": _text, "suites": _names},
        "sbp-synthesizer": {"run": _text, "models": _table},
        "sbp-quality": {"corpora": _table, "real_source": _text, "pairs": _text, "shown": _count, "judge?": _table},
        "sbp-diversity": {"corpora": _table},
        "sbp-alphabet": {
            "seed": _whole,
            "worlds": _table,
            "replicates": _count,
            "documents": _count,
            "length": _count,
            "repetition": _count,
            "synthetic": _share,
            "neighbours": _count,
            "heldout": _count,
            "glance": _count,
            "architecture": _one_of("qwen2", "llama", "gpt_neox"),
            "hidden": _count,
            "layers": _count,
            "heads": _count,
            "feedforward": _count,
            "batch": _count,
            "learning_rate": _number,
            "warmup": _share,
        },
    },
}
PLAIN = {"runs": "continual"}  # the kind of a row that names none
KIND = {table: "method" if table == "corpora" else "kind" for table in KEYS}

# (table, key) -> the table that its value, list elements or mapping keys must name a row of.
REFERENCES = {
    ("sources", "of"): "sources",
    ("sources", "tokenizer"): "tokenizers",
    ("tokenizers", "mix"): "sources",
    ("models", "tokenizer"): "tokenizers",
    ("models", "recipe"): "recipes",
    ("models", "run"): "runs",
    ("corpora", "source_model"): "models",
    ("corpora", "source"): "sources",
    ("corpora", "tokenizer_of"): "models",
    ("corpora", "mix"): "sources",
    ("corpora", "corpus"): "corpora",
    ("corpora", "suite"): "suites",
    ("corpora", "suites"): "suites",
    ("corpora", "embedder"): "embedders",
    ("embedders", "suite"): "suites",
    ("embedders", "fit"): "sources",
    ("runs", "base"): "models",
    ("runs", "corpus"): "corpora",
    ("runs", "gate"): "gates",
    ("runs", "pairs"): "pairs",
    ("pairs", "source"): "sources",
    ("pairs", "embedder"): "embedders",
    ("pairs", "of"): "pairs",
    ("suites", "model"): "models",
    ("suites", "suite"): "suites",
    ("suites", "retriever"): "retrievers",
    ("suites", "source"): "sources",
    ("suites", "prompts"): "sources",
    ("retrievers", "source"): "sources",
    ("retrievers", "embedder"): "embedders",
    ("retrievers", "reranker"): "embedders",
    ("gates", "student"): "models",
    ("gates", "matched"): "models",
    ("gates", "models"): "models",
    ("gates", "suite"): "suites",
    ("gates", "familiar"): "suites",
    ("gates", "heldout"): "sources",
    ("figures", "student"): "models",
    ("figures", "memorizer"): "models",
    ("figures", "suites"): "suites",
    ("figures", "losses"): "suites",
    ("figures", "reference"): "corpora",
    ("figures", "growth"): "corpora",
    ("figures", "embedder"): "embedders",
    ("figures", "scorer"): "models",
    ("figures", "heldout_source"): "sources",
    ("figures", "real_source"): "sources",
    ("figures", "pairs"): "pairs",
    ("figures", "run"): "runs",
}
