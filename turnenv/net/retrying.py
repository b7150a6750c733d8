"""When a request is sent again: exponential backoff with jitter, plus what the server asked for."""

from __future__ import annotations

import datetime
import email.utils
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import tenacity

__all__ = ["WaitAsAsked", "read_retry_after", "retried"]

ResultT = TypeVar("ResultT")


class WaitAsAsked(tenacity.wait.wait_base):
    """Waits for `retry_after` seconds, an attribute of the failure, plus an exponential backoff with jitter."""

    def __init__(self, backoff: float) -> None:
        self._backoff = tenacity.wait_exponential_jitter(initial=backoff, jitter=backoff)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        """Seconds until the next attempt."""
        error = retry_state.outcome.exception() if retry_state.outcome else None
        return float(getattr(error, "retry_after", 0.0)) + self._backoff(retry_state)


async def retried(
    attempt: Callable[[], Awaitable[ResultT]],
    *,
    passing: type[Exception],
    max_attempts: int,
    backoff: float,
    deadline: float,
) -> ResultT:
    """Call a live backend, and retry temporary failures; the arguments are those of `turnenv.net.loop.ask`."""
    began = anyio.current_time()
    try:
        return await attempt()
    except passing as error:
        failed = [error]  # tenacity, which takes 0.1 ms of CPU time, is for attempts that fail; it counts this one
    left = deadline - (anyio.current_time() - began)
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(passing),
        wait=WaitAsAsked(backoff),
        stop=tenacity.stop_any(tenacity.stop_after_attempt(max_attempts), tenacity.stop_before_delay(left)),
        reraise=True,
    )

    async def attempted() -> ResultT:  # tenacity awaits what it can see to be a coroutine function, so no lambda
        if failed:
            raise failed.pop()
        return await attempt()

    return await retrying(attempted)


def read_retry_after(value: str) -> float:
    """Seconds in a Retry-After header, a number or a date; 0 when it is empty, past or unreadable."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = email.utils.parsedate_to_datetime(text)
        aware = date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
        return max(0.0, (aware - datetime.datetime.now(datetime.UTC)).total_seconds())
    except (IndexError, OverflowError, TypeError, ValueError):
        return 0.0
