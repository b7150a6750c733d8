"""Numbers as people write them in a text."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnenv.actions.numbers import WRITTEN, last_number, ungrouped, whole


@pytest.mark.parametrize(
    ("text", "written", "number"),
    [
        ("37", "37", 37),
        ("I say 25, no, 37.", "37", 37),
        ("25, 37", "37", 37),
        ("25,37", "37", 37),
        ("between 10-20", "20", 20),
        ("-5", "-5", -5),
        ("+5", "+5", 5),
        ("\u22125", "\u22125", -5),
        ("1,000", "1,000", 1000),
        ("12,345,678!", "12,345,678", 12345678),
        ("1_000", "1_000", 1000),
        ("1'000", "1'000", 1000),
        ("1\u202f000", "1\u202f000", 1000),
        ("1,000-2,500", "2,500", 2500),
        ("-1,000.00", "-1,000.00", -1000),
        ("37.0", "37.0", 37),
        ("37.", "37", 37),
        ("25...37", "37", 37),
        ("is it.37", "37", 37),
        ("37th", "37", 37),
        ("$1,200", "1,200", 1200),
        ("007", "007", 7),
        ("37.5", "37.5", None),
        (".5", ".5", None),
        ("1e3", "1e3", None),
        ("74/2", "74/2", None),
        ("37\u00bd", "37\u00bd", None),
        ("9" * 19, "9" * 19, None),
        ("thirty", None, None),
        ("\u0663", None, None),
        ("\uff12\uff16", None, None),
    ],
)
def test_the_last_number(text, written, number):
    assert last_number(text) == written
    assert written is None or whole(written) == number


@given(st.text("0123456789+-., e/\u00bda", max_size=25) | st.text("12,0-.", max_size=40))
def test_the_search_from_the_end_finds_what_a_search_from_the_start_finds_last(text):
    every = re.findall(WRITTEN, text)
    assert last_number(text) == (every[-1] if every else None)


@given(
    st.integers(-(10**17), 10**17), st.sampled_from(",_'\u2019\u00a0\u2009\u202f"), st.sampled_from(["", ".0", ".000"])
)
def test_a_grouped_number_is_the_number(number, separator, decimals):
    written = f"{number:,}".replace(",", separator) + decimals
    assert last_number(f"I say {written}.") == written
    assert whole(written) == number
    assert ungrouped(written) == f"{number}{decimals}"


@pytest.mark.parametrize("text", ["1,2,500", "1234,567", "0,500", "1,0000", "1,000,50", "0.5,000"])
def test_what_is_grouped_wrongly_stays(text):
    assert ungrouped(text) == text


@pytest.mark.parametrize(
    "text", ["0" * 10**6, "1," * 500_000, "1,000" * 200_000, "1 ." * 330_000, "-+." * 330_000, "1" + "a" * 10**6]
)
def test_a_megabyte_is_read_at_once(text):
    began = time.thread_time()
    last_number(text)
    assert time.thread_time() - began < 2.0
