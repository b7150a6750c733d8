"""What is published is made of the published rows, and each method had its own best learning rate."""

from pathlib import Path

import pytest

from benchmarks.compare.cells import CELLS
from benchmarks.compare.rates import chosen_rates, rates_folder
from benchmarks.compare.records import RowFile
from benchmarks.compare.summary import read_cells, render

PUBLISHED = Path(__file__).parent.parent / "benchmarks" / "published" / "evidence"
NAMES = sorted(path.parent.name for path in PUBLISHED.glob("*/rows.jsonl.gz"))


def test_the_published_summary_is_made_of_the_published_rows():
    assert NAMES
    assert set(NAMES) <= set(CELLS)
    assert render(read_cells(PUBLISHED)) == (PUBLISHED / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_method_trained_at_the_rate_that_was_best_on_other_seeds(name):
    rows, tuning = RowFile(PUBLISHED / name).read(), RowFile(rates_folder(PUBLISHED / name)).read()
    trained = [row.run for row in rows if row.run.method is not None]
    chosen = chosen_rates(tuning)
    assert {run.rate for run in trained if chosen[run.method.label] != run.rate} == set()
    assert not {run.seed for run in trained} & {row.run.seed for row in tuning}
    assert {tuple(row.run.settings.eval_kwargs.items()) for row in tuning} == {(("split", "validation"),)}


@pytest.mark.parametrize("name", NAMES)
def test_methods_had_the_same_budget_of_episodes(name):
    spent = {row.spent.episodes for row in RowFile(PUBLISHED / name).read() if row.run.method is not None}
    assert len(spent) == 1
