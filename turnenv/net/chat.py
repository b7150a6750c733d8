"""Chat completions of an OpenAI-compatible server, for judges and policies: the client, credentials, errors."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import httpx

from turnenv.net.connections import ConnectionPool
from turnenv.net.loop import kept
from turnenv.net.retrying import read_retry_after
from turnenv.version import __version__

__all__ = ["DEFAULT_ADDRESS", "ChatError", "ChatServer", "Peer", "RefusedError", "RetryableError"]

ResultT = TypeVar("ResultT")
DEFAULT_ADDRESS = "https://api.openai.com/v1"
#: Who pays for requests, by the variables that OpenAI's own client reads, and the headers that say so.
_ACCOUNT = {"OPENAI_ORG_ID": "OpenAI-Organization", "OPENAI_PROJECT_ID": "OpenAI-Project"}
#: Statuses that every request to the server would meet: no credit, a refused key, no such model or address.
_REFUSALS = (401, 402, 403, 404)
_SHORTEST_KEY = 6


class ChatError(RuntimeError):
    """A server gave no usable answer to a request; the message contains no API key."""


class RetryableError(ChatError):
    """A failure that a retry may fix.

    Attributes:
        retry_after: seconds that the server asked its clients to wait; 0 when it named none.
    """

    retry_after: float = 0.0


class RefusedError(ChatError):
    """The server refuses whatever is asked: the key, the model's name, the account or the address is wrong."""


class Peer(NamedTuple):
    """What error messages call a server's model and what it is asked for, such as `the judge 'm'` and "verdict"."""

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
        credentials = json.dumps(self._credentials())
        return self.address, hashlib.blake2b(credentials.encode(), digest_size=16).hexdigest()

    def client(self, peer: Peer) -> httpx.AsyncClient:
        """The client of this account, one per process.

        Raises:
            RefusedError: the address is none, or there is no key or one that no header can carry.
        """
        return kept(
            (self, self.address, self._credentials()),
            functools.partial(self._make_client, peer),
            httpx.AsyncClient.aclose,
        )

    async def complete(
        self, client: httpx.AsyncClient, peer: Peer, fields: Mapping[str, Any], read: Callable[[Any], ResultT]
    ) -> ResultT:
        """Ask for one chat completion, once.

        Args:
            client: what `client` returned.
            peer: named in error messages.
            fields: of the request's body.
            read: takes what is needed from the answer's JSON; whatever it raises means that the answer is malformed.

        Raises:
            ChatError: there was no usable answer.
        """
        failure: ChatError
        try:
            response = await client.post(_completions(self.address), content=json.dumps(fields).encode())
            if response.is_success:
                return read(json.loads(response.content))
            failure = self._of_status(response, peer)
        except httpx.HTTPError as error:
            failure = RetryableError(f"{peer.name} cannot be reached ({self._without_key(repr(error))})")
        except Exception as error:  # noqa: BLE001 (a server of another kind shows up here as anything)
            failure = RetryableError(f"{peer.name} sent no {peer.wanted}: {self._excerpt(str(error))}")
        # Outside of the except clauses: a traceback would show the server's words, which may hold the key.
        raise failure

    def _make_client(self, peer: Peer) -> httpx.AsyncClient:
        if not _is_address(self.address):
            raise RefusedError(
                f"{peer.name} cannot be asked: {self.address!r} is not an address that begins with http:// or https://"
            )
        key = self._key()
        if not key:
            raise RefusedError(
                f"{peer.name} cannot be asked: there is no key; set OPENAI_API_KEY (any text will do for "
                "a server that asks for none)"
            )
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "User-Agent": f"turnenv/{__version__}",
        }
        headers |= {name: os.environ[variable] for variable, name in _ACCOUNT.items() if os.environ.get(variable)}
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise RefusedError(
                f"{peer.name} cannot be asked: the key, {' or '.join(_ACCOUNT)} holds characters that no "
                "HTTP header can carry"
            )
        return httpx.AsyncClient(
            headers=headers,
            transport=ConnectionPool(),
            timeout=self.timeout,
            follow_redirects=True,
        )

    def _credentials(self) -> tuple[str | None, ...]:
        return (self._key(), *map(os.environ.get, _ACCOUNT))

    def _key(self) -> str:
        return (self.api_key or os.environ.get("OPENAI_API_KEY", "")).strip()

    def _of_status(self, response: httpx.Response, peer: Peer) -> ChatError:
        status, error = response.status_code, _error_of(response)
        message = f"{peer.name} answered HTTP {status}: {self._excerpt(str(error.get('message') or response.text))}"
        if status == 404:
            message += f"; check the model's name and the address, which is {self.address} (most end in /v1)"
        if status in _REFUSALS or error.get("code") == "insufficient_quota":
            return RefusedError(message)
        if status in (408, 409, 429) or status >= 500:
            failure = RetryableError(message)
            failure.retry_after = read_retry_after(response.headers.get("Retry-After", ""))
            return failure
        return ChatError(message)

    def _excerpt(self, text: str) -> str:
        return repr(self._without_key(text)[:200])

    def _without_key(self, text: str) -> str:
        key = self._key()
        return text.replace(key, "(key)") if len(key) >= _SHORTEST_KEY else text


@functools.lru_cache(maxsize=64)
def _completions(address: str) -> httpx.URL:
    """Where chat completions are asked for; a query of the address stays. httpx takes 0.05 ms to read an address."""
    url = httpx.URL(address)
    return url.copy_with(path=f"{url.path.rstrip('/')}/chat/completions")


def _is_address(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


def _error_of(response: httpx.Response) -> Mapping[str, Any]:
    """What the server says of an error, in the form that OpenAI's has; else nothing."""
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}
