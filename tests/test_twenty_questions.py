"""TwentyQuestions: what the questions mean, what they pay, and nothing to farm."""

import os
import subprocess
import sys
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnenv
from agents.scripted import twenty_questions as players
from turnenv.atlas.articles import facts
from turnenv.envs.twenty_questions import TwentyQuestions
from turnenv.envs.twenty_questions.attributes import NOUNS, attributes, plain, spoken
from turnenv.envs.twenty_questions.env import question_split

IDS = ["turnenv/TwentyQuestions-v0", "turnenv/TwentyQuestions-easy-v0", "turnenv/TwentyQuestions-hard-v0"]
ANSWERS = {"yes": "Yes.", "no": "No.", "neither": "That does not apply."}


def play(entity, actions, topic=None, **kwargs):
    env = TwentyQuestions(topic, **kwargs)
    env.reset(seed=0, options={"task": attributes(topic).entities.index(entity)})
    return [env.step(action) for action in actions]


@pytest.mark.parametrize(
    ("entity", "question", "answer"),
    [
        ("Nile", "Is it a river?", "yes"),
        ("Nile", "Is its topic countries?", "no"),
        ("Nile", "Is its continent Africa?", "yes"),
        ("Nile", "is its mouth the mediterranean?", "yes"),
        ("Nile", "Was it born before 1800?", "neither"),
        ("France", "Is its continent Asia?", "no"),
        ("France", "Is its calling code 33?", "yes"),
        ("France", "Is its calling code less than 34?", "yes"),
        ("France", "Is its currency the euro?", "yes"),
        ("Albert Einstein", "Was it born before 1880?", "yes"),
        ("Albert Einstein", "Was it born in 1879?", "yes"),
        ("Albert Einstein", "Did it die after 1955?", "no"),
        ("Albert Einstein", "Is its year of birth more than 1878?", "yes"),
        ("Albert Einstein", "Is its year before 1900?", "neither"),
        ("Lion", "Is it a mammal?", "yes"),
        ("Lion", "Is it an animal?", "yes"),
        ("Lion", "Is it a planet?", "no"),
        ("Helium", "Is it a noble gas?", "yes"),
        ("Mount Everest", "Is its height more than 8,000 metres?", "yes"),
    ],
)
def test_questions_are_answered_from_the_atlas(entity, question, answer):
    assert play(entity, [question])[0][0] == ANSWERS[answer]


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("", "neither a question"),
        ("Is it big", "neither a question"),
        ("Is its weight 5?", "no attribute"),
        ("Is its year before Christmas?", "whole number"),
        ("Is its year before 1900.5?", "whole number"),
        ("Is its year before 1,9,00?", "whole number"),
        ("Is it a thing of beauty?", "no entity is called"),
        ("It is Atlantis.", "no entity"),
        ("It is ", "neither a question"),
        ("Is it a " * 50_000, "neither a question"),
    ],
)
def test_what_cannot_be_read_is_refused(action, told):
    step = play("Nile", [action])[0]
    assert told in step[0]
    assert not step[4]["valid_action"]
    assert step[1] == 0.0


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("Is it a country? No, first: Is it a river?", "Yes."),
        ("It is often long. Is it a river? It is a long shot.", "Yes."),
        ("Is it a river?\nIs it?", "Yes."),
        ("Is it a country?\n\nI mean Is its continent   Africa ?", "Yes."),
        ("Is it a country? No. It is the Nile!", "Yes, it is Nile."),
        ("It is Nile. I am sure of it", "Yes, it is Nile."),
    ],
)
def test_the_last_command_that_can_be_read_counts(action, answer):
    assert play("Nile", [action])[0][0] == answer


def test_golden_episode():
    steps = play("Nile", ["Is it a river?", "Is it a river?", "Is its continent Africa?", "It is Nile."])
    everything = len(attributes().entities)
    rivers = {fact.subject for fact in facts() if fact.topic == "rivers"} & set(attributes().entities)
    african = {fact.subject for fact in facts() if (fact.relation, fact.value) == ("continent", "Africa")} & rivers
    rivers, african = len(rivers), len(african)
    expected = [log(everything / rivers), 0.0, log(rivers / african), log(african)]
    assert steps[-1][4]["turn_rewards"] == pytest.approx([0.5 * won / log(everything) for won in expected])
    assert steps[-1][4]["outcome"] == {"reward": 1.0, "success": True, "end": "answered", "components": {"named": 1.0}}
    wrong = play("Nile", ["Is it a river?", "It is Amazon River."])[-1]
    assert wrong[0] == "No, it was Nile."
    assert (wrong[1], wrong[2]) == (0.0, True)


@pytest.mark.parametrize("topic", [None, *NOUNS])
def test_every_question_parts_all_entities(topic):
    known = attributes(topic)
    for text in players._texts(topic):
        split = question_split(topic, text)
        assert split is not None or "height" in text, text
        if split is not None:
            assert split.yes | split.no | split.neither == known.all
            assert split.yes & split.no == split.yes & split.neither == split.no & split.neither == 0


def test_equality_questions_agree_with_every_fact():
    known = attributes()
    told = [fact for fact in facts() if fact.subject in known.entities and spoken(fact.relation) not in known.numeric]
    assert len(told) > 3000
    for fact in told:
        for value in (fact.value, *fact.aliases):
            assert known.with_value(spoken(fact.relation), value).yes >> known.names[plain(fact.subject)] & 1


def test_an_unknown_topic_is_refused():
    with pytest.raises(ValueError, match="no topic 'cheeses'"):
        TwentyQuestions("cheeses")
    with pytest.raises(ValueError, match="at least 1"):
        TwentyQuestions(max_turns=0)


@given(data=st.data())
def test_turns_telescope_to_the_information_won(data):
    questions = list(players._questions("rivers"))
    env = TwentyQuestions("rivers")
    env.reset(seed=0, options={"task": data.draw(st.integers(0, env.num_tasks - 1))})
    for _ in range(data.draw(st.integers(1, 20))):
        info = env.step(data.draw(st.sampled_from(questions)))[4]
        assert info["turn_reward"] >= 0.0
    left = env.snapshot().state.possible.bit_count()
    assert sum(info["turn_rewards"]) == pytest.approx(0.5 - 0.5 * log(left) / log(env.num_tasks), abs=1e-12)
    assert sum(info["turn_rewards"]) + info["outcome_reward"] <= 0.5 + 1e-12


@pytest.mark.parametrize("env_id", IDS)
def test_the_contract_with_a_player_that_gets_somewhere(env_id):
    asked = ["Is it a river?", "Is its year before 1900?", "Is its continent Europe?", "It is France."]
    checked = turnenv.check_env(env_id, lambda observation, turn: asked[min(turn // 2, 3)])
    assert "coming back to a state is not paid" in {check.claim for check in checked if not check.unchecked}


def test_questions_come_in_one_order_whatever_python_hashes_strings_to():
    code = "from agents.scripted.twenty_questions import _texts; print(*_texts('countries'), sep='\\n')"
    orders = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
        for seed in ("1", "2")
    ]
    assert orders[0].stdout == orders[1].stdout != b""
