"""Gymnasium's wrappers around our environments: each applies, or is refused in one sentence; nothing is dropped."""

import inspect
import math
import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.error import CustomSpaceError

import turnenv
from turnenv.adapters import as_text_env
from turnenv.adapters.wrapped import WrappedTextEnv
from turnenv.rollout import vectorise

IDS = ("turnenv/GuessNumber-v0", "turnenv/TriviaSearch-v0", "turnenv/CreditChain-easy-v0")
TEXTS = ("25", "answer: Paris", "action 1", "hello", "30")

#: Wrappers that apply: name -> how it is put around.
APPLY = {
    "AddWhiteNoise": lambda env: wrappers.AddWhiteNoise(env, 0.1),  # of the rendered picture
    "Autoreset": wrappers.Autoreset,
    "DelayObservation": lambda env: wrappers.DelayObservation(env, 1),
    "ObstructView": lambda env: wrappers.ObstructView(env, 0.5, 3),  # of the rendered picture
    "OrderEnforcing": wrappers.OrderEnforcing,
    "PassiveEnvChecker": wrappers.PassiveEnvChecker,
    "RecordEpisodeStatistics": wrappers.RecordEpisodeStatistics,
    "StickyAction": lambda env: wrappers.StickyAction(env, 0.5),
    "TimeLimit": lambda env: wrappers.TimeLimit(env, 2),
    "TransformAction": lambda env: wrappers.TransformAction(env, str.strip, env.action_space),
    "TransformObservation": lambda env: wrappers.TransformObservation(env, str.upper, env.observation_space),
}
#: Wrappers that turnenv refuses: name -> how it is put around, and a word of the sentence.
REFUSED = {
    "ClipReward": (lambda env: wrappers.ClipReward(env, -1, 1), "TransformTurnRewards"),
    "FlattenObservation": (lambda env: wrappers.FlattenObservation(env), "flattens"),
    "FrameStackObservation": (lambda env: wrappers.FrameStackObservation(env, 2), "strings"),
    "NormalizeReward": (lambda env: wrappers.NormalizeReward(env), "TransformTurnRewards"),
    "RepeatAction": (lambda env: wrappers.RepeatAction(env, 2), "several steps"),
    "TransformReward": (lambda env: wrappers.TransformReward(env, lambda reward: 2 * reward), "TransformTurnRewards"),
}


class Plain(gymnasium.Wrapper):
    """A wrapper of a user's own that marks what passes it."""

    def reset(self, **kwargs):
        observation, info = self.env.reset(**kwargs)
        return f"[{observation}]", info

    def step(self, action):
        observation, *rest = self.env.step(action.replace("!", ""))
        return f"[{observation}]", *rest


APPLY["a user's own"] = Plain


def by_hand(env, seed):
    """Rewards, texts and ends of an episode, as Gymnasium's manual plays it."""
    seen, _ = env.reset(seed=seed)
    steps = [(seen, 0.0, False, False)]
    for turn in range(200):
        seen, reward, terminated, truncated, _ = env.step(TEXTS[turn % len(TEXTS)])
        steps.append((seen, reward, terminated, truncated))
        if terminated or truncated:
            return steps
    raise AssertionError("the episode never ends")


def scripted():
    """Writes the same texts as `by_hand`."""
    left = iter(TEXTS * 50)
    return lambda seen: next(left)


def test_every_wrapper_of_gymnasium_is_judged_here():
    known = {name for name in wrappers.__all__ if name not in ("vector",)}
    classes = set()
    for name in known:
        try:
            found = getattr(wrappers, name)
        except ModuleNotFoundError:
            continue  # needs a library that is not installed: array conversions, which make no strings
        if inspect.isclass(found):
            classes.add(name)
    assert classes - APPLY.keys() - REFUSED.keys() == set(NOT_FOR_TEXT)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("name", APPLY)
def test_collecting_equals_stepping_by_hand(env_id, name):
    seeds = [3, 4]
    make = lambda: APPLY[name](gymnasium.make(env_id))  # noqa: E731
    episodes = turnenv.collect(make, turnenv.Scripted(scripted), seeds)
    for episode, seed in zip(episodes, seeds, strict=True):
        steps = by_hand(make(), seed)
        seen = [turn.observation for turn in episode.turns] + [episode.final_observation]
        assert seen == [step[0] for step in steps]
        silence = episode.outcome.reward if name == "TimeLimit" else 0.0
        assert episode.total_reward == pytest.approx(sum(step[1] for step in steps) + silence)
        assert math.isclose(sum(turn.turn_reward for turn in episode.turns), sum(episode.turn_rewards))
        assert (episode.outcome.end == "turn_limit") == steps[-1][3]


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_loses_turn_rewards_is_refused_in_one_sentence(env_id, name):
    put, word = REFUSED[name]
    with pytest.raises((TypeError, ValueError, CustomSpaceError), match=word) as caught:
        turnenv.collect(lambda: put(gymnasium.make(env_id, disable_env_checker=True)), turnenv.Scripted(scripted), [0])
    assert "\n" not in str(caught.value)


