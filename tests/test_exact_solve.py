"""The exact solver: hand-worked values, finite differences, simulation, and what it cannot enumerate."""

import itertools

import gymnasium
import numpy as np
import pytest
from exact_play import check_lock_step, check_monte_carlo

from turnenv import Reply, TextEnv
from turnenv.envs.credit_chain import CreditChain
from turnenv.envs.guess_number import GuessNumber
from turnenv.exact import (
    as_seen,
    evaluate,
    expected_return,
    greedy,
    optimal,
    over_observations,
    over_states,
    policy_gradient,
    simulate,
    softmax,
    tabular_model,
    visitation,
)
from turnenv.exact.branching import branches

CHAINS = (
    {"length": 3},
    {"length": 4, "mode": "noisy", "actions": 3},
    {"length": 3, "mode": "potential", "errors": "recoverable", "setback": 1, "slip": 0.2},
    {"length": 3, "errors": "recoverable", "clock": False, "slack": 2},
    {"length": 4, "errors": "fatal", "mode": "hackable", "stop_reward": 0.25},
    {"length": 4, "distractors": 2, "delay": 1, "mode": "shuffled"},
)


def random_policy(model, seed=0):
    return softmax(np.random.default_rng(seed).normal(size=(len(model.keys), len(model.actions))))


def uniform(model):
    return np.full((len(model.keys), len(model.actions)), 1.0 / len(model.actions))


def test_a_chain_of_two_by_hand():
    model = tabular_model(CreditChain(2, actions=2, weight=0.5))
    assert len(model.keys) == 1 + 2
    values = evaluate(model, uniform(model))
    right = int(model.turn_rewards[0].sum(-1).argmax())
    assert expected_return(model, uniform(model)) == 0.25
    assert values.q[0, 0, right] == 0.5
    assert values.q[0, 0, 1 - right] == 0.0
    assert values.advantages[0, 0, right] == 0.25
    assert expected_return(model, uniform(model), "shaped") == 0.25 + 0.5 * 0.5
    # J = π_1·π_2, and dπ_1/dlogit = π_1·(1 - π_1).
    assert policy_gradient(model, uniform(model))[0, 0, right] == 0.125
    assert optimal(model, "shaped").v[0, 0] == 1.5


@pytest.mark.parametrize("kwargs", CHAINS)
@pytest.mark.parametrize("objective", ["outcome", "shaped", "success"])
def test_the_gradient_is_that_of_finite_differences(kwargs, objective):
    model = tabular_model(CreditChain(**kwargs))
    logits = np.random.default_rng(2).normal(size=(len(model.keys), len(model.actions)))
    exact = policy_gradient(model, softmax(logits), objective).sum(0)
    for cell in itertools.islice(zip(*np.unravel_index(np.argsort(-np.abs(exact), None), exact.shape), strict=True), 5):
        step = np.zeros_like(logits)
        step[cell] = 1e-5
        up, down = (expected_return(model, softmax(logits + sign * step), objective) for sign in (1, -1))
        assert (up - down) / 2e-5 == pytest.approx(exact[cell], abs=1e-8)


@pytest.mark.parametrize("kwargs", CHAINS)
def test_the_optimum_is_reached_by_its_greedy_policy_and_beats_others(kwargs):
    model = tabular_model(CreditChain(**kwargs))
    best = optimal(model, "shaped")
    assert expected_return(model, greedy(best), "shaped") == pytest.approx(float(model.start @ best.v[0]))
    assert np.all(best.v[0] >= evaluate(model, random_policy(model), "shaped").v[0] - 1e-12)


@pytest.mark.parametrize("kwargs", CHAINS)
def test_advantages_average_to_zero_and_visits_to_the_survivors(kwargs):
    model = tabular_model(CreditChain(**kwargs))
    policy = random_policy(model)
    assert np.abs((policy * evaluate(model, policy).advantages).sum(-1)).max() < 1e-12
    visits = visitation(model, policy).sum(-1)
    assert visits[0] == pytest.approx(1.0)
    assert np.all(np.diff(visits) <= 1e-12)


