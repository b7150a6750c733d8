"""Whole groups of a training run with the advantages that were used, written at five moments of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy import float64
from numpy.typing import NDArray

from turnenv.atomic import replacing
from turnenv.groups import Group, Member, read_groups
from turnenv.types import Episode, Turn

_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_LONGEST = 20_000
_MOST_TOKENS = 2_000


class GroupLog:
    """Writes `groups` whole groups of the first and the last step and of those at 25, 50 and 75 % of a run.

    What is written is bounded: the number of groups, the length of their texts, and the tokens that are kept of an
    episode. A failure to write is a warning, and training goes on. A run that begins again or is resumed replaces the
    groups of the steps that it repeats.

    Args:
        path: the file, one group per line; its folder is made.
        run: what the groups' `run` says.
        groups: how many of a step are kept, the first ones.
    """

    def __init__(self, path: Path, run: str = "", *, groups: int = 4) -> None:
        self._path, self._run, self._groups = path, run, groups
        self._last: int | None = None

    def due(self, step: int, steps: int, stride: int = 1) -> bool:
        """Whether the groups of a step are kept.

        Args:
            step: that episodes are played for, from 1 on.
            steps: of the whole run.
            stride: optimizer steps for which one batch of episodes is played.
        """
        last = max(steps - 1, 0) // stride
        moments = {1 + round(share * last) * stride for share in _SHARES}
        return step in moments and step != self._last

    def write(
        self,
        step: int,
        estimator: str,
        options: Mapping[str, Any],
        episodes: Sequence[Episode],
        advantages_BK: NDArray[float64],
        group_size: int,
        trained: Sequence[bool],
        text_of: Callable[[int], str],
    ) -> None:
        """Keep the first groups of a batch.

        Args:
            step: that they were played for.
            estimator: what made the advantages.
            options: that it was called with.
            episodes: B of them, `group_size` consecutive ones in a group.
            advantages_BK: as used, (B, K).
            group_size: members of a group.
            trained: which episodes a gradient was taken of, (B,).
            text_of: the text of a token.
        """
        self._last = step
        try:
            rows = range(0, min(len(episodes), self._groups * group_size), group_size)
            members = [
                _member(episodes[row], advantages_BK[row], trained[row], text_of)
                for row in range(min(len(episodes), self._groups * group_size))
            ]
            groups = [
                Group(self._run, step, number, estimator, options, tuple(members[row : row + group_size]))
                for number, row in enumerate(rows)
            ]
            self._replace(step, groups)
        except (OSError, ValueError, TypeError) as error:
            warnings.warn(f"the groups of step {step} are not in {self._path}: {error}", RuntimeWarning, stacklevel=2)

    def _replace(self, step: int, groups: Sequence[Group]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        earlier = [group for group in read_groups(self._path) if group.step < step] if self._path.exists() else []
        with replacing(self._path) as partial:
            partial.write_text("".join(f"{group.to_json()}\n" for group in [*earlier, *groups]), encoding="utf-8")


def _member(episode: Episode, advantages_K: NDArray[float64], trained: bool, text_of: Callable[[int], str]) -> Member:
    taken = len(episode.turns)
    sampled = [turn.token_ids for turn in episode.turns]
    known = all(ids is not None for ids in sampled) and sum(len(ids or ()) for ids in sampled) <= _MOST_TOKENS
    return Member(
        episode=replace(
            episode,
            turns=tuple(_bounded(turn, with_tokens=known) for turn in episode.turns),
            final_observation=shortened(episode.final_observation),
        ),
        advantages=tuple(float(value) for value in advantages_K[:taken]),
        trained=trained,
        tokens=tuple(tuple(text_of(token) for token in ids or ()) for ids in sampled) if known else None,
    )


def _bounded(turn: Turn, *, with_tokens: bool) -> Turn:
    return replace(
        turn,
        observation=shortened(turn.observation),
        action=shortened(turn.action),
        reasoning=shortened(turn.reasoning),
        token_ids=turn.token_ids if with_tokens else None,
        logprobs=turn.logprobs if with_tokens else None,
    )


def shortened(text: str, longest: int = _LONGEST) -> str:
    """The text, without its middle if it is longer than `longest` characters; the count of what is left out stays."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"
