"""What an action cost against the best player is the exact advantage under optimal values, found by replay."""

import gymnasium
import numpy as np
import pytest

from turnenv import Scripted, collect
from turnenv.exact import optimal, tabular_model
from turnenv.report.best_play import costs
from turnenv.report.columns import columns_of
from turnenv.report.plays import plays_of_episodes

CHAIN = "turnenv/CreditChain-v0"


def played(action, env=CHAIN, **kwargs):
    return collect(env, Scripted(lambda: action), [5], tasks=[3], **kwargs)[0]


@pytest.mark.parametrize("env_id", [CHAIN, "turnenv/CreditChain-recoverable-v0", "turnenv/GridQuest-easy-v0"])
def test_it_is_the_advantage_of_the_solved_model(env_id):
    env = gymnasium.make(env_id).unwrapped
    model = tabular_model(env, (3,))
    values = optimal(model, "shaped")
    for number, action in enumerate(model.actions):
        episode = played(lambda _, action=action: action, env_id)
        (found,) = costs([episode])
        assert found is not None
        env.reset(seed=5, options={"task": 3})
        for turn in range(len(episode.turns)):
            state = model.index[env.state_key(env.snapshot().state)]
            assert found[turn] == pytest.approx(values.q[turn, state, number] - values.v[turn, state], abs=1e-9)
            env.step(action)


def test_nonsense_has_a_cost_too_and_the_best_action_none():
    env = gymnasium.make(CHAIN).unwrapped
    best = optimal(tabular_model(env, (3,)), "shaped")
    (nonsense,) = costs([played(lambda _: "what?")])
    assert nonsense is not None
    assert nonsense[0] < 0.0
    first = int(np.argmax(best.q[0, 0]))
    (good,) = costs([played(lambda _: f"a{first}")])
    assert good is not None
    assert good[0] == 0.0


def test_what_cannot_be_solved_or_was_played_otherwise_has_none():
    hidden = played(lambda _: "25", "turnenv/GuessNumber-v0")
    other = played(lambda _: "a0", "turnenv/CreditChain-hard-v0")
    assert costs([hidden]) == [None]
    lied = type(other)(**{**{name: getattr(other, name) for name in other.__slots__}, "env_id": CHAIN})
    assert costs([lied]) == [None]
    names = [column.name for column in columns_of(plays_of_episodes([played(lambda _: "a0")]), [])]
    assert names == ["best"]
