"""What holds over the cells of the evidence: the map, differences with corrected p-values, aggregates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.compare.answer import main_metric
from benchmarks.compare.comparison import target_of, values_by_seed
from benchmarks.compare.evidence_cells import Cell, methods_of, read_cells, rewarded_right, title_of
from benchmarks.compare.evidence_map import Place, map_table, over_starts, places
from benchmarks.harness.aggregates import (
    Bootstrapped,
    holm,
    interquartile_difference,
    interquartile_interval,
    paired_p,
    probability_of_improvement,
)
from benchmarks.harness.methods import Method
from benchmarks.harness.statistics import Interval, mean_interval, paired_interval
from benchmarks.harness.tables import markdown

_LEAST_P = 0.001


def write_summary(folder: Path) -> str:
    """Write `summary.md`, and the pictures of the map, the cells and the profiles.

    Returns:
        The text.

    Raises:
        ValueError: if no cell has rows of two methods.
    """
    from benchmarks.compare.map_picture import draw_map
    from benchmarks.compare.summary_pictures import draw_cells, draw_profiles

    cells = [cell for cell in read_cells(folder) if len(cell.comparison.methods) > 1]
    if not cells:
        raise ValueError(f"{folder} holds no cell with rows of two methods: run python -m benchmarks evidence first")
    found = places(cells)
    text = render(cells, found)
    (folder / "summary.md").write_text(text, encoding="utf-8")
    if found:
        draw_map(found, folder)
    draw_cells(cells, folder)
    draw_profiles(cells, folder)
    return text


def render(cells: Sequence[Cell], found: Sequence[Place]) -> str:
    """The summary as Markdown.

    Args:
        cells: whose rows it sums up.
        found: their places on the map; the summary has no map without them.
    """
    methods = methods_of(cells)
    the_map = [
        "## Where credit by turn helped",
        "Success of MT-GRPO minus the baseline's after the same training, in points, the same seeds. **helped** and "
        "**harmed**: the 95 % interval excludes 0, not corrected for their number; not shown: it does not.",
        map_table(found),
    ]
    if pooled := over_starts(found):
        the_map += [
            "Mean over the starting points of a horizon, by seed, on the seeds that all of them have:",
            map_table(pooled),
        ]
    return (
        "\n\n".join(
            [
                "# Over starting points and horizons",
                *(the_map if found else ()),
                "## Success",
                _levels(cells, methods),
                "## Over the cells",
                "Success normalised in each cell (0 the random policy, 1 the scripted expert), on the cells with right "
                "turn rewards and the seeds that both methods have: rows rest on different cells, so compare within a "
                "row. 95 % bootstrap intervals that draw pairs of runs within each cell.",
                _aggregates(rewarded_right(cells), methods),
                "## Differences by cell",
                "Success in points, the same seeds; p of the paired t-test, corrected by Holm's rule for all rows.",
                _differences(cells, methods),
            ]
        )
        + "\n"
    )


def _levels(cells: Sequence[Cell], methods: Sequence[Method]) -> str:
    lines = []
    for cell in cells:
        start = list(values_by_seed(cell.comparison.starts, main_metric(cell.comparison.suite)).values())
        columns = [start, *(list(cell.success(method).values()) for method in methods)]
        lines.append([title_of(cell.name), *(f"{mean_interval(column):.1f}" if column else "" for column in columns)])
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
        [
            f"{title_of(cell.name)}: {target.title} − {other.title}",
            str(len(seeds)),
            f"{_interval(pair):+.1f}".replace("-", "−"),
            f"{p:.3f}" if p >= _LEAST_P else f"below {_LEAST_P}",
        ]
        for (cell, other, seeds), pair, p in zip(found, pairs, holm([paired_p(*pair) for pair in pairs]), strict=True)
    ]
    return markdown(["difference", "seeds", "points", "p, corrected"], lines)


def _aggregates(cells: Sequence[Cell], methods: Sequence[Method]) -> str:
    target, lines = target_of(methods), []
    for other in [method for method in methods if method != target]:
        shared = {cell.name: _shared(cell, target, other) for cell in cells}
        both = [cell for cell in cells if shared[cell.name]]
        if both:
            own, theirs = ([cell.scores(one, shared[cell.name]) for cell in both] for one in (target, other))
            compared = [interquartile_difference(own, theirs), probability_of_improvement(own, theirs)]
            levels = [interquartile_interval(theirs), interquartile_interval(own)]
            lines.append([other.title, str(len(both)), *map(_shown, [*levels, *compared])])
    titles = ["its interquartile mean", f"{target.title}'s", "lead", f"chance that {target.title} is better"]
    return markdown(["compared with", "cells", *titles], lines) if lines else ""


def _shared(cell: Cell, left: Method, right: Method) -> list[int]:
    return sorted(cell.success(left).keys() & cell.success(right).keys())


def _interval(pair: tuple[Sequence[float], Sequence[float]]) -> Interval:
    treated, control = pair
    return paired_interval(dict(enumerate(treated)), dict(enumerate(control)))


def _shown(found: Bootstrapped) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]".replace("-", "−")
