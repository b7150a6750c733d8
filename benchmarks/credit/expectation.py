"""The distribution of an estimator's gradient at a fixed policy: enumerated where that is feasible, else sampled."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np

from benchmarks.credit.cells import Problem
from benchmarks.credit.contenders import Contender, Session
from benchmarks.credit.experience import Experience, Way, plain
from benchmarks.credit.metrics import Moments
from benchmarks.credit.sampling import Ints, Plays, play, score_gradients
from benchmarks.credit.truth import PolicyValues, evaluate_all
from turnenv.exact import Floats, over_observations, over_states, policy_gradient, softmax

MAX_GROUPS = 20_000
"""More groups than this (as multisets of trajectories) are sampled instead."""


@dataclass(frozen=True, eq=False)
class Measured:
    """A cell's measured policy with its exact values and sampled batches, shared by all estimators.

    Attributes:
        problem: the cell.
        blocks: plain episodes, N blocks of M batches.
        seed: draws them.
    """

    problem: Problem
    blocks: tuple[Plays, ...]
    seed: int = 0

    @classmethod
    def of(cls, problem: Problem, blocks: int, batches: int, seed: int = 0) -> Measured:
        """Sample blocks · batches batches of the measured policy."""
        policies = np.broadcast_to(softmax(problem.measured_logits), (batches, *problem.shape))
        draws = (_draws(problem, batches, seed, block) for block in range(blocks))
        return cls(problem, tuple(play(problem.model, policies, starts, noise) for starts, noise in draws), seed)

    def experience(self, block: int, session: Session, way: Way) -> Experience:
        """A block played in the method's way: with the same noise, and further noise where it plays more."""
        if way is plain:
            return Experience.of(self.blocks[block])
        batches = len(self.blocks[block].states)
        starts, noise = _draws(self.problem, batches, self.seed, block)
        return session.play(self.problem, self.policies(batches), starts, noise)

    @cached_property
    def policy(self) -> Floats:
        """(O, A)."""
        return softmax(self.problem.measured_logits)

    def policies(self, count: int) -> Floats:
        """The policy, repeated, (count, O, A)."""
        return np.broadcast_to(self.policy, (count, *self.policy.shape))

    @cached_property
    def outcome_gradient(self) -> Floats:
        """The exact gradient of the expected outcome in the logits, by turn, (H, O, A)."""
        return self._gradient("outcome")

    @cached_property
    def shaped_gradient(self) -> Floats:
        """The exact gradient of the expected sum of turn rewards and outcome, by turn, (H, O, A)."""
        return self._gradient("shaped")

    @cached_property
    def values(self) -> PolicyValues:
        """Exact values of the outcome."""
        return evaluate_all(self.problem.model, self.policy[None], "outcome")

    def true_advantages(self, plays: Plays) -> Floats:
        """A^π of the outcome, of each turn played, in the shape of the plays."""
        return PolicyValues(
            *(np.broadcast_to(a, (len(plays.states), *a.shape[1:])) for a in (self.values.q, self.values.v))
        ).advantages(plays)

    def _gradient(self, objective: str) -> Floats:
        model = self.problem.model
        over_SA = policy_gradient(model, over_states(model, self.policy), objective)  # type: ignore[arg-type]
        return over_observations(model, over_SA)


def _draws(problem: Problem, batches: int, seed: int, block: int) -> tuple[Ints, Floats]:
    """First states (M, E) and noise (M, E, H, 2) of a block."""
    cell, rng = problem.cell, np.random.default_rng((seed, block, 0xB10C))
    starts = problem.starts(batches * cell.groups, rng).repeat(cell.group_size).reshape(batches, -1)
    return starts, rng.random((batches, cell.episodes, problem.model.horizon, 2))


@dataclass(frozen=True, eq=False)
class Sampled:
    """An estimator on a cell's samples.

    Attributes:
        experience: each block as the estimator's method played it.
        advantages: of each block, (M, E, H).
        gradients: of the batches of each block, (M, O, A).
        moments: of the gradient.
        turns_ratio: turns of a plain batch divided by those of the method's batch.
    """

    experience: tuple[Experience, ...]
    advantages: tuple[Floats, ...]
    gradients: tuple[Floats, ...]
    moments: Moments
    turns_ratio: float


def sample(measured: Measured, contender: Contender, seed: int = 0) -> Sampled:
    """Call the estimator on every sampled batch."""
    advantages, gradients, means, squares, turn_squares, experience = [], [], [], [], [], []
    for block, plays in enumerate(measured.blocks):
        policies = measured.policies(len(plays.states))
        # One that remembers is given the batches of a block one after the other.
        session = Session(contender, 1, seed + block)
        experience.append(measured.experience(block, session, contender.way))
        advantages.append(session.advantages(measured.problem, policies, experience[-1]))
        by_turn = score_gradients(measured.problem.model, policies, experience[-1].plays, advantages[-1])
        gradients.append(by_turn.sum(1))
        means.append(by_turn.mean(0))
        squares.append((gradients[-1] ** 2).sum((1, 2)).mean())
        turn_squares.append((by_turn**2).sum((2, 3)).mean(0))
    moments = Moments(np.array(means), np.array(squares), np.array(turn_squares), len(measured.blocks[0].states))
    spent = sum(int(played.turns.sum()) for played in experience)
    ratio = sum(int(plays.turns.sum()) for plays in measured.blocks) / spent
    return Sampled(tuple(experience), tuple(advantages), tuple(gradients), moments, ratio)


