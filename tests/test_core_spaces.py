"""The Unicode text space."""

import copy
import pickle

import pytest
from gymnasium.spaces import Text
from gymnasium.vector.utils import batch_space
from hypothesis import given
from hypothesis import strategies as st

from turnenv import UnicodeText


@given(text=st.text(st.characters(codec="utf-8")))
def test_holds_any_text_that_can_be_encoded(text):
    assert text in UnicodeText()


@pytest.mark.parametrize("other", ["\ud800", "x" * 11, "", 3, None, b"x"])
def test_refuses_the_rest(other):
    assert other not in UnicodeText(10, min_length=1)


def test_samples_are_seeded_and_inside():
    space, twin = UnicodeText(seed=1), UnicodeText(seed=1)
    samples = [space.sample() for _ in range(50)]
    assert samples == [twin.sample() for _ in range(50)]
    assert all(sample in space and len(sample) <= 64 for sample in samples)
    assert len(set(samples)) > 40


def test_is_a_text_space_that_copies_pickles_and_batches():
    space = UnicodeText(100)
    assert isinstance(space, Text)
    assert repr(space) == "UnicodeText(0, 100)"
    assert copy.deepcopy(space) == space == pickle.loads(pickle.dumps(space))
    assert space != UnicodeText(101)
    assert len(batch_space(space, 3).spaces) == 3
    assert not space.is_np_flattenable
