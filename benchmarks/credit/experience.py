"""What a method plays for one batch and what that costs: plain episodes, continuations from every state, or trees.

Axes: R policies, E episodes of each, G of them a group, H turns at most, M continuations of a state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.credit.cells import Problem
from benchmarks.credit.sampling import Ints, Plays, play
from turnenv.credit import EstimatorSpec
from turnenv.exact import Floats

CONTINUATIONS = 3
"""Continuations of each state; VinePPO (arXiv 2410.01679) compares 1, 3 and 9."""


@dataclass(frozen=True, eq=False)
class Experience:
    """A batch for each of R policies.

    Attributes:
        plays: the episodes that are trained on.
        fresh: True where a turn was played for this episode; a branch copies the turns before its own, (R, E, H).
        turns: environment turns that the batch cost, those of continuations included and copies not, (R,).
        values: estimated value of the state before each turn, (R, E, H + 1), 0 where masked; None without estimates.
        parents: the episode and turn that each one branched off at, (R, E, 2), -1 for none; None if there are no trees.
    """

    plays: Plays
    fresh: NDArray[np.bool_]
    turns: Ints
    values: Floats | None = None
    parents: Ints | None = None

    @classmethod
    def of(cls, plays: Plays) -> Experience:
        """Plain episodes."""
        return cls(plays, plays.turn_mask, plays.turns)


Draw: TypeAlias = Callable[[tuple[int, ...]], Floats]
"""Gives uniform numbers of a shape for each policy, (R, *shape), each policy's from a generator of its own."""
Way: TypeAlias = Callable[[Problem, Floats, Ints, Floats, Draw], Experience]
"""From a problem, policies (R, O, A), first states (R, E), noise (R, E, H, 2) and further noise to a batch."""


def plain(problem: Problem, policies: Floats, starts: Ints, noise: Floats, draw: Draw) -> Experience:
    """Every episode from its start to its end."""
    return Experience.of(play(problem.model, policies, starts, noise))


def continued(problem: Problem, policies: Floats, starts: Ints, noise: Floats, draw: Draw) -> Experience:
    """The plain episodes, and M continuations from every state on their way, whose mean return is its value.

    VinePPO (arXiv 2410.01679, section 4). Returns are sums of turn rewards and outcome.
    """
    plays, horizon = play(problem.model, policies, starts, noise), problem.model.horizon
    shape = plays.turn_mask.shape
    begins_REH = np.where(plays.turn_mask, np.arange(horizon), horizon)
    states_RN, first_RN = (
        array.reshape(len(policies), -1).repeat(CONTINUATIONS, 1) for array in (plays.states, begins_REH)
    )
    again = play(problem.model, policies, states_RN, draw((*states_RN.shape[1:], horizon, 2)), first_RN)
    returns_RN = again.turn_rewards.sum(-1) + again.outcome_rewards
    means_REH = np.where(plays.turn_mask, returns_RN.reshape(*shape, CONTINUATIONS).mean(-1), 0.0)
    values = np.concatenate([means_REH, np.zeros((*shape[:2], 1))], axis=2)
    return Experience(plays, plays.turn_mask, plays.turns + again.turns, values=values)


def branched(problem: Problem, policies: Floats, starts: Ints, noise: Floats, draw: Draw) -> Experience:
    """Half of each group plays from the start; each of the others branches off one of them at a turn drawn uniformly.

    Random expansion, as Tree-GRPO (arXiv 2509.21240, section 3.2). One that draws turn 0 plays from the start too.
    """
    model, size, episodes = problem.model, problem.cell.group_size, starts.shape[1]
    never, half = np.int64(model.horizon), size // 2
    place_E = np.arange(episodes) % size
    root_E, parent_E = place_E < half, np.arange(episodes) - place_E + place_E % half
    roots = play(model, policies, starts, noise, np.where(root_E, 0, np.full(starts.shape, never)))
    lengths_RE = roots.turn_mask.sum(-1)[:, parent_E]
    at_RE = np.where(root_E, 0, (draw((episodes,)) * lengths_RE).astype(np.int64))
    there_RE = np.take_along_axis(roots.states[:, parent_E], at_RE[..., None], axis=2)[..., 0]
    begin_RE = np.where(at_RE > 0, there_RE, starts)
    branches = play(model, policies, begin_RE, noise, np.where(root_E, never, at_RE))
    copied = (np.arange(model.horizon) < at_RE[..., None]) & ~root_E[:, None]
    played = roots.turn_mask | branches.turn_mask
    joined: list[Any] = [
        _joined(getattr(roots, field.name), getattr(branches, field.name), root_E, parent_E, copied)
        for field in fields(Plays)
    ]
    parents = np.where((at_RE > 0)[..., None], np.stack(np.broadcast_arrays(parent_E, at_RE), axis=-1), -1)
    return Experience(Plays(*joined), played, np.count_nonzero(played, axis=(1, 2)), parents=parents)


def _joined(
    roots: NDArray[np.generic],
    branches: NDArray[np.generic],
    root_E: NDArray[np.bool_],
    parent_E: NDArray[np.intp],
    copied_REH: NDArray[np.bool_],
) -> NDArray[np.generic]:
    """One field of all episodes: the roots', the branches', and what branches copied, (R, E) or (R, E, H)."""
    if roots.ndim == 2:
        return np.where(root_E, roots, branches)
    return np.where(copied_REH, roots[:, parent_E], np.where(root_E[:, None], roots, branches))


def way_of(spec: EstimatorSpec) -> Way:
    """How an estimator's batches are played: what it needs decides."""
    if spec.monte_carlo:
        return continued
    return branched if "parents" in spec.needs else plain
