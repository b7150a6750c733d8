"""Advantages of two ragged groups worked by hand."""

import numpy as np
import pytest

from turnenv.credit import TurnBatch, gdpo, group_normalise, grpo_mr, grpo_or, mt_grpo, mt_grpo_released, return_to_go

EPS = 1e-4

# Rows are interleaved; group 5 is a, c, e, group 2 is b, d, and f is a faulted member of group 5.
#        turn rewards   outcome   total   merged
#   a    1  0  0        2         1       3
#   b    0  1           1         1       2
#   c    0  2           0         2       2
#   d    2              1         2       3
#   e    2              4         2       6
#   f    faulted
BATCH = TurnBatch.from_ragged(
    [[1, 0, 0], [0, 1], [0, 2], [2], [2], [9, 9]],
    [2, 1, 0, 1, 4, 9],
    [5, 2, 5, 2, 5, 5],
    faulted=[False, False, False, False, False, True],
)

# Group 5. Outcomes 2, 0, 4: mean 2, deviations 0, -2, 2, unbiased std sqrt(8/2) = 2.
OA, OC, OE = 0.0, -2 / (2 + EPS), 2 / (2 + EPS)
# Turn 1 holds 1, 0, 2: mean 1, deviations 0, -1, 1, std 1.
T1A, T1C, T1E = 0.0, -1 / (1 + EPS), 1 / (1 + EPS)
# Turn 2, which a and c took, holds 0, 2: mean 1, deviations -1, 1, std sqrt(2). Turn 3 a took alone: 0.
T2A, T2C = -1 / (np.sqrt(2) + EPS), 1 / (np.sqrt(2) + EPS)
# Totals 1, 2, 2: mean 5/3, deviations -2/3, 1/3, 1/3, std sqrt(6/9/2) = sqrt(1/3).
SA, SC, SE = (d / (np.sqrt(1 / 3) + EPS) for d in (-2 / 3, 1 / 3, 1 / 3))
# Merged 3, 2, 6: mean 11/3, deviations -2/3, -5/3, 7/3, std sqrt(78/9/2) = sqrt(13/3).
MA, MC, ME = (d / (np.sqrt(13 / 3) + EPS) for d in (-2 / 3, -5 / 3, 7 / 3))

# Group 2. Outcomes 1, 1: 0. Turn 1 holds 0, 2: -1, 1 by std sqrt(2). Turn 2 b took alone: 0.
T1B, T1D = -1 / (np.sqrt(2) + EPS), 1 / (np.sqrt(2) + EPS)
# Totals 1, 2 and merged 2, 3: deviations -1/2, 1/2, std sqrt(1/2).
SB, SD = -0.5 / (np.sqrt(0.5) + EPS), 0.5 / (np.sqrt(0.5) + EPS)

