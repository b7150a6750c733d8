"""The held-out report: what its ratios show and mark, and the suites of small worlds."""

import math

import numpy as np
import pytest

from benchmarks.credit.cells import Problem
from benchmarks.credit.held_out import _ratio, _verdict
from benchmarks.credit.suites import SUITES
from benchmarks.credit.truth import success_probability
from benchmarks.credit.tuning import Tuned
from turnenv.exact import softmax


def runs(*episodes, at_edge=False):
    values = np.array(episodes, dtype=float)
    return Tuned(values, values, values, values, 1.0, at_edge)


def test_a_ratio_is_marked_if_either_rate_lies_at_the_edge():
    fast, slow = runs(*[10] * 6), runs(*[20] * 6)
    assert _ratio(fast, slow) == "0.50 [0.50, 0.50]"
    assert _ratio(runs(*[10] * 6, at_edge=True), slow).endswith("*")
    assert _ratio(fast, runs(*[20] * 6, at_edge=True)).endswith("*")


def test_a_defeat_is_shown_and_two_failures_are_no_draw():
    never, some = runs(*[math.inf] * 6), runs(*[20] * 6)
    assert _ratio(never, some) == "never [never, never]"
    assert _ratio(never, never) == "neither"
    assert _ratio(some, None) == "–"


def test_the_verdict_counts_intervals_that_leave_out_1():
    ours = {"aw_grpo": runs(*[10] * 6)}
    cells = [ours | {"mt_grpo": runs(*[other] * 6)} for other in (20, 5, 10, 10)]
    assert "of 4 cells: fewer episodes on 1, more on 1, no clear difference on 2" in _verdict("mt_grpo", cells)


@pytest.mark.parametrize("cell", SUITES["credit/worlds"], ids=lambda cell: cell.env)
def test_worlds_are_measured_where_success_is_neither_rare_nor_sure(cell):
    problem = Problem.of(cell)
    (success,) = success_probability(problem.model, softmax(problem.measured_logits)[None])
    assert 0.02 < success < 0.98


@pytest.mark.parametrize("suite", SUITES)
def test_every_measured_policy_prefers_best_actions_as_its_caption_says(suite):
    for cell in SUITES[suite]:
        if cell.right is not None:
            quiet = softmax(Problem.of(cell.model_copy(update={"spread": 0.0})).measured_logits)
            assert quiet.max() == pytest.approx(cell.right), cell.facets["setting"]
