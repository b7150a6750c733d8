"""In every id the expert solves the task and chance does not."""

import pytest

from agents.scripted import EXPERTS, RANDOMS
from benchmarks.environments.scripted_scores import play
from turnenv.envs import IDS

CHANCE = 0.2

# Turn rewards of 0.5 and an outcome of 1.0, unless the family pays otherwise.
RETURNS = {"TriviaSearch-v0": 2.6, "MultiHopSearch": 2.1, "CreditChain-hackable": 1.0}


def test_every_id_has_both():
    assert tuple(EXPERTS) == tuple(RANDOMS) == IDS


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("episodes", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_the_expert_solves_it_and_chance_does_not(env_id, episodes):
    expert, chance = play(env_id, "expert", range(episodes)), play(env_id, "random", range(episodes))
    solved = [episode.total_reward for episode in expert if episode.outcome.success]
    unsolved = [episode.total_reward for episode in chance if not episode.outcome.success]
    assert len(solved) >= 0.95 * episodes
    assert len(unsolved) >= (1.0 - CHANCE) * episodes
    assert max(unsolved) < min(solved)
    best = next((paid for part, paid in RETURNS.items() if part in env_id), 1.5)
    assert max(solved) == pytest.approx(best, abs=0.02)
    # A noisy reading leaves some doubt, and that much unpaid.
    assert "ScienceLab" in env_id or min(solved) == pytest.approx(best)
    assert not any(episode.faulted for episode in expert + chance)
