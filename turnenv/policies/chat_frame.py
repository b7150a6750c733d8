"""The one place that knows a tokenizer: how prompts, observations and turns become ids, and ids become text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from turnenv.extras import needs

with needs("train", "A chat frame"):
    from transformers import PreTrainedTokenizerBase

from turnenv.actions.tags import THINK
from turnenv.policies.plain_text import FrameEncoder
from turnenv.policies.template import OBSERVATION, SYSTEM, Frame, Slot, later_frame, plain_prompt, prompt_frame

_OPENED = re.compile(rf"{THINK.pattern}\s*\Z", THINK.flags)


@dataclass
class ChatFrame:
    r"""Renders one conversation as ids that only ever grow: sampled ids are never decoded and encoded again.

    The prompt (system prompt and first observation) is what the chat template writes. Each later observation is put
    into a fixed frame that was cut out of the template at the start: what the template writes between the EOS of the
    agent's turn and the agent's next turn.

    Whatever an environment shows is text: no token that gives structure to a conversation (a role header, the end of a
    turn, BOS; see `structural_tokens`) comes into being from an observation, a system prompt or a tool's schema. All
    other text has the ids that it has in the template's own rendering.

    A tokenizer without a chat template gets a plain frame, `{system}\n\nUser: {observation}\nAssistant:`, which a
    base model can continue; such a model rarely ends its turn with EOS, so pass stop strings.

    Attributes:
        tokenizer: its chat template makes the frames.
        eos_ids: every id that ends a turn.
        end_of_turn_id: the EOS that the template writes after the agent's turn.
        pad_id: the padding id.
        later: the frame of every observation but the first.
        encoder: turns frames and texts into ids; it knows the tokens that a frame alone can write.
        stop_strings: texts that end a turn as EOS does.
        pass_tools: True if the template is given the tools' schemas.
        template_kwargs: passed to the chat template.
    """

    tokenizer: PreTrainedTokenizerBase
    eos_ids: tuple[int, ...]
    end_of_turn_id: int
    pad_id: int
    later: Frame
    encoder: FrameEncoder
    stop_strings: tuple[str, ...] = ()
    pass_tools: bool = False
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    _prompts: dict[tuple[bool, str], Frame] = field(default_factory=dict, repr=False)

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
            later = Frame(str(tokenizer.eos_token), ("\n\nUser: ", Slot(OBSERVATION), "\nAssistant:"))
        else:
            later = later_frame(tokenizer, ends, kwargs)
        pad_id = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        end_id = int(tokenizer.convert_tokens_to_ids(later.close))  # type: ignore[arg-type]
        encoder = FrameEncoder(tokenizer, kwargs, ends)
        if encoder.encode([Frame("", (later.close,))], [{}]) != [[end_id]]:
            raise ValueError(f"{later.close!r} is not encoded as one token: add it to the tokenizer as a special token")
        return cls(tokenizer, ends, end_id, pad_id, later, encoder, tuple(stop_strings), pass_tools, kwargs)

    @property
    def opened_thought(self) -> str:
        """The begin tag of a thought with which the template begins each turn of the agent, or ""."""
        before = self.later.parts[-1]
        found = _OPENED.search(before) if isinstance(before, str) else None
        return found[0] if found and not found[1] else ""

    def prompts(
        self, system_prompts: Sequence[str], observations: Sequence[str], tools: Sequence[Mapping[str, Any]] = ()
    ) -> list[list[int]]:
        """The ids of each conversation up to the agent's first turn."""
        unique = dict.fromkeys(zip(system_prompts, observations, strict=True))
        frames = [self._prompt_frame(bool(system), tools if self.pass_tools else ()) for system, _ in unique]
        texts = [{SYSTEM: system, OBSERVATION: observation} for system, observation in unique]
        ids = dict(zip(unique, self.encoder.encode(frames, texts), strict=True))
        return [list(ids[key]) for key in zip(system_prompts, observations, strict=True)]

    def replies(self, observations: Sequence[str], ended: Sequence[bool]) -> list[list[int]]:
        """The ids up to the agent's next turn: EOS, unless the turn `ended` with one, then the framed observation."""
        texts = [{OBSERVATION: observation} for observation in observations]
        encoded = self.encoder.encode([self.later] * len(texts), texts)
        return [ids[1:] if end else ids for ids, end in zip(encoded, ended, strict=True)]

    def text(self, ids: Sequence[int]) -> str:
        """The text that the environment gets: the turn without its closing EOS; special tokens inside it are text.

        Where the template opens a thought for the agent, the text begins with that tag: a turn that was cut before the
        thought ended would otherwise look as if it were said.
        """
        if ids and ids[-1] in self.eos_ids:
            ids = ids[:-1]
        return self.opened_thought + self._decode(ids)

    def has_stop(self, ids: Sequence[int]) -> bool:
        """True if the end of the turn contains a stop string."""
        longest = max(len(stop.encode()) for stop in self.stop_strings)
        text = self._decode(ids[-longest - 1 :])
        return any(stop in text for stop in self.stop_strings)

    def was_cut(self, ids: Sequence[int]) -> bool:
        """True if a token limit ended the turn: neither an EOS nor a stop string did."""
        if not ids or ids[-1] in self.eos_ids:
            return False
        return not (self.stop_strings and self.has_stop(ids))

    def _decode(self, ids: Sequence[int]) -> str:
        # Cleaning up would take spaces out of what the agent wrote.
        text = self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(text)

    def _prompt_frame(self, with_system: bool, tools: Sequence[Mapping[str, Any]]) -> Frame:
        key = with_system, json.dumps(tools, default=repr)
        if key not in self._prompts:
            if self.tokenizer.chat_template is None:
                starts_with_bos = self.tokenizer.bos_token_id in self.tokenizer("User")["input_ids"]
                frame = plain_prompt(str(self.tokenizer.bos_token) if starts_with_bos else "", with_system)
            else:
                frame = prompt_frame(self.tokenizer, with_system, tools, self.template_kwargs, self.encoder.structural)
            self._prompts[key] = frame
        return self._prompts[key]
