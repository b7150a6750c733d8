"""The records of the lab: one estimator in one cell, and what was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from pydantic import Field, TypeAdapter

from benchmarks.credit.cells import Cell
from benchmarks.harness.methods import Method
from benchmarks.harness.rows import JsonLines, Record
from turnenv.evaluation.provenance import Provenance

SCHEMA = 2


class Effort(Record):
    """How much is sampled. `blocks` and `batches` are options of `python -m benchmarks credit`."""

    blocks: int = Field(default=20, gt=1, description="blocks of sampled batches, for standard errors")
    batches: int = Field(default=50, gt=1, description="batches in a block")
    seeds: tuple[int, ...] = Field(default=(0, 1, 2, 3, 4, 5), description="training seeds, shared by every method")
    rates: tuple[float, ...] = Field(
        default=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0), description="learning rates that every method is trained with"
    )


class Figure(Record):
    """A measured number.

    Attributes:
        value: None if it is not defined (a flat method ranks nothing).
        error: its standard error; 0 if it is exact, None if not known.
    """

    value: float | None
    error: float | None = 0.0


class LearningRecord(Record):
    """Training with every learning rate (outer) and seed (inner).

    Attributes:
        turns: environment turns until the success probability first reached the threshold; None if it never did.
        episodes: likewise.
        final: exact success probability when the run ended.
        area: mean success probability over the budget.
    """

    turns: list[list[float | None]]
    episodes: list[list[float | None]]
    final: list[list[float]]
    area: list[list[float]]


class LabRun(Record):
    """One estimator in one cell.

    Attributes:
        cell: the setting.
        method: the estimator and its options.
        code: hash of the files that define it and how it is played.
        effort: how much was sampled.
    """

    cell: Cell
    method: Method
    code: str
    effort: Effort

    @property
    def run_id(self) -> str:
        """The cell, the method, and a hash of everything that decides the result."""
        fields = self.model_dump(mode="json", exclude={"cell"}) | {"cell": self.cell.cell_id}
        digest = blake2b(json.dumps(fields, sort_keys=True).encode(), digest_size=5).hexdigest()
        return f"{self.cell.cell_id}-{self.method.name}-{digest}"


class LabRow(Record):
    """A finished run.

    Attributes:
        schema_version: of this record.
        run_id: `run.run_id`.
        run: what was done.
        skipped: why nothing was measured; empty if it was.
        exact: True if the gradient's moments were enumerated, not sampled.
        figures: metric → number, as `benchmarks.credit.measure` names them.
        profiles: metric → one number per turn.
        learning: the results of training; None in a cell without training.
        flags: the faults that `benchmarks.credit.faults` finds in it.
        seconds: wall time of this run.
        provenance: on which machine and with which code.
    """

    schema_version: int = SCHEMA
    run_id: str
    run: LabRun
    skipped: str = ""
    exact: bool = False
    figures: dict[str, Figure] = Field(default_factory=dict)
    profiles: dict[str, list[float | None]] = Field(default_factory=dict)
    learning: LearningRecord | None = None
    flags: list[str] = Field(default_factory=list)
    seconds: float = 0.0
    provenance: Provenance


class LabRows(JsonLines[LabRow]):
    """The rows of a lab folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, LabRow, SCHEMA)


_RUNS = TypeAdapter(tuple[LabRun, ...])


def runs_as_json(runs: Sequence[LabRun]) -> str:
    """Write runs as one text, for the command line of a process."""
    return _RUNS.dump_json(tuple(runs)).decode()


def runs_from_json(text: str) -> tuple[LabRun, ...]:
    """Read what `runs_as_json` wrote.

    Raises:
        pydantic.ValidationError: if the text is something else.
    """
    return _RUNS.validate_json(text)
