"""What rollout, trainer and checker require of any environment, and the keys of its `info`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from gymnasium import Space

from turnenv.types import End, Outcome

if TYPE_CHECKING:
    from turnenv.actions import Grammar


@runtime_checkable
class TextEnvironment(Protocol):
    """An environment that keeps turnenv's contract: a `TextEnv`, or one that `turnenv.adapters` or `wrappers` made."""

    @property
    def max_turns(self) -> int:
        """The turn after which an unfinished episode is cut."""

    @property
    def num_tasks(self) -> int:
        """The number of tasks; they are numbered 0 … num_tasks - 1."""

    @property
    def system_prompt(self) -> str:
        """What the agent reads before the first observation."""

    @property
    def tools(self) -> tuple[Mapping[str, Any], ...]:
        """JSON schemas of the tools, in the form that chat templates take."""

    @property
    def grammar(self) -> Grammar | None:
        """How the agent writes a tool call or an answer; None if it writes neither."""

    @property
    def blocking(self) -> bool:
        """True if a step waits for something outside this process, so that batches step in threads."""

    @property
    def render_mode(self) -> str | None:
        """As in Gymnasium."""

    @property
    def observation_space(self) -> Space[Any]:
        """A space of strings."""

    @property
    def action_space(self) -> Space[Any]:
        """A space of strings."""

    @property
    def spec(self) -> Any:
        """Gymnasium's description of how the environment was made; None if unknown."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode; info holds `task` and `system_prompt`."""

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take one turn with the agent's text; `turnenv.TextEnv` describes the info."""

    def cut(self) -> Outcome:
        """End the running episode from outside, as a time limit does, and return its outcome."""

    def snapshot(self) -> Any:
        """The current point of the episode, to branch from."""

    def restore(self, snapshot: Any) -> None:
        """Return to a snapshot."""

    def render(self) -> Any:
        """As in Gymnasium."""

    def close(self) -> None:
        """As in Gymnasium."""


# Reading an enum's member runs Python code, which the hot path avoids.
_FAULT, _TURN_LIMIT = End.FAULT, End.TURN_LIMIT


def is_truncated(end: End, max_turns: int) -> bool:
    """True if an episode with this end is truncated, False if it is terminated.

    A fault and the turn limit truncate. A limit of one turn is the task's own and terminates, since Gymnasium's checker
    refuses truncation on the first step.
    """
    return end is _FAULT or (end is _TURN_LIMIT and max_turns > 1)


def turn_info(
    turn_rewards: Sequence[float], components: Mapping[str, float], *, state_key: int, valid_action: bool
) -> dict[str, Any]:
    """Make the `info` of a turn after which the episode goes on.

    Args:
        turn_rewards: the rewards of all turns so far, including this one.
        components: this turn's reward by name.
        state_key: 64-bit hash of the state before the action.
        valid_action: False if the environment did not understand the action.
    """
    return {
        "turn_reward": turn_rewards[-1],
        "turn_rewards": list(turn_rewards),
        "outcome_reward": 0.0,
        "turn": len(turn_rewards),
        "reward_components": dict(components),
        "state_key": state_key,
        "valid_action": valid_action,
    }


def closing_info(info: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """Make the `info` of the turn that ends an episode from the turn's `info` and the outcome."""
    described = {
        "reward": outcome.reward,
        "success": outcome.success,
        "end": outcome.end.value,
        "components": dict(outcome.components),
    }
    return {**info, "outcome_reward": outcome.reward, "outcome": described, "fault": outcome.fault}


def read_outcome(info: Mapping[str, Any]) -> Outcome | None:
    """Read the outcome from a closing `info`; None while the episode goes on."""
    if "outcome" not in info:
        return None
    fields = info["outcome"]
    return Outcome(fields["reward"], fields["success"], End(fields["end"]), fields["components"], info["fault"])
