"""The rows of the evidence, cell by cell, with success normalised by the random policy and the expert.

Axes: S seeds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from benchmarks.compare.answer import main_metric
from benchmarks.compare.cells import CELLS
from benchmarks.compare.comparison import Comparison, values_by_seed
from benchmarks.compare.records import RowFile
from benchmarks.compare.suites import suite_of
from benchmarks.harness.aggregates import Floats, normalised
from benchmarks.harness.methods import Method, in_report_order


@dataclass(frozen=True, slots=True)
class Cell:
    """The rows of one cell, and how success is normalised there.

    Attributes:
        name: of its folder.
        comparison: its rows.
        random: success of the random policy, 0 to 1.
        expert: success of the scripted expert.
    """

    name: str
    comparison: Comparison
    random: float
    expert: float

    def success(self, method: Method) -> dict[int, float]:
        """Seed → success on held-out tasks, in %."""
        metric = main_metric(self.comparison.suite)
        return values_by_seed(self.comparison.trained.get(method.label, {}), metric)

    def scores(self, method: Method, seeds: Sequence[int]) -> Floats:
        """Normalised success, (S,)."""
        success = self.success(method)
        return normalised([success[seed] / 100.0 for seed in seeds], self.random, self.expert)


def read_cells(folder: Path) -> list[Cell]:
    """The cells whose rows are in a folder, in the plan's order, others after them by name."""
    cells = []
    order = {name: number for number, name in enumerate(CELLS)}
    found = {path.parent for path in folder.glob("*/rows.jsonl*")}
    for path in sorted(found, key=lambda path: (order.get(path.name, len(order)), path.name)):
        if rows := RowFile(path).read():
            env = rows[0].run.settings.env
            random, expert = (_scripted(env, agent) for agent in ("random", "expert"))
            cells.append(Cell(path.name, Comparison.of(rows, suite_of(env)), random, expert))
    return cells


def title_of(name: str) -> str:
    """What a cell is called in tables and pictures."""
    plan = CELLS.get(name)
    if plan is None:
        return name
    return f"{plan.horizon}, {plan.start}" + ("" if plan.rewards == "right" else f", {plan.rewards}")


def rewarded_right(cells: Sequence[Cell]) -> list[Cell]:
    """The cells whose turn rewards pay for what the task needs: aggregates are over these alone."""
    return [cell for cell in cells if cell.name not in CELLS or CELLS[cell.name].rewards == "right"]


def in_common(cells: Sequence[Cell]) -> tuple[list[Cell], list[Method]]:
    """The methods that at least half of the cells have, and the cells that have them all."""
    methods = [
        method for method in methods_of(cells) if 2 * sum(bool(cell.success(method)) for cell in cells) >= len(cells)
    ]
    return [cell for cell in cells if all(cell.success(method) for method in methods)], methods


def methods_of(cells: Sequence[Cell]) -> list[Method]:
    """Every method of any cell, in report order."""
    return in_report_order(method for cell in cells for method in cell.comparison.methods)


def _scripted(env_id: str, agent: str) -> float:
    """Success of a scripted agent; of an environment without them, 0 or 1."""
    text = (files("turnenv.envs") / "pages" / "scores.jsonl").read_text(encoding="utf-8")
    for score in map(json.loads, text.splitlines()):
        if (score["id"], score["agent"]) == (env_id, agent):
            return float(score["successes"] / score["seeds"])
    return {"random": 0.0, "expert": 1.0}[agent]
