"""What every turn of an environment must look like, and recordings of episodes to replay."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from turnenv.core import TextEnv
from turnenv.core.contract import TextEnvironment
from turnenv.types import End

Agent = Callable[[str, int], str]
"""A function of an observation and the turn's number (0 begins an episode) that returns an action."""

Step = tuple[str, float, bool, bool, dict[str, Any]]

INFO_TYPES: dict[str, type] = {
    "turn_reward": float,
    "turn_rewards": list,
    "outcome_reward": float,
    "turn": int,
    "reward_components": dict,
    "state_key": int,
    "valid_action": bool,
}
CLOSING_TYPES: dict[str, type] = {**INFO_TYPES, "outcome": dict, "fault": str}
OUTCOME_TYPES: dict[str, type] = {"reward": float, "success": bool, "end": str, "components": dict}


class ContractError(AssertionError):
    """An environment breaks the contract; the message says which part, and where."""


class Recording(NamedTuple):
    """An episode: its seed, what `reset` returned, the actions, and what `step` returned to each."""

    seed: int
    start: tuple[str, dict[str, Any]]
    actions: tuple[str, ...]
    results: tuple[Step, ...]

    @property
    def closing(self) -> dict[str, Any]:
        """The info of the last turn."""
        return self.results[-1][4]

    @property
    def total(self) -> float:
        """Turn rewards plus the outcome's reward."""
        return sum(result[1] for result in self.results)


def require(holds: bool, message: str) -> None:
    """Raise `ContractError` unless it holds."""
    if not holds:
        raise ContractError(message)


def record(env: TextEnvironment, agent: Agent, seed: int) -> Recording:
    """Play one episode and check each of its turns.

    Raises:
        ContractError: at the first breach.
    """
    observation, info = start = env.reset(seed=seed)
    _check_types(info, {"task": int, "system_prompt": str}, "reset's info")
    actions: list[str] = []
    results: list[Step] = []
    for turn in itertools.count(1):
        actions.append(agent(observation, turn - 1))
        results.append(env.step(actions[-1]))
        check_step(results[-1], turn, [result[1] for result in results], env)
        results[-1] = as_contracted(results[-1])
        observation = results[-1][0]
        if results[-1][2] or results[-1][3]:
            break
    return Recording(seed, start, tuple(actions), tuple(results))


def replay(env: TextEnvironment, recording: Recording, who: str) -> None:
    """Play the recorded actions again, and require the same results."""
    require(env.reset(seed=recording.seed) == recording.start, f"{who}, seed {recording.seed} begins differently")
    for turn in range(len(recording.actions)):
        replay_turn(env, recording, turn, who)


def replay_turn(env: TextEnvironment, recording: Recording, turn: int, who: str) -> None:
    """Play the recorded action number `turn` (from 0) again."""
    compare(as_contracted(env.step(recording.actions[turn])), recording, turn, who)


def as_contracted(result: Step) -> Step:
    """What `step` returned, without the keys that wrappers added to info (statistics, times)."""
    return *result[:4], {name: value for name, value in result[4].items() if name in CLOSING_TYPES}


def compare(got: tuple[Any, ...], recording: Recording, turn: int, who: str) -> None:
    """Require that turn number `turn` (from 0) returned what was recorded."""
    expected = recording.results[turn]
    same = got == expected
    require(same, f"{who}, turn {turn + 1} of seed {recording.seed} differs: {got!r}, recorded was {expected!r}")


def check_step(result: Step, turn: int, rewards: list[float], env: TextEnvironment) -> None:
    """Check what `step` returned at a turn (from 1); `rewards` are those of all steps so far, this one included."""
    observation, reward, terminated, truncated, info = result
    over, where = terminated or truncated, f"info at turn {turn}"
    require(type(terminated) is bool and type(truncated) is bool, "terminated and truncated must be Python bools")
    require(observation in env.observation_space, f"the observation of turn {turn} is outside the observation space")
    if not isinstance(env, TextEnv):
        info = as_contracted(result)[4]  # wrappers may add keys of their own
    _check_types(info, CLOSING_TYPES if over else INFO_TYPES, where)
    require(info["turn"] == turn, f"{where} says it is turn {info['turn']}")
    require(turn < env.max_turns or over, f"the episode goes on after max_turns={env.max_turns}")
    for name, value in info["reward_components"].items():
        require(type(value) is float and math.isfinite(value), f"reward component {name!r} is {value!r}")
    require(-(1 << 63) <= info["state_key"] < 1 << 63, "state_key does not fit 64 bits")
    require(len(info["turn_rewards"]) == turn, f"{where} holds {len(info['turn_rewards'])} turn rewards")
    require(info["turn_rewards"][-1] == info["turn_reward"], f"{where}: turn_rewards does not end with turn_reward")
    _check_sum(sum(info["reward_components"].values()), info["turn_reward"], "components and turn_reward differ")
    _check_sum(info["turn_reward"] + info["outcome_reward"], reward, "turn and outcome reward do not sum to the reward")
    if over:
        _check_outcome(info, rewards)
    json.dumps(info)


def _check_outcome(info: dict[str, Any], rewards: list[float]) -> None:
    outcome = info["outcome"]
    _check_types(outcome, OUTCOME_TYPES, "info['outcome']")
    require(outcome["end"] in list(End), f"outcome['end'] is {outcome['end']!r}, expected a value of turnenv.End")
    require(outcome["reward"] == info["outcome_reward"], "outcome and outcome_reward differ")
    _check_sum(sum(outcome["components"].values()), outcome["reward"], "outcome components do not sum to its reward")
    _check_sum(sum(info["turn_rewards"]) + outcome["reward"], sum(rewards), "a reward was lost or paid twice")
    require(outcome["end"] != End.FAULT or bool(info["fault"]), "a fault must name its cause")


def _check_types(fields: dict[str, Any], types: dict[str, type], where: str) -> None:
    require(fields.keys() == types.keys(), f"{where} has the keys {sorted(fields)}, expected {sorted(types)}")
    for name, kind in types.items():
        require(type(fields[name]) is kind, f"{where}[{name!r}] is {fields[name]!r}, expected a {kind.__name__}")


def _check_sum(left: float, right: float, message: str) -> None:
    require(math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9), f"{message}: {left} and {right}")
