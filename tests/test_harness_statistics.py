import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.statistics import mean_interval, median_interval, paired_interval


def test_golden_interval_of_three_seeds():
    # mean 2, s = 1, t(2, 97.5 %) = 4.302653: 4.302653 / √3 = 2.484138
    interval = mean_interval([1.0, 2.0, 3.0])
    assert interval.mean == 2.0
    assert interval.half_width == pytest.approx(2.484138, abs=1e-6)
    assert (interval.low, interval.high) == pytest.approx((-0.484138, 4.484138), abs=1e-6)
    assert interval.count == 3
    assert not interval.excludes_zero


def test_golden_interval_of_two_seeds_at_another_confidence():
    # s = 0.2 / √2, t(1, 95 %) = 6.313752: half width 6.313752 · 0.2 / 2
    assert mean_interval([0.5, 0.7], confidence=0.9).half_width == pytest.approx(0.6313752, abs=1e-6)


def test_one_seed_has_no_spread():
    interval = mean_interval([0.25])
    assert interval.mean == 0.25
    assert math.isnan(interval.half_width)
    assert not interval.excludes_zero


def test_paired_interval_takes_out_what_seeds_share():
    # Differences 1, 2, 3 over seeds whose levels differ by hundreds; seed 9 has no partner.
    treated = {0: 101.0, 1: 302.0, 2: 3.0}
    control = {0: 100.0, 1: 300.0, 2: 0.0, 9: 55.0}
    interval = paired_interval(treated, control)
    assert (interval.mean, interval.count) == (2.0, 3)
    assert interval.half_width == pytest.approx(2.484138, abs=1e-6)


@pytest.mark.parametrize(("count", "decided"), [(2, False), (5, False), (6, True), (10, True)])
def test_few_equal_differences_do_not_exclude_zero(count, decided):
    control = {seed: 0.1 * seed for seed in range(count)}
    interval = paired_interval({seed: value + 0.2 for seed, value in control.items()}, control)
    assert interval.half_width == pytest.approx(0.0, abs=1e-12)
    assert interval.excludes_zero is decided


def test_differences_that_are_all_zero_do_not_exclude_it():
    assert not paired_interval(dict.fromkeys(range(9), 2.0), dict.fromkeys(range(9), 2.0)).excludes_zero


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8), st.floats(-50, 50))
def test_a_shift_moves_the_mean_alone(values, shift):
    plain, shifted = mean_interval(values), mean_interval([value + shift for value in values])
    assert shifted.mean == pytest.approx(plain.mean + shift, abs=1e-9)
    assert shifted.half_width == pytest.approx(plain.half_width, abs=1e-6)


def test_intervals_cover_the_truth_as_often_as_they_say():
    draws = np.random.default_rng(0).normal(0.3, 0.1, size=(4000, 3))
    covered = [interval.low <= 0.3 <= interval.high for interval in map(mean_interval, draws)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(
    ("values", "confidence", "says"),
    [([], 0.95, "no values"), ([1.0, math.nan], 0.95, "finite"), ([1.0, 2.0], 95, "between 0 and 1")],
)
def test_what_cannot_be_an_interval_is_refused(values, confidence, says):
    with pytest.raises(ValueError, match=says):
        mean_interval(values, confidence)


def test_pairs_need_a_seed_in_common():
    with pytest.raises(ValueError, match="no seed in common"):
        paired_interval({0: 1.0}, {1: 1.0})


@pytest.mark.parametrize(
    ("values", "median", "low", "high", "confidence"),
    [
        ([3.0], 3.0, 3.0, 3.0, 0.0),
        ([4.0, 1.0], 2.5, 1.0, 4.0, 0.5),
        ([9.0, 1.0, 4.0], 4.0, 1.0, 9.0, 0.75),
        ([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 3.5, 1.0, 6.0, 0.96875),
    ],
)
def test_the_median_of_few_values_has_their_range(values, median, low, high, confidence):
    found = median_interval(values)
    assert (found.median, found.low, found.high, found.count) == (median, low, high, len(values))
    assert found.confidence == pytest.approx(confidence)
