"""The lab's exact side: many policies at once agree with the one-policy solver, enumeration with sampling."""

import numpy as np
import pytest

from benchmarks.credit.cells import Cell, Problem
from benchmarks.credit.contenders import Contender, code_hash
from benchmarks.credit.expectation import Measured, enumerated, sample
from benchmarks.credit.metrics import direction
from benchmarks.credit.sampling import play, score_gradient, score_gradients
from benchmarks.credit.suites import SUITES, cells_of
from benchmarks.credit.truth import evaluate_all, success_probability
from benchmarks.harness.methods import Method
from turnenv import exact
from turnenv.exact import TabularModel, evaluate, expected_return, over_states, policy_gradient, softmax

CHAINS = (
    {"length": 3},
    {"length": 3, "errors": "recoverable", "clock": False, "slack": 2, "slip": 0.2},
    {"length": 4, "errors": "fatal", "mode": "hackable", "stop_reward": 0.25},
    {"length": 4, "distractors": 2, "delay": 1, "mode": "noisy"},
)


def problem(kwargs, **fields):
    return Problem.of(Cell(env_kwargs=kwargs, **fields))


def two_policies(some, seed=0):
    return softmax(np.random.default_rng(seed).normal(size=(2, *some.shape)))


@pytest.mark.parametrize("kwargs", CHAINS)
@pytest.mark.parametrize("objective", ["outcome", "shaped", "success"])
def test_values_of_many_policies_are_those_of_each(kwargs, objective):
    some = problem(kwargs, tasks=2)
    policies = two_policies(some)
    together = evaluate_all(some.model, policies, objective)
    for row, policy in enumerate(policies):
        alone = evaluate(some.model, over_states(some.model, policy), objective)
        np.testing.assert_allclose(together.q[row], alone.q, atol=1e-12)
        np.testing.assert_allclose(together.v[row], alone.v, atol=1e-12)
        success = expected_return(some.model, over_states(some.model, policy), "success")
        assert success_probability(some.model, policies)[row] == pytest.approx(success)


@pytest.mark.parametrize("kwargs", CHAINS)
def test_true_advantages_make_the_true_gradient(kwargs):
    some = problem(kwargs)
    policies, rng = two_policies(some), np.random.default_rng(0)
    starts = some.starts(20_000, rng)[None].repeat(2, 0)
    plays = play(some.model, policies, starts, rng.random((2, 20_000, some.model.horizon, 2)))
    advantages = evaluate_all(some.model, policies, "outcome").advantages(plays)
    found = score_gradients(some.model, policies, plays, advantages)
    for row, policy in enumerate(policies):
        by_state = policy_gradient(some.model, over_states(some.model, policy))
        truth = exact.over_observations(some.model, by_state)
        np.testing.assert_allclose(found[row], truth, atol=0.012)
    np.testing.assert_allclose(score_gradient(some.model, policies, plays, advantages), found.sum(1), atol=1e-12)


@pytest.mark.parametrize("kwargs", CHAINS)
def test_plays_have_the_distribution_of_the_policy(kwargs):
    some = problem(kwargs)
    policies, rng = two_policies(some), np.random.default_rng(1)
    plays = play(
        some.model,
        policies,
        some.starts(20_000, rng)[None].repeat(2, 0),
        rng.random((2, 20_000, some.model.horizon, 2)),
    )
    assert not plays.turn_rewards[~plays.turn_mask].any()
    for row, policy in enumerate(policies):
        expected = expected_return(some.model, over_states(some.model, policy), "outcome")
        assert plays.outcome_rewards[row].mean() == pytest.approx(expected, abs=0.015)
        visits = exact.visitation(some.model, over_states(some.model, policy)).sum(-1)
        np.testing.assert_allclose(plays.turn_mask[row].mean(0), visits, atol=0.015)


def test_equal_noise_and_equal_policies_give_equal_episodes():
    some = problem({"length": 4, "mode": "noisy"})
    policy, noise = two_policies(some)[:1].repeat(2, 0), np.random.default_rng(0).random((1, 8, 4, 2)).repeat(2, 0)
    plays = play(some.model, policy, np.zeros((2, 8), dtype=np.int64), noise)
    assert np.array_equal(plays.actions[0], plays.actions[1])
    assert np.array_equal(plays.turn_rewards[0], plays.turn_rewards[1])


