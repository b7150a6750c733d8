"""What the viewer is given of plays: the index that lists them, and the details of one episode."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from turnenv.report.columns import EXACT, Column, Scores, pair_of
from turnenv.report.plays import Play, Run

Named = TypeVar("Named", bound=Hashable)
BLOCK = 100
"""Episodes of a block; smaller ones compress worse."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What of the texts is kept.

    Attributes:
        tokens: of how many episodes; None for all.
        longest: characters of a text of the environment; None for all.
    """

    tokens: int | None = None
    longest: int | None = None


def index_of(
    plays: Sequence[Play],
    columns: Sequence[Column],
    scores: Scores,
    chosen: Sequence[int],
    title: str,
    left_out: Sequence[str],
    opens_episodes: bool,
) -> dict[str, Any]:
    """What list, filters and strips need, read at once: ids, outcomes, rewards and advantages of the chosen plays."""
    shown = [plays[row] for row in chosen]
    runs = list(dict.fromkeys(play.run for play in plays))
    makers = list(dict.fromkeys(play.estimator for play in plays))
    components = components_of(plays)
    groups: dict[str, list[int]] = {}
    for place, play in enumerate(shown):
        groups.setdefault(play.group, []).append(place)
    lists = _lists_of(shown, runs, makers, components, list(groups))
    rewards = [value for value in lists["rewards"] if value is not None]
    meta = {
        "title": title,
        "block": BLOCK,
        "columns": [_column(column) for column in columns],
        "pair": pair_of(columns),
        "exact": list(EXACT),
        "components": components,
        "makers": makers,
        "runs": [{"id": run.id, "title": run.title, "method": run.method, "seed": run.seed} for run in runs],
        "rewardRms": math.sqrt(sum(value * value for value in rewards) / len(rewards)) if rewards else 0.0,
        "leftOut": list(left_out),
        "opensEpisodes": opens_episodes,
    }
    return {
        "meta": meta,
        "groups": [_group(places, shown, scores) for places in groups.values()],
        "index": {**lists, "advantages": [_flat(column, plays, chosen) for column in columns]},
    }


def _lists_of(
    shown: Sequence[Play],
    runs: Sequence[Run],
    makers: Sequence[str],
    components: Sequence[str],
    groups: Sequence[str],
) -> dict[str, list[Any]]:
    """One value per play, but for the rewards, which are those of all turns; what repeats is a place in a list."""
    run_of, maker_of, group_of = _places(runs), _places(makers), _places(groups)
    numbers = _places(components)
    return {
        "id": [play.id for play in shown],
        "run": [run_of[play.run] for play in shown],
        "maker": [maker_of[play.estimator] for play in shown],
        "played": [play.played for play in shown],
        "group": [group_of[play.group] for play in shown],
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
        "rewards": [_number(turn.turn_reward) for play in shown for turn in play.episode.turns],
    }


def _places(values: Sequence[Named]) -> dict[Named, int]:
    return {value: place for place, value in enumerate(values)}


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


def components_of(plays: Sequence[Play]) -> list[str]:
    """The names of all reward components; the page refers to them by number."""
    names: dict[str, None] = {}
    for play in plays:
        for turn in play.episode.turns:
            names.update(dict.fromkeys(turn.reward_components))
        names.update(dict.fromkeys(play.episode.outcome.components))
    return list(names)


def _paid(play: Play, numbers: Mapping[str, int]) -> list[int]:
    paying = [turn.reward_components for turn in play.episode.turns] + [play.episode.outcome.components]
    return sorted({numbers[name] for components in paying for name, value in components.items() if value > 0})


def detail_of(
    play: Play, score: dict[str, Any] | None, numbers: Mapping[str, int], kept: Kept, tokens: bool
) -> dict[str, Any]:
    """The texts of an episode, and what its receipts are made of."""
    turns, outcome, member = play.episode.turns, play.episode.outcome, play.member
    *seen, last = (_cut(text, kept.longest) for text in texts_seen(play))
    return {
        "seen": seen,
        "said": [turn.action for turn in turns],
        "thought": [turn.reasoning for turn in turns],
        "parts": [_parts(turn.reward_components, numbers) for turn in turns],
        "valid": [turn.valid_action for turn in turns],
        "keys": [str(turn.state_key) for turn in turns],
        "last": last,
        "fault": outcome.fault,
        "outcome": _parts(outcome.components, numbers),
        "z": None if score is None else {name: _numbers(value) for name, value in score.items()},
        "trained": member.trained,
        "tokens": member.tokens if tokens else None,
        "logprobs": [_numbers(turn.logprobs) for turn in turns] if tokens else None,
    }


def texts_seen(play: Play) -> list[str]:
    """The texts of the environment: each turn's observation, and the last one."""
    return [*(turn.observation for turn in play.episode.turns), play.episode.final_observation]


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
