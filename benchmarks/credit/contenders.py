"""An estimator in the lab: what it needs, how its batches are played, and how it is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.credit.cells import Problem
from benchmarks.credit.experience import Experience, Way, plain, way_of
from benchmarks.credit.sampling import Ints
from benchmarks.credit.truth import evaluate_all
from benchmarks.harness.methods import Method, hash_code
from turnenv.credit import SPECS, Estimator, TurnBatch, spec_of
from turnenv.exact import Floats

GIVEN = ("state_keys", "values", "true_advantages", "parents")
"""The optional fields of a `TurnBatch` that the lab can fill: hashes of the true state, V^π of the sum of turn rewards
and outcome (exact, unless the contender's way of playing estimates it), exact A^π of the outcome, and where episodes
branched off (nowhere, unless they are played as trees)."""


@dataclass(frozen=True, eq=False)
class Contender:
    """An estimator with its options.

    Attributes:
        name: what the report calls it.
        make: returns the estimator; one that remembers earlier batches is a new object each time.
        options: its keyword arguments.
        needs: the optional fields of a batch that it reads.
        seeded: True if it draws random numbers: every call gets a seed of its own.
        way: how its batches are played.
    """

    name: str
    make: Callable[[], Estimator]
    options: Mapping[str, Any]
    needs: frozenset[str]
    seeded: bool = False
    way: Way = plain

    @classmethod
    def of(cls, method: Method) -> Contender:
        """Find the estimator of a method; a user's own, whose needs are not known, is given every field.

        Raises:
            ValueError: if there is no such estimator.
        """
        spec = spec_of(method.name)
        needs = spec.needs if method.name in SPECS else frozenset(GIVEN)
        return cls(method.label, spec.fresh, method.options, needs, spec.seeded, way_of(spec))

    @property
    def lacks(self) -> frozenset[str]:
        """What it needs and the lab cannot give."""
        return self.needs - set(GIVEN)

    @cached_property
    def remembers(self) -> bool:
        """True if it is an object that may learn from batch to batch: every training run gets one of its own."""
        return self.make() is not self.make()

    @cached_property
    def groupwise(self) -> bool:
        """True if a group's advantages depend on that group alone, so that many batches may share a call."""
        if self.seeded or self.remembers:
            return False
        batch, function = _some_batch(), self.make()
        pieces = [take(batch, slice(first, first + 8)) for first in range(0, 24, 8)]
        apart = np.concatenate([function(piece, **self.options) for piece in pieces])
        return bool(np.allclose(function(batch, **self.options), apart, rtol=1e-9, atol=1e-9))


class Session:
    """An estimator in use by several training runs at once, with a memory of its own for each."""

    def __init__(self, contender: Contender, runs: int, seed: int) -> None:
        self._contender = contender
        self._rngs = [np.random.default_rng((seed, run, 0xE571)) for run in range(runs)]
        self._functions = [contender.make() for _ in range(runs if contender.remembers else 1)]

    def play(
        self, problem: Problem, policies: Floats, starts: Ints, noise: Floats, runs: NDArray[np.intp] | None = None
    ) -> Experience:
        """A batch for each policy, played in the contender's way; arguments as of `Way`, `runs` as in `advantages`."""

        def draw(shape: tuple[int, ...]) -> Floats:
            if runs is None:
                return self._rngs[0].random((len(policies), *shape))
            return np.stack([self._rngs[run].random(shape) for run in runs])

        return self._contender.way(problem, policies, starts, noise, draw)

    def advantages(
        self, problem: Problem, policies: Floats, experience: Experience, runs: NDArray[np.intp] | None = None
    ) -> Floats:
        """Of each turn of R batches, (R, E, H).

        Args:
            problem: the cell.
            policies: that played, (R, O, A).
            experience: a batch of each; groups are consecutive episodes.
            runs: which run each batch belongs to, (R,); None if all are batches of run 0, in their order.
        """
        batch, shape = turn_batch(problem, policies, experience, self._contender.needs), experience.fresh.shape
        if self._contender.groupwise:
            return self.call(batch).reshape(shape)
        owners = np.zeros(shape[0], dtype=np.intp) if runs is None else runs
        pieces = (take(batch, slice(row * shape[1], (row + 1) * shape[1])) for row in range(shape[0]))
        return np.stack([self.call(piece, int(run)) for piece, run in zip(pieces, owners, strict=True)])

    def call(self, batch: TurnBatch, run: int = 0) -> Floats:
        """Its advantages of one batch, (B, K)."""
        seed = {"seed": int(self._rngs[run].integers(2**31))} if self._contender.seeded else {}
        function = self._functions[run if self._contender.remembers else 0]
        return function(batch, **seed, **self._contender.options)


def code_hash(name: str) -> str:
    """A hash of the files that define an estimator and its way of playing: rows of other versions are not reused.

    Raises:
        ValueError: if there is no such estimator.
    """
    spec = spec_of(name)
    way = way_of(spec)
    return hash_code(spec.fresh(), *([] if way is plain else [way]))


def turn_batch(problem: Problem, policies: Floats, experience: Experience, needs: Collection[str]) -> TurnBatch:
    """R batches as one, with different group numbers, and the optional fields that are needed."""
    plays = experience.plays
    rows, episodes, horizon = plays.turn_mask.shape
    extra: dict[str, Any] = {}
    if "state_keys" in needs:
        extra["state_keys"] = plays.states + 1
    if "values" in needs:
        exact = experience.values is None
        extra["values"] = evaluate_all(problem.model, policies, "shaped").along(plays) if exact else experience.values
    if "true_advantages" in needs:
        extra["true_advantages"] = evaluate_all(problem.model, policies, "outcome").advantages(plays)
    if "parents" in needs:
        nowhere = np.full((rows, episodes, 2), -1)
        parents = nowhere if experience.parents is None else experience.parents
        extra["parents"] = np.where(
            parents >= 0, parents + np.array([episodes, 0]) * np.arange(rows)[:, None, None], -1
        )
    return TurnBatch(
        turn_rewards=plays.turn_rewards.reshape(-1, horizon),
        outcome_rewards=plays.outcome_rewards.ravel(),
        turn_mask=plays.turn_mask.reshape(-1, horizon),
        group_ids=np.arange(rows * episodes) // problem.cell.group_size,
        truncated=plays.truncated.ravel(),
        **{name: array.reshape(rows * episodes, -1) for name, array in extra.items()},
    )


def take(batch: TurnBatch, rows: slice) -> TurnBatch:
    """Some consecutive trajectories of a batch, with the parents of each."""
    given = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    kept: dict[str, Any] = {name: array[rows] for name, array in given.items() if array is not None}
    if batch.parents is not None:
        kept["parents"] = np.where(kept["parents"] >= 0, kept["parents"] - np.array([rows.start, 0]), -1)
    return TurnBatch(**kept)


def _some_batch() -> TurnBatch:
    """Three batches of two groups of four, of unequal lengths, with every field that the lab can fill."""
    rng = np.random.default_rng(0)
    mask = np.arange(5) < rng.integers(2, 6, size=(24, 1))
    extra: dict[str, Any] = {"state_keys": rng.integers(1, 4, size=(24, 5)), "values": rng.random((24, 6))}
    extra |= {"true_advantages": rng.normal(size=(24, 5)), "parents": np.full((24, 2), -1)}
    return TurnBatch(
        turn_rewards=rng.integers(0, 3, size=(24, 5)) / 4,
        outcome_rewards=rng.integers(0, 2, size=24).astype(float),
        turn_mask=mask,
        group_ids=np.arange(24) // 4,
        truncated=np.zeros(24, dtype=bool),
        **extra,
    )