NOT_FOR_TEXT = {
    "AddRenderObservation": wrappers.AddRenderObservation,
    "AtariPreprocessing": wrappers.AtariPreprocessing,
    "ClipAction": wrappers.ClipAction,
    "DiscretizeAction": lambda env: wrappers.DiscretizeAction(env, 3),
    "DiscretizeObservation": lambda env: wrappers.DiscretizeObservation(env, 3),
    "DtypeObservation": lambda env: wrappers.DtypeObservation(env, np.float32),
    "FilterObservation": lambda env: wrappers.FilterObservation(env, ["x"]),
    "GrayscaleObservation": wrappers.GrayscaleObservation,
    "HumanRendering": wrappers.HumanRendering,
    "MaxAndSkipObservation": wrappers.MaxAndSkipObservation,
    "NormalizeObservation": wrappers.NormalizeObservation,
    "RecordVideo": lambda env: wrappers.RecordVideo(env, "videos"),
    "RenderCollection": wrappers.RenderCollection,
    "RescaleAction": lambda env: wrappers.RescaleAction(env, np.float32(0), np.float32(1)),
    "RescaleObservation": lambda env: wrappers.RescaleObservation(env, np.float32(0), np.float32(1)),
    "ReshapeObservation": lambda env: wrappers.ReshapeObservation(env, (2, 2)),
    "ResizeObservation": lambda env: wrappers.ResizeObservation(env, (2, 2)),
    "TimeAwareObservation": wrappers.TimeAwareObservation,
}
"""Wrappers that Gymnasium or turnenv refuses around text, or that change nothing of it."""


@pytest.mark.parametrize("name", NOT_FOR_TEXT)
def test_what_is_not_for_text_is_refused(name):
    def attempt():
        turnenv.collect(
            NOT_FOR_TEXT[name](gymnasium.make(IDS[0], disable_env_checker=True)), turnenv.Scripted(scripted), [0]
        )

    with pytest.raises(Exception, match=r"\w"):
        attempt()


def test_frames_stacked_and_joined_are_text_again():
    def stacked():
        frames = wrappers.FrameStackObservation(gymnasium.make(IDS[0]), 2)
        return wrappers.TransformObservation(frames, "\n".join, turnenv.UnicodeText())

    (episode,) = turnenv.collect(stacked, turnenv.Scripted(scripted), [3])
    steps = by_hand(stacked(), 3)
    assert [turn.observation for turn in episode.turns] == [step[0] for step in steps[:-1]]
    assert episode.turns[1].observation.count("\n") == 1


def test_a_time_limit_ends_as_turn_limit_with_the_outcome_of_silence():
    class Quiet(turnenv.TextEnv[int]):
        max_turns = 9

        def start(self, rng, options):
            return 0, "go"

        def respond(self, state, action, rng):
            return turnenv.Reply.turn("on", {"step": 0.25})

        def silence(self, state):
            return {"nothing_said": -0.5}

    (episode,) = turnenv.collect(lambda: wrappers.TimeLimit(Quiet(), 2), turnenv.Scripted(scripted), [0])
    assert episode.turn_rewards == (0.25, 0.25)
    assert (episode.outcome.end, episode.outcome.reward, episode.total_reward) == ("turn_limit", -0.5, 0.0)


def test_an_id_with_a_time_limit_or_a_wrapper_of_its_own_keeps_them():
    gymnasium.register(
        "kept/Guess-v0", "turnenv.envs.guess_number:GuessNumber", "turnenv.envs.guess_number:make_vector",
        max_episode_steps=2,
    )  # fmt: skip
    try:
        episodes = turnenv.collect("kept/Guess-v0", turnenv.Scripted(lambda: lambda seen: "1"), [0, 1, 2])
        assert max(len(episode.turns) for episode in episodes) == 2
    finally:
        del gymnasium.registry["kept/Guess-v0"]
    limited = vectorise(IDS[0], 2, max_episode_steps=3)
    assert isinstance(limited.envs[0], WrappedTextEnv)
    assert limited.envs[0].max_turns == 3


def test_watching_wrappers_cost_nothing():
    assert as_text_env(gymnasium.make(IDS[0])) is not None
    assert isinstance(as_text_env(IDS[0]), turnenv.TextEnv)


def test_an_instance_is_copied_and_left_alone():
    env = wrappers.TransformObservation(gymnasium.make(IDS[0]), str.upper, None)
    env.reset(seed=9)
    before = env.unwrapped.snapshot()
    episodes = turnenv.collect(env, turnenv.Scripted(scripted), [1, 1, 2])
    assert episodes[0] == episodes[1]
    assert episodes[0].turns[0].observation.isupper() or "1" in episodes[0].turns[0].observation
    assert env.unwrapped.snapshot() == before


def test_a_wrapper_that_hides_or_drops_is_named():
    class Silent(gymnasium.Wrapper):
        def step(self, action):
            return *self.env.step(action)[:4], {}

    class Endless(gymnasium.Wrapper):
        def step(self, action):
            seen, reward, _, _, info = self.env.step(action)
            return seen, reward, False, False, info

    class Bonus(gymnasium.Wrapper):
        def step(self, action):
            seen, reward, *rest = self.env.step(action)
            return seen, reward + 1.0, *rest

    for wrapper, match in ((Silent, "Silent"), (Endless, "hide the end"), (Bonus, "TransformTurnRewards")):
        with pytest.raises(ValueError, match=match):
            turnenv.collect(lambda wrapper=wrapper: wrapper(gymnasium.make(IDS[0])), turnenv.Scripted(scripted), [0])


def test_snapshots_hold_the_wrappers_too():
    env = as_text_env(wrappers.TimeLimit(gymnasium.make(IDS[0]), 3))
    env.reset(seed=5)
    env.step("1")
    here = env.snapshot()
    first = [env.step("2"), env.step("3")]
    env.restore(here)
    assert [env.step("2"), env.step("3")] == first
    assert first[-1][3]


def test_the_page_lists_every_wrapper_under_its_verdict():
    page = (Path(__file__).parent.parent / "turnenv" / "adapters" / "README.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    verdicts = {name: "refused" in row for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    for name in APPLY.keys() - {"a user's own"}:
        assert verdicts[name] is False, name
    for name in [*REFUSED, *NOT_FOR_TEXT]:
        assert verdicts[name] is True, name
