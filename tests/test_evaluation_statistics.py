"""Intervals without SciPy are SciPy's; a summary leaves faults out of the means and in the costs."""

import math

import pytest
from scipy.stats import binomtest, t

from turnenv import End, Episode, Outcome, Turn
from turnenv.evaluation.intervals import mean_interval, share_interval, student_quantile
from turnenv.evaluation.summary import summarise
from turnenv.types import Usage


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 10, 30, 199, 1000])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_students_quantile(freedom, confidence):
    assert student_quantile(confidence, freedom) == pytest.approx(t.ppf((1 + confidence) / 2, freedom), rel=1e-11)


@pytest.mark.parametrize(("successes", "trials"), [(0, 20), (7, 20), (20, 20), (1, 1), (199, 200)])
def test_a_share(successes, trials):
    found, expected = share_interval(successes, trials), binomtest(successes, trials).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.low <= found.share <= found.high


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 2)])
def test_a_share_of_nothing(successes, trials):
    with pytest.raises(ValueError, match="successes"):
        share_interval(successes, trials)


def turn(reward, usage=None):
    return Turn("", "x", reward, {"found": reward}, 0, True, usage=usage)


def test_a_summary():
    paid = Usage(100, 10, cost=0.5)
    good = Episode("e", 0, 0, (turn(0.25), turn(0.5, paid)), Outcome(1.0, True, End.ANSWERED, {"right": 1.0}))
    bad = Episode("e", 0, 1, (turn(0.0, paid),), Outcome(0.0, False, End.ANSWERED, {"right": 0.0}))
    down = Episode("e", 0, 2, (turn(0.0, paid),), Outcome(0.0, False, End.FAULT, {}, "the server is down"))
    summary = summarise("e", [good, bad, down])
    assert (summary.episodes, summary.faults, summary.first_fault) == (2, 1, "the server is down")
    assert summary.success == share_interval(1, 2)
    assert summary.total == mean_interval([1.75, 0.0])
    assert summary.turn_components == {"found": mean_interval([0.75, 0.0])}
    assert summary.outcome_components == {"right": mean_interval([1.0, 0.0])}
    assert (summary.tokens_read, summary.tokens_written, summary.cost) == (100.0, 10.0, 1.5)
    nothing = summarise("e", [down])
    assert nothing.success is None
    assert nothing.total is None
    assert math.isnan(mean_interval([1.0]).half_width)
