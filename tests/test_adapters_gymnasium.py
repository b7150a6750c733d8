"""Environments written for Gymnasium alone: collected as by hand, faults recorded, one sentence for the rest."""

import copy
import time
import warnings

import gymnasium
import pytest
from gymnasium import spaces

import turnenv
from turnenv.adapters import as_text_env, env_maker
from turnenv.adapters.gymnasium import GymnasiumEnv
from turnenv.adapters.toy_text import frozen_lake, taxi
from turnenv.checker import NASTY_ACTIONS, find_guarantees, random_texts
from turnenv.rollout import vectorise
from turnenv.wrappers import TransformTurnRewards, clipped, scaled


class Echo(gymnasium.Env):
    """Written without turnenv: repeats what it hears; "stop" ends it, "win" wins it."""

    def __init__(self, space=None, **extra):
        self.observation_space = self.action_space = space or spaces.Text(200, charset="abcdefghijklmnopqrstuvwxyz ")
        self.extra = extra

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.word = ["fog", "dew", "ice"][self.np_random.integers(3)]
        return f"say {self.word}", {}

    def step(self, action):
        if action == "crash":
            raise RuntimeError("the echo is down")
        over = action in ("stop", "win")
        info = {"is_success": action == "win"} if over else {}
        return (
            f"you said {action}",
            1.0 if self.word in action else -0.5,
            over,
            action == "late",
            {**info, **self.extra},
        )


def play(make, texts, seed=0):
    env = make()
    env.reset(seed=seed)
    return [env.step(text) for text in texts]


def agent(*texts):
    def make():
        left = iter(texts)
        return lambda seen: next(left)

    return turnenv.Scripted(make)


def test_collected_as_by_hand():
    texts = ("hello", "fog dew ice", "win")
    for seed in range(4):
        env = Echo()
        first, _ = env.reset(seed=seed)
        by_hand = [env.step(text) for text in texts]
        (episode,) = turnenv.collect(Echo(), agent(*texts), [seed])
        assert [turn.observation for turn in episode.turns] == [first, by_hand[0][0], by_hand[1][0]]
        assert list(episode.turn_rewards) == [step[1] for step in by_hand]
        assert (episode.final_observation, episode.outcome.success, episode.outcome.end) == (
            by_hand[2][0], True, "solved",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "end", "success"), [("stop", "failed", False), ("win", "solved", True), ("late", "turn_limit", False)]
)
def test_how_it_ended(text, end, success):
    (episode,) = turnenv.collect(Echo, agent(text), [0])
    assert (episode.outcome.end, episode.outcome.success, episode.outcome.reward) == (end, success, 0.0)


def test_success_nobody_speaks_of():
    class Mute(Echo):
        def step(self, action):
            return *super().step(action)[:4], {}

    (episode,) = turnenv.collect(Mute, agent("win"), [0])
    assert (episode.outcome.end, episode.outcome.success) == ("answered", False)


def test_rewards_split_as_told_and_still_sum():
    def make(**said):
        return lambda: GymnasiumEnv(Echo(), **said)

    (plain,) = turnenv.collect(make(), agent("x", "win"), [0])
    assert (plain.turn_rewards, plain.outcome.reward) == ((-0.5, -0.5), 0.0)
    (split,) = turnenv.collect(make(outcome=lambda step: {"won": 2.0}), agent("x", "win"), [0])
    assert (split.turn_rewards, split.outcome.reward) == ((-0.5, -2.5), 2.0)
    assert split.total_reward == plain.total_reward
    (told,) = turnenv.collect(
        make(turn_reward=lambda step: {"a": 0.25, "b": 0.5}, outcome=lambda step: 3, success=lambda step: False),
        agent("x", "win"),
        [0],
    )
    assert told.turns[0].reward_components == {"a": 0.25, "b": 0.5}
    assert (told.total_reward, told.outcome.success, told.outcome.end) == (4.5, False, "failed")


def test_an_exception_is_a_fault_with_its_text_and_the_others_go_on():
    episodes = turnenv.collect(
        Echo, turnenv.Scripted(lambda: iter_agent(["crash"], ["win"], counter=iter(range(9)))), [0, 1]
    )
    assert [episode.outcome.end for episode in episodes] == ["fault", "solved"]
    assert episodes[0].outcome.fault == "RuntimeError: the echo is down"
    with pytest.raises(RuntimeError, match="down"):
        play(lambda: GymnasiumEnv(Echo(), raise_errors=True), ["crash"])


