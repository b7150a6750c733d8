"""The columns of the viewer: advantages of every turn, as used in training or recomputed on the recorded groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnenv.credit import SPECS, TurnBatch, group_normalise, spec_of
from turnenv.credit.checks import check_options
from turnenv.groups import batch_of
from turnenv.report.best_play import costs
from turnenv.report.plays import Play, named

Floats = NDArray[np.float64]
Terms = Mapping[str, Sequence[tuple[str, float]]]

DEFAULT = ("grpo_or", "grpo_mr", "gdpo", "mt_grpo", "return_to_go")
"""Estimators that are shown by default."""
EXACT = ("truth", "best")
"""Columns of what is known exactly, which the viewer shows beside the two that are compared."""
_OF_A_GROUP = frozenset({"state_keys"})
_ZERO = 1e-12


@dataclass(frozen=True, slots=True)
class Column:
    """The advantages of one estimator for every play.

    Attributes:
        name: of the estimator, with its options; "used" for those of training, "truth" for the true ones.
        title: what the viewer calls it.
        formula: in words.
        note: where its numbers come from.
        missing: what a cell without a number says.
        terms: the terms whose sum is the advantage, before the last turn ("before") and at it ("last"), each with the
            weight of z(turn reward) "t", z(outcome) "o", z(return) "r", z(sum of turn rewards) "s"; None if it is no
            such sum.
        values: per play one number per turn; None for a play that it has none of.
    """

    name: str
    title: str
    formula: str
    note: str
    missing: str
    terms: Terms | None
    values: Sequence[Sequence[float] | None]

    @property
    def scale(self) -> float:
        """The root mean square over all turns; 0 if there is none."""
        known = [value for row in self.values if row is not None for value in row]
        return math.sqrt(sum(value * value for value in known) / len(known)) if known else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """The numbers that explain an advantage: z-scores of each play and of its turns, and statistics of each group.

    Attributes:
        of_play: per play `{"t": [z of turn k], "o": …, "r": …, "s": …}`; None for a play that is not compared.
        of_group: group → its count, mean and standard deviation of outcome, return and turn rewards; of each turn too.
    """

    of_play: Sequence[dict[str, Any] | None]
    of_group: Mapping[str, dict[str, Any]]


def columns_of(plays: Sequence[Play], methods: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Column]:
    """The columns that can be shown: as trained, each method on the recorded groups, and the true advantages.

    Args:
        plays: what is shown.
        methods: names of estimators with options; one that cannot be recomputed on a group is left out.

    Raises:
        ValueError: if no estimator has such a name, or it has no such option.
    """
    for name, options in methods:
        check_options(spec_of(name), options)
    rows, batch = _compared(plays)
    columns = [_used(plays)] if any(play.member.advantages for play in plays) else []
    for name, options in methods if rows else ():
        column = _recomputed(plays, rows, batch, name, options)
        if column is not None:
            columns.append(column)
    if any(play.member.truth for play in plays):
        columns.append(_truth(plays))
    best = costs([play.episode for play in plays])
    if any(values is not None for values in best):
        columns.append(_best(best))
    return columns


def pair_of(columns: Sequence[Column]) -> list[str]:
    """The two columns that are compared at first: trajectory-level against turn-level credit, if both are there."""
    names = [column.name for column in columns if column.scale]
    wanted = [name for name in ("grpo_mr", "mt_grpo") if name in names]
    rest = [name for name in names if name not in (*wanted, "used", *EXACT)]
    return [*wanted, *rest, *names][:2]


def scores_of(plays: Sequence[Play]) -> Scores:
    """Compare every play with its group."""
    rows, batch = _compared(plays)
    of_play: list[dict[str, Any] | None] = [None] * len(plays)
    merged_B, paid_B = batch.outcome_rewards + batch.turn_rewards.sum(axis=1), batch.turn_rewards.sum(axis=1)
    ids = batch.group_ids
    turn_BK = group_normalise(batch.turn_rewards, batch.turn_mask, ids)
    whole = {
        "o": group_normalise(batch.outcome_rewards, batch.live, ids),
        "r": group_normalise(merged_B, batch.live, ids),
        "s": group_normalise(paid_B, batch.live, ids),
    }
    for number, row in enumerate(rows):
        taken = len(plays[row].episode.turns)
        of_play[row] = {"t": turn_BK[number, :taken].tolist()} | {n: float(z[number]) for n, z in whole.items()}
    of_group = {
        plays[rows[int(members[0])]].group: _statistics(batch, members, merged_B, paid_B) for members in _members(ids)
    }
    return Scores(of_play, of_group)


def terms_of(name: str, options: Mapping[str, Any]) -> Terms | None:
    """The terms whose sum an estimator's advantage is; None where it is no such sum."""
    if set(options) - {"lam", "final_turn"}:
        return None
    whole = {"grpo_or": ["o"], "grpo_mr": ["r"], "gdpo": ["o", "s"]}
    if name in whole and not options:
        terms = [(part, 1.0) for part in whole[name]]
        return {"before": terms, "last": terms}
    if name != "mt_grpo":
        return None
    last = [("t", 1.0), ("o", 1.0)] if options.get("final_turn") == "turn+outcome" else [("o", 1.0)]
    return {"before": [("t", 1.0), ("o", float(options.get("lam", 1.0)))], "last": last}


