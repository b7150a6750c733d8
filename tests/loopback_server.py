"""An HTTP server on 127.0.0.1 that answers as a test tells it to, well or badly, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answered:
    """What the server does with one request.

    Attributes:
        status: HTTP status.
        body: sent as it is; None sends the proper answer with status 200, and nothing with another.
        headers: sent beside the usual ones.
        delay: seconds before anything is sent.
        hang: say nothing until the server closes.
        drip: send the body one byte at a time, this many seconds apart.
        drop: close the connection without a word.
        cut: close the connection in the middle of the body.
        raw: bytes sent instead of everything else, before the connection is closed.
    """

    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hang: bool = False
    drip: float = 0.0
    drop: bool = False
    cut: bool = False
    raw: bytes | None = None


class LoopbackServer:
    """Does what `script` holds, one a request, then `always`, or sends what `answer` makes of the request.

    Args:
        answer: the proper answer to what `read` made of a request: JSON, or an `Answered` with a body.
        tls: serves HTTPS, by a name that its certificate holds.
    """

    def __init__(self, answer: Callable[[Any], Any], tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.script: list[Answered] = []
        self.always: Answered | None = None
        self.delay = 0.0
        self.seen: list[Any] = []
        self.connections = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._http = _Quiet(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_state": self}))
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Any]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._http.shutdown()
            thread.join()
            self._http.server_close()

    def read(self, handler: BaseHTTPRequestHandler) -> Any:
        """What is remembered of a request and answered: its JSON."""
        return json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))

    def next_answer(self, request: Any) -> Answered:
        with self.lock:
            self.seen.append(request)
            scripted = self.script.pop(0) if self.script else self.always
        if scripted is None:
            scripted = Answered(delay=self.delay)
        if scripted.raw is not None or scripted.body is not None or scripted.status != 200:
            return scripted
        proper = self.answer(request)
        if not isinstance(proper, Answered):
            proper = Answered(body=json.dumps(proper).encode(), headers={"Content-Type": "application/json"})
        return replace(scripted, status=proper.status, body=proper.body, headers=proper.headers)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    server_state: LoopbackServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        with self.server_state.lock:
            self.server_state.connections += 1

    def do_POST(self) -> None:
        answer = self.server_state.next_answer(self.server_state.read(self))
        closing = self.server_state.closing
        closing.wait(answer.delay)
        if answer.hang:
            closing.wait()
        if answer.hang or answer.drop:
            self.close_connection = True
            return
        with contextlib.suppress(ConnectionError):
            if answer.raw is not None:
                self.close_connection = True
                self.wfile.write(answer.raw)
            else:
                self._send(answer, answer.body or b"")

    do_GET = do_HEAD = do_POST  # noqa: N815

    def _send(self, answer: Answered, body: bytes) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if answer.cut:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif not answer.drip:
            self.wfile.write(body)
        else:
            for byte in body:
                self.wfile.write(bytes([byte]))
                if self.server_state.closing.wait(answer.drip):
                    return

    def log_message(self, *args: Any) -> None:
        pass
