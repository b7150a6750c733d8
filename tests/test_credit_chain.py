"""CreditChain: every knob does what it says, and nothing is farmed."""

import gymnasium
import numpy as np
import pytest
from exact_play import check_lock_step, check_monte_carlo
from hypothesis import given
from hypothesis import strategies as st

from agents.scripted.credit_chain import make_expert
from turnenv import Scripted, collect
from turnenv.envs import IDS
from turnenv.envs.credit_chain import ERRORS, MODES, SIGNALS, CreditChain
from turnenv.exact import evaluate, expected_return, optimal, softmax, tabular_model

CHAINS = [env_id for env_id in IDS if "CreditChain" in env_id]


def play(actions, task=0, seed=0, **kwargs):
    env = CreditChain(**kwargs)
    env.reset(seed=seed, options={"task": task})
    return [env.step(action) for action in actions]


def rights(task=0, **kwargs):
    """The right actions, read off the signals (a0 where it is grey)."""
    env, act = CreditChain(**{**kwargs, "errors": "silent", "slip": 0.0}), make_expert()
    observation, _ = env.reset(seed=0, options={"task": task})
    actions, over = [], False
    while not over:
        actions.append(act(observation))
        observation, _, terminated, truncated, _ = env.step(actions[-1])
        over = terminated or truncated
    return actions


def wrong(action, actions=4):
    return f"a{(int(action[1:]) + 1) % actions}"


def test_golden_episode():
    env = CreditChain(3)
    observation, info = env.reset(seed=0, options={"task": 0})
    assert observation == "Turn 1 of 3. Position 1 of 3. Signal: blue."
    assert "amber: a0, blue: a1, coral: a2, denim: a3; grey: any action" in info["system_prompt"]
    steps = [env.step("I see blue, not amber (a0): a1"), env.step("a3"), env.step("A3.")]
    assert [step[0] for step in steps] == [
        "Turn 2 of 3. Position 2 of 3. Signal: denim.",
        "Turn 3 of 3. Position 3 of 3. Signal: denim.",
        "The chain holds.",
    ]
    assert [step[1] for step in steps] == [0.25, 0.25, 1.0]
    assert steps[-1][4]["outcome"] == {"reward": 1.0, "success": True, "end": "solved", "components": {"chain": 1.0}}


def test_one_silent_error_breaks_the_chain_and_the_rest_is_still_paid():
    good = rights(length=4)
    steps = play([good[0], wrong(good[1]), *good[2:]], length=4)
    assert [step[4]["turn_reward"] for step in steps] == pytest.approx([0.5 / 3, 0.0, 0.5 / 3, 0.0])
    assert steps[-1][0] == "The chain is broken."
    assert steps[-1][4]["outcome"]["end"] == "failed"
    assert "Wrong" not in "".join(step[0] for step in steps)


def test_a_fatal_error_ends_the_episode():
    good = rights(length=4)
    *_, last = play([good[0], wrong(good[1])], length=4, errors="fatal", mode="potential")
    assert last[2]
    assert last[4]["turn_rewards"] == pytest.approx([0.125, -0.125])
    assert last[4]["outcome"]["end"] == "failed"


def test_a_recoverable_error_sets_back_and_states_recur_without_a_clock():
    good = rights(length=3)
    actions = [good[0], wrong(good[1]), good[0], good[1], good[2]]
    steps = play(actions, length=3, errors="recoverable", setback=1, clock=False)
    assert steps[1][0].startswith("Wrong. Position 1 of 3.")
    assert [step[4]["turn_reward"] for step in steps] == [0.25, 0.0, 0.0, 0.25, 0.0]
    assert steps[-1][4]["outcome"]["success"]
    twice = play([wrong(good[0]), wrong(good[0]), good[0]], length=3, errors="recoverable", clock=False)
    assert twice[1][4]["state_key"] == twice[2][4]["state_key"]
    clocked = play([wrong(good[0]), wrong(good[0]), good[0]], length=3, errors="recoverable")
    assert clocked[1][4]["state_key"] != clocked[2][4]["state_key"]


@pytest.mark.parametrize("text", ["What? a7", "a1.5"])
def test_a_message_without_an_action_is_refused_and_counts_as_an_error(text):
    step = play([text], length=3)[0]
    assert step[0].startswith("Your message names no action: write one of a0, a1, a2, a3.")
    assert not step[4]["valid_action"]
    assert not play(["?", *rights(length=3)[1:]], length=3)[-1][4]["outcome"]["success"]


def test_stopping_pays_its_sure_prize_and_is_no_success():
    step = play(["I would rather Stop"], stop_reward=0.25)[0]
    assert step[2]
    assert step[4]["outcome"] == {"reward": 0.25, "success": False, "end": "answered", "components": {"stopped": 0.25}}
    assert not play(["stop"])[0][4]["valid_action"]


def test_the_bait_is_never_right_and_the_shuffled_pay_is_as_dense_as_the_aligned():
    for task in range(50):
        chain = CreditChain(8, mode="hackable").start(None, {"task": task})[0].chain
        assert all(paid != right for paid, right in zip(chain.paid, chain.right, strict=True))
        shuffled, aligned = (CreditChain(8, mode=mode)._chain(task) for mode in ("shuffled", "aligned"))
        assert [here < 0 for here in shuffled.paid] == [here < 0 for here in aligned.paid]
        assert shuffled.right == aligned.right


