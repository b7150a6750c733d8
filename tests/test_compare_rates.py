"""Learning rates: chosen by one rule for all methods, on seeds that are not reported."""

import re

import pytest
from benchmark_rows import row, settings

from benchmarks.compare.command import plan
from benchmarks.compare.comparison import Comparison
from benchmarks.compare.rates import (
    adopt_rates,
    chosen_rates,
    plan_rates,
    rates_folder,
    read_rate_seeds,
    read_rates,
    validation_settings,
)
from benchmarks.compare.records import RowFile
from benchmarks.compare.suites import suite_of
from benchmarks.compare.table import render
from benchmarks.compare.training_run import trainer_config
from benchmarks.harness.methods import parse_methods

SUITE = suite_of("turnenv/TriviaSearch-v0")


def _tried(method, success, seed=1000):
    made = []
    for rate, value in success.items():
        finished = row(method, seed, exact=value)
        run = finished.run.model_copy(update={"learning_rate": rate})
        made.append(finished.model_copy(update={"run": run, "run_id": run.run_id}))
    return made


def test_the_best_rate_over_the_seeds_wins_and_of_equal_ones_the_smallest():
    rows = _tried("grpo_or", {1e-3: 0.2, 5e-4: 0.2, 2e-3: 0.1})
    rows += _tried("mt_grpo", {5e-4: 0.1, 1e-3: 0.3}) + _tried("mt_grpo", {5e-4: 0.6, 1e-3: 0.3}, seed=1001)
    assert chosen_rates(rows) == {"grpo_or": 5e-4, "mt_grpo": 5e-4}


def test_every_method_tries_the_same_rates_and_seeds():
    methods = parse_methods("grpo_or,mt_grpo")
    runs = plan_rates(settings(), methods, (1e-3, 2e-3), (1000, 1001))
    tried = {method.label: [(r.rate, r.seed) for r in runs if r.method == method] for method in methods}
    assert tried["grpo_or"] == tried["mt_grpo"]
    assert len(runs) == len({run.run_id for run in runs}) == 8


def test_rates_are_chosen_on_validation_questions():
    assert validation_settings(settings(), SUITE).eval_kwargs == {"split": "validation"}


def test_a_run_trains_at_its_own_rate(tmp_path):
    (tuned,) = plan(settings(), parse_methods("mt_grpo"), [0], {"mt_grpo": 3e-4})[1:]
    (plain,) = plan(settings(), parse_methods("mt_grpo"), [0])[1:]
    assert trainer_config(tuned, tmp_path).learning_rate == 3e-4
    assert trainer_config(plain, tmp_path).learning_rate == 1e-3
    assert tuned.run_id != plain.run_id


def test_the_report_shows_what_was_tried_and_the_command_repeats_it():
    rows = [row(None, 0), *_tried("mt_grpo", {1e-3: 0.4}, seed=0)]
    text = render(Comparison.of(rows, SUITE, _tried("mt_grpo", {5e-4: 0.1, 1e-3: 0.3})))
    assert re.search(r"\| MT-GRPO +\| +10\.0 \| +\*\*30\.0\*\* \|", text)
    assert "--rates 0.0005,0.001 --rate-seeds 1000," in text


@pytest.mark.parametrize(
    ("best", "says"),
    [
        ({5e-4: 0.3, 1e-3: 0.2, 2e-3: 0.1}, "The smallest that was tried is the best for MT-GRPO: another one beyond"),
        ({5e-4: 0.1, 1e-3: 0.2, 2e-3: 0.3}, "The largest that was tried is the best for MT-GRPO: another one beyond"),
        ({5e-4: 0.1, 1e-3: 0.3, 2e-3: 0.1}, None),
        ({5e-4: 0.1}, None),
    ],
)
def test_the_report_says_whose_best_rate_is_at_the_edge_of_what_was_tried(best, says):
    chosen = max(best, key=best.get)
    text = render(
        Comparison.of([row(None, 0), *_tried("mt_grpo", {chosen: 0.4}, seed=0)], SUITE, _tried("mt_grpo", best))
    )
    assert says in text if says else "that was tried is the best" not in text


@pytest.mark.parametrize("text", ["0", "-1e-3", "1e-3,1e-3", "fast", "nan"])
def test_other_rates_are_refused(text):
    with pytest.raises(ValueError, match="--rates takes different learning rates"):
        read_rates(text)


def test_a_reported_seed_chooses_no_rate():
    with pytest.raises(ValueError, match=r"\[1\] are reported as well"):
        read_rate_seeds("1,1000", reported=(0, 1, 2))


def _trained_by(rows, folder):
    for each in rows:
        RowFile(rates_folder(folder)).append(each)


def test_rates_of_another_comparison_are_taken_with_the_rows_that_they_were_chosen_by(tmp_path):
    other, own = tmp_path / "other", tmp_path / "own"
    tried = _tried("mt_grpo", {5e-4: 0.1, 1e-3: 0.3}) + _tried("gdpo", {5e-4: 0.2})
    _trained_by(tried, other)
    assert adopt_rates(own, other, parse_methods("mt_grpo")) == {"mt_grpo": 1e-3}
    assert adopt_rates(own, other, parse_methods("mt_grpo,gdpo")) == {"mt_grpo": 1e-3, "gdpo": 5e-4}
    assert [each.run_id for each in RowFile(rates_folder(own)).read()] == [each.run_id for each in tried]
    with pytest.raises(ValueError, match="chose no learning rate for grpo_or"):
        adopt_rates(own, other, parse_methods("grpo_or,gdpo"))
    third = tmp_path / "third"
    _trained_by(_tried("gdpo", {2e-3: 0.2}), third)
    with pytest.raises(ValueError, match="were not chosen in"):
        adopt_rates(own, third, parse_methods("gdpo"))


def test_the_report_says_that_rates_come_from_another_comparison():
    rows = [row(None, 0), *_tried("mt_grpo", {1e-3: 0.4}, seed=0)]
    tried = [
        each.model_copy(update={"run": each.run.model_copy(update={"settings": settings(steps=7)})})
        for each in _tried("mt_grpo", {5e-4: 0.1, 1e-3: 0.3})
    ]
    text = render(Comparison.of(rows, SUITE, tried))
    assert "on validation tasks of another comparison (turnenv/TriviaSearch-v0, 7 steps, agents/nano)" in text
    assert "--rates-from" in text
    assert "--rate-seeds" not in text