def _compared(plays: Sequence[Play]) -> tuple[list[int], TurnBatch]:
    """The rows of plays in groups that an estimator can read, and their batch."""
    spoilt = {play.group for play in plays if not (play.episode.faulted or _finite(play))}
    rows = [row for row, play in enumerate(plays) if play.compared and play.group not in spoilt]
    numbers = {group: number for number, group in enumerate(dict.fromkeys(plays[row].group for row in rows))}
    first: dict[str, int] = {}
    for place, row in enumerate(rows):
        first.setdefault(plays[row].group, place)
    parents = [
        (-1, -1) if (parent := plays[row].member.parent) is None else (first[plays[row].group] + parent[0], parent[1])
        for row in rows
    ]
    batch = batch_of(
        [plays[row].episode for row in rows],
        [numbers[plays[row].group] for row in rows],
        parents=parents if any(parent[0] >= 0 for parent in parents) else None,
    )
    return rows, batch


def _finite(play: Play) -> bool:
    return all(map(math.isfinite, (*play.episode.turn_rewards, play.episode.outcome.reward)))


def _used(plays: Sequence[Play]) -> Column:
    values = [_rounded(play.member.advantages) if play.member.advantages else None for play in plays]
    note = "Recorded while training: the advantages that the gradient was taken with."
    return Column("used", "as trained", "", note, "not a training episode", None, values)


def _truth(plays: Sequence[Play]) -> Column:
    values = [_rounded(play.member.truth) if play.member.truth else None for play in plays]
    note = "Known exactly, since turnenv.exact solves this environment."
    return Column("truth", "truth", "the true advantage of the action taken", note, "not known", None, values)


def _best(found: Sequence[Sequence[float] | None]) -> Column:
    values = [None if row is None else _rounded(row) for row in found]
    formula = "Q*(state, action) − V*(state): what the action costs against the best player, who knows the state"
    note = "Exact, by turnenv.exact: 0 is a best action."
    return Column("best", "best play", formula, note, "not known", None, values)


def _recomputed(
    plays: Sequence[Play], rows: Sequence[int], batch: TurnBatch, name: str, options: Mapping[str, Any]
) -> Column | None:
    """The column of an estimator on the recorded groups; None if it needs more than they hold."""
    spec = spec_of(name)
    supplied = _OF_A_GROUP | ({"parents"} if batch.parents is not None else set())
    if spec.make is not None or spec.seeded or name == "reinforce_pp" or not spec.needs <= supplied:
        return None
    advantages_BK = spec.function(batch, **options)
    values: list[Sequence[float] | None] = [None] * len(plays)
    for number, row in enumerate(rows):
        values[row] = _rounded(advantages_BK[number, : len(plays[row].episode.turns)])
    title = named(spec.title, options)
    note = "Recomputed by turnenv.credit on this recorded group."
    return Column(named(name, options), title, spec.formula, note, "no group", terms_of(name, options), values)


def comparable() -> list[str]:
    """Names of turnenv's estimators that can be recomputed on a recorded group alone."""
    return [
        name
        for name, spec in SPECS.items()
        if spec.make is None and not spec.seeded and name != "reinforce_pp" and spec.needs <= _OF_A_GROUP
    ]


def _members(ids: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    order = np.argsort(ids, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(ids[order])) + 1) if len(ids) else []


def _statistics(batch: TurnBatch, members: NDArray[np.intp], merged_B: Floats, paid_B: Floats) -> dict[str, Any]:
    live = members[batch.live[members]]
    turns = []
    for k in range(batch.turn_mask.shape[1]):
        taking = members[batch.turn_mask[members, k]]
        if not taking.size:
            break
        turns.append([int(taking.size), *_mean_and_spread(batch.turn_rewards[taking, k])])
    return {
        "count": int(live.size),
        "outcome": _mean_and_spread(batch.outcome_rewards[live]),
        "total": _mean_and_spread(merged_B[live]),
        "paid": _mean_and_spread(paid_B[live]),
        "turns": turns,
    }


def _mean_and_spread(values: Floats) -> list[float]:
    if not values.size:
        return [0.0, 0.0]
    return [float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else 0.0]


def _rounded(values: Sequence[float] | Floats) -> list[float]:
    return [0.0 if abs(value) < _ZERO else round(float(value), 3) for value in values]
