"""No turn reward is lost, in single episodes and in every kind of batch and autoreset mode, over every id."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import turnenv
from agents.scripted import RANDOMS
from turnenv.core import turn_infos

CONSERVED = (
    "turnenv/GuessNumber-v0",
    "turnenv/GridQuest-v0",
    "turnenv/WordGuess-v0",
    "turnenv/CreditChain-hackable-v0",
)
MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED)
WORDS = ("25", "13", "go north", "go east", "take", "crane", "a0", "a1", "nonsense", "")


def writes_words(seed):
    """One that writes the words above at random."""
    rng = np.random.default_rng(seed)
    return lambda seen: str(rng.choice(WORDS))


def conserve(batch, mode, episodes, make_agent):
    """Require of each finished episode: its turn rewards and outcome are what `step` paid; an agent an episode."""
    rows, finished, begun = batch.num_envs, 0, 0
    observations, _ = batch.reset(seed=0)
    agents, over = [None] * rows, np.zeros(rows, dtype=bool)
    paid, seen = np.zeros(rows), [[] for _ in range(rows)]
    while finished < episodes:
        if mode is AutoresetMode.DISABLED and over.any():
            observations, _ = batch.reset(options={"reset_mask": over.copy()})
        for row in range(rows):
            if agents[row] is None:
                agents[row], begun = make_agent(begun), begun + 1
        idle = over & (mode is AutoresetMode.NEXT_STEP)
        # An idle row is begun again whatever is written to it.
        actions = ["25" if skip else act(text) for skip, act, text in zip(idle, agents, observations, strict=True)]
        observations, rewards, terminated, truncated, infos = batch.step(tuple(actions))
        over = terminated | truncated
        for row, info in enumerate(turn_infos(infos, rows)):
            assert (info is None) == idle[row]
            if info is None:
                assert rewards[row] == 0.0
                continue
            paid[row] += rewards[row]
            seen[row].append(info["turn_reward"])
            assert info["turn_rewards"] == seen[row]
            if over[row]:
                assert paid[row] == pytest.approx(sum(seen[row]) + info["outcome"]["reward"])
                paid[row], seen[row], agents[row], finished = 0.0, [], None, finished + 1
    batch.close()


def gymnasium_batch(env_id, kind, mode, rows=4):
    kwargs = {"autoreset_mode": mode} if kind == "sync" else {"autoreset_mode": mode, "shared_memory": False}
    return gymnasium.make_vec(env_id, num_envs=rows, vectorization_mode=kind, vector_kwargs=kwargs)


@pytest.mark.parametrize("env_id", CONSERVED)
@pytest.mark.parametrize("mode", MODES)
def test_no_turn_reward_is_lost_in_gymnasiums_batch(env_id, mode):
    conserve(gymnasium_batch(env_id, "sync", mode), mode, 20, writes_words)


@pytest.mark.parametrize("env_id", CONSERVED)
def test_no_turn_reward_is_lost_in_ours(env_id):
    conserve(gymnasium.make_vec(env_id, num_envs=4), AutoresetMode.DISABLED, 20, writes_words)


EPISODES = 10_000
"""Random episodes in each kind of batch and autoreset mode, shared out evenly over all ids."""
EACH = -(-EPISODES // len(turnenv.envs.IDS))


@pytest.mark.slow
@pytest.mark.parametrize("env_id", turnenv.envs.IDS)
def test_single_episodes_of_ten_thousand_lose_no_turn_reward(env_id):
    env = gymnasium.make(env_id)
    for seed in range(EACH):
        (seen, _), act, paid, over = env.reset(seed=seed), RANDOMS[env_id](seed), [], False
        while not over:
            seen, reward, terminated, truncated, info = env.step(act(seen))
            over = terminated or truncated
            paid.append(reward)
            assert reward == pytest.approx(info["turn_reward"] + info["outcome_reward"])
        assert len(paid) == len(info["turn_rewards"]) == info["turn"]
        assert sum(paid) == pytest.approx(sum(info["turn_rewards"]) + info["outcome"]["reward"])


@pytest.mark.slow
@pytest.mark.parametrize("env_id", turnenv.envs.IDS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_ten_thousand_episodes_in_gymnasiums_batch_lose_no_turn_reward(kind, mode, env_id):
    conserve(gymnasium_batch(env_id, kind, mode, rows=4 if kind == "async" else 16), mode, EACH, RANDOMS[env_id])


@pytest.mark.slow
@pytest.mark.parametrize("env_id", turnenv.envs.IDS)
def test_ten_thousand_episodes_in_ours_lose_no_turn_reward(env_id):
    conserve(gymnasium.make_vec(env_id, num_envs=64), AutoresetMode.DISABLED, EACH, RANDOMS[env_id])
