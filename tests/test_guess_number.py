"""GuessNumber: rules, rewards, and nothing to farm."""

from math import log

import gymnasium
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.scripted.guess_number import make_expert
from turnenv import Scripted, collect
from turnenv.envs.guess_number import GuessNumber


def play(task, guesses, **kwargs):
    env = GuessNumber(**kwargs)
    env.reset(seed=0, options={"task": task})
    return [env.step(guess) for guess in guesses]


def test_golden_episode():
    first, second, third = play(29, ["25", "My guess: 37", "30"])
    assert first[0] == "The hidden number is higher than 25."
    assert first[4]["turn_reward"] == pytest.approx(0.5 * log(50 / 25) / log(50))
    assert second[4]["turn_reward"] == pytest.approx(0.5 * log(25 / 11) / log(50))
    assert third[4]["turn_reward"] == pytest.approx(0.5 * log(11) / log(50))
    assert third[4]["outcome"] == {"reward": 1.0, "success": True, "end": "solved", "components": {"found": 1.0}}
    assert sum(third[4]["turn_rewards"]) == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["", "twenty", "x" * 100, "9" * 30, "٣"])
def test_no_number_or_a_silly_one_is_survived(text):
    assert play(0, [text])[0][1] >= 0.0


def test_digits_of_another_script_are_no_number():
    assert not play(25, ["２６"])[0][4]["valid_action"]


def test_bisection_always_finds_it_and_is_paid_the_same():
    episodes = collect("turnenv/GuessNumber-v0", Scripted(make_expert), [0] * 50, tasks=range(50))
    assert all(episode.outcome.success for episode in episodes)
    assert {round(episode.total_reward, 9) for episode in episodes} == {1.5}


@given(guesses=st.lists(st.integers(-5, 60), min_size=6, max_size=6), task=st.integers(0, 49))
def test_turns_never_earn_more_than_finding_it(guesses, task):
    env = GuessNumber()
    env.reset(seed=0, options={"task": task})
    for guess in guesses:
        _, _, terminated, truncated, info = env.step(str(guess))
        assert info["turn_reward"] >= 0.0
        if terminated or truncated:
            break
    assert sum(info["turn_rewards"]) <= 0.5 + 1e-9
    assert info["outcome"]["success"] == terminated


def test_repeating_a_guess_earns_nothing():
    assert [step[4]["turn_reward"] for step in play(0, ["25", "25", "25"])][1:] == [0.0, 0.0]


def test_the_hard_one_needs_more_turns():
    assert gymnasium.make("turnenv/GuessNumber-hard-v0").unwrapped.max_turns == 14


@pytest.mark.parametrize("kwargs", [{"low": 3, "high": 3}, {"max_turns": 0}])
def test_a_range_without_a_choice_is_refused(kwargs):
    with pytest.raises(ValueError, match=r"nothing to guess|at least 1"):
        GuessNumber(**kwargs)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("I say 25, no, 37.", 37),
        ("25, 37", 37),
        ("25,37", 37),
        ("10-37", 37),
        ("1,000", 1000),
        ("My guess is 1,250.", 1250),
        ("37.0", 37),
        ("**37**!", 37),
        ("1_250", 1250),
        ("0037", 37),
    ],
)
def test_a_whole_number_is_read_as_people_write_it(text, number):
    assert play(number - 1, [text], high=10_000)[0][2], text


@pytest.mark.parametrize("text", ["37.5", "25, then 37.5", "1e3", "74/2", "37½", "-.5", "9" * 30])
def test_what_is_no_whole_number_is_named_and_changes_nothing(text):
    hint, reward, *_, info = play(36, [text])[0]
    assert "is not a whole number: write one whole number." in hint
    assert (reward, info["valid_action"]) == (0.0, False)
