"""Bugs that training does not reveal: five of them to plant, and the symptoms that identify each.

Axes: B trajectories, K turns at most, T tokens of an episode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, wraps
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.credit.cells import Cell, Problem
from benchmarks.credit.contenders import Contender, Session, turn_batch
from benchmarks.credit.experience import Experience
from benchmarks.credit.metrics import NULL
from benchmarks.credit.sampling import play
from benchmarks.credit.truth import evaluate_all
from turnenv.credit import Estimator, TurnBatch, group_normalise
from turnenv.exact import Floats, softmax

Spread = Callable[[Floats, "Tokens"], Floats]
"""From advantages (B, K) to the weight of each token, (B, T)."""
_ALARM = 1e-6
_POLICY_TOKENS, _ENVIRONMENT_TOKENS = 2, 3


@dataclass(frozen=True, eq=False)
class Tokens:
    """The order of an episode's tokens: in every turn the policy's, then the environment's.

    Attributes:
        turn_of: turn of each token, int (T,).
        policy: True where the policy wrote it, bool (T,).
        live: True where the episode reached that token, bool (B, T).
    """

    turn_of: NDArray[np.intp]
    policy: NDArray[np.bool_]
    live: NDArray[np.bool_]

    @classmethod
    def of(cls, batch: TurnBatch) -> Tokens:
        """A few policy and environment tokens in every turn."""
        per_turn = [True] * _POLICY_TOKENS + [False] * _ENVIRONMENT_TOKENS
        turns = batch.turn_mask.shape[1]
        turn_of = np.repeat(np.arange(turns), len(per_turn))
        return cls(turn_of, np.tile(per_turn, turns), batch.turn_mask[:, turn_of])


@dataclass(frozen=True, eq=False)
class Pipeline:
    """What a trainer does with a batch: an estimator, then its advantages spread over tokens."""

    contender: Contender
    spread: Spread

    def advantages(self, batch: TurnBatch) -> Floats:
        """Of one batch, by an estimator that has seen none before, with always the same seed."""
        return Session(self.contender, 1, 0).call(batch)


def spread_over_policy_tokens(advantages: Floats, tokens: Tokens) -> Floats:
    """Each policy token gets its turn's advantage, all others 0."""
    return np.where(tokens.live & tokens.policy, advantages[:, tokens.turn_of], 0.0)


@dataclass(frozen=True)
class Symptoms:
    """What is measured of a pipeline; all are 0 in a sound one.

    Attributes:
        silent_before_last: 1 if no turn but the last gets any weight although earlier ones truly matter, else 0.
        environment_share: share of the squared weights that lies on environment tokens.
        shift: 1 if the weights of turns fit the advantages of the turn before or after better than their own, else 0.
        foreign: how much a group's advantages change when another group's rewards do, relative to their size, beyond
            what all groups may share: a shift, a scale (whitening over the batch) and the weights of the group's own
            turn and outcome scores (trust in turn rewards that is measured over the batch).
        padding: how much advantages change when columns without turns are added, relative to their size.
    """

    silent_before_last: float
    environment_share: float
    shift: float
    foreign: float
    padding: float

    @property
    def flags(self) -> list[str]:
        """Names of the faults that show."""
        return [FLAGS[field.name] for field in fields(self) if getattr(self, field.name) > _ALARM]


FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "silent_before_last": "only the last turn is trained",
        "environment_share": "environment tokens are trained",
        "shift": "turn index is off by one",
        "foreign": "groups are mixed",
        "padding": "padded turns are normalised over",
    }
)
"""Symptom → the fault it shows."""


def examine(pipeline: Pipeline) -> Symptoms:
    """Look for the five faults on a batch of episodes of unequal lengths whose true advantages are known."""
    batch, true_BK = checked_batch(pipeline.contender.needs)
    advantages_BK, tokens = pipeline.advantages(batch), Tokens.of(batch)
    weights_BT = pipeline.spread(advantages_BK, tokens)
    return Symptoms(
        float(_silent_before_last(weights_BT, tokens, batch, true_BK)),
        float((weights_BT[:, ~tokens.policy] ** 2).sum() / max((weights_BT**2).sum(), NULL)),
        float(_shifted(weights_BT, advantages_BK, tokens)),
        _foreign(pipeline, batch, advantages_BK),
        _padding(pipeline, batch, advantages_BK),
    )


def check(contender: Contender) -> list[str]:
    """The faults that an estimator shows in a pipeline that spreads advantages over tokens correctly."""
    return examine(Pipeline(contender, spread_over_policy_tokens)).flags


def _silent_before_last(weights_BT: Floats, tokens: Tokens, batch: TurnBatch, true_BK: Floats) -> bool:
    early_BK = batch.turn_mask & ~batch.final_turn_mask
    early_BT = early_BK[:, tokens.turn_of] & tokens.policy
    loud = np.abs(weights_BT).max() > NULL
    return bool(loud and np.abs(true_BK[early_BK]).max() > NULL and np.abs(weights_BT[early_BT]).max() <= NULL)


def _shifted(weights_BT: Floats, advantages_BK: Floats, tokens: Tokens) -> bool:
    """Whether an episode's policy tokens fit another turn's advantages better than their own."""
    due = tokens.live & tokens.policy
    padded = np.pad(advantages_BK, ((0, 0), (1, 1)))
    misfit = [float(((weights_BT - padded[:, tokens.turn_of + 1 + lag]) ** 2)[due].sum()) for lag in (-1, 0, 1)]
    return misfit[1] > min(misfit) + NULL