TURN = []


def iter_agent(*scripts, counter):
    texts = scripts[len(TURN) % len(scripts)]
    TURN.append(1)
    left = iter(texts)
    return lambda seen: next(left)


def test_a_reset_that_fails_is_a_fault_too():
    class Down(Echo):
        def reset(self, **kwargs):
            raise OSError("no server")

    (episode,) = turnenv.collect(Down, agent("hello"), [0])
    assert episode.faulted
    assert episode.outcome.fault == "OSError: no server"
    assert len(episode.turns) == 1


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), None, "much"])
def test_a_reward_that_is_no_number_is_a_fault(reward):
    class Odd(Echo):
        def step(self, action):
            seen, _, *rest = super().step(action)
            return seen, reward, *rest

    (episode,) = turnenv.collect(Odd, agent("hello"), [0])
    assert episode.faulted


def test_an_observation_that_is_no_string_is_a_fault_that_says_so():
    class Numbers(Echo):
        def step(self, action):
            return 7, *super().step(action)[1:]

    (episode,) = turnenv.collect(Numbers, agent("hello"), [0])
    assert "observe=" in episode.outcome.fault


def test_text_outside_the_declared_space_is_said_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (episode,) = turnenv.collect(Echo, agent("A" * 500, "B" * 500, "win"), [0])
    assert episode.outcome.success
    assert [str(warning.message) for warning in caught if "UnicodeText" in str(warning.message)] == [
        str(caught[0].message)
    ]


def test_spaces_without_strings_need_observe_and_act():
    with pytest.raises(TypeError, match="observe="):
        turnenv.collect("FrozenLake-v1", agent("left"), [0])
    with pytest.raises(TypeError, match="act="):
        GymnasiumEnv(gymnasium.make("FrozenLake-v1"), observe=str)


def test_a_text_that_is_no_action_costs_a_turn_and_moves_nothing():
    env = frozen_lake(is_slippery=False)
    env.reset(seed=0)
    said, reward, terminated, truncated, info = env.step("fly")
    assert (reward, terminated, truncated, info["valid_action"]) == (0.0, False, False, False)
    assert "fly" in said
    assert env.step("Right.")[0] == "You stand at row 1 of 4, column 2 of 4."


def any_echo():
    return GymnasiumEnv(Echo(turnenv.UnicodeText()), max_turns=5)


@pytest.mark.filterwarnings("ignore:an action")  # a lone surrogate has no UTF-8 form
@pytest.mark.parametrize("make", [frozen_lake, taxi, any_echo])
def test_equal_seeds_and_copies_agree(make):
    guarantees = {found.claim: found for found in find_guarantees(make, random_texts(0), NASTY_ACTIONS)}
    assert [claim for claim, found in guarantees.items() if not found.holds] == []


def test_a_global_generator_is_found_out():
    import random

    class Careless(Echo):
        def reset(self, **kwargs):
            super().reset(**kwargs)
            return f"say {random.random()}", {}

    def careless():
        return GymnasiumEnv(Careless(turnenv.UnicodeText()), max_turns=5)

    broken = {found.needed_for for found in find_guarantees(careless, random_texts(0), ("a",)) if not found.holds}
    assert "groups: every group-relative estimator" in broken


def test_what_cannot_be_copied_says_so():
    class Handle(Echo):
        def __deepcopy__(self, memo):
            raise RuntimeError("one handle only")

    with pytest.raises(TypeError, match="pass a function that makes one"):
        turnenv.collect(Handle(), agent("win"), [0])

    def handle():
        return GymnasiumEnv(Handle(turnenv.UnicodeText()), max_turns=5)

    failed = [found for found in find_guarantees(handle, random_texts(0), ("a",)) if not found.holds]
    assert [found.needed_for for found in failed] == ["branches: tree_backup, vine_ppo"]


@pytest.mark.parametrize("form", [3, None, object(), gymnasium.make_vec("CartPole-v1", 2), lambda: 3])
def test_what_is_no_environment_is_refused(form):
    with pytest.raises(TypeError):
        turnenv.collect(form, agent("x"), [0])


