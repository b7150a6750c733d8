"""What a search is paid is read off what the agent is shown of it."""

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnenv.actions import make_grammar
from turnenv.envs.multi_hop_search import MultiHopSearch
from turnenv.envs.trivia_search import TriviaSearch
from turnenv.questions import TriviaQuestion
from turnenv.search import Passage

XML = make_grammar("xml")
SEARCH = XML.call("search", {"query": "x"}, "I look it up.")
RAN = pytest.approx(0.2)
FOUND = pytest.approx(0.7)


class Shelf:
    """A search that always finds the same."""

    def __init__(self, *passages):
        self.passages = [Passage(title, text) for title, text in passages]

    def search(self, query):
        return self.passages


@pytest.fixture
def searched(tmp_path):
    """Searches once; gives what was shown between the tags, and the turn's reward."""

    def searched(family, row, passages, limit=2_000):
        path = tmp_path / "questions.jsonl"
        path.write_text(json.dumps({"question": "q?", **row}))
        env = family(questions=path, search=Shelf(*passages), max_result_chars=limit)
        env.reset(seed=0)
        observation, *_, info = env.step(SEARCH)
        return observation.removeprefix("<result>\n").removesuffix("\n</result>"), info["turn_reward"]

    return searched


@pytest.mark.parametrize(
    ("limit", "shown", "paid"),
    [
        (200, "Hotels: Those of Parisian style are near Paris.", FOUND),
        (47, "Hotels: Those of Parisian style are near Paris.", FOUND),
        (46, "Hotels: Those of Parisian style are near Paris … (cut)", RAN),
        (25, "Hotels: Those of Parisian … (cut)", RAN),
        (22, "Hotels: Those of Paris … (cut)", RAN),
        (1, "H … (cut)", RAN),
    ],
)
def test_half_a_word_earns_nothing(searched, limit, shown, paid):
    passages = [("Hotels", "Those of Parisian style are near Paris.")]
    assert searched(TriviaSearch, {"answer": "Paris"}, passages, limit) == (shown, paid)


@pytest.mark.parametrize("answer", ["cut", "(cut)", "… (cut)"])
def test_the_words_that_say_it_was_cut_are_no_answer(searched, answer):
    assert searched(TriviaSearch, {"answer": answer}, [("T", "Long " * 20)], 10)[1] == RAN


@pytest.mark.parametrize(
    ("answer", "text", "limit", "paid"),
    [
        ("1", "1,000 men", 4, RAN),
        ("1", "1\u202f000 men", 4, RAN),
        ("5", "5億円", 4, RAN),
        ("東京", "首都は東京です。", 8, FOUND),
        ("東京", "首都は東京です。", 7, RAN),
        ("Zürich", unicodedata.normalize("NFD", "In Zürich so"), 13, FOUND),
    ],
)
def test_numbers_and_other_scripts_are_cut_as_words_are(searched, answer, text, limit, paid):
    assert searched(TriviaSearch, {"answer": answer}, [("T", text)], limit)[1] == paid


FOX = ("Red fox", "It eats what the Blue owl leaves.")
OWL = ("Blue owl", "A bird.")
HOPS = {"answer": "a", "titles": ["Red fox", "Blue owl"]}
BOTH = "Red fox: It eats what the Blue owl leaves.\n\nBlue owl: A bird."


@pytest.mark.parametrize(
    ("limit", "paid"),
    [(len(BOTH), 0.5), (len(BOTH) - 8, 0.5), (len(BOTH) - 9, 0.25), (len(BOTH) - 12, 0.25), (9, 0.25), (6, 0.0)],
)
def test_a_title_counts_where_it_is_shown_whole(searched, limit, paid):
    shown, reward = searched(MultiHopSearch, HOPS, [FOX, OWL], limit)
    assert reward == paid
    assert BOTH.startswith(shown.removesuffix(" … (cut)"))


def test_a_title_that_begins_another_one_does_not_count(searched):
    assert searched(MultiHopSearch, {**HOPS, "titles": ["Red", "Blue owl"]}, [FOX], 4)[1] == 0.0


@pytest.mark.parametrize(
    ("title", "found", "paid"),
    [
        ("Zürich", unicodedata.normalize("NFD", "Zürich"), 0.25),
        (unicodedata.normalize("NFD", "Zürich"), "ZÜRICH", 0.25),
        ("Bose–Einstein", "Bose-Einstein", 0.25),
        ("Rock ’n’ Roll", "Rock 'n' Roll", 0.25),
        ("New\u00a0York", "New York", 0.25),
        ("Ulm\u200e", "Ulm", 0.25),
        ("Zürich", "Zurich", 0.0),
        ("Hobbit", "The Hobbit", 0.0),
        ("C", "C++", 0.0),
        ("1.5", "15", 0.0),
        ("Yahoo", "Yahoo!", 0.0),
    ],
)
def test_titles_are_compared_by_what_names_an_article(searched, title, found, paid):
    row = {"answer": "a", "titles": [title, "Blue owl"]}
    assert searched(MultiHopSearch, row, [(found, "A text.")])[1] == paid


def once(text, limit):
    env = TriviaSearch(search=Shelf(("T", text)), max_result_chars=limit)
    env._questions = [TriviaQuestion("q?", ("Paris", "1"))]
    env.reset(seed=0, options={"task": 0})
    observation, *_, info = env.step(SEARCH)
    return observation.removeprefix("<result>\n").removesuffix("\n</result>"), info["reward_components"]


@given(limit=st.integers(3, 80), text=st.text("Paris 1,.-n", max_size=60))
def test_a_cut_result_earns_what_its_shown_text_earns_uncut(limit, text):
    cut, paid = once(text, limit)
    shown = cut.removesuffix(" … (cut)")
    assert shown == f"T: {text}"[:limit]
    following = f"T: {text}"[limit:][:1]
    if following and not following.isspace():
        shown = re.sub(r"\S+$", "", shown)
    assert paid == once(shown.removeprefix("T:").removeprefix(" "), 2_000)[1]