FAULTED = [0, 0, 0]
CASES = {
    "grpo_or": (grpo_or, {}, [[OA, OA, OA], [0, 0, 0], [OC, OC, 0], [0, 0, 0], [OE, 0, 0], FAULTED]),
    "grpo_or loo unscaled": (
        grpo_or,  # outcomes 2, 0, 4 less the mean of the other two: 2-2, 0-3, 4-1
        {"baseline": "loo", "scale": "none"},
        [[0, 0, 0], [0, 0, 0], [-3, -3, 0], [0, 0, 0], [3, 0, 0], FAULTED],
    ),
    "grpo_mr": (grpo_mr, {}, [[MA, MA, MA], [SB, SB, 0], [MC, MC, 0], [SD, 0, 0], [ME, 0, 0], FAULTED]),
    "gdpo": (
        gdpo,
        {},
        [[OA + SA] * 3, [SB, SB, 0], [OC + SC, OC + SC, 0], [SD, 0, 0], [OE + SE, 0, 0], FAULTED],
    ),
    "mt_grpo": (
        mt_grpo,
        {"lam": 0.5},
        [[T1A + OA / 2, T2A + OA / 2, OA], [T1B, 0, 0], [T1C + OC / 2, OC, 0], [0, 0, 0], [OE, 0, 0], FAULTED],
    ),
    "mt_grpo turn+outcome": (
        mt_grpo,
        {"lam": 0.5, "final_turn": "turn+outcome"},
        [
            [T1A + OA / 2, T2A + OA / 2, OA],
            [T1B, 0, 0],
            [T1C + OC / 2, T2C + OC, 0],
            [T1D, 0, 0],
            [T1E + OE, 0, 0],
            FAULTED,
        ],
    ),
    "mt_grpo accumulate": (
        mt_grpo,
        {"accumulate": True, "alpha": 0.5},
        [
            [T1A + T2A / 2 + OA / 4, T2A + OA / 2, OA],
            [T1B, 0, 0],
            [T1C + OC / 2, OC, 0],
            [0, 0, 0],
            [OE, 0, 0],
            FAULTED,
        ],
    ),
    "mt_grpo accumulate turn+outcome": (
        mt_grpo,
        {"accumulate": True, "alpha": 0.5, "final_turn": "turn+outcome"},
        [
            [T1A + T2A / 2 + OA / 4, T2A + OA / 2, OA],
            [T1B, 0, 0],
            [T1C + T2C / 2 + OC / 2, T2C + OC, 0],
            [T1D, 0, 0],
            [T1E + OE, 0, 0],
            FAULTED,
        ],
    ),
    "mt_grpo_released": (
        mt_grpo_released,  # d and e took one turn, so no result came back and they get the merged score
        {"coef": 0.5},
        [[OA + SA / 2, OA, OA], [SB / 2, 0, 0], [OC + SC / 2, OC, 0], [SD, 0, 0], [ME, 0, 0], FAULTED],
    ),
    "return_to_go skip": (
        return_to_go,
        # rewards with outcome: a 1 0 2, c 0 2, e 6 | b 0 2, d 3. γ = 1/2:
        # returns: a 1.5 1 2, c 1 2, e 6 | b 1 2, d 3
        # turn 1: 1.5, 1, 6 mean 17/6 | 1, 3 mean 2; turn 2: 1, 2 mean 1.5, b alone; turn 3: a alone
        {"gamma": 0.5, "scale": "none"},
        [[-4 / 3, -0.5, 0], [-1, 0, 0], [-11 / 6, 0.5, 0], [1, 0, 0], [19 / 6, 0, 0], FAULTED],
    ),
    "return_to_go zero": (
        return_to_go,
        # γ = 1: a 3 2 2, c 2 2 0, e 6 0 0 | b 2 2, d 3 0, less the mean of the other members
        {"absent": "zero", "baseline": "loo", "scale": "none"},
        [[-1, 1, 2], [-1, 2, 0], [-2.5, 1, 0], [1, 0, 0], [3.5, 0, 0], FAULTED],
    ),
}


@pytest.mark.parametrize(("estimator", "options", "expected"), CASES.values(), ids=CASES)
def test_two_ragged_groups_by_hand(estimator, options, expected):
    np.testing.assert_allclose(estimator(BATCH, **options), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("baseline", ["mean", "loo"])
@pytest.mark.parametrize("scale", ["std", "none"])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-7, 123456.7])
def test_equal_values_score_exactly_zero_though_their_mean_rounds(value, scale, baseline):
    for size in (1, 3, 7, 11, 100):
        equal = np.full(size, value)
        scores = group_normalise(
            equal, np.ones(size, dtype=bool), np.zeros(size, dtype=np.int64), scale=scale, baseline=baseline
        )
        assert (scores == 0.0).all()


def test_equal_totals_of_differently_rounded_sums_score_nothing_that_matters():
    batch = TurnBatch.from_ragged([[0.1, 0.2], [0.3, 0.0], [0.2, 0.1]], [0.0] * 3, [0] * 3)
    assert np.abs(grpo_mr(batch)).max() < 1e-11


def test_unbiased_std_and_eps_of_a_pair():
    scores = group_normalise(np.array([0.0, 1.0]), np.ones(2, dtype=bool), np.zeros(2, dtype=np.int64))
    np.testing.assert_allclose(scores, [-0.5 / (np.sqrt(0.5) + EPS), 0.5 / (np.sqrt(0.5) + EPS)], rtol=1e-14)
