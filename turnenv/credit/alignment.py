"""Alignment-weighted credit: turn rewards count as far as they have agreed with the outcomes so far.

The estimator is turnenv's own. Write ``z_gk(r)`` for a turn's reward normalised among the members of its group that
took that turn, and ``z_g(R)`` for the outcome normalised in its group. Where turn rewards are right, ``z_gk(r)``
ranks actions without the noise of the other turns; where they are wrong, only ``z_g(R)`` does. So weigh the first by
a trust τ_k::

    A_ik = τ_k z_gk(r_ik) + z_g(R_i)                                           (every turn, the last one too)

**What winners earned.** Let ``w_i = max(0, R_i - mean_g) / (max_g - mean_g)``, the share of the way from the group's
mean to its best outcome, and ``m_gk = max_j z_gk(r_jk)``. The agreement ``s_k = Σ w_i m_gk z_gk(r_ik)`` adds up the
scores of winners, in groups whose turn rewards differ. z has variance 1, so if turn rewards and outcome are unrelated
s_k has mean 0 and a standard deviation of about ``√v_k``, ``v_k = Σ w_i² m_gk²``. If winners always earned the most, it
is ``n_k = Σ w_i m_gk²``. What counts is the sign of the relation and how sure it is, not its size: while a later skill
is missing, a turn whose reward is right decides few outcomes, and its small share in them is just what z_g(R) cannot
resolve.

**What losers earned.** A task may be so hard that no episode wins; then s = n = 0, which says nothing. What can be seen
is episodes that earned the highest reward ever seen at each of their turns, and still had an outcome of 0 or less.
Every ``patience`` of these failures count as one observation against turn rewards, unless episodes that earned as much
did have an outcome above 0: ``d = max(0, failures / patience - successes)``.

**Together**, turn rewards are trusted until shown wrong, as if an agreement of ``prior`` had been seen, and in full
from two standard deviations on; first for all turns together and then for each::

    τ   = clip((prior + Σ_k s_k - d) / (max(prior, 2 √(Σ_k v_k)) + d), floor, 1)
    τ_k = clip((prior τ + s_k) / max(prior, 2 √v_k), floor, 1),   floor = -d / (prior + Σ_k n_k + d)

Trust falls below 0 by failures alone, and only while hardly any episode wins: then a policy that settled on bait can be
moved away from it. Once there are winners to learn from the floor is near 0, because a negative weight would reinforce
whatever earns no turn reward, and in an open set of actions that is mostly nonsense.

s, n, v, failures and successes are sums over batches in which a batch loses ``1 - memory`` of its weight with every
later one. The memory is a few numbers per turn: no critic, no further rollouts. Without it, the many batches without a
winner, which a policy that follows wrong rewards produces, would hide what the few winners showed.

A constant added to a group's outcomes changes nothing but failures and successes: 0 is read as "nothing achieved".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.normalise import group_normalise
from turnenv.credit.options import check_discount

Floats = NDArray[np.float64]

_SURE = 2.0
"""Standard deviations from which on an agreement counts in full."""


def _nothing_seen() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Alignment:
    """What outcomes have shown about turn rewards so far, in sums to which older batches contribute less.

    Attributes:
        agreement: s_k, how far winners chose the actions with the highest rewards at turn k, float (K,).
        evidence: n_k, the agreement that full alignment would have brought, float (K,).
        chance: v_k, the variance of the agreement if turn rewards say nothing about outcomes, float (K,).
        failures: number of episodes that earned the most at every turn, and had an outcome of 0 or less; weighted by
            how nearly they earned it.
        successes: the same of those with an outcome above 0.
        lowest: least reward seen at turn k, float (K,); older batches count in full.
        highest: greatest reward seen at turn k, float (K,); older batches count in full.
    """

    agreement: Floats = field(default_factory=_nothing_seen)
    evidence: Floats = field(default_factory=_nothing_seen)
    chance: Floats = field(default_factory=_nothing_seen)
    failures: float = 0.0
    successes: float = 0.0
    lowest: Floats = field(default_factory=_nothing_seen)
    highest: Floats = field(default_factory=_nothing_seen)

    def trust(self, *, prior: float = 4.0, patience: float = 8.0) -> Floats:
        """τ_k, the weight of turn k's reward, from -1 to 1, float (K,).

        Args:
            prior: agreement that it starts with, above 0.
            patience: failures that count as one observation against, above 0.

        Raises:
            ValueError: if an argument is out of range.
        """
        if prior <= 0.0 or patience <= 0.0:
            raise ValueError(f"prior and patience must be above 0; got {prior} and {patience}")
        doubt = max(0.0, self.failures / patience - self.successes)
        floor = -doubt / (prior + self.evidence.sum() + doubt)
        sure, sure_K = max(prior, _SURE * np.sqrt(self.chance.sum())), np.maximum(prior, _SURE * np.sqrt(self.chance))
        common = np.clip((prior + self.agreement.sum() - doubt) / (sure + doubt), floor, 1.0)
        each_K = (prior * common + self.agreement) / sure_K
        return np.asarray(np.clip(each_K, floor, 1.0))


def measure_alignment(batch: TurnBatch, known: Alignment | None = None, *, memory: float = 0.98) -> Alignment:
    """Add what a batch shows to what is known.

    Args:
        batch: B trajectories of at most K turns.
        known: of earlier batches; it is not changed.
        memory: factor by which the sums of `known` count, from 0 to 1.

    Raises:
        ValueError: if `memory` is not in [0, 1].
    """
    check_discount("memory", memory)
    known = known or Alignment()
    agreement_K, evidence_K, chance_K = _paid_to_winners(batch)
    lowest_K = _over_turns(batch, known.lowest, np.minimum)
    highest_K = _over_turns(batch, known.highest, np.maximum)
    paid_most_B = _paid_most(batch, lowest_K, highest_K)
    won_B = batch.outcome_rewards > 0.0
    return Alignment(
        _longer(memory * known.agreement, agreement_K),
        _longer(memory * known.evidence, evidence_K),
        _longer(memory * known.chance, chance_K),
        memory * known.failures + float(paid_most_B[~won_B].sum()),
        memory * known.successes + float(paid_most_B[won_B].sum()),
        lowest_K,
        highest_K,
    )


def aw_grpo(
    batch: TurnBatch,
    *,
    alignment: Alignment | None = None,
    prior: float = 4.0,
    patience: float = 8.0,
    memory: float = 0.98,
) -> Floats:
    """Weigh each turn's own score by the measured alignment of turn rewards: ``A_ik = τ_k z_gk(r_ik) + z_g(R_i)``.

    turnenv's own; the derivation is at the head of this module. τ = 1 is MT-GRPO (arXiv 2505.11821 v2 eq. 5) with
    ``final_turn="turn+outcome"``, τ = 0 is GRPO on the outcome.

    Args:
        batch: B trajectories of at most K turns.
        alignment: what is known, this batch included; None measures this batch alone.
        prior: agreement that trust starts with, above 0.
        patience: failures that count as one observation against, above 0.
        memory: factor by which earlier batches count, from 0 to 1. Only `AlignmentWeighted` has earlier batches: for
            one batch alone it is checked and changes nothing.

    Returns:
        Advantages, float (B, K), 0 where masked.

    Raises:
        ValueError: if an option is out of range, or `alignment` knows fewer turns than the batch has.
    """
    alignment = measure_alignment(batch, memory=memory) if alignment is None else alignment
    turn_BK = group_normalise(batch.turn_rewards, batch.turn_mask, batch.group_ids)
    outcome_B = group_normalise(batch.outcome_rewards, batch.live, batch.group_ids)
    if len(alignment.agreement) < turn_BK.shape[1]:
        raise ValueError("the alignment knows fewer turns than the batch; measure_alignment(batch, known) adds them")
    trust_K = alignment.trust(prior=prior, patience=patience)[: turn_BK.shape[1]]
    return np.where(batch.turn_mask, trust_K * turn_BK + outcome_B[:, None], 0.0)


@dataclass
class AlignmentWeighted:
    """`aw_grpo` that remembers earlier batches; each training run has its own. `resolve("aw_grpo")` makes a new one.

    Attributes:
        alignment: what the batches so far have shown. The trainer saves it with its checkpoints.
    """

    alignment: Alignment = field(default_factory=Alignment)

    def __call__(self, batch: TurnBatch, *, memory: float = 0.98, **options: Any) -> Floats:
        """Measure the batch, then score it; options and errors as of `aw_grpo`."""
        alignment = measure_alignment(batch, self.alignment, memory=memory)
        advantages_BK = aw_grpo(batch, alignment=alignment, **options)
        self.alignment = alignment
        return advantages_BK

    def remembered(self) -> dict[str, Any]:
        """The alignment as plain numbers and lists."""
        return {name: np.asarray(value).tolist() for name, value in vars(self.alignment).items()}

    def recall(self, remembered: Mapping[str, Any]) -> None:
        """Go on from what `remembered` returned."""
        arrays = {name: np.asarray(value, dtype=float) for name, value in remembered.items() if isinstance(value, list)}
        self.alignment = Alignment(**{**remembered, **arrays})


def _longer(known_K: Floats, found_K: Floats) -> Floats:
    """The sum of two rows, the shorter one padded with 0."""
    total_K = np.zeros(max(len(known_K), len(found_K)))
    total_K[: len(known_K)] += known_K
    total_K[: len(found_K)] += found_K
    return total_K


def _paid_to_winners(batch: TurnBatch) -> tuple[Floats, Floats, Floats]:
    """The sums s_k, n_k and v_k of one batch, (K,) each."""
    _, group_B = np.unique(batch.group_ids, return_inverse=True)
    above_B = group_normalise(batch.outcome_rewards, batch.live, batch.group_ids, scale="none").clip(min=0.0)
    best_B = _greatest(above_B, group_B)
    win_B = np.divide(above_B, best_B, out=np.zeros_like(above_B), where=best_B > 0.0)
    z_BK = group_normalise(batch.turn_rewards, batch.turn_mask, batch.group_ids)
    most_BK = _greatest(z_BK.clip(min=0.0), group_B) * batch.turn_mask
    return win_B @ (most_BK * z_BK), win_B @ most_BK**2, win_B**2 @ most_BK**2


def _greatest(values: Floats, group_B: NDArray[np.intp]) -> Floats:
    """Each row's group maximum, of the shape of `values`, (B,) or (B, K); no value is negative."""
    order_B = np.argsort(group_B, kind="stable")
    starts_G = np.flatnonzero(np.diff(group_B[order_B], prepend=-1))
    return np.asarray(np.maximum.reduceat(values[order_B], starts_G, axis=0)[group_B]) if len(values) else values


