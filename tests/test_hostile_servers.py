"""Whatever a server sends, a search or a judge answers, or raises the one error that ends an episode in a fault."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import gymnasium
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.loopback_server import Answered, LoopbackServer
from tests.mediawiki_server import MediaWikiServer
from turnenv.actions import XmlGrammar
from turnenv.judges import EndpointJudge, JudgeError, Message
from turnenv.net.loop import kept
from turnenv.search import Passage, SearchError
from turnenv.search.mediawiki import Pace
from turnenv.search.retrieval import RetrievalSearch
from turnenv.search.wikipedia import WikipediaSearch

TALK = (Message("assistant", "Hi."), Message("user", "Good."))
QUICK: dict[str, Any] = {"backoff": 0.0, "max_attempts": 1, "timeout": 1.0, "deadline": 2.0}
SOUND = b'{"query": {"search": [{"title": "Ulm"}]}, "result": [[{"document": {"contents": "Ulm"}}]], "choices": []}'

Asked = dict[str, tuple[LoopbackServer, Callable[[], Any]]]


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """Each client with the server that it asks."""
    with ExitStack() as stack:
        wiki = stack.enter_context(MediaWikiServer({"Ulm": "A town."}).running())
        documents = stack.enter_context(LoopbackServer(lambda _: {"result": [[]]}).running())
        verdicts = stack.enter_context(LoopbackServer(lambda _: {"choices": []}).running())
        search = WikipediaSearch(api_url=wiki.api_url, cache_dir=None, min_interval=0.0, **QUICK)
        dense = RetrievalSearch(f"{documents.address}/retrieve", **QUICK)
        judge = EndpointJudge("m", "r", f"{verdicts.address}/v1", "k", cache_dir=None, **QUICK)
        yield {
            "wikipedia": (wiki, lambda: search.search("Ulm")),
            "retrieval": (documents, lambda: dense.search("Ulm")),
            "judge": (verdicts, lambda: judge.score(TALK)),
        }


def open_again() -> None:
    """Forget that a wiki asked for silence, so that the next request is sent."""
    for pace in kept("paces of MediaWiki's hosts", dict[str, Pace]).values():
        pace.closed_until = 0.0


def meets(asked: Asked, answered: Answered) -> None:
    open_again()
    for name, (server, ask) in asked.items():
        server.always = answered
        said, answer = "", None
        try:
            answer = ask()
        except (SearchError, JudgeError) as error:
            said = str(error)
        assert len(said.encode()) < 2_000
        if not said:
            assert answered.status < 400
            assert 0.0 <= answer <= 1.0 if name == "judge" else all(isinstance(found, Passage) for found in answer)


ABSURD = (
    "Fri, 01 Jan 99999999999999 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "-1",
    "-99999999999999999999",
    "NaN",
    "inf",
    "1e999",
    "9" * 5000,
    "\xb2",
    "soon",
    "",
    "0x7f",
    "1_000",
    "Wed, 21 Oct 2015 07:28:00 +99999999",
)
header_text = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=30)


@settings(max_examples=60, deadline=None)
@given(status=st.sampled_from([200, 404, 429, 500, 503]), text=st.sampled_from(ABSURD) | header_text)
def test_retry_after(asked: Asked, status: int, text: str) -> None:
    meets(asked, Answered(status, b"", {"Retry-After": text}))


@pytest.mark.parametrize("text", ABSURD)
def test_an_absurd_date_ends_an_episode_in_a_fault(asked: Asked, text: str) -> None:
    wiki, _ = asked["wikipedia"]
    open_again()
    wiki.always = Answered(503, b"", {"Retry-After": text})
    search = WikipediaSearch(api_url=wiki.api_url, cache_dir=None, min_interval=0.0, **QUICK)  # type: ignore[attr-defined]
    env = gymnasium.make("turnenv/TriviaSearch-v0", search=search)
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(XmlGrammar().call("search", {"query": "Ulm"}))
    assert (reward, terminated, truncated, info["outcome"]["end"]) == (0.0, False, True, "fault")
    assert "HTTP 503" in info["fault"]
    assert "\n" not in info["fault"]


NAMES = (
    "Location", "Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding", "Set-Cookie", "Connection",
    "Date", "Retry-After", "WWW-Authenticate", "X-Request-Id", "Link", "Content-Location", "Upgrade", "\xe9",
)  # fmt: skip
VALUES = (
    "http://[::1", "//", "\xff\xfe", "gzip, gzip, deflate", "br, zstd, x", "text/html; charset=\xff", "chunked",
    "application/json; charset=utf-7", "-1", "99999999999999999999", "a=b; expires=Fri, 01 Jan 99999999 00:00:00 GMT",
    "a=b; Max-Age=9e999; Domain=..", "http://\u00b2\u00b3:0/", "http://a:99999/", "close", "\x00", " ", "h2c",
    "mailto:x", "?", "http://127.0.0.1:1/", "file:///etc/passwd", "data:,x",
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    status=st.sampled_from([200, 200, 204, 301, 302, 303, 304, 307, 308, 400, 401, 407, 418, 503, 599, 999]),
    headers=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES) | header_text, max_size=4),
    body=st.sampled_from([SOUND, b"", gzip.compress(SOUND), zlib.compress(SOUND), b"\x1f\x8b"])
    | st.binary(max_size=40),
)
@example(status=302, headers={"Location": "http://[::1"}, body=b"")
@example(status=200, headers={"Content-Type": "text/html; charset=\xff"}, body=SOUND)
def test_any_headers(asked: Asked, status: int, headers: dict[str, str], body: bytes) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    meets(asked, Answered(raw=f"HTTP/1.1 {status} Odd\r\n{lines}\r\n".encode("latin-1") + body))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))
@example(b"")
@example(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
@example(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000)
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nx")
@example(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
def test_any_bytes(asked: Asked, raw: bytes) -> None:
    meets(asked, Answered(raw=raw))


BODIES = (
    b"[" * 200_000,
    b'{"a":' * 100_000,
    b'{"choices": ' + b"[" * 3_000 + b"]" * 3_000 + b"}",
    SOUND.replace(b'"Ulm"}]', b'"Ulm", "ns": ' + b"9" * 5_000 + b"}]"),
    SOUND[:-1] + b', "odd": ' + b"9" * 5_000 + b"}",
    SOUND[:-1] + b', "odd": "\\ud800"}',
    b'{"error": {"code": "\\ud800\\n", "message": "\\ud800\\u0000", "info": "\\u001b[2J"}}',
    b'{"choices": [{"message": {"role": "assistant", "content": "\\ud800"}}]}',
    b'{"choices": [{"message": {"content": {"reason": 1}}}]}',
    b'{"choices": {"0": {"message": 3}}}',
    b'{"choices": NaN, "query": NaN, "result": -Infinity}',
    b"\xef\xbb\xbf" + SOUND,
    SOUND.decode().encode("utf-16"),
    b"null",
    b'"text"',
    b"\x00" * 1000,
    b" " * 100_000,
)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("status", [200, 400, 500])
def test_odd_bodies(asked: Asked, status: int, body: bytes) -> None:
    meets(asked, Answered(status, body, {"Content-Type": "application/json"}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["query", "search", "pages", "title", "result", "document", "contents", "choices", "message", "content"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(
    json_values
    | st.fixed_dictionaries(
        {
            "query": st.fixed_dictionaries({"search": st.lists(json_values, max_size=2)}),
            "result": st.lists(st.lists(json_values, max_size=2), max_size=2),
            "choices": st.lists(st.fixed_dictionaries({"message": json_values}), max_size=2),
        }
    )
)
def test_any_json(asked: Asked, value: Any) -> None:
    meets(asked, Answered(200, json.dumps(value).encode(), {"Content-Type": "application/json"}))


@pytest.mark.parametrize("answered", [Answered(drop=True), Answered(body=SOUND, cut=True), Answered(hang=True)])
def test_a_server_that_hangs_up_or_says_nothing(asked: Asked, answered: Answered) -> None:
    open_again()
    for server, ask in asked.values():
        server.always = answered
        with pytest.raises((SearchError, JudgeError)):
            ask()
