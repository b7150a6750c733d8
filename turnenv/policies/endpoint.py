"""A model behind an OpenAI-compatible server as a policy: episodes at their own pace, failures of the server apart."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import anyio

from turnenv.net.chat import DEFAULT_ADDRESS, ChatError, ChatServer, Peer, RefusedError, RetryableError
from turnenv.net.retrying import retried
from turnenv.policies.chat_answer import ChatAnswer, Prices, read_answer
from turnenv.policies.native_calls import NOT_RUN, action_text, assistant_message, native_prompt
from turnenv.policies.protocol import Action, PolicyFault

if TYPE_CHECKING:
    from turnenv.actions import Grammar

__all__ = ["EndpointPolicy", "Prices", "RefusedError"]

#: So many requests refused, and none answered: the request itself is at fault, and every episode would be.
_REFUSALS_AT_FIRST = 3


@dataclass(eq=False)
class EndpointPolicy:
    """Plays with a model behind any server that speaks OpenAI's chat completions.

    A server that is down, slow, overloaded, or answers nonsense makes a fault of the episode: the agent is not blamed
    and the others go on. A refused key, an account without credit and a model that is not there raise `RefusedError`
    at once, and so does a request that the server calls wrong (HTTP 4xx) three times before its first answer.

    With `tools="text"` the model reads the environment's own instructions and writes its grammar. With `"native"` it is
    given the tools' schemas and calls them as its server has it: a call becomes the environment's call text, and the
    environment's reply the call's result. Of several calls in one message the environment takes the first, as it does
    with text; the others are answered with "Not run". A message without a call is the final answer. Environments
    without tools are played as text.

    What a provider reports as reasoning is recorded with the turn; the environment and later requests never see it.

    Attributes:
        model: the model's name at the server.
        base_url: such as "http://127.0.0.1:8000/v1"; None takes OPENAI_BASE_URL, or OpenAI's own.
        api_key: None takes OPENAI_API_KEY; it is in no record, `repr` or message.
        concurrency: requests at once, and so episodes at once.
        tools: "text", which every server takes, or "native".
        temperature: None leaves it to the server.
        seed: of sampling, for servers that take one; each turn of each episode has its own. None sends none.
        max_tokens: the most that one turn may have, reasoning included; None sets no limit.
        stop: texts that end a turn. A server removes them from the text (vLLM names them, and they are put back), so
            do not stop at what closes an action.
        timeout: seconds to wait for one connection or one piece of an answer.
        deadline: seconds for one turn with all its retries.
        max_attempts: how often one turn is requested at most.
        backoff: seconds before the first retry, doubling with each, with jitter; plus what Retry-After asks.
        prices: of the model; costs are recorded with it.
        extra_body: more fields of the request, such as `{"top_p": 0.9}`.

    Raises:
        ValueError: a field has a value that cannot work.
    """

    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    concurrency: int = 16
    tools: Literal["native", "text"] = "text"
    temperature: float | None = None
    seed: int | None = None
    max_tokens: int | None = 1024
    stop: Sequence[str] = ()
    timeout: float = 60.0
    deadline: float = 300.0
    max_attempts: int = 5
    backoff: float = 0.5
    prices: Prices | None = None
    extra_body: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "timeout", "deadline", "max_attempts", "max_tokens"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive; got {value}")
        if self.tools not in ("native", "text"):
            raise ValueError(f"tools is 'native' or 'text'; got {self.tools!r}")
        if self.backoff < 0 or (self.temperature or 0.0) < 0:
            raise ValueError(f"backoff and temperature must not be negative; got {self.backoff} and {self.temperature}")
        self._begun: Counter[int] = Counter()
        self._answers = self._wrong_requests = 0

    @property
    def server(self) -> ChatServer:
        """Where the model is."""
        return ChatServer(self.base_url, self.api_key, self.timeout)

    def converse(
        self, system_prompt: str, tools: Sequence[Mapping[str, Any]], grammar: Grammar | None, seed: int
    ) -> _Talk:
        """Begin an episode.

        Raises:
            ValueError: if the environment has tools, they are to be called natively, and it names no grammar.
        """
        self._begun[seed] += 1
        sampled = None if self.seed is None else (self.seed, seed, self._begun[seed])
        if self.tools == "text" or not tools:
            return _Talk(self, system_prompt, (), grammar, sampled)
        if grammar is None:
            raise ValueError("the environment has tools and names no grammar to write calls in: pass tools='text'")
        return _Talk(self, native_prompt(system_prompt, tools, grammar), tools, grammar, sampled)

    def _fields(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], seed: int | None) -> dict[str, Any]:
        # OpenAI's own models take no max_tokens any more, and most other servers take nothing else.
        limit = "max_completion_tokens" if self.server.address.startswith(DEFAULT_ADDRESS) else "max_tokens"
        fields = {
            "model": self.model,
            "messages": list(messages),
            "tools": list(tools) or None,
            "temperature": self.temperature,
            "seed": seed,
            limit: self.max_tokens,
            "stop": list(self.stop) or None,
        }
        return {name: value for name, value in fields.items() if value is not None} | dict(self.extra_body or {})

    async def _ask(self, fields: Mapping[str, Any]) -> ChatAnswer:
        """The answer to one turn's request.

        Raises:
            PolicyFault: there is none.
            RefusedError: there would be none to any request.
        """
        server, peer = self.server, Peer(f"the model {self.model!r}", "chat completion")

        async def attempt() -> ChatAnswer:
            return await server.complete(client, peer, fields, lambda answer: read_answer(answer, self.prices))

        try:
            client = server.client(peer)
            with anyio.fail_after(self.deadline):
                answer = await retried(
                    attempt,
                    passing=RetryableError,
                    max_attempts=self.max_attempts,
                    backoff=self.backoff,
                    deadline=self.deadline,
                )
        except TimeoutError:
            raise PolicyFault(f"{peer.name} gave no answer within {self.deadline} s") from None
        except (RefusedError, RetryableError) as error:
            if isinstance(error, RefusedError):
                raise
            raise PolicyFault(str(error)) from None
        except ChatError as error:
            self._wrong_requests += 1
            if not self._answers and self._wrong_requests >= _REFUSALS_AT_FIRST:
                raise RefusedError(str(error)) from None
            raise PolicyFault(str(error)) from None
        self._answers += 1
        return answer


class _Talk:
    """One episode: the messages so far, as the server takes them."""

    def __init__(
        self,
        policy: EndpointPolicy,
        system_prompt: str,
        tools: Sequence[Mapping[str, Any]],
        grammar: Grammar | None,
        seed: tuple[int, ...] | None,
    ) -> None:
        self._policy, self._tools, self._grammar, self._seed = policy, tools, grammar, seed
        self._messages: list[dict[str, Any]] = []
        self._unanswered: list[str] = []
        if system_prompt:
            self._messages.append({"role": "system", "content": _sendable(system_prompt)})

    async def act(self, observation: str) -> Action:
        """Send what is new, and return what the model did.

        Raises:
            PolicyFault: the server failed.
            RefusedError: the server refuses whatever is asked.
        """
        self._read(_sendable(observation))
        turn = sum(message["role"] == "assistant" for message in self._messages)
        seed = None if self._seed is None else _digest(*self._seed, turn)
        answer = await self._policy._ask(self._policy._fields(self._messages, self._tools, seed))
        calls = [
            call if call.id else call.model_copy(update={"id": f"call_{turn}_{number}"})
            for number, call in enumerate(answer.calls)
        ]
        self._messages.append(assistant_message(_sendable(answer.content), calls))
        self._unanswered = [call.id for call in calls]
        text = answer.content
        if self._grammar is not None and (self._tools or calls):
            text = action_text(self._grammar, answer.content, calls)
        return Action(text, reasoning=answer.reasoning, usage=answer.usage)

    def _read(self, observation: str) -> None:
        if not self._unanswered:
            self._messages.append({"role": "user", "content": observation})
        for number, call_id in enumerate(self._unanswered):
            content = NOT_RUN if number else observation
            self._messages.append({"role": "tool", "tool_call_id": call_id, "content": content})


def _sendable(text: str) -> str:
    """The text without lone surrogates, which no request can carry."""
    return text.encode(errors="replace").decode()


def _digest(*numbers: int) -> int:
    """A seed made of several, of 31 bits, which is what every server takes."""
    return int.from_bytes(hashlib.blake2b(json.dumps(numbers).encode(), digest_size=4).digest(), "big") >> 1
