"""One cell in a process of its own: every requested estimator, one row each."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.credit.cells import Problem
from benchmarks.credit.contenders import Contender
from benchmarks.credit.expectation import Measured
from benchmarks.credit.faults import check
from benchmarks.credit.measure import measure
from benchmarks.credit.records import LabRow, LabRows, LabRun, runs_from_json
from benchmarks.harness.progress import Status
from benchmarks.harness.scheduler import exit_with_parent, status_path
from turnenv.evaluation.provenance import provenance


def main(arguments: Sequence[str] | None = None) -> None:
    """Do the runs that the arguments describe, all of one cell, and append a row for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.credit.one_cell", description=__doc__)
    parser.add_argument("--runs", required=True, help="the runs as JSON")
    parser.add_argument("--out", required=True, type=Path, help="folder of the lab")
    parser.add_argument("--name", required=True, help="the job's name, for its status file")
    parser.add_argument("--end-with-stdin", action="store_true", help="exit when standard input ends")
    given = parser.parse_args(arguments)
    if given.end_with_stdin:
        exit_with_parent()
    runs = runs_from_json(given.runs)
    path = status_path(given.out, given.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    cell, effort = runs[0].cell, runs[0].effort
    measured = Measured.of(Problem.of(cell), effort.blocks, effort.batches)
    for number, run in enumerate(runs):
        Status(number, len(runs), run.method.label).write(path)
        LabRows(given.out).append(do(run, measured))
    Status(len(runs), len(runs), f"{len(runs)} estimators").write(path)


def do(run: LabRun, measured: Measured) -> LabRow:
    """Measure one estimator; one whose needs the lab cannot give is skipped, and the row says so."""
    began, clock = datetime.now(UTC), time.monotonic()
    contender = Contender.of(run.method)
    if contender.lacks:
        reason = f"needs {', '.join(sorted(contender.lacks))}, which the lab's episodes do not have"
        return LabRow(run_id=run.run_id, run=run, skipped=reason, provenance=provenance("cpu", began))
    found = measure(measured, contender, run.effort)
    return LabRow(
        run_id=run.run_id,
        run=run,
        exact=found.exact,
        figures=found.figures,
        profiles=found.profiles,
        learning=found.learning,
        flags=check(contender),
        seconds=time.monotonic() - clock,
        provenance=provenance("cpu", began),
    )


if __name__ == "__main__":
    main()
