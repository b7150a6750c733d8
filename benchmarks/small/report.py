"""The tables of a comparison: levels for each method and learning rate, paired differences at the best rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import t as student_t
from tabulate import tabulate

from benchmarks.small.runs import Row

Cells = Mapping[tuple[str, float], Sequence[Row]]
"""For a method and a learning rate, its runs by ascending seed."""


def by_cell(rows: Sequence[Row]) -> dict[tuple[str, float], list[Row]]:
    """Runs by method and learning rate, in the order in which these first come; seeds ascend."""
    cells: dict[tuple[str, float], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.settings.seed):
        cells.setdefault((row.settings.method, row.settings.learning_rate), []).append(row)
    order = {(row.settings.method, row.settings.learning_rate): number for number, row in reversed([*enumerate(rows)])}
    return {cell: cells[cell] for cell in sorted(cells, key=order.__getitem__)}


def best_rates(cells: Cells) -> dict[str, float]:
    """For each method the learning rate with the highest mean of the learning curve, the lower rate of equals."""
    found: dict[str, tuple[float, float]] = {}
    for (method, rate), rows in cells.items():
        score = (float(np.mean([row.mean_success for row in rows])), -rate)
        found[method] = max(found.get(method, score), score)
    return {method: -negative for method, (_, negative) in found.items()}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half width of the 95 % Student t-interval; the half width of a single value is NaN."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan
    quantile = float(student_t.ppf(0.975, len(values) - 1))
    return mean, quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def render(rows: Sequence[Row], share: float, optimum: float) -> str:
    """The report as Markdown.

    Args:
        rows: finished runs of one comparison.
        share: of the optimum, that "episodes to" counts up to.
        optimum: the highest chance of success of any policy.
    """
    cells, threshold = by_cell(rows), share * optimum
    best, settings = best_rates(cells), rows[0].settings
    parts = [
        f"# {settings.env}: {settings.policy}",
        f"Exact success of the policy over its tasks (optimum {optimum:.1%}); mean over seeds ± 95 % t-interval. "
        f"{settings.iterations} updates of {settings.groups} × {settings.group_size} episodes. \\* marks a method's "
        "best learning rate by the mean of its curve.",
        _levels(cells, best, threshold),
    ]
    if len(best) > 1:
        parts += [
            f"Paired differences to {next(iter(best))}, seed by seed, each method at its best learning rate (chosen on "
            "these seeds).",
            _differences(cells, best, threshold),
        ]
    if at_edge := _at_edge(cells, best):
        parts.append(
            f"> **Note.** The best of the rates that were tried is the lowest or highest: {', '.join(at_edge)}."
        )
    return "\n\n".join(parts) + "\n"


def _at_edge(cells: Cells, best: Mapping[str, float]) -> list[str]:
    """Methods whose best learning rate may lie outside the sweep."""
    rates = sorted({rate for _, rate in cells})
    return [method for method, rate in best.items() if len(rates) > 1 and rate in (rates[0], rates[-1])]


def _levels(cells: Cells, best: Mapping[str, float], threshold: float) -> str:
    headers = ["method", "learning rate", "seeds", "final success %", "curve's mean %"]
    headers += [f"episodes to {threshold:.0%}", "turns played"]
    lines = []
    for (method, rate), rows in cells.items():
        final, mean = ([100 * value(row) for row in rows] for value in (_final, _mean))
        mark = " \\*" if rate == best[method] else ""
        turns = f"{np.mean([row.turns[-1] for row in rows]):.0f}"
        cell = [f"{rate:g}{mark}", str(len(rows)), _text(final), _text(mean), _episodes(rows, threshold), turns]
        lines.append([method, *cell])
    return tabulate(lines, headers, tablefmt="pipe", disable_numparse=True)


def _episodes(rows: Sequence[Row], threshold: float) -> str:
    """The interval if every seed got there; else how many did, since a mean over those alone would flatter."""
    counts = [count for row in rows if (count := row.episodes_to(threshold)) is not None]
    if len(counts) == len(rows):
        return _text(counts, digits=0)
    return f"{len(counts)} of {len(rows)} seeds" + (f", fastest {min(counts)}" if counts else "")


def _differences(cells: Cells, best: Mapping[str, float], threshold: float) -> str:
    control, *others = best.items()
    base = cells[control]
    headers = ["method", "final success, points", "curve's mean, points", f"episodes to {threshold:.0%}"]
    lines = []
    for cell in others:
        gaps = [_text([100 * gap for gap in _paired(cells[cell], base, value)]) for value in (_final, _mean)]
        reached = all(row.episodes_to(threshold) is not None for row in [*cells[cell], *base])
        counts = _paired(cells[cell], base, lambda row: float(row.episodes_to(threshold) or 0)) if reached else []
        lines.append([cell[0], *gaps, _text(counts, digits=0) if reached else "not all seeds got there"])
    return tabulate(lines, headers, tablefmt="pipe", disable_numparse=True)


def _paired(treated: Sequence[Row], control: Sequence[Row], value: Callable[[Row], float]) -> list[float]:
    known = {row.settings.seed: value(row) for row in control}
    return [value(row) - known[row.settings.seed] for row in treated if row.settings.seed in known]


def _final(row: Row) -> float:
    return row.success[-1]


def _mean(row: Row) -> float:
    return row.mean_success


def _text(values: Sequence[float], digits: int = 1) -> str:
    mean, half = interval(values)
    return f"{mean:.{digits}f}" if math.isnan(half) else f"{mean:.{digits}f} ± {half:.{digits}f}"
