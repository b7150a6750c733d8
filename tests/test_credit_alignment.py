"""Alignment-weighted credit: worked by hand, and learning what it is for on chains of lying and honest rewards."""

import numpy as np
import pytest

from turnenv.credit import TurnBatch, mt_grpo
from turnenv.credit.alignment import Alignment, AlignmentWeighted, aw_grpo, measure_alignment

HALF = 0.5 / (np.sqrt(1 / 3) + 1e-4)  # z of 0 and 1, two of each in a group of four


def four(paid, won):
    """A group of four with one paid turn and one unpaid."""
    return TurnBatch.from_ragged([[float(pay), 0.0] for pay in paid], [float(win) for win in won], [0] * 4)


def test_before_anything_is_seen_turn_rewards_are_trusted():
    assert measure_alignment(four([1, 0, 0, 0], [0, 0, 0, 0])).trust(patience=1e9).tolist() == pytest.approx([1.0, 1.0])


def test_a_winner_that_was_paid_best_counts_for_alignment():
    alignment = measure_alignment(four([1, 1, 0, 0], [1, 0, 0, 0]))
    assert alignment.agreement.tolist() == pytest.approx([HALF**2, 0.0])
    assert alignment.evidence.tolist() == alignment.chance.tolist() == pytest.approx([HALF**2, 0.0])
    # Of the two paid the most, one failed; the other excuses it.
    assert (alignment.failures, alignment.successes) == (1.0, 1.0)
    assert alignment.trust().tolist() == pytest.approx([1.0, 1.0])


def test_a_winner_that_was_not_paid_counts_against_that_turn_most():
    alignment = measure_alignment(four([1, 1, 0, 0], [0, 0, 1, 0]))
    n = HALF**2
    assert alignment.agreement.tolist() == pytest.approx([-n, 0.0])
    common = (4 - n - 2 / 8) / (4 + 2 / 8)
    assert alignment.trust(prior=4.0, patience=8.0).tolist() == pytest.approx([(4 * common - n) / 4, common])


def test_agreement_is_believed_from_two_standard_deviations_on():
    seen = Alignment(np.array([20.0, 6.0, 0.0, -30.0]), np.full(4, 400.0), np.full(4, 100.0))
    # Σ s = -4 takes the prior's 4 away; each turn then stands alone, with √v = 10.
    assert seen.trust(prior=4.0).tolist() == pytest.approx([1.0, 0.3, 0.0, 0.0])


def test_a_small_share_in_many_outcomes_is_full_alignment_and_the_same_share_in_few_is_not_held_against_it():
    weak = {scale: Alignment(*(np.array([x * scale]) for x in (0.1, 1.0, 1.0))) for scale in (1.0, 1_000.0)}
    assert weak[1_000.0].trust().tolist() == [1.0]
    assert weak[1.0].trust().tolist() == [1.0]


def test_only_failures_without_winners_turn_trust_against_pay():
    told = {"failures": 800.0, "successes": 0.0}
    alone = Alignment(np.zeros(1), np.zeros(1), np.zeros(1), **told)
    beside_winners = Alignment(np.array([-900.0]), np.array([900.0]), np.array([900.0]), **told)
    assert alone.trust().tolist() == pytest.approx([-96 / 104])
    assert beside_winners.trust().tolist() == pytest.approx([-100 / 1_004])


def test_without_winners_those_paid_most_count_against():
    alignment = measure_alignment(four([1, 1, 1, 0], [0, 0, 0, 0]))
    assert (alignment.agreement.tolist(), alignment.evidence.tolist(), alignment.failures) == ([0, 0], [0, 0], 3.0)
    assert alignment.trust(prior=4.0, patience=1.0).tolist() == pytest.approx([1 / 7, 1 / 7])


