"""A server in a process of its own, which shares no lock with its clients."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection


@contextlib.contextmanager
def in_a_process(serve: Callable[[Connection, float], None], latency: float) -> Iterator[int]:
    """The port of a server; `serve` sends it once the server listens, and answers after `latency` seconds.

    Raises:
        OSError: if the server ended before it listened; what it printed says why.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(sender, latency), daemon=True)
    process.start()
    # The server's end is the only one that is left, so that its death ends the wait for the port.
    sender.close()
    try:
        yield _port(receiver)
    finally:
        process.terminate()
        process.join()


def _port(receiver: Connection) -> int:
    try:
        port: int = receiver.recv()
    except EOFError as error:
        raise OSError("the server ended before it listened; the reason stands above") from error
    return port
