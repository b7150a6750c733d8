"""Frames: what a chat template writes around messages, cut out of renderings, with slots for text from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

__all__ = [
    "NO_SYSTEM_PROMPT",
    "OBSERVATION",
    "SYSTEM",
    "Frame",
    "Slot",
    "later_frame",
    "plain_prompt",
    "prompt_frame",
    "written",
]

#: A chat template with this comment belongs to a policy that was taught without a system prompt, and gets none.
NO_SYSTEM_PROMPT = "{# no system prompt #}"
#: The names of slots, which also stand for their texts while a template is rendered.
SYSTEM = "turnenvSystem"
OBSERVATION = "turnenvObservation"
_ANSWER = "turnenvAnswer"
_OPENING = "turnenvOpening"
_MARKERS = re.compile(f"({SYSTEM}|{OBSERVATION}|turnenvToken[0-9]+x)")
#: Around a message, it shows whether a template strips it.
_PADDING = " \n "

Message = dict[str, str]


class CannotRenderError(ValueError):
    """A chat template fails on an ordinary conversation."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for text from outside, which the template may strip on either side."""

    name: str
    lstrip: bool = False
    rstrip: bool = False

    def stripped(self, text: str) -> str:
        """The text as the template writes it; what UTF-8 cannot carry is "?"."""
        text = text.lstrip() if self.lstrip else text
        text = text.rstrip() if self.rstrip else text
        return text if text.isascii() else text.encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Frame:
    """Fixed text with slots; `close` is the EOS before it that ends the agent's turn, "" in a prompt."""

    close: str
    parts: tuple[str | Slot, ...]

    def filled(self, texts: Mapping[str, str]) -> list[tuple[str, bool]]:
        """The frame's pieces in order, slots with their texts (by default their names); True for the frame's own."""
        pieces = [(self.close, True)]
        for part in self.parts:
            own = isinstance(part, str)
            pieces.append((part if own else part.stripped(texts.get(part.name, part.name)), own))  # type: ignore[union-attr,arg-type]
        return pieces

    def has_slot(self, name: str) -> bool:
        """True if a text of this name has a place."""
        return any(isinstance(part, Slot) and part.name == name for part in self.parts)


def plain_prompt(bos: str, with_system: bool) -> Frame:
    r"""The prompt for a tokenizer without a chat template: `{system}\n\nUser: {observation}\nAssistant:`."""
    opening = (Slot(SYSTEM), "\n\nUser: ") if with_system else ("User: ",)
    return Frame("", (bos, *opening, Slot(OBSERVATION), "\nAssistant:"))


def prompt_frame(
    tokenizer: PreTrainedTokenizerBase,
    with_system: bool,
    tools: Sequence[Any],
    kwargs: Mapping[str, Any],
    structural: Mapping[int, str],
) -> Frame:
    """The frame of a prompt; a template that refuses or drops a system role gets it in the first message.

    A template that holds the comment `NO_SYSTEM_PROMPT` gets no system prompt.

    Args:
        tokenizer: it has a chat template.
        with_system: whether there is a system prompt.
        tools: their schemas, in which the spelling of a structural token becomes a slot.
        kwargs: passed to the chat template.
        structural: ids and spellings of the tokens that text from outside must not write.

    Raises:
        ValueError: if the template writes no tools, though there are some, or cannot render such a conversation.
    """
    if tools:
        plain = prompt_frame(tokenizer, with_system, (), kwargs, structural)
        frame = prompt_frame(
            tokenizer, with_system, (), {**kwargs, "tools": _marked(list(tools), structural)}, structural
        )
        if frame == plain:
            raise ValueError(
                f"pass_tools=True: {_named(tokenizer)} writes no tools; drop it, since the system prompt describes them"
            )
        return frame
    user = {"role": "user", "content": OBSERVATION}
    if not with_system or NO_SYSTEM_PROMPT in str(tokenizer.chat_template):
        return _slotted(tokenizer, [user], kwargs, structural)
    try:
        frame = _slotted(tokenizer, [{"role": "system", "content": SYSTEM}, user], kwargs, structural)
        if frame.has_slot(SYSTEM):
            return frame
    except CannotRenderError:
        pass
    return _slotted(tokenizer, [{"role": "user", "content": f"{SYSTEM}\n\n{OBSERVATION}"}], kwargs, structural)


