"""A server in a process of its own, which shares no lock with its clients."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection


@contextlib.contextmanager
def in_a_process(serve: Callable[[Connection, float], None], latency: float) -> Iterator[int]:
    """The port of a server; `serve` sends it once the server listens, and answers after `latency` seconds."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(sender, latency), daemon=True)
    process.start()
    try:
        yield receiver.recv()
    finally:
        process.terminate()
        process.join()
