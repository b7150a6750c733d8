"""Advantages worked by hand, of estimators that pool otherwise than turn by turn, are told values, or read trees."""

from dataclasses import replace

import numpy as np
import pytest
from test_credit_golden import BATCH as UNKEYED
from test_credit_golden import EPS

from turnenv.credit import (
    TurnBatch,
    gigpo,
    grpo_mr,
    igpo,
    matchtir,
    oracle,
    placebo,
    reinforce_pp,
    tree_backup,
    turn_gae,
    vine_ppo,
)
from turnenv.credit.placebo import shuffled_turn_rewards

# Rows are interleaved; group 5 is a, c, e, group 2 is b, d, and f is a faulted member of group 5.
#        turn rewards   outcome   with the outcome   from each turn on   state keys
#   a    1  0  0        2         1 0 2              3 2 2               1 2 2
#   b    0  1           1         0 2                2 2                 1 2
#   c    0  2           0         0 2                2 2                 1 2
#   d    2              1         3                  3                   1
#   e    2              4         6                  6                   1
#   f    faulted
BATCH = replace(UNKEYED, state_keys=np.array([[1, 2, 2], [1, 2, 0], [1, 2, 0], [1, 0, 0], [1, 0, 0], [1, 2, 0]]))
# Whole returns 3, 2, 6 of group 5: deviations -2/3, -5/3, 7/3, std sqrt(13/3). 2, 3 of group 2: -1/2, 1/2, sqrt(1/2).
MA, MC, ME = (d / (np.sqrt(13 / 3) + EPS) for d in (-2 / 3, -5 / 3, 7 / 3))
MB, MD = -0.5 / (np.sqrt(0.5) + EPS), 0.5 / (np.sqrt(0.5) + EPS)
NOBODY = [0, 0, 0]


def padded(a, b, c, d, e):
    return [a, [*b, 0], [*c, 0], [d, 0, 0], [e, 0, 0], NOBODY]


# All nine returns 3 2 2 2 2 2 2 3 6: mean 8/3, squared deviations 2/9 + 24/9 + 100/9 = 14, std sqrt(14/8).
WHITE = np.sqrt(14 / 8) + EPS
# Deviations from the group: a -2/3 (3 turns), b -1/2 (2), c -5/3 (2), d 1/2, e 7/3; in eighteenths, mean -7:
# -5 (3), -2 (2), -23 (2), 16, 49, whose squares sum to 3798.
GROUP = 18 * (np.sqrt(3798 / 324 / 8) + EPS)
# Group 5 in one pool 1 0 2 0 2 6: mean 11/6, squares 894/36. Group 2: 0 2 3: mean 5/3, squares 42/9.
POOL5, POOL2 = 6 * (np.sqrt(894 / 36 / 5) + EPS), 3 * (np.sqrt(42 / 9 / 2) + EPS)
# With γ = 1/2 the returns are a 1.5 1 2, b 1 2, c 1 2, d 3, e 6.
# Turn 1, or state 1, of group 5: 1.5 1 6, in sixths from the mean -8 -11 19, squares 546/36. Of group 2: 1 3.
S5, S2 = 6 * (np.sqrt(546 / 36 / 2) + EPS), np.sqrt(2) + EPS
# Turn 2 of group 5: 1 2. State 2, met three times: 1 2 2, from the mean -2/3 1/3 1/3, std sqrt(1/3).
T5, R5 = np.sqrt(0.5) + EPS, 3 * (np.sqrt(1 / 3) + EPS)

CASES = {
    "reinforce_pp": (
        reinforce_pp,
        {},
        padded(
            [1 / 3 / WHITE, -2 / 3 / WHITE, -2 / 3 / WHITE],
            [-2 / 3 / WHITE] * 2,
            [-2 / 3 / WHITE] * 2,
            1 / 3 / WHITE,
            10 / 3 / WHITE,
        ),
    ),
    "reinforce_pp group": (
        reinforce_pp,
        {"centre": "group"},
        padded([-5 / GROUP] * 3, [-2 / GROUP] * 2, [-23 / GROUP] * 2, 16 / GROUP, 49 / GROUP),
    ),
    "igpo": (
        igpo,
        {},
        padded(
            [-15 / POOL5, -10 / POOL5, 1 / POOL5],
            [-4 / POOL2, 1 / POOL2],
            [-10 / POOL5, 1 / POOL5],
            4 / POOL2,
            25 / POOL5,
        ),
    ),
    "matchtir": (
        matchtir,
        {"gamma": 0.5},
        padded(
            [(MA - 8 / S5) / 2, (MA - 0.5 / T5) / 2, MA / 2],
            [(MB - 1 / S2) / 2, MB / 2],
            [(MC - 11 / S5) / 2, (MC + 0.5 / T5) / 2],
            (MD + 1 / S2) / 2,
            (ME + 19 / S5) / 2,
        ),
    ),
    "gigpo": (
        gigpo,
        {"gamma": 0.5, "weight": 2.0},
        padded(
            [MA - 16 / S5, MA - 4 / R5, MA + 2 / R5],
            [MB - 2 / S2, MB],  # state 2 was met once in group 2
            [MC - 22 / S5, MC + 2 / R5],
            MD + 2 / S2,
            ME + 38 / S5,
        ),
    ),
    "gigpo state alone, unscaled": (
        gigpo,
        {"gamma": 0.5, "scale": "none", "episode": "none"},
        padded([-8 / 6, -2 / 3, 1 / 3], [-1, 0], [-11 / 6, 1 / 3], 1, 19 / 6),
    ),
}


@pytest.mark.parametrize(("estimator", "options", "expected"), CASES.values(), ids=CASES)
def test_by_hand(estimator, options, expected):
    np.testing.assert_allclose(estimator(BATCH, **options), expected, rtol=0, atol=1e-12)


