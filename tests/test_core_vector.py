"""The batch of episodes."""

import threading

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from turnenv import Reply, TextEnv, TextVectorEnv

ID = "turnenv/GuessNumber-v0"


def test_make_vec_gives_ours():
    batch = gymnasium.make_vec(ID, num_envs=3, high=9)
    assert isinstance(batch, TextVectorEnv)
    assert batch.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    assert {env.high for env in batch.envs} == {9}
    assert batch.spec is not None


def test_equal_seeds_make_a_group_and_an_int_makes_a_range():
    batch = gymnasium.make_vec(ID, num_envs=3)
    group = batch.reset(seed=[4, 4, 5])[1]["task"]
    assert group[0] == group[1] != group[2]
    assert list(batch.reset(seed=4)[1]["task"][:2]) == [group[0], group[2]]


def test_finished_and_skipped_episodes_cost_nothing_and_lose_nothing():
    batch = gymnasium.make_vec(ID, num_envs=3)
    batch.reset(seed=0, options={"task": [0, 1, 2]})
    observations, rewards, terminated, truncated, infos = batch.step(["1", "9", None])
    assert list(terminated) == [True, False, False]
    assert not truncated.any()
    assert observations[0] == "Correct!"
    assert np.isnan(infos["turn_reward"]).tolist() == [False, False, True]
    assert infos["turn"].tolist() == [1, 1, 0]
    assert infos["env_infos"][2] is None
    assert infos["env_infos"][0]["outcome"]["success"]
    assert rewards[0] == infos["turn_reward"][0] + infos["outcome_reward"][0]
    observations, rewards, *_, infos = batch.step(["50", "8", "3"])
    assert observations[0] == "Correct!"
    assert rewards[0] == 0.0
    assert infos["env_infos"][0] is None
    assert batch.over.tolist() == [True, False, True]


def test_reset_mask_begins_only_those():
    batch = gymnasium.make_vec(ID, num_envs=2)
    batch.reset(seed=0, options={"task": [0, 1]})
    batch.step(["1", "9"])
    observations, info = batch.reset(options={"reset_mask": batch.over})
    assert observations[1] == "The hidden number is lower than 9."
    assert info["task"][1] == -1
    assert not batch.over.any()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda batch: batch.step(["1"]), "one action per episode"),
        (lambda batch: batch.reset(seed=[1]), "seed must hold one value per episode"),
        (lambda batch: batch.reset(options={"task": [1]}), "task must hold one value"),
        (lambda batch: batch.reset(options={"reset_mask": np.ones(3, bool)}), "reset_mask must hold"),
    ],
)
def test_wrong_lengths_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call(gymnasium.make_vec(ID, num_envs=2))


def test_no_environments_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        gymnasium.make_vec(ID, num_envs=0)


def test_shared_memory_fails_loudly_instead_of_returning_zeros():
    with pytest.raises(ValueError, match="shared_memory=False"):
        gymnasium.make_vec(ID, num_envs=2, vectorization_mode="async")


@pytest.mark.parametrize("vectorization", ["sync", "async"])
def test_gymnasiums_own_batches_agree_with_ours(vectorization):
    kwargs = {} if vectorization == "sync" else {"shared_memory": False}
    theirs = gymnasium.make_vec(ID, num_envs=4, vectorization_mode=vectorization, vector_kwargs=kwargs)
    ours = gymnasium.make_vec(ID, num_envs=4)
    assert theirs.reset(seed=3)[0] == ours.reset(seed=3)[0]
    for guess in ("25", "nonsense", "13"):
        left, right = theirs.step((guess,) * 4), ours.step((guess,) * 4)
        assert left[0] == right[0]
        for column in (1, 2, 3):
            np.testing.assert_array_equal(left[column], right[column])
        np.testing.assert_array_equal(left[4]["turn_reward"], right[4]["turn_reward"])
        assert left[4]["state_key"].tolist() == [info["state_key"] for info in right[4]["env_infos"]]
    theirs.close()


def test_blocking_environments_wait_together():
    meeting = threading.Barrier(3, timeout=20)

    class Meets(TextEnv[None]):
        blocking, max_turns = True, 2

        def start(self, rng, options):
            return None, ""

        def respond(self, state, action, rng):
            meeting.wait()  # passes only if all three steps are under way at once
            return Reply.turn("met")

    batch = TextVectorEnv(Meets, 3)
    batch.reset(seed=0)
    assert batch.step(["", "", ""])[0] == ("met",) * 3
    batch.close()


def test_arrays_have_the_same_types_at_every_step():
    batch = gymnasium.make_vec(ID, num_envs=2)
    batch.reset(seed=0)
    for actions in (["1", "a word"], [None, None]):
        _, rewards, terminated, truncated, infos = batch.step(actions)
        assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
        kinds = {key: infos[key].dtype for key in ("turn_reward", "outcome_reward", "turn", "env_infos")}
        assert kinds == {"turn_reward": float, "outcome_reward": float, "turn": np.int64, "env_infos": object}
        assert {infos[f"_{key}"].dtype for key in kinds} == {np.dtype(bool)}
        assert infos["env_infos"].shape == (2,)
