"""Measure how estimators assign credit against exact truth, on cells small enough to solve."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.credit.cells import Cell
from benchmarks.credit.contenders import GIVEN, code_hash
from benchmarks.credit.records import Effort, LabRows, LabRun, runs_as_json
from benchmarks.credit.suites import SUITES, cells_of
from benchmarks.harness.methods import HELP, Method, check_methods, in_report_order, parse_methods
from benchmarks.harness.options import add_ray, parse_seeds
from benchmarks.harness.places import Place
from benchmarks.harness.scheduler import Failure, Job
from benchmarks.harness.settings import add_settings, read_settings
from turnenv.credit import ESTIMATORS

VARIANTS = ("mt_grpo:accumulate=true", "return_to_go:baseline=loo:scale=none:absent=zero", "oracle:scale=std")
"""Options that change results enough to stand beside every estimator's defaults."""
_VARIABLES = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
EXAMPLES = """\
examples:
  # seven cells, every estimator, a few minutes
  python -m benchmarks credit --suite quick --out results/credit

  # what becomes of three estimators as the horizon grows
  python -m benchmarks credit --suite credit/length --methods grpo_mr,mt_grpo,return_to_go --out results/length

  # your own estimator beside turnenv's: a function of a TurnBatch that returns advantages (B, K), in my_credit.py here
  # (or module:function); a class is made anew for each training run and may remember earlier batches
  python -m benchmarks credit --suite quick --estimator my_credit.py:my_function --out results/credit

what is measured (exact definitions: benchmarks/credit/metrics.py), always three things together:
  direction    cosine between the expected gradient and the exact one: is the mean step right?
  noise        signal-to-noise of a batch's gradient: how much of a step is the mean step?
  efficiency   environment turns until the policy solves the task, at a learning rate chosen on the other seeds from a
               grid that is the same for every method
Batches are plain episodes, but for two methods: vine_ppo plays continuations from every state, tree_backup lets half of
a group branch off the others. Noise and efficiency are per turn played, so both pay for that. turn_gae is given exact
values, as by a critic without error. No single one of the three ranks estimators: outcome-only GRPO has a perfect
direction and learns least.

what is written to --out:
  rows.jsonl   one line for each estimator in each cell: settings, provenance, every figure
  credit.md    the tables (the first ones are printed)
  map, profile, noise: pictures, each as -light.svg and -dark.svg

A run that was stopped, even by kill -9, goes on when the same command is given again. A row is reused only while the
files that define its estimator and how it is played are unchanged. More suites, methods and estimators may be added to
the same folder.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--suite", default="quick", help=f"comma-separated: full, {', '.join(SUITES)}")
    add(
        "--methods",
        help=f"{HELP} (default: all of turnenv's, and {', '.join(VARIANTS)})",
    )
    add("--estimator", action="append", default=[], metavar="METHOD", help="one more than --methods; may be repeated")
    add(
        "--seeds",
        default="6",
        help="of training: how many (3 means 0,1,2), or which (0,1,7); fewer than 6 have no 95 %% interval",
    )
    add_settings(parser, Effort, "blocks", "batches")
    add("--out", type=Path, default=Path("results/credit"), help="folder of the results")
    add("--jobs", type=int, default=None, help="processes at once (default: one per core)")
    add_ray(parser)
    add("--list", action="store_true", help="print the suites' cells and do nothing")


def methods_of(text: str, own: Sequence[str]) -> tuple[Method, ...]:
    """The methods asked for, by default every estimator and the variants, and a user's own estimators after them.

    Raises:
        ValueError: if one does not exist, fails, or is named twice.
    """
    named = parse_methods(text) if text else in_report_order(parse_methods(",".join((*ESTIMATORS, *VARIANTS))))
    methods = parse_methods(",".join([*(method.label for method in named), *own]))
    check_methods(methods, GIVEN)
    return methods


def plan(cells: Sequence[Cell], methods: Sequence[Method], effort: Effort) -> list[LabRun]:
    """Every run, cell by cell; a cell that two suites share is run once."""
    unique = {cell.cell_id: cell for cell in cells}.values()
    codes = {method.label: code_hash(method.name) for method in methods}
    return [
        LabRun(cell=cell, method=method, code=codes[method.label], effort=effort)
        for cell in unique
        for method in methods
    ]


def run(given: argparse.Namespace) -> int:
    """Do what is missing, report, and return 1 if a run failed."""
    from benchmarks.credit.report import write_report

    suites = [name.strip() for name in given.suite.split(",") if name.strip()]
    if not suites:
        raise ValueError(f"--suite {given.suite!r} names no suite; there are: full, {', '.join(SUITES)}")
    cells = [cell for name in suites for cell in cells_of(name)]
    if given.list:
        for name in suites:
            print(name, *(f"  {cell.facets['setting']}: {cell.env_kwargs}" for cell in cells_of(name)), sep="\n")
        return 0
    effort = read_settings(Effort, given, seeds=parse_seeds(given.seeds))
    place = Place(given.jobs, given.ray)
    methods = methods_of(given.methods or "", given.estimator)
    given.out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(given.out / ".credit.lock", timeout=0):
            failures = _run_missing(plan(cells, methods, effort), given.out, place)
            print(write_report(given.out, suites, methods, effort))
    except Timeout as error:
        raise ValueError(f"another lab is at work in {given.out}: wait for it, or give another --out") from error
    for failure in failures:
        print(f"failed: {failure.job.title} (exit code {failure.exit_code}), log: {failure.log}", file=sys.stderr)
    return 1 if failures else 0


def _run_missing(runs: Sequence[LabRun], folder: Path, place: Place) -> list[Failure]:
    done = {row.run_id for row in LabRows(folder).read()}
    missing: dict[str, list[LabRun]] = {}
    for run in runs:
        if run.run_id not in done:
            missing.setdefault(run.cell.cell_id, []).append(run)
    left = sum(map(len, missing.values()))
    print(f"{len(runs)} runs, {len(runs) - left} finished already; results in {folder}", file=sys.stderr)
    if not missing:
        return []
    # The longest first, so that no process is left alone with one at the end.
    jobs = [_job(some) for some in sorted(missing.values(), key=lambda some: -some[0].cell.budget)]
    return place.run(jobs, folder, LabRows(folder), device="cpu", variables=_VARIABLES)


def _job(runs: Sequence[LabRun]) -> Job:
    cell = runs[0].cell
    title = str(cell.facets.get("setting", cell.cell_id))
    arguments = ("-m", "benchmarks.credit.one_cell", "--name", cell.cell_id, "--runs", runs_as_json(runs))
    return Job(cell.cell_id, title, (*arguments, "--end-with-stdin"))
