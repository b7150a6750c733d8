"""`python -m benchmarks credit`: rows, a kill and a resumption, a user's own estimator, the tables."""

import math
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from benchmarks.__main__ import main
from benchmarks.credit.command import methods_of, plan
from benchmarks.credit.records import Effort, LabRows, LearningRecord
from benchmarks.credit.suites import chain
from benchmarks.credit.tuning import ratios, tuned
from benchmarks.harness.statistics import median_interval

SMALL = ("--suite", "credit/exact", "--blocks", "2", "--batches", "3", "--seeds", "2", "--jobs", "1",
         "--methods", "grpo_or,mt_grpo")  # fmt: skip


def command(out, *more):
    return ["credit", *SMALL, "--out", str(out), *more]


def tables(out):
    return (out / "credit.md").read_text().partition("## Budget")[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a finished measurement."""
    out = tmp_path_factory.mktemp("lab") / "whole"
    assert main(command(out)) == 0
    return out


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_tables(whole, tmp_path, capsys):
    broken = tmp_path / "broken"
    process = subprocess.Popen([sys.executable, "-m", "benchmarks", *command(broken)], stdout=subprocess.DEVNULL)
    while not LabRows(broken).read():
        time.sleep(0.05)
        assert process.poll() is None
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    process.wait()
    psutil.wait_procs(children, timeout=20)
    kept = {row.run_id: row for row in LabRows(broken).read()}
    assert 0 < len(kept) < len(LabRows(whole).read())
    assert main(command(broken)) == 0
    again = {row.run_id: row for row in LabRows(broken).read()}
    assert all(again[name] == row for name, row in kept.items())
    assert tables(broken) == tables(whole)
    assert (broken / "noise-dark.svg").exists() is (whole / "noise-dark.svg").exists()
    assert f"{len(again)} finished already" not in capsys.readouterr().err


def test_no_suite_is_a_mistake(tmp_path, capsys):
    assert main(["credit", "--suite", " , ", "--out", str(tmp_path / "out")]) == 2
    assert "--suite ' , ' names no suite; there are: full, credit/exact" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_rows_hold_what_the_tables_say(whole):
    rows = LabRows(whole).read()
    assert len(rows) == 2 * 4
    assert all(row.exact and row.learning is None for row in rows)
    outcome_only = next(row for row in rows if row.run.method.name == "grpo_or")
    assert outcome_only.figures["direction_outcome"].value == pytest.approx(1.0)
    assert outcome_only.figures["rank_within"].value is None
    assert outcome_only.provenance.versions["numpy"]
    text = tables(whole)
    assert "direction: outcome" in text
    assert "signal/noise" in text
    assert "| GRPO-OR " in text


def test_a_users_estimator_joins_and_a_changed_one_is_measured_again(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def half(batch):\n    return batch.turn_mask * 0.5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (method,) = methods_of("grpo_or", ["mine:half"])[1:]
    effort, cell = Effort(), chain(2)
    (before,) = plan([cell, cell], [method], effort)
    (tmp_path / "mine.py").write_text("def half(batch):\n    return batch.turn_mask * 0.25\n")
    (after,) = plan([cell], [method], effort)
    assert before.run_id != after.run_id
    assert before.cell.cell_id == after.cell.cell_id


def test_mistakes_are_one_line(tmp_path, capsys):
    assert main(command(tmp_path, "--methods", "grpo")) == 2
    assert main(["credit", "--suite", "nowhere", "--out", str(tmp_path)]) == 2
    assert main(command(tmp_path, "--estimator", "nowhere:function")) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 3
    assert "credit/length" in errors[1]


def test_every_seed_gets_the_rate_that_was_best_on_the_others():
    turns = [[100.0, 100.0, 900.0], [200.0, 200.0, 10.0]]
    record = LearningRecord(turns=turns, episodes=turns, final=[[0.9] * 3, [0.8] * 3], area=[[0.5] * 3] * 2)
    found = tuned(record, Effort(seeds=(0, 1, 2), rates=(1.0, 3.0)))
    # Without the third seed the first rate is best; without the first (or second), the medians are 500 and 105.
    np.testing.assert_allclose(found.turns, [200.0, 200.0, 900.0])
    assert found.rate == 3.0
    assert found.at_edge


def test_ratios_and_medians_with_runs_that_never_got_there():
    inf = math.inf
    np.testing.assert_allclose(
        ratios(np.array([1.0, inf, inf, 3.0]), np.array([2.0, 2.0, inf, inf])), [0.5, inf, 1.0, 0.0]
    )
    six = median_interval([3.0, 1.0, 2.0, inf, 5.0, 4.0])
    assert (six.median, six.low, six.high) == (3.5, 1.0, inf)
    assert six.confidence == pytest.approx(1 - 2 / 64)
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0]).confidence == pytest.approx(1 - 2 / 32)
    assert median_interval([float(n) for n in range(20)]).low == 5.0