@pytest.mark.parametrize("kwargs", CHAINS)
def test_the_real_environment_and_the_model_in_lock_step(kwargs):
    env = CreditChain(**kwargs)
    for task in (0, 7):
        check_lock_step(env, tabular_model(env, [task]), 100, task)


@pytest.mark.parametrize("kwargs", CHAINS)
def test_simulated_episodes_agree_with_the_exact_values(kwargs):
    model = tabular_model(CreditChain(**kwargs), range(3))
    policy = random_policy(model)
    played = simulate(model, policy, 20_000, np.random.default_rng(0))
    returns = played.outcome_rewards + played.turn_rewards.sum(1)
    for objective, seen in (("outcome", played.outcome_rewards), ("shaped", returns), ("success", played.successes)):
        assert abs(seen.mean() - expected_return(model, policy, objective)) < 4 * seen.std() / np.sqrt(20_000) + 1e-12
    assert np.allclose(played.turn_mask.mean(0), visitation(model, policy).sum(-1), atol=0.02)
    assert not played.turn_rewards[~played.turn_mask].any()


@pytest.mark.parametrize("kwargs", CHAINS)
def test_a_few_thousand_real_episodes_agree(kwargs):
    env = CreditChain(**kwargs)
    model = tabular_model(env, [0, 1])
    check_monte_carlo(env, model, random_policy(model), 2_000, (0, 1))


@pytest.mark.slow
@pytest.mark.parametrize("kwargs", CHAINS)
def test_a_hundred_thousand_real_episodes_agree(kwargs):
    env = CreditChain(**kwargs)
    model = tabular_model(env, [0, 1])
    check_monte_carlo(env, model, random_policy(model), 100_000, (0, 1))


@pytest.mark.parametrize("env_id", ["turnenv/ScienceLab-easy-v0", "turnenv/WordGuess-easy-v0"])
@pytest.mark.parametrize("episodes", [1_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_real_episodes_of_the_games_of_information_agree(env_id, episodes):
    env = gymnasium.make(env_id).unwrapped
    model = tabular_model(env, (1, 3), max_states=100_000)
    check_monte_carlo(env, model, random_policy(model), episodes, (1, 3))


def test_a_policy_over_observations_and_its_gradient():
    model = tabular_model(CreditChain(3))
    assert model.observations.max() + 1 == 3  # whether the chain was broken in silence is not seen
    seen = softmax(np.random.default_rng(0).normal(size=(3, 4)))
    policy = over_states(model, seen)
    folded = over_observations(model, policy_gradient(model, policy))
    assert folded.shape == (3, 3, 4)
    assert folded.sum() == pytest.approx(0.0, abs=1e-12)
    for turn in range(3):
        assert np.count_nonzero(folded[turn].any(-1)) == 1


class Guess(GuessNumber):
    """A guessing game whose agent knows the range that is still open."""

    @property
    def action_texts(self):
        return [str(number) for number in range(self.low, self.high + 1)]

    def observation_key(self, state):
        return state.low, state.high


@pytest.mark.parametrize(("numbers", "turns", "best"), [(5, 1, 1 / 5), (5, 2, 3 / 5), (7, 3, 1.0), (10, 3, 7 / 10)])
def test_an_agent_that_does_not_see_the_hidden_number_bisects_at_best(numbers, turns, best):
    model = tabular_model(Guess(1, numbers, max_turns=turns), range(numbers))
    assert model.start @ optimal(model).v[0] == pytest.approx(1.0)
    seen = as_seen(model)
    assert seen.start @ optimal(seen).v[0] == pytest.approx(best)


def test_seen_or_hidden_a_policy_over_observations_has_one_value_and_one_gradient():
    model = tabular_model(Guess(1, 6, max_turns=3), range(6))
    seen = as_seen(model)
    policy = softmax(np.random.default_rng(0).normal(size=(len(seen.keys), 6)))
    hidden = over_states(model, policy)
    assert expected_return(model, hidden, "shaped") == pytest.approx(expected_return(seen, policy, "shaped"))
    gradient = over_observations(model, policy_gradient(model, hidden, "shaped"))
    assert gradient == pytest.approx(policy_gradient(seen, policy, "shaped"), abs=1e-12)


def test_an_observation_that_forgets_what_matters_is_no_state():
    with pytest.raises(ValueError, match="does not sum up"):
        as_seen(tabular_model(CreditChain(3)))


def test_a_policy_may_depend_on_the_turn():
    model = tabular_model(CreditChain(**CHAINS[3]))
    tied = random_policy(model)
    untied = np.broadcast_to(tied, (model.horizon, *tied.shape))
    assert expected_return(model, untied) == expected_return(model, tied)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (5, 3)])
