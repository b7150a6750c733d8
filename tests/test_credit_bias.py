"""Which estimators give the policy gradient when the policy decides when to stop: expectations enumerated exactly."""

import math
from collections import Counter
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from turnenv.credit import TurnBatch, grpo_mr, mt_grpo, return_to_go


@dataclass(frozen=True)
class Path:
    """One possible trajectory: how likely it is, what it earns, and the derivative of log-probability of each turn."""

    probability: float
    turn_rewards: tuple[float, ...]
    outcome: float
    scores: tuple[float, ...]


def bernoulli(chance):
    return ((1.0, chance), (0.0, 1.0 - chance))


def call_or_answer():
    """One decision, even odds: call (turn reward 1 in 80 % of cases, then a second turn) or answer at once."""
    answer = [Path(0.5 * q, (0.0,), o, (-0.5,)) for o, q in bernoulli(0.5)]
    call = [Path(0.5 * p * q, (r, 0.0), o, (0.5, 0.0)) for (r, p), (o, q) in product(bernoulli(0.8), bernoulli(0.5))]
    return answer + call


def stop_or_go_on(go_on=0.6, reward_chance=0.5):
    """Up to two decisions to go on, each paid at random; the third turn is the last in any case."""
    paths = []
    for extra_turns in range(3):
        scores = [1.0 - go_on] * extra_turns + ([-go_on] if extra_turns < 2 else [0.0])
        length_chance = go_on**extra_turns * (1.0 - go_on if extra_turns < 2 else 1.0)
        for paid in product(bernoulli(reward_chance), repeat=extra_turns):
            chance = length_chance * math.prod(p for _, p in paid)
            for outcome, p in bernoulli(0.5):
                paths.append(Path(chance * p, (*(r for r, _ in paid), 0.0), outcome, tuple(scores)))
    return paths


def true_gradient(paths):
    return sum(p.probability * sum(p.scores) * (sum(p.turn_rewards) + p.outcome) for p in paths)


def expected_gradient(paths, group_size, estimator, **options):
    """Average the estimator over every possible group, each weighed by its multinomial probability."""
    groups = list(combinations_with_replacement(range(len(paths)), group_size))
    members = [paths[i] for group in groups for i in group]
    batch = TurnBatch.from_ragged(
        [m.turn_rewards for m in members],
        [m.outcome for m in members],
        np.repeat(np.arange(len(groups)), group_size),
    )
    scores_BK = TurnBatch.from_ragged([m.scores for m in members], [0.0] * len(members), batch.group_ids).turn_rewards
    weights = [
        math.factorial(group_size)
        * math.prod(paths[i].probability ** n / math.factorial(n) for i, n in Counter(group).items())
        for group in groups
    ]
    assert math.fsum(weights) == pytest.approx(1.0)
    gradient_B = (estimator(batch, **options) * scores_BK).sum(axis=1)
    return float(np.repeat(weights, group_size) @ gradient_B) / group_size


@pytest.mark.parametrize(
    ("estimator", "options", "expected"),
    [
        (grpo_mr, {"baseline": "loo"}, 0.2),
        (grpo_mr, {}, 0.175),  # a mean that includes the trajectory itself shrinks by 7/8
        (mt_grpo, {}, 0.0875),  # the paper's final-turn rule: less than half of 0.2
        (mt_grpo, {"baseline": "loo"}, 0.1),
        (mt_grpo, {"final_turn": "turn+outcome"}, 0.175),
        (mt_grpo, {"final_turn": "turn+outcome", "baseline": "loo"}, 0.2),
        (return_to_go, {"baseline": "loo", "absent": "zero"}, 0.2),
    ],
)
def test_final_turn_rule_biases_a_decision_to_stop(estimator, options, expected):
    assert true_gradient(call_or_answer()) == pytest.approx(0.2)
    found = expected_gradient(call_or_answer(), 8, estimator, scale="none", **options)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("group_size", [2, 3, 4])
def test_return_to_go_over_all_members_is_unbiased_under_variable_stopping(group_size):
    paths = stop_or_go_on()
    loo = expected_gradient(paths, group_size, return_to_go, baseline="loo", scale="none", absent="zero")
    mean = expected_gradient(paths, group_size, return_to_go, baseline="mean", scale="none", absent="zero")
    assert loo == pytest.approx(true_gradient(paths), abs=1e-12)
    assert mean == pytest.approx(true_gradient(paths) * (1 - 1 / group_size), abs=1e-12)


def test_lone_survivors_shrink_return_to_go_when_absent_members_are_skipped():
    paths = stop_or_go_on()
    skip = [
        expected_gradient(paths, size, return_to_go, baseline="loo", scale="none", absent="skip") for size in (2, 4, 6)
    ]
    assert skip == sorted(skip)
    assert skip[0] < 0.9 * true_gradient(paths) < skip[-1] < true_gradient(paths)


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("final_turn", ["outcome", "turn+outcome"])
def test_per_turn_baselines_tax_every_decision_to_go_on(accumulate, final_turn):
    found = expected_gradient(
        stop_or_go_on(), 4, mt_grpo, scale="none", baseline="loo", accumulate=accumulate, final_turn=final_turn
    )
    assert 0.0 < found < 0.75 * true_gradient(stop_or_go_on())


def test_later_turn_scores_add_nothing_to_the_expected_gradient_of_going_on():
    plain, accumulated = (
        expected_gradient(
            stop_or_go_on(), 4, mt_grpo, scale="none", baseline="loo", accumulate=accumulate, final_turn="turn+outcome"
        )
        for accumulate in (False, True)
    )
    assert accumulated == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize("group_size", [2, 4, 8])
@pytest.mark.parametrize(("call", "paid"), [(0.5, 0.8), (0.25, 0.6), (0.9, 1.0)])
def test_the_bias_of_the_papers_final_turn_rule_has_a_closed_form(call, paid, group_size):
    """The score of answering at once is dropped, so of E[∇log π (r - mean)] = p(1-p)q only the calls' part is left.

    Calls have ∇log π = 1-p and on average r - p·q = q(1-p), less 1/G of it for the mean that includes the trajectory:
    the expected gradient is p(1-p)q · (1-p) · (G-1)/G, and the bias -p(1-p)q · (p + (1-p)/G).
    """
    paths = [Path(1 - call, (0.0,), 0.0, (-call,))]
    paths += [Path(call * chance, (reward, 0.0), 0.0, (1 - call, 0.0)) for reward, chance in bernoulli(paid)]
    gradient = call * (1 - call) * paid
    assert true_gradient(paths) == pytest.approx(gradient, abs=1e-12)
    found = expected_gradient(paths, group_size, mt_grpo, scale="none")
    assert found == pytest.approx(gradient * (1 - call) * (1 - 1 / group_size), abs=1e-12)
    assert found - gradient == pytest.approx(-gradient * (call + (1 - call) / group_size), abs=1e-12)
