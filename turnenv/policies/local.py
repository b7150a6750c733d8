"""A local language model as a policy that plays a batch of episodes and records every token of them exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from turnenv.extras import needs
from turnenv.policies import Action
from turnenv.policies.chat_frame import ChatFrame
from turnenv.policies.generation import Sampling, TurnSampler, make_sampler
from turnenv.policies.sharding import gathered
from turnenv.policies.token_stream import Sampled, TokenLimits, TokenStream

with needs("train", "A local model"):
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self.limits = TokenLimits(max_turn_tokens, max_episode_tokens, None if context is None else int(context))
        self.model = model
        self.sampling = Sampling(temperature, top_p, top_k, generator)
        self.frame = frame or ChatFrame.from_tokenizer(
            tokenizer,
            eos_ids=eos_ids_of(model),
            stop_strings=stop_strings,
            pass_tools=pass_tools,
            template_kwargs=template_kwargs,
        )
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
                self.limits.check_prompt(ids)
                self.streams[row].prompt_ids = ids
            return dict(zip(rows, prompts, strict=True))
        ended = [self.streams[row].completion_ids[-1] in self.frame.eos_ids for row in rows]
        new_ids = dict(zip(rows, self.frame.replies(observations, ended), strict=True))
        self._spent |= {row for row in rows if self.limits.budget(self.streams[row]) <= len(new_ids[row])}
        self._silent |= {row for row in rows if self.limits.room(self.streams[row]) <= len(new_ids[row])}
        for row in rows:
            if row not in self._silent:
                self.streams[row].read(new_ids[row])
        return new_ids

    def _sample(self, rows: Sequence[int], new_ids: Mapping[int, Sequence[int]]) -> list[Sampled]:
        if not rows:
            return []
        caps = [min(self.limits.turn, self.limits.room(self.streams[row])) for row in rows]
        was_training = self.model.training
        self.model.eval()  # type: ignore[no-untyped-call]
        try:
            return self._sampler.turn(rows, [new_ids[row] for row in rows], caps)
        finally:
            self.model.train(was_training)


def eos_ids_of(model: PreTrainedModel) -> list[int]:
    """Every id that the model's generation config declares to end a text."""
    declared = None if model.generation_config is None else model.generation_config.eos_token_id
    if declared is None:
        return []
    return [declared] if isinstance(declared, int) else list(declared)
