"""Wrappers that change what a turn earns: they add a judge's verdict, or transform turn rewards and outcome."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import gymnasium
from gymnasium.error import ResetNeeded

from turnenv.adapters import AnyEnv, as_text_env
from turnenv.core import Reply, UnicodeText
from turnenv.core.contract import closing_info, is_truncated, read_outcome, turn_info
from turnenv.core.state_keys import hash_state
from turnenv.core.tally import JUDGE_CALLS
from turnenv.judges import Judge, JudgeError, Message
from turnenv.types import End, Outcome

__all__ = ["JudgedTurns", "TransformTurnRewards", "TurnRewardWrapper", "clipped", "scaled"]

COMPONENT = "judge"
"""The name of the judge's reward in `reward_components`."""

Rewards: TypeAlias = Mapping[str, float]
"""Rewards by component, already weighted."""


class TurnRewardWrapper(gymnasium.Env[str, str], ABC):
    """Wraps an environment and lets a subclass revise each turn; it keeps the contract of `turnenv.TextEnv`.

    It is not a `gymnasium.Wrapper`: `unwrapped` returns this object, so no code can bypass the revised rewards. The
    wrappers of `env` apply. `turn_reward`, `turn_rewards`, `reward_components`, outcome and the step's reward agree.

    Args:
        env: whatever `turnenv.adapters.as_text_env` takes.
        **kwargs: passed to the environment's constructor; only with an id, a class or a function.

    Raises:
        TypeError: if `env` is not a text environment, or `kwargs` are passed with an environment that is already made.
        ValueError: if a wrapper of `env` loses turn rewards.
    """

    metadata = {"render_modes": ["ansi", "human"], "render_fps": 1}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(self, env: AnyEnv, **kwargs: Any) -> None:
        self.inner = as_text_env(env, **kwargs)
        self.render_mode = self.inner.render_mode
        self.observation_space, self.action_space = UnicodeText(), UnicodeText()
        self.max_turns, self.num_tasks, self.tools = self.inner.max_turns, self.inner.num_tasks, self.inner.tools
        self.blocking, self.grammar = self.inner.blocking, self.inner.grammar
        self._over, self._turn_rewards = True, list[float]()

    @abstractmethod
    def revise(self, action: str, reply: Reply) -> Reply:
        """Return the reply with other rewards or another outcome; a reply with a fault ends the episode.

        Args:
            action: the agent's text.
            reply: the environment's text, the turn's rewards, and the outcome if the episode ended; never a fault.
        """

    @property
    def system_prompt(self) -> str:
        """What the agent reads before the first observation."""
        return self.inner.system_prompt

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode; see `TextEnv.reset`."""
        super().reset(seed=seed)
        self._over, self._turn_rewards = False, []
        return self.inner.reset(seed=seed, options=options)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Pass the agent's text to the environment and revise what it earned; see `TextEnv.step`.

        Raises:
            gymnasium.error.ResetNeeded: if the episode is over or was never begun.
        """
        if self._over:
            raise ResetNeeded("the episode is over or was never begun: call reset() before step()")
        text, _, _, _, info = self.inner.step(action)
        reply = Reply(text, info["reward_components"], info["valid_action"], read_outcome(info))
        key = self._state_key(info["state_key"])
        if reply.outcome is None or reply.outcome.end is not End.FAULT:
            reply = self.revise(action, reply)
        self._turn_rewards.append(sum(reply.rewards.values(), 0.0))
        revised = turn_info(self._turn_rewards, reply.rewards, state_key=key, valid_action=reply.valid)
        if reply.outcome is None:
            return reply.text, revised["turn_reward"], False, False, revised
        return self._close(reply.text, revised, reply.outcome)

    def _close(
        self, text: str, info: Mapping[str, Any], outcome: Outcome
    ) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self._over = True
        cut = is_truncated(outcome.end, self.max_turns)
        return text, info["turn_reward"] + outcome.reward, not cut, cut, closing_info(info, outcome)

    def _state_key(self, inner: int) -> int:
        return inner

    def cut(self) -> Outcome:
        """End the running episode from outside; see `TextEnv.cut`."""
        self._over = True
        return self.inner.cut()

    def snapshot(self) -> Mapping[str, Any]:
        """The current point of the episode, to branch from; see `TextEnv.snapshot`."""
        own = copy.deepcopy({name: self.__dict__[name] for name in self._moving()})
        return {"inner": self.inner.snapshot(), "own": own}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Return to a snapshot; the same snapshot can be restored again."""
        self.inner.restore(snapshot["inner"])
        self.__dict__.update(copy.deepcopy(snapshot["own"]))

    def _moving(self) -> tuple[str, ...]:
        """The attributes that change during an episode."""
        return ("_over", "_turn_rewards")

    def render(self) -> Any:
        """What the inner environment renders."""
        return self.inner.render()

    def close(self) -> None:
        """Close the inner environment."""
        self.inner.close()


class JudgedTurns(TurnRewardWrapper):
    """Pays each turn `weight · verdict` on top of what the environment pays, as the component `judge`.

    The outcome does not change. A judge that fails, or whose verdict is not in 0…1, ends the episode as a fault: that
    turn earns nothing, and nothing may be learnt from the episode. A turn that ended in a fault is not judged. The
    judge reads the texts as the wrappers of `env` return them.

    A judge cannot be verified: an agent may learn to please it. All verdicts together pay at most
    `weight · max_turns`; keep that well below the outcome's reward.

    Args:
        env: whatever `turnenv.adapters.as_text_env` takes.
        judge: scores the agent's latest message; see `turnenv.judges.Judge`.
        weight: what a verdict of 1 pays.
        **kwargs: passed to the environment's constructor; only with an id, a class or a function.

    Raises:
        TypeError: if `env` is not a text environment, or `kwargs` are passed with an environment that is already made.
        ValueError: if `weight` is not a positive number, or a wrapper of `env` loses turn rewards.
    """

    def __init__(self, env: AnyEnv, judge: Judge, weight: float = 0.1, **kwargs: Any) -> None:
        if not (weight > 0 and math.isfinite(weight)):
            raise ValueError(f"weight must be a positive number, got {weight}")
        super().__init__(env, **kwargs)
        self._judge, self._weight = judge, weight
        self.blocking = self.inner.blocking or bool(getattr(judge, "blocking", False))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode; see `TextEnv.reset`."""
        observation, info = super().reset(seed=seed, options=options)
        prompt = (Message("system", info["system_prompt"]),) if info["system_prompt"] else ()
        self._transcript: tuple[Message, ...] = (*prompt, Message("user", observation))
        return observation, info

    def revise(self, action: str, reply: Reply) -> Reply:
        """Add the judge's verdict to the turn's rewards; end the episode as a fault if there is none."""
        self._transcript += (Message("assistant", action), Message("user", reply.text))
        JUDGE_CALLS.add()
        try:
            verdict = float(self._judge.score(self._transcript))
        except JudgeError as error:
            return Reply.fault("The judge is not available.", str(error))
        if not 0.0 <= verdict <= 1.0:
            return Reply.fault("The judge is not available.", f"the judge's verdict must be in 0…1, it was {verdict}")
        return reply._replace(rewards={**reply.rewards, COMPONENT: self._weight * verdict})

    def _state_key(self, inner: int) -> int:
        # Later verdicts depend on the conversation too.
        return hash_state((inner, tuple(map(tuple, self._transcript))))

    def _moving(self) -> tuple[str, ...]:
        return ("_over", "_turn_rewards", "_transcript") if hasattr(self, "_transcript") else super()._moving()


