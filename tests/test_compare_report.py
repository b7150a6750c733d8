import struct
from datetime import timedelta

import numpy as np
import pytest
from benchmark_rows import BEGAN, provenance, row, settings

from benchmarks.compare.comparison import Comparison
from benchmarks.compare.plots import smoothing_window, trailing_mean
from benchmarks.compare.records import Evaluation, RowFile
from benchmarks.compare.report import write_report
from benchmarks.compare.suites import GENERIC, SUITES, suite_of

TRIVIA = SUITES["turnenv/TriviaSearch-v0"]


def _cells(text, first):
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def _rows(tmp_path, rows):
    for each in rows:
        assert RowFile(tmp_path).append(each)


def test_golden_table(tmp_path):
    _rows(
        tmp_path,
        [
            *(row(None, seed, tool=tool, exact=0.05) for seed, tool in enumerate((0.05, 0.06, 0.07))),
            *(row("mt_grpo", seed, tool=0.2, exact=exact) for seed, exact in enumerate((0.5, 0.6, 0.7))),
            *(row("grpo_mr", seed, tool=0.19, exact=exact) for seed, exact in enumerate((0.4, 0.51, 0.59))),
        ],
    )
    text = write_report(tmp_path)
    assert text == (tmp_path / "table.md").read_text()
    # Tool success is the mean of tool_execution over its best, 0.2: 25, 30, 35 % → 30 ± 4.303 · 5 / √3.
    assert _cells(text, "start (before training)") == ["3", "30.0 ± 12.4", "50.0 ± 0.0", "100.0 ± 0.0", "5.0 ± 0.0"]
    assert _cells(text, "GRPO-MR") == ["3", "95.0 ± 0.0", "50.0 ± 0.0", "100.0 ± 0.0", "50.0 ± 23.7"]
    assert _cells(text, "MT-GRPO") == ["3", "100.0 ± 0.0", "50.0 ± 0.0", "100.0 ± 0.0", "60.0 ± 24.8"]
    # Exact match differs by 10, 9, 11 points: 10 ± 4.303 · 1 / √3, far tighter than the levels.
    # Three equal differences decide nothing, although their t-interval has no width.
    assert _cells(text, "MT-GRPO − GRPO-MR")[:2] == ["3", "+5.0 ± 0.0"]
    assert _cells(text, "MT-GRPO − GRPO-MR")[4] == "**+10.0 ± 2.5**"
    assert (
        "6 training runs of 3 steps, 2 tasks × 4 episodes per step: 144 episodes, 288 turns, 2,880 sampled tokens"
        in text
    )
    assert "3.0 min from the first start to the last end, on 2 cores (Some CPU, cpu)" in text
    assert "python -m benchmarks compare --methods grpo_mr,mt_grpo --seeds 0,1,2 --env turnenv/TriviaSearch-v0" in text
    assert "Note." not in text


def test_the_papers_rows_are_converted_from_reward_units(tmp_path):
    _rows(tmp_path, [row("mt_grpo", 0)])
    text = write_report(tmp_path)
    assert _cells(text, "*paper: Qwen2.5-7B, base*") == ["", "27.9", "18.7", "78.1", "4.7"]
    assert _cells(text, "*paper: Qwen2.5-7B, GRPO-OR*") == ["", "0.0", "0.0", "20.0", "0.0"]
    assert _cells(text, "*paper: Qwen2.5-7B, MT-GRPO*") == ["", "100.0", "78.5", "99.8", "50.1"]
    assert "cannot be parsed" in text


def test_one_seed_has_no_interval_and_no_bold(tmp_path):
    _rows(tmp_path, [row("mt_grpo", 0, tool=0.2), row("grpo_mr", 0, tool=0.1)])
    text = write_report(tmp_path)
    assert _cells(text, "MT-GRPO")[:2] == ["1", "100.0"]
    assert _cells(text, "MT-GRPO − GRPO-MR")[:2] == ["1", "+50.0"]


def test_what_makes_rows_less_comparable_is_said(tmp_path):
    other = provenance(source="sha256:89ab", ended=BEGAN + timedelta(hours=1))
    broken = Evaluation(episodes=0, faults=10, env_turns=10, means={})
    _rows(
        tmp_path,
        [
            row("mt_grpo", 0, tool=0.2),
            row("mt_grpo", 1, tool=0.1, provenance=other),
            row("grpo_mr", 1, evaluation=broken),
        ],
    )
    text = write_report(tmp_path)
    assert "2 different states of turnenv's source" in text
    assert "Not finished: GRPO-MR seed 0." in text
    assert "10 evaluation episodes ended in a fault" in text
    assert _cells(text, "MT-GRPO")[0] == "2"


def test_rows_of_different_settings_are_not_mixed():
    with pytest.raises(ValueError, match="different settings"):
        Comparison.of([row("mt_grpo", 0), row("mt_grpo", 1, settings=settings(steps=4))], TRIVIA)


def test_an_environment_without_a_suite_is_reported_by_what_all_have(tmp_path):
    assert suite_of("elsewhere/Game-v0") is GENERIC
    elsewhere = settings(env="some.module:elsewhere/Game-v0", eval_kwargs={})
    _rows(tmp_path, [row("grpo_or", seed, exact=0.5, settings=elsewhere) for seed in range(2)])
    text = write_report(tmp_path)
    assert _cells(text, "GRPO-OR") == ["2", "50.0 ± 0.0", "0.500 ± 0.000", "0.000 ± 0.000", "0.500 ± 0.000"]
    assert "paper" not in text


def test_picture_is_a_large_png_and_its_panels_are_the_metrics(tmp_path):
    _rows(tmp_path, [row(None, 0, tool=0.05)])
    _rows(tmp_path, [row(method, seed, tool=0.2) for method in ("grpo_or", "mt_grpo") for seed in range(3)])
    write_report(tmp_path)
    picture = (tmp_path / "curves.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    assert min(width, height) > 1000
    assert not list(tmp_path.glob("*.partial*"))


def test_a_report_without_rows_says_what_to_run(tmp_path):
    with pytest.raises(ValueError, match="run compare with --out"):
        write_report(tmp_path)


def test_trailing_mean_leaves_out_what_is_missing():
    values = np.array([1.0, np.nan, 3.0, 5.0])
    np.testing.assert_allclose(trailing_mean(values, 2), [1.0, 1.0, 3.0, 4.0])
    np.testing.assert_allclose(trailing_mean(values, 1), values)
    assert [smoothing_window(steps) for steps in (1, 30, 150)] == [1, 1, 5]


@pytest.mark.parametrize("suite", [*SUITES.values(), GENERIC])
def test_suites_name_each_metric_once_and_know_their_references(suite):
    names = [metric.name for metric in suite.metrics]
    assert len(set(names)) == len(names)
    for reference in suite.references:
        assert set(suite.reference_values(reference)) <= set(names)


def test_a_metric_that_was_not_recorded_is_an_error_and_not_a_zero():
    with pytest.raises(ValueError, match="tool_success reads 'turn_reward/tool_execution'"):
        TRIVIA.headline[0].value({"return": 1.0})
