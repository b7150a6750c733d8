"""The cells of the evidence: what each asks of the command compare, and how its starting point is made."""

import argparse
import sys

import pytest

from benchmarks.compare import evidence
from benchmarks.compare.cells import CELLS
from benchmarks.compare.command import checked_settings
from benchmarks.harness.methods import parse_methods
from benchmarks.harness.places import Place


def _given(tmp_path, **changes):
    return argparse.Namespace(**{"methods": None, "seeds": None, "jobs": None, "ray": None, "out": tmp_path, **changes})


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_what_compare_takes(name, tmp_path):
    plan, asked = CELLS[name], evidence.compare_arguments(name, _given(tmp_path))
    assert asked.out == tmp_path / name
    assert parse_methods(asked.methods) == parse_methods(plan.methods)
    assert (asked.rates_from == tmp_path / str(plan.rates_from)) if plan.rates_from else asked.rates
    if plan.lesson:
        assert asked.model == str(evidence.start_folder(name, tmp_path))
    else:
        assert checked_settings(asked, Place(asked.jobs, asked.ray)).model_hash.startswith("sha256:")


def test_rates_are_taken_from_a_cell_that_tries_them_for_those_methods():
    for plan in CELLS.values():
        if plan.rates_from:
            source = CELLS[plan.rates_from]
            assert source.rates_from is None
            assert set(plan.methods.split(",")) <= set(source.methods.split(","))


def test_cells_that_share_a_start_teach_it_alike(tmp_path):
    shared = {name: plan.shares_start for name, plan in CELLS.items() if plan.shares_start}
    assert shared
    for name, other in shared.items():
        assert CELLS[name].lesson == CELLS[other].lesson
        assert evidence.start_folder(name, tmp_path) == evidence.start_folder(other, tmp_path)


def test_methods_and_seeds_of_the_command_line_come_first(tmp_path):
    asked = evidence.compare_arguments("weak", _given(tmp_path, methods="gdpo", seeds="7,", jobs=1, ray="auto"))
    assert (asked.methods, asked.seeds, asked.jobs, asked.ray) == ("gdpo", "7,", 1, "auto")


def test_a_starting_point_is_taught_once(tmp_path, monkeypatch):
    # The teaching itself is the subject of tests of agents.nano; here it is a program that leaves a policy behind.
    teacher = tmp_path / "teacher"
    teacher.write_text('#!/bin/sh\nfor out; do :; done; echo "$@" >> "$0.log"; touch "$out/model.safetensors"\n')
    teacher.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(teacher))
    # What a lesson leaves that was killed while it saved; the weights are written last.
    start = tmp_path / "starts" / "chain-weak"
    start.mkdir(parents=True)
    (start / "config.json").touch()
    for _ in range(2):
        evidence.teach_start("chain-weak", tmp_path)
    evidence.teach_start("weak", tmp_path)
    (line,) = (tmp_path / "teacher.log").read_text().splitlines()
    assert line.startswith("-m agents.nano.clone --env turnenv/CreditChain-v0 --skill 0.3")
    assert (start / "model.safetensors").exists()


def test_a_failed_lesson_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(ValueError, match="starting point of chain-weak could not be taught"):
        evidence.teach_start("chain-weak", tmp_path)
