"""Finished calls of a run, which a killed one finds again: a file that is only appended to, one JSON line a call.

A line that was written outlives its process at once. It outlives its machine from the next sync on: by the first call that
comes a second after the last sync, and at the end (a sync a call would be the slowest part on a shared file system). A last
line that a machine's end cut short is dropped.
"""

import json
import os
import time
from pathlib import Path

from scripts.lib.files import BrokenArtifact
from scripts.synthesis.requests import Answer

EVERY = 1.0  # seconds between syncs


class Journal:
    """Answers by the hash of what was asked: ``with Journal(path) as journal: journal.add(key, answer)``.

    Raises:
        BrokenArtifact: naming file and line, when a whole line is no call.
    """

    def __init__(self, path: str | Path):
        self.path, self.answers = Path(path), {}
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        whole = 0
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break
            try:
                key, *answer = json.loads(line)
                self.answers[key] = Answer(*answer)
            except (ValueError, TypeError):
                raise BrokenArtifact(f"{self.path}, line {number}: is no finished call; delete the file") from None
            whole += len(line)
        self.file = open(self.path, "ab", buffering=0)
        self.file.truncate(whole)
        self.synced = time.monotonic()

    def __enter__(self) -> "Journal":
        return self

    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        self.answers[key] = answer
        self.file.write(json.dumps([key, *answer]).encode() + b"\n")
        if time.monotonic() - self.synced >= EVERY:
            self.sync()

    def sync(self) -> None:
        """Return when what was added is on the disk."""
        os.fsync(self.file.fileno())
        self.synced = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.sync()
        self.file.close()