def enumerated(measured: Measured, contender: Contender, *, max_groups: int = MAX_GROUPS) -> Moments | None:
    """The exact moments, over every possible group with its probability; None where that is not feasible.

    It is feasible if episodes are played plainly, a group's advantages depend on that group alone and on no chance, and
    there are at most `max_groups` multisets of G trajectories. A batch of P groups has the same mean, and a P-th of one
    group's covariance.
    """
    if contender.way is not plain or not contender.groupwise:
        return None
    cell, model = measured.problem.cell, measured.problem.model
    starts = np.flatnonzero(model.start)
    paths = {int(start): _paths(measured, int(start), max_groups) for start in starts}
    found = [
        0 if path is None else math.comb(len(path) + cell.group_size - 1, cell.group_size) for path in paths.values()
    ]
    if min(found) == 0 or sum(found) > max_groups:
        return None
    session = Session(contender, 1, 0)
    mean, square, turn_square = np.zeros_like(measured.outcome_gradient), 0.0, np.zeros(model.horizon)
    for start, some in paths.items():
        assert some is not None
        for weights_R, plays in _groups(some, cell.group_size, model.horizon):
            policies = measured.policies(len(weights_R))
            advantages = session.advantages(measured.problem, policies, Experience.of(plays))
            by_turn = score_gradients(model, policies, plays, advantages)
            chance_R = weights_R * model.start[start]
            mean += np.tensordot(chance_R, by_turn, 1)
            square += float(chance_R @ (by_turn.sum(1) ** 2).sum((1, 2)))
            turn_square += chance_R @ (by_turn**2).sum((2, 3))
    length, turn_length = float((mean.sum(0) ** 2).sum()), (mean**2).sum((1, 2))
    of_batch = length + (square - length) / cell.groups
    turns_of_batch = turn_length + (turn_square - turn_length) / cell.groups
    return Moments(mean[None], np.array([of_batch]), turns_of_batch[None], 0)


@dataclass(frozen=True)
class _Path:
    """One possible trajectory: its probability, cells (state, action, reward), outcome, and whether it was cut."""

    probability: float
    cells: tuple[tuple[int, int, float], ...]
    outcome: float
    truncated: bool


def _paths(measured: Measured, start: int, limit: int) -> list[_Path] | None:
    """Every trajectory from a state; None if there are more than `limit`."""
    model, done = measured.problem.model, []
    pending = [(_Path(1.0, (), 0.0, False), start)]
    while pending:
        path, state = pending.pop()
        if len(path.cells) == model.horizon:
            done.append(_Path(path.probability, path.cells, float(model.silence[state]), True))
            continue
        for action, branch in np.argwhere(model.probabilities[state] > 0.0).tolist():
            cell = state, action, branch
            chance = measured.policy[model.observations[state], action] * model.probabilities[cell]
            cells = (*path.cells, (state, action, float(model.turn_rewards[cell])))
            longer = _Path(path.probability * chance, cells, float(model.outcome_rewards[cell]), False)
            if model.ends[cell]:
                done.append(longer)
            else:
                pending.append((longer, int(model.next_states[cell])))
        if len(done) + len(pending) > limit:
            return None
    return done


def _groups(paths: Sequence[_Path], size: int, horizon: int) -> Iterator[tuple[Floats, Plays]]:
    """Every multiset of trajectories with its multinomial probability, a few thousand at a time."""
    groups = list(combinations_with_replacement(range(len(paths)), size))
    arrays = _as_arrays(paths, horizon)
    for first in range(0, len(groups), 4096):
        some = np.array(groups[first : first + 4096])
        weights = [
            math.factorial(size)
            * math.prod(
                paths[path].probability ** count / math.factorial(count) for path, count in Counter(group).items()
            )
            for group in groups[first : first + 4096]
        ]
        yield np.array(weights), Plays(*(array[some] for array in arrays))


def _as_arrays(
    paths: Sequence[_Path], horizon: int
) -> tuple[Ints, Ints, Floats, np.typing.NDArray[np.bool_], Floats, np.typing.NDArray[np.bool_]]:
    shape = (len(paths), horizon)
    states, actions = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    rewards, mask = np.zeros(shape), np.zeros(shape, dtype=bool)
    for row, path in enumerate(paths):
        for turn, (state, action, reward) in enumerate(path.cells):
            states[row, turn], actions[row, turn], rewards[row, turn], mask[row, turn] = state, action, reward, True
    outcomes = np.array([path.outcome for path in paths])
    return states, actions, rewards, mask, outcomes, np.array([path.truncated for path in paths])
