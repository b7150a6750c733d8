"""BlocksArm: an agent that always moves along a shortest path to the goal, and one that makes random legal moves."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from turnenv.envs.blocks_arm.world import World, commands, world_of

_SPOT = re.compile(r"Spot \d: ([A-Z, ]+|empty)\.")
_HELD = re.compile(r"The arm holds ([A-Z])\.")


def _stacks(text: str) -> tuple[str, ...]:
    """The stacks, bottom first."""
    return tuple("" if stack == "empty" else stack.replace(", ", "") for stack in _SPOT.findall(text))


class _Planner:
    """Knows the rules, reads the goal once, and always makes the move after which the goal is nearest."""

    def __call__(self, observation: str) -> str:
        goal, shown, now = observation.rpartition("Now: ")
        if shown:
            stacks = _stacks(goal)
            self._world: World = world_of(len("".join(stacks)), len(stacks))
            self._distance = self._world.distances(self._world.number[stacks, ""])
            self._texts = commands(self._world.blocks, len(stacks))
        # The reply to a message without a command does not show the stacks.
        if _SPOT.search(now):
            held = _HELD.search(now)
            self._here = self._world.number[_stacks(now), held[1] if held else ""]
        nexts = self._world.nexts[self._here]
        legal = [command for command, after in enumerate(nexts) if after >= 0]
        return self._texts[min(legal, key=lambda command: self._distance[nexts[command]])]


def make_expert() -> Callable[[str], str]:
    """Searches the states breadth-first, and always makes a move on a shortest path to the goal."""
    return _Planner()


def make_random(seed: int) -> Callable[[str], str]:
    """Makes only legal moves: picks a random free block, and places it on a random stack or empty spot."""
    rng = np.random.default_rng(seed)

    def act(observation: str) -> str:
        now = observation.rpartition("Now: ")[2]
        stacks = _stacks(now)
        spot = int(rng.integers(len(stacks)))
        if _HELD.search(now):
            return f"place on {stacks[spot][-1]}" if stacks[spot] else f"place on spot {spot + 1}"
        tops = [stack[-1] for stack in stacks if stack]
        return f"pick {tops[rng.integers(len(tops))]}"

    return act
