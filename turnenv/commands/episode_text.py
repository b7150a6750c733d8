"""An episode as plain text: what was seen, what was written, what each turn and the end paid."""

from __future__ import annotations

from collections.abc import Mapping

from turnenv.commands.console import visible
from turnenv.types import Episode


def readable(episode: Episode) -> str:
    """The episode as lines of text; control characters in it are shown escaped."""
    outcome = episode.outcome
    lines = [
        f"--- task {episode.task}, return {episode.total_reward:.3g}, {'success' if outcome.success else 'no success'}"
    ]
    for number, turn in enumerate(episode.turns, 1):
        invalid = "" if turn.valid_action else " (not a valid action)"
        lines += [_block("env", turn.observation), _block("agent", turn.action or "(nothing)")]
        lines.append(f"        turn {number} pays {turn.turn_reward:.3g}{parts(turn.reward_components)}{invalid}")
    lines.append(_block("env", episode.final_observation))
    fault = f" ({visible(outcome.fault)})" if outcome.fault else ""
    lines.append(f"        {outcome.end.value}{fault}: pays {outcome.reward:.3g}{parts(outcome.components)}")
    return "\n".join(lines)


def parts(components: Mapping[str, float]) -> str:
    """The components of a reward that are not 0: ` = found 1, format 0.2`, or ""."""
    paid = ", ".join(f"{name} {value:.3g}" for name, value in components.items() if value)
    return f" = {paid}" if paid else ""


def _block(speaker: str, text: str) -> str:
    return f"{speaker:>6}  " + visible(text).replace("\n", "\n        ")