def later_frame(tokenizer: PreTrainedTokenizerBase, eos_ids: Sequence[int], kwargs: Mapping[str, Any]) -> Frame:
    """The frame of a later observation, cut out of a conversation of two turns.

    Raises:
        ValueError: the template does not end the agent's turn with an EOS.
    """
    begun = [{"role": "user", "content": _OPENING}, {"role": "assistant", "content": _ANSWER}]
    text, padded = (
        _after_answer(tokenizer, _render(tokenizer, [*begun, {"role": "user", "content": content}], kwargs))
        for content in (OBSERVATION, _padded(OBSERVATION))
    )
    ends = [str(token) for token in tokenizer.convert_ids_to_tokens(list(eos_ids))]
    close = next((token for token in ends if text.startswith(token)), None)
    if close is None:
        raise ValueError(
            f"{_named(tokenizer)} ends the agent's turn with {text.split(OBSERVATION)[0]!r}, which begins with none of "
            f"the EOS tokens {ends}: set tokenizer.eos_token (or the model's generation_config.eos_token_id) to the "
            "token that ends a turn, or correct the chat template; if the model itself ends its turn with another "
            "token, serve it and play it with EndpointPolicy"
        )
    return Frame(close, _cut(tokenizer, text.removeprefix(close), padded.removeprefix(close), {}))


def written(tokenizer: PreTrainedTokenizerBase, kwargs: Mapping[str, Any]) -> list[str]:
    """What the chat template writes around the messages of a conversation, and its source, which may write more."""
    template: Any = tokenizer.chat_template
    if template is None:
        return []
    sources = list(template.values()) if isinstance(template, dict) else [template]
    talk = [{"role": role, "content": "."} for role in ("system", "user", "assistant", "user")]
    try:
        return [*sources, _render(tokenizer, talk, kwargs)]
    except CannotRenderError:
        return [*sources, _render(tokenizer, talk[1:], kwargs)]


def _slotted(
    tokenizer: PreTrainedTokenizerBase,
    messages: list[Message],
    kwargs: Mapping[str, Any],
    structural: Mapping[int, str],
) -> Frame:
    padded = [{**message, "content": _padded(message["content"])} for message in messages]
    text, wide = (_render(tokenizer, each, kwargs) for each in (messages, padded))
    return Frame("", _cut(tokenizer, text, wide, structural))


def _cut(
    tokenizer: PreTrainedTokenizerBase, text: str, padded: str, structural: Mapping[int, str]
) -> tuple[str | Slot, ...]:
    """Cut a rendering at its markers; the rendering of padded messages shows which slots are stripped."""
    pieces, wide = _MARKERS.split(text), _MARKERS.split(padded)
    if OBSERVATION not in pieces[1::2]:
        raise _lost(tokenizer, OBSERVATION)
    parts: list[str | Slot] = [pieces[0]]
    for at in range(1, len(pieces), 2):
        name = pieces[at]
        if name in (SYSTEM, OBSERVATION) and len(wide) == len(pieces):
            parts.append(Slot(name, not wide[at - 1].endswith(_PADDING), not wide[at + 1].startswith(_PADDING)))
        else:
            parts.append(Slot(_spelling(name, structural)))
        parts.append(pieces[at + 1])
    return tuple(part for part in parts if part != "")


def _marked(value: Any, structural: Mapping[int, str]) -> Any:
    """A tool's schema with a marker for every structural token that is spelt in it."""
    if isinstance(value, Mapping):
        return {_marked(key, structural): _marked(entry, structural) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(entry, structural) for entry in value]
    if isinstance(value, str):
        for token, spelling in sorted(structural.items(), key=lambda item: -len(item[1])):
            value = value.replace(spelling, f"turnenvToken{token}x")
    return value


def _spelling(marker: str, structural: Mapping[int, str]) -> str:
    digits = re.fullmatch("turnenvToken([0-9]+)x", marker)
    return structural.get(int(digits[1]), marker) if digits else marker


def _padded(content: str) -> str:
    return f"{_PADDING}{content}{_PADDING}"


def _after_answer(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    _, found, after = text.partition(_ANSWER)
    if not found:
        raise _lost(tokenizer, _ANSWER)
    return after.lstrip()


def _render(tokenizer: PreTrainedTokenizerBase, messages: list[Message], kwargs: Mapping[str, Any]) -> str:
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **kwargs))
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        raise CannotRenderError(
            f"{_named(tokenizer)} cannot render a conversation of texts ({roles}): {error}; pass what it asks for as "
            "template_kwargs (chat_template_kwargs in training), or another chat template"
        ) from error


def _lost(tokenizer: PreTrainedTokenizerBase, text: str) -> ValueError:
    return ValueError(
        f"{_named(tokenizer)} does not write a message's content as it is ({text!r} got lost): set "
        "tokenizer.chat_template to one for conversations of plain text, as text models have it"
    )


def _named(tokenizer: PreTrainedTokenizerBase) -> str:
    name = tokenizer.name_or_path
    return f"the chat template of {name!r}" if name else "the chat template"
