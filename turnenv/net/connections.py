"""A connection pool for live backends: every answer is read whole, and is bounded in size."""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

# httpx imports it at the first connection, which would hold up the event loop for 0.1 s.
import httpcore  # noqa: F401
import httpx

__all__ = ["MAX_ANSWER_BYTES", "ConnectionPool", "OversizedAnswerError"]

#: A longer answer, decompressed, is not read to its end.
MAX_ANSWER_BYTES = 8 * 2**20
_REWRITTEN = (b"content-encoding", b"content-length", b"transfer-encoding")
_ENVIRONMENT = tuple(
    spelt
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")
    for spelt in (name, name.upper())
)


class OversizedAnswerError(httpx.TransportError):
    """The answer is longer than MAX_ANSWER_BYTES."""


class _Route(NamedTuple):
    """What a connection depends on; `environment` holds the values of _ENVIRONMENT, read again for every request."""

    scheme: str
    host: str
    port: int | None
    environment: tuple[str | None, ...]


class ConnectionPool(httpx.AsyncBaseTransport):
    """A connection pool: each request uses one connection, which is then reused; all belong to one event loop.

    httpx's own pool looks at every connection for every request, which takes 10 ms per request with 64 at once.
    The environment's proxies and certificates are used.
    """

    def __init__(self) -> None:
        self._free: defaultdict[_Route, list[httpx.AsyncHTTPTransport]] = defaultdict(list)
        self._all: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its answer to the end.

        Raises:
            OversizedAnswerError: the answer is too long.
            httpx.HTTPError: no answer came, or it cannot be decoded.
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
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _REWRITTEN]
        return httpx.Response(
            response.status_code, headers=headers, content=bytes(body), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close the connections."""
        for connection in self._all:
            await connection.aclose()

    @contextlib.contextmanager
    def _borrowed(self, url: httpx.URL) -> Iterator[httpx.AsyncHTTPTransport]:
        route = _Route(url.scheme, url.host, url.port, tuple(map(os.environ.get, _ENVIRONMENT)))
        free = self._free[route]
        if not free:
            verify = _certificates(route.environment) if route.scheme == "https" else _no_certificates()
            free.append(httpx.AsyncHTTPTransport(verify=verify, proxy=_proxy_for(url)))
            self._all.append(free[-1])
        connection = free.pop()
        try:
            yield connection
        finally:
            free.append(connection)


@functools.lru_cache(maxsize=4)
def _certificates(environment: tuple[str | None, ...]) -> ssl.SSLContext:
    """The trusted certificates, loaded once per environment, since that takes 0.04 s."""
    return httpx.create_ssl_context()


@functools.cache
def _no_certificates() -> ssl.SSLContext:
    """A context for plain HTTP, where httpx requires one and never uses it; it trusts no certificate."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _proxy_for(url: httpx.URL) -> str | None:
    """The proxy that the environment names for a URL: httpx forgets it when it is given a transport."""
    if urllib.request.proxy_bypass(url.host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(url.scheme) or proxies.get("all")
