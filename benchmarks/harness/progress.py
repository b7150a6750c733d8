"""Progress of the runs: one small status file per run, shown as bars on a terminal and as few lines in a log."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Never, Protocol, TextIO

from tqdm import tqdm

from turnenv.atomic import replacing

_QUIET_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Status:
    """How far a run is.

    Attributes:
        done: steps finished.
        total: steps in all.
        note: what it is doing, or its latest metrics.
    """

    done: int
    total: int
    note: str = ""

    def write(self, path: Path) -> None:
        """Replace the run's status file, so that a reader sees the old or the new one."""
        with replacing(path) as partial:
            partial.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Status | None:
        """The latest status; None while there is none."""
        try:
            return cls.parse(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    @classmethod
    def parse(cls, text: str) -> Status | None:
        """The status that a file's content says; None of an empty one."""
        return cls(**json.loads(text)) if text else None


class Display(Protocol):
    """Shows runs in slots 0, 1, …, one process per slot."""

    def started(self, slot: int, title: str) -> None:
        """A run began in a slot."""

    def progressed(self, slot: int, status: Status) -> None:
        """The latest status, passed a few times per second whether or not it is new."""

    def finished(self, slot: int, message: str) -> None:
        """The run in a slot is over."""

    def close(self) -> None:
        """No more runs."""


def make_display(stream: TextIO, runs: int, slots: int) -> Display:
    """Bars if the stream is a terminal, lines if it is a file or a pipe (or a terminal without a known width)."""
    wide = stream.isatty() and os.get_terminal_size(stream.fileno()).columns > 0
    return Bars(stream, runs, slots) if wide else Lines(stream, runs)


class Bars:
    """One bar for all runs and one for each slot."""

    def __init__(self, stream: TextIO, runs: int, slots: int) -> None:
        self._stream = stream
        self._all: tqdm[Never] = tqdm(total=runs, desc="runs", unit="run", position=0, file=stream, dynamic_ncols=True)
        self._slots: list[tqdm[Never]] = [
            tqdm(total=1, position=slot + 1, file=stream, leave=False, unit="step", dynamic_ncols=True)
            for slot in range(slots)
        ]

    def started(self, slot: int, title: str) -> None:
        """Give the slot's bar to the run."""
        self._slots[slot].reset(total=1)
        self._slots[slot].set_description_str(title)
        self._slots[slot].set_postfix_str("starting")

    def progressed(self, slot: int, status: Status) -> None:
        """Move the slot's bar."""
        bar = self._slots[slot]
        bar.total, bar.n = status.total, status.done
        bar.set_postfix_str(status.note, refresh=False)
        bar.refresh()
        self._all.refresh()

    def finished(self, slot: int, message: str) -> None:
        """Say so above the bars."""
        tqdm.write(message, file=self._stream)
        self._all.update(1)

    def close(self) -> None:
        """Take the bars away."""
        for bar in self._slots:
            bar.close()
        self._all.close()


class Lines:
    """A line when a run ends, and one for all that go on every half minute."""

    def __init__(self, stream: TextIO, runs: int) -> None:
        self._stream, self._runs, self._over = stream, runs, 0
        self._going: dict[int, tuple[str, Status | None]] = {}
        self._last = time.monotonic()

    def started(self, slot: int, title: str) -> None:
        """Nothing to print: the end of a run is news, the beginning is not."""
        self._going[slot] = (title, None)

    def progressed(self, slot: int, status: Status) -> None:
        """Print every going run, if nothing has been printed for long."""
        self._going[slot] = (self._going[slot][0], status)
        if time.monotonic() - self._last >= _QUIET_SECONDS:
            parts = [f"{title} {_text(status)}" for title, status in self._going.values()]
            self._print("; ".join(parts))

    def finished(self, slot: int, message: str) -> None:
        """Print how it ended."""
        del self._going[slot]
        self._over += 1
        self._print(f"[{self._over}/{self._runs}] {message}")

    def close(self) -> None:
        """Nothing is open."""

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)
        self._last = time.monotonic()


def _text(status: Status | None) -> str:
    return "starting" if status is None else f"{status.done}/{status.total} {status.note}".rstrip()
