"""WordGuess: marks, information, and nothing to farm; the easy one exactly."""

import re
from collections import Counter
from math import log

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnenv
from turnenv.envs.word_guess import WordGuess
from turnenv.envs.word_guess.env import feedback, word_list
from turnenv.exact import expected_return, optimal, tabular_model
from turnenv.exact.beliefs import Beliefs

IDS = ["turnenv/WordGuess-v0", "turnenv/WordGuess-easy-v0", "turnenv/WordGuess-hard-v0"]


def play(hidden, guesses, **kwargs):
    env = WordGuess(len(hidden), **kwargs)
    env.reset(seed=0, options={"task": word_list(len(hidden)).index(hidden)})
    return [env.step(guess) for guess in guesses]


@pytest.mark.parametrize(
    ("guess", "hidden", "marks"),
    [
        ("crane", "crane", "G G G G G"),
        ("crane", "nacre", "Y Y Y Y G"),
        ("geese", "these", "- - G G G"),
        ("speed", "erase", "Y - Y Y -"),
        ("eerie", "three", "Y - G - G"),
        ("allow", "llama", "Y G Y - -"),
        ("llama", "allow", "Y G Y - -"),
        ("aabbb", "bbaaa", "Y Y Y Y -"),
    ],
)
def test_marks_of_words_with_repeated_letters(guess, hidden, marks):
    assert feedback(guess, hidden) == marks


@given(st.text("abc", min_size=5, max_size=5), st.text("abc", min_size=5, max_size=5))
def test_marks_count_each_letter_as_often_as_both_words_hold_it(guess, hidden):
    marks = feedback(guess, hidden).split()
    found = Counter(letter for letter, mark in zip(guess, marks, strict=True) if mark != "-")
    assert found == Counter(guess) & Counter(hidden)
    assert [mark == "G" for mark in marks] == [a == b for a, b in zip(guess, hidden, strict=True)]


def test_golden_episode():
    first, again, last = play("tiger", ["I start with raise", "RAISE!", "so it is tiger"])
    words = word_list(5)
    left = sum(feedback("raise", word) == "Y - Y - Y" for word in words)
    assert first[0] == "raise: Y - Y - Y"
    assert first[4]["turn_reward"] == pytest.approx(0.5 * log(len(words) / left) / log(len(words)))
    assert again[4]["turn_reward"] == 0.0
    assert last[0] == "tiger: G G G G G. Correct!"
    assert last[4]["outcome"] == {"reward": 1.0, "success": True, "end": "solved", "components": {"found": 1.0}}
    assert sum(last[4]["turn_rewards"]) == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["", "four", "sixsix", "ｃｒａｎｅ", "cra ne", "a" * 1000, "cráne"])
def test_a_text_without_a_word_is_refused(text):
    step = play("tiger", [text])[0]
    assert not step[4]["valid_action"]
    assert step[1] == 0.0


def test_a_told_list_is_the_only_one_that_counts():
    step = play("milk", ["aeio"])[0]
    assert "not in the list" in step[0]
    assert not step[4]["valid_action"]
    assert "milk" in WordGuess(4).system_prompt
    assert play("tiger", ["aeiou"])[0][4]["valid_action"]


@given(
    words=st.lists(st.sampled_from(word_list(5)) | st.text("aert", min_size=5, max_size=5), max_size=6), task=st.data()
)
def test_turns_telescope_to_the_information_won(words, task):
    number = task.draw(st.integers(0, len(word_list(5)) - 1))
    env = WordGuess()
    env.reset(seed=0, options={"task": number})
    rewards, found = [], False
    for word in words:
        _, _, terminated, truncated, info = env.step(word)
        rewards.append(info["turn_reward"])
        found = terminated
        if terminated or truncated:
            break
    left = [word for word in word_list(5) if all(feedback(g, word) == feedback(g, word_list(5)[number]) for g in words)]
    if not found:
        assert sum(rewards) == pytest.approx(0.5 - 0.5 * log(len(left)) / log(env.num_tasks), abs=1e-12)
    assert sum(rewards) <= 0.5 + 1e-12
    assert all(reward >= 0.0 for reward in rewards)


@pytest.mark.parametrize("env_id", IDS)
def test_the_contract_with_a_player_that_gets_somewhere(env_id):
    words = word_list(gymnasium.make(env_id).unwrapped.length)
    checked = turnenv.check_env(env_id, lambda observation, turn: words[(7 * turn + len(observation)) % len(words)])
    assert "coming back to a state is not paid" in {check.claim for check in checked if not check.unchecked}


def test_a_few_words_exactly():
    env, tasks = WordGuess(4), range(0, 40, 5)
    model = tabular_model(Beliefs(env, tasks))
    assert optimal(model, "success").v[0] @ model.start == pytest.approx(1.0)
    uniform = np.full((len(model.keys), 40), 1 / 40)
    # Guesses are independent of what is hidden: six draws from the list.
    assert expected_return(model, uniform, "success") == pytest.approx(1 - (39 / 40) ** 6)


@pytest.mark.slow
def test_the_easy_one_exactly():
    env = gymnasium.make("turnenv/WordGuess-easy-v0").unwrapped
    model = tabular_model(Beliefs(env, range(env.num_tasks)))
    assert optimal(model, "success").v[0] @ model.start == pytest.approx(1.0)
    assert optimal(model, "shaped").v[0] @ model.start == pytest.approx(1.5)


@pytest.mark.parametrize("kwargs", [{"length": 9}, {"max_turns": 0}])
def test_a_length_without_words_or_no_turn_is_refused(kwargs):
    with pytest.raises(ValueError, match=r"there are words of|at least 1"):
        WordGuess(**kwargs)


@given(st.text("abcD e_3é.\n", max_size=40))
def test_the_last_word_is_the_last_of_all_words(text):
    every = re.findall(r"\b[A-Za-z]{5}\b", text)
    found = WordGuess(5)._last_word.match(text)
    assert (found[1] if found else None) == (every[-1] if every else None)