def _foreign(pipeline: Pipeline, batch: TurnBatch, before_BK: Floats) -> float:
    changed_B = batch.group_ids == batch.group_ids[-1]
    other = replace(
        batch,
        turn_rewards=np.where(
            changed_B[:, None] & batch.turn_mask, batch.turn_rewards[::-1] * 3 + 0.7, batch.turn_rewards
        ),
        outcome_rewards=np.where(changed_B, 1.0 - batch.outcome_rewards, batch.outcome_rewards),
    )
    turn_BK = group_normalise(batch.turn_rewards, batch.turn_mask, batch.group_ids)
    outcome_B = group_normalise(batch.outcome_rewards, batch.live, batch.group_ids)
    after_BK, residual = pipeline.advantages(other), 0.0
    for turn in range(before_BK.shape[1]):
        kept_B = batch.turn_mask[:, turn] & ~changed_B & ((before_BK[:, turn] != 0.0) | (after_BK[:, turn] != 0.0))
        before, after = before_BK[kept_B, turn], after_BK[kept_B, turn]
        shared = (before, np.ones_like(before), turn_BK[kept_B, turn], outcome_B[kept_B])
        design = np.stack(shared, axis=1)
        fitted = design @ np.linalg.lstsq(design, after, rcond=None)[0]
        residual = max(residual, float(np.abs(after - fitted).max(initial=0.0)))
    return residual / max(float(np.abs(before_BK).max()), NULL)


def _padding(pipeline: Pipeline, batch: TurnBatch, before_BK: Floats) -> float:
    known = {field.name: getattr(batch, field.name) for field in fields(batch)}
    wider: dict[str, Any] = {
        name: np.pad(array, ((0, 0), (0, 3))) if array is not None and array.ndim == 2 and name != "parents" else array
        for name, array in known.items()
    }
    after_BK = pipeline.advantages(TurnBatch(**wider))[:, : before_BK.shape[1]]
    return float(np.abs(after_BK - before_BK).max() / max(float(np.abs(before_BK).max()), NULL))


@cache
def checked_batch(needs: frozenset[str]) -> tuple[TurnBatch, Floats]:
    """Episodes that an error ends, of a policy that is right three times in four, and their true advantages."""
    cell = Cell(env_kwargs={"length": 5, "errors": "fatal"}, groups=5, group_size=6, right=0.75, tasks=2)
    problem, rng = Problem.of(cell), np.random.default_rng(0)
    policy = softmax(problem.measured_logits)[None]
    starts = problem.starts(cell.groups, rng).repeat(cell.group_size)[None]
    plays = play(problem.model, policy, starts, rng.random((1, cell.episodes, problem.model.horizon, 2)))
    true_BK = evaluate_all(problem.model, policy, "outcome").advantages(plays)[0]
    return turn_batch(problem, policy, Experience.of(plays), needs), true_BK


def last_turn_only(estimator: Estimator) -> Estimator:
    """Planted fault: every advantage but the last turn's is zeroed."""

    @wraps(estimator)
    def only_last(batch: TurnBatch, **options: Any) -> Floats:
        return np.where(batch.final_turn_mask, estimator(batch, **options), 0.0)

    return only_last


def groups_mixed(estimator: Estimator) -> Estimator:
    """Planted fault: group ids repeat (0, 1, 2, 0, 1, 2, …) where episodes of a group are consecutive."""

    @wraps(estimator)
    def mixed(batch: TurnBatch, **options: Any) -> Floats:
        ids = np.arange(len(batch.group_ids)) % len(np.unique(batch.group_ids))
        return estimator(replace(batch, group_ids=ids), **options)

    return mixed


def normalised_over_padding(estimator: Estimator) -> Estimator:
    """Planted fault: advantages are whitened with the mean and spread of all cells, those without a turn included."""

    @wraps(estimator)
    def whitened(batch: TurnBatch, **options: Any) -> Floats:
        raw = estimator(batch, **options)
        return np.where(batch.turn_mask, (raw - raw.mean()) / (raw.std() + 1e-4), 0.0)

    return whitened


def spread_over_all_tokens(advantages: Floats, tokens: Tokens) -> Floats:
    """Planted fault: the environment's tokens are trained too."""
    return np.where(tokens.live, advantages[:, tokens.turn_of], 0.0)


def spread_off_by_one(advantages: Floats, tokens: Tokens) -> Floats:
    """Planted fault: a token gets the advantage of the turn after its own."""
    following = np.pad(advantages, ((0, 0), (0, 1)))
    return np.where(tokens.live & tokens.policy, following[:, tokens.turn_of + 1], 0.0)


def planted(contender: Contender) -> dict[str, Pipeline]:
    """The pipeline with each of the five faults, by the name of its flag."""

    def broken(wrap: Callable[[Estimator], Estimator]) -> Pipeline:
        return Pipeline(replace(contender, make=lambda: wrap(contender.make())), spread_over_policy_tokens)

    return {
        FLAGS["silent_before_last"]: broken(last_turn_only),
        FLAGS["environment_share"]: Pipeline(contender, spread_over_all_tokens),
        FLAGS["shift"]: Pipeline(contender, spread_off_by_one),
        FLAGS["foreign"]: broken(groups_mixed),
        FLAGS["padding"]: broken(normalised_over_padding),
    }
