"""BlocksArm: the rules of the arm, drops, rewards that telescope, and a model that agrees with the table."""

import gymnasium
import pytest
from exact_play import check_monte_carlo
from hypothesis import given
from hypothesis import strategies as st

from turnenv.envs import IDS
from turnenv.envs.blocks_arm.env import COLLISION, BlocksArm
from turnenv.envs.blocks_arm.world import world_of
from turnenv.exact import expected_return, softmax, tabular_model

TABLES = [env_id for env_id in IDS if "BlocksArm" in env_id]


def puzzle(first, goal, **kwargs):
    """An environment whose every task leads from one arrangement to another."""
    blocks, spots = len("".join(first)), len(first)
    env, world = BlocksArm(blocks, spots, **{"drop": 0.0, **kwargs}), world_of(blocks, spots)
    distance = world.distances(world.number[goal, ""])
    instance = world.number[first, ""], world.number[goal, ""], bytes(distance.tolist())
    env._puzzle = lambda task: instance
    return env


def play(env, actions, seed=0, task=0):
    env.reset(seed=seed, options={"task": task})
    steps = []
    for action in actions:
        steps.append(env.step(action))
        if steps[-1][2] or steps[-1][3]:
            break
    return steps


def test_golden_episode():
    env = puzzle(("AB", "C", ""), ("", "CA", "B"))
    observation, _ = env.reset(seed=0)
    assert observation == (
        "Goal: Spot 1: empty. Spot 2: C, A. Spot 3: B.\n"
        "Now: Spot 1: A, B. Spot 2: C. Spot 3: empty. The arm holds nothing."
    )
    steps = play(
        env, ["First pick B, I think", "place B on spot 3", "Pick A", "place on spot 1 or rather place A on C"]
    )
    assert [step[0] for step in steps] == [
        "Spot 1: A. Spot 2: C. Spot 3: empty. The arm holds B.",
        "Spot 1: A. Spot 2: C. Spot 3: B. The arm holds nothing.",
        "Spot 1: empty. Spot 2: C. Spot 3: B. The arm holds A.",
        "Every stack is as asked.",
    ]
    assert [step[4]["reward_components"] for step in steps] == [{"progress": 0.125, "collision": 0.0}] * 4
    assert steps[-1][4]["outcome"] == {
        "reward": 1.0,
        "success": True,
        "end": "solved",
        "components": {"arrangement": 1.0},
    }


@pytest.mark.parametrize(
    ("actions", "said", "bumped"),
    [
        (["pick A"], "The arm bumps into a block that is in the way.", True),
        (["pick B", "place on A", "pick C", "place on A"], "The arm bumps", True),
        (["pick B", "place on spot 2"], "The arm bumps", True),
        (["pick B", "place on spot 1"], "The arm bumps", True),
        (["pick B", "pick C"], "The arm already holds B.", False),
        (["place on C"], "The arm holds nothing to place.", False),
        (["pick B", "place on B"], "B cannot be placed on itself.", False),
        (["pick B", "place C on A"], "The arm does not hold C.", False),
        (["pick D"], "Your message holds no command", False),
        (["pick B", "place on spot 4"], "Your message holds no command", False),
        (["pick B", "place on spot 3.5"], "Your message holds no command", False),
        (["pick B", "place on spot 3,000"], "Your message holds no command", False),
        (["pick B", "place on spot 2.0"], "The arm bumps", True),
        (["pick B", "place on spot 2."], "The arm bumps", True),
        (["pick b"], "Your message holds no command", False),
    ],
)
def test_what_cannot_be_done_is_refused_and_a_bump_costs(actions, said, bumped):
    env = puzzle(("AB", "C", ""), ("", "CA", "B"))
    *before, last = play(env, actions)
    assert last[0].startswith(said)
    assert not last[4]["valid_action"]
    assert last[1] == (COLLISION if bumped else 0.0)
    assert all(step[4]["valid_action"] for step in before)


def test_a_dropped_block_lands_on_a_spot_and_only_a_placed_one_drops():
    env = puzzle(("AB", "C", ""), ("", "CA", "B"), drop=1.0)
    landed = {play(env, ["pick B", "place on spot 3"], seed)[-1][0] for seed in range(40)}
    assert landed == {
        "The block slips and falls. Spot 1: A, B. Spot 2: C. Spot 3: empty. The arm holds nothing.",
        "The block slips and falls. Spot 1: A. Spot 2: C, B. Spot 3: empty. The arm holds nothing.",
        "The block slips and falls. Spot 1: A. Spot 2: C. Spot 3: B. The arm holds nothing.",
    }


@pytest.mark.parametrize(("blocks", "spots", "states"), [(2, 3, 18), (3, 3, 96), (4, 3, 600), (3, 4, 180)])
def test_the_world_holds_every_arrangement_once(blocks, spots, states):
    # n! · C(n + s - 1, s - 1) with the arm empty, and n times that of n - 1 blocks with one in it.
    world = world_of(blocks, spots)
    assert len(world.arrangements) == len(set(world.arrangements)) == states
    for here, row in enumerate(world.nexts):
        assert all(after < 0 or here in world.nexts[after] for after in row)


@pytest.mark.parametrize("env_id", TABLES)
def test_every_task_has_a_plan_within_the_turns(env_id):
    env = gymnasium.make(env_id).unwrapped
    for task in range(0, env.num_tasks, 10):
        first, goal, distance = env._puzzle(task)
        assert 4 <= distance[first] < env.max_turns
        assert distance[goal] == 0


@given(data=st.data(), task=st.integers(0, 999), drop=st.sampled_from([0.0, 0.3]))
def test_rewards_telescope_and_never_exceed_the_experts(data, task, drop):
    env = BlocksArm(3, 3, drop=drop)
    actions = data.draw(st.lists(st.sampled_from([*env.action_texts, "dance"]), min_size=20, max_size=20))
    steps = play(env, actions, task=task)
    first, goal, distance = env._puzzle(task)
    progress = sum(step[4]["reward_components"]["progress"] for step in steps)
    assert progress == pytest.approx(0.5 - 0.5 * distance[env._state.here] / distance[first], abs=1e-12)
    assert sum(steps[-1][4]["turn_rewards"]) <= 0.5 + 1e-12
    assert steps[-1][4]["outcome"]["success"] == (env._state.here == goal)


def test_doing_and_undoing_earns_nothing():
    steps = play(puzzle(("AB", "C", ""), ("", "CA", "B")), ["pick B", "place on A"] * 10)
    assert sum(steps[-1][4]["turn_rewards"]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("episodes", [1_000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("drop", [0.0, 0.1])
def test_real_episodes_agree_with_the_exact_values(episodes, drop):
    env = gymnasium.make("turnenv/BlocksArm-easy-v0", drop=drop).unwrapped
    tasks = (0, 1, 2, 3)
    model = tabular_model(env, tasks)
    policy = softmax(30.0 * (model.probabilities * model.turn_rewards).sum(-1))
    assert 0.05 < expected_return(model, policy) < 0.95
    check_monte_carlo(env, model, policy, episodes, tasks)


def test_a_snapshot_brings_the_table_back():
    env = BlocksArm(drop=0.5)
    env.reset(seed=2)
    here = env.snapshot()
    moves = [*env.action_texts, *env.action_texts]
    first = [env.step(action) for action in moves]
    env.restore(here)
    assert [env.step(action) for action in moves] == first


@pytest.mark.parametrize("kwargs", [{"blocks": 1}, {"blocks": 6}, {"spots": 2}, {"drop": -0.1}, {"max_turns": 0}])
def test_arguments_out_of_range_are_refused(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        BlocksArm(**kwargs)
