"""Records survive JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnenv import End, Episode, Outcome, Turn

number = st.floats(allow_nan=False, allow_infinity=False)
named = st.dictionaries(st.text(max_size=5), number, max_size=3)
ids = st.none() | st.lists(st.integers(0, 1 << 20), max_size=3).map(tuple)
turns = st.builds(
    Turn, st.text(), st.text(), number, named, st.integers(-(1 << 63), (1 << 63) - 1), st.booleans(), ids, st.none()
)
outcomes = st.builds(Outcome, number, st.booleans(), st.sampled_from(End), named, st.text())
episodes = st.builds(
    Episode,
    st.text(),
    st.integers(0),
    st.none() | st.integers(0),
    st.lists(turns, min_size=1, max_size=3).map(tuple),
    outcomes,
    st.text(),
)


@given(episode=episodes)
def test_an_episode_is_one_line_and_reads_back(episode):
    line = episode.to_json()
    assert "\n" not in line
    assert Episode.from_json(line) == episode


@pytest.mark.parametrize("line", ["", "3", "{}", '{"turns": [{}], "outcome": {}}', '{"turns": [], "outcome": 3}'])
def test_what_is_no_episode_is_refused(line):
    with pytest.raises(ValueError, match="not an episode written by turnenv"):
        Episode.from_json(line)


def test_returns():
    turn = Turn("", "", 0.5, {"a": 0.5}, 0, True)
    episode = Episode("x", 0, 0, (turn, turn), Outcome(1.0, True, End.ANSWERED))
    assert episode.turn_rewards == (0.5, 0.5)
    assert episode.total_reward == 2.0
    assert not episode.faulted
    assert Episode("x", 0, 0, (turn,), Outcome(0.0, False, End.FAULT)).faulted
