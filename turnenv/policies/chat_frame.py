"""The one place that knows a tokenizer: how prompts, observations and turns become ids, and ids become text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

_OBSERVATION = "turnenvObservation"
_ANSWER = "turnenvAnswer"
_OPENING = "turnenvOpening"


@dataclass(frozen=True, slots=True)
class Frame:
    """Fixed text around an observation; `close` is the EOS before it that ends the agent's turn, "" in a prompt."""

    close: str
    head: str
    tail: str


@dataclass
class ChatFrame:
    r"""Renders one conversation as ids that only ever grow: sampled ids are never decoded and encoded again.

    The prompt (system prompt and first observation) is rendered once by the chat template. Each later observation is
    put into a fixed frame that was cut out of the template at the start: what the template writes between the EOS of
    the agent's turn and the agent's next turn. Text in an observation that looks like a special token is encoded as
    text.

    A tokenizer without a chat template gets a plain frame, `{system}\n\nUser: {observation}\nAssistant:`, which a
    base model can continue; it seldom ends its turn with EOS, so give it stop strings.

    Attributes:
        tokenizer: its chat template makes the frames.
        eos_ids: every id that ends a turn.
        end_of_turn_id: the EOS that the template writes after the agent's turn.
        pad_id: the padding id.
        stop_strings: texts that end a turn as EOS does.
        pass_tools: True if the template is given the tools' schemas.
        template_kwargs: passed to the chat template.
    """

    tokenizer: PreTrainedTokenizerBase
    eos_ids: tuple[int, ...]
    end_of_turn_id: int
    pad_id: int
    later: Frame
    stop_strings: tuple[str, ...] = ()
    pass_tools: bool = False
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    _prompts: dict[str, Frame] = field(default_factory=dict, repr=False)

    @classmethod
    def from_tokenizer(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        *,
        eos_ids: Sequence[int] = (),
        stop_strings: Sequence[str] = (),
        pass_tools: bool = False,
        template_kwargs: Mapping[str, Any] | None = None,
    ) -> Self:
        """Derive the frames from the chat template and check them.

        Args:
            tokenizer: a fast or slow tokenizer; the chat template is optional.
            eos_ids: ids that end a turn besides the tokenizer's EOS (a model's generation config names them).
            stop_strings: texts that end a turn.
            pass_tools: give the tools' schemas to the template (turnenv's system prompts describe them already).
            template_kwargs: passed to the chat template.

        Raises:
            ValueError: if there is no EOS, or the template does not end the agent's turn with one.
        """
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer has no EOS token, so no turn could end: set tokenizer.eos_token")
        ends = tuple(dict.fromkeys([*eos_ids, tokenizer.eos_token_id]))
        kwargs = dict(template_kwargs or {})
        if tokenizer.chat_template is None:
            later = Frame(str(tokenizer.eos_token), "\n\nUser: ", "\nAssistant:")
        else:
            later = _later_frame(tokenizer, ends, kwargs)
        pad_id = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        end_id = int(tokenizer.convert_tokens_to_ids(later.close))  # type: ignore[arg-type]
        chat = cls(tokenizer, ends, end_id, pad_id, later, tuple(stop_strings), pass_tools, kwargs)
        if chat._encode([later.close])[0] != [end_id]:
            raise ValueError(f"{later.close!r} is not encoded as one token: add it to the tokenizer as a special token")
        return chat

    def prompts(
        self, system_prompts: Sequence[str], observations: Sequence[str], tools: Sequence[Mapping[str, Any]] = ()
    ) -> list[list[int]]:
        """The ids of each conversation up to the agent's first turn."""
        unique = dict.fromkeys(zip(system_prompts, observations, strict=True))
        frames = [self._prompt_frame(system, tools) for system, _ in unique]
        encoded = self._framed(frames, [observation for _, observation in unique])
        ids = dict(zip(unique, encoded, strict=True))
        return [list(ids[key]) for key in zip(system_prompts, observations, strict=True)]

    def replies(self, observations: Sequence[str], ended: Sequence[bool]) -> list[list[int]]:
        """The ids between the agent's turn and its next: EOS if the turn had `ended` without, then the observation."""
        encoded = self._framed([self.later] * len(observations), observations)
        return [ids if end else [self.end_of_turn_id, *ids] for ids, end in zip(encoded, ended, strict=True)]

    def text(self, ids: Sequence[int]) -> str:
        """What the environment is given: the turn's text without its closing EOS; special tokens inside are text."""
        if ids and ids[-1] in self.eos_ids:
            ids = ids[:-1]
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=False))

    def has_stop(self, ids: Sequence[int]) -> bool:
        """True if the turn just came to contain a stop string."""
        longest = max(len(stop.encode()) for stop in self.stop_strings)
        text = self.tokenizer.decode(list(ids[-longest - 1 :]), skip_special_tokens=False)
        return any(stop in text for stop in self.stop_strings)

    def _prompt_frame(self, system: str, tools: Sequence[Mapping[str, Any]]) -> Frame:
        if system not in self._prompts:
            self._prompts[system] = self._rendered_prompt(system, tools if self.pass_tools else ())
        return self._prompts[system]

    def _rendered_prompt(self, system: str, tools: Sequence[Mapping[str, Any]]) -> Frame:
        if self.tokenizer.chat_template is None:
            opening = f"{system}\n\n" if system else ""
            starts_with_bos = self.tokenizer.bos_token_id in self.tokenizer("User")["input_ids"]
            bos = str(self.tokenizer.bos_token) if starts_with_bos else ""
            return Frame("", f"{bos}{opening}User: ", "\nAssistant:")
        user = {"role": "user", "content": _OBSERVATION}
        kwargs = {**self.template_kwargs, **({"tools": list(tools)} if tools else {})}
        messages = [{"role": "system", "content": system}, user] if system else [user]
        try:
            text = _render(self.tokenizer, messages, kwargs)
        except TemplateError:
            # Some templates refuse a system role; their models read it in the first message.
            text = _render(self.tokenizer, [{"role": "user", "content": f"{system}\n\n{_OBSERVATION}"}], kwargs)
        return Frame("", *_cut(text, _OBSERVATION))

    def _framed(self, frames: Sequence[Frame], observations: Sequence[str]) -> list[list[int]]:
        """Ids of each observation in its frame, without the frame's `close`."""
        texts = [
            f"{frame.close}{frame.head}{observation}{frame.tail}"
            for frame, observation in zip(frames, observations, strict=True)
        ]
        encoded = [ids[bool(frame.close) :] for frame, ids in zip(frames, self._encode(texts), strict=True)]
        for row, (frame, observation) in enumerate(zip(frames, observations, strict=True)):
            if any(token in observation for token in self.tokenizer.all_special_tokens):
                encoded[row] = self._defused(frame, observation)
        return encoded

    def _defused(self, frame: Frame, observation: str) -> list[int]:
        head, tail = self._encode([frame.close + frame.head, frame.tail])
        body = self._encode([observation], split_special_tokens=True)[0]
        return [*head[bool(frame.close) :], *body, *tail]

    def _encode(self, texts: Sequence[str], **kwargs: Any) -> list[list[int]]:
        encoded = self.tokenizer(list(texts), add_special_tokens=False, verbose=False, **kwargs)
        ids: list[list[int]] = encoded["input_ids"]
        return ids


