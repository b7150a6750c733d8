"""Episodes packed for the viewer: an index that is read at once, blocks of texts that are read when they are needed."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnenv.report.columns import EXACT, Column, Scores, columns_of, scores_of
from turnenv.report.plays import Play

BLOCK = 100
"""Episodes of a block; smaller ones compress worse."""
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
        left_out: one sentence for each thing that was left out for want of room.
    """

    index: str
    blocks: tuple[str, ...]
    count: int
    left_out: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return len(self.index) + sum(map(len, self.blocks))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What of the texts is kept."""

    tokens: int | None = None
    longest: int | None = None


def pack(plays: Sequence[Play], methods: Methods, *, title: str, room: int, opens_episodes: bool = False) -> Packed:
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
    """
    columns, scores, chosen = columns_of(plays, methods), scores_of(plays), list(range(len(plays)))
    left_out: list[str] = []
    stages = (
        (_Kept(), ""),
        (_Kept(tokens=_WITH_TOKENS), f"Tokens are left out of all but {_WITH_TOKENS:,} episodes."),
        (_Kept(tokens=0), "Tokens are left out of these episodes too."),
        (_Kept(0, _LONG_TEXT), f"Texts of the environment are cut in the middle beyond {_LONG_TEXT:,} characters."),
    )
    blocks: tuple[str, ...] = ()
    for kept, sentence in stages:
        left_out += [sentence] if sentence else []
        blocks = _blocks(plays, scores, columns, chosen, kept)
        if sum(map(len, blocks)) <= room:
            break
    else:
        chosen, blocks = _sampled(plays, scores, columns, blocks, room, stages[-1][0])
        left_out.append(f"{len(plays) - len(chosen):,} of {len(plays):,} episodes are left out.")
    index = _index(plays, columns, scores, chosen, title, left_out, opens_episodes)
    return Packed(_squeezed(index), blocks, len(chosen), tuple(left_out))


def pair_of(columns: Sequence[Column]) -> list[str]:
    """The two columns that are compared at first: trajectory-level against turn-level credit, if both are there."""
    names = [column.name for column in columns if column.scale]
    wanted = [name for name in ("grpo_mr", "mt_grpo") if name in names]
    rest = [name for name in names if name not in (*wanted, "used", *EXACT)]
    return [*wanted, *rest, *names][:2]


def _sampled(
    plays: Sequence[Play], scores: Scores, columns: Sequence[Column], blocks: tuple[str, ...], room: int, kept: _Kept
) -> tuple[list[int], tuple[str, ...]]:
    share, chosen = 1.0, list(range(len(plays)))
    for _ in range(_TRIES):
        share *= min(0.95, 0.97 * room / max(1, sum(map(len, blocks))))
        chosen = _sample(plays, columns, share)
        blocks = _blocks(plays, scores, columns, chosen, kept)
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


def _index(
    plays: Sequence[Play],
    columns: Sequence[Column],
    scores: Scores,
    chosen: Sequence[int],
    title: str,
    left_out: Sequence[str],
    opens_episodes: bool,
) -> dict[str, Any]:
    shown = [plays[row] for row in chosen]
    runs = list(dict.fromkeys(play.run for play in plays))
    makers = list(dict.fromkeys(play.estimator for play in plays))
    components = _components(plays)
    numbers = {name: number for number, name in enumerate(components)}
    places: dict[str, list[int]] = {}
    for place, play in enumerate(shown):
        places.setdefault(play.group, []).append(place)
    group_numbers = {group: number for number, group in enumerate(places)}
    rewards = [_number(turn.turn_reward) for play in shown for turn in play.episode.turns]
    known = [value for value in rewards if value is not None]
    meta = {
        "title": title,
        "block": BLOCK,
        "columns": [_column(column) for column in columns],
        "pair": pair_of(columns),
        "exact": list(EXACT),
        "components": components,
        "makers": makers,
        "runs": [{"id": run.id, "title": run.title, "method": run.method, "seed": run.seed} for run in runs],
        "rewardRms": math.sqrt(sum(value * value for value in known) / len(known)) if known else 0.0,
        "leftOut": list(left_out),
        "opensEpisodes": opens_episodes,
    }
    return {
        "meta": meta,
        "groups": [_group(plays_of, shown, scores) for plays_of in places.values()],
        "index": {
            "id": [play.id for play in shown],
            "run": [runs.index(play.run) for play in shown],
            "maker": [makers.index(play.estimator) for play in shown],
            "played": [play.played for play in shown],
            "group": [group_numbers[play.group] for play in shown],
            "member": [play.number for play in shown],
            "task": [play.episode.task for play in shown],
            "seed": ["–" if play.episode.seed is None else str(play.episode.seed) for play in shown],
            "end": [play.episode.outcome.end.value for play in shown],
            "success": [play.episode.outcome.success for play in shown],
            "invalid": [sum(not turn.valid_action for turn in play.episode.turns) for play in shown],
            "outcome": [_number(play.episode.outcome.reward) for play in shown],
            "total": [_number(play.episode.total_reward) for play in shown],
            "turns": [len(play.episode.turns) for play in shown],
            "paid": [_paid(play, numbers) for play in shown],
            "parent": [None if play.member.parent is None else list(play.member.parent) for play in shown],
            "rewards": rewards,
            "advantages": [_flat(column, plays, chosen) for column in columns],
        },
    }


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "title": column.title,
        "formula": column.formula,
        "note": column.note,
        "missing": column.missing,
        "terms": column.terms,
        "rms": round(column.scale, 6),
    }