def test_one_success_excuses_as_many_failures_as_patience_says():
    seen = Alignment(*np.zeros((3, 1)), failures=20.0, successes=1.0)
    assert seen.trust(patience=20.0).tolist() == [1.0]
    assert seen.trust(patience=4.0).tolist() == pytest.approx([0.0])
    assert seen.trust(patience=1.0).tolist() == pytest.approx([-15 / 23])


def test_memory_fades_sums_and_keeps_extremes():
    first = measure_alignment(four([2, 2, 0, 0], [1, 0, 0, 0]))
    second = measure_alignment(four([1, 1, 0, 0], [0, 0, 0, 0]), first, memory=0.5)
    assert second.agreement.tolist() == pytest.approx((first.agreement / 2).tolist())
    assert second.highest.tolist() == [2.0, 0.0]
    # Two were paid half of the most ever seen.
    assert second.failures == pytest.approx(0.5 * first.failures + 1.0)


def test_longer_batches_extend_what_is_known():
    short = measure_alignment(TurnBatch.from_ragged([[1.0], [0.0]], [0.0, 0.0], [0, 0]))
    both = measure_alignment(TurnBatch.from_ragged([[1.0, 3.0, 2.0], [0.0]], [0.0, 0.0], [0, 0]), short)
    assert both.highest.tolist() == [1.0, 3.0, 2.0]
    assert len(measure_alignment(TurnBatch.from_ragged([[0.0]], [0.0], [0]), both).highest) == 3


def test_full_trust_is_mt_grpo_with_the_last_turn_scored():
    rng = np.random.default_rng(0)
    batch = TurnBatch(
        rng.random((12, 4)),
        rng.random(12),
        np.arange(4) < rng.integers(1, 5, 12)[:, None],
        np.arange(12) // 4,
        [False] * 12,
    )
    np.testing.assert_allclose(
        aw_grpo(batch, alignment=Alignment(*np.zeros((3, 4)))), mt_grpo(batch, final_turn="turn+outcome")
    )


def test_a_faulted_trajectory_is_no_evidence():
    kept = four([1, 1, 0, 0], [1, 0, 0, 0])
    rows = [*kept.turn_rewards.tolist(), [9.0, 9.0]]
    broken = TurnBatch.from_ragged(rows, [1.0, 0, 0, 0, 0], [0] * 5, faulted=[False] * 4 + [True])
    one, other = measure_alignment(kept), measure_alignment(broken)
    for name in ("agreement", "evidence", "chance", "failures", "successes", "highest"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (aw_grpo(broken)[4] == 0.0).all()


@pytest.mark.parametrize("options", [{"prior": 0.0}, {"patience": 0.0}, {"memory": 1.5}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        aw_grpo(four([1, 0, 0, 0], [1, 0, 0, 0]), **options)


def learn(right, paid, turns, *, batches, seed, actions=4, rate=0.8):
    """Success of a softmax table after REINFORCE with one `AlignmentWeighted`: action 0 wins, `paid` is paid."""
    rng, logits, estimator = np.random.default_rng(seed), np.zeros((turns, actions)), AlignmentWeighted()
    for _ in range(batches):
        policy = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        taken = (rng.random((32, turns))[:, :, None] >= policy.cumsum(axis=1)).sum(axis=2)
        pay = 0.5 * (taken == paid)
        pay[:, -1] = 0.0
        batch = TurnBatch(
            pay, (taken == right).all(axis=1).astype(float), np.ones((32, turns)), np.arange(32) // 8, [0] * 32
        )
        scores = estimator(batch)[:, :, None] * (np.eye(actions)[taken] - policy)
        logits = logits + rate * scores.mean(axis=0)
    return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[:, right].prod(), estimator.alignment.trust()


def test_honest_rewards_are_used_from_the_first_batch():
    success, trust = learn(0, 0, turns=8, batches=80, seed=0)
    assert success > 0.9
    assert trust.min() > 0.9


def test_lying_rewards_are_seen_through():
    success, trust = learn(0, 1, turns=4, batches=300, seed=0)
    assert success > 0.9
    assert trust[:-1].max() < 0.1
