"""Episodes packed for the viewer: an index that is read at once, blocks of texts that are read when they are needed."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnenv.report.columns import Column, Scores, columns_of, pair_of, scores_of
from turnenv.report.contents import BLOCK, Kept, components_of, detail_of, index_of, texts_seen
from turnenv.report.plays import Play

_WITH_TOKENS = 500
_LONG_TEXT = 2_000
_MOST_APART = 0.05
_TRIES = 6
Methods = Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Packed:
    """What the page holds of the episodes.

    Attributes:
        index: gzip, then base64.
        blocks: the same, of `BLOCK` episodes each.
        count: how many episodes there are.
        left_out: one sentence for each thing that was left out because it did not fit.
    """

    index: str
    blocks: tuple[str, ...]
    count: int
    left_out: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return len(self.index) + sum(map(len, self.blocks))


def pack(
    plays: Sequence[Play],
    methods: Methods,
    *,
    title: str,
    room: int,
    opens_episodes: bool = False,
    shown: Sequence[Play] | None = None,
) -> Packed:
    """Pack plays into at most `room` bytes.

    What does not fit is left out in this order: tokens; the middle of long texts of the environment; episodes, where
    those on which the two estimators are furthest apart stay, and of the others an equal share of every run and
    outcome.

    Args:
        plays: to show.
        methods: estimators with options that are recomputed on their groups.
        title: of the page.
        room: in bytes.
        opens_episodes: whether the page opens with the list of episodes and not with the report.
        shown: the same plays with the texts to show; None for those of `plays`, of which columns are made.
    """
    texts = plays if shown is None else shown
    columns, scores, chosen = columns_of(plays, methods), scores_of(plays), list(range(len(plays)))
    blocks, kept, left_out = tuple[str, ...](), Kept(), list[str]()
    for kept, sentences in _stages(texts):
        left_out, blocks = sentences, _blocks(texts, scores, chosen, kept)
        if sum(map(len, blocks)) <= room:
            break
    else:
        chosen, blocks = _sampled(texts, scores, columns, blocks, room, kept)
        left_out = [*left_out, f"{len(plays) - len(chosen):,} of {len(plays):,} episodes are left out."]
    index = index_of(plays, columns, scores, chosen, title, left_out, opens_episodes)
    return Packed(_squeezed(index), blocks, len(chosen), tuple(left_out))


def _stages(plays: Sequence[Play]) -> Iterator[tuple[Kept, list[str]]]:
    """From all to least: what is kept of every episode, and the sentences that say what is left out."""
    yield Kept(), []
    holding = sum(play.member.tokens is not None for play in plays)
    if holding > _WITH_TOKENS:
        yield Kept(tokens=_WITH_TOKENS), [f"Tokens are left out of all but {_WITH_TOKENS:,} episodes."]
    without = ["Tokens are left out."] if holding else []
    if holding:
        yield Kept(tokens=0), without
    if any(len(text) > _LONG_TEXT for play in plays for text in texts_seen(play)):
        cut = f"Texts of the environment are cut in the middle beyond {_LONG_TEXT:,} characters."
        yield Kept(0, _LONG_TEXT), [*without, cut]


def _sampled(
    plays: Sequence[Play], scores: Scores, columns: Sequence[Column], blocks: tuple[str, ...], room: int, kept: Kept
) -> tuple[list[int], tuple[str, ...]]:
    share, chosen = 1.0, list(range(len(plays)))
    for _ in range(_TRIES):
        share *= min(0.95, 0.97 * room / max(1, sum(map(len, blocks))))
        chosen = _sample(plays, columns, share)
        blocks = _blocks(plays, scores, chosen, kept)
        if sum(map(len, blocks)) <= room:
            break
    return chosen, blocks


def _sample(plays: Sequence[Play], columns: Sequence[Column], share: float) -> list[int]:
    apart = _apart(columns, len(plays))
    ranked = sorted(range(len(plays)), key=lambda row: (-apart[row], row))
    always = set(ranked[: int(min(_MOST_APART, share) * len(plays))])
    rest = max(0.0, share - len(always) / max(1, len(plays)))
    strata: dict[tuple[str, str, bool], list[int]] = {}
    for row, play in enumerate(plays):
        if row not in always:
            strata.setdefault((play.run.id, play.played, play.episode.outcome.success), []).append(row)
    for rows in strata.values():
        count = min(len(rows), math.ceil(len(rows) * rest))
        always.update(rows[number * len(rows) // count] for number in range(count))
    return sorted(always)


def _apart(columns: Sequence[Column], count: int) -> list[float]:
    """How far the first two columns are apart at most, in units of their scales."""
    pair = [column for name in pair_of(columns) for column in columns if column.name == name]
    if len(pair) < 2:
        return [0.0] * count
    (a, b), rows = pair, range(count)
    return [
        max(
            (abs(x / a.scale - y / b.scale) for x, y in zip(a.values[row] or (), b.values[row] or (), strict=False)),
            default=0.0,
        )
        for row in rows
    ]


def _blocks(plays: Sequence[Play], scores: Scores, chosen: Sequence[int], kept: Kept) -> tuple[str, ...]:
    numbers = {name: number for number, name in enumerate(components_of(plays))}
    holding = [row for row in chosen if plays[row].member.tokens is not None]
    most = len(holding) if kept.tokens is None else kept.tokens
    with_tokens = {holding[number * len(holding) // most] for number in range(min(most, len(holding)))}
    parts = [chosen[first : first + BLOCK] for first in range(0, len(chosen), BLOCK)]
    return tuple(
        _squeezed([detail_of(plays[row], scores.of_play[row], numbers, kept, row in with_tokens) for row in part])
        for part in parts
    )


def _squeezed(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("ascii"), 9, mtime=0)).decode("ascii")
