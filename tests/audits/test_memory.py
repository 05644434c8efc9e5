"""Memory of the audits does not grow with the corpus: peaks of a process of its own, from a small corpus to a large one."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from tests.audits.conftest import grow, word_tokenizer

FEW, MANY, WORDS = 10_000, 60_000, 10
BOUND = 20  # MiB that the peak may rise by, for six times the documents; all of them in memory take several times that

SCRIPT = """
import json, resource, sys
from pathlib import Path
import numpy as np
import pandas as pd
from scripts.audits import {audit}
folder, tokenizer = Path(sys.argv[1]), sys.argv[2]

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

{setup}
peaks = []
for name in ("few", "many"):
    documents = folder / f"{{name}}.parquet"
    {call}
    peaks.append(peak())
import pyarrow.parquet as pq
kept = pq.read_table(folder / "many.parquet").to_pylist()
peaks.append(peak())
print(json.dumps(peaks))
"""
CASES = {
    "nll": (
        """
        from types import SimpleNamespace
        nll.token_nats = lambda model, sequences, **_: [np.zeros(len(one) - 1, np.float32) for one in sequences]
        model = SimpleNamespace(device=SimpleNamespace(type="cpu"))
        """,
        "nll.score(documents, folder / f'{name}.nll.parquet', folder / f'{name}.nll.csv', model=model, folder=tokenizer, "
        "writer=tokenizer, code='c')",
    ),
    "similarity": (
        """
        items = pd.DataFrame({"task": ["a"] * 40 + ["b"] * 60, "item": range(100), "text": "item"})
        vectors = np.random.default_rng(0).normal(size=(5000, 16)).astype(np.float32)
        encode = lambda texts: vectors[: len(texts)]
        """,
        "similarity.compare(documents, items, encode, folder / f'{name}.s.parquet', folder / f'{name}.i.parquet', "
        "tasks={'a': {}, 'b': {}})",
    ),
    "unigrams": ("", "unigrams.counted(documents, tokenizer)"),
}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    grow(folder / "few.parquet", FEW, WORDS)
    grow(folder / "many.parquet", MANY, WORDS)
    return folder, word_tokenizer(folder / "tokenizer")


@pytest.mark.parametrize("audit", CASES)
def test_the_peak_does_not_grow_with_the_corpus(corpora, audit):
    setup, call = CASES[audit]
    script = SCRIPT.format(audit=audit, setup=textwrap.dedent(setup), call=call)
    # a process begins with the peak of the one that starts it, under which growth would not show: a shell's is small
    command = ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", script, *map(str, corpora)]
    plain = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}  # gives memory back at once, so that noise is small
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    assert done.returncode == 0, done.stderr
    few, many, whole = json.loads(done.stdout)
    print(f"{audit}: {few:.0f} MiB at {FEW:,} documents, {many:.0f} at {MANY:,}; {whole:.0f} with all of them in memory")
    assert many - few < BOUND
    assert whole - many > 2 * BOUND, "the check can fail"
