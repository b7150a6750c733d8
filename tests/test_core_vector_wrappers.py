"""Gymnasium's own tools on batches: every vector wrapper, the manual's loop, every autoreset mode."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.error import CustomSpaceError, ResetNeeded
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector

import turnenv
from turnenv import UnicodeText
from turnenv.envs import IDS

GUESS, CHAIN = "turnenv/GuessNumber-v0", "turnenv/CreditChain-v0"
PAGE = Path(turnenv.__file__).parent / "core" / "README.md"
ARRAYS = "strings are no arrays, and Gymnasium's conversion takes them character by character, without end"
BOXES = "needs numbers in a `Box`"


def shouted(text):
    return text.upper()


def plus(text):
    return f"{text} "


@dataclass
class Row:
    """What becomes of a batch in one wrapper: `note` stands in the table, `said` is what a refusal says."""

    wrap: Callable[..., Any]
    note: str = ""
    said: str = ""


TABLE = {
    "DictInfoToList": Row(vector.DictInfoToList, "a skipped or idle episode has an empty dict"),
    "RecordEpisodeStatistics": Row(
        vector.RecordEpisodeStatistics, "`l` counts the steps of the batch, including those that skip the episode"
    ),
    "TransformObservation": Row(
        lambda batch: vector.TransformObservation(batch, lambda seen: (*map(shouted, seen),)), 'not with "SameStep"'
    ),
    "VectorizeTransformObservation": Row(
        lambda batch: vector.VectorizeTransformObservation(
            batch, wrappers.TransformObservation, func=shouted, observation_space=UnicodeText()
        ),
        'not with "SameStep"',
    ),
    "TransformAction": Row(lambda batch: vector.TransformAction(batch, lambda actions: (*map(plus, actions),))),
    "VectorizeTransformAction": Row(
        lambda batch: vector.VectorizeTransformAction(
            batch, wrappers.TransformAction, func=plus, action_space=UnicodeText()
        ),
        "`func` also gets the `None` of an episode that is skipped",
    ),
    "TransformReward": Row(
        lambda batch: vector.TransformReward(batch, lambda reward: 2 * reward), "`infos` keep the original rewards"
    ),
    "VectorizeTransformReward": Row(
        lambda batch: vector.VectorizeTransformReward(batch, wrappers.TransformReward, func=lambda reward: 2 * reward),
        "as `TransformReward`",
    ),
    "ClipReward": Row(lambda batch: vector.ClipReward(batch, 0.0, 0.5), "as `TransformReward`"),
    "NormalizeReward": Row(
        vector.NormalizeReward, "as `TransformReward`; its statistics include the 0.0 of episodes that take no turn"
    ),
    "NormalizeObservation": Row(vector.NormalizeObservation, BOXES, "AutoresetMode.NEXT_STEP"),
    "FilterObservation": Row(
        lambda batch: vector.FilterObservation(batch, ["text"]),
        "needs observations of several parts",
        "only usable with `Dict` and `Tuple`",
    ),
    "FlattenObservation": Row(vector.FlattenObservation, "a string has no fixed size", "no array form of fixed size"),
    "GrayscaleObservation": Row(vector.GrayscaleObservation, BOXES, "requires a Box"),
    "ResizeObservation": Row(lambda batch: vector.ResizeObservation(batch, (3, 3)), BOXES, "requires a Box"),
    "ReshapeObservation": Row(lambda batch: vector.ReshapeObservation(batch, (3,)), BOXES, "requires a Box"),
    "RescaleObservation": Row(lambda batch: vector.RescaleObservation(batch, 0, 1), BOXES, "requires a Box"),
    "DtypeObservation": Row(lambda batch: vector.DtypeObservation(batch, np.float32), BOXES, "requires a Box"),
    "ClipAction": Row(vector.ClipAction, BOXES, "requires a Box"),
    "RescaleAction": Row(lambda batch: vector.RescaleAction(batch, -1, 1), BOXES, "requires a Box"),
    "RecordVideo": Row(lambda batch: vector.RecordVideo(batch, "videos"), "there are no pictures", "incompatible"),
    "HumanRendering": Row(
        vector.HumanRendering, 'there are no pictures; `render_mode="human"` prints', "Expected env.render_mode"
    ),
    "ArrayConversion": Row(lambda batch: converted("ArrayConversion", batch), ARRAYS, "recursion"),
    "NumpyToTorch": Row(lambda batch: converted("NumpyToTorch", batch), ARRAYS, "recursion"),
    "JaxToNumpy": Row(lambda batch: converted("JaxToNumpy", batch), ARRAYS, "recursion"),
    "JaxToTorch": Row(lambda batch: converted("JaxToTorch", batch), ARRAYS, "recursion"),
}


def converted(name, batch):
    """Array conversions need packages that are no part of turnenv."""
    needed = ["array_api_compat", *(["jax"] if name.startswith("Jax") else [])]
    for module in needed:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    kwargs = {"env_xp": np, "target_xp": np} if name == "ArrayConversion" else {}
    return getattr(vector, name)(batch, **kwargs)


def test_the_table_has_every_wrapper_and_stands_on_the_page():
    assert set(TABLE) == set(vector.__all__)
    rows = [f"| `{name}` | {'no' if row.said else 'yes'} | {row.note} |" for name, row in TABLE.items()]
    assert "\n".join(rows) in PAGE.read_text()


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if not row.said])
@pytest.mark.parametrize("mode", ["Disabled", "NextStep", "SameStep"])
def test_a_wrapper_that_makes_sense_for_text_works(name, mode):
    plain = gymnasium.make_vec(GUESS, num_envs=3, autoreset_mode=mode)
    if mode in TABLE[name].note:
        with pytest.raises(ValueError, match="Expected autoreset_mode to be NEXT_STEP or DISABLED"):
            TABLE[name].wrap(plain)
        return
    wrapped = TABLE[name].wrap(gymnasium.make_vec(GUESS, num_envs=3, autoreset_mode=mode))
    start = {"seed": [0, 0, 0], "options": {"task": [6, 16, 29]}}
    seen, _ = plain.reset(**start)
    assert wrapped.reset(**start)[0] == ((*map(shouted, seen),) if "Observation" in name else seen)
    for actions in (("7", "17", "40"), ("8", "9", "30"), ("1", "2", "3")):
        seen, rewards, terminated, truncated, infos = plain.step(actions)
        got = wrapped.step(actions)
        assert got[0] == ((*map(shouted, seen),) if "Observation" in name else seen)
        changed = {"Transform": 2 * rewards, "Vectorize": 2 * rewards, "Clip": rewards.clip(0.0, 0.5), "": rewards}
        if name != "NormalizeReward":
            kind = next(kind for kind in changed if ("Reward" in name and name.startswith(kind)) or not kind)
            np.testing.assert_array_equal(got[1], changed[kind])
        np.testing.assert_array_equal(got[2:4], [terminated, truncated])
        if name != "DictInfoToList":
            np.testing.assert_array_equal(got[4]["turn_reward"], infos["turn_reward"])
        if mode == "Disabled" and plain.over.all():
            break


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.said])
def test_a_wrapper_that_makes_no_sense_for_text_says_so(name):
    row = TABLE[name]
    with pytest.raises((TypeError, ValueError, RecursionError, CustomSpaceError), match=row.said):
        row.wrap(gymnasium.make_vec(GUESS, num_envs=3, render_mode="ansi")).reset(seed=0)


def test_infos_as_lists():
    batch = vector.DictInfoToList(vector.RecordEpisodeStatistics(gymnasium.make_vec(GUESS, num_envs=3)))
    _, infos = batch.reset(seed=0, options={"task": [6, 16, 29]})
    assert [info["task"] for info in infos] == [6, 16, 29]
    assert all("hidden whole number" in info["system_prompt"] for info in infos)
    *_, infos = batch.step(["7", "17", None])
    assert [info.get("turn_reward", 0.0) > 0.0 for info in infos] == [True, True, False]
    assert infos[2] == {}
    assert infos[0]["env_infos"]["outcome"]["success"]
    assert infos[0]["episode"]["r"] == 1.5
    _, infos = batch.reset(options={"reset_mask": np.array([False, True, False])})
    assert [set(info) for info in infos] == [set(), {"task", "system_prompt", "env_infos"}, set()]


@pytest.mark.parametrize("mode", ["Disabled", "NextStep", "SameStep"])
def test_statistics_count_each_episode_once(mode):
    batch = vector.RecordEpisodeStatistics(gymnasium.make_vec(GUESS, num_envs=2, autoreset_mode=mode))
    batch.reset(seed=0, options={"task": [6, 16]})
    for actions in (("7", "3"), ("1", "4"), ("1", "17")):
        *_, infos = batch.step(actions)
    assert infos["_episode"].tolist() == [False, True]
    returns = list(batch.return_queue)
    assert returns == pytest.approx([1.5, 1.5])
    assert list(batch.length_queue) == [1, 3]


def test_one_text_for_a_whole_batch_is_refused():
    batch = gymnasium.make_vec(GUESS, num_envs=2)
    batch.reset(seed=0)
    for text in ("25", "no", b"25"):
        with pytest.raises(TypeError, match=r"one action per episode, such as \[text\] \* 2"):
            batch.step(text)
    with pytest.raises(TypeError, match=r"a str, or None; action 1 is of type int"):
        batch.step(["25", 25])
    assert batch.envs[0]._turn == 0
    assert batch.step(np.array(["25", "25"]))[4]["turn"].tolist() == [1, 1]


def test_the_manuals_loop_says_what_to_do_when_all_is_over():
    batch = gymnasium.make_vec(GUESS, num_envs=2)
    with pytest.raises(ResetNeeded, match="no episode was begun: call reset"):
        batch.step(("1", "1"))
    batch.reset(seed=42)
    while not batch.over.all():
        batch.step(batch.action_space.sample())
    with pytest.raises(ResetNeeded, match=r"every episode is over.*reset_mask.*autoreset_mode='NextStep'"):
        batch.step(batch.action_space.sample())
    assert not batch.step([None, None])[4]["_turn_reward"].any()
    with pytest.raises(ValueError, match="must be one of 'NextStep', 'SameStep', 'Disabled'; got 'next'"):
        gymnasium.make_vec(GUESS, num_envs=2, autoreset_mode="next")
    with pytest.raises(ResetNeeded, match="no episode was begun"):
        gymnasium.make_vec(GUESS, num_envs=2, autoreset_mode="NextStep").step(("1", "1"))


@pytest.mark.parametrize("env_id", [GUESS, CHAIN])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_the_manuals_loop_gives_what_gymnasiums_batch_gives(env_id, mode):
    ours = vector.DictInfoToList(gymnasium.make_vec(env_id, num_envs=3, autoreset_mode=mode))
    theirs = gymnasium.make_vec(env_id, num_envs=3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    theirs = vector.DictInfoToList(theirs)
    assert ours.metadata["autoreset_mode"] is mode
    assert ours.reset(seed=42)[0] == theirs.reset(seed=42)[0]
    ended = 0
    for turn in range(40):
        actions = tuple(f"a{(turn + row) % 4} {25 + (turn * row) % 20}" for row in range(3))
        left, right = ours.step(actions), theirs.step(actions)
        assert left[0] == right[0]
        np.testing.assert_array_equal(left[1:4], right[1:4])
        for mine, its, over in zip(left[4], right[4], left[2] | left[3], strict=True):
            ended += over
            for key in ("task", "system_prompt", "final_obs", "final_info"):
                assert mine.get(key) == its.get(key)
            if "final_info" not in its:
                assert mine.get("turn_reward") == its.get("turn_reward")
            elif mode is AutoresetMode.SAME_STEP:
                assert mine["turn_reward"] == its["final_info"]["turn_reward"]
    assert ended > 6


def test_a_sequence_of_skipped_turns_does_not_stop_autoreset():
    batch = gymnasium.make_vec(GUESS, num_envs=2, autoreset_mode="NextStep")
    batch.reset(seed=0, options={"task": [6, 16]})
    batch.step(["7", None])
    observations, rewards, terminated, _, infos = batch.step([None, "17"])
    assert observations == ("Guess the number between 1 and 50.", "Correct!")
    assert rewards.tolist() == [0.0, 1.5]
    assert terminated.tolist() == [False, True]
    assert infos["_task"].tolist() == [True, False]
    assert turnenv.core.turn_infos(infos, 2)[0] is None


def episodes_ended(batch, mode, act):
    """Step until four episodes have ended, or far longer than they can last; return how many ended."""
    ended = 0
    for turn in range(500):
        observations, rewards, terminated, truncated, _ = batch.step(act(turn))
        over = terminated | truncated
        assert all(isinstance(text, str) for text in observations)
        assert np.isfinite(rewards).all()
        ended += over.sum()
        if ended >= 4:
            break
        if mode is AutoresetMode.DISABLED and over.any():
            batch.reset(options={"reset_mask": over})
    return ended


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_gymnasiums_own_batch_plays_every_id_in_every_mode(env_id, mode):
    batch = gymnasium.make_vec(env_id, num_envs=2, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    batch.action_space.seed(0)
    batch.reset(seed=0)
    assert episodes_ended(batch, mode, lambda turn: batch.action_space.sample()) >= 4


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_gymnasiums_processes_play_in_every_mode(mode):
    kwargs = {"shared_memory": False, "autoreset_mode": mode}
    batch = gymnasium.make_vec(GUESS, num_envs=2, vectorization_mode="async", vector_kwargs=kwargs)
    batch.reset(seed=0)
    assert episodes_ended(batch, mode, lambda turn: (f"{turn}",) * 2) >= 4
    batch.close()


def test_a_batch_that_resets_by_itself_is_not_collected():
    batch = gymnasium.make_vec(GUESS, num_envs=2, autoreset_mode="NextStep")
    with pytest.raises(ValueError, match="one episode per seed: make the batch without autoreset_mode"):
        turnenv.collect(batch, turnenv.Scripted(lambda: lambda seen: "25"), [0, 1])


@pytest.mark.parametrize("task", [6, np.int8(6), np.array(6)])
def test_a_task_is_any_whole_number(task):
    assert gymnasium.make(GUESS).reset(options={"task": task})[1]["task"] == 6
    assert gymnasium.make_vec(GUESS, num_envs=2).reset(options={"task": task})[1]["task"].tolist() == [6, 6]
