"""TriviaSearch: the paper's rewards with their defects fixed, on questions and a search of the tests' own."""

import json

import gymnasium
import pytest

from turnenv.actions import make_grammar
from turnenv.envs.trivia_search import TriviaSearch
from turnenv.search import Passage, SearchError

XML = make_grammar("xml")
THINK = "I should think."
SEARCH = XML.call("search", {"query": "capital of France"}, THINK)
RIGHT = XML.answer("Paris", THINK)
WRONG = XML.answer("Rome", THINK)


class Shelf:
    """A search over two articles."""

    def search(self, query):
        if "down" in query:
            raise SearchError("shelf: connection refused")
        if "France" in query:
            return [Passage("France", "France is a country. Its capital is Paris.")]
        return [Passage("Italy", "Italy's capital is Rome.")] if "Italy" in query else []


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "questions.jsonl"
    rows = [
        {"question": "What is the capital of France?", "answers": ["Paris", "City of Paris"]},
        {"question": "Which band sang 'Help!'?", "answers": ["The Beatles"]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def play(questions):
    def play(*actions, task=0, **kwargs):
        env = TriviaSearch(questions=questions, search=kwargs.pop("search", Shelf()), **kwargs)
        env.reset(seed=0, options={"task": task})
        return [env.step(action) for action in actions]

    return play


def turn(step):
    return step[4]["reward_components"]


def outcome(steps):
    return steps[-1][4]["outcome"]


def test_golden_episode(play):
    searched, answered = play(SEARCH, RIGHT)
    assert searched[0] == "<result>\nFrance: France is a country. Its capital is Paris.\n</result>"
    assert searched[1:4] == (0.7, False, False)
    assert turn(searched) == {"tool_execution": 0.2, "answer_in_result": 0.5}
    assert answered[2:4] == (True, False)
    assert turn(answered) == {"tool_execution": 0.0, "answer_in_result": 0.0}
    assert answered[4]["outcome"] == {
        "reward": pytest.approx(1.9),
        "success": True,
        "end": "answered",
        "components": {"exact_match": 1.0, "answer_presence": 0.5, "xml_format": 0.2, "xml_tags": 0.2},
    }


def test_an_honest_wrong_answer_earns_its_search_and_its_format(play):
    steps = play(SEARCH, WRONG)
    assert sum(step[1] for step in steps) == pytest.approx(0.7 + 0.4)
    assert not outcome(steps)["success"]


HONEST_AND_WRONG = 0.7 + 0.4
QUERY = {"name": "search", "args": {"query": "capital of France"}}


@pytest.mark.parametrize(
    "actions",
    [
        ["", ""],
        [SEARCH, ""],
        [SEARCH, SEARCH],
        [RIGHT.replace("Paris", "Paris, London, Rome"), ""],
        [SEARCH, XML.answer("Paris London Rome", THINK)],
        [SEARCH, XML.answer("Paris or Rome", THINK)],
        [SEARCH, XML.answer("Rome", THINK) + RIGHT],
        [SEARCH, XML.result("Paris") + WRONG],
        [XML.result("Paris\nThe answer is Paris"), WRONG],
        [SEARCH + XML.result("Paris") + "<tool>" + json.dumps(QUERY) + "</tool>", WRONG],
        [XML.call("search", {"query": "nothing at all"}, THINK), WRONG],
        [XML.call("search", {"query": ""}, THINK), WRONG],
        [XML.call("serch", {"query": "France"}, THINK), WRONG],
        [XML.call("search", {"query": 3}, THINK), WRONG],
        [XML.call("search", {"q": "France"}, THINK), WRONG],
        ["<tool>" * 50 + json.dumps(QUERY) + "</tool>" * 50, WRONG],
        ["<reasoning>" * 9 + "</reasoning>" * 9, WRONG],
        [SEARCH, XML.answer("Paris " * 500, THINK)],
        [SEARCH, XML.answer("Раris", THINK)],  # Cyrillic look-alikes
        [SEARCH, XML.answer("", THINK)],
    ],
)
def test_no_trick_earns_more_than_an_honest_wrong_answer(play, actions):
    env_steps = play(*actions[:1])
    steps = env_steps if env_steps[0][2] else play(*actions)
    assert sum(step[1] for step in steps) <= HONEST_AND_WRONG + 1e-9


def test_a_search_that_finds_nothing_is_no_success(play):
    step = play(XML.call("search", {"query": "nothing"}, THINK))[0]
    assert turn(step) == {"tool_execution": 0.0, "answer_in_result": 0.0}
    assert step[0] == "<result>\nNothing was found.\n</result>"
    assert step[4]["valid_action"]


def test_a_search_that_finds_something_else_is_paid_for_running(play):
    assert turn(play(XML.call("search", {"query": "Italy"}, THINK))[0]) == {
        "tool_execution": 0.2,
        "answer_in_result": 0.0,
    }


def test_a_call_on_the_last_turn_is_not_run_and_not_paid(play):
    steps = play("hm", SEARCH)
    assert turn(steps[1]) == {"tool_execution": 0.0, "answer_in_result": 0.0}
    assert "not run" in steps[1][0]
    assert steps[1][2:4] == (False, True)
    assert outcome(steps)["reward"] == 0.0


def test_more_searches_are_paid_once(play):
    steps = play(SEARCH, SEARCH, SEARCH, RIGHT, max_turns=4, max_searches=2)
    assert [sum(turn(step).values()) for step in steps] == [0.7, 0.0, 0.0, 0.0]
    assert "no searches are left" in steps[2][0]
    assert outcome(steps)["success"]


def test_running_out_of_turns_earns_no_outcome(play):
    steps = play(SEARCH, "thinking still")
    assert outcome(steps)["end"] == "turn_limit"
    assert outcome(steps)["reward"] == 0.0
    assert set(outcome(steps)["components"]) == {"exact_match", "answer_presence", "xml_format", "xml_tags"}


def test_exact_match_normalises_both_sides(play):
    assert outcome(play(XML.answer("beatles!"), task=1))["components"]["exact_match"] == 1.0
    assert outcome(play(XML.answer("the city of paris")))["components"]["exact_match"] == 1.0


def test_fuzzy_scoring_is_an_option(play):
    assert outcome(play(XML.answer("Beetles"), task=1))["components"]["exact_match"] == 0.0
    assert outcome(play(XML.answer("Beetles"), task=1, fuzzy=0.8))["components"]["exact_match"] == 1.0
    assert outcome(play(XML.answer("Rolling Stones"), task=1, fuzzy=0.8))["components"]["exact_match"] == 0.0


def test_a_broken_search_is_a_fault_not_a_failure(play):
    step = play(XML.call("search", {"query": "down"}, THINK))[0]
    assert step[1:4] == (0.0, False, True)
    assert step[4]["outcome"]["end"] == "fault"
    assert step[4]["fault"] == "shelf: connection refused"


@pytest.mark.parametrize("name", ["hermes", "plain"])
def test_the_other_grammars_play_the_same_game(play, name):
    grammar = make_grammar(name)
    steps = play(grammar.call("search", {"query": "France"}), grammar.answer("Paris"), grammar=name)
    assert [step[1] for step in steps] == pytest.approx([0.7, 1.9])


def test_a_long_result_is_cut_and_says_so(play):
    step = play(SEARCH, max_result_chars=10)[0]
    assert step[0] == "<result>\nFrance: Fr … (cut)\n</result>"
    assert turn(step)["answer_in_result"] == 0.0


def test_the_prompt_names_tool_limits_and_form(questions):
    env = TriviaSearch(questions=questions, search=Shelf(), max_turns=5, max_searches=3)
    for part in ("at most 3 times", "5 messages", "<tool>", "<answer>", '"query"', "search: Search an encyclopedia"):
        assert part in env.system_prompt
    assert env.tools[0]["function"]["name"] == "search"
    assert env.num_tasks == 2
    assert env.blocking


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"max_turns": 1}, "max_turns must be at least 2; got 1"),
        ({"fuzzy": 0.0}, "likeness"),
        ({"grammar": "xlm"}, "did you mean 'xml'"),
        ({"search": "wikpedia"}, "did you mean 'wikipedia'"),
        ({"questions": "no/such/file.jsonl"}, "no/such/file.jsonl"),
    ],
)
def test_wrong_arguments_are_explained(kwargs, said):
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        TriviaSearch(**kwargs)


def test_the_default_is_the_atlas():
    env = gymnasium.make("turnenv/TriviaSearch-v0", split="test")
    observation, info = env.reset(seed=0)
    assert observation.startswith("Question: ")
    assert info["system_prompt"].startswith("Answer the question.")
    assert not env.unwrapped.blocking


def test_one_search_is_run_by_default():
    env = TriviaSearch(max_turns=4)
    question, _ = env.reset(seed=0)
    call = make_grammar("xml").call("search", {"query": question})
    assert "no searches are left" not in env.step(call)[0]
    assert "no searches are left" in env.step(call)[0]
