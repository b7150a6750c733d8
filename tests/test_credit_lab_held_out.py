"""The held-out report's ratios and verdicts, what cells are measured at, and the map of many cells."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from benchmarks.credit.cells import Problem
from benchmarks.credit.held_out import _ratio, _verdict
from benchmarks.credit.pictures import PANEL, _map
from benchmarks.credit.records import Effort, LabRow, LabRun, LearningRecord
from benchmarks.credit.suites import SUITES, chain
from benchmarks.credit.truth import success_probability
from benchmarks.credit.tuning import Tuned
from benchmarks.harness.methods import Method
from turnenv.evaluation.provenance import provenance
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


def trained(cell, method, turns):
    grid = [[turns] * 6] * 6
    record = LearningRecord(turns=grid, episodes=grid, final=[[0.9] * 6] * 6, area=[[0.5] * 6] * 6)
    run = LabRun(cell=cell, method=Method(name=method), code="", effort=Effort())
    return LabRow(run_id=run.run_id, run=run, learning=record, provenance=provenance("cpu", datetime.now(UTC)))


def test_a_long_map_wraps_into_panels_that_share_one_scale():
    cells = [chain(4, budget=128 * (n + 1), label=str(n)) for n in range(PANEL + 5)]
    figure = _map([(cell, [trained(cell, "mt_grpo", 128.0 * (n + 1))]) for n, cell in enumerate(cells)], Effort())
    first, second, bar = figure.axes
    shown = [label.get_text() for axis in (first, second) for label in axis.get_xticklabels()]
    assert shown == [str(n) for n in range(PANEL + 5)]
    assert first.collections[0].norm is second.collections[0].norm
    assert bar.get_ylabel() == "turns"


def test_a_map_of_which_nothing_was_solved_is_drawn():
    figure = _map([(cell := chain(4), [trained(cell, "mt_grpo", None)])], Effort())
    assert [text.get_text() for text in figure.axes[0].texts] == ["–"]
