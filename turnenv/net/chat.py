"""Chat completions of an OpenAI-compatible server, for judges and policies: the client, credentials, errors."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import httpx

from turnenv.extras import needs
from turnenv.net.connections import ConnectionPool
from turnenv.net.loop import kept
from turnenv.net.retrying import read_retry_after

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

__all__ = ["DEFAULT_ADDRESS", "ChatError", "ChatServer", "Peer", "RefusedError", "RetryableError"]

ResultT = TypeVar("ResultT")
DEFAULT_ADDRESS = "https://api.openai.com/v1"
#: What the openai client reads from the environment besides the address and OPENAI_API_KEY.
_CREDENTIALS = ("OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS")
_KEYS = ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY")
#: Statuses that every request to the server would meet: no credit, a refused key, no such model or address.
_REFUSALS = (401, 402, 403, 404)
_SHORTEST_KEY = 6


class ChatError(RuntimeError):
    """A server gave no sound answer to a request; the message holds no key."""


class RetryableError(ChatError):
    """A failure that a retry may fix.

    Attributes:
        retry_after: seconds that the server asked its clients to wait; 0 when it named none.
    """

    retry_after: float = 0.0


class RefusedError(ChatError):
    """The server refuses whatever is asked: the key, the model's name, the account or the address is wrong."""


class Peer(NamedTuple):
    """How messages call what is asked, and what it is asked for: `the judge 'm'`, "verdict"."""

    name: str
    wanted: str


@dataclass(frozen=True, slots=True)
class ChatServer:
    """An OpenAI-compatible server and the credentials for it; both may come from the environment, which may change.

    Attributes:
        base_url: None takes OPENAI_BASE_URL, or OpenAI's own address.
        api_key: None takes OPENAI_API_KEY.
        timeout: seconds to wait for one connection or one piece of an answer.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 30.0

    @property
    def address(self) -> str:
        """Where requests go."""
        return self.base_url or os.environ.get("OPENAI_BASE_URL", "").strip() or DEFAULT_ADDRESS

    def account(self) -> tuple[str, str]:
        """The address, and a digest of the credentials."""
        credentials = [self.api_key or os.environ.get("OPENAI_API_KEY"), *map(os.environ.get, _CREDENTIALS)]
        return self.address, hashlib.blake2b(json.dumps(credentials).encode(), digest_size=16).hexdigest()

    def client(self, peer: Peer) -> AsyncOpenAI:
        """The client of this account, one per process.

        Raises:
            RefusedError: the address is none, or there is no key or one that no header can carry.
            ModuleNotFoundError: the `openai` client is not installed.
        """
        return kept((self, self.account()), functools.partial(self._make_client, peer), _close)

    async def complete(
        self, client: AsyncOpenAI, peer: Peer, fields: Mapping[str, Any], read: Callable[[Any], ResultT]
    ) -> ResultT:
        """Ask for one chat completion, once.

        Args:
            client: what `client` returned.
            peer: for messages.
            fields: of the request.
            read: from the answer's JSON to what is wanted of it; whatever it raises means that the answer is not sound.

        Raises:
            ChatError: there is none.
        """
        import openai

        failure: ChatError
        try:
            # As bytes, because the client makes a deep copy of a body of fields: the whole conversation, at every turn.
            response = await client.post(
                "/chat/completions",
                cast_to=httpx.Response,
                content=json.dumps(fields).encode(),
                options={"timeout": self.timeout, "headers": {"Content-Type": "application/json"}},
            )
            return read(json.loads(response.content))
        except openai.APIStatusError as error:
            failure = _of_status(error, f"{peer.name} answered HTTP {error.status_code}: {self._excerpt(str(error))}")
        except openai.OpenAIError as error:
            cause = self._without_keys(repr(error.__cause__ or error))
            failure = RetryableError(f"{peer.name} cannot be reached ({cause})")
        except Exception as error:  # noqa: BLE001 (a server of another kind shows up here as anything)
            failure = RetryableError(f"{peer.name} sent no {peer.wanted}: {self._excerpt(str(error))}")
        # Outside of the except clauses: a traceback would show the server's words, which may hold the key.
        raise failure

    def _make_client(self, peer: Peer) -> AsyncOpenAI:
        with needs("endpoint", peer.name):
            import openai
        if not _is_address(self.address):
            raise RefusedError(f"{peer.name} cannot be asked: {self.address!r} is not an address of HTTP")
        key = (self.api_key or os.environ.get("OPENAI_API_KEY", "")).strip()
        if not (key.isascii() and key.isprintable()):
            raise RefusedError(f"{peer.name} cannot be asked: the key holds characters that no HTTP header can carry")
        # Any, because openai 3 declares its own fork of httpx and takes httpx as well.
        http_client: Any = httpx.AsyncClient(transport=ConnectionPool(), timeout=self.timeout, follow_redirects=True)
        try:
            return openai.AsyncOpenAI(
                base_url=self.address, api_key=key or None, max_retries=0, http_client=http_client
            )
        except openai.OpenAIError as error:
            raise RefusedError(f"{peer.name} cannot be asked: {error}") from error

    def _excerpt(self, text: str) -> str:
        return repr(self._without_keys(text)[:200])

    def _without_keys(self, text: str) -> str:
        for key in (self.api_key, *map(os.environ.get, _KEYS)):
            if key and len(key.strip()) >= _SHORTEST_KEY:
                text = text.replace(key.strip(), "(key)")
        return text


def _of_status(error: APIStatusError, message: str) -> ChatError:
    status = error.status_code
    if status in _REFUSALS or error.code == "insufficient_quota":
        return RefusedError(message)
    if status in (408, 409, 429) or status >= 500:
        failure = RetryableError(message)
        failure.retry_after = read_retry_after(error.response.headers.get("Retry-After", ""))
        return failure
    return ChatError(message)


def _is_address(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


async def _close(client: AsyncOpenAI) -> None:
    await client.close()
