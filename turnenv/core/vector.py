"""A batch of text episodes stepped in lock-step, where finished episodes cost nothing and no turn's reward is lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from turnenv.core.contract import TextEnvironment
from turnenv.core.env import TextEnv

_Step = tuple[str, float, bool, bool, dict[str, Any]]


class TextVectorEnv(VectorEnv[tuple[str, ...], Sequence[str | None], NDArray[Any]]):
    """`num_envs` episodes of one environment; `gym.make_vec` returns it for every turnenv id.

    It never resets by itself: a finished episode keeps its last observation, and its action (best `None`) is ignored,
    until `reset(options={"reset_mask": …})`. Environments that wait for something outside the process (`blocking`)
    step in threads, so that their waits overlap.

    `step` returns in `infos`, for `n` episodes:

    * `turn_reward`, `outcome_reward`: float64 `(n,)`, NaN where no turn was taken;
    * `turn`: int64 `(n,)`, 0 where no turn was taken;
    * `env_infos`: a tuple of the single environments' own infos, None where no turn was taken.

    Args:
        make: makes one environment.
        num_envs: how many.
        **kwargs: passed to `make`.
    """

    metadata = {"autoreset_mode": AutoresetMode.DISABLED, **TextEnv.metadata}  # noqa: RUF012 (Gymnasium's declaration)

    def __init__(self, make: Callable[..., TextEnvironment], num_envs: int = 1, **kwargs: Any) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1; got {num_envs}")
        self.num_envs = num_envs
        self.envs = tuple(make(**kwargs) for _ in range(num_envs))
        first = self.envs[0]
        self.render_mode = first.render_mode
        self.single_observation_space, self.single_action_space = first.observation_space, first.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._observations = [""] * num_envs
        # Plain lists: writing single cells of an array takes longer than making it of a list at the end.
        self._terminated, self._truncated = [True] * num_envs, [False] * num_envs
        self._threads = ThreadPoolExecutor(num_envs) if first.blocking and num_envs > 1 else None

    @property
    def env_id(self) -> str:
        """The id that the environments were made by, or else the name of their class."""
        spec = self.spec or self.envs[0].spec
        return type(self.envs[0]).__name__ if spec is None else str(spec.id)

    @property
    def system_prompt(self) -> str:
        """What every agent is told before its first observation."""
        return self.envs[0].system_prompt

    @property
    def tools(self) -> tuple[Mapping[str, Any], ...]:
        """JSON schemas of the tools."""
        return self.envs[0].tools

    @property
    def over(self) -> NDArray[np.bool_]:
        """True where the episode is over, bool `(num_envs,)`."""
        return np.array(self._terminated, dtype=np.bool_) | np.array(self._truncated, dtype=np.bool_)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: one seed an episode (equal seeds make a group), or an int s for s, s+1, …
            options: `reset_mask`, bool `(num_envs,)`, begins only those episodes; `task` may be one task for all or a
                sequence of one an episode; the rest goes to every environment.

        Returns:
            The observations, and an info of `task` (int64 `(num_envs,)`, -1 where not reset) and `env_infos`.

        Raises:
            ValueError: if a seed, mask or task sequence has the wrong length.
        """
        rest = dict(options or {})
        mask = self._per_env("reset_mask", rest.pop("reset_mask", None), True)
        seeds = [seed + row for row in range(self.num_envs)] if isinstance(seed, int) else seed
        seeds = self._per_env("seed", seeds, None)
        task = rest.pop("task", None)
        tasks = self._per_env("task", None if np.isscalar(task) else task, task)
        infos: list[dict[str, Any] | None] = [None] * self.num_envs
        for row, env in enumerate(self.envs):
            if mask[row]:
                chosen = rest if tasks[row] is None else {**rest, "task": tasks[row]}
                self._observations[row], infos[row] = env.reset(seed=seeds[row], options=chosen)
                self._terminated[row] = self._truncated[row] = False
        started = [-1 if info is None else info["task"] for info in infos]
        return tuple(self._observations), {"task": np.array(started, dtype=np.int64), "env_infos": tuple(infos)}

    def step(
        self, actions: Sequence[str | None]
    ) -> tuple[tuple[str, ...], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step every unfinished episode whose action is not None.

        Returns:
            Observations, rewards `(n,)` (0.0 where no turn was taken), terminated, truncated (as they stand), infos.

        Raises:
            ValueError: if there is not one action an episode.
        """
        if len(actions) != self.num_envs:
            raise ValueError(f"one action an episode, {self.num_envs} of them; got {len(actions)}")
        terminated, truncated, observations = self._terminated, self._truncated, self._observations
        rows = [
            row for row, action in enumerate(actions) if action is not None and not (terminated[row] or truncated[row])
        ]
        rewards, turn_rewards, outcome_rewards = ([fill] * self.num_envs for fill in (0.0, math.nan, math.nan))
        turns = [0] * self.num_envs
        infos: list[dict[str, Any] | None] = [None] * self.num_envs
        for row, result in zip(rows, self._step_rows(rows, actions), strict=True):
            observations[row], rewards[row], terminated[row], truncated[row], infos[row] = result
            info = result[4]
            turn_rewards[row], outcome_rewards[row] = info["turn_reward"], info["outcome_reward"]
            turns[row] = info["turn"]
        return (
            tuple(observations),
            np.array(rewards),
            np.array(terminated),
            np.array(truncated),
            {
                "turn_reward": np.array(turn_rewards),
                "outcome_reward": np.array(outcome_rewards),
                "turn": np.array(turns, dtype=np.int64),
                "env_infos": tuple(infos),
            },
        )

    def _step_rows(self, rows: Sequence[int], actions: Sequence[Any]) -> Iterator[_Step]:
        if self._threads is None:
            envs = self.envs
            return (envs[row].step(actions[row]) for row in rows)
        return self._threads.map(lambda row: self.envs[row].step(actions[row]), rows)

    def _per_env(self, name: str, values: Sequence[Any] | NDArray[Any] | None, default: Any) -> Sequence[Any]:
        if values is None:
            return [default] * self.num_envs
        if len(values) != self.num_envs:
            raise ValueError(f"{name} must hold one value an episode, {self.num_envs} of them; got {len(values)}")
        return values.tolist() if isinstance(values, np.ndarray) else list(values)

    def render(self) -> tuple[str | None, ...]:  # type: ignore[override]
        """Each episode so far as text."""
        return tuple(env.render() for env in self.envs)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environments and their threads."""
        if self._threads is not None:
            self._threads.shutdown()
        for env in self.envs:
            env.close()


def turn_infos(infos: Mapping[str, Any], num_envs: int) -> list[dict[str, Any] | None]:
    """Each row's info of the turn that a vector `step` has just taken, in any kind of batch and autoreset mode.

    A batch of Gymnasium's that resets in the step itself keeps the closing turn's info under `final_info`; one that
    resets at the next step has no turn there.

    Args:
        infos: what `step` returned, of `TextVectorEnv` or of Gymnasium's vector environments.
        num_envs: how many rows.

    Returns:
        What the single environments' `step` returned; None where no turn was taken.
    """
    if "env_infos" in infos:
        return list(infos["env_infos"])
    rows: list[dict[str, Any] | None] = []
    for row in range(num_envs):
        info = _row_of(infos, row)
        info = info.get("final_info", info)
        rows.append(info if "turn_reward" in info else None)
    return rows


def _row_of(infos: Mapping[str, Any], row: int) -> dict[str, Any]:
    """Undo Gymnasium's batching of infos, where `_key` masks the rows that have `key`."""
    kept = [key for key in infos if f"_{key}" in infos and infos[f"_{key}"][row]]
    return {key: _value_of(infos[key], row) for key in kept}


def _value_of(values: Any, row: int) -> Any:
    if isinstance(values, Mapping):
        return _row_of(values, row)
    value = values[row]
    return value.item() if isinstance(value, np.generic) else value
