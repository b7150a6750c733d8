"""One event loop a process, in a thread of its own: blocking callers wait there for network calls under a deadline."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import functools
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, TypeVar

import tenacity

__all__ = ["ask", "await_on_loop", "kept", "submit"]

ResultT = TypeVar("ResultT")
KeptT = TypeVar("KeptT")


def ask(
    attempt: Callable[[], Awaitable[ResultT]],
    *,
    passing: type[Exception],
    max_attempts: int,
    backoff: float,
    deadline: float,
) -> ResultT:
    """Call a live backend on the process's loop, again while it fails in passing, and wait for its answer.

    Args:
        attempt: sends one request.
        passing: failures after which it is tried again.
        max_attempts: how often it is tried at most; the last failure is raised.
        backoff: seconds before the first retry, doubling with each, with jitter.
        deadline: seconds for everything; no retry is begun that would start later.

    Raises:
        TimeoutError: no answer came within `deadline` seconds.
    """
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(passing),
        wait=tenacity.wait_exponential_jitter(initial=backoff, jitter=backoff),
        stop=tenacity.stop_any(tenacity.stop_after_attempt(max_attempts), tenacity.stop_before_delay(deadline)),
        reraise=True,
    )

    async def attempted() -> ResultT:  # tenacity awaits what it can see to be a coroutine function, so no lambda
        return await attempt()

    return await_on_loop(retrying(attempted), deadline)


def await_on_loop(coroutine: Coroutine[Any, Any, ResultT], deadline: float) -> ResultT:
    """Run a coroutine on the process's loop and wait for its result; safe to call from many threads.

    Raises:
        TimeoutError: it was not done within `deadline` seconds; it has been cancelled.
    """

    async def bounded() -> ResultT:
        async with asyncio.timeout(deadline):
            return await coroutine

    return submit(bounded()).result()


def submit(coroutine: Coroutine[Any, Any, ResultT]) -> concurrent.futures.Future[ResultT]:
    """Start a coroutine on the process's loop; safe to call from many threads."""
    return asyncio.run_coroutine_threadsafe(coroutine, _PROCESS.started())


def kept(key: Hashable, make: Callable[[], KeptT], close: Callable[[KeptT], Awaitable[None]] | None = None) -> KeptT:
    """What `make` returned for this key in this process; `close` is awaited on the loop when the process ends."""
    return _PROCESS.kept(key, make, close)


class _Process:
    """The loop, its thread, and the clients that live on it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Hashable, Any] = {}
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="turnenv-network", daemon=True)
                self._thread.start()
            return self._loop

    def kept(self, key: Hashable, make: Callable[[], KeptT], close: Callable[[KeptT], Awaitable[None]] | None) -> KeptT:
        with self._lock:
            if key not in self._kept:
                made = self._kept[key] = make()
                if close is not None:
                    self._closers.append(functools.partial(close, made))
            found: KeptT = self._kept[key]
            return found

    def close(self) -> None:
        """Close the clients and the loop; a later call starts anew."""
        with self._lock:
            loop, thread, closers = self._loop, self._thread, self._closers
            self._loop, self._thread, self._kept, self._closers = None, None, {}, []
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_wind_up(closers), loop).result(timeout=5.0)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5.0)
        loop.close()


async def _wind_up(closers: list[Callable[[], Awaitable[None]]]) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.gather(*(close() for close in closers), return_exceptions=True)


_PROCESS = _Process()
_INHERITED: list[_Process] = []


def _start_anew() -> None:
    """Leave the parent's loop alone, whose thread did not survive the fork, but keep it: its sockets are shared."""
    global _PROCESS
    _INHERITED.append(_PROCESS)
    _PROCESS = _Process()


os.register_at_fork(after_in_child=_start_anew)
atexit.register(lambda: _PROCESS.close())
