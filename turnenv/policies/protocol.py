"""What a policy is: it reads what is new in the running episodes of a batch, and writes an action for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Action:
    """What an agent wrote in one turn.

    Attributes:
        text: what the environment is given.
        token_ids: the ids that were sampled; None if no model acted.
        logprobs: their log-probabilities (nats); None if unknown.
    """

    text: str
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None


class Policy(Protocol):
    """Acts in a batch of episodes that are played in lock-step; the conversations are its own to keep."""

    def begin(self, system_prompts: Sequence[str], tools: Sequence[Mapping[str, Any]]) -> None:
        """Forget the last batch; `len(system_prompts)` episodes are about to begin."""

    def act(self, rows: Sequence[int], observations: Sequence[str]) -> Sequence[Action | str]:
        """Act in the episodes `rows` (those still running) after reading what is new in each; one action per row."""
