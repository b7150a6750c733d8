"""GridQuest: find the treasure in a house of rooms, keys and locked doors, seeing one room at a time."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnenv.core import Reply, TextEnv
from turnenv.types import End
from turnenv.vector import TextVectorEnv

COMPASS = ("north", "east", "south", "west")
COLOURS = ("red", "blue", "green", "yellow")
_COMMAND = re.compile(
    rf"\bgo ({'|'.join(COMPASS)})\b|\b(take|unlock) (?:the )?(?:({'|'.join(COLOURS)}) )?(?:key|door)\b", re.IGNORECASE
)
_TAKE, _UNLOCK = 4, 5
_SEED = 0x6121D
_LOOPS = 0.2

Place = tuple[int, int, int]
"""The room, the keys held and the doors opened, both as bits of the colours."""


class House(NamedTuple):
    """One task.

    Attributes:
        size: rooms a side; room r stands in column `r % size` and row `r // size`.
        start: the first room.
        goal: the treasure's room.
        ways: for each room the next room by direction, -1 for a wall; symmetric.
        locks: the colour of the door in a way, by room and direction.
        keys: the room of each colour's key.
    """

    size: int
    start: int
    goal: int
    ways: tuple[tuple[int, ...], ...]
    locks: Mapping[tuple[int, int], int]
    keys: tuple[int, ...]


@dataclass(slots=True)
class Quest:
    """Where the agent is in the house of a task."""

    task: int
    place: Place


class GridQuest(TextEnv[Quest]):
    """Walk from room to room, take keys, unlock doors, reach the treasure; the last command in the text counts.

    The agent sees its own room and what stands in the rooms next to it. Turn reward `progress`: potential-based,
    `0.5·(d(s) - d(s'))/d(s_0)` with d the length of the shortest plan to the treasure over rooms, keys and doors; the
    sum is `0.5·(1 - d(s_end)/d(s_0))`, so that a loop earns nothing and the treasure 0.5 in all. Outcome `treasure`:
    1.0 in the treasure's room.

    Args:
        size: rooms a side, 2 to 6.
        doors: locked doors between the start and the treasure, each with a key on its near side; 0 to 4.
        slip: chance that a step leads through another open way, drawn evenly from all.
        max_turns: commands allowed; by default 12 for each room of a side but one.
        render_mode: "ansi" keeps the transcript for `render`.

    Raises:
        ValueError: if an argument is out of range.
    """

    num_tasks = 1_000
    action_texts = (*(f"go {way}" for way in COMPASS), "take key", "unlock door")

    def __init__(
        self,
        size: int = 4,
        doors: int = 2,
        *,
        slip: float = 0.0,
        max_turns: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        if not (2 <= size <= 6 and 0 <= doors <= min(len(COLOURS), size - 1) and 0.0 <= slip <= 1.0):
            raise ValueError(
                f"size is 2 to 6, doors 0 to {len(COLOURS)} and below size, slip a probability; "
                f"got {size}, {doors} and {slip}"
            )
        self.max_turns = 12 * (size - 1) if max_turns is None else max_turns
        if self.max_turns < 1:
            raise ValueError(f"max_turns must be at least 1; got {max_turns}")
        self._world, self._slip = partial(_world, size, doors), slip
        self.system_prompt = (
            f"Find the treasure in a house of {size} columns and {size} rows of rooms. You see your own room and what "
            f"stands in the rooms next to it. Rows are counted from the north, columns from the west. Each turn, write "
            f"one command; the last one in your message counts:\n"
            f"go north, go east, go south, go west: walk through an open way\n"
            f"take key: pick up the key in your room\n"
            f"unlock door: open the locked doors of your room whose keys you hold (a key fits the door of its colour)\n"
            f"You have {self.max_turns} turns."
        )
        if slip:
            self.system_prompt += " The floor is slippery: a step may lead you through another way."

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Quest, str]:
        """Task i is the house drawn by a generator of seed i."""
        world = self._world(options["task"])
        house = world.house
        state = Quest(options["task"], (house.start, 0, 0))
        goal = f"The treasure is in column {house.goal % house.size + 1}, row {house.goal // house.size + 1}.\n"
        return state, goal + world.describe(state.place)

    def respond(self, state: Quest, action: str, rng: np.random.Generator) -> Reply:
        """Carry out the last command."""
        found = _COMMAND.findall(action)
        if not found:
            text = f"Your message holds no command: write one of {', '.join(self.action_texts)}."
            return Reply.turn(text, {"progress": 0.0}, valid=False)
        way, verb, colour = found[-1]
        world, before = self._world(state.task), state.place
        command = COMPASS.index(way.lower()) if way else _TAKE if verb.lower() == "take" else _UNLOCK
        nexts = world.nexts[before]
        place = nexts[command]
        if place is None or (colour and not _changed(before, place) >> COLOURS.index(colour.lower()) & 1):
            return Reply.turn(_REFUSALS[command] + world.describe(before), {"progress": 0.0}, valid=False)
        if way and self._slip and rng.random() < self._slip:
            open_ways = [there for there in nexts[:_TAKE] if there is not None]
            place = open_ways[int(rng.integers(len(open_ways)))]
        state.place = place
        rewards = {"progress": world.potential[place] - world.potential[before]}
        if place[0] == world.house.goal:
            return Reply.final("The treasure!", rewards, outcome={"treasure": 1.0}, success=True, end=End.SOLVED)
        return Reply.turn(world.describe(place), rewards)

    def state_key(self, state: Quest) -> tuple[int, int, int, int]:
        """The task, the room, the keys held, the doors opened."""
        return (state.task, *state.place)

    observation_key = state_key


_REFUSALS = (
    *(f"You cannot go {way} from here. " for way in COMPASS),
    "There is no such key here. ",
    "There is no locked door here that a key of yours fits. ",
)


class World:
    """A house with all that can happen in it: for each place the next one by command (None: refused), and Φ."""

    def __init__(self, house: House) -> None:
        self.house = house
        first = (house.start, 0, 0)
        self.nexts: dict[Place, tuple[Place | None, ...]] = {}
        sources: dict[Place, list[Place]] = {first: []}
        pending = [first]
        while pending:
            place = pending.pop()
            self.nexts[place] = nexts = tuple(_after(house, place, command) for command in range(_UNLOCK + 1))
            for there in nexts:
                if there is not None:
                    if there not in sources:
                        sources[there] = []
                        pending.append(there)
                    sources[there].append(place)
        distance = _distances(sources, house.goal)
        self.potential = {place: 0.5 - 0.5 * steps / distance[first] for place, steps in distance.items()}
        self._texts: dict[Place, str] = {}

    def describe(self, place: Place) -> str:
        """What the agent sees from a place."""
        if place not in self._texts:
            self._texts[place] = _view(self.house, place)
        return self._texts[place]


def _changed(before: Place, after: Place) -> int:
    return (before[1] ^ after[1]) | (before[2] ^ after[2])


def _after(house: House, place: Place, command: int) -> Place | None:
    room, held, opened = place
    if command < _TAKE:
        there, lock = house.ways[room][command], house.locks.get((room, command))
        shut = there < 0 or (lock is not None and not opened >> lock & 1)
        return None if shut else (there, held, opened)
    if command == _TAKE:
        here = sum(1 << colour for colour, where in enumerate(house.keys) if where == room) & ~held
        return (room, held | here, opened) if here else None
    doors = sum(1 << house.locks[room, way] for way in range(_TAKE) if (room, way) in house.locks) & held & ~opened
    return (room, held, opened | doors) if doors else None


def _distances(sources: Mapping[Place, list[Place]], goal: int) -> dict[Place, int]:
    """Length of the shortest plan to the goal from every place, backwards and breadth-first."""
    distance = {place: 0 for place in sources if place[0] == goal}
    pending = deque(distance)
    while pending:
        place = pending.popleft()
        for source in sources[place]:
            if source not in distance:
                distance[source] = distance[place] + 1
                pending.append(source)
    return distance


def _view(house: House, place: Place) -> str:
    room, held, opened = place
    lines = [f"You are in column {room % house.size + 1}, row {room // house.size + 1}."]
    for way, there in enumerate(house.ways[room]):
        lock = house.locks.get((room, way))
        if there < 0:
            seen = "a wall"
        elif lock is not None and not opened >> lock & 1:
            seen = f"a locked {COLOURS[lock]} door"
        else:
            seen = "a room" + "".join(f" with {thing}" for thing in _things(house, there, held))
        lines.append(f"{COMPASS[way].capitalize()}: {seen}.")
    lines += [f"Here: {thing}." for thing in _things(house, room, held)]
    keys = [f"the {colour} key" for bit, colour in enumerate(COLOURS) if held >> bit & 1]
    return " ".join([*lines, f"You hold {' and '.join(keys) or 'nothing'}."])


def _things(house: House, room: int, held: int) -> list[str]:
    keys = [f"a {COLOURS[bit]} key" for bit, where in enumerate(house.keys) if where == room and not held >> bit & 1]
    return [*keys, "the treasure"] if room == house.goal else keys


@lru_cache(maxsize=4096)
def _world(size: int, doors: int, task: int) -> World:
    rng = np.random.default_rng((_SEED, size, doors, task))
    start, rooms = int(rng.integers(size * size)), range(size * size)
    parents = _spanning_tree(size, start, rng)
    paths = {room: _path(parents, room) for room in rooms}
    goal = max(rooms, key=lambda room: len(paths[room]))
    gated = sorted(rng.choice(np.arange(1, len(paths[goal])), doors, replace=False).tolist())
    gates = {paths[goal][at]: colour for colour, at in enumerate(gated)}
    # A zone is what lies between two doors; each key lies on the near side of its own.
    zone = {room: sum(step in gates for step in paths[room]) for room in rooms}
    near = [[room for room in rooms if zone[room] <= colour and room != start] or [start] for colour in range(doors)]
    keys = tuple(choices[int(rng.integers(len(choices)))] for choices in near)
    loops = rng.random((size * size, size * size)) < _LOOPS
    ways, locks = [], {}
    for room in rooms:
        around = _around(size, room)
        for way, there in enumerate(around):
            child = room if parents[room] == there else there
            if there >= 0 and parents[child] == room + there - child and child in gates:
                locks[room, way] = gates[child]
        ways.append(tuple(there if _joined(room, there, parents, zone, loops) else -1 for there in around))
    return World(House(size, start, goal, tuple(ways), locks, keys))


def _joined(
    room: int, there: int, parents: Mapping[int, int], zone: Mapping[int, int], loops: NDArray[np.bool_]
) -> bool:
    """True if a way of the tree, or one that makes a loop inside a zone, leads from a room to another."""
    if there < 0 or parents[room] == there or parents[there] == room:
        return there >= 0
    return zone[room] == zone[there] and bool(loops[min(room, there), max(room, there)])


def _around(size: int, room: int) -> tuple[int, ...]:
    column, row = room % size, room // size
    steps = ((column, row - 1), (column + 1, row), (column, row + 1), (column - 1, row))
    return tuple(x + size * y if 0 <= x < size and 0 <= y < size else -1 for x, y in steps)


def _spanning_tree(size: int, root: int, rng: np.random.Generator) -> dict[int, int]:
    """Each room's parent in a tree grown by a random walk that backtracks; the root's is -1."""
    parents, trail = {root: -1}, [root]
    while trail:
        unseen = [there for there in _around(size, trail[-1]) if there >= 0 and there not in parents]
        if not unseen:
            trail.pop()
            continue
        there = unseen[int(rng.integers(len(unseen)))]
        parents[there] = trail[-1]
        trail.append(there)
    return parents


def _path(parents: Mapping[int, int], room: int) -> list[int]:
    """From the root to a room."""
    path = [room]
    while parents[path[-1]] >= 0:
        path.append(parents[path[-1]])
    return path[::-1]


make_vector = partial(TextVectorEnv, GridQuest)
