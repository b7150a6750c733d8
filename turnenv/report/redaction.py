"""Takes private texts out of plays: whatever a pattern matches becomes its length; no number changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from turnenv.groups import Member
from turnenv.report.plays import Play
from turnenv.report.visible import counted
from turnenv.types import Episode, Turn

_COVERED = "█"


class Redactor:
    """Replaces matches in texts and counts them.

    Args:
        patterns: of what is private; matches that overlap become one, and a match of no characters is none.

    Attributes:
        count: how many matches were replaced so far.
    """

    def __init__(self, patterns: Iterable[re.Pattern[str]] = ()) -> None:
        self._patterns = tuple(patterns)
        self.count = 0

    def text(self, text: str) -> str:
        """The text, each match replaced by `[redacted: 12 characters]`."""
        shown, end = [], 0
        for first, last in self._spans(text):
            shown += [text[end:first], _length(last - first)]
            end = last
            self.count += 1
        return "".join([*shown, text[end:]])

    def said(self) -> str:
        """What a command prints of it."""
        if not self.count:
            return "--redact matched nothing: every text is in the page as it was recorded"
        return f"{counted(self.count, 'passage')} redacted; read the page before you pass it on"

    def plays(self, plays: Sequence[Play]) -> list[Play]:
        """Plays without what is private in what the environment and the agent wrote, in causes of faults, in tokens."""
        return [replace(play, member=self._member(play.member)) for play in plays] if self._patterns else list(plays)

    def episode(self, episode: Episode) -> Episode:
        """The episode with its texts redacted."""
        return replace(
            episode,
            turns=tuple(map(self._turn, episode.turns)),
            final_observation=self.text(episode.final_observation),
            outcome=replace(episode.outcome, fault=self.text(episode.outcome.fault)),
        )

    def _turn(self, turn: Turn) -> Turn:
        return replace(
            turn,
            observation=self.text(turn.observation),
            action=self.text(turn.action),
            reasoning=self.text(turn.reasoning),
        )

    def _member(self, member: Member) -> Member:
        tokens = member.tokens
        if tokens is not None:
            tokens = tuple(
                (_COVERED,) * len(pieces) if self._in(turn.action, turn.reasoning, "".join(pieces)) else pieces
                for turn, pieces in zip(member.episode.turns, tokens, strict=True)
            )
        return replace(member, episode=self.episode(member.episode), tokens=tokens)

    def _in(self, *texts: str) -> bool:
        return any(map(self._spans, texts))

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """First and last + 1 of what is private, in order; every pattern reads the text as it was recorded."""
        found = [match.span() for pattern in self._patterns for match in pattern.finditer(text) if match[0]]
        spans: list[tuple[int, int]] = []
        for first, last in sorted(found):
            if spans and first < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
            else:
                spans.append((first, last))
        return spans


def pattern_of(text: str) -> re.Pattern[str]:
    """Compile a pattern of what is private.

    Raises:
        ValueError: if it is no regular expression, or matches the empty text, so that it names nothing private.
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ValueError(f"--redact takes a regular expression; {text!r} is none: {error}") from error
    if pattern.search("") is not None:
        raise ValueError(f"--redact {text!r} matches the empty text too: write + in place of *")
    return pattern


def _length(count: int) -> str:
    return f"[redacted: {counted(count, 'character')}]"
