"""What holds over cells, from rows alone."""

import re

import pytest
from benchmark_rows import row

from benchmarks.compare.evidence_cells import in_common, methods_of, read_cells
from benchmarks.compare.evidence_map import map_table, over_starts, places
from benchmarks.compare.records import RowFile
from benchmarks.compare.summary import write_summary
from benchmarks.compare.summary_pictures import _draw_cell
from benchmarks.harness.pictures import new_figure


def _write(folder, name, exact):
    rows = [row(None, seed, exact=0.05) for seed in range(3)]
    rows += [row(method, seed, exact=value) for method, values in exact.items() for seed, value in enumerate(values)]
    for each in rows:
        RowFile(folder / name).append(each)


def test_cells_are_summed_up(tmp_path):
    _write(tmp_path, "weak", {"grpo_or": [0.1, 0.1, 0.2], "mt_grpo": [0.4, 0.5, 0.5]})
    _write(tmp_path, "knowing", {"grpo_or": [0.4, 0.5, 0.3], "mt_grpo": [0.4, 0.4, 0.5]})
    text = write_summary(tmp_path)
    assert text == (tmp_path / "summary.md").read_text()
    # Differences 30, 40, 30: mean 33.3, t-interval 14.3, p = .0099, the smallest of two, so doubled.
    assert re.search(r"\| TriviaSearch, 2 turns, weak: MT-GRPO − GRPO-OR +\| +3 \| \+33\.3 ± 14\.3 \| +0\.020 \|", text)
    assert re.search(r"\| TriviaSearch, 2 turns, knowing: MT-GRPO − GRPO-OR \| +3 \|", text)
    assert re.search(r"\| TriviaSearch, 2 turns +\| +weak \| +right \| +3 \| +\*\*helped\*\* \+33\.3 ± 14\.3 \|", text)
    assert re.search(r"\| TriviaSearch, 2 turns +\| +knowing \| +right \| +3 \| +not shown ", text)
    # All nine pairs are won from the weak start; of the other nine, 4 are won and 4 tied: (1 + 6/9) / 2.
    (line,) = (line for line in text.splitlines() if line.startswith("| GRPO-OR ") and "[" in line)
    assert line.split("|")[6].split()[0] == "0.81"
    for picture in ("profile", "cells"):
        assert all("MT-GRPO</text>" in (tmp_path / f"{picture}-{theme}.svg").read_text() for theme in ("light", "dark"))
    assert "knowing start" in (tmp_path / "map-dark.svg").read_text()


def test_aggregates_leave_out_cells_whose_turn_rewards_mislead(tmp_path):
    _write(tmp_path, "chain-weak", {"grpo_or": [0.1, 0.1, 0.2], "mt_grpo": [0.4, 0.5, 0.5]})
    _write(tmp_path, "chain-bait", {"grpo_or": [0.9, 0.9, 0.8], "mt_grpo": [0.0, 0.0, 0.0]})
    text = write_summary(tmp_path)
    assert "CreditChain, 8 turns, skilled, bait: MT-GRPO − GRPO-OR" in text
    (line,) = (line for line in text.splitlines() if line.startswith("| GRPO-OR ") and "[" in line)
    assert [cell.split()[0] for cell in line.split("|")[2:7:4]] == ["1", "1.00"]
    assert "1 cell with right turn rewards" in (tmp_path / "profile-light.svg").read_text()


def test_a_profile_is_over_cells_that_have_every_method_drawn(tmp_path):
    exact = {"grpo_or": [0.1, 0.2], "mt_grpo": [0.4, 0.5]}
    for name in ("weak", "knowing", "of-somebody"):
        _write(tmp_path, name, exact)
    _write(tmp_path, "skilled", {**exact, "gdpo": [0.3, 0.4]})
    _write(tmp_path, "guess-weak", {"grpo_mr": [0.1, 0.2], **exact})
    _write(tmp_path, "guess-skilled", {"grpo_mr": [0.1, 0.2], **exact})
    _write(tmp_path, "chain-weak", {"grpo_mr": [0.1, 0.2], **exact})
    cells, methods = in_common(read_cells(tmp_path))
    assert [method.name for method in methods] == ["grpo_or", "mt_grpo"]
    assert len(cells) == 7
    cells, methods = in_common([cell for cell in cells if cell.name != "of-somebody"])
    assert [method.name for method in methods] == ["grpo_or", "grpo_mr", "mt_grpo"]
    assert [cell.name for cell in cells] == ["guess-weak", "guess-skilled", "chain-weak"]


