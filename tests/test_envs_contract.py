"""The contract over every id in the table of registrations."""

import json
from functools import cache, partial

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import turnenv
from turnenv.actions import XmlGrammar
from turnenv.checker import NASTY_ACTIONS
from turnenv.envs import IDS

FAMILIES = sorted({env_id.split("/")[1].split("-")[0] for env_id in IDS})


def written(write, *given):
    """What a grammar writes, or the bare parts of what it refuses to write, such as an answer of closing tags."""
    try:
        return write(*given)
    except ValueError:
        return " ".join(map(str, given))


calls = st.builds(
    partial(written, XmlGrammar().call),
    st.sampled_from(["search", "x"]),
    st.dictionaries(st.text(), st.text(), max_size=2),
)
queries = st.builds(lambda query: written(XmlGrammar().call, "search", {"query": query}), st.text())
texts = (
    st.text(st.characters())
    | st.sampled_from(NASTY_ACTIONS)
    | st.integers().map(str)
    | calls
    | queries
    | st.builds(partial(written, XmlGrammar().answer), st.text(), st.text())
)


def search_then_answer(observation, turn):
    """An agent that gets somewhere in every family."""
    if turn == 0:
        return XmlGrammar().call("search", {"query": observation}) + "25"
    return XmlGrammar().answer(observation[:40]) + str(turn)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("agent", [None, search_then_answer], ids=["babble", "search"])
def test_check_env_finds_nothing_and_every_id_pickles(env_id, agent):
    checks = {check.claim: check.unchecked for check in turnenv.check_env(env_id, agent)}
    assert not checks["an unpickled copy plays the same"]


@pytest.mark.parametrize("env_id", IDS)
def test_through_gym_make_with_all_its_wrappers(env_id):
    env = gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make(env_id))
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        total, over, turn = 0.0, False, 0
        while not over:
            observation, reward, terminated, truncated, info = env.step(search_then_answer(observation, turn))
            total, over, turn = total + reward, terminated or truncated, turn + 1
        assert info["episode"]["r"] == pytest.approx(total)
        assert total == pytest.approx(sum(info["turn_rewards"]) + info["outcome"]["reward"])


@cache
def made(env_id):
    return gymnasium.make(env_id).unwrapped


def conserve(env_id, data):
    """One episode of arbitrary texts: no exception, and no reward lost."""
    env = made(env_id)
    env.reset(seed=data.draw(st.integers(0, 1_000)))
    total, over = 0.0, False
    while not over:
        observation, reward, terminated, truncated, info = env.step(data.draw(texts))
        total, over = total + reward, terminated or truncated
        assert isinstance(observation, str)
        assert np.isfinite(reward)
    assert total == pytest.approx(sum(info["turn_rewards"]) + info["outcome"]["reward"])
    json.dumps(info)


@pytest.mark.parametrize("env_id", IDS)
@given(data=st.data())
def test_any_text_conserves_rewards(env_id, data):
    conserve(env_id, data)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
@settings(max_examples=10_000)
def test_ten_thousand_episodes_of_any_text_conserve_rewards(family, data):
    conserve(f"turnenv/{family}-v0", data)


class Sound(turnenv.TextEnv[list[str]]):
    """Pays less each turn, and remembers all."""

    max_turns = 2

    def start(self, rng, options):
        return [], "hi"

    def respond(self, state, action, rng):
        state.append(action)
        return turnenv.Reply.turn("go on", {"a": 0.5 / len(state)})


class Leaky(turnenv.TextEnv[int]):
    """Pays for ever in one state."""

    max_turns = 2

    def start(self, rng, options):
        return 0, "hi"

    def respond(self, state, action, rng):
        return turnenv.Reply.turn("go on", {"a": 0.5})


class Forgetful(Leaky):
    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward + 1.0, terminated, truncated, info


class Shared(Leaky):
    rolled = 0

    def respond(self, state, action, rng):
        Shared.rolled += 1
        return turnenv.Reply.turn(str(Shared.rolled))


class Fragile(Leaky):
    def respond(self, state, action, rng):
        return turnenv.Reply.turn(str(action.encode()))


class Endless(Leaky):
    def step(self, action):
        observation, reward, _, _, info = super().step(action)
        info.pop("outcome", None), info.pop("fault", None)
        self._over = False
        return observation, reward, False, False, info


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (Leaky, "the state came back and 0.5 was paid"),
        (Forgetful, "do not sum to the reward"),
        (Shared, "differ|Deterministic"),
        (Fragile, "raised UnicodeEncodeError"),
        (Endless, "goes on after max_turns"),
    ],
)
def test_check_env_catches_a_broken_environment(broken, said):
    with pytest.raises(AssertionError, match=said):
        turnenv.check_env(broken())


def test_check_env_takes_a_sound_environment_that_is_not_registered():
    checked = turnenv.check_env(Sound())
    assert [check.claim for check in checked if check.unchecked] == [
        "coming back to a state is not paid",
        "no loop earns more than solving",
        "twins, spec and batches",
    ]
