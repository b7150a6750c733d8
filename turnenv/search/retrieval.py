"""A retrieval server as a search backend: the `/retrieve` protocol of Search-R1 (arXiv 2503.09516)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import httpx
import pydantic

from turnenv.net.connections import ConnectionPool
from turnenv.net.loop import ask, kept
from turnenv.search.base import Passage, SearchError, few

__all__ = ["RetrievalSearch"]

#: A longer query is cut; dense retrievers read far fewer characters.
MAX_QUERY_CHARS = 2_000
_LATER = "see whether the retrieval server is up, or use the bundled search 'atlas'"


class _Document(pydantic.BaseModel):
    contents: Annotated[str, pydantic.Field(min_length=1)]


class _Hit(pydantic.BaseModel):
    document: _Document
    score: float = 0.0


class _Answer(pydantic.BaseModel):
    """One list of hits, for the one query that was sent."""

    result: Annotated[
        list[Annotated[list[_Hit], pydantic.BeforeValidator(few)]],
        pydantic.Field(min_length=1, max_length=1),
        pydantic.BeforeValidator(few),
    ]


class _PassingError(SearchError):
    """A failure that a retry may fix."""


@dataclass(frozen=True)
class RetrievalSearch:
    r"""Searches the corpus of a server with Search-R1's protocol.

    `POST {"queries": [query], "topk": k, "return_scores": true}` is answered by
    `{"result": [[{"document": {"contents": "\"Title\"\ntext"}, "score": 0.9}, …]]}`.

    A plain value: instances with equal fields share connections, and it pickles and forks like any value.
    Safe to call from many threads.

    Attributes:
        url: address of the server's endpoint; by default the one that Search-R1's server announces.
        k: passages wanted.
        timeout: seconds to wait for one connection or one piece of an answer.
        deadline: seconds that a search may take with all its retries.
        max_attempts: how many times one request is sent at most.
        backoff: seconds before the first retry, doubling with each, with jitter.

    Raises:
        ValueError: a field has a value that cannot work.
    """

    url: str = "http://127.0.0.1:8000/retrieve"
    k: int = 1
    timeout: float = 10.0
    deadline: float = 30.0
    max_attempts: int = 3
    backoff: float = 0.5

    def __post_init__(self) -> None:
        for name in ("k", "timeout", "deadline", "max_attempts"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.backoff < 0:
            raise ValueError(f"backoff must not be negative, got {self.backoff}")
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise ValueError(f"url {self.url!r} is no address: {error}") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"url must look like 'http://host:8000/retrieve', got {self.url!r}")

    def search(self, query: str) -> tuple[Passage, ...]:
        """Find the passages that the server ranks best.

        Args:
            query: any string; characters that UTF-8 cannot encode are dropped, and everything after 2,000 characters.

        Returns:
            At most k passages, best first; the title is the first line of a document's contents without the pair of
            quotes around it, empty if the contents are a single line. Empty when nothing was found or asked.

        Raises:
            SearchError: the server did not answer within the deadline, or what it sent is not a list of passages.
        """
        text = query[:MAX_QUERY_CHARS].encode("utf-8", "ignore").decode().strip()
        if not text:
            return ()
        client = kept(self, self._client, httpx.AsyncClient.aclose)
        try:
            return ask(
                lambda: self._attempt(client, text),
                passing=_PassingError,
                max_attempts=self.max_attempts,
                backoff=self.backoff,
                deadline=self.deadline,
            )
        except TimeoutError as error:
            message = f"{self.url} kept a search waiting past its deadline of {self.deadline} s; raise it, or {_LATER}"
            raise SearchError(message) from error

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=self.timeout, transport=ConnectionPool())

    async def _attempt(self, client: httpx.AsyncClient, query: str) -> tuple[Passage, ...]:
        body = {"queries": [query], "topk": self.k, "return_scores": True}
        try:
            response = await client.post(self.url, json=body)
        except httpx.TimeoutException as error:
            message = f"{self.url} did not answer in time ({type(error).__name__}); raise timeout, or {_LATER}"
            raise _PassingError(message) from error
        except httpx.HTTPError as error:
            raise _PassingError(f"{self.url} cannot be reached ({error!r}); {_LATER}") from error
        except Exception as error:  # what the client makes of headers that no server should send
            raise _PassingError(f"{self.url} sent an answer that cannot be read ({error!r}); {_LATER}") from error
        status = response.status_code
        if status != 200:
            kind = _PassingError if status == 429 or status >= 500 else SearchError
            raise kind(f"{self.url} answered HTTP {status}; check url, or {_LATER}")
        return self._passages(response.content)

    def _passages(self, content: bytes) -> tuple[Passage, ...]:
        try:
            (hits,) = _Answer.model_validate_json(content).result
        except pydantic.ValidationError as error:
            problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(map(str, problem["loc"])) or "the body"
            message = f"{self.url} sent no passages ({place}: {problem['msg']}); check url, or {_LATER}"
            raise _PassingError(message) from error
        return tuple(_passage(hit.document.contents) for hit in hits[: self.k])


def _passage(contents: str) -> Passage:
    line, newline, text = contents.partition("\n")
    return Passage(_title(line.strip()), text.strip()) if newline else Passage("", contents.strip())


def _title(line: str) -> str:
    """A title without the one pair of quotes that Search-R1's corpus puts around it; its own quotes stay.

    Quotes that begin and end a line are no pair where the first is closed before: `"Fire" and "Rain"`.
    """
    if len(line) < 2 or not line[0] == line[-1] == '"':
        return line
    inner = line[1:-1]
    closed_before = inner.count('"') % 2 == 0 and re.match(r'[^"]*[^"\s\d(\[/-]"', inner)
    return line if closed_before else inner
