"""ScienceLab: exact posteriors, information that telescopes, and nothing to farm; the easy one exactly."""

from itertools import product
from math import exp, log, pi, sqrt

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnenv
from agents.scripted import science_lab as players
from turnenv import Scripted, collect
from turnenv.envs.science_lab import ScienceLab, make_lab, posterior
from turnenv.exact import optimal, tabular_model
from turnenv.exact.beliefs import Beliefs

IDS = ["turnenv/ScienceLab-v0", "turnenv/ScienceLab-easy-v0", "turnenv/ScienceLab-hard-v0"]


def entropy(chances):
    return -sum(chance * log(chance) for chance in chances if chance > 0)


def test_golden_episode_of_switches():
    env = ScienceLab("switches", noise=0.2, max_turns=6)
    env.reset(seed=0, options={"task": 5})
    flip = make_lab("switches", 0.2).likelihoods[1][1][0]
    rewards, posterior = [], np.full(8, 1 / 8)
    for x in (1, 2, 0):
        observation, _, _, _, info = env.step(f"I measure x here: measure {x}")
        read = int(observation[-2])
        on = np.array([[0, *law][x] for law in product((0, 1), repeat=3)])
        before = posterior
        posterior = before * np.where(on == read, 1 - flip, flip)
        posterior /= posterior.sum()
        rewards.append(0.5 * (entropy(before) - entropy(posterior)) / log(8))
    assert info["turn_rewards"] == pytest.approx(rewards)
    assert info["turn_reward"] == pytest.approx(0.0, abs=1e-15)
    last = env.step("It must be law 6")
    assert last[0] == "Right."
    assert last[4]["outcome"] == {"reward": 1.0, "success": True, "end": "answered", "components": {"named": 1.0}}
    assert last[4]["turn_reward"] == 0.0


def test_readings_are_rounded_gaussians():
    readings, chances = make_lab("curves", 2.0).chances[5][2]  # y = 5 + 3·5 = 20
    assert sum(chances) == pytest.approx(1.0)
    assert readings == tuple(range(13, 28))
    for reading, chance in zip(readings, chances, strict=True):
        density = exp(-((reading - 20) ** 2) / 8) / (2 * sqrt(2 * pi))
        assert chance == pytest.approx(density, rel=0.12)


def test_laws_differ_and_the_prompt_tells_them():
    prompt = ScienceLab().system_prompt
    assert "law 1: y = 5 + 1·x\n" in prompt
    assert "law 40: " in prompt
    lab = make_lab("curves", 1.5)
    assert len({tuple(of_x[law] for of_x in lab.chances) for law in range(40)}) == 40


@pytest.mark.parametrize(
    "text", ["", "measure", "law", "measure 11", "law 0", "law 41", "measure 99999999999", "law ٣"]
)
def test_what_is_no_command_is_refused(text):
    env = ScienceLab()
    env.reset(seed=0)
    _, reward, over, _, info = env.step(text)
    assert (reward, over, info["valid_action"]) == (0.0, False, False)


@given(measures=st.lists(st.integers(0, 10), min_size=1, max_size=9), task=st.integers(0, 39), seed=st.integers(0, 99))
def test_turns_telescope_to_the_entropy_lost(measures, task, seed):
    env = ScienceLab()
    env.reset(seed=seed, options={"task": task})
    for x in measures:
        info = env.step(f"measure {x}")[4]
    left = entropy(posterior(make_lab("curves", 1.5), env.snapshot().state.readings).values())
    assert sum(info["turn_rewards"]) == pytest.approx(0.5 * (1 - left / log(40)), abs=1e-12)
    assert -1e-12 <= sum(info["turn_rewards"]) <= 0.5 + 1e-12


@given(measures=st.lists(st.integers(0, 10), max_size=5), x=st.integers(0, 10), task=st.integers(0, 39))
def test_the_expected_reward_is_the_expected_information_gain(measures, x, task):
    env, lab = ScienceLab(), make_lab("curves", 1.5)
    env.reset(seed=0, options={"task": task})
    for measure in measures:
        env.step(f"measure {measure}")
    before = env.snapshot().state.readings
    belief, expected = posterior(lab, before), 0.0
    for reading, likelihood in lab.likelihoods[x].items():
        evidence = sum(belief.get(law, 0.0) * chance for law, chance in likelihood.items())
        if evidence:
            after = entropy(posterior(lab, [*before, (x, reading)]).values())
            expected += evidence * (entropy(belief.values()) - after)
    assert expected == pytest.approx(players.information(belief, lab.chances[x]), abs=1e-9)
    assert expected >= -1e-12


def test_measuring_without_end_where_the_laws_agree_earns_nothing():
    env = ScienceLab("switches", noise=0.2, max_turns=50)
    env.reset(seed=3)
    assert [env.step("measure 0")[1] for _ in range(50)] == pytest.approx([0.0] * 50, abs=1e-12)


