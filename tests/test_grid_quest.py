"""GridQuest: houses that can be solved, rewards that telescope, and a model that agrees with the walk."""

import gymnasium
import pytest
from exact_play import check_monte_carlo
from hypothesis import given
from hypothesis import strategies as st

from turnenv.envs import IDS
from turnenv.envs.grid_quest import GridQuest
from turnenv.envs.grid_quest.house import House, World
from turnenv.exact import expected_return, softmax, tabular_model

QUESTS = [env_id for env_id in IDS if "GridQuest" in env_id]

# Two rooms above two rooms; the key lies east of the start, the treasure behind the red door in the south.
SMALL = House(2, 0, 2, ((-1, 1, 2, -1), (-1, -1, 3, 0), (0, -1, -1, -1), (1, -1, -1, -1)), {(0, 2): 0, (2, 0): 0}, (1,))


class Small(GridQuest):
    """Every task is the small house."""

    def __init__(self, **kwargs):
        super().__init__(2, 1, **kwargs)
        self._world = lambda task: World(SMALL)


def play(env, actions, seed=0, task=0):
    env.reset(seed=seed, options={"task": task})
    steps = []
    for action in actions:
        steps.append(env.step(action))
        if steps[-1][2] or steps[-1][3]:
            break
    return steps


def test_golden_episode():
    env = Small()
    observation, _ = env.reset(seed=0)
    assert observation == (
        "The treasure is in column 1, row 2.\nYou are in column 1, row 1. North: a wall. East: a room with a red key. "
        "South: a locked red door. West: a wall. You hold nothing."
    )
    steps = play(env, ["I think: go east", "take the red key", "Go west.", "unlock door", "go south"])
    assert steps[1][0] == (
        "You are in column 2, row 1. North: a wall. East: a wall. South: a room. West: a room. You hold the red key."
    )
    assert "South: a room with the treasure." in steps[3][0]
    assert [step[4]["turn_reward"] for step in steps] == pytest.approx([0.1] * 5)
    assert steps[-1][4]["outcome"] == {"reward": 1.0, "success": True, "end": "solved", "components": {"treasure": 1.0}}


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("go north", "You cannot go north from here."),
        ("go south", "You cannot go south from here."),
        ("take key", "There is no such key here."),
        ("unlock the red door", "There is no locked door here that a key of yours fits."),
        ("walk about", "Your message holds no command"),
        ("go up", "Your message holds no command"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(action, said):
    env = Small()
    step = play(env, [action])[0]
    assert step[0].startswith(said)
    assert not step[4]["valid_action"]
    assert step[1] == 0.0
    assert env._state.place == (0, 0, 0)


def test_a_colour_must_fit_and_the_last_command_counts():
    env = Small()
    steps = play(env, ["go east", "take blue key", "take blue key, no: take red key", "go west", "unlock blue door"])
    assert [step[4]["valid_action"] for step in steps] == [True, False, True, True, False]


def test_a_slip_leads_through_an_open_way_and_only_a_legal_step_slips():
    env = Small(slip=1.0)
    rooms = set()
    for seed in range(40):
        play(env, ["go east"], seed)
        assert env._state.place[0] == 1  # the only open way
        play(env, ["go east", "go west"], seed)
        rooms.add(env._state.place[0])
    assert rooms == {0, 3}
    assert not play(env, ["go north"])[0][4]["valid_action"]


@pytest.mark.parametrize(("size", "doors"), [(2, 1), (3, 1), (4, 2), (5, 3), (6, 4)])
def test_every_house_is_solved_by_its_potential_within_the_turns(size, doors):
    env = GridQuest(size, doors)
    for task in range(0, env.num_tasks, 10):
        world = env._world(task)
        place, turns = (world.house.start, 0, 0), 0
        assert world.potential[place] == 0.0
        while place[0] != world.house.goal:
            place = max((there for there in world.nexts[place] if there), key=world.potential.get)
            turns += 1
        assert world.potential[place] == 0.5
        assert place[2] == (1 << len(world.house.keys)) - 1  # no way round a door
        assert size <= turns < env.max_turns


@given(
    actions=st.lists(st.sampled_from([*GridQuest.action_texts, "dance"]), min_size=24, max_size=24),
    task=st.integers(0, 999),
    slip=st.sampled_from([0.0, 0.3]),
)
def test_rewards_telescope_and_never_exceed_the_experts(actions, task, slip):
    env = GridQuest(3, 1, slip=slip)
    steps = play(env, actions, task=task)
    earned = sum(steps[-1][4]["turn_rewards"])
    assert earned == pytest.approx(env._world(task).potential[env._state.place], abs=1e-12)
    assert earned <= 0.5 + 1e-12
    assert steps[-1][4]["outcome"]["success"] == (env._state.place[0] == env._world(task).house.goal)


def test_going_to_and_fro_earns_nothing():
    steps = play(Small(), ["go east", "go west"] * 6)
    assert sum(steps[-1][4]["turn_rewards"]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("episodes", [1_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_real_episodes_agree_with_the_exact_values(episodes):
    env = gymnasium.make("turnenv/GridQuest-easy-v0").unwrapped
    tasks = (0, 1, 2, 3)
    model = tabular_model(env, tasks)
    policy = softmax(30.0 * model.turn_rewards[:, :, 0])
    assert 0.05 < expected_return(model, policy) < 0.95
    check_monte_carlo(env, model, policy, episodes, tasks)


def test_a_snapshot_brings_the_place_back():
    env = GridQuest(4, 2, slip=0.5)
    env.reset(seed=2)
    here = env.snapshot()
    walk = ["go north", "go east", "go south", "go west", "take key"]
    first = [env.step(action) for action in walk]
    env.restore(here)
    assert [env.step(action) for action in walk] == first


@pytest.mark.parametrize("kwargs", [{"size": 1}, {"size": 7}, {"doors": 4}, {"slip": 2.0}, {"max_turns": 0}])
def test_arguments_out_of_range_are_refused(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        GridQuest(**kwargs)


@pytest.mark.parametrize("text", ["go ea\u017ft", "go we\u017ft", "go \u017fouth", "ta\u212ae \u212aey"])
def test_signs_that_only_fold_to_letters_are_no_command(text):
    (step,) = play(GridQuest(), [text])
    assert not step[4]["valid_action"]
    assert "no command" in step[0]
