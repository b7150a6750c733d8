"""A turnenv environment in Gymnasium's wrappers: every wrapper applies, and no turn's reward is lost."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Text
from gymnasium.wrappers import NormalizeReward, OrderEnforcing, PassiveEnvChecker, TimeLimit

from turnenv.core.contract import TextEnvironment, closing_info
from turnenv.core.tally import RESTORES
from turnenv.types import End, Outcome

__all__ = ["WrappedTextEnv", "time_limits", "without_checks", "wrappers_of"]

_INSTEAD = "scale, clip or replace turn rewards and outcome separately with turnenv.wrappers.TransformTurnRewards"
_ROUNDING = 1e-6


def wrappers_of(env: gymnasium.Env[Any, Any]) -> Iterator[gymnasium.Wrapper[Any, Any, Any, Any]]:
    """The wrappers around an environment, the outermost first."""
    while isinstance(env, gymnasium.Wrapper):
        yield env
        env = env.env


def without_checks(env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """Remove the outermost wrappers that only check (`OrderEnforcing`, `PassiveEnvChecker`)."""
    while type(env) in (OrderEnforcing, PassiveEnvChecker):
        env = env.env  # type: ignore[attr-defined]
    return env


def time_limits(env: gymnasium.Env[Any, Any]) -> list[int]:
    """The limits that `TimeLimit` wrappers set, in steps."""
    return [wrapper._max_episode_steps for wrapper in wrappers_of(env) if isinstance(wrapper, TimeLimit)]


class WrappedTextEnv(gymnasium.Wrapper[str, str, str, str]):
    """Keeps the contract of `turnenv.TextEnv` around Gymnasium's wrappers.

    Observations and actions pass through the wrappers. An episode that a wrapper truncates (`TimeLimit`) ends as
    `turn_limit`, with the outcome reward of `TextEnv.silence`; one that a wrapper terminates ends as `failed` with an
    outcome reward of 0. A snapshot is a deep copy of environment and wrappers.

    Args:
        env: a text environment of turnenv in at least one wrapper.

    Raises:
        TypeError: if the environment is not one of turnenv, or a wrapper changes strings into something else.
        ValueError: if a wrapper changes the reward, so that turn rewards and outcome would no longer sum to it.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        base = env.unwrapped
        if not isinstance(base, TextEnvironment):
            raise TypeError(
                f"{type(base).__name__} is not a text environment of turnenv; use turnenv.adapters.as_text_env"
            )
        self._base: TextEnvironment = base
        _refuse_rewards(env)
        _refuse_spaces(env)
        self.max_turns = min([base.max_turns, *time_limits(env)])
        self.num_tasks, self.tools, self.blocking = base.num_tasks, base.tools, base.blocking
        self.grammar = base.grammar
        self._over: bool = True
        self._turn: int = 0

    @property
    def spec(self) -> Any:  # type: ignore[override]
        """The spec of the wrapped environment, including its wrappers."""
        return self.env.spec

    @property
    def system_prompt(self) -> str:
        """What the agent reads before the first observation."""
        return self._base.system_prompt

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode; see `TextEnv.reset`.

        Raises:
            TypeError: if the wrappers return an observation that is not a string.
            ValueError: if the wrappers drop `task` or `system_prompt` from info.
        """
        observation, info = self.env.reset(seed=seed, options=options)
        self._over, self._turn = False, 0
        missing = {"task", "system_prompt"} - info.keys()
        if missing:
            raise ValueError(f"{self._names()} drop {sorted(missing)} from the info of reset: pass info on as it is")
        return self._text(observation), info

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Pass the agent's text through the wrappers; see `TextEnv.step`.

        Raises:
            gymnasium.error.ResetNeeded: if the episode is over or was never begun.
            TypeError: if the wrappers return an observation that is not a string.
            ValueError: if the wrappers lose or change a turn's reward, or hide the end of an episode.
        """
        if self._over:
            raise ResetNeeded("the episode is over or was never begun: call reset() before step()")
        self._turn += 1
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._check(float(reward), info)
        if "outcome" not in info and (terminated or truncated):
            outcome = self._ended_by_a_wrapper(bool(terminated))
            info, reward = closing_info(info, outcome), float(reward) + outcome.reward
        self._over = bool(terminated or truncated)
        if "outcome" in info and not self._over:
            raise ValueError(f"{self._names()} hide the end of an episode: return terminated and truncated as they are")
        return self._text(observation), float(reward), bool(terminated), bool(truncated), info

    def _ended_by_a_wrapper(self, terminated: bool) -> Outcome:
        outcome = self._base.cut()
        return Outcome(0.0, False, End.FAILED) if terminated else outcome

    def cut(self) -> Outcome:
        """End the running episode from outside; see `TextEnv.cut`."""
        self._over = True
        return self._base.cut()

    def snapshot(self) -> Mapping[str, Any]:
        """The current point of the episode, including the wrappers.

        Raises:
            TypeError: if the environment or a wrapper cannot be copied.
        """
        try:
            return {"env": copy.deepcopy(self.env), "over": self._over, "turn": self._turn}
        except Exception as error:
            raise TypeError(f"{self.env} cannot be copied, so it has no snapshots: {error!r}") from error

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Return to a snapshot; it can be restored again."""
        RESTORES.add()
        self.env = copy.deepcopy(snapshot["env"])
        self._base = self.env.unwrapped  # type: ignore[assignment]
        self._over, self._turn = snapshot["over"], snapshot["turn"]

    def _check(self, reward: float, info: Mapping[str, Any]) -> None:
        if "turn_reward" not in info:
            raise ValueError(f"{self._names()} drop turn_reward from info: pass info on as it is")
        if info["turn"] != self._turn:
            raise ValueError(
                f"{self._names()} take several steps for one action, so that turn rewards are lost: leave that out"
            )
        expected = info["turn_reward"] + info["outcome_reward"]
        if not math.isclose(reward, expected, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
            raise ValueError(
                f"{self._names()} change the reward from {expected:g} to {reward:g}, so that turn rewards and outcome "
                f"no longer sum to it: {_INSTEAD}"
            )

    def _text(self, observation: object) -> str:
        if not isinstance(observation, str):
            raise TypeError(
                f"{self._names()} make a {type(observation).__name__} of the observation; a policy reads strings"
            )
        return observation

    def _names(self) -> str:
        return " and ".join(type(wrapper).__name__ for wrapper in wrappers_of(self.env))


def _refuse_rewards(env: gymnasium.Env[Any, Any]) -> None:
    """Raise for a wrapper that changes the reward, before any step."""
    for wrapper in wrappers_of(env):
        if isinstance(wrapper, gymnasium.RewardWrapper | NormalizeReward):
            raise ValueError(
                f"{type(wrapper).__name__} changes the reward without its parts, so that turn rewards would be lost: "
                f"{_INSTEAD}"
            )


def _refuse_spaces(env: gymnasium.Env[Any, Any]) -> None:
    """Raise if what the outermost wrapper shows or takes is no text; the message names the wrapper that began it."""
    for what, name in (("observations", "observation_space"), ("actions", "action_space")):
        if isinstance(getattr(env, name), Text):
            continue
        # An inner wrapper may leave text if one around it comes back to it: frames stacked, then joined.
        culprit = env
        for wrapper in wrappers_of(env):
            if isinstance(getattr(wrapper, name), Text):
                break
            culprit = wrapper
        raise TypeError(
            f"{type(culprit).__name__} makes {what} of {getattr(culprit, name)}; a policy reads and writes strings: "
            "leave that wrapper out, or put one around it that returns to text"
        )
