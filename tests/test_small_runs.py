"""Small policies: worlds, wrapper, collection, updates by hand, and what the command leaves behind."""

import json
import re

import gymnasium
import numpy as np
import pytest
from benchmark_rows import provenance

from agents.small.collection import play
from agents.small.learner import score_gradient, update
from agents.small.tabular import TabularPolicy
from agents.small.toy_text import TurnRewards, distances, potential
from agents.small.worlds import factored_one_hot, make_world
from benchmarks.__main__ import main
from benchmarks.harness.methods import Method, parse_methods
from benchmarks.harness.statistics import mean_interval
from benchmarks.small.records import Row, RowFile, Run, Settings
from benchmarks.small.report import best_rates, by_rate, render
from benchmarks.small.runs import do, train
from turnenv.credit import resolve
from turnenv.exact import optimal, over_observations, over_states, policy_gradient, softmax

WORLDS = (
    ("CreditChain-easy", {}, 2),
    ("GridQuest-easy", {"slip": 0.2}, 2),
    ("BlocksArm-easy", {}, 1),
    ("FrozenLake-v1", {}, 1),
    ("Taxi-v4", {}, 1),
    ("CliffWalking-v1", {}, 1),
)
LOCKED = [0.015625, 0.9634905689192232, 0.9878995918264362, 0.9940380560846549]
SETTINGS = Settings(policy="tabular", env="CreditChain-easy", steps=10)


def uniform(world):
    return np.full(world.shape, 1.0 / world.shape[1])


def random_table(world, seed=0):
    return softmax(np.random.default_rng(seed).normal(size=world.shape))


def planned(method="mt_grpo", rate=3.0, seed=0, **changes):
    settings = SETTINGS.model_copy(update=changes)
    return Run(settings=settings, method=Method(name=method), learning_rate=rate, seed=seed)


def finished(run, episodes, turns, success):
    fields = {"episodes": episodes, "turns": turns, "success": success, "provenance": provenance()}
    return Row(run_id=run.run_id, run=run, **fields)


def trained(world, method="mt_grpo", rate=3.0, **changes):
    return train(planned(method, rate, **changes), world, TabularPolicy(world.shape, rate))


def test_the_score_gradient_by_hand():
    table = np.array([[0.25, 0.75], [0.5, 0.5]])
    gradient = score_gradient(table, np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([1.0, 2.0, -4.0]))
    # Row 0: 1·(0.75, -0.75) + 2·(-0.25, 0.25); row 1: -4·(-0.5, 0.5).
    assert gradient == pytest.approx(np.array([[0.25, -0.25], [2.0, -2.0]]))


def test_an_update_averages_over_episodes_by_hand():
    world = make_world("CreditChain-easy", {"length": 2})
    played = play(world, world.make_batch(2), uniform(world), [(0, 1)], np.random.default_rng(0))
    policy = TabularPolicy(world.shape, 2.0)
    update(policy, played, np.array([[1.0, 0.0], [0.0, 0.0]]))
    row, action = played.observations[0, 0], played.actions[0, 0]
    expected = np.zeros(world.shape)
    expected[row] = 2.0 / 2 * (np.eye(4)[action] - 0.25)
    assert policy.logits == pytest.approx(expected)


@pytest.mark.parametrize(("env_id", "objective"), [("CreditChain-easy", "outcome"), ("GridQuest-easy", "shaped")])
def test_the_sampled_gradient_of_an_unbiased_estimator_is_the_exact_one(env_id, objective):
    world = make_world(env_id, {"max_turns": 8} if "Grid" in env_id else {}, tasks=2)
    table, rng = random_table(world), np.random.default_rng(0)
    exact = over_observations(world.model, policy_gradient(world.model, over_states(world.model, table), objective))
    estimator = resolve("return_to_go" if objective == "shaped" else "grpo_or")
    options = {"absent": "zero"} if objective == "shaped" else {}
    batch, groups, means = world.make_batch(400), [(task, seed) for task in (0, 1) for seed in range(10)], []
    for _ in range(12):
        played = play(world, batch, table, groups, rng)
        weights = estimator(played.batch, baseline="loo", scale="none", **options)[played.batch.turn_mask] / 400
        seen, actions = (array[played.batch.turn_mask] for array in (played.observations, played.actions))
        means.append(score_gradient(table, seen, actions, weights))
    error = np.std(means, axis=0, ddof=1) / np.sqrt(12)
    assert np.linalg.norm(np.mean(means, axis=0) - exact.sum(0)) < 2.0 * np.linalg.norm(error)
    assert np.linalg.norm(error) < 0.3 * np.linalg.norm(exact.sum(0))


