"""What holds over the cells of the evidence: differences with corrected p-values, aggregates.

Axes: S seeds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from benchmarks.compare.answer import main_metric
from benchmarks.compare.comparison import Comparison, target_of, values_by_seed
from benchmarks.compare.records import RowFile
from benchmarks.compare.suites import suite_of
from benchmarks.harness.aggregates import (
    Bootstrapped,
    Floats,
    holm,
    interquartile_difference,
    interquartile_interval,
    normalised,
    paired_p,
    probability_of_improvement,
)
from benchmarks.harness.methods import Method, in_report_order
from benchmarks.harness.statistics import Interval, mean_interval, paired_interval
from benchmarks.harness.tables import markdown


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
    """The cells whose rows are in a folder, by name."""
    cells = []
    for path in sorted({found.parent for found in folder.glob("*/rows.jsonl*")}):
        if rows := RowFile(path).read():
            env = rows[0].run.settings.env
            random, expert = (_scripted(env, agent) for agent in ("random", "expert"))
            cells.append(Cell(path.name, Comparison.of(rows, suite_of(env)), random, expert))
    return cells


def write_summary(folder: Path) -> str:
    """Write `summary.md`, `cells.png` and `profile.png`.

    Returns:
        The text.

    Raises:
        ValueError: if no cell has rows of two methods.
    """
    from benchmarks.compare.summary_pictures import draw_cells, draw_profiles

    cells = [cell for cell in read_cells(folder) if len(cell.comparison.methods) > 1]
    if not cells:
        raise ValueError(f"{folder} holds no cell with rows of two methods: run python -m benchmarks evidence first")
    text = render(cells)
    (folder / "summary.md").write_text(text, encoding="utf-8")
    draw_cells(cells, folder / "cells.png")
    draw_profiles(cells, folder / "profile.png")
    return text


def render(cells: Sequence[Cell]) -> str:
    """The summary as Markdown."""
    methods = methods_of(cells)
    return (
        "\n\n".join(
            [
                "# Over starting points and horizons",
                _levels(cells, methods),
                "## Differences by cell",
                "Success in points, the same seeds; p of the paired t-test, corrected by Holm's rule for all rows.",
                _differences(cells, methods),
                "## Over the cells",
                "Success normalised in each cell (0 the random policy, 1 the scripted expert) on the seeds that both "
                "methods have; 95 % bootstrap intervals that draw pairs of runs within each cell.",
                _aggregates(cells, methods),
            ]
        )
        + "\n"
    )


def methods_of(cells: Sequence[Cell]) -> list[Method]:
    """Every method of any cell, in report order."""
    return in_report_order(method for cell in cells for method in cell.comparison.methods)


def _levels(cells: Sequence[Cell], methods: Sequence[Method]) -> str:
    lines = []
    for cell in cells:
        start = list(values_by_seed(cell.comparison.starts, main_metric(cell.comparison.suite)).values())
        columns = [start, *(list(cell.success(method).values()) for method in methods)]
        lines.append([cell.name, *(f"{mean_interval(column):.1f}" if column else "" for column in columns)])
    return markdown(["success (%) from", "start", *(method.title for method in methods)], lines)


def _differences(cells: Sequence[Cell], methods: Sequence[Method]) -> str:
    target = target_of(methods)
    found = [
        (cell, other, shared)
        for cell in cells
        for other in methods
        if other != target and len(shared := _shared(cell, target, other)) > 1
    ]
    pairs = [
        ([cell.success(target)[seed] for seed in seeds], [cell.success(other)[seed] for seed in seeds])
        for cell, other, seeds in found
    ]
    lines = [
        [f"{cell.name}: {target.title} − {other.title}", str(len(seeds)), f"{_interval(pair):+.1f}", f"{p:.3f}"]
        for (cell, other, seeds), pair, p in zip(found, pairs, holm([paired_p(*pair) for pair in pairs]), strict=True)
    ]
    return markdown(["difference", "seeds", "points", "p, corrected"], lines)


def _aggregates(cells: Sequence[Cell], methods: Sequence[Method]) -> str:
    target, lines = target_of(methods), []
    for other in methods:
        shared = {cell.name: _shared(cell, target, other) for cell in cells}
        both = [cell for cell in cells if shared[cell.name]]
        if both:
            own, theirs = ([cell.scores(one, shared[cell.name]) for cell in both] for one in (target, other))
            compared = [interquartile_difference(own, theirs), probability_of_improvement(own, theirs)]
            shown = [_shown(interquartile_interval(theirs)), *(map(_shown, compared) if other != target else ("", ""))]
            lines.append([other.title, str(len(both)), *shown])
    titles = ["interquartile mean", f"{target.title}'s lead in it", f"chance that {target.title} is better"]
    return markdown(["method", "cells", *titles], lines)


def _shared(cell: Cell, left: Method, right: Method) -> list[int]:
    return sorted(cell.success(left).keys() & cell.success(right).keys())


def _interval(pair: tuple[Sequence[float], Sequence[float]]) -> Interval:
    treated, control = pair
    return paired_interval(dict(enumerate(treated)), dict(enumerate(control)))


def _shown(found: Bootstrapped) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _scripted(env_id: str, agent: str) -> float:
    """Success of a scripted agent; of an environment without them, 0 or 1."""
    text = (files("turnenv.envs") / "pages" / "scores.jsonl").read_text(encoding="utf-8")
    for score in map(json.loads, text.splitlines()):
        if (score["id"], score["agent"]) == (env_id, agent):
            return float(score["successes"] / score["seeds"])
    return {"random": 0.0, "expert": 1.0}[agent]
