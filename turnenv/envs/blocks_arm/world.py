"""Blocks on spots and an arm: all arrangements, the result of each command, and the distances to a goal."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NAMES = "ABCDE"
_SEED = 0xB10C5

Arrangement = tuple[tuple[str, ...], str]
"""The stack on each spot, bottom first, such as `("AC", "", "B")`, and the block in the arm ("" for none)."""


class World:
    """All arrangements of some blocks on some spots, numbered, and the result of each command.

    Commands are numbered as in `commands`. `nexts[i][command]` is the arrangement after a command, -1 if it is refused;
    `falls[i][spot]` is the arrangement after the held block fell on a spot, and `falls[i]` is empty if none is held.
    """

    def __init__(self, blocks: int, spots: int) -> None:
        self.blocks = blocks
        first: Arrangement = ((NAMES[:blocks], *[""] * (spots - 1)), "")
        self.number = {first: 0}
        self.arrangements = [first]
        self.nexts: list[tuple[int, ...]] = []
        self.falls: list[tuple[int, ...]] = []
        for here in self.arrangements:  # grows during the loop
            self.nexts.append(
                tuple(self._numbered(_after(here, command, blocks)) for command in range(2 * blocks + spots))
            )
            stacks, held = here
            self.falls.append(tuple(self._numbered(_put(stacks, held, spot)) for spot in range(spots)) if held else ())
        self._nexts_SA = np.array(self.nexts)
        self._texts: dict[int, str] = {}
        self._stacks: dict[int, str] = {}

    def _numbered(self, arrangement: Arrangement | None) -> int:
        if arrangement is None:
            return -1
        if arrangement not in self.number:
            self.number[arrangement] = len(self.arrangements)
            self.arrangements.append(arrangement)
        return self.number[arrangement]

    def distances(self, goal: int) -> NDArray[np.int64]:
        """Length of the shortest plan from each arrangement to the goal, (S,); every command has an inverse."""
        distance_S = np.full(len(self.nexts), -1)
        frontier, steps = np.array([goal]), 0
        while len(frontier):
            distance_S[frontier] = steps
            met = np.unique(self._nexts_SA[frontier])
            frontier, steps = met[(met >= 0) & (distance_S[met] < 0)], steps + 1
        return distance_S

    def command(self, picked: str, _: str, on: str, spot: str) -> int:
        """The number of a parsed command."""
        if picked:
            return NAMES.index(picked)
        return self.blocks + NAMES.index(on) if on else 2 * self.blocks + int(spot) - 1

    def refusal(self, here: int, command: int, named: str) -> tuple[str, bool]:
        """Why a command is refused, and whether the arm bumped into a block."""
        held = self.arrangements[here][1]
        if command < self.blocks and held:
            return f"The arm already holds {held}.", False
        if command >= self.blocks and not held:
            return "The arm holds nothing to place.", False
        if named and named != held:
            return f"The arm does not hold {named}.", False
        if command < 2 * self.blocks and NAMES[command % self.blocks] == held:
            return f"{held} cannot be placed on itself.", False
        return "The arm bumps into a block that is in the way.", True

    def describe(self, here: int) -> str:
        """What the agent sees."""
        if here not in self._texts:
            self._texts[here] = f"{self.stacks(here)} The arm holds {self.arrangements[here][1] or 'nothing'}."
        return self._texts[here]

    def stacks(self, here: int) -> str:
        """The stacks alone."""
        if here not in self._stacks:
            stacks = enumerate(self.arrangements[here][0], 1)
            self._stacks[here] = " ".join(f"Spot {spot}: {', '.join(stack) or 'empty'}." for spot, stack in stacks)
        return self._stacks[here]


def commands(blocks: int, spots: int) -> tuple[str, ...]:
    """Every command, in the order of its number."""
    names = NAMES[:blocks]
    return (
        *(f"pick {name}" for name in names),
        *(f"place on {name}" for name in names),
        *(f"place on spot {spot}" for spot in range(1, spots + 1)),
    )


def _after(here: Arrangement, command: int, blocks: int) -> Arrangement | None:
    stacks, held = here
    if command < blocks:
        name = NAMES[command]
        if held or not any(stack.endswith(name) for stack in stacks):
            return None
        return tuple(stack.removesuffix(name) for stack in stacks), name
    wanted = NAMES[command - blocks] if command < 2 * blocks else ""
    spots = [spot for spot, stack in enumerate(stacks) if wanted and stack.endswith(wanted)]
    if command >= 2 * blocks and not stacks[command - 2 * blocks]:
        spots = [command - 2 * blocks]
    return _put(stacks, held, spots[0]) if held and spots else None


def _put(stacks: tuple[str, ...], held: str, spot: int) -> Arrangement:
    return (*stacks[:spot], stacks[spot] + held, *stacks[spot + 1 :]), ""


@lru_cache(maxsize=8)
def world_of(blocks: int, spots: int) -> World:
    """The world of that size, built once."""
    return World(blocks, spots)


@lru_cache(maxsize=4096)
def puzzle_of(blocks: int, spots: int, task: int) -> tuple[int, int, bytes]:
    """The first arrangement, the goal, and every arrangement's distance to the goal, one byte each."""
    world, rng = world_of(blocks, spots), np.random.default_rng((_SEED, blocks, spots, task))
    settled = np.array([number for number, (_, held) in enumerate(world.arrangements) if not held])
    goal = int(rng.choice(settled))
    distance = world.distances(goal)
    return int(rng.choice(settled[distance[settled] >= 2 * blocks - 2])), goal, bytes(distance.tolist())