@pytest.mark.parametrize(("env_id", "kwargs", "tasks"), WORLDS)
def test_every_world_plays_with_the_contract(env_id, kwargs, tasks):
    world = make_world(env_id, kwargs, tasks)
    groups = [(tasks - 1, 5), (0, 6)]
    played = play(world, world.make_batch(6), uniform(world), groups, np.random.default_rng(1))
    turns = played.batch
    assert turns.group_ids.tolist() == [0, 0, 0, 1, 1, 1]
    assert turns.turn_mask[:, 0].all()
    assert turns.turn_mask.shape[1] <= world.model.horizon
    assert (turns.outcome_rewards == played.successes).all()
    assert (played.observations < world.shape[0]).all()
    assert len(set(played.observations[:3, 0])) == 1
    assert not played.actions[~turns.turn_mask].any()
    assert (turns.truncated <= ~played.successes).all()


@pytest.mark.parametrize(("env_id", "kwargs", "tasks"), WORLDS)
def test_the_exact_success_is_that_of_real_episodes(env_id, kwargs, tasks):
    world = make_world(env_id, kwargs, tasks)
    # Uniform play hardly ever delivers a passenger; a table that leans towards what the model's optimum does, does.
    best = optimal(world.model, "success").q[0].argmax(-1)
    leaning = over_observations(world.model, np.eye(world.shape[1])[best])
    table = 0.8 * leaning / leaning.sum(-1, keepdims=True) + 0.2 * uniform(world)
    groups = [(index % tasks, 100 + index) for index in range(80)]
    played = play(world, world.make_batch(80), table, groups, np.random.default_rng(2))
    exact = world.success(table)
    assert abs(played.successes.mean() - exact) < 4 * np.sqrt(exact * (1 - exact) / 80) + 1e-9


def test_played_twice_is_the_same():
    world = make_world("FrozenLake-v1", {})
    first, second = (
        play(world, world.make_batch(8), uniform(world), [(0, 3), (0, 4)], np.random.default_rng(7)) for _ in range(2)
    )
    assert np.array_equal(first.actions, second.actions)
    assert np.array_equal(first.batch.turn_rewards, second.batch.turn_rewards)


def test_distances_of_a_lake_by_hand():
    env = gymnasium.make("FrozenLake-v1", desc=["SFH", "FFG"], is_slippery=False)
    # S and the two rooms next to G; the hole never reaches it, and G is its own end.
    assert distances(env.unwrapped.P)[:5].tolist() == [3.0, 2.0, np.inf, 2.0, 1.0]


def test_the_turn_rewards_of_a_lake_by_hand():
    env = TurnRewards(gymnasium.make("FrozenLake-v1", desc=["SFH", "FFG"], is_slippery=False))
    env.reset(seed=0)
    paid = [env.step(action)[4] for action in (1, 0, 2, 2)]
    assert [info["turn_reward"] for info in paid] == pytest.approx([0.5 / 3, 0.0, 0.5 / 3, 0.5 / 3])
    assert [info["outcome_reward"] for info in paid] == [0.0, 0.0, 0.0, 1.0]
    assert paid[-1]["outcome"] == {"reward": 1.0, "success": True, "end": "solved", "components": {"success": 1.0}}
    env.reset(seed=0)
    assert env.step(2)[1] == pytest.approx(0.5 / 3)
    _, reward, terminated, truncated, info = env.step(2)
    assert (reward, terminated, truncated) == (pytest.approx(-0.5 / 3), True, False)
    assert (info["outcome"]["end"], info["outcome_reward"]) == ("failed", 0.0)


