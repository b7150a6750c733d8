"""What is published is made of the published rows, and each method had its own best learning rate."""

import re
from pathlib import Path

import pytest

from benchmarks.compare.cells import CELLS
from benchmarks.compare.evidence_cells import read_cells
from benchmarks.compare.evidence_map import places
from benchmarks.compare.rates import chosen_rates, rates_folder
from benchmarks.compare.records import RowFile
from benchmarks.compare.suites import suite_of
from benchmarks.compare.summary import render

PUBLISHED = Path(__file__).parent.parent / "benchmarks" / "published" / "evidence"
NAMES = sorted(path.parent.name for path in PUBLISHED.glob("*/rows.jsonl.gz"))


def test_the_published_summary_is_made_of_the_published_rows():
    assert NAMES
    assert set(NAMES) <= set(CELLS)
    cells = read_cells(PUBLISHED)
    assert render(cells, places(cells)) == (PUBLISHED / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_method_trained_at_the_rate_that_was_best_on_other_seeds(name):
    rows, tuning = RowFile(PUBLISHED / name).read(), RowFile(rates_folder(PUBLISHED / name)).read()
    trained = [row.run for row in rows if row.run.method is not None]
    chosen = chosen_rates(tuning)
    assert {run.rate for run in trained if chosen[run.method.label] != run.rate} == set()
    assert not {run.seed for run in trained} & {row.run.seed for row in tuning}
    for tried in tuning:
        validation = suite_of(tried.run.settings.env).validation_kwargs
        assert validation.items() <= tried.run.settings.eval_kwargs.items()


@pytest.mark.parametrize("name", NAMES)
def test_methods_had_the_same_budget(name):
    rows = [row for row in RowFile(PUBLISHED / name).read() if row.run.method is not None]
    assert all(row.run.settings == rows[0].run.settings for row in rows)
    settings = rows[0].run.settings
    if not settings.env_turns:
        assert len({row.spent.episodes for row in rows}) == 1
    for row in rows if settings.env_turns else []:
        last_step = settings.groups * settings.num_generations * row.spent.turns_per_episode.max
        assert settings.env_turns <= row.spent.env_turns < settings.env_turns + last_step


@pytest.mark.parametrize("name", NAMES)
def test_ids_of_published_runs_are_those_that_this_code_gives_them(name):
    folder = PUBLISHED / name
    assert all(row.run_id == row.run.run_id for row in RowFile(folder).read() + RowFile(rates_folder(folder)).read())


@pytest.mark.parametrize("name", NAMES)
def test_published_rows_name_no_folder_of_a_machine(name):
    folder = PUBLISHED / name
    rows = RowFile(folder).read() + RowFile(rates_folder(folder)).read()
    assert [row.run_id for row in rows if re.search(r'"/\w+/', row.model_dump_json())] == []
