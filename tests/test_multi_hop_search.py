"""MultiHopSearch: a hop is paid once, whatever the order; questions differ in their turns; nothing to farm."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.scripted.multi_hop_search import make_expert
from turnenv import Scripted, collect
from turnenv.actions import make_grammar
from turnenv.envs.multi_hop_search import MultiHopSearch
from turnenv.search import Passage, SearchError

XML = make_grammar("xml")
THINK = "I should think."
IDS = ["turnenv/MultiHopSearch-v0", "turnenv/MultiHopSearch-easy-v0", "turnenv/MultiHopSearch-hard-v0"]
FORMAT = {"xml_format": 0.2, "xml_tags": 0.2}


def search(query):
    return XML.call("search", {"query": query}, THINK)


class Shelf:
    """A search over three articles."""

    def search(self, query):
        if "down" in query:
            raise SearchError("shelf: connection refused")
        texts = {"Emma": "Jane Austen wrote Emma.", "Jane Austen": "Born in Steventon.", "Italy": "A country."}
        return [Passage(title, text) for title, text in texts.items() if title.lower() in query.lower()][:1]


@pytest.fixture
def play(tmp_path):
    path = tmp_path / "questions.jsonl"
    rows = [
        {"question": "Where was the author of Emma born?", "answer": "Steventon", "titles": ["Emma", "Jane Austen"]},
        {"question": "Three?", "answer": "yes", "titles": ["Emma", "Jane Austen", "Italy"]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def play(*actions, task=0, **kwargs):
        env = MultiHopSearch(questions=path, search=kwargs.pop("search", Shelf()), **kwargs)
        env.reset(seed=0, options={"task": task})
        return [env.step(action) for action in actions]

    return play


def hops(steps):
    return [step[4]["reward_components"]["hop"] for step in steps]


def test_golden_episode(play):
    first, second, answered = play(search("Emma"), search("Jane Austen"), XML.answer("Steventon", THINK))
    assert first[0] == "<result>\nEmma: Jane Austen wrote Emma.\n</result>"
    assert first[4]["reward_components"] == {"hop": 0.25}
    assert second[4]["reward_components"] == {"hop": 0.25}
    assert answered[4]["reward_components"] == {"hop": 0.0}
    assert answered[2:4] == (True, False)
    assert answered[4]["outcome"] == {
        "reward": pytest.approx(1.6),
        "success": True,
        "end": "answered",
        "components": {"exact_match": 1.0, "answer_presence": 0.2, **FORMAT},
    }


def test_repeated_and_useless_searches_earn_nothing(play):
    steps = play(search("Emma"), search("emma again"), search("Italy"), search("moon"), max_turns=9)
    assert hops(steps) == [0.25, 0.0, 0.0, 0.0]
    assert steps[3][0] == "<result>\nNothing was found.\n</result>"


def test_hops_may_be_found_in_any_order(play):
    assert hops(play(search("Jane Austen"), search("Emma"))) == [0.25, 0.25]


def test_turns_depend_on_the_question(play):
    two = play(*["hm"] * 4)
    assert [step[2:4] for step in two] == [(False, False)] * 3 + [(False, True)]
    three = play(*["hm"] * 5, task=1)
    assert [step[2:4] for step in three] == [(False, False)] * 4 + [(False, True)]
    assert three[-1][4]["outcome"] == {
        "reward": 0.0,
        "success": False,
        "end": "turn_limit",
        "components": {"exact_match": 0.0, "answer_presence": 0.0, "xml_format": 0.0, "xml_tags": 0.0},
    }
    assert play("hm", "hm", max_turns=2)[1][3]


def test_a_search_on_the_last_turn_is_not_run(play):
    steps = play("hm", "hm", "hm", search("Emma"))
    assert "not run" in steps[-1][0]
    assert hops(steps) == [0.0] * 4


def test_an_answer_on_the_last_turn_counts(play):
    steps = play("hm", "hm", "hm", XML.answer("Steventon", THINK))
    assert steps[-1][2:4] == (True, False)
    assert steps[-1][4]["outcome"]["success"]


def test_a_broken_search_is_a_fault_not_a_failure(play):
    step = play(search("Emma"), search("down"))[1]
    assert step[1:4] == (0.0, False, True)
    assert step[4]["outcome"]["end"] == "fault"
    assert step[4]["fault"] == "shelf: connection refused"


def test_an_article_that_the_cut_hides_is_not_paid(play):
    class Two(Shelf):
        def search(self, query):
            return [Passage("Italy", "long " * 100), Passage("Emma", "Jane Austen wrote Emma.")]

    assert hops(play(search("x"), search=Two(), max_result_chars=100)) == [0.0]
    assert hops(play(search("x"), search=Two())) == [0.25]


HONEST_AND_WRONG = 0.5 + 0.4


@pytest.mark.parametrize(
    "actions",
    [
        [search("Emma Jane Austen"), XML.answer("Steventon, Bath, London", THINK)],
        [search("Emma"), XML.answer("Bath or Steventon", THINK)],
        [search("Emma")] * 4,
        [XML.result("Jane Austen: Born in Steventon.") + search("Emma"), XML.answer("Bath", THINK)],
        [search("Emma"), search("Jane Austen"), XML.answer("Bath", THINK) + XML.answer("Steventon")],
        [search("Emma"), search("Jane Austen"), XML.answer("Steventon " * 200, THINK)],
        [search("Emma"), search("Jane Austen"), XML.answer("Stеventon", THINK)],  # a Cyrillic look-alike
        ["<tool>" + "[" * 50_000 + "</tool>", XML.answer("", THINK)],
    ],
)
def test_no_trick_earns_more_than_an_honest_wrong_answer(play, actions):
    assert sum(step[1] for step in play(*actions)) <= HONEST_AND_WRONG + 1e-9


@given(data=st.data(), task=st.integers(0, 3_000))
def test_searches_never_earn_more_than_their_hops(data, task):
    env = ENVS.setdefault("train", MultiHopSearch())
    env.reset(seed=0, options={"task": task % env.num_tasks})
    titles = env.asked(env._state).titles
    over = False
    while not over:
        query = data.draw(st.sampled_from([*titles, " ".join(titles), "country capital"]))
        _, _, terminated, truncated, info = env.step(search(query))
        over = terminated or truncated
    assert sum(info["turn_rewards"]) <= 0.5 + 1e-9
    assert info["turn"] == len(titles) + 2
    assert info["outcome"]["reward"] == 0.0


ENVS = {}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_expert_solves_the_held_out_questions(split):
    env = MultiHopSearch(split)
    episodes = collect(
        lambda: MultiHopSearch(split), Scripted(make_expert), [0] * env.num_tasks, tasks=range(env.num_tasks)
    )
    assert sum(episode.outcome.success for episode in episodes) >= 0.97 * env.num_tasks


def test_snapshot_branches_and_returns(play):
    env = MultiHopSearch()
    env.reset(seed=0, options={"task": 0})
    here, title = env.snapshot(), env.asked(env._state).titles[0]
    first = env.step(search(title))
    env.restore(here)
    assert env.step("hm") != first
    env.restore(here)
    assert env.step(search(title)) == first


@pytest.mark.parametrize("name", ["hermes", "plain"])
def test_the_other_grammars_play_the_same_game(play, name):
    grammar = make_grammar(name)
    calls = [grammar.call("search", {"query": title}) for title in ("Emma", "Jane Austen")]
    steps = play(*calls, grammar.answer("Steventon"), grammar=name)
    assert [step[1] for step in steps] == pytest.approx([0.25, 0.25, 1.6])


def test_the_observation_says_how_many_messages_there_are():
    easy, hard = MultiHopSearch(max_hops=2), MultiHopSearch(min_hops=3)
    assert easy.max_turns == 4
    assert hard.max_turns == 6
    assert easy.reset(seed=0)[0].endswith("You have 4 messages.")
    assert "two more messages" in easy.system_prompt
    assert not easy.blocking


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"max_turns": 1}, "max_turns must be at least 2; got 1"),
        ({"min_hops": 5}, "max_hops must be at least 5; got 4"),
        ({"fuzzy": 2.0}, "likeness"),
        ({"max_result_chars": 0}, "max_result_chars"),
        ({"questions": "hotpot"}, "unknown source"),
    ],
)
def test_wrong_arguments_are_explained(kwargs, said):
    with pytest.raises(ValueError, match=said):
        MultiHopSearch(**kwargs)
