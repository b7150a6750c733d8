"""Draws one real episode with the advantage that trajectory-level and turn-level credit give to each of its turns."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.drawings.svg import Theme, box, document, line, text
from turnenv import Episode, Scripted, collect
from turnenv.credit import ESTIMATORS, TurnBatch

ENV_ID, TASK = "turnenv/GuessNumber-v0", 29
GUESSES = (
    ("25", "26", "38", "32", "29", "30"),
    ("25", "38", "31", "28", "29", "30"),
    ("25", "40", "35", "33", "32", "31"),
    ("10", "20", "45", "40", "35", "33"),
)
"""A group of four; the first is drawn. It wins, and its second guess rules out one number."""
_WIDTH, _ROW, _TOP = 760, 38, 132
_TRAJECTORY, _TURN = 480, 650
_SCALE = 30.0
"""Width of a bar of 1, in pixels."""


def play_group() -> list[Episode]:
    """The group's episodes, played."""
    group = iter(GUESSES)

    def agent() -> object:
        guesses = iter(next(group))
        return lambda _: next(guesses)

    return collect(ENV_ID, Scripted(agent), [0] * len(GUESSES), tasks=[TASK] * len(GUESSES))  # type: ignore[arg-type]


def advantages(episodes: Sequence[Episode], estimator: str) -> list[float]:
    """What an estimator gives each turn of the first episode."""
    batch = TurnBatch.from_ragged(
        [episode.turn_rewards for episode in episodes],
        [episode.outcome.reward for episode in episodes],
        [0] * len(episodes),
    )
    first_K: list[float] = ESTIMATORS[estimator](batch)[0].tolist()
    return first_K


def draw_credit(theme: Theme) -> str:
    """The picture as SVG."""
    episodes = play_group()
    episode = episodes[0]
    merged, by_turn = advantages(episodes, "grpo_mr"), advantages(episodes, "mt_grpo")
    bottom = _TOP + _ROW * len(episode.turns)
    shapes = [*_heading(theme), line(20, _TOP - 8, _WIDTH - 20, _TOP - 8, theme.line)]
    replies = [turn.observation for turn in episode.turns[1:]] + [episode.final_observation]
    for number, (turn, reply) in enumerate(zip(episode.turns, replies, strict=True)):
        y = _TOP + _ROW * number
        blamed = by_turn[number] < 0
        if blamed:
            shapes.append(box(20, y, _WIDTH - 40, _ROW, theme.surface))
        shapes += [
            text(26, y + 25, str(number + 1), theme.faint),
            text(62, y + 25, f"“{turn.action}”", theme.ink, bold=blamed),
            text(122, y + 25, _short(reply), theme.faint),
            text(366, y + 25, f"{turn.turn_reward:.3f}", theme.ink, anchor="end"),
            *_bar(_TRAJECTORY, y, merged[number], theme),
            *_bar(_TURN, y, by_turn[number], theme),
        ]
    shapes += [line(x, _TOP, x, bottom, theme.line) for x in (_TRAJECTORY, _TURN)]
    shapes += _footing(theme, bottom, merged[0], by_turn)
    described = (
        f"An episode of GuessNumber that is won. Trajectory-level credit gives each turn {merged[0]:+.2f}; turn-level "
        f"credit gives the turns {', '.join(f'{value:+.2f}' for value in by_turn)}."
    )
    return document(_WIDTH, bottom + 76, "Trajectory-level and turn-level credit on one episode", described, shapes)


def _heading(theme: Theme) -> list[str]:
    return [
        text(
            20,
            30,
            "The agent finds the hidden number 30, but wastes its second guess.",
            theme.ink,
            size=19,
            bold=True,
        ),
        text(20, 54, "Advantages within a group of four episodes of this task.", theme.faint),
        text(26, 112, "turn", theme.faint, size=14),
        text(62, 112, "guess", theme.faint, size=14),
        text(122, 112, "reply", theme.faint, size=14),
        text(366, 112, "turn reward", theme.faint, size=14, anchor="end"),
        text(_TRAJECTORY, 92, "trajectory-level", theme.ink, anchor="middle", bold=True),
        text(_TRAJECTORY, 112, "GRPO-MR", theme.faint, size=14, anchor="middle"),
        text(_TURN, 92, "turn-level", theme.ink, anchor="middle", bold=True),
        text(_TURN, 112, "MT-GRPO", theme.faint, size=14, anchor="middle"),
    ]


def _footing(theme: Theme, bottom: float, merged: float, by_turn: Sequence[float]) -> list[str]:
    worst = min(range(len(by_turn)), key=by_turn.__getitem__)
    praised = f"One number for all turns praises the wasted guess ({merged:+.2f});"
    blamed = f"one number per turn blames it ({by_turn[worst]:+.2f}).".replace("-", "−")
    return [
        line(20, bottom + 8, _WIDTH - 20, bottom + 8, theme.line),
        text(20, bottom + 36, praised, theme.ink),
        text(20, bottom + 60, blamed, theme.ink),
    ]


def _bar(centre: float, y: float, value: float, theme: Theme) -> list[str]:
    """The value as a bar from the centre, with its number and direction beside it."""
    colour = theme.positive if value >= 0 else theme.negative
    length = abs(value) * _SCALE
    left = centre if value >= 0 else centre - length
    number = f"{'▲' if value >= 0 else '▼'} {value:+.2f}".replace("-", "−")
    beside = text(centre - 8, y + 25, number, colour, anchor="end", bold=True)
    if value < 0:
        beside = text(centre + 8, y + 25, number, colour, bold=True)
    return [box(left, y + 9, length, _ROW - 18, colour, radius=2), beside]


def _short(reply: str) -> str:
    """The reply without its number, which repeats the guess."""
    return reply.replace("The hidden number is ", "").rstrip(".!")
