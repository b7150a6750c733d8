"""Reply: what an environment's author returns for an action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from turnenv.types import End, Outcome

#: No reward of any name.
NOTHING: Mapping[str, float] = {}


class Reply(NamedTuple):
    """What the environment replies to an action; made by `Reply.turn`, `Reply.final` or `Reply.fault`.

    Attributes:
        text: the observation.
        rewards: this turn's reward by name, already weighted.
        valid: False if the environment did not understand the action.
        outcome: how the episode ended; None while it goes on.
    """

    text: str
    rewards: Mapping[str, float] = NOTHING
    valid: bool = True
    outcome: Outcome | None = None

    @classmethod
    def turn(cls, text: str, rewards: Mapping[str, float] = NOTHING, *, valid: bool = True) -> Reply:
        """A reply after which the episode goes on."""
        return tuple.__new__(cls, (text, rewards, valid, None))

    @classmethod
    def final(
        cls,
        text: str,
        rewards: Mapping[str, float] = NOTHING,
        *,
        outcome: Mapping[str, float] = NOTHING,
        success: bool,
        end: End = End.ANSWERED,
        valid: bool = True,
    ) -> Reply:
        """A reply that ends the episode; `outcome` is the outcome's reward by name, already weighted."""
        components, total = as_floats(outcome)
        return tuple.__new__(cls, (text, rewards, valid, Outcome(total, success, end, components)))

    @classmethod
    def fault(cls, text: str, cause: str) -> Reply:
        """A reply that ends the episode because the infrastructure failed: it pays nothing and teaches nothing."""
        return cls(text, NOTHING, True, Outcome(0.0, False, End.FAULT, {}, cause))


def as_floats(rewards: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """The rewards by name as floats, and their sum."""
    components, total = {}, 0.0
    for name, value in rewards.items():
        components[name] = reward = float(value)
        total += reward
    return components, total