def test_slow_foreign_environments_overlap():
    class Slow(Echo):
        blocking = True

        def step(self, action):
            time.sleep(0.1)
            return super().step(action)

    began = time.perf_counter()
    turnenv.collect(Slow, agent("win"), range(8))
    assert time.perf_counter() - began < 0.6
    assert vectorise(lambda: gymnasium.wrappers.TimeLimit(Slow(), 3), 2).envs[0].blocking


def test_limits():
    assert env_maker(Echo, max_turns=3)().max_turns == 3
    (episode,) = turnenv.collect(vectorise(Echo(), 1, max_turns=2), agent("a", "b", "c"), [0])
    assert (len(episode.turns), episode.outcome.end) == (2, "turn_limit")
    (episode,) = turnenv.collect(lambda: GymnasiumEnv(Echo(), max_turns=2), agent("a", "b", "c"), [0])
    assert (len(episode.turns), episode.outcome.end) == (2, "turn_limit")


@pytest.mark.parametrize(
    "limited",
    [lambda: GymnasiumEnv(Echo(), max_turns=1), lambda: GymnasiumEnv(gymnasium.wrappers.TimeLimit(Echo(), 1))],
)
def test_a_limit_of_one_turn_terminates_as_in_a_text_env(limited):
    env = limited()
    env.reset(seed=0)
    *_, terminated, truncated, info = env.step("a")
    assert (terminated, truncated, info["outcome"]["end"]) == (True, False, "turn_limit")


def test_policies_may_answer_with_strings_and_wrong_answers_are_said():
    class Strings:
        def __init__(self, answers):
            self.answers = answers

        def begin(self, system_prompts, tools):
            pass

        def act(self, rows, observations):
            return self.answers

    assert turnenv.collect(Echo, Strings(["win", "stop"]), [0, 1])[0].outcome.success
    for answers, error in ((["win"], ValueError), ("ab", ValueError), ([1, 2], TypeError), ([None, "x"], TypeError)):
        with pytest.raises(error, match="act returns"):
            turnenv.collect(Echo, Strings(answers), [0, 1])


def test_turn_rewards_are_transformed_apart_from_the_outcome():
    env = TransformTurnRewards("turnenv/GuessNumber-v0", turn=scaled(2.0), outcome=clipped(0.0, 0.25))
    plain = turnenv.collect("turnenv/GuessNumber-v0", agent("25", "37", "30"), [0], tasks=[29])[0]
    (changed,) = turnenv.collect(env, agent("25", "37", "30"), [0], tasks=[29])
    assert changed.turn_rewards == tuple(2.0 * reward for reward in plain.turn_rewards)
    assert (changed.outcome.reward, plain.outcome.reward) == (0.25, 1.0)
    assert changed.outcome.success
    turnenv.check_env(copy.deepcopy(env))
    with pytest.raises(ValueError, match="finite"):
        play(lambda: TransformTurnRewards(Echo(), turn=scaled(float("nan"))), ["x"])


def test_an_adapted_environment_is_left_as_it_is():
    adapted = GymnasiumEnv(Echo())
    assert as_text_env(adapted) is adapted


def test_minigrid_in_words():
    pytest.importorskip("minigrid")
    from turnenv.adapters.minigrid import minigrid

    env = minigrid()
    seen, _ = env.reset(seed=0)
    assert seen.startswith("Mission: get to the green goal square. You face east.")
    assert "goal 2 ahead, 2 to the right" in seen
    for text in ("forward", "forward", "turn right", "forward"):
        env.step(text)
    _, reward, terminated, _, info = env.step("forward")
    assert terminated
    assert info["outcome"]["success"]
    assert reward == pytest.approx(1 - 0.9 * 5 / 100)
    assert all(found.holds for found in find_guarantees(minigrid, random_texts(0), NASTY_ACTIONS))


def test_a_time_limit_pays_the_transformed_outcome_of_silence():
    class Quiet(turnenv.TextEnv[int]):
        max_turns = 9

        def start(self, rng, options):
            return 0, "go"

        def respond(self, state, action, rng):
            return turnenv.Reply.turn("on")

        def silence(self, state):
            return {"nothing_said": -1.0}

    limited = gymnasium.wrappers.TimeLimit(TransformTurnRewards(Quiet(), outcome=scaled(0.5)), 2)
    (episode,) = turnenv.collect(limited, agent("a", "b"), [0])
    assert (episode.outcome.reward, episode.outcome.end) == (-0.5, "turn_limit")