class TransformTurnRewards(TurnRewardWrapper):
    """Changes turn rewards and the outcome's reward separately, so that they still sum to the step's reward.

    Use it instead of `gymnasium.wrappers.TransformReward`, which does not know turn rewards:
    `TransformTurnRewards(env, turn=scaled(0.5), outcome=clipped(-1.0, 1.0))`.

    Args:
        env: whatever `turnenv.adapters.as_text_env` takes.
        turn: maps a turn's rewards by component to new ones; by default they do not change.
        outcome: maps the outcome's rewards by component to new ones; by default they do not change.
        **kwargs: passed to the environment's constructor; only with an id, a class or a function.

    Raises:
        TypeError: if `env` is not a text environment, or `kwargs` are passed with an environment that is already made.
        ValueError: if a wrapper of `env` loses turn rewards.
    """

    def __init__(
        self,
        env: AnyEnv,
        *,
        turn: Callable[[Rewards], Rewards] | None = None,
        outcome: Callable[[Rewards], Rewards] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(env, **kwargs)
        self._of_turn, self._of_outcome = turn, outcome

    def revise(self, action: str, reply: Reply) -> Reply:
        """Apply the two functions.

        Raises:
            ValueError: if a reward that they return is not finite.
        """
        rewards = reply.rewards if self._of_turn is None else _finite(self._of_turn(reply.rewards))
        return reply._replace(rewards=rewards, outcome=reply.outcome and self._transformed(reply.outcome))

    def cut(self) -> Outcome:
        """End the running episode from outside, with the transformed outcome of silence; see `TextEnv.cut`."""
        return self._transformed(super().cut())

    def _transformed(self, ending: Outcome) -> Outcome:
        if self._of_outcome is None:
            return ending
        parts = _finite(self._of_outcome(ending.components))
        return Outcome(sum(parts.values(), 0.0), ending.success, ending.end, parts)


def scaled(factor: float) -> Callable[[Rewards], Rewards]:
    """Return a function that multiplies every component by `factor`."""
    return lambda rewards: {name: factor * value for name, value in rewards.items()}


def clipped(low: float, high: float) -> Callable[[Rewards], Rewards]:
    """Return a function that clips every component to [low, high].

    Raises:
        ValueError: if `low` is above `high`.
    """
    if not low <= high:
        raise ValueError(f"low must not be above high; got {low} and {high}")
    return lambda rewards: {name: min(max(value, low), high) for name, value in rewards.items()}


def _finite(rewards: Rewards) -> dict[str, float]:
    parts = {name: float(value) for name, value in rewards.items()}
    for name, value in parts.items():
        if not math.isfinite(value):
            raise ValueError(f"the reward {name!r} became {value}: every reward must be finite")
    return parts
