"""MiniGrid in words (extra `minigrid`): what the agent sees of the rooms, as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium

from turnenv.adapters.gymnasium import GymnasiumEnv
from turnenv.extras import needs

__all__ = ["minigrid"]

_ACTIONS = {"turn left": 0, "turn right": 1, "forward": 2, "pick up": 3, "drop": 4, "toggle": 5, "done": 6}
_FACING = ("east", "south", "west", "north")
_UNSEEN, _EMPTY, _FLOOR = 0, 1, 3
_WITH_STATE = "door"


def minigrid(env_id: str = "MiniGrid-Empty-5x5-v0", **kwargs: Any) -> GymnasiumEnv:
    """A MiniGrid environment in words; its reward, which falls with the number of steps, is the outcome (`goal`).

    Args:
        env_id: an id that MiniGrid registers.
        **kwargs: passed to `gymnasium.make`.

    Raises:
        ModuleNotFoundError: if MiniGrid is not installed.
    """
    with needs("minigrid", "turnenv.adapters.minigrid"):
        import minigrid as package  # noqa: F401 (registers the ids)
        from minigrid.core.constants import IDX_TO_COLOR, IDX_TO_OBJECT, STATE_TO_IDX
    states = {number: name for name, number in STATE_TO_IDX.items()}

    def name_of(cell: Any) -> str:
        kind, colour, state = (int(part) for part in cell)
        name = IDX_TO_OBJECT[kind]
        if name in ("wall", "goal", "lava"):
            return str(name)
        return " ".join(filter(None, (states[state] if name == _WITH_STATE else "", IDX_TO_COLOR[colour], name)))

    def observe(seen: Mapping[str, Any]) -> str:
        things = "; ".join(_things(seen["image"], name_of)) or "nothing"
        hands = seen["image"][seen["image"].shape[0] // 2][-1]
        carried = f" You carry a {name_of(hands)}." if int(hands[0]) not in (_EMPTY, _FLOOR) else ""
        return f"Mission: {seen['mission']}. You face {_FACING[int(seen['direction'])]}. You see {things}.{carried}"

    return GymnasiumEnv(
        gymnasium.make(env_id, **kwargs),
        observe=observe,
        act=lambda text: _ACTIONS[" ".join(text.lower().strip(" \t\r\n.!\"'").split())],
        outcome=lambda step: {"goal": step.reward},
        success=lambda step: step.reward > 0,
        system_prompt=f"You walk through rooms on a grid. Write one action per turn: {', '.join(_ACTIONS)}.",
    )


def _things(image: Any, name_of: Any) -> Iterator[str]:
    """What is in sight, the nearest first, by fields ahead and to the side; the agent is at the lower middle."""
    wide, deep = image.shape[:2]
    cells = [(deep - 1 - y, x - wide // 2, image[x][y]) for x in range(wide) for y in range(deep)]
    for ahead, side, cell in sorted(cells, key=lambda found: (found[0] + abs(found[1]), found[1])):
        if int(cell[0]) in (_UNSEEN, _EMPTY, _FLOOR) or (ahead, side) == (0, 0):
            continue
        way = f", {abs(side)} to the {'left' if side < 0 else 'right'}" if side else ""
        yield f"a {name_of(cell)} {ahead} ahead{way}"
