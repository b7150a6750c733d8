"""What steps environments while a clock runs: recorded episodes played again, and GuessNumber in five ways."""

from __future__ import annotations

import itertools
import re
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from math import log
from typing import Any

import gymnasium

import turnenv
from turnenv.rollout import vectorise
from turnenv.types import Episode

_NUMBER = re.compile(r"(?<!\d)[-+]?\d{1,18}(?!\d)")
_FRAMES_OF_A_BLOCK = 90  # of `_speed`
_GUESSES = tuple(f"I guess {number}" for number in range(1, 51))


class PlainGuess(gymnasium.Env[str, str]):
    """GuessNumber as a bare `gymnasium.Env`, with the same rules, texts, rewards and info."""

    metadata = {"render_modes": [], "render_fps": 1}  # noqa: RUF012

    def __init__(self) -> None:
        self.observation_space = turnenv.UnicodeText()
        self.action_space = turnenv.UnicodeText()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Hide a number."""
        super().reset(seed=seed)
        task = int(self.np_random.integers(50))
        self.hidden, self.low, self.high, self.turn = task + 1, 1, 50, 0
        self.turn_rewards: list[float] = []
        return "Guess the number between 1 and 50.", {"task": task, "system_prompt": "Find the hidden number."}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Compare the guess with the hidden number."""
        self.turn += 1
        key = repr((self.hidden, self.low, self.high)).encode()
        numbers = _NUMBER.findall(action)
        reward, found, text = 0.0, False, "Your message holds no number: write one whole number."
        if numbers:
            guess, before = int(numbers[-1]), self.high - self.low + 1
            found = guess == self.hidden
            if found:
                self.low = self.high = guess
                text = "Correct!"
            elif guess < self.hidden:
                self.low, text = max(self.low, guess + 1), f"The hidden number is higher than {guess}."
            else:
                self.high, text = min(self.high, guess - 1), f"The hidden number is lower than {guess}."
            reward = 0.5 / log(50) * log(before / (self.high - self.low + 1))
        self.turn_rewards.append(reward)
        truncated = not found and self.turn >= 6
        info: dict[str, Any] = {
            "turn_reward": reward,
            "turn_rewards": self.turn_rewards.copy(),
            "outcome_reward": float(found),
            "turn": self.turn,
            "reward_components": {"information": reward},
            "state_key": int.from_bytes(blake2b(key, digest_size=8).digest(), "little", signed=True),
            "valid_action": bool(numbers),
        }
        if found or truncated:
            end = "solved" if found else "turn_limit"
            info["outcome"] = {"reward": float(found), "success": found, "end": end, "components": {}}
            info["fault"] = ""
        return text, reward + found, found, truncated, info


def replay_single(env_id: str, played: Iterable[Episode]) -> Callable[[], int]:
    """What plays the next of the recorded episodes again, by `gym.make`, and returns the number of its turns."""
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    scripts = itertools.cycle([(episode.task, [turn.action for turn in episode.turns]) for episode in played])

    def play() -> int:
        task, actions = next(scripts)
        env.reset(options={"task": task})
        for steps, action in enumerate(actions, 1):
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                return steps
        return len(actions)

    return play


def replay_batch(env_id: str, played: Sequence[Episode]) -> Callable[[], int]:
    """What takes ten turns in a batch of the recorded episodes, begins those that are over again, and counts turns."""
    batch = vectorise(env_id, len(played))
    tasks = [episode.task for episode in played]
    # A chance move can make an episode longer than the recorded one: then its last action is repeated.
    scripts = [[turn.action for turn in episode.turns] for episode in played]
    endless = [itertools.chain(script, itertools.repeat(script[-1])) for script in scripts]
    batch.reset(seed=0, options={"task": tasks})

    def play() -> int:
        for _ in range(10):
            batch.step([next(actions) for actions in endless])
            over = batch.over
            if over.any():
                batch.reset(options={"reset_mask": over, "task": tasks})
                for row in over.nonzero()[0].tolist():
                    endless[row] = itertools.chain(scripts[row], itertools.repeat(scripts[row][-1]))
        return 10 * len(played)

    return play


def measure(
    contenders: Mapping[str, Callable[[], int]],
    rounds: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median steps per second of each contender; a contender plays some steps and returns how many.

    Each round runs at another depth of the call stack. CPython keeps frames in blocks of 16 KB; where a loop's calls
    cross from one block to the next, each call maps and unmaps a block, and a step can take half as long again.
    """
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for done, (name, play) in itertools.product(range(rounds), contenders.items()):
        speeds[name].append(_speed(play, seconds, clock, _FRAMES_OF_A_BLOCK * done // rounds))
    return {name: statistics.median(values) for name, values in speeds.items()}


def _speed(play: Callable[[], int], seconds: float, clock: Callable[[], float], deeper: int) -> float:
    if deeper:
        return _speed(play, seconds, clock, deeper - 1)
    steps, start = 0, clock()
    while clock() - start < seconds:
        steps += play()
    return steps / (clock() - start)


def guess_number() -> dict[str, Callable[[], int]]:
    """GuessNumber and the same game as a plain Gymnasium environment, alone and in batches of 64."""
    plain = "turnenv-benchmarks/PlainGuess-v0"
    if plain not in gymnasium.registry:
        gymnasium.register(plain, entry_point="benchmarks.speed.stepping:PlainGuess")
    return {
        "gym.make, plain Gymnasium": _single(plain),
        "gym.make, turnenv": _single("turnenv/GuessNumber-v0"),
        "make_vec sync 64, plain Gymnasium": _synchronous(plain),
        "make_vec sync 64, turnenv": _synchronous("turnenv/GuessNumber-v0"),
        "make_vec 64, turnenv": _batched("turnenv/GuessNumber-v0"),
    }


def _single(env_id: str) -> Callable[[], int]:
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    guesses = itertools.cycle(_GUESSES)

    def play() -> int:
        for _ in range(500):
            _, _, terminated, truncated, _ = env.step(next(guesses))
            if terminated or truncated:
                env.reset()
        return 500

    return play


def _synchronous(env_id: str) -> Callable[[], int]:
    batch = gymnasium.make_vec(env_id, num_envs=64, vectorization_mode="sync")
    batch.reset(seed=0)
    turn = itertools.count()

    def play() -> int:
        for _ in range(10):
            at = next(turn)
            batch.step(tuple(_GUESSES[(at + row) % 50] for row in range(64)))
        return 640

    return play


def _batched(env_id: str) -> Callable[[], int]:
    batch = vectorise(env_id, 64)
    batch.reset(seed=0)
    turn = itertools.count()

    def play() -> int:
        for _ in range(10):
            at = next(turn)
            batch.step(tuple(_GUESSES[(at + row) % 50] for row in range(64)))
            if batch.over.any():
                batch.reset(options={"reset_mask": batch.over})
        return 640

    return play
