"""What a run has played so far, as a measure of its cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from turnenv.core.tally import JUDGE_CALLS, RESTORES
from turnenv.types import Episode


@dataclass(slots=True)
class Experience:
    """Counts of this process's training episodes since the trainer was made; faulted and dropped ones included.

    Attributes:
        turns: of each episode.
        sampled_tokens: that the policy wrote in each episode.
        read_tokens: of each episode's prompt and observations.
        critic_forwards: episodes that a critic read.
        restores: returns to snapshots while they were played.
        judge_calls: verdicts that were asked for while they were played.
    """

    turns: list[int] = field(default_factory=list)
    sampled_tokens: list[int] = field(default_factory=list)
    read_tokens: list[int] = field(default_factory=list)
    critic_forwards: int = 0
    restores: int = 0
    judge_calls: int = 0

    @property
    def tokens(self) -> list[int]:
        """Sampled and read, of each episode."""
        return [sampled + read for sampled, read in zip(self.sampled_tokens, self.read_tokens, strict=True)]

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what environments do in this process meanwhile."""
        restores, judge_calls = RESTORES.value, JUDGE_CALLS.value
        yield
        self.restores += RESTORES.value - restores
        self.judge_calls += JUDGE_CALLS.value - judge_calls

    def add(self, episodes: Sequence[Episode], read_tokens: Sequence[int]) -> None:
        """Count a batch; `read_tokens` holds one number per episode."""
        self.turns += [len(episode.turns) for episode in episodes]
        self.sampled_tokens += [sum(len(turn.token_ids or ()) for turn in episode.turns) for episode in episodes]
        self.read_tokens += read_tokens