def _later_frame(tokenizer: PreTrainedTokenizerBase, eos_ids: Sequence[int], kwargs: Mapping[str, Any]) -> Frame:
    """Cut the frame of a later observation out of a rendered two-turn conversation."""
    messages = [
        {"role": "user", "content": _OPENING},
        {"role": "assistant", "content": _ANSWER},
        {"role": "user", "content": _OBSERVATION},
    ]
    _, after = _cut(_render(tokenizer, messages, kwargs), _ANSWER)
    after = after.lstrip()
    ends = [str(token) for token in tokenizer.convert_ids_to_tokens(list(eos_ids))]
    close = next((token for token in ends if after.startswith(token)), None)
    if close is None:
        raise ValueError(
            f"the chat template ends the agent's turn with {after.split(_OBSERVATION)[0]!r}, which begins with none of "
            f"the EOS tokens {ends}: set tokenizer.eos_token (or the model's generation_config.eos_token_id) to the "
            "token that ends a turn, or correct the chat template"
        )
    return Frame(close, *_cut(after.removeprefix(close), _OBSERVATION))


def _render(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], kwargs: Mapping[str, Any]) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **kwargs))


def _cut(text: str, marker: str) -> tuple[str, str]:
    head, found, tail = text.partition(marker)
    if not found:
        raise ValueError(f"the chat template does not write a message's content as it is ({marker!r} got lost)")
    return head, tail
