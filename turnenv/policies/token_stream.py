"""What a model read and wrote in an episode, token for token, and the limits that it keeps to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

_UNLIMITED = 1 << 30


@dataclass(frozen=True, slots=True)
class Sampled:
    """The ids of one turn, its closing EOS included, and their log-probabilities (nats)."""

    ids: list[int]
    logprobs: list[float]


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


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """How many tokens a policy may use.

    Attributes:
        turn: the most that a turn may have.
        episode: the most that an episode may have after its prompt, sampled and read; None sets no limit.
        context: the most that the model can read, prompt included; None sets no limit.

    Raises:
        ValueError: if a turn or an episode could have no token.
    """

    turn: int
    episode: int | None = None
    context: int | None = None

    def __post_init__(self) -> None:
        if self.turn < 1:
            raise ValueError(f"max_turn_tokens={self.turn}: a turn needs at least one token")
        if self.episode is not None and self.episode < 1:
            raise ValueError(f"max_episode_tokens={self.episode}: an episode needs at least one token")

    def budget(self, stream: TokenStream) -> int:
        """How many tokens the episode may still have."""
        return _UNLIMITED if self.episode is None else self.episode - len(stream.completion_ids)

    def room(self, stream: TokenStream) -> int:
        """How many tokens fit into what is left of the context and the budget."""
        context = _UNLIMITED if self.context is None else self.context - len(stream)
        return min(context, self.budget(stream))

    def check_prompt(self, ids: Sequence[int]) -> None:
        """Raise ValueError if a prompt alone fills the model's context."""
        if self.context is not None and len(ids) >= self.context:
            raise ValueError(
                f"the prompt has {len(ids)} tokens and the model's context is {self.context}: "
                "take a model with a longer context or an environment with a shorter system prompt"
            )