def test_a_cliff_that_is_cut_is_truncated_without_an_outcome():
    env = TurnRewards(gymnasium.make("CliffWalking-v1", max_episode_steps=2))
    env.reset(seed=0)
    # The start is 13 steps from the goal, the room above it 12; one step up and one back down.
    assert env.step(0)[1] == pytest.approx(0.5 / 13)
    _, reward, terminated, truncated, info = env.step(2)
    assert (terminated, truncated, info["outcome"]["end"], info["outcome_reward"]) == (False, True, "turn_limit", 0.0)
    assert reward == pytest.approx(-0.5 / 13)
    assert info["turn_rewards"] == pytest.approx([0.5 / 13, -0.5 / 13])


def test_the_potential_is_lost_where_success_is_out_of_reach():
    assert [potential(distance, 4.0) for distance in (4.0, 2.0, 0.0, np.inf)] == [0.0, 0.25, 0.5, 0.0]


@pytest.mark.parametrize("env_id", ["CreditChain-hard", "GridQuest-easy", "BlocksArm-easy"])
def test_what_an_agent_sees_is_read_off_the_current_state(env_id):
    """A contract of `TextEnv`: `respond` changes the state that `start` made in place."""
    world = make_world(env_id, {}, 2)
    batch, rng = world.make_batch(3), np.random.default_rng(0)
    seen, _ = batch.reset(seed=5, options={"task": 1})
    for _ in range(4):
        for env, observation in zip(batch.envs, seen, strict=True):
            key = env.observation_key(env.snapshot().state)
            assert world.model.observation_keys[world.seen(env, observation)] == key
        seen, *_ = batch.step([world.actions[action] for action in rng.integers(world.shape[1], size=3)])


def test_features_are_the_parts_of_the_key():
    features = factored_one_hot([(0, (1, "A")), (0, (2, "A")), (0, (2, ""))])
    assert features.tolist() == [[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]]
    assert factored_one_hot([7]).tolist() == [[1.0]]
    taxi = factored_one_hot(make_world("Taxi-v4", {}).model.observation_keys)
    assert taxi.shape == (500, 5 + 5 + 5 + 4)


def test_mt_grpo_learns_the_easy_chain_from_a_fixed_seed():
    world = make_world("CreditChain-easy", {})
    episodes, turns, success = trained(world)
    assert success[0] == pytest.approx(1 / 64)
    assert success[-1] > 0.9
    assert (episodes[-1], turns[-1]) == (320, 960)
    assert trained(world) == (episodes, turns, success)


def test_the_curve_of_a_seed_stays_the_same():
    """Regression lock: a change of these numbers needs its reason in the commit."""
    world = make_world("CreditChain-easy", {})
    _, _, success = trained(world, seed=1, steps=30)
    assert success[::10] == pytest.approx(LOCKED, abs=1e-12)


def test_mt_grpo_learns_the_cliff_and_the_house():
    for env_id in ("CliffWalking-v1", "GridQuest-easy"):
        world = make_world(env_id, {})
        _, _, success = trained(world, steps=6)
        assert success[-1] > max(0.5, 3 * success[0]), env_id


def test_outcome_and_merged_reward_are_one_where_shaping_telescopes():
    # A lake's episode that ends has shaped return 0.5 if it succeeds and 0 if not: the merged reward is the outcome's.
    world = make_world("FrozenLake-v1", {"max_episode_steps": 400})
    played = play(world, world.make_batch(64), uniform(world), [(0, 1)] * 4, np.random.default_rng(0))
    ended = ~played.batch.truncated
    assert ended.all()
    assert played.batch.turn_rewards.sum(1) == pytest.approx(0.5 * played.batch.outcome_rewards, abs=1e-12)


def test_rows_survive_and_are_written_once(tmp_path):
    first, second = (finished(planned(seed=seed), (0, 32), (0, 96), (0.1, 0.95)) for seed in (0, 1))
    file = RowFile(tmp_path / "deep")
    assert file.read() == []
    assert [file.append(row) for row in (first, second, first)] == [True, True, False]
    assert file.read() == [first, second]


