"""The connection pool against a server on loopback: connections are reused, answers are whole and bounded."""

from __future__ import annotations

import asyncio
import gc
import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.loopback_server import Answered, LoopbackServer
from turnenv.net.connections import MAX_ANSWER_BYTES, ConnectionPool, OversizedAnswerError
from turnenv.net.http11 import connect


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


def test_a_connection_that_the_server_closes_is_not_used_again(server: LoopbackServer) -> None:
    server.script = [Answered(body=b"1", headers={"Connection": "close"})]
    assert [answer.content for answer in post(*[server.address] * 3)] == [b"1", b'{"echo": 0}', b'{"echo": 0}']
    assert server.connections == 2
    # One that is closed without saying so, after the answer or later, is replaced as well.
    server.script = [Answered(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2")]

    async def later() -> list[bytes]:
        async with httpx.AsyncClient(transport=ConnectionPool(), timeout=20.0) as client:
            first = await client.post(server.address, json=0)
            await asyncio.sleep(0.05)
            return [first.content, (await client.post(server.address, json=0)).content]

    assert asyncio.run(later()) == [b"2", b'{"echo": 0}']


def test_what_a_server_adds_to_an_answer_is_no_answer_to_the_next_request(server: LoopbackServer) -> None:
    server.script = [Answered(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2HTTP/1.1 200 OK\r\n\r\nwrong")]
    assert [answer.content for answer in post(*[server.address] * 2)] == [b"2", b'{"echo": 0}']


def test_a_cancelled_request_closes_its_connection(server: LoopbackServer) -> None:
    async def cancelled() -> httpx.Response:
        async with httpx.AsyncClient(transport=ConnectionPool(), timeout=20.0) as client:
            server.script = [Answered(hang=True)]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.post(server.address, json=1), 0.1)
            return await client.post(server.address, json=2)

    assert asyncio.run(cancelled()).json() == {"echo": 2}
    assert server.connections == 2


@pytest.mark.parametrize("passes", range(10))
def test_a_cancelled_connection_leaves_no_socket_to_the_garbage(server: LoopbackServer, passes: int) -> None:
    async def cancelled() -> None:
        making = asyncio.ensure_future(connect(httpx.URL(server.address), None, MAX_ANSWER_BYTES, 20.0))
        for _ in range(passes):
            await asyncio.sleep(0)
        if making.cancel():
            with pytest.raises(asyncio.CancelledError):
                await making
        else:
            making.result().close()
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(cancelled())
        gc.collect()
    assert [str(one.message) for one in caught] == []


@pytest.mark.parametrize(
    ("answered", "error"),
    [
        (Answered(hang=True), httpx.ReadTimeout),
        (Answered(drop=True), httpx.RemoteProtocolError),
        (Answered(body=b"12", cut=True), httpx.RemoteProtocolError),
        (Answered(raw=b"SSH-2.0-OpenSSH\r\n\r\n"), httpx.RemoteProtocolError),
        (Answered(raw=b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000), httpx.RemoteProtocolError),
    ],
)
def test_no_answer_is_an_error_of_httpx(server: LoopbackServer, answered: Answered, error: type[Exception]) -> None:
    server.always = answered

    async def asked() -> None:
        async with httpx.AsyncClient(transport=ConnectionPool(), timeout=0.3) as client:
            await client.post(server.address, json=1)

    with pytest.raises(error):
        asyncio.run(asked())


def test_a_body_without_a_length_and_one_in_chunks(server: LoopbackServer) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    server.script = [Answered(raw=b"HTTP/1.1 200 OK\r\n\r\nabcde"), Answered(raw=chunked)]
    assert [answer.content for answer in post(*[server.address] * 2)] == [b"abcde"] * 2


def test_tls_with_the_environments_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command")
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", "key", "-out", "cert"]
    named = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([openssl, "req", "-x509", *made, *named], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with LoopbackServer(lambda request: {"echo": request}, context).running() as server:
        address = server.address.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            post(address)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
        assert [answer.json() for answer in post(*[address] * 2)] == [{"echo": 0}] * 2
