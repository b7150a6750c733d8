"""reasoning-gym's problems: its score is the outcome, of the last of the attempts."""

import gymnasium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnenv import check_env
from turnenv.actions import XmlGrammar
from turnenv.adapters.reasoning_gym import ReasoningGymEnv

reasoning_gym = pytest.importorskip("reasoning_gym")

ENTRY = "turnenv.adapters.reasoning_gym"
NAMES = ("leg_counting", "chain_sum", "countdown", "mini_sudoku")
for name in NAMES:
    gymnasium.register(
        f"reasoning_gym/{name}-v0",
        entry_point=f"{ENTRY}:ReasoningGymEnv",
        vector_entry_point=f"{ENTRY}:make_vector",
        kwargs={"dataset": name, "attempts": 3},
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_is_kept(name):
    checks = check_env(f"reasoning_gym/{name}-v0", episodes=4)
    assert "equal seeds and actions, equal episodes" in {check.claim for check in checks if not check.unchecked}


def test_one_attempt_keeps_the_contract_too():
    checked = check_env(ReasoningGymEnv("leg_counting"), episodes=2)
    assert "snapshot, diverge, restore" in {check.claim for check in checked if not check.unchecked}


def solution(task):
    return reasoning_gym.create_dataset("leg_counting", size=10_000, seed=0)[task]["answer"]


def test_the_right_answer_at_the_second_attempt():
    env = ReasoningGymEnv("leg_counting", attempts=3)
    env.reset(seed=0, options={"task": 11})
    _, reward, terminated, _, info = env.step("<answer>-1</answer>")
    assert not terminated
    assert (reward, info["valid_action"]) == (0.0, True)
    _, reward, terminated, _, info = env.step(f"<answer>{solution(11)}</answer>")
    assert terminated
    assert reward == 1.0
    assert info["outcome"] == {"reward": 1.0, "success": True, "end": "solved", "components": {"score": 1.0}}


def test_the_answer_hidden_in_a_long_text_is_not_an_answer():
    env = ReasoningGymEnv("leg_counting")
    env.reset(seed=0, options={"task": 11})
    _, reward, terminated, _, info = env.step(f"It may be {solution(11)}.")
    assert terminated
    assert reward == 0.0
    assert not info["valid_action"]
    assert type(info["outcome_reward"]) is float


def test_a_last_message_without_an_answer_ran_out_of_turns():
    for attempts in (1, 2):
        env = ReasoningGymEnv("leg_counting", attempts=attempts)
        env.reset(seed=0)
        for _ in range(attempts):
            _, _, terminated, truncated, info = env.step("I am not sure.")
        assert info["outcome"] == {"reward": 0.0, "success": False, "end": "turn_limit", "components": {"score": 0.0}}
        assert (terminated, truncated) == (attempts == 1, attempts > 1)
        env.reset(seed=0)
        for _ in range(attempts):
            *_, info = env.step("<answer>-1</answer>")
        assert info["outcome"]["end"] == "answered"


def test_tasks_are_entries_whatever_the_seed():
    env = ReasoningGymEnv("chain_sum")
    dataset = reasoning_gym.create_dataset("chain_sum", size=10_000, seed=0)
    for seed in (0, 1):
        assert env.reset(seed=seed, options={"task": 3})[0] == dataset[3]["question"]


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="attempts"):
        ReasoningGymEnv("chain_sum", attempts=0)
    with pytest.raises(ValueError, match="not registered"):
        ReasoningGymEnv("no_such")


PIECES = ["<answer>", "</answer>", "<think>", "</think>", "<reasoning>", "<tool>", "`", "\n", "{", "", "\ud800"]
texts = st.lists(st.sampled_from(PIECES) | st.text(st.characters(), max_size=4), max_size=6).map("".join)


def check_answer(text):
    """Whether an answer can be written; if so, it reaches reasoning-gym's score but for white space around it."""
    env, scored = ReasoningGymEnv("leg_counting", size=10), []
    env.reset(seed=0)
    env._dataset.score_answer = lambda answer, entry: scored.append(answer) or 0.0
    try:
        env.step(XmlGrammar().answer(text, "I count."))
    except ValueError:
        return False
    assert scored == [text.strip()]
    return True


def test_an_ordinary_answer_is_scored_as_it_was_written():
    assert check_answer(" 12 < 13\n")


@given(text=texts)
@settings(deadline=None)
def test_an_answer_is_scored_as_it_was_written(text):
    check_answer(text)


@pytest.mark.slow
@given(text=texts)
@settings(max_examples=10_000, deadline=None)
def test_ten_thousand_answers_are_scored_as_they_were_written(text):
    check_answer(text)
