"""Progress of long work: a bar on a terminal, a line every few seconds in a log."""

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO


@contextmanager
def logging_to(path: str) -> Iterator[None]:
    """Send what is printed, and an exception's traceback, to a log file, which a `script:` job does not do by itself."""

    with open(path, "w", buffering=1, encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        try:
            yield
        except SystemExit as stop:
            print(stop.code, file=file)
            raise
        except BaseException:
            traceback.print_exc(file=file)
            raise


class Progress:
    """Counts work done and says so: ``with Progress("sampling", 1500, "samples") as p: p.add(64, tokens=8192)``.

    On a terminal one line is rewritten; elsewhere a line is printed every ``every`` seconds. Further keyword counts are
    shown as rates per second.
    """

    def __init__(self, label: str, total: int, unit: str, every: float = 10.0, out: TextIO | None = None, done: int = 0):
        self.label, self.total, self.unit, self.every = label, total, unit, every
        self.out = out or sys.stderr
        self.done = self.first = done
        self.rates: dict[str, float] = {}
        self.start = self.said = time.monotonic()

    def __enter__(self) -> "Progress":
        resumed = f", {self.done} already done" if self.done else ""
        print(f"{self.label}: {self.total} {self.unit}{resumed}", file=self.out, flush=True)
        return self

    def add(self, n: int, **amounts: float) -> None:
        """Count ``n`` units done, and any amounts whose rates are shown (``tokens=8192``)."""
        self.done += n
        for name, amount in amounts.items():
            self.rates[name] = self.rates.get(name, 0.0) + amount
        now = time.monotonic()
        terminal = self.out.isatty()
        if now - self.said >= (0.2 if terminal else self.every):
            self.said = now
            print(("\r\x1b[K" if terminal else "") + self.line(), end="" if terminal else "\n", file=self.out, flush=True)

    def line(self) -> str:
        """The state in words: units done, rates, seconds left."""
        spent = max(time.monotonic() - self.start, 1e-9)
        rates = "".join(f", {amount / spent:,.0f} {name}/s" for name, amount in self.rates.items())
        new = self.done - self.first
        left = f", {spent / new * (self.total - self.done):.0f} s left" if new else ""
        return f"{self.label}: {self.done}/{self.total} {self.unit}{rates}{left}"

    def __exit__(self, kind: object, *_: object) -> None:
        spent = time.monotonic() - self.start
        rates = "".join(f", {amount / max(spent, 1e-9):,.0f} {name}/s" for name, amount in self.rates.items())
        end = "stopped at" if kind else "done,"
        start = "\r\x1b[K" if self.out.isatty() else ""
        print(f"{start}{self.label}: {end} {self.done} {self.unit} in {spent:.1f} s{rates}", file=self.out, flush=True)
