"""A batch of text episodes in lock-step: finished episodes cost nothing, and no turn's reward is lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Text
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from turnenv.core.arguments import check_options
from turnenv.core.batched_infos import start_infos
from turnenv.core.contract import TextEnvironment
from turnenv.core.env import TextEnv

_Step = tuple[str, float, bool, bool, dict[str, Any]]
_ACTIONS = frozenset({str, type(None)})


class TextVectorEnv(VectorEnv[tuple[str, ...], Sequence[str | None], NDArray[Any]]):
    """`num_envs` episodes of one environment; `gym.make_vec` returns it for every turnenv id.

    By default it never resets by itself: a finished episode keeps its last observation and ignores its action (pass
    `None`) until `reset(options={"reset_mask": …})`. Environments that wait for something outside this process
    (`blocking`) step in threads, so that they wait at the same time.

    `step` returns in `infos`, for `n` episodes, each with Gymnasium's mask (`_turn_reward` and so on, bool `(n,)`):

    * `turn_reward`, `outcome_reward`: float64 `(n,)`, NaN where no turn was taken;
    * `turn`: int64 `(n,)`, 0 where no turn was taken;
    * `env_infos`: the single environments' infos, object `(n,)`, None where no turn was taken;
    * `task` and `system_prompt` if this step began an episode (the autoreset modes), and `final_obs` and `final_info`
      if it also ended one ("SameStep").

    Args:
        make: makes one environment.
        num_envs: the number of episodes.
        autoreset_mode: Gymnasium's `AutoresetMode` or its value: "Disabled"; "NextStep": the step after the closing one
            begins an episode and ignores the action; "SameStep": the closing step begins it.
        **kwargs: passed to `make`.

    Raises:
        ValueError: if `num_envs` is below 1 or the mode is unknown.
    """

    metadata = {"autoreset_mode": AutoresetMode.DISABLED, **TextEnv.metadata}  # noqa: RUF012 (Gymnasium's declaration)

    def __init__(
        self,
        make: Callable[..., TextEnvironment],
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.DISABLED,
        **kwargs: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1; got {num_envs}")
        self._mode = _known_mode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self._mode}
        self.num_envs = num_envs
        self.envs = tuple(make(**kwargs) for _ in range(num_envs))
        first = self.envs[0]
        self.render_mode = first.render_mode
        self.single_observation_space, self.single_action_space = first.observation_space, first.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._texts = isinstance(self.single_action_space, Text)
        self._observations = [""] * num_envs
        self._begun, self._over = False, [True] * num_envs
        self._threads = ThreadPoolExecutor(num_envs) if first.blocking and num_envs > 1 else None

    @property
    def env_id(self) -> str:
        """The id that the environments were made by, or else the name of their class."""
        spec = self.spec or self.envs[0].spec
        return type(self.envs[0]).__name__ if spec is None else str(spec.id)

    @property
    def system_prompt(self) -> str:
        """What every agent reads before its first observation."""
        return self.envs[0].system_prompt

    @property
    def tools(self) -> tuple[Mapping[str, Any], ...]:
        """JSON schemas of the tools."""
        return self.envs[0].tools

    @property
    def over(self) -> NDArray[np.bool_]:
        """True where the episode is over, bool `(num_envs,)`."""
        return np.array(self._over, dtype=np.bool_)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: one seed per episode (equal seeds make a group), or an int s for s, s+1, …
            options: `reset_mask`, bool `(num_envs,)`, begins only those episodes; `task` may be one task for all or a
                sequence with one per episode; other keys go to every environment that is reset.

        Returns:
            The observations, and an info with `task` (int64 `(num_envs,)`, -1 where not reset), `system_prompt` and
            `env_infos` (object `(num_envs,)`, None where not reset), each with its mask.

        Raises:
            ValueError: if a seed, mask or task sequence has the wrong length, a task does not exist, or an option is
                unknown.
        """
        rest, first = dict(options or {}), self.envs[0]
        if rest and isinstance(first, TextEnv):
            check_options("a batch", rest, ("reset_mask", "task", *first.reset_options))
        mask = self._per_env("reset_mask", rest.pop("reset_mask", None), True)
        seeds = [seed + row for row in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else seed
        seeds = self._per_env("seed", seeds, None)
        task = rest.pop("task", None)
        tasks = self._per_env("task", None if np.ndim(task) == 0 else task, task)
        rows = [row for row in range(self.num_envs) if mask[row]]
        infos: list[dict[str, Any] | None] = [None] * self.num_envs
        for row in rows:
            chosen = rest if tasks[row] is None else {**rest, "task": tasks[row]}
            infos[row] = self._begin(row, seeds[row], chosen)
        self._begun = True
        batched = start_infos(rows, infos)
        batched.update(env_infos=_objects(infos), _env_infos=batched["_task"])
        return tuple(self._observations), batched

    def step(
        self, actions: Sequence[str | None]
    ) -> tuple[tuple[str, ...], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step every unfinished episode whose action is not None.

        Returns:
            Observations, rewards `(n,)` (0.0 where no turn was taken), terminated and truncated (bool `(n,)`, True
            where this step ended the episode), infos.

        Raises:
            TypeError: if the actions are one string, or one of them is neither a string nor None.
            ValueError: if there is not one action per episode.
            gymnasium.error.ResetNeeded: if an action is not None although no episode is running; with an autoreset
                mode, only before the first `reset`.
        """
        self._check_actions(actions)
        over, observations = self._over, self._observations
        rows = [row for row, action in enumerate(actions) if action is not None and not over[row]]
        begin = self._rows_to_begin(rows, actions)
        terminated, truncated = [False] * self.num_envs, [False] * self.num_envs
        rewards, turn_rewards, outcome_rewards = ([fill] * self.num_envs for fill in (0.0, math.nan, math.nan))
        turns = [0] * self.num_envs
        infos: list[dict[str, Any] | None] = [None] * self.num_envs
        for row, result in zip(rows, self._step_rows(rows, actions), strict=True):
            observations[row], rewards[row], ended, cut, info = result
            infos[row] = info
            if ended or cut:
                terminated[row], truncated[row], over[row] = ended, cut, True
            turn_rewards[row], outcome_rewards[row] = info["turn_reward"], info["outcome_reward"]
            turns[row] = info["turn"]
        turns_n = np.array(turns, dtype=np.int64)
        taken = turns_n > 0
        batched: dict[str, Any] = {
            "turn_reward": np.array(turn_rewards, dtype=np.float64),
            "outcome_reward": np.array(outcome_rewards, dtype=np.float64),
            "turn": turns_n,
            "env_infos": _objects(infos),
            "_turn_reward": taken,
            "_outcome_reward": taken,
            "_turn": taken,
            "_env_infos": taken,
        }
        if self._mode is not AutoresetMode.DISABLED:
            batched.update(self._autoreset(begin, infos))
        terminated_n, truncated_n = np.array(terminated, dtype=np.bool_), np.array(truncated, dtype=np.bool_)
        return tuple(observations), np.array(rewards, dtype=np.float64), terminated_n, truncated_n, batched

    def _check_actions(self, actions: Sequence[str | None]) -> None:
        if isinstance(actions, (str, bytes)):
            raise TypeError(
                f"one {type(actions).__name__} was passed for {self.num_envs} episodes, and would be read character "
                f"by character: pass one action per episode, such as [text] * {self.num_envs}"
            )
        if len(actions) != self.num_envs:
            raise ValueError(f"pass one action per episode, {self.num_envs} of them; got {len(actions)}")
        if self._texts and not _ACTIONS.issuperset(map(type, actions)):
            for row, action in enumerate(actions):
                if action is not None and not isinstance(action, str):
                    name = type(action).__name__
                    raise TypeError(f"an action is the agent's text, a str, or None; action {row} is of type {name}")

    def _rows_to_begin(self, rows: Sequence[int], actions: Sequence[str | None]) -> Sequence[int]:
        """The episodes that this step begins instead of taking a turn in them."""
        if self._begun and self._mode is not AutoresetMode.DISABLED:
            return [row for row, over in enumerate(self._over) if over]
        if not rows and all(self._over) and any(action is not None for action in actions):
            raise ResetNeeded(
                "every episode is over: call reset() before step(), or reset(options={'reset_mask': batch.over}) when "
                "an episode ends, or make the batch with autoreset_mode='NextStep'"
                if self._begun
                else "no episode was begun: call reset() before step()"
            )
        return ()

    def _autoreset(self, begin: Sequence[int], infos: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
        """Begin the episodes that are due, and return their infos in Gymnasium's layout."""
        batched: dict[str, Any] = {}
        if self._mode is AutoresetMode.SAME_STEP:
            begin = [row for row, over in enumerate(self._over) if over]
            for row in begin:
                closing = {"final_obs": self._observations[row], "final_info": infos[row]}
                batched = self._add_info(batched, closing, row)
        started: list[dict[str, Any] | None] = [None] * self.num_envs
        for row in begin:
            started[row] = self._begin(row, None, {})
        return {**batched, **start_infos(begin, started)} if begin else {}

    def _begin(self, row: int, seed: int | None, options: dict[str, Any]) -> dict[str, Any]:
        self._observations[row], info = self.envs[row].reset(seed=seed, options=options)
        self._over[row] = False
        return info

    def _step_rows(self, rows: Sequence[int], actions: Sequence[Any]) -> Iterator[_Step]:
        if self._threads is None:
            envs = self.envs
            return (envs[row].step(actions[row]) for row in rows)
        return self._threads.map(lambda row: self.envs[row].step(actions[row]), rows)

    def _per_env(self, name: str, values: Sequence[Any] | NDArray[Any] | None, default: Any) -> Sequence[Any]:
        if values is None:
            return [default] * self.num_envs
        if len(values) != self.num_envs:
            raise ValueError(f"{name} must hold one value per episode, {self.num_envs} of them; got {len(values)}")
        return values.tolist() if isinstance(values, np.ndarray) else list(values)

    def render(self) -> tuple[str | None, ...]:  # type: ignore[override]
        """The transcript of each episode so far; None without `render_mode="ansi"`."""
        return tuple(env.render() for env in self.envs)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environments and their threads."""
        if self._threads is not None:
            self._threads.shutdown()
        for env in self.envs:
            env.close()


def _objects(values: Sequence[object]) -> NDArray[np.object_]:
    """The values as an array; `np.array` would first look whether each of them is a sequence."""
    return np.fromiter(values, dtype=np.object_, count=len(values))


def _known_mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        known = ", ".join(repr(each.value) for each in AutoresetMode)
        raise ValueError(f"autoreset_mode must be one of {known}; got {mode!r}") from None
