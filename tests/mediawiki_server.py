"""A small MediaWiki on 127.0.0.1: answers list=search and prop=extracts as the real one does, and fails on command."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Failure:
    """What the server does instead of answering one request.

    Attributes:
        status: HTTP status.
        body: sent as it is.
        headers: sent beside the usual ones.
        hang: say nothing until the server closes.
        drip: send the body one byte at a time, this many seconds apart.
        drop: close the connection without a word.
        delay: answer properly, but this many seconds late.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    drip: float = 0.0
    drop: bool = False
    delay: float = 0.0


@dataclass(frozen=True)
class Seen:
    """A request that arrived: when (monotonic seconds), the target as written, its parameters and headers."""

    time: float
    target: str
    params: dict[str, str]
    headers: dict[str, str]


class MediaWikiServer:
    """The server and what it remembers.

    Args:
        articles: title -> lead; a lead of None is a page for which no extract is made.
    """

    def __init__(self, articles: Mapping[str, str | None]) -> None:
        self.articles = dict(articles)
        self.script: list[Failure] = []
        self.always: Failure | None = None
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"wiki": self}))
        self._http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.api_url = f"{self.address}/w/api.php"

    @contextlib.contextmanager
    def running(self) -> Iterator[MediaWikiServer]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._http.shutdown()
            thread.join()
            self._http.server_close()

    def next_failure(self, seen: Seen) -> Failure | None:
        with self.lock:
            self.seen.append(seen)
            return self.script.pop(0) if self.script else self.always

    def answer(self, params: Mapping[str, str]) -> dict[str, Any]:
        """The body of a good answer."""
        if params.get("action") != "query" or params.get("format") != "json":
            return _error("badvalue", "Unrecognized value for parameter.")
        if params.get("list") == "search":
            return self._search(params)
        if params.get("prop") == "extracts" and "exintro" in params and "explaintext" in params:
            return self._extracts(params["titles"])
        return _error("missingparam", "The parameters are not those of a search or of a lead.")

    def _search(self, params: Mapping[str, str]) -> dict[str, Any]:
        text = params.get("srsearch", "")
        if not text:
            return _error("missingparam", 'The "srsearch" parameter must be set.')
        if len(text) > 300:
            return _error("request_too_long", "Search request is longer than the maximum allowed length.")
        if re.search(r"insource:|\x00", text):
            return _error("cirrussearch-regex-syntax-error", "Regular expression syntax error.")
        words = set(re.findall(r"\w+", text.lower()))

        def score(title: str) -> int:
            found = re.findall(r"\w+", f"{title} {self.articles[title] or ''}".lower())
            return 2 * len(words & set(found)) + len(words & set(re.findall(r"\w+", title.lower())))

        ranked = sorted((title for title in self.articles if score(title)), key=score, reverse=True)
        hits = [
            {"ns": 0, "title": title, "pageid": self._id(title), "size": 9, "wordcount": 3, "snippet": "<b>x</b>"}
            for title in ranked[: int(params["srlimit"])]
        ]
        return {"batchcomplete": "", "query": {"searchinfo": {"totalhits": len(ranked)}, "search": hits}}

    def _extracts(self, title: str) -> dict[str, Any]:
        if title not in self.articles:
            return {"batchcomplete": "", "query": {"pages": {"-1": {"ns": 0, "title": title, "missing": ""}}}}
        page: dict[str, Any] = {"pageid": self._id(title), "ns": 0, "title": title}
        lead = self.articles[title]
        if lead is not None:
            page["extract"] = lead
        return {"batchcomplete": "", "query": {"pages": {str(page["pageid"]): page}}}

    def _id(self, title: str) -> int:
        return 100 + list(self.articles).index(title)


def _error(code: str, info: str) -> dict[str, Any]:
    return {"error": {"code": code, "info": info, "*": "See https://127.0.0.1/w/api.php for API usage."}}


class _Handler(BaseHTTPRequestHandler):
    wiki: MediaWikiServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        params = dict(parse_qsl(parts.query))
        failure = self.wiki.next_failure(Seen(time.monotonic(), self.path, params, dict(self.headers)))
        if failure is None:
            self._send_answer(params)
        elif failure.delay:
            self.wiki.closing.wait(failure.delay)
            self._send_answer(params)
        elif failure.hang:
            self.wiki.closing.wait()
            self.close_connection = True
        elif failure.drop:
            self.close_connection = True
        else:
            self._send(failure.status, failure.body, failure.headers, failure.drip)

    def _send_answer(self, params: Mapping[str, str]) -> None:
        if "://" not in self.headers.get("User-Agent", "") and "@" not in self.headers.get("User-Agent", ""):
            self._send(403, b"Please set a user-agent and respect our robot policy.", {})
            return
        body = json.dumps(self.wiki.answer(params)).encode()
        self._send(200, body, {"Content-Type": "application/json; charset=utf-8"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], drip: float = 0.0) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not drip:
                self.wfile.write(body)
                return
            for byte in body:
                self.wfile.write(bytes([byte]))
                if self.wiki.closing.wait(drip):
                    return

    def log_message(self, *args: Any) -> None:
        pass
