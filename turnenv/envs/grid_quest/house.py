"""Houses of rooms, keys and locked doors: the result of each command, distances to the treasure, and their drawing."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COMPASS = ("north", "east", "south", "west")
COLOURS = ("red", "blue", "green", "yellow")
TAKE, UNLOCK = 4, 5
"""The commands are numbered: a step by its direction, then these."""
_SEED = 0x6121D
_LOOPS = 0.2

Place = tuple[int, int, int]
"""The room, the keys held and the doors opened, both as bits of the colours."""


class House(NamedTuple):
    """One task.

    Attributes:
        size: the number of rooms per side; room r is in column `r % size` and row `r // size`.
        start: the first room.
        goal: the treasure's room.
        ways: for each room the next room by direction, -1 for a wall; symmetric.
        locks: (room, direction) -> the colour of the door there.
        keys: the room of each colour's key.
    """

    size: int
    start: int
    goal: int
    ways: tuple[tuple[int, ...], ...]
    locks: Mapping[tuple[int, int], int]
    keys: tuple[int, ...]


class World:
    """A house with all that can happen in it: for each place the next one by command (None: refused), and its Φ."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.first = first = (house.start, 0, 0)
        self.nexts: dict[Place, tuple[Place | None, ...]] = {}
        sources: dict[Place, list[Place]] = {first: []}
        pending = [first]
        while pending:
            place = pending.pop()
            self.nexts[place] = nexts = tuple(_after(house, place, command) for command in range(UNLOCK + 1))
            for there in nexts:
                if there is not None:
                    if there not in sources:
                        sources[there] = []
                        pending.append(there)
                    sources[there].append(place)
        distance = _distances(sources, house.goal)
        self.potential = {place: 0.5 - 0.5 * steps / distance[first] for place, steps in distance.items()}
        self._texts: dict[Place, str] = {}
        goal = f"The treasure is in column {house.goal % house.size + 1}, row {house.goal // house.size + 1}."
        self.opening = f"{goal}\n{self.describe(first)}"

    def describe(self, place: Place) -> str:
        """What the agent sees from a place."""
        if place not in self._texts:
            self._texts[place] = _view(self.house, place)
        return self._texts[place]


def changed(before: Place, after: Place) -> int:
    """The colours of the keys taken or doors opened between two places, as bits."""
    return (before[1] ^ after[1]) | (before[2] ^ after[2])


def _after(house: House, place: Place, command: int) -> Place | None:
    room, held, opened = place
    if command < TAKE:
        there, lock = house.ways[room][command], house.locks.get((room, command))
        shut = there < 0 or (lock is not None and not opened >> lock & 1)
        return None if shut else (there, held, opened)
    if command == TAKE:
        here = sum(1 << colour for colour, where in enumerate(house.keys) if where == room) & ~held
        return (room, held | here, opened) if here else None
    doors = sum(1 << house.locks[room, way] for way in range(TAKE) if (room, way) in house.locks) & held & ~opened
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
def world_of(size: int, doors: int, task: int) -> World:
    """The house of a task: the treasure is in the room furthest from the start in the tree, behind every door."""
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
