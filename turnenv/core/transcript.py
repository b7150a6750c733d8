"""An episode as a person reads it: what `render_mode="human"` prints."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from turnenv.types import Outcome

# Control characters, which may move a terminal's cursor or worse, are shown as \x1b; lines and tabs stay.
_SHOWN = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}


def show(text: str) -> None:
    """Print text from outside on stdout, whatever is in it and whatever stdout can encode."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.translate(_SHOWN).encode(encoding, "backslashreplace").decode(encoding), flush=True)


def opening(system_prompt: str, observation: str) -> str:
    """What the agent reads before its first turn."""
    return f"{system_prompt}\n\n{observation}" if system_prompt else observation


def exchange(action: str, observation: str, info: Mapping[str, Any], outcome: Outcome | None) -> str:
    """One turn: the action, what the environment said, the turn's reward by name, and how the episode ended."""
    said = "\n".join(f"> {line}" for line in action.split("\n"))
    parts = ", ".join(f"{name} {value:.3g}" for name, value in info["reward_components"].items())
    paid = f"  turn {info['turn']}: reward {info['turn_reward']:.3g}{f' ({parts})' if parts else ''}"
    invalid = "" if info["valid_action"] else ", not a valid action"
    end = "" if outcome is None else f"\n  episode over: {outcome.end.value}, outcome reward {outcome.reward:.3g}"
    return f"{said}\n{observation}\n{paid}{invalid}{end}"
