"""How the estimators reduce to one another, and to TRL's own GRPO when there is one turn."""

from dataclasses import replace

import numpy as np
import pytest

from turnenv.credit import TurnBatch, gdpo, grpo_mr, grpo_or, mt_grpo, mt_grpo_released, return_to_go


def random_batch(seed, *, G=6, P=5, K=4, min_turns=1, fault_rate=0.1):
    """P groups of G trajectories in shuffled order, rewards in tenths so that some groups tie."""
    rng = np.random.default_rng(seed)
    B = P * G
    num_turns_B = rng.integers(min_turns, K + 1, B) * (rng.random(B) >= fault_rate)
    return TurnBatch(
        turn_rewards=rng.integers(0, 4, (B, K)) / 10,
        outcome_rewards=rng.integers(0, 3, B) / 2,
        turn_mask=np.arange(K) < num_turns_B[:, None],
        group_ids=rng.permutation(np.repeat(np.arange(P), G)),
        truncated=np.zeros(B, dtype=bool),
    )


each_seed = pytest.mark.parametrize("seed", range(8))


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def trl_advantages(rewards_B, group_size):
    """TRL's own lines for scale_rewards="group": groups are consecutive rows, NaN is an unscorable completion."""
    torch = pytest.importorskip("torch")
    nanstd = pytest.importorskip("trl.trainer.utils").nanstd
    rewards = torch.tensor(rewards_B, dtype=torch.float64)
    grouped = rewards.view(-1, group_size)
    mean = torch.nanmean(grouped, dim=1).repeat_interleave(group_size)
    std = nanstd(grouped, dim=1).repeat_interleave(group_size)
    return torch.nan_to_num((rewards - mean) / (std + 1e-4), nan=0.0).numpy()


