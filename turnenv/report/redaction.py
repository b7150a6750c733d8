"""Takes private texts out of plays: whatever a pattern matches becomes its length; no number changes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from turnenv.groups import Member
from turnenv.report.plays import Play
from turnenv.types import Episode, Turn

Patterns = Sequence[re.Pattern[str]]
_COVERED = "█"


class Redactor:
    """Replaces matches in texts and counts them.

    Args:
        patterns: tried one after the other.

    Attributes:
        count: how many matches were replaced so far.
    """

    def __init__(self, patterns: Patterns = ()) -> None:
        self._patterns = tuple(patterns)
        self.count = 0

    def text(self, text: str) -> str:
        """The text, each match replaced by `[redacted: 12 characters]`."""
        for pattern in self._patterns:
            text, found = pattern.subn(_length, text)
            self.count += found
        return text

    def said(self) -> str:
        """What a command prints of it."""
        if not self.count:
            return "--redact matched nothing: every text is in the page as it was recorded"
        return f"{self.count:,} passage{'s' * (self.count != 1)} redacted; read the page before you pass it on"

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
        return any(pattern.search(text) for pattern in self._patterns for text in texts)


def pattern_of(text: str) -> re.Pattern[str]:
    """Compile a pattern of what is private.

    Raises:
        ValueError: if it is no regular expression, or matches the empty text and so every text everywhere.
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ValueError(f"--redact takes a regular expression; {text!r} is none: {error}") from error
    if pattern.search("") is not None:
        raise ValueError(f"--redact {text!r} matches nothing at all: write + in place of *")
    return pattern


def _length(match: re.Match[str]) -> str:
    count = len(match[0])
    return f"[redacted: {count:,} character{'s' * (count != 1)}]"
