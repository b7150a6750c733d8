"""A small policy learns Gymnasium's FrozenLake in words with turn-level credit, above its start with an interval."""

import numpy as np
import pytest

from agents.small.text_policy import TextPolicy
from benchmarks.harness.statistics import paired_interval
from turnenv import collect
from turnenv.adapters.toy_text import frozen_lake
from turnenv.credit import TurnBatch, mt_grpo
from turnenv.rollout import vectorise

GROUPS, SIZE, UPDATES = 4, 8, 40


def batch_of(episodes):
    return TurnBatch.from_ragged(
        [episode.turn_rewards for episode in episodes],
        [episode.outcome.reward for episode in episodes],
        np.arange(len(episodes)) // SIZE,
    )


def mean_return(policy, batch):
    episodes = collect(batch, policy, range(10_000, 10_000 + batch.num_envs))
    return float(np.mean([episode.total_reward for episode in episodes]))


@pytest.mark.slow
def test_frozen_lake_is_learnt_in_words():
    start, trained = {}, {}
    batch = vectorise(lambda: frozen_lake(is_slippery=False), GROUPS * SIZE, max_turns=20)
    for seed in range(5):
        policy = TextPolicy(("left", "down", "right", "up"), learning_rate=3.0, seed=seed)
        start[seed] = mean_return(policy, batch)
        for update in range(UPDATES):
            seeds = [1_000 * seed + GROUPS * update + row // SIZE for row in range(GROUPS * SIZE)]
            episodes = collect(batch, policy, seeds)
            policy.update(episodes, mt_grpo(batch_of(episodes), accumulate=True))
        trained[seed] = mean_return(policy, batch)
    gain = paired_interval(trained, start)
    assert gain.low > 0.5, f"start {start}, trained {trained}"


def test_one_update_by_hand():
    """Two episodes of one turn from one text, advantages +1 for "a" and -1 for "b": logits (1, -1) · rate / 2 · 1."""
    from turnenv import End, Episode, Outcome, Turn

    def episode(action):
        turn = Turn("where", action, 0.0, {}, 0, True)
        return Episode("x", 0, 0, (turn,), Outcome(0.0, False, End.ANSWERED))

    policy = TextPolicy(("a", "b"), learning_rate=2.0)
    assert policy.chances("where").tolist() == [0.5, 0.5]
    policy.update([episode("a"), episode("b")], np.array([[1.0], [-1.0]]))
    # a: +1·(1-0.5) -1·(0-0.5) = 1, b the opposite; divided by two episodes, times the rate 2.
    np.testing.assert_allclose(policy.chances("where"), np.exp([1, -1]) / np.exp([1, -1]).sum())
