"""One event loop per process, in a thread of its own: blocking callers wait there for network calls with a deadline."""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import functools
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, TypeVar

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from turnenv.net.retrying import retried

__all__ = ["ask", "await_on_loop", "kept", "submit"]

ResultT = TypeVar("ResultT")
KeptT = TypeVar("KeptT")
#: Seconds that the clients may take to close when the process ends.
_CLOSING = 5.0


def ask(
    attempt: Callable[[], Awaitable[ResultT]],
    *,
    passing: type[Exception],
    max_attempts: int,
    backoff: float,
    deadline: float,
) -> ResultT:
    """Call a live backend on the process's loop, retry temporary failures, and wait for the answer.

    Args:
        attempt: sends one request.
        passing: failures after which it is called again, `retry_after` seconds later if they have that attribute.
        max_attempts: how often it is called at most; the last failure is raised.
        backoff: seconds before the first retry, doubling with each, with jitter.
        deadline: seconds for everything; a retry that would begin later is not made.

    Raises:
        TimeoutError: no answer came within `deadline` seconds.
    """
    attempts = retried(attempt, passing=passing, max_attempts=max_attempts, backoff=backoff, deadline=deadline)
    return await_on_loop(attempts, deadline)


def await_on_loop(coroutine: Coroutine[Any, Any, ResultT], deadline: float) -> ResultT:
    """Run a coroutine on the process's loop and wait for its result; safe to call from many threads.

    Raises:
        TimeoutError: it was not done within `deadline` seconds; it has been cancelled.
    """

    async def bounded() -> ResultT:
        with anyio.fail_after(deadline):
            return await coroutine

    return submit(bounded()).result()


def submit(coroutine: Coroutine[Any, Any, ResultT]) -> concurrent.futures.Future[ResultT]:
    """Start a coroutine on the process's loop; safe to call from many threads."""

    async def awaited() -> ResultT:
        return await coroutine

    return _PROCESS.portal().start_task_soon(awaited)


def kept(key: Hashable, make: Callable[[], KeptT], close: Callable[[KeptT], Awaitable[None]] | None = None) -> KeptT:
    """Return what `make` returned for this key in this process; `close` is awaited when the process ends."""
    return _PROCESS.kept(key, make, close)


class _Process:
    """The portal to the loop's thread, and the clients that live on the loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Hashable, Any] = {}
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._portal: BlockingPortal | None = None
        self._running = contextlib.ExitStack()

    def portal(self) -> BlockingPortal:
        with self._lock:
            if self._portal is None:
                self._portal = self._running.enter_context(start_blocking_portal("asyncio", name="turnenv-network"))
            return self._portal

    def kept(self, key: Hashable, make: Callable[[], KeptT], close: Callable[[KeptT], Awaitable[None]] | None) -> KeptT:
        with self._lock:
            if key not in self._kept:
                made = self._kept[key] = make()
                if close is not None:
                    self._closers.append(functools.partial(close, made))
            found: KeptT = self._kept[key]
            return found

    def close(self) -> None:
        """Close the clients and the loop; a later call starts new ones."""
        with self._lock:
            portal, running, closers = self._portal, self._running, self._closers
            self._portal, self._running, self._kept, self._closers = None, contextlib.ExitStack(), {}, []
        if portal is not None:
            portal.call(_close_all, closers)
            portal.call(portal.stop, True)
            running.close()

    def disown(self) -> None:
        """Mark the parent's portal as stopped, in a forked child: its thread did not survive the fork.

        Otherwise the child would wait for that thread at exit. The loop and the clients are not closed, because their
        sockets are the parent's too.
        """
        if self._portal is not None:
            with contextlib.suppress(StopIteration, RuntimeError):
                self._portal.stop().send(None)
            self._running.close()


async def _close_all(closers: list[Callable[[], Awaitable[None]]]) -> None:
    with anyio.move_on_after(_CLOSING):
        for close in closers:
            with contextlib.suppress(Exception):
                await close()


_PROCESS = _Process()
_INHERITED: list[_Process] = []


def _start_new_process() -> None:
    """Give a forked child a loop of its own; the parent's is kept, because collecting it would close its sockets."""
    global _PROCESS
    _PROCESS.disown()
    _INHERITED.append(_PROCESS)
    _PROCESS = _Process()


os.register_at_fork(after_in_child=_start_new_process)
atexit.register(lambda: _PROCESS.close())
