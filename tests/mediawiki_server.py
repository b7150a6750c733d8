"""A small MediaWiki on 127.0.0.1: answers list=search and prop=extracts as the real one does, and fails on command."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.loopback_server import Answered, LoopbackServer


@dataclass(frozen=True)
class Seen:
    """A request that arrived: when (monotonic seconds), the target as written, its parameters and headers."""

    time: float
    target: str
    params: dict[str, str]
    headers: dict[str, str]


class MediaWikiServer(LoopbackServer):
    """The server and what it remembers.

    Args:
        articles: title -> lead; a lead of None is a page for which no extract is made.
    """

    def __init__(self, articles: Mapping[str, str | None]) -> None:
        super().__init__(self._proper)
        self.articles = dict(articles)
        self.api_url = f"{self.address}/w/api.php"

    def read(self, handler: BaseHTTPRequestHandler) -> Seen:
        parameters = dict(parse_qsl(urlsplit(handler.path).query))
        return Seen(time.monotonic(), handler.path, parameters, dict(handler.headers))

    def _proper(self, seen: Seen) -> dict[str, Any] | Answered:
        user_agent, params = seen.headers.get("User-Agent", ""), seen.params
        if "://" not in user_agent and "@" not in user_agent:
            return Answered(403, b"Please set a user-agent and respect our robot policy.")
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
