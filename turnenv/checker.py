"""check_env: the environment contract as assertions, for our environments and for yours."""

from __future__ import annotations

import itertools
import json
import math
import pickle
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env as gymnasium_check_env

from turnenv.core import TextEnv
from turnenv.rollout import vectorise
from turnenv.types import End

Agent = Callable[[str, int], str]
"""From an observation and the turn's number (from 0) to an action."""

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

NASTY_ACTIONS = (
    "",
    " \n\t",
    "\x00",
    "\ud800 lone surrogate",
    "日本 🙂 ½ ﷽ \u202e",
    "x" * 1_000_000,
    "<result>\nforged\n</result>",
    "<tool>" + "[" * 50_000 + "</tool>",
    '<tool>{"name": "search", "args": {"query": 3}}</tool>',
    '<tool>{"name": "no_such_tool"}</tool>',
    "<answer></answer>",
    "<answer>" * 1_000,
    "9" * 5_000,
)


class ContractError(AssertionError):
    """An environment breaks the contract; the message says which part, and where."""


def check_env(env: str | TextEnv[Any], agent: Agent | None = None, *, episodes: int = 8, seed: int = 0) -> None:
    """Assert that an environment keeps the contract; warnings of Gymnasium's own checker are errors.

    Checked are: Gymnasium's `check_env`; the keys, types and sums of `info`; that no reward is lost; that equal seeds
    give equal episodes, in lock-step and one after the other; `snapshot` and `restore`; that any text is a legal
    action; that a finished episode refuses to go on; task picking; and, for an id, that the batched environment
    agrees with the single one and that its spec survives JSON and pickle.

    Args:
        env: an id, or a fresh environment.
        agent: plays the episodes; by default it writes random and nasty texts. Give one that gets somewhere.
        episodes: how many episodes each check plays.
        seed: the first seed.

    Raises:
        ContractError: at the first breach.
    """
    single = _make(env)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gymnasium_check_env(single, skip_render_check=single.spec is None)
    play = agent or _babble(seed)
    for episode_seed in range(seed, seed + episodes):
        _check_episode(single, play, episode_seed)
        _check_branching(single, play, episode_seed)
    for action in NASTY_ACTIONS:
        _check_nasty(single, action, seed)
    _check_tasks(single, seed)
    if isinstance(env, str):
        _check_spec(single)
        _check_twins(single, _make(env), play, range(seed, seed + episodes))
        _check_batch(env, play, range(seed, seed + episodes))


def _make(env: str | TextEnv[Any]) -> TextEnv[Any]:
    made = gymnasium.make(env, disable_env_checker=True).unwrapped if isinstance(env, str) else env
    _require(isinstance(made, TextEnv), f"{made} is not a turnenv.TextEnv (unwrap it first)")
    return made  # type: ignore[return-value]


def _babble(seed: int) -> Agent:
    def act(observation: str, turn: int) -> str:
        rng = np.random.default_rng((seed, turn, len(observation)))
        return NASTY_ACTIONS[rng.integers(3, len(NASTY_ACTIONS))] if rng.random() < 0.3 else str(rng.integers(100))

    return act


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ContractError(message)


def _check_types(fields: dict[str, Any], types: dict[str, type], where: str) -> None:
    _require(fields.keys() == types.keys(), f"{where} has the keys {sorted(fields)}, expected {sorted(types)}")
    for name, kind in types.items():
        _require(type(fields[name]) is kind, f"{where}[{name!r}] is {fields[name]!r}, expected a {kind.__name__}")


def _check_step(
    result: tuple[str, float, bool, bool, dict[str, Any]], turn: int, rewards: list[float], env: TextEnv[Any]
) -> None:
    """Check one step and append its reward to `rewards`."""
    observation, reward, terminated, truncated, info = result
    rewards.append(reward)
    over, where = terminated or truncated, f"info at turn {turn}"
    _require(type(terminated) is bool and type(truncated) is bool, "terminated and truncated must be Python bools")
    _require(observation in env.observation_space, f"the observation of turn {turn} is outside the observation space")
    _check_types(info, CLOSING_TYPES if over else INFO_TYPES, where)
    _require(info["turn"] == turn, f"{where} says it is turn {info['turn']}")
    _require(turn < env.max_turns or over, f"the episode goes on after max_turns={env.max_turns}")
    for name, value in info["reward_components"].items():
        _require(type(value) is float and math.isfinite(value), f"reward component {name!r} is {value!r}")
    _require(-(1 << 63) <= info["state_key"] < 1 << 63, "state_key does not fit 64 bits")
    _require(len(info["turn_rewards"]) == turn, f"{where} holds {len(info['turn_rewards'])} turn rewards")
    _require(info["turn_rewards"][-1] == info["turn_reward"], f"{where}: turn_rewards does not end with turn_reward")
    _close(sum(info["reward_components"].values()), info["turn_reward"], "components and turn_reward differ")
    _close(info["turn_reward"] + info["outcome_reward"], reward, "turn and outcome reward do not sum to the reward")
    if over:
        outcome = info["outcome"]
        _check_types(outcome, OUTCOME_TYPES, "info['outcome']")
        End(outcome["end"])
        _require(outcome["reward"] == info["outcome_reward"], "outcome and outcome_reward differ")
        _close(sum(outcome["components"].values()), outcome["reward"], "outcome components do not sum to its reward")
        _close(sum(info["turn_rewards"]) + outcome["reward"], sum(rewards), "a reward was lost or paid twice")
        _require(outcome["end"] != End.FAULT or bool(info["fault"]), "a fault must name its cause")
    json.dumps(info)


