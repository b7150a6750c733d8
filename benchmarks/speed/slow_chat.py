"""A cheap server of chat completions in a process of its own, which takes the same time for every answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection

from benchmarks.speed.server_process import in_a_process

_MESSAGE = {"role": "assistant", "content": "7"}
_ANSWER = json.dumps(
    {
        "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102},
    }
).encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_ANSWER)
REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n{}"


def slow_chat(latency: float) -> AbstractContextManager[int]:
    """The port of a server that answers each request `latency` seconds after it came."""
    return in_a_process(_serve, latency)


async def ask_bare(port: int, requests: int, concurrency: int) -> None:
    """Send requests with as little work as possible: what the machine takes when nothing is read or written."""

    async def one(numbers: Iterator[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in numbers:
            writer.write(REQUEST)
            await reader.readexactly(len(_HEAD) + len(_ANSWER))
        writer.close()

    numbers = iter(range(requests))
    await asyncio.gather(*(one(numbers) for _ in range(concurrency)))


class _Answering(asyncio.Protocol):
    def __init__(self, latency: float) -> None:
        self._latency, self._read, self._due = latency, bytearray(), 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, _ = self._read.partition(b"\r\n\r\n")
        if found and not self._due:
            length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
            self._due = len(head) + 4 + int(length)
        if self._due and len(self._read) >= self._due:
            self._read, self._due = bytearray(), 0
            asyncio.get_running_loop().call_later(self._latency, self._transport.write, _HEAD + _ANSWER)


def _serve(sender: Connection, latency: float) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Answering(latency), "127.0.0.1", 0, backlog=512
        )
        sender.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())