# The clock cut the first trajectory, so the value after it, 5, is what was still to come; the second one was over.
VALUED = TurnBatch.from_ragged(
    [[1, 0, 2], [0, 2]], [0, 0], [0, 0], truncated=[True, False], values=[[1, 1, 1, 5], [2, 4, 9]]
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # Residuals 1+.5-1, 0+.5-1, 2+2.5-1 and 0+2-2, 2+0-4, summed with weight 1/2.
        ({"gamma": 0.5, "lam": 1.0}, [[1.125, 1.25, 3.5], [-1.0, -2.0, 0]]),
        ({"gamma": 1.0, "lam": 0.0}, [[1.0, 0.0, 6.0], [2.0, -2.0, 0]]),
        # The return, with the bootstrap, less the value.
        ({"gamma": 1.0, "lam": 1.0}, [[7.0, 6.0, 6.0], [0.0, -2.0, 0]]),
    ],
)
def test_turn_gae_by_hand(options, expected):
    np.testing.assert_allclose(turn_gae(VALUED, **options), expected, rtol=0, atol=1e-12)


def test_vine_ppo_by_hand():
    # Reward, and the step in value that it came with: the bootstrap of 5 where the clock cut, 0 after the end.
    np.testing.assert_allclose(vine_ppo(VALUED), [[1.0, 0.0, 6.0], [2.0, -2.0, 0]], rtol=0, atol=1e-12)


def test_whitened_gae_has_no_mean_and_unit_spread():
    white_N = turn_gae(VALUED, whiten=True)[VALUED.turn_mask]
    assert white_N.mean() == pytest.approx(0.0)
    assert white_N.std() == pytest.approx(1.0)


def test_the_oracle_hands_on_what_is_true():
    batch = TurnBatch.from_ragged([[0, 0], [0]], [0, 0], [0, 0], true_advantages=[[3, 0], [4]])
    assert oracle(batch).tolist() == [[3, 0], [4, 0]]
    np.testing.assert_allclose(oracle(batch, scale="std"), np.array([[3, 0], [4, 0]]) / np.sqrt(25 / 3))


# Row 1 left row 0 at its second turn, and row 2 left row 1 at its third; row 3 began at the start, like row 0.
#   third turn: 9 and 3 have the mean 6; second turn: 3 + 6 and 2 + 4 have 7.5; first turn: 1 + 7.5 and 5 have 6.75
TREE = TurnBatch.from_ragged(
    [[1, 2, 4], [1, 3, 9], [1, 3, 3], [5]], [0] * 4, [7] * 4, parents=[[-1, -1], [0, 1], [1, 2], [-1, -1]]
)


def test_tree_backup_by_hand():
    expected = [[1.75, -1.5, -1.5], [0, 1.5, 3], [0, 0, -3], [-1.75, 0, 0]]
    np.testing.assert_allclose(tree_backup(TREE), expected, rtol=0, atol=1e-12)
    # Six branches, squared advantages 2 · (1.75² + 1.5² + 3²).
    spread = np.sqrt(2 * (1.75**2 + 1.5**2 + 9) / 5) + EPS
    np.testing.assert_allclose(tree_backup(TREE, scale="std"), np.array(expected) / spread, rtol=0, atol=1e-12)


def test_without_branches_tree_backup_is_dr_grpo():
    batch = replace(BATCH, parents=np.full((6, 2), -1))
    np.testing.assert_allclose(tree_backup(batch), grpo_mr(batch, scale="none"), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "parents",
    [
        [[1, 0], [-1, -1], [-1, -1], [-1, -1]],  # a later row
        [[-1, -1], [0, 3], [-1, -1], [-1, -1]],  # a turn that was not taken
        [[-1, -1], [0, 2], [1, 1], [-1, -1]],  # before the parent had branched off itself
        [[-1, -1], [-1, 0], [-1, -1], [-1, -1]],
    ],
)
def test_what_is_no_tree_is_refused(parents):
    with pytest.raises(ValueError, match="is no branch"):
        replace(TREE, parents=np.array(parents))


def test_a_parent_of_another_group_is_refused():
    with pytest.raises(ValueError, match=r"parents\[1\] = \[0, 1\] is no branch"):
        replace(TREE, group_ids=np.array([7, 8, 8, 7]))


def test_the_placebo_deals_the_same_rewards_out_again():
    rng = np.random.default_rng(0)
    batch = TurnBatch(rng.random((24, 3)), rng.random(24), np.ones((24, 3)), np.arange(24) // 8, [False] * 24)
    dealt = shuffled_turn_rewards(batch, 0)
    for group in range(3):
        rows = slice(8 * group, 8 * group + 8)
        np.testing.assert_array_equal(np.sort(dealt[rows], axis=0), np.sort(batch.turn_rewards[rows], axis=0))
    assert (dealt != batch.turn_rewards).mean() > 0.5
    np.testing.assert_array_equal(placebo(batch, seed=3), placebo(batch, seed=3))
    assert not np.array_equal(placebo(batch, seed=3), placebo(batch, seed=4))
    with pytest.raises(ValueError, match="name another estimator"):
        placebo(batch, estimator="placebo")


@pytest.mark.parametrize(
    ("estimator", "field"),
    [
        (gigpo, "state_keys"),
        (turn_gae, "values"),
        (vine_ppo, "values"),
        (tree_backup, "parents"),
        (oracle, "true_advantages"),
    ],
)
def test_what_a_batch_lacks_is_named(estimator, field):
    with pytest.raises(ValueError, match=f"{estimator.__name__} needs {field}"):
        estimator(TurnBatch.from_ragged([[0.0], [1.0]], [0, 0], [0, 0]))