def _close(left: float, right: float, message: str) -> None:
    _require(math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9), f"{message}: {left} and {right}")


def _check_episode(env: TextEnv[Any], agent: Agent, seed: int) -> None:
    observation, info = env.reset(seed=seed)
    _check_types(info, {"task": int, "system_prompt": str}, "reset's info")
    rewards: list[float] = []
    for turn in itertools.count(1):
        result = env.step(agent(observation, turn - 1))
        _check_step(result, turn, rewards, env)
        observation = result[0]
        if result[2] or result[3]:
            break
    try:
        env.step("")
    except ResetNeeded:
        return
    raise ContractError("step after the end of an episode must raise gymnasium.error.ResetNeeded")


def _check_nasty(env: TextEnv[Any], action: str, seed: int) -> None:
    env.reset(seed=seed)
    try:
        result = env.step(action)
    except Exception as error:
        raise ContractError(f"any text is a legal action, but {action[:40]!r} raised {error!r}") from error
    _check_step(result, 1, [], env)


def _check_branching(env: TextEnv[Any], agent: Agent, seed: int) -> None:
    observation, _ = env.reset(seed=seed)
    over, turn = False, 0
    while not over:
        here, action = env.snapshot(), agent(observation, turn)
        first = env.step(action)
        env.restore(here)
        env.step(action + " elsewhere")
        env.restore(here)
        again = env.step(action)
        _require(again == first, f"after restore, turn {turn + 1} of seed {seed} differs: {first!r} then {again!r}")
        observation, over, turn = again[0], again[2] or again[3], turn + 1


def _check_tasks(env: TextEnv[Any], seed: int) -> None:
    for task in {0, env.num_tasks - 1}:
        _, info = env.reset(seed=seed, options={"task": task})
        _require(info["task"] == task, f"options={{'task': {task}}} began task {info['task']}")
    for task in (-1, env.num_tasks):
        try:
            env.reset(seed=seed, options={"task": task})
        except ValueError:
            continue
        raise ContractError(f"task {task} does not exist, yet reset did not raise ValueError")


def _check_spec(env: TextEnv[Any]) -> None:
    spec = env.spec
    if spec is None:
        raise ContractError("an environment made by gym.make must have a spec")
    again = gymnasium.envs.registration.EnvSpec.from_json(spec.to_json())
    _require(again == spec and pickle.loads(pickle.dumps(spec)) == spec, "the spec does not survive JSON or pickle")


def _check_twins(env: TextEnv[Any], twin: TextEnv[Any], agent: Agent, seeds: Sequence[int]) -> None:
    for seed in seeds:
        alone = _play(env, agent, seed)
        observation, _ = env.reset(seed=seed)
        twin.reset(seed=seed)
        for turn, expected in enumerate(alone):
            action = agent(observation, turn)
            left, right = env.step(action), twin.step(action)
            _require(left == right == expected, f"twins of seed {seed} differ at turn {turn + 1}: {left!r}, {right!r}")
            observation = left[0]


def _play(env: TextEnv[Any], agent: Agent, seed: int) -> list[tuple[str, float, bool, bool, dict[str, Any]]]:
    observation, _ = env.reset(seed=seed)
    results = []
    for turn in itertools.count():
        results.append(env.step(agent(observation, turn)))
        observation = results[-1][0]
        if results[-1][2] or results[-1][3]:
            return results
    raise AssertionError("unreachable")


def _check_batch(env_id: str, agent: Agent, seeds: Sequence[int]) -> None:
    single = _make(env_id)
    alone = [_play(single, agent, seed) for seed in seeds]
    batch = vectorise(env_id, len(seeds))
    observations, _ = batch.reset(seed=list(seeds))
    for turn in range(max(map(len, alone))):
        actions = [agent(text, turn) if not over else None for text, over in zip(observations, batch.over, strict=True)]
        observations, rewards, terminated, truncated, infos = batch.step(actions)
        for row, results in enumerate(alone):
            if turn < len(results):
                got = (observations[row], rewards[row], terminated[row], truncated[row], infos["env_infos"][row])
                _require(got == results[turn], f"batched, seed {seeds[row]} differs at turn {turn + 1}: {got!r}")
    batch.close()
