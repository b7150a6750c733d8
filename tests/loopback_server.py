"""An HTTP server on 127.0.0.1 that answers each POST as a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answered:
    """What is sent: a status and a body; `hang` says nothing at all, `drip` one byte every so many seconds."""

    status: int = 200
    body: bytes = b""
    hang: bool = False
    drip: float = 0.0
    delay: float = 0.0


class LoopbackServer:
    """Answers with what `script` holds, one a request, then with what `answer` makes of the request's JSON."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.answer = answer
        self.script: list[Answered] = []
        self.always: Answered | None = None
        self.delay = 0.0
        self.seen: list[Any] = []
        self.connections = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._http = _Quiet(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_state": self}))
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator[LoopbackServer]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._http.shutdown()
            thread.join()
            self._http.server_close()

    def next_answer(self, request: Any) -> Answered:
        with self.lock:
            self.seen.append(request)
            scripted = self.script.pop(0) if self.script else self.always
        return scripted or Answered(body=json.dumps(self.answer(request)).encode(), delay=self.delay)


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
        length = int(self.headers["Content-Length"])
        answer = self.server_state.next_answer(json.loads(self.rfile.read(length)))
        closing = self.server_state.closing
        closing.wait(answer.delay)
        if answer.hang:
            closing.wait()
            self.close_connection = True
            return
        with contextlib.suppress(ConnectionError):
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if not answer.drip:
                self.wfile.write(answer.body)
                return
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                if closing.wait(answer.drip):
                    return

    def log_message(self, *args: Any) -> None:
        pass