def test_every_seed_is_a_dot(tmp_path):
    _write(tmp_path, "weak", {"grpo_or": [0.1, 0.15, 0.2], "mt_grpo": [0.4, 0.5, 0.6]})
    (cell,) = read_cells(tmp_path)
    axis = new_figure(3, 3, dpi=50).subplots()
    _draw_cell(axis, cell, methods_of([cell]))
    dots = [sorted(line.get_ydata()) for line in axis.get_lines() if line.get_marker() == "."]
    assert dots == [pytest.approx([10.0, 15.0, 20.0]), pytest.approx([40.0, 50.0, 60.0])]


def test_success_is_normalised_by_the_scripted_agents(tmp_path):
    _write(tmp_path, "weak", {"grpo_or": [0.1], "mt_grpo": [0.4]})
    (cell,) = read_cells(tmp_path)
    method = cell.comparison.methods[0]
    assert 0.0 <= cell.random < 0.1
    assert 0.9 < cell.expert <= 1.0
    assert cell.scores(method, [0])[0] == pytest.approx((0.1 - cell.random) / (cell.expert - cell.random))


def test_a_folder_without_comparisons_says_what_to_run(tmp_path):
    with pytest.raises(ValueError, match="run python -m benchmarks evidence first"):
        write_summary(tmp_path)


def test_the_map_tells_help_from_harm_and_from_what_was_not_shown(tmp_path):
    _write(tmp_path, "weak", {"grpo_or": [0.1, 0.1, 0.2], "grpo_mr": [0.1, 0.6], "mt_grpo": [0.4, 0.5, 0.5]})
    _write(tmp_path, "chain-bait", {"grpo_or": [0.9, 0.8, 0.9], "mt_grpo": [0.1, 0.1, 0.0]})
    _write(tmp_path, "of-somebody", {"grpo_or": [0.9, 0.8], "mt_grpo": [0.1, 0.1]})
    found = places(read_cells(tmp_path))
    assert [(place.cell, place.baseline.name, place.verdict) for place in found] == [
        ("weak", "grpo_or", "helped"),
        ("weak", "grpo_mr", "not shown"),
        ("chain-bait", "grpo_or", "harmed"),
    ]
    assert re.search(r"\| +weak +\| +right +\| +3 and 2 +\|", map_table(found))
    assert found[0].differences == pytest.approx({0: 30.0, 1: 40.0, 2: 30.0})
    assert (found[2].rewards, found[2].start) == ("bait", "skilled")


def test_starts_of_a_horizon_are_averaged_by_seed(tmp_path):
    _write(tmp_path, "chain-weak", {"grpo_or": [0.1, 0.1, 0.2], "mt_grpo": [0.4, 0.5, 0.5]})
    _write(tmp_path, "chain-skilled", {"grpo_or": [0.5, 0.6], "mt_grpo": [0.4, 0.6]})
    _write(tmp_path, "chain-bait", {"grpo_or": [0.9, 0.8], "mt_grpo": [0.1, 0.1]})
    (pooled,) = over_starts(places(read_cells(tmp_path)))
    assert pooled.differences == pytest.approx({0: (30.0 - 10.0) / 2, 1: (40.0 + 0.0) / 2})
    assert (pooled.horizon, pooled.start) == ("CreditChain, 8 turns", "weak, skilled")
    assert re.search(r"CreditChain, 8 turns \| +weak, skilled \| +right \| +2 \|", write_summary(tmp_path))
