"""What holds of every estimator on every batch: symmetries, zero sums, silence of the masked and the faulted."""

from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnenv.credit import (
    ESTIMATORS,
    TurnBatch,
    gdpo,
    gigpo,
    grpo_mr,
    grpo_or,
    mt_grpo,
    mt_grpo_released,
    reinforce_pp,
    return_to_go,
    tree_backup,
    turn_gae,
)

VARIANTS = {
    **ESTIMATORS,
    "grpo_or loo": partial(grpo_or, baseline="loo"),
    "grpo_mr none": partial(grpo_mr, scale="none"),
    "gdpo loo none": partial(gdpo, baseline="loo", scale="none"),
    "mt_grpo lam": partial(mt_grpo, lam=0.2),
    "mt_grpo turn+outcome": partial(mt_grpo, final_turn="turn+outcome"),
    "mt_grpo accumulate": partial(mt_grpo, accumulate=True, alpha=0.9),
    "mt_grpo accumulate turn+outcome loo": partial(
        mt_grpo, accumulate=True, alpha=0.5, final_turn="turn+outcome", baseline="loo"
    ),
    "mt_grpo_released coef": partial(mt_grpo_released, coef=0.3),
    "gigpo none": partial(gigpo, scale="none", episode="none"),
    "reinforce_pp group": partial(reinforce_pp, centre="group"),
    "tree_backup std": partial(tree_backup, scale="std"),
    "turn_gae whiten": partial(turn_gae, whiten=True),
    "return_to_go gamma": partial(return_to_go, gamma=0.9),
    "return_to_go zero": partial(return_to_go, absent="zero"),
    "return_to_go unbiased": partial(return_to_go, baseline="loo", scale="none", absent="zero"),
}
few = settings(max_examples=15, deadline=None)


def each_variant_but(*families):
    """All variants of all estimators but those that the property does not hold for, by design."""
    kept = {name: variant for name, variant in VARIANTS.items() if name.split()[0] not in families}
    return pytest.mark.parametrize("estimate", kept.values(), ids=kept)


each_variant = each_variant_but()
TRAJECTORY_LEVEL = ("grpo_or", "grpo_or loo", "grpo_mr", "grpo_mr none", "gdpo", "gdpo loo none")
TURN_SCORED = tuple(name for name in VARIANTS if name.startswith("mt_grpo") and "released" not in name)
# A constant outcome reaches their turns discounted, or is compared with the 0 of a finished member.
COUNTS_LENGTH = [
    VARIANTS[name] for name in (*(f"return_to_go {option}" for option in ("gamma", "zero", "unbiased")), "matchtir")
]

# Tenths, so that sums round, and a few values only, so that ties and dead groups are common.
rewards = st.integers(-20, 20).map(lambda n: n / 10) | st.sampled_from([0.0, 1.0])


@st.composite
def batches(draw, max_rows=10, max_turns=5):
    """Any batch: ragged lengths, unequal and singleton groups, faulted rows, padding beyond the longest row."""
    B = draw(st.integers(1, max_rows))
    K = draw(st.integers(1, max_turns))
    num_turns_B = np.array(draw(st.lists(st.integers(0, K), min_size=B, max_size=B)))
    return TurnBatch(
        turn_rewards=np.array(draw(st.lists(rewards, min_size=B * K, max_size=B * K))).reshape(B, K),
        outcome_rewards=np.array(draw(st.lists(rewards, min_size=B, max_size=B))),
        turn_mask=np.arange(K) < num_turns_B[:, None],
        group_ids=np.array(draw(st.lists(st.integers(-2, 2), min_size=B, max_size=B))),
        truncated=np.array(draw(st.lists(st.booleans(), min_size=B, max_size=B))),
        state_keys=np.array(draw(st.lists(st.integers(0, 3), min_size=B * K, max_size=B * K))).reshape(B, K),
        values=np.array(draw(st.lists(rewards, min_size=B * (K + 1), max_size=B * (K + 1)))).reshape(B, K + 1),
        parents=np.full((B, 2), -1),
        true_advantages=np.array(draw(st.lists(rewards, min_size=B * K, max_size=B * K))).reshape(B, K),
    )


def rows_of(batch, rows):
    return replace(batch, **{field.name: getattr(batch, field.name)[rows] for field in fields(batch)})


def assert_same(found, expected, atol=1e-9):
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


@each_variant
@few
@given(batch=batches())
def test_advantages_are_finite_and_zero_where_masked(estimate, batch):
    advantages = estimate(batch)
    assert advantages.shape == batch.turn_mask.shape
    assert advantages.dtype == np.float64
    assert np.isfinite(advantages).all()
    assert (advantages[~batch.turn_mask] == 0.0).all()


@each_variant_but("placebo")
@few
@given(batch=batches(), data=st.data())
def test_trajectories_are_exchangeable(estimate, batch, data):
    order = np.array(data.draw(st.permutations(range(len(batch.group_ids)))))
    assert_same(estimate(rows_of(batch, order)), estimate(batch)[order], atol=1e-11)