def test_noise_swaps_pay_at_its_rate_and_all_of_a_group_see_the_same():
    good = rights(length=64)
    pay = [step[4]["turn_reward"] > 0 for seed in range(20) for step in play(good, seed=seed, length=64, mode="noisy")]
    assert np.mean(pay) == pytest.approx(0.8 * 63 / 64, abs=0.03)
    first, second = (play(good, seed=5, length=64, mode="noisy") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("kwargs", [{"distractors": 3}, {"pivot": 2}, {"delay": 3}])
def test_grey_turns_have_a_true_advantage_of_exactly_zero(kwargs):
    env = CreditChain(5, actions=3, **kwargs)
    model = tabular_model(env)
    policy = np.random.default_rng(0).dirichlet(np.ones(3), len(model.keys))
    advantages = evaluate(model, policy).advantages
    grey = [env._chain(0).right[key[2]] < 0 for key in model.keys]
    assert (
        sum(right < 0 for right in env._chain(0).right)
        == {"distractors": 3, "pivot": 4, "delay": 3}[next(iter(kwargs))]
    )
    for turn in range(model.horizon):
        at_turn = [number for number, key in enumerate(model.keys) if key[1] == turn and grey[number]]
        assert np.abs(advantages[turn, at_turn]).max(initial=0.0) < 1e-15
    assert np.abs(advantages).max() > 0.05


@given(
    data=st.data(),
    mode=st.sampled_from(MODES),
    errors=st.sampled_from(ERRORS),
    length=st.integers(2, 6),
    setback=st.integers(0, 2),
    distractors=st.integers(0, 1),
    delay=st.integers(0, 2),
    task=st.integers(0, 99),
)
def test_no_sequence_of_actions_beats_the_expert_and_potentials_telescope(
    data, mode, errors, length, setback, distractors, delay, task
):
    kwargs = {"mode": mode, "errors": errors, "setback": setback, "distractors": distractors, "delay": delay}
    env = CreditChain(length, slack=20, **kwargs)
    env.reset(seed=1, options={"task": task})
    texts, over = st.sampled_from(["a0", "a1", "a2", "a3", "?"]), False
    while not over:
        _, _, terminated, truncated, info = env.step(data.draw(texts))
        over = terminated or truncated
    earned = sum(info["turn_rewards"])
    assert -1e-12 <= earned <= 0.5 + 1e-12
    if mode == "potential":
        assert earned == pytest.approx(env._potential(env._state), abs=1e-12)
    (expert,) = collect(lambda: CreditChain(length, slack=20, **kwargs), Scripted(make_expert), [1], tasks=[task])
    assert expert.outcome.success
    # Whoever fails earns less than the expert; whoever solves it can only earn more by pay that makes no sense.
    if mode in ("aligned", "potential", "none") or not info["outcome"]["success"]:
        assert earned + info["outcome"]["reward"] <= expert.total_reward + 1e-12


@pytest.mark.parametrize("mode", MODES)
def test_looping_at_a_recoverable_error_is_paid_once_at_most(mode):
    for action in ("a0", "a1", "a2", "a3"):
        steps = play([action] * 30, length=2, mode=mode, errors="recoverable", slack=28, noise=0.0)
        assert sum(step[4]["turn_reward"] > 0.0 for step in steps[:30]) <= 2
        if not steps[-1][2]:
            break


@pytest.mark.parametrize("env_id", CHAINS)
def test_the_optimum_of_the_shaped_objective_solves_the_task_and_the_expert_reaches_it(env_id):
    env = gymnasium.make(env_id).unwrapped
    if env.max_turns > 16:
        env = CreditChain(4, mode="potential", errors="recoverable", setback=1)
    model = tabular_model(env)
    (expert,) = collect(lambda: env, Scripted(make_expert), [0], tasks=[0])
    assert optimal(model, "shaped").v[0, 0] == pytest.approx(expert.total_reward)


@pytest.mark.parametrize("env_id", CHAINS)
@pytest.mark.parametrize("episodes", [1_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_real_episodes_agree_with_the_exact_values(env_id, episodes):
    env = gymnasium.make(env_id).unwrapped
    model = tabular_model(env, (0, 1))
    policy = softmax(4.0 * optimal(model).q[0])
    assert 0.05 < expected_return(model, policy) < 0.99
    check_lock_step(env, tabular_model(env), 50)
    check_monte_carlo(env, model, policy, episodes, (0, 1))


def test_a_snapshot_brings_the_walk_back():
    env = CreditChain(4, slip=0.5, mode="noisy", errors="recoverable")
    env.reset(seed=3)
    env.step("a1")
    here = env.snapshot()
    first = [env.step(action) for action in ("a0", "a2", "a3")]
    env.restore(here)
    assert [env.step(action) for action in ("a0", "a2", "a3")] == first


@pytest.mark.parametrize(
    "kwargs",
    [
        {"length": 1},
        {"actions": 17},
        {"mode": "kind"},
        {"errors": "loud"},
        {"distractors": 8},
        {"pivot": 8},
        {"delay": -1},
        {"noise": 1.5},
        {"stop_reward": 0.9},
        {"weight": -1.0},
    ],
)
def test_arguments_out_of_range_are_refused(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs)).split("_")[0]):
        CreditChain(**kwargs)


def test_every_signal_has_its_own_action():
    assert len(set(SIGNALS)) == len(SIGNALS) == 16
    assert rights(length=64, actions=16) == rights(length=64, actions=16)


def test_a_sign_that_only_folds_to_a_letter_is_no_stop():
    env = CreditChain(3, stop_reward=0.1)
    env.reset(seed=0)
    assert not env.step("\u017ftop")[4]["valid_action"]
