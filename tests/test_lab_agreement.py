"""The rank correlation between the lab's figures and a comparison's results."""

import numpy as np

from benchmarks.credit.agreement import correlation

TRAINED = {"a": np.array([0.1, 0.2]), "b": np.array([0.3, 0.4]), "c": np.array([0.5, 0.9])}


def test_equal_orders_agree_and_opposite_ones_do_not():
    assert correlation({"a": 1.0, "b": 2.0, "c": 30.0}, TRAINED) == "+1.00 [+1.00, +1.00]"
    assert correlation({"a": 3.0, "b": 2.0, "c": 1.0}, TRAINED) == "-1.00 [-1.00, -1.00]"


def test_the_interval_holds_what_other_seeds_would_have_said():
    unsure = {"a": np.array([0.1, 0.6]), "b": np.array([0.3, 0.2]), "c": np.array([0.5, 0.9])}
    assert correlation({"a": 1.0, "b": 2.0, "c": 3.0}, unsure) == "+0.50 [+0.50, +1.00]"


def test_a_figure_that_does_not_differ_ranks_nothing():
    assert correlation({"a": 1.0, "b": 1.0, "c": 1.0}, TRAINED) == "all alike"
