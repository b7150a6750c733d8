"""Live Wikipedia as a search backend: full-text search, then the lead of each best page."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import json
import re
import threading
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import platformdirs
import wikipediaapi

from turnenv.net.cache import AnswerCache
from turnenv.net.loop import kept, submit
from turnenv.rewards import whole_words
from turnenv.search.base import Passage, SearchError
from turnenv.search.mediawiki import DEADLINE, LATER, MediaWikiTransport, Pace
from turnenv.version import __version__

__all__ = ["WikipediaSearch", "clean_query"]

#: MediaWiki refuses longer search texts, with an error that would look like a fault of the server.
MAX_QUERY_CHARS = 300
#: How many hits beyond k are requested, in case some have no lead.
_SPARE_HITS = 3
USER_AGENT = f"turnenv/{__version__} (https://pypi.org/project/turnenv/)"
# Keywords ("insource:/…/"), wildcards and fuzziness: costly for the server, and a way to provoke its errors.
_SYNTAX = re.compile(r"[\x00-\x1f\x7f:*?~\\|/<>\[\]{}]+")


def clean_query(query: str) -> str:
    """Turn any string into a search text that MediaWiki reads as plain words.

    Args:
        query: any string.

    Returns:
        At most 300 characters without search syntax; empty when nothing searchable is left.
    """
    text = query[: 10 * MAX_QUERY_CHARS].encode("utf-8", "ignore").decode()
    text = unicodedata.normalize("NFC", _SYNTAX.sub(" ", text))
    words = (word.lstrip("-!+") for word in text.split())
    text = " ".join(word for word in words if word)[:MAX_QUERY_CHARS].strip()
    return text if any(character.isalnum() for character in text) else ""


@dataclass(frozen=True)
class WikipediaSearch:
    """Searches Wikipedia, or another wiki with MediaWiki's search and TextExtracts extensions.

    A plain value: instances with equal fields share connections, and it pickles and forks like any value.
    Safe to call from many threads; equal queries at the same time send one request.

    Attributes:
        k: passages wanted.
        language: Wikipedia's language code, as in its address.
        user_agent: names the project and how to reach its owner, as Wikimedia's policy requires.
        timeout: seconds to wait for one connection or one piece of an answer.
        deadline: seconds a search may take with all its retries; only queueing behind this process's own requests
            (`min_interval` each) comes on top.
        max_attempts: how many times one request is sent at most.
        min_interval: seconds between the starts of two live requests of this process to the same host.
        backoff: seconds before the first retry, doubling with each, with jitter.
        max_chars: a longer lead is cut at a word, with an ellipsis.
        cache_dir: where the passages found are stored; None stores nothing.
        api_url: address of the api.php to ask; None means Wikipedia's own in `language`.

    Raises:
        ValueError: a field has a value that cannot work.
    """

    k: int = 1
    language: str = "en"
    user_agent: str = USER_AGENT
    timeout: float = 10.0
    deadline: float = 30.0
    max_attempts: int = 4
    min_interval: float = 0.3
    backoff: float = 0.5
    max_chars: int = 1000
    cache_dir: str | Path | None = field(default_factory=lambda: platformdirs.user_cache_path("turnenv") / "wikipedia")
    api_url: str | None = None

    def __post_init__(self) -> None:
        for name in ("k", "timeout", "deadline", "max_attempts", "max_chars"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("min_interval", "backoff"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", self.language):
            raise ValueError(f"language must be a Wikipedia code such as 'en' or 'simple', got {self.language!r}")
        if not re.search(r"@|://", self.user_agent) or not (
            self.user_agent.isascii() and self.user_agent.isprintable()
        ):
            raise ValueError(f"user_agent must hold an address to reach you at, in ASCII; got {self.user_agent!r}")

    def search(self, query: str) -> tuple[Passage, ...]:
        """Find the leads of the pages that fit a query best.

        Args:
            query: any string; see `clean_query`. Pages without a lead (bare lists of meanings) are skipped.

        Returns:
            At most k passages, best first; empty when nothing was found.

        Raises:
            SearchError: Wikipedia did not answer within the deadline, or the cache fails; nothing is stored then.
        """
        text = clean_query(query)
        if not text:
            return ()
        paces = kept("paces of MediaWiki's hosts", dict[str, Pace])
        connection = kept(self, lambda: _Connection(self, paces), _Connection.aclose)
        passages = connection.search(text)
        return tuple(Passage(passage.title, _cut(passage.text, self.max_chars)) for passage in passages)


def _cut(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else f"{whole_words(text, max_chars - 1)}…"


class _Connection:
    """What a process holds for a WikipediaSearch: the client, the cache and the searches in progress."""

    def __init__(self, spec: WikipediaSearch, paces: dict[str, Pace]) -> None:
        self._spec = spec
        self._api_url = spec.api_url or f"https://{spec.language}.wikipedia.org/w/api.php"
        self._cache = (
            None if spec.cache_dir is None else AnswerCache(Path(spec.cache_dir) / "passages.sqlite3", SearchError)
        )
        self._lock = threading.Lock()
        self._jobs: dict[str, concurrent.futures.Future[tuple[Passage, ...]]] = {}
        self._transport = MediaWikiTransport(
            self._api_url,
            max_attempts=spec.max_attempts,
            min_interval=spec.min_interval,
            backoff=spec.backoff,
            max_silence=spec.deadline,
            paces=paces,
        )
        # maxlag: yield to people while the servers lag behind. Retries are the transport's, which sees more.
        self._wiki = wikipediaapi.AsyncWikipedia(
            spec.user_agent,
            spec.language,
            extra_api_params={"maxlag": 5},
            max_retries=0,
            transport=self._transport,
            timeout=httpx.Timeout(spec.timeout, pool=None),
        )

    def search(self, query: str) -> tuple[Passage, ...]:
        key = json.dumps([self._api_url, self._spec.language, self._spec.k, query])
        known = self._cache.get(key) if self._cache else None
        if known is not None:
            return tuple(Passage(title, text) for title, text in known)
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                job = submit(self._ask(key, query))
                self._jobs[key] = job
                job.add_done_callback(lambda _: self._jobs.pop(key, None))
        return job.result()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _ask(self, key: str, query: str) -> tuple[Passage, ...]:
        """Find passages within the deadline and store them."""
        try:
            async with asyncio.timeout(self._spec.deadline) as clock:
                DEADLINE.set(clock)
                passages = await self._find(query)
        except TimeoutError as error:
            message = (
                f"{self._api_url} kept a search waiting past its deadline of {self._spec.deadline} s; "
                f"raise deadline, or {LATER}"
            )
            raise SearchError(message) from error
        except SearchError:
            raise
        except Exception as error:  # wikipedia-api reads fields that MediaWikiTransport does not know
            message = f"{self._api_url} sent an answer that cannot be read ({error!r}); {LATER}"
            raise SearchError(message) from error
        if self._cache:
            await asyncio.to_thread(self._cache.put, key, [(passage.title, passage.text) for passage in passages])
        return passages

    async def _find(self, query: str) -> tuple[Passage, ...]:
        hits = await self._wiki.search(query, limit=self._spec.k + _SPARE_HITS)
        passages: list[Passage] = []
        for page in itertools.islice(hits.pages.values(), self._spec.k + _SPARE_HITS):
            lead = await self._lead(page)
            if lead:
                passages.append(Passage(page.title, lead))
            if len(passages) == self._spec.k:
                break
        return tuple(passages)

    async def _lead(self, page: wikipediaapi.AsyncWikipediaPage) -> str:
        """The text before a page's first section; empty for a page that has none.

        A lead that ends in a colon announces a list that is not part of it ("Mercury may refer to:").
        """
        try:
            lead = str(await self._wiki.extracts(page, exintro=1)).strip()
        except KeyError:  # how wikipedia-api meets a page for which the wiki makes no extract
            return ""
        return "" if lead.endswith((":", "\uff1a")) else lead
