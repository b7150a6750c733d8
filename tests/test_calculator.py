"""Calculator: what a call pays, what an answer is, and nothing to farm."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnenv
from agents.scripted import calculator as players
from turnenv.actions import HermesGrammar, PlainGrammar, XmlGrammar
from turnenv.envs.calculator import Calculator
from turnenv.envs.calculator.problems import load_word_problems

IDS = ["turnenv/Calculator-v0", "turnenv/Calculator-easy-v0", "turnenv/Calculator-hard-v0"]
XML = XmlGrammar()
JARS = {
    "question": "A crate holds 12 jars. Ten crates arrive and 15 are broken. Half of the rest is sold. How many?",
    "answer": "<<12*10=120>>120\n<<120-15=105>>105\n<<105/2=52.5>>52.5\n#### 52.5",
}


@pytest.fixture
def jars(tmp_path):
    path = tmp_path / "jars.jsonl"
    path.write_text(json.dumps(JARS))
    return path


def compute(expression):
    return XML.call("calculate", {"expression": expression})


def play(path, actions, **kwargs):
    env = Calculator(problems=path, **kwargs)
    env.reset(seed=0)
    return [env.step(action) for action in actions]


def test_golden_episode(jars):
    steps = play(jars, [compute("12*10"), compute("120-15"), compute("105/2"), XML.answer("52.5")])
    assert [step[0] for step in steps] == [
        "<result>\n120\n</result>",
        "<result>\n105\n</result>",
        "<result>\n52.5\n</result>",
        "Correct.",
    ]
    assert steps[-1][4]["turn_rewards"] == pytest.approx([1 / 6, 1 / 6, 1 / 6, 0.0])
    ending = {"reward": 1.0, "success": True, "end": "answered", "components": {"exact_number": 1.0}}
    assert steps[-1][4]["outcome"] == ending


def test_one_expression_pays_as_much_as_its_steps(jars):
    rewards = [step[1] for step in play(jars, [compute("(12*10-15)/2"), compute("12*10"), compute("105/2")])]
    assert rewards == pytest.approx([0.5, 0.0, 0.0])


def test_repeats_and_bare_numbers_and_parts_earn_nothing(jars):
    actions = [compute("120"), compute("12*10"), compute("60*2"), compute("(120-15)*0 + 1")]
    steps = play(jars, actions)
    assert [step[1] for step in steps] == pytest.approx([0.0, 1 / 6, 0.0, 0.0])
    assert "is a number already" in steps[0][0]
    assert not steps[0][4]["valid_action"]


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (compute("1/0"), "division by zero"),
        (compute("jars + 1"), "only numbers"),
        (compute("9**9**9"), "whole number up to|too large"),
        (XML.call("search", {"query": "jars"}), "no tool 'search'"),
        (XML.call("calculate", {"expression": 3}), "valid string"),
        ("I think it is 52.5", "no action found"),
        ("<result>\n52.5\n</result>", "no action found"),
    ],
)
def test_what_cannot_be_run_is_refused(jars, action, told):
    step = play(jars, [action])[0]
    assert any(part in step[0] for part in told.split("|"))
    assert (step[1], step[4]["valid_action"]) == (0.0, False)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("52.5", True),
        ("105/2", True),
        ("$52.50", True),
        ("52", False),
        ("52.5 or 53", False),
        ("", False),
        ("a half", False),
    ],
)
def test_the_answer_is_one_exact_number(jars, answer, right):
    step = play(jars, [XML.answer(answer)])[0]
    assert step[4]["outcome"]["success"] is right
    assert step[1] == float(right)


@pytest.mark.parametrize("grammar", [XmlGrammar(), HermesGrammar(), PlainGrammar(["calculate"])], ids=lambda g: g.name)
def test_every_grammar(grammar):
    env = Calculator(grammar=grammar.name)
    assert "calculate" in env.system_prompt
    for seed in range(5):
        act = players.make_expert(grammar)
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            observation, _, over, _, info = env.step(act(observation))
        assert info["outcome"]["success"]
        assert sum(info["turn_rewards"]) == pytest.approx(0.5)


calls = st.builds(compute, st.text("0123456789+-*/() ", max_size=12) | st.integers(0, 400).map("{}+0".format))


@given(actions=st.lists(calls, max_size=8), task=st.integers(0, 200))
def test_calls_without_end_never_earn_more_than_half(actions, task):
    env = Calculator(problems="generated-hard", max_turns=9)
    env.reset(seed=0, options={"task": task})
    rewards = [env.step(action)[1] for action in actions]
    assert all(reward >= 0.0 for reward in rewards)
    assert sum(rewards) <= 0.5 + 1e-12


@given(task=st.integers(0, 99_999), order=st.randoms())
def test_each_quantity_is_paid_once_in_any_order(task, order):
    env = Calculator(problems="generated-hard", max_turns=20)
    env.reset(seed=0, options={"task": task})
    values = [quantity.values[0] for quantity in load_word_problems("generated-hard")[task].quantities]
    order.shuffle(values)
    rewards = [env.step(compute(f"{value} + 0"))[1] for value in values * 2]
    assert sum(rewards) == pytest.approx(0.5)
    assert rewards[len(values) :] == [0.0] * len(values)


@pytest.mark.parametrize("env_id", IDS)
def test_the_contract_with_a_player_that_gets_somewhere(env_id):
    checked = turnenv.check_env(
        env_id, lambda text, turn: XML.answer(text[-5:]) if turn > 2 else compute(f"{turn + 5} * {len(text)}")
    )
    assert "coming back to a state is not paid" in {check.claim for check in checked if not check.unchecked}


def test_an_impossible_calculator_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Calculator(max_turns=0)
    with pytest.raises(ValueError, match="unknown grammar"):
        Calculator(grammar="morse")