def _group(places: Sequence[int], shown: Sequence[Play], scores: Scores) -> dict[str, Any]:
    first = shown[places[0]]
    return {
        "title": first.group_title,
        "compared": first.compared,
        "members": list(places),
        "stats": scores.of_group.get(first.group),
    }


def _flat(column: Column, plays: Sequence[Play], chosen: Sequence[int]) -> list[float | None]:
    flat: list[float | None] = []
    for row in chosen:
        values = column.values[row]
        flat += [None] * len(plays[row].episode.turns) if values is None else map(_number, values)
    return flat


def _components(plays: Sequence[Play]) -> list[str]:
    names: dict[str, None] = {}
    for play in plays:
        for turn in play.episode.turns:
            names.update(dict.fromkeys(turn.reward_components))
        names.update(dict.fromkeys(play.episode.outcome.components))
    return list(names)


def _paid(play: Play, numbers: Mapping[str, int]) -> list[int]:
    paying = [turn.reward_components for turn in play.episode.turns] + [play.episode.outcome.components]
    return sorted({numbers[name] for components in paying for name, value in components.items() if value > 0})


def _blocks(
    plays: Sequence[Play], scores: Scores, columns: Sequence[Column], chosen: Sequence[int], kept: _Kept
) -> tuple[str, ...]:
    numbers = {name: number for number, name in enumerate(_components(plays))}
    holding = [row for row in chosen if plays[row].member.tokens is not None]
    most = len(holding) if kept.tokens is None else kept.tokens
    with_tokens = {holding[number * len(holding) // most] for number in range(min(most, len(holding)))}
    parts = [chosen[first : first + BLOCK] for first in range(0, len(chosen), BLOCK)]
    return tuple(
        _squeezed([_detail(plays[row], scores.of_play[row], numbers, kept, row in with_tokens) for row in part])
        for part in parts
    )


def _detail(
    play: Play, score: dict[str, Any] | None, numbers: Mapping[str, int], kept: _Kept, tokens: bool
) -> dict[str, Any]:
    turns, outcome, member = play.episode.turns, play.episode.outcome, play.member
    return {
        "seen": [_cut(turn.observation, kept.longest) for turn in turns],
        "said": [turn.action for turn in turns],
        "thought": [turn.reasoning for turn in turns],
        "parts": [_parts(turn.reward_components, numbers) for turn in turns],
        "valid": [turn.valid_action for turn in turns],
        "keys": [str(turn.state_key) for turn in turns],
        "last": _cut(play.episode.final_observation, kept.longest),
        "fault": outcome.fault,
        "outcome": _parts(outcome.components, numbers),
        "z": None if score is None else {name: _numbers(value) for name, value in score.items()},
        "trained": member.trained,
        "tokens": member.tokens if tokens else None,
        "logprobs": [_numbers(turn.logprobs) for turn in turns] if tokens else None,
    }


def _cut(text: str, longest: int | None) -> str:
    if longest is None or len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"


def _parts(components: Mapping[str, float], numbers: Mapping[str, int]) -> list[list[float | int | None]]:
    return [[numbers[name], _number(value)] for name, value in components.items()]


def _numbers(value: Any) -> Any:
    return _number(value) if value is None or isinstance(value, float) else [_number(part) for part in value]


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


def _squeezed(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("ascii"), 9, mtime=0)).decode("ascii")
