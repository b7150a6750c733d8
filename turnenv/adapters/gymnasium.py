"""Adapts environments written for Gymnasium: those of strings as they are, others through `observe` and `act`."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gymnasium
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Text

from turnenv.adapters.steps import Reward, Step, parts_of
from turnenv.adapters.wrapped import time_limits
from turnenv.core import UnicodeText
from turnenv.core.contract import closing_info, is_truncated, turn_info
from turnenv.core.state_keys import hash_state
from turnenv.core.tally import RESTORES
from turnenv.types import End, Outcome

if TYPE_CHECKING:
    from turnenv.actions import Grammar

__all__ = ["LONGEST", "GymnasiumEnv", "Step"]

LONGEST = 1000
"""The most turns of an episode whose environment sets no limit."""

_BROKEN = "The environment is not available."
_QUOTED = 200


class GymnasiumEnv(gymnasium.Env[str, str]):
    """Plays any `gymnasium.Env` under the contract of `turnenv.TextEnv`.

    The step's reward is the turn reward, as the component `reward`, unless `turn_reward` or `outcome` is given. With
    `outcome` alone, the turn reward is the rest of the step's reward, so that the environment's return does not change.
    Success is `info["is_success"]` or else `info["success"]` of the closing step, unless `success` is given; without
    any of them it is False.

    An exception inside the environment ends the episode as a fault with its text, and nothing is learnt from it. A
    snapshot is a deep copy; `turnenv.check_env` checks whether it is exact. All wrappers of `env` apply.

    Args:
        env: the environment; it is used, not copied.
        observe: turns an observation into the text that the policy reads; by default the observation is that text.
        act: turns the policy's text into the environment's action. If it raises ValueError or LookupError, the policy
            reads the reason and the turn counts, but the environment does not step. By default the text is the action.
        turn_reward: the turn's reward, by component if it is a mapping.
        outcome: the outcome's reward on the closing step, by component if it is a mapping.
        success: True if the closing step solved the task.
        system_prompt: what the agent reads first; by default the environment's attribute of that name, or "".
        state_key: what distinguishes two states, from an observation; by default the seed and all actions so far.
        max_turns: the turn after which an episode is cut, 1000 by default; a smaller limit of a `TimeLimit` applies.
        blocking: True if a step waits for something outside this process, so that batches step in threads; by default
            the environment's attribute of that name, or False.
        raise_errors: raise the environment's exceptions instead of recording a fault, to find mistakes of your own.

    Raises:
        TypeError: if observations or actions are not strings and `observe` or `act` is missing.
        ValueError: if `max_turns` is below 1.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 (Gymnasium's own declaration)
    num_tasks = 1

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        *,
        observe: Callable[[Any], str] | None = None,
        act: Callable[[str], Any] | None = None,
        turn_reward: Callable[[Step], Reward] | None = None,
        outcome: Callable[[Step], Reward] | None = None,
        success: Callable[[Step], bool] | None = None,
        system_prompt: str | None = None,
        state_key: Callable[[Any], object] | None = None,
        max_turns: int | None = None,
        blocking: bool | None = None,
        raise_errors: bool = False,
    ) -> None:
        if max_turns is not None and max_turns < 1:
            raise ValueError(f"max_turns must be at least 1; got {max_turns}")
        _check_space("observe", env.observation_space, observe)
        _check_space("act", env.action_space, act)
        self.env, self.render_mode = env, env.render_mode
        self.metadata = env.metadata
        self.observation_space, self.action_space = UnicodeText(), UnicodeText()
        self._observe, self._act, self._state_key = observe, act, state_key
        self._turn_reward, self._outcome, self._success = turn_reward, outcome, success
        inner: Any = env.unwrapped
        self.system_prompt = str(getattr(inner, "system_prompt", "")) if system_prompt is None else system_prompt
        self.tools: tuple[Mapping[str, Any], ...] = ()
        self.grammar: Grammar | None = None
        self.blocking = bool(getattr(inner, "blocking", False)) if blocking is None else blocking
        self.max_turns = min([max_turns or LONGEST, *time_limits(env)])
        self.spec = env.spec
        self._raise_errors, self._warned, self._over = raise_errors, False, True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode with this seed; `options["task"]` may be 0, the rest goes to the environment.

        Raises:
            ValueError: if `options` names another task than 0.
        """
        super().reset(seed=seed)
        rest = dict(options or {})
        task = rest.pop("task", 0)
        if task != 0:
            raise ValueError(f"this environment has one task, 0, which the seed varies; got options['task']={task!r}")
        self._over, self._turn_rewards, self._fault = False, list[float](), ""
        self._history = hash_state(seed)
        try:
            self._seen, _ = self.env.reset(seed=seed, options=rest or None)
            text = self._text(self._seen)
        except Exception as error:  # noqa: BLE001 (as in `step`)
            text = self._failed(error)
        return text, {"task": 0, "system_prompt": self.system_prompt}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Pass the agent's text to the environment; see `TextEnv.step`.

        Raises:
            TypeError: if the action is not a string.
            gymnasium.error.ResetNeeded: if the episode is over or was never begun.
        """
        if self._over:
            raise ResetNeeded("the episode is over or was never begun: call reset() before step()")
        if not isinstance(action, str):
            raise TypeError(f"an action is the agent's text, a str; got {type(action).__name__}")
        key = self._key()
        self._history = hash_state((self._history, action))
        try:
            return self._take(action, key)
        except Exception as error:  # noqa: BLE001 (whatever an environment raises says nothing about the agent)
            return self._result(self._failed(error), {}, key, True, Outcome(0.0, False, End.FAULT, {}, self._fault))

    def _take(self, action: str, key: int) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if self._fault:
            return self._result(_BROKEN, {}, key, True, Outcome(0.0, False, End.FAULT, {}, self._fault))
        try:
            chosen = self._checked_action(action) if self._act is None else self._act(action)
        except ValueError as error:
            return self._refuse(str(error), key)
        except LookupError:
            return self._refuse(f"{action[:_QUOTED]!r} is not an action.", key)
        observation, reward, terminated, truncated, info = self.env.step(chosen)
        step = Step(self._seen, observation, float(reward), bool(terminated), bool(truncated), info)
        self._seen, text = observation, self._text(observation)
        over = step.terminated or step.truncated
        outcome_parts = parts_of(self._outcome(step), "outcome") if over and self._outcome else {}
        turn_parts = self._turn_parts(step, sum(outcome_parts.values()))
        if not over and self._late():
            return self._result(text, turn_parts, key, True, self.cut())
        return self._result(text, turn_parts, key, True, self._ending(step, outcome_parts) if over else None)

    def _refuse(self, reason: str, key: int) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Refuse a text that is not an action: the policy reads why, and the environment does not step."""
        return self._result(reason, {}, key, False, self.cut() if self._late() else None)

    def _turn_parts(self, step: Step, outcome: float) -> dict[str, float]:
        if self._turn_reward is not None:
            return parts_of(self._turn_reward(step), "reward")
        return parts_of(step.reward - outcome, "reward")

    def _ending(self, step: Step, parts: Mapping[str, float]) -> Outcome:
        solved = self._solved(step)
        if step.truncated and not step.terminated:
            end = End.TURN_LIMIT
        elif solved is None:
            end = End.ANSWERED
        else:
            end = End.SOLVED if solved else End.FAILED
        return Outcome(sum(parts.values(), 0.0), bool(solved), end, parts)

    def _solved(self, step: Step) -> bool | None:
        """Whether the task was solved; None if nothing says so."""
        if self._success is not None:
            return bool(self._success(step))
        for name in ("is_success", "success"):
            if name in step.info:
                return bool(step.info[name])
        return None

    def _late(self) -> bool:
        return len(self._turn_rewards) + 1 >= self.max_turns

    def _result(
        self, text: str, components: Mapping[str, float], key: int, valid: bool, outcome: Outcome | None
    ) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self._turn_rewards.append(sum(components.values(), 0.0))
        info = turn_info(self._turn_rewards, components, state_key=key, valid_action=valid)
        if outcome is None:
            return text, info["turn_reward"], False, False, info
        self._over = True
        cut = is_truncated(outcome.end, self.max_turns)
        return text, info["turn_reward"] + outcome.reward, not cut, cut, closing_info(info, outcome)

    def cut(self) -> Outcome:
        """End the running episode from outside, with an outcome of 0: Gymnasium defines no other."""
        self._over = True
        return Outcome(0.0, False, End.TURN_LIMIT)

    def snapshot(self) -> Mapping[str, Any]:
        """The current point of the episode, as a deep copy.

        Raises:
            TypeError: if the environment cannot be copied.
        """
        try:
            return copy.deepcopy({name: self.__dict__[name] for name in self._moving()})
        except Exception as error:
            raise TypeError(f"{self.env} cannot be copied, so it has no snapshots: {error!r}") from error

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Return to a snapshot; it can be restored again."""
        RESTORES.add()
        self.__dict__.update(copy.deepcopy(dict(snapshot)))

    def _moving(self) -> list[str]:
        names = ("env", "_seen", "_history", "_turn_rewards", "_fault", "_over")
        return [name for name in names if name in self.__dict__]

    def _key(self) -> int:
        if self._state_key is None or self._fault:
            return self._history
        return hash_state(self._state_key(self._seen))

    def _text(self, observation: Any) -> str:
        text = observation if self._observe is None else self._observe(observation)
        if not isinstance(text, str):
            maker = "the observation" if self._observe is None else "what observe returned"
            raise TypeError(f"{maker} is a {type(text).__name__}; a policy reads strings: pass observe=")
        if self._observe is None and not self.env.observation_space.contains(text):
            self._warn_once("an observation", self.env.observation_space)
        return text

    def _checked_action(self, action: str) -> str:
        if not self.env.action_space.contains(action):
            self._warn_once("an action", self.env.action_space)
        return action

    def _warn_once(self, what: str, space: gymnasium.Space[Any]) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{what} of {self.env} lies outside the space that its author declared, {space}: declare "
                "turnenv.UnicodeText(), which holds every string",
                stacklevel=4,
            )

    def _failed(self, error: Exception) -> str:
        if self._raise_errors:
            raise error
        self._fault = f"{type(error).__name__}: {error}"
        return _BROKEN

    def render(self) -> Any:
        """What the environment renders."""
        return self.env.render()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


def _check_space(argument: str, space: gymnasium.Space[Any], given: Callable[[Any], Any] | None) -> None:
    if given is None and not isinstance(space, Text):
        what = "observations" if argument == "observe" else "actions"
        example = "lambda observation: str(observation)" if argument == "observe" else "int"
        raise TypeError(
            f"the {what} of this environment are of {space}, not strings: wrap it as "
            f"turnenv.adapters.gymnasium.GymnasiumEnv(env, {argument}=…), e.g. {argument}={example}"
        )