def test_intervals_and_the_best_rate():
    assert f"{mean_interval([1.0, 2.0, 3.0]):.4f}" == "2.0000 ± 2.4841"
    assert f"{mean_interval([2.0, 2.0]):+.1f}" == "+2.0 ± 0.0"
    assert f"{mean_interval([2.0]):.1f}" == "2.0"
    assert mean_interval([1.0, 1.0 + 1e-15]).half_width == pytest.approx(0.0, abs=1e-13)
    rows = [
        finished(planned(rate=rate, seed=seed), (0, 32), (0, 96), (0.0, rate / 10))
        for rate in (1.0, 9.0)
        for seed in (1, 0)
    ]
    assert best_rates(by_rate(rows)) == {"mt_grpo": 9.0}
    assert [row.run.seed for row in by_rate(rows)["mt_grpo", 1.0]] == [0, 1]
    assert rows[2].episodes_to(0.9) == 32
    assert "0 of 2 seeds" in render(rows, 0.9, 1.0)


def test_the_command_compares_and_resumes(tmp_path, capsys, monkeypatch):
    arguments = [
        "small",
        "--seeds",
        "2",
        "--steps",
        "4",
        "--methods",
        "grpo_or,mt_grpo:lam=0.5",
        "--out",
        str(tmp_path),
    ]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    assert "Paired differences to grpo_or" in first
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert len(lines) == 4
    assert json.loads(lines[0])["success"][0] == pytest.approx(1 / 64)
    # Killed after three of four: only the fourth is played again, and the tables are the same.
    (tmp_path / "rows.jsonl").write_text("\n".join(lines[:3]) + "\n")
    again = []
    monkeypatch.setattr("benchmarks.small.runs.do", lambda *a: again.append(a[0]) or do(*a))
    assert main(arguments) == 0
    assert len(again) == 1
    assert capsys.readouterr().out == first
    # As JSON it is one document with the seeds' own values.
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [run["method"] for run in document["runs"]] == ["grpo_or", "mt_grpo:lam=0.5"]
    assert document["runs"][0]["final_success"] == [json.loads(line)["success"][-1] for line in lines[::2]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--env", "Nowhere-v9"], "no environment is named"),
        (["--env", "TriviaSearch"], "does not list its actions"),
        (["--env", "CartPole-v1"], "no transition table"),
        (["--env", "CreditChian-easy"], "did you mean turnenv/CreditChain-easy-v0"),
        (["--env-kwargs", '{"lengths": 3}'], "no argument 'lengths'; did you mean 'length'"),
        (["--methods", "mt_gpro"], "did you mean"),
        (["--methods", "oracle"], "true_advantages"),
        (["--methods", "grpo_or:lam=2"], "no option 'lam'"),
        (["--methods", "mt_grpo,mt_grpo"], "each method once"),
        (["--seeds", "0"], "--seeds takes"),
    ],
)
def test_a_mistake_is_one_line(arguments, said, tmp_path, capsys):
    assert main(["small", *arguments, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err.strip()
    assert re.search(said, error)
    assert "\n" not in error


def test_what_an_estimator_remembers_is_one_runs_own():
    world = make_world("CreditChain-easy", {"mode": "hackable"})
    first, second = (trained(world, "aw_grpo", steps=8) for _ in range(2))
    assert second == first
    assert first != trained(world, "mt_grpo", steps=8)


def test_own_estimators_and_options():
    own, sums = parse_methods("turnenv.credit:grpo_or,return_to_go:scale=none:gamma=0.5:baseline=loo")
    assert (own.label, sums.label) == ("turnenv.credit:grpo_or", "return_to_go:baseline=loo:gamma=0.5:scale=none")
    assert own.estimator().keywords == {}
    assert sums.estimator().keywords == {"baseline": "loo", "scale": "none", "gamma": 0.5}
    world = make_world("CreditChain-easy", {})
    assert trained(world, "turnenv.credit:mt_grpo") == trained(world, "mt_grpo")