@pytest.mark.parametrize("estimator", [grpo_or, grpo_mr, mt_grpo, mt_grpo_released, return_to_go])
@pytest.mark.parametrize("group_size", [2, 3, 8])
def test_one_turn_is_the_grpo_of_trl(estimator, group_size):
    rng = np.random.default_rng(group_size)
    B = 40 * group_size
    outcome_B = rng.integers(0, 4, B) / 3
    faulted_B = rng.random(B) < 0.15
    batch = TurnBatch.from_ragged(np.zeros((B, 1)), outcome_B, np.repeat(np.arange(40), group_size), faulted=faulted_B)
    expected = trl_advantages(np.where(faulted_B, np.nan, outcome_B), group_size)
    # TRL holds Bessel's correction in float32.
    np.testing.assert_allclose(estimator(batch)[:, 0], expected, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("estimator", [grpo_or, grpo_mr, mt_grpo, mt_grpo_released, return_to_go])
@pytest.mark.parametrize("group_size", [2, 3, 8])
def test_one_turn_is_the_z_score_of_torch(estimator, group_size):
    torch = pytest.importorskip("torch")
    grouped = torch.tensor(np.random.default_rng(0).integers(0, 4, (40, group_size)) / 3)
    expected = (grouped - grouped.mean(1, keepdim=True)) / (torch.std(grouped, dim=1, keepdim=True) + 1e-4)
    B = grouped.numel()
    batch = TurnBatch.from_ragged(np.zeros((B, 1)), grouped.flatten().numpy(), np.repeat(np.arange(40), group_size))
    np.testing.assert_allclose(estimator(batch)[:, 0], expected.flatten().numpy(), rtol=0, atol=1e-11)


def test_leave_one_out_is_the_textbook_rloo():
    rewards_B = np.random.default_rng(0).random(6)
    batch = TurnBatch.from_ragged(np.zeros((6, 1)), rewards_B, np.zeros(6, dtype=int))
    others_B = [np.delete(rewards_B, i).mean() for i in range(6)]
    assert_same(grpo_or(batch, baseline="loo", scale="none")[:, 0], rewards_B - others_B)


@each_seed
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("final_turn", ["outcome", "turn+outcome"])
def test_without_turn_rewards_every_estimator_is_grpo_or(seed, final_turn, accumulate):
    batch = random_batch(seed)
    silent = replace(batch, turn_rewards=np.zeros_like(batch.turn_rewards))
    expected = grpo_or(silent)
    assert_same(mt_grpo(silent, final_turn=final_turn, accumulate=accumulate), expected)
    for estimator in (grpo_mr, gdpo, mt_grpo_released):
        assert_same(estimator(silent), expected)


@each_seed
def test_unscaled_gdpo_is_unscaled_grpo_mr(seed):
    batch = random_batch(seed)
    assert_same(gdpo(batch, scale="none"), grpo_mr(batch, scale="none"))


@each_seed
def test_gdpo_hears_the_outcome_beside_louder_turn_rewards_and_grpo_mr_does_not(seed):
    batch = random_batch(seed, fault_rate=0.0)
    louder = replace(batch, turn_rewards=1e6 * batch.turn_rewards)
    totals = replace(batch, outcome_rewards=batch.turn_rewards.sum(axis=1))
    np.testing.assert_allclose(gdpo(louder), grpo_or(batch) + grpo_or(totals), atol=5e-3)
    np.testing.assert_allclose(grpo_mr(louder), grpo_or(totals), atol=5e-3)


@each_seed
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("final_turn", ["outcome", "turn+outcome"])
def test_two_accumulated_turns_are_the_plain_form(seed, alpha, final_turn):
    batch = random_batch(seed, K=2)
    if final_turn == "turn+outcome":
        batch = replace(batch, turn_rewards=batch.turn_rewards * [1.0, 0.0])
    accumulated = mt_grpo(batch, accumulate=True, alpha=alpha, final_turn=final_turn)
    assert_same(accumulated, mt_grpo(batch, lam=alpha, final_turn=final_turn))


@each_seed
def test_accumulation_at_alpha_zero_is_the_turn_alone(seed):
    batch = random_batch(seed)
    assert_same(mt_grpo(batch, accumulate=True, alpha=0.0), mt_grpo(batch, lam=0.0))


@each_seed
@pytest.mark.parametrize("scale", ["std", "none"])
@pytest.mark.parametrize("baseline", ["mean", "loo"])
def test_accumulation_is_the_sum_that_the_paper_writes(seed, scale, baseline):
    batch = random_batch(seed)
    options = {"scale": scale, "baseline": baseline}
    outcome_BK = grpo_or(batch, **options)
    turn_BK = mt_grpo(batch, lam=0.0, final_turn="turn+outcome", **options)
    found = mt_grpo(batch, accumulate=True, alpha=0.7, **options)
    for i, K_i in enumerate(batch.num_turns):
        for k in range(K_i):
            turns = sum(0.7 ** (m - k) * turn_BK[i, m] for m in range(k, K_i - 1))
            assert found[i, k] == pytest.approx(turns + 0.7 ** (K_i - 1 - k) * outcome_BK[i, k], abs=1e-12)


@each_seed
def test_released_code_equals_the_paper_at_coefficient_one_on_two_turns(seed):
    batch = random_batch(seed, K=2, min_turns=2)
    paid_first = replace(batch, turn_rewards=batch.turn_rewards * [1.0, 0.0])
    assert_same(mt_grpo_released(paid_first), mt_grpo(paid_first))
    assert not np.allclose(mt_grpo_released(paid_first, coef=0.2), mt_grpo(paid_first, lam=0.2))


@each_seed
def test_released_code_without_any_result_is_grpo_mr(seed):
    batch = random_batch(seed, K=1)
    assert_same(mt_grpo_released(batch, coef=0.2), grpo_mr(batch))


@each_seed
@pytest.mark.parametrize("absent", ["skip", "zero"])
def test_the_first_return_to_go_is_the_merged_reward(seed, absent):
    batch = random_batch(seed)
    assert_same(return_to_go(batch, absent=absent)[:, 0], grpo_mr(batch)[:, 0])


@each_seed
@pytest.mark.parametrize("baseline", ["mean", "loo"])
def test_absent_members_matter_only_where_lengths_differ(seed, baseline):
    batch = random_batch(seed, min_turns=4)
    zero, skip = (return_to_go(batch, gamma=0.9, baseline=baseline, absent=absent) for absent in ("zero", "skip"))
    assert_same(zero, skip)


@each_seed
def test_return_to_go_at_gamma_zero_scores_each_turn_alone(seed):
    batch = random_batch(seed, min_turns=4)
    with_outcome = batch.turn_rewards + batch.final_turn_mask * batch.outcome_rewards[:, None]
    silent = replace(batch, turn_rewards=with_outcome, outcome_rewards=np.zeros_like(batch.outcome_rewards))
    assert_same(return_to_go(batch, gamma=0.0), mt_grpo(silent, final_turn="turn+outcome"))