@each_variant_but("placebo")
@few
@given(batch=batches())
def test_padding_changes_nothing(estimate, batch):
    B, K = batch.turn_mask.shape
    wider = replace(
        batch,
        turn_rewards=np.hstack([batch.turn_rewards, np.full((B, 9), np.nan)]),
        turn_mask=np.hstack([batch.turn_mask, np.zeros((B, 9), dtype=bool)]),
        state_keys=np.hstack([batch.state_keys, np.full((B, 9), 7)]),
        values=np.hstack([batch.values, np.full((B, 9), np.nan)]),
        true_advantages=np.hstack([batch.true_advantages, np.full((B, 9), np.nan)]),
    )
    advantages = estimate(wider)
    assert_same(advantages[:, :K], estimate(batch))
    assert (advantages[:, K:] == 0.0).all()


@each_variant
@few
@given(batch=batches())
def test_names_of_groups_do_not_matter(estimate, batch):
    relabelled = replace(batch, group_ids=1000 - 7 * batch.group_ids)
    np.testing.assert_array_equal(estimate(relabelled), estimate(batch))


@each_variant_but("aw_grpo", "placebo", "reinforce_pp", "turn_gae")
@few
@given(batch=batches())
def test_groups_do_not_see_each_other(estimate, batch):
    for group in np.unique(batch.group_ids):
        rows = batch.group_ids == group
        assert_same(estimate(rows_of(batch, rows)), estimate(batch)[rows], atol=1e-11)


@each_variant_but("placebo")
@few
@given(batch=batches())
def test_faulted_trajectories_change_nothing_for_the_others(estimate, batch):
    assert_same(estimate(rows_of(batch, batch.live)), estimate(batch)[batch.live], atol=1e-11)


def equal_lengths(batch):
    return replace(batch, turn_mask=np.broadcast_to(batch.live[:, None], batch.turn_mask.shape))


@each_variant_but("aw_grpo", "gigpo", "igpo", "reinforce_pp", "turn_gae", "vine_ppo")
@few
@given(batch=batches(), shift=st.integers(-5, 5))
def test_a_constant_on_all_outcomes_of_a_group_changes_nothing(estimate, batch, shift):
    if estimate in COUNTS_LENGTH:
        batch = equal_lengths(batch)
    shifted = replace(batch, outcome_rewards=batch.outcome_rewards + shift * (batch.group_ids + 1))
    assert_same(estimate(shifted), estimate(batch))


@pytest.mark.parametrize("name", TURN_SCORED)
@few
@given(batch=batches(), data=st.data())
def test_a_constant_on_one_turn_of_a_group_changes_nothing_for_turn_scored_estimators(name, batch, data):
    k = data.draw(st.integers(0, batch.turn_mask.shape[1] - 1))
    raised = batch.turn_rewards.copy()
    raised[:, k] += 3.0 * batch.group_ids
    assert_same(VARIANTS[name](replace(batch, turn_rewards=raised)), VARIANTS[name](batch))


def group_sums(values_B, batch):
    return [values_B[batch.group_ids == group].sum() for group in np.unique(batch.group_ids)]


@pytest.mark.parametrize("name", TRAJECTORY_LEVEL)
@few
@given(batch=batches())
def test_trajectory_advantages_sum_to_zero_in_each_group(name, batch):
    assert_same(group_sums(VARIANTS[name](batch)[:, 0], batch), 0.0)


@pytest.mark.parametrize("scale", ["std", "none"])
@few
@given(batch=batches())
def test_return_to_go_sums_to_zero_at_each_turn_of_each_group(scale, batch):
    advantages = return_to_go(batch, scale=scale)
    for k in range(batch.turn_mask.shape[1]):
        assert_same(group_sums(advantages[:, k], batch), 0.0)


@few
@given(batch=batches())
def test_mt_grpo_sums_to_zero_at_each_turn_that_is_final_for_all_or_for_none(batch):
    advantages = mt_grpo(equal_lengths(batch))
    for k in range(batch.turn_mask.shape[1]):
        assert_same(group_sums(advantages[:, k], batch), 0.0)


@each_variant_but("gigpo", "igpo", "oracle", "reinforce_pp", "turn_gae", "vine_ppo")
@few
@given(batch=batches(), reward=rewards, outcome=rewards)
def test_equal_trajectories_earn_no_credit(estimate, batch, reward, outcome):
    same = replace(
        equal_lengths(batch),
        turn_rewards=np.full(batch.turn_mask.shape, reward),
        outcome_rewards=np.full(batch.group_ids.shape, outcome),
    )
    assert_same(estimate(same), 0.0)


@pytest.mark.parametrize("name", [*TURN_SCORED, "grpo_or", "grpo_or loo"])
@few
@given(batch=batches(), reward=rewards, outcome=rewards)
def test_equal_rewards_earn_no_credit_at_unequal_lengths(name, batch, reward, outcome):
    same = replace(
        batch,
        turn_rewards=np.full(batch.turn_mask.shape, reward),
        outcome_rewards=np.full(batch.group_ids.shape, outcome),
    )
    assert (VARIANTS[name](same) == 0.0).all()


@each_variant_but("gigpo", "igpo", "oracle", "reinforce_pp", "turn_gae", "vine_ppo")
@few
@given(batch=batches())
def test_a_group_of_one_earns_no_credit(estimate, batch):
    assert (estimate(replace(batch, group_ids=np.arange(len(batch.group_ids)))) == 0.0).all()
