"""One HTTP/1.1 connection of the event loop: h11 reads the protocol, requests go out whole, answers come back whole."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any, NamedTuple

import anyio
import h11
import httpx

__all__ = ["Connection", "OversizedAnswerError", "RawAnswer", "connect"]

#: A longer head of an answer is no HTTP.
_MAX_HEAD_BYTES = 100 * 1024


class OversizedAnswerError(httpx.TransportError):
    """The answer is longer than the limit."""


class RawAnswer(NamedTuple):
    """An answer as it came: `body` is still encoded."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def connect(url: httpx.URL, context: ssl.SSLContext | None, max_bytes: int, timeout: float | None) -> Connection:
    """Connect to the host of a URL.

    Args:
        url: only scheme, host and port count.
        context: for TLS; None speaks plain HTTP.
        max_bytes: the longest answer that is read, before decoding.
        timeout: seconds; None waits as long as the system does.

    Raises:
        httpx.ConnectError: nothing listens there, or the certificate is refused.
        httpx.ConnectTimeout: it took too long.
    """
    host, port = url.raw_host.decode("ascii"), url.port or (443 if context else 80)
    make = asyncio.get_running_loop().create_connection
    try:
        with anyio.fail_after(timeout):
            return await _finished(
                make(
                    lambda: Connection(max_bytes),
                    host,
                    port,
                    ssl=context,
                    server_hostname=host if context else None,
                    happy_eyeballs_delay=0.25,
                )
            )
    except TimeoutError:
        raise httpx.ConnectTimeout(f"no connection to {host}:{port} within {timeout} s") from None
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that no resolver takes
        raise httpx.ConnectError(str(error)) from error


async def _finished(making: Coroutine[Any, Any, tuple[asyncio.BaseTransport, Connection]]) -> Connection:
    """Await a new connection; if nobody waits for it any more, it is made all the same, and closed.

    asyncio races the addresses of a host, and loses the socket of a race that is cancelled at its end.
    """
    task = asyncio.ensure_future(making)
    try:
        return (await asyncio.shield(task))[1]
    except asyncio.CancelledError:
        task.add_done_callback(_close_made)
        raise


def _close_made(task: asyncio.Task[tuple[asyncio.BaseTransport, Connection]]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result()[1].close()


class Connection(asyncio.Protocol):
    """A connection that handles one request at a time; made by `connect`.

    httpcore's own takes three times the CPU time for a request, because it goes through an async stream and a lock.

    Attributes:
        reusable: True while it is open, idle and in step with the server.
        idle_since: the loop's time at which the last answer was complete.
    """

    def __init__(self, max_bytes: int) -> None:
        self.reusable, self.idle_since = False, 0.0
        self._max_bytes = max_bytes
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[RawAnswer] | None = None
        self._head: h11.Response | None = None
        self._body = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._timeout: float | None = None

    async def ask(self, request: httpx.Request, timeout: float | None) -> RawAnswer:
        """Send a request and read its answer.

        Args:
            request: its body must have been read.
            timeout: seconds to wait for each piece of the answer; None waits for ever.

        Raises:
            OversizedAnswerError: the answer is too long.
            httpx.HTTPError: no answer came, or it is not HTTP.
        """
        self.reusable = False
        self._head, self._body, self._timeout = None, bytearray(), timeout
        self._answer = answer = self._loop.create_future()
        answered = False
        try:
            self._transport.write(self._encoded(request))
            self._expect_data()
            raw: RawAnswer = await answer
            answered = True
            return raw
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        finally:
            self._answer = None
            if self._timer is not None:
                self._timer.cancel()
            # One that was cancelled at the last moment goes back to no pool.
            self.reusable &= answered
            if not self.reusable:
                self._transport.abort()

    def close(self) -> None:
        """Close it."""
        self.reusable = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; called by the loop."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.reusable, self.idle_since = transport, True, self._loop.time()

    def data_received(self, data: bytes) -> None:
        """Read a piece of the answer; called by the loop."""
        if self._answer is None:
            self.close()  # an answer that nobody asked for
            return
        self._read(data)
        if not self._answer.done():
            self._expect_data()

    def eof_received(self) -> None:
        """Read the end of what the server sends; called by the loop, which then closes the connection."""
        if self._answer is None:
            self.reusable = False
        elif self._head is None:
            self._fail(httpx.RemoteProtocolError("Server disconnected without sending a response."))
        else:
            self._read(b"")

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the connection is gone; called by the loop."""
        self.reusable = False
        self._fail(httpx.ReadError(str(error or "the connection was closed")))

    def _encoded(self, request: httpx.Request) -> bytes:
        state = self._state
        # Request's headers are bytes already, which h11 checks.
        head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
        parts = [state.send(head), state.send(h11.Data(request.content)) if request.content else b""]
        return b"".join(part for part in (*parts, state.send(h11.EndOfMessage())) if part)

    def _read(self, data: bytes) -> None:
        try:
            self._state.receive_data(data)
            while self._answer is not None and not self._answer.done():
                event = self._state.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return
                self._take(event)
        except h11.RemoteProtocolError as error:
            self._fail(httpx.RemoteProtocolError(str(error)))

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Response):
            self._head = event
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > self._max_bytes:
                self._fail(OversizedAnswerError(f"the answer is longer than {self._max_bytes:,} bytes"))
        elif isinstance(event, h11.EndOfMessage) and self._head is not None and self._answer is not None:
            state = self._state
            trailing, ended = state.trailing_data
            if state.our_state is h11.DONE and state.their_state is h11.DONE and not trailing and not ended:
                state.start_next_cycle()
                self.reusable, self.idle_since = True, self._loop.time()
            headers = self._head.headers.raw_items()
            self._answer.set_result(RawAnswer(self._head.status_code, headers, bytes(self._body)))

    def _expect_data(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._timeout is not None:
            self._timer = self._loop.call_later(self._timeout, self._fail, httpx.ReadTimeout("no data came in time"))

    def _fail(self, error: httpx.TransportError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
