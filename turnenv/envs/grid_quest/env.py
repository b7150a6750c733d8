"""GridQuest: find the treasure in a house of rooms, keys and locked doors, seeing one room at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from turnenv.core import Reply, TextEnv, TextVectorEnv
from turnenv.core.arguments import check_range, checked_arguments
from turnenv.envs.grid_quest.house import COLOURS, COMPASS, TAKE, UNLOCK, Place, changed, world_of
from turnenv.types import End

# ASCII, because Unicode folds other characters to letters: "eaſt" would match, and is no direction.
_COMMAND = re.compile(
    rf"\bgo ({'|'.join(COMPASS)})\b|\b(take|unlock) (?:the )?(?:({'|'.join(COLOURS)}) )?(?:key|door)\b",
    re.IGNORECASE | re.ASCII,
)


@dataclass(slots=True)
class Quest:
    """Where the agent is in the house of a task."""

    task: int
    place: Place


class GridQuest(TextEnv[Quest]):
    """Walk from room to room, take keys, unlock doors, reach the treasure; the last command in the text counts.

    The agent sees its own room and what is in the rooms next to it. Turn reward `progress`: potential-based,
    `0.5·(d(s) - d(s'))/d(s_0)`, where d is the length of the shortest plan to the treasure over rooms, keys and doors.
    The sum is `0.5·(1 - d(s_end)/d(s_0))`, so that a loop earns nothing and an episode that reaches the treasure 0.5.
    Outcome `treasure`: 1.0 in the treasure's room.

    Args:
        size: the number of rooms per side, 2 to 6.
        doors: the number of locked doors between the start and the treasure, each with a key on its near side; 0 to 4,
            and below `size`.
        slip: the probability that a step leads through an open way drawn uniformly from all, the right one included.
        max_turns: the number of commands allowed; by default 12·(size - 1).
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Raises:
        ValueError: if an argument is out of range.
    """

    num_tasks = 1_000
    action_texts = (*(f"go {way}" for way in COMPASS), "take key", "unlock door")

    @checked_arguments
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
        check_range("size", size, 2, 6)
        check_range("doors", doors, 0, min(len(COLOURS), size - 1))
        check_range("slip", slip, 0, 1)
        self.max_turns = 12 * (size - 1) if max_turns is None else max_turns
        check_range("max_turns", self.max_turns, 1)
        self._world, self._slip = partial(world_of, size, doors), slip
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
        """Task i is a house, drawn with i in the seed."""
        world = self._world(options["task"])
        return Quest(options["task"], world.first), world.opening

    def respond(self, state: Quest, action: str, rng: np.random.Generator) -> Reply:
        """Carry out the last command."""
        command, colour = _BARE.get(action) or _command(action)
        if command < 0:
            text = f"Your message holds no command: write one of {', '.join(self.action_texts)}."
            return Reply.turn(text, {"progress": 0.0}, valid=False)
        world, before = self._world(state.task), state.place
        nexts = world.nexts[before]
        place = nexts[command]
        if place is None or (colour >= 0 and not changed(before, place) >> colour & 1):
            return Reply.turn(_REFUSALS[command] + world.describe(before), {"progress": 0.0}, valid=False)
        if command < TAKE and self._slip and rng.random() < self._slip:
            open_ways = [there for there in nexts[:TAKE] if there is not None]
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


def _command(action: str) -> tuple[int, int]:
    """The numbers of the last command in a text and of the colour that it names; -1 if there is none."""
    found = _COMMAND.findall(action)
    if not found:
        return -1, -1
    way, verb, colour = found[-1]
    command = COMPASS.index(way.lower()) if way else TAKE if verb.lower() == "take" else UNLOCK
    return command, COLOURS.index(colour.lower()) if colour else -1


_BARE = {text: (command, -1) for command, text in enumerate(GridQuest.action_texts)}
_REFUSALS = (
    *(f"You cannot go {way} from here. " for way in COMPASS),
    "There is no such key here. ",
    "There is no locked door here that a key of yours fits. ",
)


make_vector = partial(TextVectorEnv, GridQuest)
