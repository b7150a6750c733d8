"""One chat completion, checked: what the model wrote, which tools it called, what that cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pydantic

from turnenv.types import Usage

__all__ = ["ChatAnswer", "NativeCall", "Prices", "read_answer"]

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model costs per million tokens, in any one currency.

    Attributes:
        prompt: of tokens read.
        completion: of tokens written, reasoning included.
        cached: of tokens read from the server's cache; None if they cost as much as the others.
    """

    prompt: float
    completion: float
    cached: float | None = None

    def __post_init__(self) -> None:
        if min(self.prompt, self.completion, self.cached or 0.0) < 0:
            raise ValueError(f"a price must not be negative; got {self}")

    def cost(self, prompt: int, completion: int, cached: int) -> float:
        """What one request cost."""
        cheaper = self.prompt if self.cached is None else self.cached
        return ((prompt - cached) * self.prompt + cached * cheaper + completion * self.completion) / _MILLION


class NativeCall(pydantic.BaseModel):
    """A tool call as a server reports it.

    Attributes:
        id: which its result names; "" if the server gave none.
        name: of the tool.
        arguments: JSON, as the model wrote it.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """What a server answered.

    Attributes:
        content: the model's text; "" if it only called tools, or fell silent.
        reasoning: what it thought, as far as the server gives it, apart from the content.
        calls: the tools that it called, in order.
        usage: tokens and cost; None if the server does not count.
    """

    content: str
    reasoning: str
    calls: tuple[NativeCall, ...]
    usage: Usage | None


Count = Annotated[int, pydantic.Field(ge=0)]


class _Function(pydantic.BaseModel):
    name: str
    arguments: str | dict[str, Any] | None = None


class _Call(pydantic.BaseModel):
    id: str | None = None
    function: _Function


class _Message(pydantic.BaseModel):
    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(pydantic.BaseModel):
    message: _Message
    finish_reason: str | None = None
    stop_reason: Any = None


class _ReadTokens(pydantic.BaseModel):
    cached_tokens: Count | None = None


class _WrittenTokens(pydantic.BaseModel):
    reasoning_tokens: Count | None = None


class _Usage(pydantic.BaseModel):
    prompt_tokens: Count
    completion_tokens: Count
    prompt_tokens_details: _ReadTokens | None = None
    completion_tokens_details: _WrittenTokens | None = None


class _Completion(pydantic.BaseModel):
    choices: Annotated[list[_Choice], pydantic.Field(min_length=1)]
    usage: _Usage | None = None


def read_answer(answer: Any, prices: Prices | None) -> ChatAnswer:
    """What a chat completion says.

    Raises:
        ValueError: if it is none, or the server withheld the model's text.
    """
    completion = _Completion.model_validate(answer)
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter":
        raise ValueError("the server's content filter withheld it")
    message = choice.message
    content = message.content or message.refusal or ""
    # vLLM names the stop string that it took away from the text's end; other servers do not.
    if isinstance(choice.stop_reason, str) and not content.endswith(choice.stop_reason):
        content += choice.stop_reason
    calls = tuple(_native_call(call) for call in message.tool_calls or ())
    return ChatAnswer(content, message.reasoning_content or message.reasoning or "", calls, _usage(completion, prices))


def _native_call(call: _Call) -> NativeCall:
    given = call.function.arguments
    arguments = given if isinstance(given, str) else pydantic.TypeAdapter(Any).dump_json(given or {}).decode()
    return NativeCall(id=call.id or "", name=call.function.name, arguments=arguments or "{}")


def _usage(completion: _Completion, prices: Prices | None) -> Usage | None:
    counted = completion.usage
    if counted is None:
        return None
    read, written = counted.prompt_tokens_details, counted.completion_tokens_details
    cached = min(counted.prompt_tokens, (read and read.cached_tokens) or 0)
    reasoning = (written and written.reasoning_tokens) or 0
    cost = None if prices is None else prices.cost(counted.prompt_tokens, counted.completion_tokens, cached)
    return Usage(counted.prompt_tokens, counted.completion_tokens, cached, reasoning, cost)
