"""A polite client of the MediaWiki action API: paced requests, retries, a deadline, validated answers."""

from __future__ import annotations

import asyncio
import contextvars
import math
from typing import Annotated

import httpx
import pydantic
import tenacity

from turnenv.net.connections import ConnectionPool
from turnenv.net.retrying import WaitAsAsked, read_retry_after
from turnenv.search.base import SearchError, few

__all__ = ["DEADLINE", "LATER", "ApiError", "MediaWikiTransport", "Pace"]

#: The deadline of the search that the current task runs; must be set before a request is sent.
DEADLINE: contextvars.ContextVar[asyncio.Timeout] = contextvars.ContextVar("DEADLINE")

_TRANSIENT_CODES = ("maxlag", "ratelimited", "readonly", "internal_api_error", "cirrussearch")
_FIXES = {
    429: "raise min_interval, or run fewer episodes at once",
    403: "set user_agent to one that names your project and how to reach you",
    404: "check language and api_url",
}
#: The advice at the end of the message of a temporary failure.
LATER = "try again later, or use the bundled search 'atlas'"


class ApiError(SearchError):
    """A request to the API failed.

    Attributes:
        transient: a retry may succeed.
        retry_after: seconds that the server asked its clients to wait; 0 when it named none.
    """

    def __init__(self, message: str, *, transient: bool, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after = retry_after


class _Fault(pydantic.BaseModel):
    code: str
    info: str = ""


class _Hit(pydantic.BaseModel):
    title: str = pydantic.Field(min_length=1)
    ns: int = 0
    size: int = 0
    wordcount: int = 0


class _Info(pydantic.BaseModel):
    totalhits: int = 0


class _Page(pydantic.BaseModel):
    title: str
    extract: str = ""


class _Query(pydantic.BaseModel):
    search: Annotated[list[_Hit] | None, pydantic.BeforeValidator(few)] = None
    searchinfo: _Info = _Info()
    pages: Annotated[dict[str, _Page] | None, pydantic.BeforeValidator(few)] = None

    @pydantic.model_validator(mode="after")
    def _has_an_answer(self) -> _Query:
        if (self.search is None) == (self.pages is None):
            raise ValueError("needs either 'search' or 'pages'")
        return self


class _Answer(pydantic.BaseModel):
    error: _Fault | None = None
    query: _Query | None = None


class Pace:
    """When the next request to one host may be sent."""

    def __init__(self) -> None:
        self._next_slot = 0.0
        self.closed_until = 0.0

    async def turn(self, min_interval: float) -> None:
        """Wait until this request may be sent. Queueing behind our own requests extends the search's deadline."""
        loop, clock = asyncio.get_running_loop(), DEADLINE.get()
        while True:
            slot = max(loop.time(), self._next_slot)
            self._next_slot = slot + min_interval
            wait = slot - loop.time()
            if wait > 0:
                clock.reschedule(_when(clock) + wait)
                await asyncio.sleep(wait)
            pause = self.closed_until - loop.time()
            if pause <= 0:
                return
            if loop.time() + pause >= _when(clock):
                message = (
                    f"the server asked for silence for {pause:.1f} s more, past this search's deadline; {_FIXES[429]}"
                )
                raise ApiError(message, transient=False)
            await asyncio.sleep(pause)


class MediaWikiTransport(httpx.AsyncBaseTransport):
    """Sends every request to one API, and returns valid answers only.

    Requests are sent at least `min_interval` apart, whichever thread they come from; a transient failure is retried
    with exponential backoff and jitter; Retry-After delays all requests to the host, by `max_silence` at most.

    Args:
        api_url: address of api.php; replaces the one in the request.
        max_attempts: how many times one request is sent at most.
        min_interval: seconds between the starts of two requests.
        backoff: seconds before the first retry; doubles with each.
        max_silence: the longest Retry-After that is obeyed, in seconds.
        paces: the paces of all hosts, shared by the transports of one event loop.
    """

    def __init__(
        self,
        api_url: str,
        *,
        max_attempts: int,
        min_interval: float,
        backoff: float,
        max_silence: float,
        paces: dict[str, Pace],
    ) -> None:
        self._url = httpx.URL(api_url)
        self._max_attempts = max_attempts
        self._min_interval = min_interval
        self._backoff = backoff
        self._max_silence = max_silence
        self._pace = paces.setdefault(self._url.netloc.decode(), Pace())
        self._transport = ConnectionPool()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request until there is a valid answer.

        Returns:
            A response with status 200 whose body has been read and is a MediaWiki answer without an error.

        Raises:
            ApiError: the attempts or the time are used up, or a retry cannot succeed.
        """
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
        url = self._url.copy_with(query=request.url.query)
        own = httpx.Request(request.method, url, headers=headers, extensions=request.extensions)
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, ApiError) and error.transient),
            wait=WaitAsAsked(self._backoff),
            stop=tenacity.stop_any(tenacity.stop_after_attempt(self._max_attempts), _StopWhenLate()),
            reraise=True,
        )
        return await retrying(self._attempt, own)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _attempt(self, request: httpx.Request) -> httpx.Response:
        await self._pace.turn(self._min_interval)
        try:
            response = await self._transport.handle_async_request(request)
            await response.aread()
        except httpx.TimeoutException as error:
            message = f"{self._url.host} did not answer in time ({type(error).__name__}); raise timeout, or {LATER}"
            raise ApiError(message, transient=True) from error
        except httpx.HTTPError as error:
            message = f"{self._url} cannot be reached ({error!r}); check the network and the proxy, or {LATER}"
            raise ApiError(message, transient=True) from error
        try:
            _check(response, self._url.host)
        except ApiError as error:
            silence = asyncio.get_running_loop().time() + min(error.retry_after, self._max_silence)
            self._pace.closed_until = max(self._pace.closed_until, silence)
            raise
        return response


def _when(clock: asyncio.Timeout) -> float:
    when = clock.when()
    return math.inf if when is None else when


class _StopWhenLate(tenacity.stop.stop_base):
    """Stops, with the failure's own message, if the next wait would end after the deadline."""

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return asyncio.get_running_loop().time() + retry_state.upcoming_sleep >= _when(DEADLINE.get())


def _check(response: httpx.Response, host: str) -> None:
    """Raise ApiError unless the response is a MediaWiki answer."""
    status, retry_after = response.status_code, read_retry_after(response.headers.get("Retry-After", ""))
    if status != 200:
        silence = f" and asked for {retry_after:.0f} s of silence" if retry_after else ""
        message = f"{host} answered HTTP {status}{silence}; {_FIXES.get(status, LATER)}"
        raise ApiError(message, transient=status == 429 or status >= 500, retry_after=retry_after)
    try:
        answer = _Answer.model_validate_json(response.content)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, problem["loc"])) or "the body"
        message = f"{host} sent no MediaWiki answer ({place}: {problem['msg']}); check api_url, or {LATER}"
        raise ApiError(message, transient=True) from error
    if answer.error is not None:
        code = answer.error.code
        message = f"{host} answered with the MediaWiki error {code[:100]!r}: {answer.error.info[:200]}; {LATER}"
        raise ApiError(message, transient=code.startswith(_TRANSIENT_CODES), retry_after=retry_after)
    if answer.query is None:
        raise ApiError(f"{host} sent an answer without 'query'; check api_url, or {LATER}", transient=True)
