"""An episode as plain text: what was seen, what was written, what each turn and the end paid."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from turnenv.commands.console import paint, visible
from turnenv.types import Episode, Usage


def readable(episode: Episode, *, colours: bool = False) -> str:
    """The episode as lines of text; control characters in it are shown escaped.

    Args:
        episode: to show.
        colours: use them where stdout shows them.
    """
    style: Callable[[str, str], str] = paint if colours else _plain
    outcome = episode.outcome
    lines = [
        f"--- task {episode.task}, return {episode.total_reward:.3g}, {'success' if outcome.success else 'no success'}"
    ]
    for number, turn in enumerate(episode.turns, 1):
        invalid = "" if turn.valid_action else " (not a valid action)"
        lines.append(_block("env", turn.observation))
        lines += [style(_block("thinks", turn.reasoning), "dim")] if turn.reasoning else []
        lines.append(style(_block("agent", turn.action or "(nothing)"), "bold"))
        paid = f"        turn {number} pays {turn.turn_reward:.3g}{parts(turn.reward_components)}{invalid}"
        lines.append(style(f"{paid}{_used(turn.usage)}", _tone(turn.turn_reward)))
    lines.append(_block("env", episode.final_observation))
    fault = f" ({visible(outcome.fault)})" if outcome.fault else ""
    ending = f"        {outcome.end.value}{fault}: pays {outcome.reward:.3g}{parts(outcome.components)}"
    lines.append(style(ending, "green" if outcome.success else "red"))
    return "\n".join(lines)


def parts(components: Mapping[str, float]) -> str:
    """The components of a reward that are not 0: ` = found 1, format 0.2`, or ""."""
    paid = ", ".join(f"{name} {value:.3g}" for name, value in components.items() if value)
    return f" = {paid}" if paid else ""


def _plain(text: str, _: str) -> str:
    return text


def _tone(reward: float) -> str:
    return "green" if reward > 0 else "red" if reward < 0 else "dim"


def _used(usage: Usage | None) -> str:
    if usage is None:
        return ""
    cost = "" if usage.cost is None else f", cost {usage.cost:.3g}"
    return f"; {usage.prompt:,} tokens read, {usage.completion:,} written{cost}"


def _block(speaker: str, text: str) -> str:
    return f"{speaker:>6}  " + visible(text).replace("\n", "\n        ")