def _over_turns(batch: TurnBatch, known_K: Floats, extreme: np.ufunc) -> Floats:
    """The extreme reward at each turn index that any trajectory reached, known ones included."""
    start = np.inf if extreme is np.minimum else -np.inf
    found_K = np.full(max(batch.turn_mask.shape[1], len(known_K)), start)
    found_K[: len(known_K)] = known_K
    here_K = extreme.reduce(np.where(batch.turn_mask, batch.turn_rewards, start), axis=0, initial=start)
    found_K[: len(here_K)] = extreme(found_K[: len(here_K)], here_K)
    return found_K


def _paid_most(batch: TurnBatch, lowest_K: Floats, highest_K: Floats) -> Floats:
    """How nearly a trajectory earned the most at each of its turns whose rewards vary: a product of shares, (B,).

    0 for a trajectory without such a turn, or faulted.
    """
    K = batch.turn_mask.shape[1]
    seen_K = np.isfinite(highest_K[:K])
    span_K = np.subtract(highest_K[:K], lowest_K[:K], out=np.zeros(K), where=seen_K)
    counts_BK = batch.turn_mask & (span_K > 0.0)
    share_BK = np.divide(batch.turn_rewards - lowest_K[:K], span_K, out=np.ones(counts_BK.shape), where=counts_BK)
    return np.asarray(share_BK.prod(axis=1) * counts_BK.any(axis=1))