def test_the_posterior_of_hundreds_of_readings_is_a_distribution():
    lab = make_lab("curves", 1.5)
    possible, chances = lab.chances[4][7]
    likeliest = possible[chances.index(max(chances))]
    belief = posterior(lab, [(4, likeliest)] * 1_000)
    assert sum(belief.values()) == pytest.approx(1.0)
    agreeing = {law for law, (values, of) in enumerate(lab.chances[4]) if likeliest in values}
    most = max(lab.likelihoods[4][likeliest].values())
    assert max(belief, key=belief.get) in {law for law in agreeing if lab.likelihoods[4][likeliest][law] == most}


def test_the_expert_reads_any_noise():
    env = ScienceLab("switches", noise=1e-5, max_turns=6)
    observation, _ = env.reset(seed=0)
    expert = players.make_expert()
    over = False
    while not over:
        observation, _, over, _, info = env.step(expert(observation))
    assert info["outcome"]["success"]


@pytest.mark.parametrize(("laws", "x", "left"), [("switches", 1, 4), ("curves", 9, 1)])
def test_hundreds_of_readings_are_learnt_from(laws, x, left):
    env = ScienceLab(laws, max_turns=400, noise=0.2)
    env.reset(seed=0, options={"task": 0})
    for _ in range(400):
        *_, info = env.step(f"measure {x}")
    assert sum(info["turn_rewards"]) == pytest.approx(0.5 * (1 - log(left) / log(env.num_tasks)))


def test_the_farmer_of_information_never_beats_the_expert():
    def farmer():
        expert = players.make_expert()

        def act(observation):
            wish = expert(observation)
            return wish if wish.startswith("measure") else "measure 10"

        return act

    farmed = collect(IDS[0], Scripted(farmer), range(60))
    expert = collect(IDS[0], Scripted(players.make_expert), range(60))
    assert max(episode.total_reward for episode in farmed) <= 0.5 + 1e-9
    assert min(episode.total_reward for episode in expert if episode.outcome.success) > 1.0


@pytest.mark.slow
def test_the_easy_one_exactly():
    env = gymnasium.make(IDS[1]).unwrapped
    # Two switches of three are told, so that the table stays small: laws 1 to 4.
    model = tabular_model(Beliefs(env, range(4)))
    values = optimal(model, "success")
    start = int(model.start.argmax())
    assert values.v[0, start] > 0.99
    assert values.q[0, start, 0] < values.q[0, start, 2]
    assert values.q[-1, start].max() == pytest.approx(1 / 4)


@pytest.mark.slow
def test_the_optimum_of_the_easy_one_bounds_the_expert():
    env = gymnasium.make(IDS[1]).unwrapped
    model = tabular_model(Beliefs(env, range(env.num_tasks)))
    best = float(optimal(model, "success").v[0] @ model.start)
    expert = collect(IDS[1], Scripted(players.make_expert), range(2000))
    rate = np.mean([episode.outcome.success for episode in expert])
    assert best - 0.03 < rate < best + 0.01
    # A player who sees the law names it.
    assert optimal(tabular_model(env, range(8), max_states=100_000), "success").v[0].max() == 1.0


@pytest.mark.parametrize("env_id", IDS)
def test_the_contract_with_a_player_that_gets_somewhere(env_id):
    checked = turnenv.check_env(env_id, lambda observation, turn: f"measure {turn % 4}" if turn < 4 else f"law {turn}")
    assert "no loop earns more than solving" in {check.claim for check in checked if not check.unchecked}


@pytest.mark.parametrize("kwargs", [{"laws": "murphy"}, {"noise": 0.0}, {"max_turns": 0}])
def test_an_impossible_lab_is_refused(kwargs):
    with pytest.raises(ValueError, match=r"unknown laws|noise must be|at least 1"):
        ScienceLab(**kwargs)


@pytest.mark.parametrize(
    "action", ["law 4.5", "measure 3.5", "law 4e0", "law 8/2", "measure .5", "law 3, or law 4\u00bd"]
)
def test_what_is_no_whole_number_is_named(action):
    env = ScienceLab()
    env.reset(seed=0, options={"task": 3})
    observation, reward, over, _, info = env.step(action)
    assert "is not a whole number" in observation
    assert (reward, over, info["valid_action"]) == (0.0, False, False)


@pytest.mark.parametrize("action", ["law 4", "Law 4.", "law: 4.0", "not law 3 but law #4!", "law 04"])
def test_a_whole_number_is_read_as_people_write_it(action):
    env = ScienceLab()
    env.reset(seed=0, options={"task": 3})
    assert env.step("law 1,000")[0].startswith("There is no law 1000")
    assert env.step(action)[0] == "Right."
