"""A connection pool for live backends: every answer is read whole, and is bounded in size."""

from __future__ import annotations

import asyncio
import functools
import os
import ssl
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx

from turnenv.net.http11 import Connection, OversizedAnswerError, RawAnswer, connect

__all__ = ["MAX_ANSWER_BYTES", "ConnectionPool", "OversizedAnswerError"]

#: A longer answer, decompressed, is not read to its end.
MAX_ANSWER_BYTES = 8 * 2**20
#: Seconds after which an idle connection is not used again.
_KEPT_FOR = 5.0
_PIECE_BYTES = 16 * 1024
_REWRITTEN = (b"content-encoding", b"content-length", b"transfer-encoding")
_ENVIRONMENT = tuple(
    spelt
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")
    for spelt in (name, name.upper())
)


class _Route(NamedTuple):
    """What a connection depends on; `environment` holds the values of _ENVIRONMENT, read again for every request."""

    scheme: str
    host: str
    port: int | None
    environment: tuple[str | None, ...]


class ConnectionPool(httpx.AsyncBaseTransport):
    """A connection pool: each request uses one connection, which is then reused; all belong to one event loop.

    httpx's own takes 0.5 ms of CPU time more per request, and 10 ms with 64 requests at once, since it looks at every
    connection for every request. The environment's proxies and certificates are used; what goes through a proxy is left
    to httpx.
    """

    def __init__(self) -> None:
        self._idle: defaultdict[_Route, list[Connection]] = defaultdict(list)
        self._proxied: dict[_Route, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its answer to the end.

        Raises:
            OversizedAnswerError: the answer is too long.
            httpx.HTTPError: no answer came, or it cannot be decoded.
        """
        url = request.url
        route = _Route(url.scheme, url.host, url.port, tuple(map(os.environ.get, _ENVIRONMENT)))
        if not self._idle[route] and (route in self._proxied or _proxy_for(url) is not None):
            return await self._ask_proxy(route, request)
        if url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"Request URL has an unsupported protocol {str(url.scheme)!r}.")
        await request.aread()
        timeouts = request.extensions.get("timeout", {})
        connection = self._reused(route)
        if connection is None:
            context = _certificates(route.environment) if url.scheme == "https" else None
            connection = await connect(url, context, MAX_ANSWER_BYTES, timeouts.get("connect"))
        answer = await connection.ask(request, timeouts.get("read"))
        if connection.reusable:
            self._idle[route].append(connection)
        return await _decoded(answer)

    async def aclose(self) -> None:
        """Close the connections."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        for proxied in self._proxied.values():
            await proxied.aclose()

    def _reused(self, route: _Route) -> Connection | None:
        """The connection that was used last; a server or a firewall may drop an older one without a word."""
        idle, now = self._idle[route], asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.reusable and now - connection.idle_since < _KEPT_FOR:
                return connection
            connection.close()
        return None

    async def _ask_proxy(self, route: _Route, request: httpx.Request) -> httpx.Response:
        if route not in self._proxied:
            context = _certificates(route.environment) if route.scheme == "https" else _no_certificates()
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
            proxy = _proxy_for(request.url)
            self._proxied[route] = httpx.AsyncHTTPTransport(verify=context, proxy=proxy, limits=limits)
        response = await self._proxied[route].handle_async_request(request)
        try:
            return await _bounded(response)
        finally:
            await response.aclose()


async def _decoded(answer: RawAnswer) -> httpx.Response:
    names = {name.lower() for name, _ in answer.headers}
    if b"content-encoding" not in names:
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)
    return await _bounded(httpx.Response(answer.status, headers=answer.headers, stream=_Pieces(answer.body)))


class _Pieces(httpx.AsyncByteStream):
    """A body in pieces, so that decoding stops soon after what is decoded has become too long."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), _PIECE_BYTES):
            yield self._body[start : start + _PIECE_BYTES]


async def _bounded(response: httpx.Response) -> httpx.Response:
    """The response with its body read and decoded.

    Raises:
        OversizedAnswerError: the body is too long.
        httpx.DecodingError: it cannot be decoded.
    """
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise OversizedAnswerError(f"the answer is longer than {MAX_ANSWER_BYTES:,} bytes")
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _REWRITTEN]
    return httpx.Response(response.status_code, headers=headers, content=bytes(body))


@functools.lru_cache(maxsize=4)
def _certificates(environment: tuple[str | None, ...]) -> ssl.SSLContext:
    """The trusted certificates, loaded once per environment, since that takes 0.04 s."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


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
