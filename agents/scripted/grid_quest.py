"""GridQuest: an explorer that maps what it sees, and a walker that makes random moves among those it sees."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

import numpy as np

from turnenv.envs.grid_quest.house import COMPASS

_PLACE = re.compile(r"in column (\d+), row (\d+)")
_WAY = re.compile(r"(North|East|South|West): ([^.]*)\.")
_HERE = re.compile(r"Here: an? (\w+) key")
_HELD = re.compile(r"the (\w+) key")
_DOOR = re.compile(r"a locked (\w+) door")
_STEPS = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}
_Cell = tuple[int, int]


class _Explorer:
    """Keeps a map, and goes where the path there plus the straight distance from there is shortest."""

    def __init__(self) -> None:
        self.goal: _Cell = (0, 0)
        self.visited: set[_Cell] = set()
        self.ways: dict[_Cell, dict[str, str]] = {}
        self.keys: set[_Cell] = set()

    def __call__(self, observation: str) -> str:
        places = [(int(x), int(y)) for x, y in _PLACE.findall(observation)]
        if not places:
            return "go north"
        here = places[-1]
        if "The treasure is" in observation:
            self.goal = places[0]
        self._look(here, observation)
        held = set(_HELD.findall(observation.partition("You hold")[2]))
        if _HERE.search(observation):
            return "take key"
        if any(door in held for door in _DOOR.findall(observation)):
            return "unlock door"
        return f"go {self._towards(here, held)}"

    def _look(self, here: _Cell, observation: str) -> None:
        self.visited.add(here)
        self.ways[here] = {way.lower(): seen for way, seen in _WAY.findall(observation)}
        self.keys.discard(here)
        for way, seen in self.ways[here].items():
            if "key" in seen:
                self.keys.add(_next(here, way))

    def _towards(self, here: _Cell, held: set[str]) -> str:
        """The first step to the best target: an unseen room, a key, or a door that a key fits."""
        best, step = float("inf"), "north"
        reached: dict[_Cell, tuple[int, str]] = {here: (0, "")}
        pending = deque([here])
        while pending:
            cell = pending.popleft()
            steps, first = reached[cell]
            left = abs(cell[0] - self.goal[0]) + abs(cell[1] - self.goal[1])
            doors = [_DOOR.search(seen) for seen in self.ways.get(cell, {}).values()]
            opens = any(door and door[1] in held for door in doors)
            wanted = 0 if cell in self.keys else left if cell not in self.visited or opens else None
            if wanted is not None and first and steps + wanted < best:
                best, step = steps + wanted, first
            for way, seen in self.ways.get(cell, {}).items():
                there = _next(cell, way)
                if seen.startswith("a room") and there not in reached:
                    reached[there] = (steps + 1, first or way)
                    pending.append(there)
        return step


def _next(cell: _Cell, way: str) -> _Cell:
    return cell[0] + _STEPS[way][0], cell[1] + _STEPS[way][1]


def make_expert() -> Callable[[str], str]:
    """Explores towards the treasure, takes each key it meets and opens each door that it can."""
    return _Explorer()


def make_random(seed: int) -> Callable[[str], str]:
    """Takes a random open way, a key that is here, or tries a locked door in sight, each equally likely."""
    rng = np.random.default_rng(seed)

    def act(observation: str) -> str:
        moves = [f"go {way.lower()}" for way, seen in _WAY.findall(observation) if seen.startswith("a room")]
        moves += ["take key"] * bool(_HERE.search(observation)) + ["unlock door"] * bool(_DOOR.search(observation))
        return moves[rng.integers(len(moves))] if moves else f"go {COMPASS[rng.integers(4)]}"

    return act
