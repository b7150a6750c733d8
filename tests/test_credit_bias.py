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


def comparable(group_size, baseline, chance=1.0):
    """E[(n - 1) / n], or of 1 if n > 1, where n - 1 of the other members, each by chance, took the turn too."""
    if baseline == "loo":
        return 1.0 - (1.0 - chance) ** (group_size - 1)
    return 1.0 - (1.0 - (1.0 - chance) ** group_size) / (group_size * chance)


def gradient_of_stop_or_go_on(group_size, *, go_on=0.6, r=0.5, final_turn="outcome", baseline="mean", accumulate=False):
    """What unscaled MT-GRPO expects of two decisions to go on, each paid r on average and taken with chance g.

    With c1, c2 the chance of being compared with anybody at turns 1 and 2::

        "turn+outcome":  g(1-g) r (c1 + g c2)         accumulated or not: z_g2 averages 0 among those that took turn 2
        "outcome":       g(1-g)² r (c1 + g c2)        accumulated: (c1 + 2g c2)
        the truth:       g(1-g) r (1 + 2g)

    So even with c1 = c2 = 1 "turn+outcome" lacks g(1-g) · g r: of every decision to go on, the mean r of the next
    reward is subtracted as often as it can be earned.
    """
    first, second = comparable(group_size, baseline), comparable(group_size, baseline, go_on)
    kept = 1.0 - go_on if final_turn == "outcome" else 1.0
    counted = 2.0 if accumulate and final_turn == "outcome" else 1.0
    return go_on * (1.0 - go_on) * r * kept * (first + counted * go_on * second)


each_rule = pytest.mark.parametrize("final_turn", ["outcome", "turn+outcome"])
each_baseline = pytest.mark.parametrize("baseline", ["mean", "loo"])


@each_rule
@each_baseline
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("group_size", [2, 3, 4])
def test_mt_grpo_of_two_decisions_expects_its_closed_form(group_size, accumulate, baseline, final_turn):
    options = {"final_turn": final_turn, "baseline": baseline, "accumulate": accumulate}
    found = expected_gradient(stop_or_go_on(), group_size, mt_grpo, scale="none", **options)
    assert found == pytest.approx(gradient_of_stop_or_go_on(group_size, **options), abs=1e-12)


@pytest.mark.parametrize(
    ("options", "bias"),
    [
        # The truth is 0.24 · 0.5 · 2.2 = 0.264.
        # c1 = 3/4 and c2 = 1 - (1 - 0.4^4) / 2.4 = 0.594; by "loo" 1 and 1 - 0.4^3 = 0.936.
        ({}, -0.211),  # 0.12 · 0.4 · (0.75 + 0.6 · 0.594) = 0.0531
        ({"accumulate": True}, -0.194),  # 0.12 · 0.4 · (0.75 + 1.2 · 0.594) = 0.0702
        ({"final_turn": "turn+outcome"}, -0.131),  # 0.12 · (0.75 + 0.6 · 0.594) = 0.1328
        ({"final_turn": "turn+outcome", "baseline": "loo"}, -0.077),  # 0.12 · (1 + 0.6 · 0.936) = 0.1874
    ],
)
def test_bias_of_mt_grpo_under_variable_stopping_to_three_digits(options, bias):
    found = expected_gradient(stop_or_go_on(), 4, mt_grpo, scale="none", **options)
    assert round(found - true_gradient(stop_or_go_on()), 3) == bias


def sampled_gradients(paths, groups, group_size, estimator, **options):
    """The estimator's gradient on each of many groups drawn at random."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(len(paths), size=groups * group_size, p=[path.probability for path in paths])
    members = [paths[i] for i in drawn]
    batch = TurnBatch.from_ragged(
        [m.turn_rewards for m in members], [m.outcome for m in members], np.repeat(np.arange(groups), group_size)
    )
    scores_BK = TurnBatch.from_ragged([m.scores for m in members], [0.0] * len(members), batch.group_ids).turn_rewards
    return (estimator(batch, **options) * scores_BK).sum(axis=1).reshape(groups, group_size).mean(axis=1)


@pytest.mark.parametrize("paths", [call_or_answer(), stop_or_go_on()], ids=["one decision", "two decisions"])
def test_sampled_groups_tell_the_unbiased_estimator_from_the_biased(paths):
    def errors_from_truth(estimator, **options):
        gradients = sampled_gradients(paths, 20_000, 4, estimator, scale="none", **options)
        return (gradients.mean() - true_gradient(paths)) / (gradients.std(ddof=1) / np.sqrt(len(gradients)))

    assert abs(errors_from_truth(return_to_go, baseline="loo", absent="zero")) < 3.0
    assert errors_from_truth(mt_grpo, baseline="loo") < -20.0
