"""How far a long command is: one line that is rewritten on a terminal, a line per half minute elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TextIO

from turnenv.report.visible import counted

__all__ = ["Progress"]

_ON_A_TERMINAL, _ELSEWHERE = 1.0, 30.0


class Progress:
    """Shows the number of finished episodes, faults, the rate and the time left, on stderr, while it is entered.

    Args:
        total: episodes in all.
        done: those that were there before.
        quiet: show nothing.
        stream: stderr by default.
    """

    def __init__(self, total: int, done: int = 0, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._total, self._done, self._before, self._faults = total, done, done, 0
        self._stream, self._quiet = stream or sys.stderr, quiet
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="turnenv-progress", daemon=True)

    def __enter__(self) -> Progress:
        """Begin to show."""
        if not self._quiet:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away."""
        self._over.set()
        if not self._quiet:
            self._thread.join()
            if self._stream.isatty():
                print("\r\x1b[K", end="", file=self._stream, flush=True)

    def finished(self, fault: bool) -> None:
        """One more episode has ended."""
        self._done += 1
        self._faults += fault

    def line(self) -> str:
        """Such as `12/100 episodes, 1 fault, 3.4/s, 0:26 left`."""
        elapsed = time.monotonic() - self._began
        rate = (self._done - self._before) / elapsed if elapsed else 0.0
        left = (self._total - self._done) / rate if rate else 0.0
        faults = f", {counted(self._faults, 'fault')}" if self._faults else ""
        ahead = f", {rate:.2g}/s, {int(left) // 60}:{int(left) % 60:02} left" if rate else ""
        return f"{self._done}/{self._total} episodes{faults}{ahead}"

    def _watch(self) -> None:
        terminal = self._stream.isatty()
        while not self._over.wait(_ON_A_TERMINAL if terminal else _ELSEWHERE):
            text = f"\r\x1b[K{self.line()}" if terminal else f"{self.line()}\n"
            print(text, end="", file=self._stream, flush=True)