def test_a_policy_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="must be"):
        evaluate(tabular_model(CreditChain(2)), np.ones(shape))


def test_a_policy_that_does_not_sum_to_one_is_refused():
    model = tabular_model(CreditChain(2))
    with pytest.raises(ValueError, match="sum to 1"):
        evaluate(model, 2.0 * uniform(model))


def test_an_unknown_objective_is_refused():
    model = tabular_model(CreditChain(2))
    with pytest.raises(ValueError, match="objective must be"):
        optimal(model, "glory")


def test_too_many_states_are_refused():
    with pytest.raises(ValueError, match="too large"):
        tabular_model(CreditChain(8), max_states=5)


def test_branches_of_a_compared_number_integers_and_choices():
    def run(rng):
        number = rng.random()
        if number < 0.25:
            return "low"
        return f"{'mid' if number < 0.5 else 'high'}{rng.integers(2)}{rng.choice(['a', 'b'], p=[0.1, 0.9])}"

    found = {}
    for probability, result in branches(run):
        found[result] = found.get(result, 0.0) + probability
    assert found["low"] == 0.25
    assert found["mid0a"] == pytest.approx(0.25 * 0.5 * 0.1)
    assert found["high1b"] == pytest.approx(0.5 * 0.5 * 0.9)
    assert sum(found.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("draw", [lambda rng: rng.normal(), lambda rng: float(rng.random())])
def test_a_draw_that_cannot_be_enumerated_says_so(draw):
    with pytest.raises(TypeError, match="cannot be enumerated"):
        list(branches(draw))


class Coin(TextEnv[list]):
    """Cut after two turns in a state that the silence pays."""

    max_turns, num_tasks, action_texts = 2, 1, ("toss", "wait")

    def start(self, rng, options):
        return [0], "toss"

    def respond(self, state, action, rng):
        if action == "toss":
            state[0] += rng.random() < 0.5
        return Reply.turn("…")

    def silence(self, state):
        return {"heads": float(state[0])}

    def state_key(self, state):
        return int(state[0])

    observation_key = state_key


def test_an_episode_that_is_cut_gets_what_silence_pays():
    model = tabular_model(Coin())
    assert optimal(model).v[0, 0] == 1.0
    assert expected_return(model, np.full((len(model.keys), 2), 0.5)) == 0.5
    assert simulate(model, greedy(optimal(model)), 10, np.random.default_rng(0)).truncated.all()
    check_lock_step(Coin(), model, 20)


@pytest.mark.parametrize("noise", [0.0, 0.25])
@pytest.mark.parametrize(("world", "name"), [("GridQuest", "slip"), ("BlocksArm", "drop")])
def test_a_world_with_a_plan_is_modelled_in_lock_step_and_its_optimum_earns_all(world, name, noise):
    env = gymnasium.make(f"turnenv/{world}-easy-v0", **{name: noise}).unwrapped
    for task in (0, 3):
        model = tabular_model(env, [task])
        check_lock_step(env, model, 60, task)
        best = optimal(model, "shaped")
        assert best.v[0] @ model.start <= 1.5 + 1e-12
        if noise == 0.0:
            assert best.v[0] @ model.start == pytest.approx(1.5)
            assert expected_return(model, greedy(best), "success") == 1.0
