"""Beliefs: a process over what an agent can know, worked out by hand."""

import numpy as np
import pytest

from turnenv.core import Reply, TextEnv
from turnenv.exact import expected_return, optimal, tabular_model
from turnenv.exact.beliefs import Beliefs


class Doors(TextEnv[list]):
    """A prize behind one of two doors; a knock tells the right one with probability 0.8."""

    max_turns = 2
    num_tasks = 2
    action_texts = ("knock", "0", "1")

    def start(self, rng, options):
        return [options["task"], ""], "Which door?"

    def respond(self, state, action, rng):
        if action == "knock":
            heard = state[0] if rng.random() < 0.8 else 1 - state[0]
            state[1] += str(heard)
            return Reply.turn(f"heard {heard}", {"heard": 0.1 * (heard == state[0])})
        right = action == str(state[0])
        return Reply.final("right" if right else "wrong", outcome={"prize": float(right)}, success=right)

    def state_key(self, state):
        return state[0], "".join(sorted(state[1]))

    def observation_key(self, state):
        return "".join(sorted(state[1]))


def test_seeing_what_is_hidden_is_worth_more_than_a_belief():
    assert optimal(tabular_model(Doors(), (0, 1))).v[0].max() == 1.0
    model = tabular_model(Beliefs(Doors(), (0, 1)))
    values = optimal(model)
    start = int(model.start.argmax())
    assert values.q[0, start] == pytest.approx([0.8, 0.5, 0.5])
    assert optimal(model, "shaped").q[0, start, 0] == pytest.approx(0.8 + 0.08)


def test_beliefs_are_bayes_rule():
    beliefs = Beliefs(Doors(), (0, 1))
    state, text = beliefs.start(np.random.default_rng(0), {})
    assert text == "Which door?"
    reply = beliefs.respond(state, "knock", np.random.default_rng(0))
    heard = int(reply.text[-1])
    assert dict(state.key)[heard, str(heard)] == pytest.approx(0.8)
    assert reply.rewards == {"heard": pytest.approx(0.08)}


def test_a_policy_blind_to_what_is_hidden_is_worth_the_same_in_both_models():
    hidden, belief = tabular_model(Doors(), (0, 1)), tabular_model(Beliefs(Doors(), (0, 1)))
    blind = np.array([0.5, 0.3, 0.2])
    for objective in ("outcome", "shaped", "success"):
        over_states, over_beliefs = (
            expected_return(model, np.tile(blind, (len(model.keys), 1)), objective) for model in (hidden, belief)
        )
        assert over_states == pytest.approx(over_beliefs)


def test_tasks_that_look_different_make_no_belief():
    class Named(Doors):
        def start(self, rng, options):
            return [options["task"], ""], f"door {options['task']}"

    with pytest.raises(ValueError, match="first observations differ"):
        tabular_model(Beliefs(Named(), (0, 1)))
    with pytest.raises(ValueError, match="at least one task"):
        Beliefs(Doors(), ())
