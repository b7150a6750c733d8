"""A local language model as a policy that plays a batch of episodes and records every token of them exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from turnenv.extras import needs
from turnenv.policies import Action
from turnenv.policies.chat_frame import ChatFrame
from turnenv.policies.generation import Sampled, Sampling, TurnSampler, make_sampler
from turnenv.policies.sharding import gathered

with needs("train", "A local model"):
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_UNLIMITED = 1 << 30


@dataclass(slots=True)
class TokenStream:
    """One episode as the model saw and wrote it.

    Attributes:
        prompt_ids: what it read before its first turn.
        completion_ids: everything after, up to the last token that it sampled.
        turn_of: for each of these, k if it was sampled in turn k = 0, 1, …; -1 if it came from the environment.
        logprobs: for each of these, the log-probability (nats) it was sampled with; 0.0 where the environment's.
    """

    prompt_ids: list[int]
    completion_ids: list[int] = field(default_factory=list)
    turn_of: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.completion_ids)

    def read(self, ids: Sequence[int]) -> None:
        """Append the ids of an observation."""
        self._append(ids, -1, [0.0] * len(ids))

    def wrote(self, turn: int, sampled: Sampled) -> None:
        """Append what the model sampled in turn `turn`."""
        self._append(sampled.ids, turn, sampled.logprobs)

    def _append(self, ids: Sequence[int], turn: int, logprobs: Sequence[float]) -> None:
        self.completion_ids += ids
        self.turn_of += [turn] * len(ids)
        self.logprobs += logprobs


class ChatPolicy:
    """Plays any environment with a causal LM: `collect(env, ChatPolicy(model, tokenizer), seeds)`.

    An episode that has filled the model's context continues with empty actions until the environment ends it, so that
    no token is lost.

    Args:
        model: a causal LM; it samples in eval mode and is left in the mode that it had.
        tokenizer: its tokenizer; with a chat template, or else a plain frame is used (see `ChatFrame`).
        max_turn_tokens: the most tokens that a turn may have; a turn cut there is closed by the environment's EOS.
        max_episode_tokens: the most tokens that an episode may have after its prompt, sampled and read; an episode
            without room for the next observation ends (`End.TOKEN_LIMIT`). None limits the episode by the context only.
        temperature: divides the logits; 0 is greedy.
        top_p: nucleus sampling; 1 keeps every token.
        top_k: keeps the k likeliest tokens; 0 keeps every one.
        stop_strings: texts that end a turn as EOS does.
        pass_tools: give the tools' schemas to the chat template.
        template_kwargs: passed to the chat template.
        generator: source of randomness; None is PyTorch's global one.
        frame: a `ChatFrame` to reuse, instead of one made from the arguments above.

    Attributes:
        streams: the last batch, one `TokenStream` per episode.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_turn_tokens: int = 256,
        max_episode_tokens: int | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        top_k: int = 0,
        stop_strings: Sequence[str] = (),
        pass_tools: bool = False,
        template_kwargs: Mapping[str, Any] | None = None,
        generator: torch.Generator | None = None,
        frame: ChatFrame | None = None,
    ) -> None:
        if max_turn_tokens < 1:
            raise ValueError(f"max_turn_tokens={max_turn_tokens}: a turn needs at least one token")
        if max_episode_tokens is not None and max_episode_tokens < 1:
            raise ValueError(f"max_episode_tokens={max_episode_tokens}: an episode needs at least one token")
        self.model, self.max_turn_tokens, self.max_episode_tokens = model, max_turn_tokens, max_episode_tokens
        self.sampling = Sampling(temperature, top_p, top_k, generator)
        self.frame = frame or ChatFrame.from_tokenizer(
            tokenizer,
            eos_ids=eos_ids_of(model),
            stop_strings=stop_strings,
            pass_tools=pass_tools,
            template_kwargs=template_kwargs,
        )
        self.context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self.streams: list[TokenStream] = []

    def begin(self, system_prompts: Sequence[str], tools: Sequence[Mapping[str, Any]]) -> None:
        """Forget the last batch."""
        self._system_prompts, self._tools = list(system_prompts), tools
        self.streams = [TokenStream([]) for _ in system_prompts]
        self._turn = 0
        self._silent: set[int] = set()
        self._spent: set[int] = set()
        self._sampler = self._make_sampler()

    def _make_sampler(self) -> TurnSampler:
        ends_turn = self.frame.has_stop if self.frame.stop_strings else None
        return make_sampler(
            self.model,
            pad_id=self.frame.pad_id,
            eos_ids=self.frame.eos_ids,
            sampling=self.sampling,
            ends_turn=ends_turn,
        )

    def playing(self) -> AbstractContextManager[None]:
        """Holds all parameters of a sharded model while a batch is played; every process has to open it."""
        return gathered(self.model)

    def act(self, rows: Sequence[int], observations: Sequence[str]) -> list[Action]:
        """Sample a turn in each running episode.

        Raises:
            ValueError: if a prompt alone fills the model's context.
        """
        new_ids = self._read(rows, observations)
        speaking = [row for row in rows if row not in self._silent]
        actions = {row: Action("", (), (), out_of_tokens=row in self._spent) for row in rows}
        for row, sampled in zip(speaking, self._sample(speaking, new_ids), strict=True):
            self.streams[row].wrote(self._turn, sampled)
            actions[row] = Action(self.frame.text(sampled.ids), tuple(sampled.ids), tuple(sampled.logprobs))
        self._turn += 1
        return [actions[row] for row in rows]

    def _read(self, rows: Sequence[int], observations: Sequence[str]) -> dict[int, list[int]]:
        """Append the new observations to the streams; an episode without room for one acts no more."""
        if self._turn == 0:
            prompts = self.frame.prompts([self._system_prompts[row] for row in rows], observations, self._tools)
            for row, ids in zip(rows, prompts, strict=True):
                self._check_prompt(ids)
                self.streams[row].prompt_ids = ids
            return dict(zip(rows, prompts, strict=True))
        ended = [self.streams[row].completion_ids[-1] in self.frame.eos_ids for row in rows]
        new_ids = dict(zip(rows, self.frame.replies(observations, ended), strict=True))
        self._spent |= {row for row in rows if self._budget(row) <= len(new_ids[row])}
        self._silent |= {row for row in rows if self._room(row) <= len(new_ids[row])}
        for row in rows:
            if row not in self._silent:
                self.streams[row].read(new_ids[row])
        return new_ids

    def _sample(self, rows: Sequence[int], new_ids: Mapping[int, Sequence[int]]) -> list[Sampled]:
        if not rows:
            return []
        caps = [min(self.max_turn_tokens, self._room(row)) for row in rows]
        was_training = self.model.training
        self.model.eval()  # type: ignore[no-untyped-call]
        try:
            return self._sampler.turn(rows, [new_ids[row] for row in rows], caps)
        finally:
            self.model.train(was_training)

    def _room(self, row: int) -> int:
        context = _UNLIMITED if self.context is None else int(self.context) - len(self.streams[row])
        return min(context, self._budget(row))

    def _budget(self, row: int) -> int:
        if self.max_episode_tokens is None:
            return _UNLIMITED
        return self.max_episode_tokens - len(self.streams[row].completion_ids)

    def _check_prompt(self, ids: Sequence[int]) -> None:
        if self.context is not None and len(ids) >= self.context:
            raise ValueError(
                f"the prompt has {len(ids)} tokens and the model's context is {self.context}: "
                "take a model with a longer context or an environment with a shorter system prompt"
            )


def eos_ids_of(model: PreTrainedModel) -> list[int]:
    """Every id that the model's generation config declares to end a text."""
    declared = None if model.generation_config is None else model.generation_config.eos_token_id
    if declared is None:
        return []
    return [declared] if isinstance(declared, int) else list(declared)