@pytest.mark.parametrize("name", ["grpo_or", "grpo_mr", "mt_grpo", "return_to_go"])
@pytest.mark.parametrize(
    "kwargs", [{"length": 2, "actions": 2}, {"length": 2, "actions": 2, "errors": "fatal", "stop_reward": 0.25}]
)
def test_enumerated_moments_agree_with_sampled_ones(name, kwargs):
    measured = Measured.of(problem(kwargs, group_size=3, groups=2), blocks=10, batches=400)
    contender = Contender.of(Method(name=name))
    sampled, known = sample(measured, contender).moments, enumerated(measured, contender)
    assert known is not None
    assert known.exact
    error = np.sqrt((known.square[0] - (known.mean.sum((0, 1)) ** 2).sum()) / 4_000)
    assert np.abs(sampled.mean.mean(0) - known.mean[0]).max() < 5 * error
    assert sampled.square.mean() == pytest.approx(known.square[0], rel=0.1)
    np.testing.assert_allclose(sampled.turn_square.mean(0), known.turn_square[0], rtol=0.15)


def test_a_leave_one_out_baseline_points_exactly_where_the_outcome_does():
    measured = Measured.of(problem({"length": 2, "actions": 2}, group_size=4), blocks=2, batches=2)
    unbiased = enumerated(measured, Contender.of(Method(name="grpo_or", options={"scale": "none", "baseline": "loo"})))
    np.testing.assert_allclose(unbiased.mean[0], measured.outcome_gradient, atol=1e-12)
    merged = enumerated(measured, Contender.of(Method(name="grpo_mr", options={"scale": "none", "baseline": "loo"})))
    np.testing.assert_allclose(merged.mean[0].sum(0), measured.shaped_gradient.sum(0), atol=1e-12)
    assert direction(merged, measured.shaped_gradient.sum(0)) == pytest.approx(1.0)


def stop_or_call():
    """verl RFC #7244's decision: end now for even odds, or be paid 1 in 80 % of cases and end at the next turn."""
    even = [0.5, 0.5]
    return TabularModel(
        keys=("decide", "answer"),
        actions=("stop", "call"),
        start=np.array([1.0, 0.0]),
        probabilities=np.array([[even, [0.8, 0.2]], [even, even]]),
        next_states=np.array([[[0, 0], [1, 1]], [[0, 0], [0, 0]]]),
        ends=np.array([[[True, True], [False, False]], [[True, True], [True, True]]]),
        turn_rewards=np.array([[[0.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]),
        outcome_rewards=np.array([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]]),
        successes=np.zeros((2, 2, 2), dtype=bool),
        observations=np.arange(2),
        observation_keys=("decide", "answer"),
        silence=np.zeros(2),
        horizon=2,
    )


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("grpo_mr", {"baseline": "loo"}, 0.2),
        ("mt_grpo", {}, 0.0875 * (3 / 4) / (7 / 8)),
        ("mt_grpo", {"baseline": "loo"}, 0.1),
        ("mt_grpo", {"final_turn": "turn+outcome", "baseline": "loo"}, 0.2),
        ("return_to_go", {"baseline": "loo", "absent": "zero"}, 0.2),
    ],
)
def test_the_bias_of_stopping_is_seen_to_three_digits(name, options, expected):
    some = Problem(Cell(group_size=4, right=None, spread=0.0), stop_or_call())
    measured = Measured.of(some, blocks=2, batches=2)
    assert measured.shaped_gradient[0, 0, 1] == pytest.approx(0.2)
    moments = enumerated(measured, Contender.of(Method(name=name, options={"scale": "none", **options})))
    assert moments.mean[0, 0, 0, 1] == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("name", [name for name in SUITES if name != "credit/alignment"])
def test_every_cell_can_be_solved_and_has_an_id_of_its_own(name):
    cells = cells_of(name)
    assert len({cell.cell_id for cell in cells}) == len(cells)
    assert len({cell.facets["setting"] for cell in cells}) == len(cells)
    for cell in cells:
        some = Problem.of(cell)
        best = exact.optimal(some.model, "success").v[0] @ some.model.start
        assert not cell.budget or best > cell.threshold
        assert cell.budget % cell.episodes == 0


def test_the_measured_policy_prefers_the_best_action_where_there_is_one():
    some = problem({"length": 3, "distractors": 1}, right=0.7, spread=0.0)
    policy = softmax(some.measured_logits)
    best = policy.max(1)
    assert sorted(np.round(best, 6)) == [0.25, 0.7, 0.7]
    assert success_probability(some.model, policy[None])[0] == pytest.approx(0.49)


def test_an_estimator_is_known_by_its_code():
    assert code_hash("turnenv.credit:grpo_or") == code_hash("grpo_or") == code_hash("grpo_mr") != code_hash("mt_grpo")
