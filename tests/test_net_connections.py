"""The connection pool against a server on loopback: connections are reused, answers are whole and bounded."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.loopback_server import Answered, LoopbackServer
from turnenv.net.connections import MAX_ANSWER_BYTES, ConnectionPool, OversizedAnswerError


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(lambda request: {"echo": request}).running() as server:
        yield server


def post(*urls: str, at_once: int = 1) -> list[httpx.Response]:
    """The answers of one pool to one round of requests per URL."""

    async def rounds() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=ConnectionPool(), timeout=20.0) as client:
            return [
                answer
                for url in urls
                for answer in await asyncio.gather(*(client.post(url, json=number) for number in range(at_once)))
            ]

    return asyncio.run(rounds())


def test_a_connection_is_reused_and_never_shared(server: LoopbackServer) -> None:
    server.delay = 0.05
    assert [answer.json() for answer in post(server.address, at_once=8)] == [{"echo": number} for number in range(8)]
    assert server.connections == 8
    post(*[server.address] * 5, at_once=2)
    assert server.connections == 8 + 2


def test_an_answer_is_decoded_and_its_other_headers_stay(server: LoopbackServer) -> None:
    body = gzip.compress(b"text " * 1000)
    server.always = Answered(body=body, headers={"Content-Encoding": "gzip", "Retry-After": "3", "X-Odd": "Z\xfcrich"})
    (answer,) = post(server.address)
    assert answer.content == b"text " * 1000
    assert answer.headers["retry-after"] == "3"
    assert answer.headers["x-odd"] == "Z\xfcrich"


def test_a_long_answer_is_refused_compressed_or_not(server: LoopbackServer) -> None:
    for body, headers in ((b"x" * (MAX_ANSWER_BYTES + 1), {}), (None, {"Content-Encoding": "gzip"})):
        body = body or gzip.compress(b"x" * (MAX_ANSWER_BYTES + 1))
        server.always = Answered(body=body, headers=headers)
        with pytest.raises(OversizedAnswerError, match="longer than 8,388,608 bytes"):
            post(server.address)


def test_a_proxy_that_is_named_later_is_used(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def two() -> list[int]:
        async with httpx.AsyncClient(transport=ConnectionPool(), timeout=20.0) as client:
            first = await client.post(server.address, json=1)
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{other.getsockname()[1]}")
            second = await client.post(server.address, json=2)
            return [first.status_code, second.status_code]

    with socket.create_server(("127.0.0.1", 0)) as other:

        def refuse() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 418 Tea\r\nContent-Length: 0\r\n\r\n")

        proxy = threading.Thread(target=refuse)
        proxy.start()
        assert asyncio.run(two()) == [200, 418]
        proxy.join(10)
