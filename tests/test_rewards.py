"""Answer scores: goldens by hand and properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnenv.rewards import answer_presence, contains, exact_match, fuzzy_match, normalise

SCORES = (exact_match, answer_presence, fuzzy_match)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Beatles", "beatles"),
        ("  An  apple, a day!", "apple day"),
        ("U.S.A.", "usa"),
        ("rock 'n' roll", "rock n roll"),
        ("“Hamlet”", "hamlet"),
        ("1914–1918", "1914 1918"),
        ("theatre", "theatre"),
        ("", ""),
    ],
)
def test_normalise_is_squads(text, expected):
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("answer", "accepted", "score"),
    [
        ("The Beatles", ("beatles",), 1.0),
        ("beatles", ("The Beatles",), 1.0),
        ("Paris!", ("London", "Paris"), 1.0),
        ("Paris, France", ("Paris",), 0.0),
        ("", ("",), 0.0),
        ("the", ("a",), 0.0),
    ],
)
def test_exact_match(answer, accepted, score):
    assert exact_match(answer, accepted) == score


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("Paris", 1.0),
        ("It is Paris.", 1.0),
        ("The capital of France is Paris", 1.0),
        ("Paris, France", 1.0),
        ("probably Paris", 1.0),
        ("Paris, London", 0.0),
        ("Paris London", 0.0),
        ("London. Paris", 0.0),
        ("Paris (London)", 0.0),
        ("Paris\u200bLondon", 0.0),
        ("Paris or London", 0.0),
        ("Paris, London, Rome, Berlin", 0.0),
        ("Paris London Rome", 0.0),
        ("London and Paris", 0.0),
        ("Parisian", 0.0),
        ("", 0.0),
        ("Paris " * 1_000, 0.0),
    ],
)
def test_presence_pays_no_lists(answer, score):
    assert answer_presence(answer, ("Paris",), "What is the capital of France?") == score


@pytest.mark.parametrize(
    ("answer", "score"),
    [("Nile", 1.0), ("It is the Nile.", 1.0), ("Nile Amazon", 0.0), ("the Nile or the Amazon", 0.0)],
)
def test_presence_does_not_pay_for_repeating_what_the_question_offers(answer, score):
    assert answer_presence(answer, ("Nile",), "Which is longer, the Nile or the Amazon?") == score


def test_presence_accepts_an_answer_that_is_itself_a_list():
    assert answer_presence("Trinidad and Tobago", ("Trinidad and Tobago",)) == 1.0


def test_contains_matches_whole_words():
    assert contains("Its capital is Paris.", ["paris"])
    assert not contains("A Parisian cafe", ["paris"])
    assert not contains("anything", ["", "the"])


def test_fuzzy_match_is_graded():
    assert fuzzy_match("Dostoevsky", ["Dostoyevsky"]) > 0.9
    assert fuzzy_match("Tolstoy", ["Dostoyevsky"]) < 0.6
    assert fuzzy_match("", ["x"]) == 0.0
    assert fuzzy_match("x", []) == 0.0


@pytest.mark.parametrize("score", SCORES)
@given(answer=st.text(), accepted=st.lists(st.text(), max_size=3))
def test_scores_stay_between_0_and_1(score, answer, accepted):
    assert 0.0 <= score(answer, accepted) <= 1.0


@given(answer=st.text(), accepted=st.lists(st.text(), max_size=3))
def test_an_exact_match_is_also_present_and_alike(answer, accepted):
    if exact_match(answer, accepted):
        assert answer_presence(answer, accepted) == 1.0
        assert fuzzy_match(answer, accepted) == 1.0
