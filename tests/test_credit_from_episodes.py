"""Episodes that were really played reach the estimators with the states that they passed."""

import pytest

from turnenv import Scripted, collect
from turnenv.credit import gigpo
from turnenv.envs.credit_chain import CreditChain

pytest.importorskip("torch")


def played(actions):
    def make_agent():
        turns = iter(actions)
        return lambda _: next(turns)

    chain = CreditChain(3, errors="recoverable", clock=False, slack=3)
    (episode,) = collect(lambda: chain, Scripted(make_agent), [0], tasks=[0])
    return episode


def test_training_tells_gigpo_which_turns_were_taken_from_one_state():
    from turnenv.groups import turn_batch

    episodes = [played(("a0", "a1", "a2", "a3", "a0", "a1")), played(("a3", "a2", "a1", "a0", "a3", "a2"))]
    batch = turn_batch(episodes, 2)
    assert batch.state_keys is not None
    for row, episode in zip(batch.state_keys.tolist(), episodes, strict=True):
        assert row[: len(episode.turns)] == [turn.state_key for turn in episode.turns]
    keys = batch.state_keys[batch.turn_mask].tolist()
    once = [keys.count(key) == 1 for key in keys]
    assert any(once)
    assert not all(once)
    from_state = gigpo(batch, episode="none")[batch.turn_mask]
    assert (from_state[once] == 0.0).all()
    assert from_state.any()
