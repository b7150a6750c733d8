"""BlocksArm: a robot's arm rearranges blocks on a small table, and may drop them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from turnenv.core import Reply, TextEnv, TextVectorEnv
from turnenv.core.arguments import check_range, checked_arguments
from turnenv.envs.blocks_arm.world import NAMES, Arrangement, commands, puzzle_of, world_of
from turnenv.types import End

COLLISION = -0.02


@dataclass(slots=True)
class Table:
    """The task, the number of the arrangement on the table, and the puzzle (`puzzle_of`)."""

    task: int
    here: int
    puzzle: tuple[int, int, bytes]


class BlocksArm(TextEnv[Table]):
    """Pick and place blocks until every stack is as the goal says; the last command in the text counts.

    Turn rewards: `progress`, potential-based, `0.5·(d(s) - d(s'))/d(s_0)`, where d is the length of the shortest plan
    to the goal if nothing drops, so that the sum is `0.5·(1 - d(s_end)/d(s_0))` and doing and undoing earns nothing;
    and `collision`, -0.02 for reaching for a covered block, or placing on a covered block or an occupied spot. Outcome
    `arrangement`: 1.0 for the goal.

    Args:
        blocks: the number of blocks, 2 to 5.
        spots: the number of places for stacks on the table, 3 or 4.
        drop: the probability that a placed block falls onto a uniformly drawn spot instead.
        max_turns: the number of commands allowed; by default 10·(blocks - 1).
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Raises:
        ValueError: if an argument is out of range.
    """

    num_tasks = 1_000

    @checked_arguments
    def __init__(
        self,
        blocks: int = 4,
        spots: int = 3,
        *,
        drop: float = 0.05,
        max_turns: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        check_range("blocks", blocks, 2, len(NAMES))
        check_range("spots", spots, 3, 4)
        check_range("drop", drop, 0, 1)
        self.max_turns = 10 * (blocks - 1) if max_turns is None else max_turns
        check_range("max_turns", self.max_turns, 1)
        self._world, self._puzzle, self._drop = world_of(blocks, spots), partial(puzzle_of, blocks, spots), drop
        names = NAMES[:blocks]
        spot = rf"(?i:spot) ([1-{spots}])(?:\.0+)?(?![.,/]?[0-9])"
        self._command = re.compile(
            rf"\b(?:(?i:pick) ([{names}])|(?i:place) (?:([{names}]) )?on (?:([{names}])|{spot}))\b"
        )
        self.action_texts = commands(blocks, spots)
        self._bare = {text: (number, "") for number, text in enumerate(self.action_texts)}
        self.system_prompt = (
            f"You steer a robot's arm over a table with {spots} spots, each with a stack of blocks (told from the "
            f"bottom to the top). Rearrange the blocks {', '.join(names)} as the goal says. The arm holds one block at "
            f"a time and takes only the top of a stack. Each turn, write one command; the last one in your message "
            f"counts:\n"
            f"pick A: lift a block that has nothing on it\n"
            f"place on B: put the block you hold on block B, if B has nothing on it\n"
            f"place on spot 2: put the block you hold on an empty spot\n"
            f"Bumping into another block costs points. You have {self.max_turns} turns."
        )
        if drop:
            self.system_prompt += " A block that you place sometimes slips and falls on another spot's stack."

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Table, str]:
        """Task i is a pair of arrangements, drawn with i in the seed."""
        puzzle = self._puzzle(options["task"])
        first, goal, _ = puzzle
        state = Table(options["task"], first, puzzle)
        return state, f"Goal: {self._world.stacks(goal)}\nNow: {self._world.describe(first)}"

    def respond(self, state: Table, action: str, rng: np.random.Generator) -> Reply:
        """Carry out the last command."""
        world, before = self._world, state.here
        command, named = self._bare.get(action) or self._read(action)
        if command < 0:
            text = f"Your message holds no command: write one such as {', '.join(self.action_texts[::3])}."
            return Reply.turn(text, {"progress": 0.0, "collision": 0.0}, valid=False)
        here = world.nexts[before][command]
        if here < 0 or (named and named != world.arrangements[before][1]):
            text, bumped = world.refusal(before, command, named)
            rewards = {"progress": 0.0, "collision": COLLISION if bumped else 0.0}
            return Reply.turn(f"{text} {world.describe(before)}", rewards, valid=False)
        text = ""
        if command >= world.blocks and self._drop and rng.random() < self._drop:
            text, falls = "The block slips and falls. ", world.falls[before]
            here = falls[int(rng.integers(len(falls)))]
        state.here = here
        first, goal, distance = state.puzzle
        rewards = {"progress": 0.5 * (distance[before] - distance[here]) / distance[first], "collision": 0.0}
        if here == goal:
            text += "Every stack is as asked."
            return Reply.final(text, rewards, outcome={"arrangement": 1.0}, success=True, end=End.SOLVED)
        return Reply.turn(text + world.describe(here), rewards)

    def _read(self, action: str) -> tuple[int, str]:
        """The number of the last command in a text (-1 if there is none), and the block that it says is held."""
        found = self._command.findall(action)
        return (self._world.command(*found[-1]), found[-1][1]) if found else (-1, "")

    def state_key(self, state: Table) -> tuple[int, Arrangement]:
        """The task and the arrangement."""
        return state.task, self._world.arrangements[state.here]

    observation_key = state_key


make_vector = partial(TextVectorEnv, BlocksArm)
