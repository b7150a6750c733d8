"""Statistics over cells, against values worked out by hand and properties that define them."""

import numpy as np
import pytest

from benchmarks.harness.aggregates import (
    holm,
    interquartile_difference,
    interquartile_interval,
    interquartile_mean,
    normalised,
    paired_p,
    performance_profile,
    probability_of_improvement,
)


def test_scores_are_normalised_by_random_and_expert():
    assert normalised([20.0, 60.0, 100.0], random=20.0, expert=100.0) == pytest.approx([0.0, 0.5, 1.0])
    with pytest.raises(ValueError, match="both score 3"):
        normalised([1.0], random=3.0, expert=3.0)


def test_interquartile_mean_is_of_the_middle_half_over_all_cells():
    # 8 scores: the lowest two and the highest two are left out.
    assert interquartile_mean([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 700.0]]) == pytest.approx((2 + 3 + 4 + 5) / 4)


def test_bootstrap_keeps_every_cell():
    # Were seeds drawn across cells, a draw could hold the first cell alone; within cells, each mean is fixed.
    interval = interquartile_interval([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.5, 0.5, 0.5))


def test_bootstrap_draws_pairs():
    # Levels differ by seed, the difference does not: only a paired bootstrap sees that it is certain.
    control = [np.array([0.0, 10.0, 20.0, 30.0])]
    interval = interquartile_difference([control[0] + 1.0], control)
    assert (interval.value, interval.low, interval.high) == pytest.approx((1.0, 1.0, 1.0))


def test_bootstrap_interval_is_near_the_normal_one():
    scores = np.random.default_rng(1).normal(size=200)
    interval = interquartile_interval([scores])
    # The interquartile mean of a normal sample has about 1.09 times the mean's standard error.
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 1.09 / np.sqrt(200), rel=0.25)
    assert interval.low < interval.value < interval.high


def test_probability_of_improvement_counts_pairs_and_half_of_ties():
    # Cell 1: of 4 pairs (2 > 1, 2 = 2, 3 > 1, 3 > 2) 3 wins and a tie; cell 2: no win.
    value = probability_of_improvement([[2.0, 3.0], [0.0]], [[1.0, 2.0], [5.0]]).value
    assert value == pytest.approx((3.5 / 4 + 0.0) / 2)


def test_performance_profile_weighs_cells_alike():
    profile = performance_profile([[0.2, 0.8], [0.6, 0.6, 0.6, 0.6]], [0.1, 0.5, 0.6, 0.9])
    assert profile == pytest.approx([1.0, 0.75, 0.25, 0.0])


def test_other_seeds_are_no_pairs():
    with pytest.raises(ValueError, match=r"\[2\] and \[3\]"):
        interquartile_difference([[1.0, 2.0]], [[1.0, 2.0, 3.0]])


def test_a_cell_without_scores_is_refused():
    with pytest.raises(ValueError, match="one score per seed"):
        interquartile_interval([[1.0], []])


def test_holm_steps_down():
    # Sorted .01, .02, .04: times 3, 2, 1 and never falling.
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_paired_p_of_golden_differences():
    # Differences 1, 2, 3: t = 2 / (1 / √3) = 3.4641 with 2 degrees of freedom, p = 0.07418.
    assert paired_p([101.0, 202.0, 3.0], [100.0, 200.0, 0.0]) == pytest.approx(0.0741799, abs=1e-6)
    assert paired_p([1.0, 2.0], [1.0, 2.0]) == 1.0
    # Equal differences: the sign test, 2 · 0.5², of three that rounding makes unequal as well.
    assert paired_p([2.0, 3.0], [1.0, 2.0]) == 0.5
    assert paired_p([0.3, 0.4, 0.5], [0.1, 0.2, 0.3]) == 0.25


@pytest.mark.slow
def test_figures_are_those_of_rliable():
    # rliable 1.2.0, on four cells of ten seeds: aggregate_iqm, probability_of_improvement, run profiles; its own
    # bootstrap of the interquartile mean gave 0.2995 and 0.4400 with 4,000 draws.
    rng = np.random.default_rng(0)
    first = np.clip(rng.beta(2, 3, size=(10, 4)), 0, 1)
    second = np.round(np.clip(first * 0.8 + rng.normal(0, 0.1, size=(10, 4)), 0, 1), 2)
    treated, control = list(np.round(first, 2).T), list(second.T)
    found = interquartile_interval(treated)
    assert found.value == pytest.approx(0.362)
    assert (found.low, found.high) == pytest.approx((0.2995, 0.44), abs=0.005)
    assert probability_of_improvement(treated, control).value == pytest.approx(0.625)
    assert interquartile_difference(treated, control).value == pytest.approx(0.069)
