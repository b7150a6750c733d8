"""TextEnv: an author writes how a task starts and responds; the class keeps the Gymnasium contract."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded

from turnenv.core.arguments import check_options
from turnenv.core.contract import is_truncated
from turnenv.core.noise import TurnGenerator
from turnenv.core.reply import NOTHING, Reply, as_floats
from turnenv.core.spaces import UnicodeText
from turnenv.core.state_keys import hash_state
from turnenv.core.tally import RESTORES
from turnenv.core.transcript import exchange, opening, show
from turnenv.types import End, Outcome

if TYPE_CHECKING:
    from turnenv.actions import Grammar

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A point of an episode, to which `TextEnv.restore` returns; its fields are private."""

    state: Any
    task: int
    turn: int
    turn_rewards: tuple[float, ...]
    episode_seed: int
    over: bool
    generator: Mapping[str, Any]
    transcript: tuple[str, ...]


class TextEnv(gymnasium.Env[str, str], ABC, Generic[State]):
    """A multi-turn text environment; write `start` and `respond`, and set the attributes below.

    `step` returns `reward = turn reward + outcome reward (on the closing turn)`, so that the undiscounted return is
    the merged reward of GRPO-MR; `info` has the two separately, under `turn_reward`, `turn_rewards` (all so far),
    `outcome_reward`, `turn` (from 1), `reward_components`, `state_key` and `valid_action`; on the closing step also
    under `outcome` and `fault`. An episode that the task ends is `terminated`; one that runs out of turns, or in which
    the infrastructure failed, is `truncated`. If `max_turns` is 1, running out of turns terminates it.

    Args:
        render_mode: "ansi" keeps the transcript for `render`; None keeps nothing.

    Raises:
        ValueError: if there is no such render mode.

    Attributes:
        max_turns: the turn after which an unfinished episode is cut.
        num_tasks: tasks are numbered 0 … num_tasks - 1; `reset(options={"task": i})` picks one.
        system_prompt: what the agent reads before the first observation.
        tools: JSON schemas of the tools, in the form that chat templates take.
        grammar: how the agent writes a tool call or an answer; None if it writes neither.
        reset_options: keys besides `task` that `start` reads from the options of `reset`; others are refused.
        blocking: True if `respond` waits for something outside this process, so that batches step in threads.
    """

    metadata = {"render_modes": ["ansi", "human"], "render_fps": 1}  # noqa: RUF012 (Gymnasium's own declaration)
    max_turns: int = 1
    num_tasks: int = 1 << 31
    system_prompt: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()
    grammar: Grammar | None = None
    reset_options: tuple[str, ...] = ()
    blocking: bool = False

    def __init__(self, *, render_mode: str | None = None) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            modes = ", ".join(map(repr, self.metadata["render_modes"]))
            raise ValueError(f"render_mode={render_mode!r} is not offered; pass {modes} or None")
        self.render_mode = render_mode
        self.observation_space = UnicodeText()
        self.action_space = UnicodeText()
        self._over, self._task = True, -1
        self._transcript: list[str] = []
        self._rng: Any = TurnGenerator(0, 0)

    @abstractmethod
    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[State, str]:
        """Begin task `options["task"]`, which is always set; return the state and the first observation."""

    @abstractmethod
    def respond(self, state: State, action: str, rng: np.random.Generator) -> Reply:
        """Read the agent's text, change `state` in place, and reply. Any string is legal: never raise for one.

        `rng` depends only on the episode's seed and the turn, so that all members of a group get the same noise in the
        same turn; do not store it. A plain `rng.random()` is cheap: it is a hash of the episode's seed, the turn and
        the number of such draws before it. Any other draw seeds a generator first, which takes longer than the rest
        of a turn.
        """

    def state_key(self, state: State) -> object:
        """Return all that the future depends on; two states are the same if their keys are equal (see `hash_state`).

        Return numbers, strings, and tuples, lists, dicts, dataclasses or arrays of them; a tuple of constants is
        fastest. A set raises TypeError. Any other object is compared by its `repr`, which must be the same in every
        process.
        """
        return state

    def silence(self, state: State) -> Mapping[str, float]:
        """The outcome's reward by name for an episode that ran out of turns; by default nothing."""
        return NOTHING

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: equal seeds give the same task and the same replies to the same actions; None draws on.
            options: `{"task": i}` picks a task; a family may take more keys, its `reset_options`.

        Returns:
            The first observation, and an info with the keys `task` and `system_prompt`.

        Raises:
            ValueError: if the task does not exist, or an option is unknown.
        """
        if options:
            check_options(type(self).__name__, options, ("task", *self.reset_options))
        if seed is not None:
            super().reset(seed=seed)
        # Both are always drawn, so that choosing a task does not change the episode's noise.
        raw = self.np_random.bit_generator.random_raw
        episode_seed, task = raw() >> 1, (raw() >> 1) % self.num_tasks
        if options and "task" in options:
            task = self._checked_task(options["task"])
        self._task, self._turn, self._episode_seed, self._over = task, 0, episode_seed, False
        self._turn_rewards: list[float] = []
        rng = self._rng
        rng.episode_seed, rng.turn, rng.draws, rng.generator = episode_seed, 0, 0, None
        self._state, observation = self.start(rng, {**options, "task": task} if options else {"task": task})
        if self.render_mode == "human":
            show(opening(self.system_prompt, observation))
        elif self.render_mode is not None:
            self._transcript = [observation]
        return observation, {"task": task, "system_prompt": self.system_prompt}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take one turn with the agent's text, any string.

        Returns:
            Observation, turn reward plus outcome reward, terminated, truncated, and the info described above.

        Raises:
            TypeError: if the action is not a string.
            gymnasium.error.ResetNeeded: if the episode is over or was never begun.
        """
        if self._over:
            raise ResetNeeded("the episode is over or was never begun: call reset() before step()")
        if not isinstance(action, str):
            raise TypeError(f"an action is the agent's text, a str; got {type(action).__name__}")
        self._turn = turn = self._turn + 1
        key = hash_state(self.state_key(self._state))
        # One generator object is reused for all turns: making one per turn takes longer than resetting it.
        rng = self._rng
        rng.turn, rng.draws, rng.generator = turn, 0, None
        text, rewards, valid, outcome = self.respond(self._state, action, rng)
        if outcome is None and turn >= self.max_turns:
            outcome = self._cut()
        components, turn_reward = {}, 0.0
        for name, value in rewards.items():  # `as_floats`, without the call
            components[name] = reward = float(value)
            turn_reward += reward
        self._turn_rewards.append(turn_reward)
        info: dict[str, Any] = {
            "turn_reward": turn_reward,
            "turn_rewards": self._turn_rewards.copy(),
            "outcome_reward": 0.0,
            "turn": turn,
            "reward_components": components,
            "state_key": key,
            "valid_action": valid,
        }
        if self.render_mode == "human":
            show(exchange(action, text, info, outcome))
        elif self.render_mode is not None:
            self._transcript += [action, text]
        if outcome is None:
            return text, turn_reward, False, False, info
        return self._close(text, turn_reward, outcome, info)

    def _close(
        self, text: str, turn_reward: float, outcome: Outcome, info: dict[str, Any]
    ) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self._over = True
        end = outcome.end
        info["outcome_reward"] = outcome.reward
        info["outcome"] = {
            "reward": outcome.reward,
            "success": outcome.success,
            "end": end.value,
            "components": dict(outcome.components),
        }
        info["fault"] = outcome.fault
        cut = is_truncated(end, self.max_turns)
        return text, turn_reward + outcome.reward, not cut, cut, info

    def cut(self) -> Outcome:
        """End the running episode from outside, as a time limit does; the outcome's reward is that of `silence`.

        Raises:
            gymnasium.error.ResetNeeded: if no episode was ever begun.
        """
        if self._task < 0:
            raise ResetNeeded("there is no episode to cut: call reset() first")
        self._over = True
        return self._cut()

    def _cut(self) -> Outcome:
        components, total = as_floats(self.silence(self._state))
        return Outcome(total, False, End.TURN_LIMIT, components)

    def _checked_task(self, task: Any) -> int:
        try:
            number = -1 if isinstance(task, bool) else index(task)
        except TypeError:
            number = -1
        if not 0 <= number < self.num_tasks:
            raise ValueError(f"options['task'] must be an integer from 0 to {self.num_tasks - 1}; got {task!r}")
        return number

    def snapshot(self) -> Snapshot:
        """The current point of the episode, including the generator, to branch from.

        Raises:
            gymnasium.error.ResetNeeded: if no episode was ever begun.
        """
        if self._task < 0:
            raise ResetNeeded("there is no episode to take a snapshot of: call reset() first")
        return Snapshot(
            copy.deepcopy(self._state),
            self._task,
            self._turn,
            tuple(self._turn_rewards),
            self._episode_seed,
            self._over,
            copy.deepcopy(self.np_random.bit_generator.state),
            tuple(self._transcript),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot; the same actions then get the same replies. It can be restored again."""
        RESTORES.add()
        self._state = copy.deepcopy(snapshot.state)
        self._task, self._turn, self._over = snapshot.task, snapshot.turn, snapshot.over
        self._turn_rewards, self._episode_seed = list(snapshot.turn_rewards), snapshot.episode_seed
        self._rng.episode_seed, self._transcript = snapshot.episode_seed, list(snapshot.transcript)
        self.np_random.bit_generator.state = copy.deepcopy(snapshot.generator)

    def render(self) -> str | None:
        """The episode so far as text if `render_mode="ansi"`; "human" has printed it already."""
        return "\n\n".join(self._transcript) if self.render_mode == "ansi" else None
