"""How a live backend's HTTP requests travel: each on a connection of its own, the answer read whole, within a bound."""

from __future__ import annotations

import contextlib
import functools
import ssl
import urllib.request
from collections import defaultdict
from collections.abc import Iterator

# Loaded at the first connection otherwise, anyio's half for asyncio in 0.1 s, while a batch of searches waits.
import anyio._backends._asyncio  # noqa: F401
import httpcore  # noqa: F401
import httpx

__all__ = ["MAX_ANSWER_BYTES", "LentConnections", "OversizedAnswerError"]

#: A longer answer, decompressed, is not read to its end.
MAX_ANSWER_BYTES = 8 * 2**20


class OversizedAnswerError(httpx.TransportError):
    """The answer is longer than MAX_ANSWER_BYTES."""


class LentConnections(httpx.AsyncBaseTransport):
    """Lends each request a connection of its own and keeps it for the next one; all of one event loop.

    One pool of many connections looks at each of them for every request: 10 ms of work a request with 64 at once.
    The environment's proxies are used.
    """

    def __init__(self) -> None:
        self._free: defaultdict[tuple[str, str, int | None], list[httpx.AsyncHTTPTransport]] = defaultdict(list)
        self._all: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its answer to the end.

        Raises:
            OversizedAnswerError: the answer is too long.
            httpx.TransportError: no answer came.
        """
        with self._borrowed(request.url) as connection:
            response = await connection.handle_async_request(request)
            body = bytearray()
            try:
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        raise OversizedAnswerError(f"the answer is longer than {MAX_ANSWER_BYTES:,} bytes")
            finally:
                await response.aclose()
        encodings = ("content-encoding", "content-length", "transfer-encoding")
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in encodings]
        return httpx.Response(
            response.status_code, headers=headers, content=bytes(body), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close the connections."""
        for connection in self._all:
            await connection.aclose()

    @contextlib.contextmanager
    def _borrowed(self, url: httpx.URL) -> Iterator[httpx.AsyncHTTPTransport]:
        free = self._free[url.scheme, url.host, url.port]
        if not free:
            verify = _certificates() if url.scheme == "https" else _no_certificates()
            free.append(httpx.AsyncHTTPTransport(verify=verify, proxy=_proxy_for(url)))
            self._all.append(free[-1])
        connection = free.pop()
        try:
            yield connection
        finally:
            free.append(connection)


@functools.cache
def _certificates() -> ssl.SSLContext:
    """The trusted certificates, loaded once a process, since that takes 0.04 s."""
    return httpx.create_ssl_context()


@functools.cache
def _no_certificates() -> ssl.SSLContext:
    """What plain HTTP asks for and never uses; it trusts nobody."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _proxy_for(url: httpx.URL) -> str | None:
    """The proxy that the environment names for a URL: httpx forgets it when it is given a transport."""
    if urllib.request.proxy_bypass(url.host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(url.scheme) or proxies.get("all")
