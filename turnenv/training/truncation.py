"""Which turns and episodes a limit cut short; a stop string or the environment's own end cuts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from turnenv.policies.chat_frame import ChatFrame
from turnenv.types import End, Episode, Turn


def is_truncated(episode: Episode, frame: ChatFrame) -> bool:
    """True if a limit cut the episode, or any turn of it.

    Limits are the turns and the tokens that an episode may have, the tokens that a turn may have, and the model's
    context, after which the policy is silent.
    """
    if episode.outcome.end in (End.TURN_LIMIT, End.TOKEN_LIMIT):
        return True
    return any(_is_silent(turn) or _was_cut(turn, frame) for turn in episode.turns)


def truncation_metrics(episodes: Sequence[Episode], frame: ChatFrame) -> dict[str, float]:
    """Shares of the episodes that did not fault; none if all of them did.

    Returns:
        `truncated`, and by which limit: `truncated/turn_limit`, `truncated/token_limit`, `truncated/context` (the
        policy fell silent since the model's context was full), and `truncated/turn_tokens`, the share of turns that
        were cut at their own limit.
    """
    live = [episode for episode in episodes if not episode.faulted]
    if not live:
        return {}
    return {
        "truncated": fmean(is_truncated(episode, frame) for episode in live),
        "truncated/turn_limit": fmean(episode.outcome.end is End.TURN_LIMIT for episode in live),
        "truncated/token_limit": fmean(episode.outcome.end is End.TOKEN_LIMIT for episode in live),
        "truncated/context": fmean(any(map(_is_silent, episode.turns)) for episode in live),
        "truncated/turn_tokens": fmean(_was_cut(turn, frame) for episode in live for turn in episode.turns),
    }


def length_metrics(episodes: Sequence[Episode], frame: ChatFrame) -> dict[str, float]:
    """TRL's metrics of ended completions, which it would read off the last token of an episode."""
    ended = [episode for episode in episodes if not is_truncated(episode, frame)]
    lengths = [sum(len(turn.token_ids or ()) for turn in episode.turns) for episode in ended] or [0]
    return {
        "completions/clipped_ratio": 1.0 - len(ended) / len(episodes),
        "completions/mean_terminated_length": fmean(lengths),
        "completions/min_terminated_length": float(min(lengths)),
        "completions/max_terminated_length": float(max(lengths)),
    }


def _was_cut(turn: Turn, frame: ChatFrame) -> bool:
    return frame.was_cut(turn.token_ids or ())


def _is_silent(turn: Turn) -> bool:
    return turn.token_ids == ()
