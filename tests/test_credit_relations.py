"""How the estimators reduce to one another, and to TRL's own GRPO when there is one turn."""

from dataclasses import replace

import numpy as np
import pytest

from turnenv.credit import (
    ESTIMATORS,
    NEEDS,
    TurnBatch,
    discounted_sums,
    gdpo,
    gigpo,
    grpo_mr,
    grpo_or,
    igpo,
    matchtir,
    mt_grpo,
    mt_grpo_released,
    placebo,
    reinforce_pp,
    return_to_go,
    turn_gae,
)
from turnenv.credit.returns import merged_rewards


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


@pytest.mark.parametrize(
    "estimator", [gdpo, grpo_or, grpo_mr, igpo, matchtir, mt_grpo, mt_grpo_released, placebo, return_to_go]
)
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


@pytest.mark.parametrize(
    "estimator", [gdpo, grpo_or, grpo_mr, igpo, matchtir, mt_grpo, mt_grpo_released, placebo, return_to_go]
)
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


@each_seed
def test_gigpo_without_a_state_met_twice_is_grpo_mr(seed):
    batch = random_batch(seed)
    apart = replace(batch, state_keys=np.arange(batch.turn_mask.size).reshape(batch.turn_mask.shape))
    assert_same(gigpo(apart), grpo_mr(batch))
    assert_same(gigpo(apart, scale="none"), grpo_mr(batch, scale="none"))
    assert (gigpo(apart, episode="none") == 0.0).all()


@each_seed
def test_states_that_tell_the_turn_alone_make_gigpo_return_to_go(seed):
    batch = random_batch(seed)
    clocked = replace(batch, state_keys=np.broadcast_to(np.arange(4), batch.turn_mask.shape))
    assert_same(gigpo(clocked, gamma=0.9, episode="none"), return_to_go(batch, gamma=0.9))


@each_seed
def test_keys_of_any_size_pool_as_small_ones_do(seed):
    batch, rng = random_batch(seed), np.random.default_rng(seed)
    small_BK, large_X = rng.integers(5, size=batch.turn_mask.shape), rng.integers(-(2**63), 2**63 - 1, size=5)
    assert_same(gigpo(replace(batch, state_keys=small_BK)), gigpo(replace(batch, state_keys=large_X[small_BK])))


@each_seed
def test_matchtir_is_halfway_between_grpo_mr_and_return_to_go(seed):
    batch = random_batch(seed)
    assert_same(matchtir(batch, gamma=0.8), (grpo_mr(batch) + return_to_go(batch, gamma=0.8)) / 2)


@each_seed
def test_igpo_without_discount_ahead_is_one_z_score_over_the_group(seed):
    batch = random_batch(seed)
    rewards_N = merged_rewards(batch)[batch.turn_mask]
    group_N = np.repeat(batch.group_ids, batch.num_turns)
    one_turn_each = TurnBatch.from_ragged(np.zeros((len(rewards_N), 1)), rewards_N, group_N)
    assert_same(igpo(batch, gamma=0.0)[batch.turn_mask], grpo_or(one_turn_each)[:, 0])


@each_seed
def test_one_group_of_one_turn_makes_reinforce_pp_grpo(seed):
    batch = random_batch(seed, K=1, P=1)
    for centre in ("batch", "group"):
        assert_same(reinforce_pp(batch, centre=centre), grpo_mr(batch))


@each_seed
def test_a_group_baseline_hides_what_a_group_is_paid_from_reinforce_pp(seed):
    batch = random_batch(seed)
    shifted = replace(batch, outcome_rewards=batch.outcome_rewards + 3.0 * batch.group_ids)
    assert_same(reinforce_pp(shifted, centre="group"), reinforce_pp(batch, centre="group"))
    assert not np.allclose(reinforce_pp(shifted), reinforce_pp(batch))


@each_seed
def test_values_of_zero_make_undecayed_gae_the_discounted_return(seed):
    batch = random_batch(seed)
    blind = replace(batch, values=np.zeros((len(batch.group_ids), 5)))
    assert_same(turn_gae(blind, gamma=0.9, lam=1.0), discounted_sums(merged_rewards(batch), 0.9))


@each_seed
def test_undecayed_gae_is_the_return_less_the_value_whoever_guessed_it(seed):
    batch = random_batch(seed)
    guessed = replace(batch, values=np.random.default_rng(seed).normal(size=(len(batch.group_ids), 5)))
    returns_BK = discounted_sums(merged_rewards(batch), 0.9)
    assert_same(turn_gae(guessed, gamma=0.9, lam=1.0), (returns_BK - guessed.values[:, :-1]) * batch.turn_mask)


@each_seed
@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {*NEEDS, "placebo"}))
def test_a_placebo_differs_by_the_turn_rewards_alone(seed, name):
    batch = random_batch(seed)
    constant = replace(batch, turn_rewards=np.broadcast_to([0.1, 0.2, 0.3, 0.4], batch.turn_mask.shape))
    # Where all members are paid alike at a turn, there is nothing to deal out.
    assert_same(placebo(constant, estimator=name, seed=seed), ESTIMATORS[name](constant))
    assert_same(placebo(batch, estimator="grpo_or", seed=seed), grpo_or(batch))
