"""No turn reward is lost, in single episodes and in every kind of batch and autoreset mode, over every id."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import turnenv
from agents.scripted import RANDOMS
from turnenv.actions import XmlGrammar
from turnenv.vector import turn_infos

XML = XmlGrammar()
CONSERVED = (
    "turnenv/GuessNumber-v0",
    "turnenv/GridQuest-v0",
    "turnenv/WordGuess-v0",
    "turnenv/CreditChain-hackable-v0",
)
MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED)
WORDS = ("25", "13", "go north", "go east", "take", "crane", "a0", "a1", "nonsense", "")


def conserve(batch, mode, episodes, seed=0):
    """Play at random and require of each finished episode: its turn rewards and outcome are what `step` paid."""
    rng, rows = np.random.default_rng(seed), batch.num_envs
    batch.reset(seed=seed)
    paid, seen, finished, over = np.zeros(rows), [[] for _ in range(rows)], 0, np.zeros(rows, dtype=bool)
    while finished < episodes:
        if mode is AutoresetMode.DISABLED and over.any():
            batch.reset(options={"reset_mask": over.copy()})
        _, rewards, terminated, truncated, infos = batch.step(tuple(rng.choice(WORDS, rows).tolist()))
        idle, over = over & (mode is AutoresetMode.NEXT_STEP), terminated | truncated
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
                paid[row], seen[row], finished = 0.0, [], finished + 1
    batch.close()


def gymnasium_batch(env_id, kind, mode, rows=4):
    kwargs = {"autoreset_mode": mode} if kind == "sync" else {"autoreset_mode": mode, "shared_memory": False}
    return gymnasium.make_vec(env_id, num_envs=rows, vectorization_mode=kind, vector_kwargs=kwargs)


@pytest.mark.parametrize("env_id", CONSERVED)
@pytest.mark.parametrize("mode", MODES)
def test_no_turn_reward_is_lost_in_gymnasiums_batch(env_id, mode):
    conserve(gymnasium_batch(env_id, "sync", mode), mode, episodes=20)


@pytest.mark.parametrize("env_id", CONSERVED)
def test_no_turn_reward_is_lost_in_ours(env_id):
    conserve(gymnasium.make_vec(env_id, num_envs=4), AutoresetMode.DISABLED, episodes=20)


EPISODES = 10_000
"""Random episodes in each kind of batch and autoreset mode, shared out evenly over all ids."""
EACH = -(-EPISODES // len(turnenv.envs.IDS))


def random_agent(env_id, seed):
    """One that calls the tools of the family, or else writes the words above."""
    if env_id in RANDOMS:
        return RANDOMS[env_id](seed)
    rng = np.random.default_rng(seed)
    return lambda seen: str(rng.choice((*WORDS, XML.call("search", {"query": seen}), XML.answer(seen[:40]))))


def conserve_by_agents(batch, env_id, mode):
    """As `conserve`, for `EACH` episodes of agents that get somewhere."""
    rows, finished, begun = batch.num_envs, 0, 0
    observations, _ = batch.reset(seed=0)
    agents, over = [None] * rows, np.zeros(rows, dtype=bool)
    paid, seen = np.zeros(rows), [[] for _ in range(rows)]
    while finished < EACH:
        if mode is AutoresetMode.DISABLED and over.any():
            observations, _ = batch.reset(options={"reset_mask": over.copy()})
        for row in range(rows):
            if agents[row] is None:
                agents[row], begun = random_agent(env_id, begun), begun + 1
        idle = over & (mode is AutoresetMode.NEXT_STEP)
        actions = ["" if skip else act(text) for skip, act, text in zip(idle, agents, observations, strict=True)]
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


@pytest.mark.slow
@pytest.mark.parametrize("env_id", turnenv.envs.IDS)
def test_single_episodes_of_ten_thousand_lose_no_turn_reward(env_id):
    env = gymnasium.make(env_id)
    for seed in range(EACH):
        (seen, _), act, paid, over = env.reset(seed=seed), random_agent(env_id, seed), [], False
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
    conserve_by_agents(gymnasium_batch(env_id, kind, mode, rows=4 if kind == "async" else 16), env_id, mode)


@pytest.mark.slow
@pytest.mark.parametrize("env_id", turnenv.envs.IDS)
def test_ten_thousand_episodes_in_ours_lose_no_turn_reward(env_id):
    conserve_by_agents(gymnasium.make_vec(env_id, num_envs=64), env_id, AutoresetMode.DISABLED)
