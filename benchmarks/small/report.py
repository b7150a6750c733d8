"""The tables of a comparison: each method at each learning rate, and paired differences at the best rates."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.harness.statistics import mean_interval, paired_interval
from benchmarks.harness.tables import markdown
from benchmarks.small.records import Row, Settings

Swept = Mapping[tuple[str, float], Sequence[Row]]
"""For a method's label and a learning rate, its runs by ascending seed."""


def by_rate(rows: Sequence[Row]) -> dict[tuple[str, float], list[Row]]:
    """Runs by method and learning rate, in the order in which these first come; seeds ascend."""
    swept: dict[tuple[str, float], list[Row]] = {(row.run.method.label, row.run.learning_rate): [] for row in rows}
    for row in sorted(rows, key=lambda row: row.run.seed):
        swept[row.run.method.label, row.run.learning_rate].append(row)
    return swept


def best_rates(swept: Swept) -> dict[str, float]:
    """For each method the learning rate with the highest mean of the learning curve, the lower rate of equals."""
    found: dict[str, tuple[float, float]] = {}
    for (method, rate), rows in swept.items():
        score = (float(np.mean([row.mean_success for row in rows])), -rate)
        found[method] = max(found.get(method, score), score)
    return {method: -negative for method, (_, negative) in found.items()}


def render(rows: Sequence[Row], share: float, optimum: float) -> str:
    """The report as Markdown.

    Args:
        rows: finished runs of one comparison.
        share: of the optimum, that "episodes to" counts up to.
        optimum: the highest chance of success of any policy.
    """
    swept, threshold = by_rate(rows), share * optimum
    best, settings = best_rates(swept), rows[0].run.settings
    parts = [
        f"# {settings.env}: {_policy(settings)}",
        f"Exact success of the policy over its tasks (optimum {optimum:.1%}); mean over seeds ± 95 % t-interval. "
        f"{settings.steps} steps of {settings.groups} × {settings.group_size} episodes. \\* marks a method's best "
        "learning rate by the mean of its curve.",
        _levels(swept, best, threshold),
    ]
    if len(best) > 1:
        parts += [
            f"Paired differences to {next(iter(best))}, seed by seed, each method at its best learning rate (chosen on "
            "these seeds).",
            _differences(swept, best, threshold),
        ]
    if at_edge := _at_edge(swept, best):
        parts.append(
            f"> **Note.** The best of the rates that were tried is the lowest or highest: {', '.join(at_edge)}."
        )
    return "\n\n".join(parts) + "\n"


def results(rows: Sequence[Row], share: float, optimum: float) -> dict[str, object]:
    """The levels as plain values, arguments as `render`: one entry per method and learning rate, lists by seed."""
    swept, threshold = by_rate(rows), share * optimum
    best = best_rates(swept)
    return {
        "settings": rows[0].run.settings.model_dump(mode="json"),
        "optimum": optimum,
        "threshold": threshold,
        "runs": [
            {
                "method": method,
                "learning_rate": rate,
                "best": rate == best[method],
                "seeds": [run.run.seed for run in runs],
                "final_success": [run.final_success for run in runs],
                "mean_success": [run.mean_success for run in runs],
                "episodes_to_threshold": [run.episodes_to(threshold) for run in runs],
                "turns": [run.turns[-1] for run in runs],
            }
            for (method, rate), runs in swept.items()
        ],
    }


def _policy(settings: Settings) -> str:
    options = (f"{name}={json.dumps(value)}" for name, value in settings.policy_kwargs.items())
    return " ".join([settings.policy, *options])


def _at_edge(swept: Swept, best: Mapping[str, float]) -> list[str]:
    """Methods whose best learning rate may lie outside the sweep."""
    rates = sorted({rate for _, rate in swept})
    return [method for method, rate in best.items() if len(rates) > 1 and rate in (rates[0], rates[-1])]


def _levels(swept: Swept, best: Mapping[str, float], threshold: float) -> str:
    headers = ["method", "learning rate", "seeds", "final success %", "curve's mean %"]
    headers += [f"episodes to {threshold:.0%}", "turns played"]
    lines = []
    for (method, rate), rows in swept.items():
        levels = [mean_interval([100 * value(row) for row in rows]) for value in (_final, _mean)]
        mark = " \\*" if rate == best[method] else ""
        turns = f"{np.mean([row.turns[-1] for row in rows]):.0f}"
        cells = [f"{rate:g}{mark}", str(len(rows)), *(f"{level:.1f}" for level in levels)]
        lines.append([method, *cells, _episodes(rows, threshold), turns])
    return markdown(headers, lines)


def _episodes(rows: Sequence[Row], threshold: float) -> str:
    """The interval if every seed got there; else how many did, since a mean over those alone would flatter."""
    counts = [count for row in rows if (count := row.episodes_to(threshold)) is not None]
    if len(counts) == len(rows):
        return f"{mean_interval(counts):.0f}"
    return f"{len(counts)} of {len(rows)} seeds" + (f", fastest {min(counts)}" if counts else "")


def _differences(swept: Swept, best: Mapping[str, float], threshold: float) -> str:
    control, *others = best.items()
    base = swept[control]
    headers = ["method", "final success, points", "curve's mean, points", f"episodes to {threshold:.0%}"]
    lines = []
    for other in others:
        gaps = [
            paired_interval(_by_seed(swept[other], value), _by_seed(base, value)).scaled(100)
            for value in (_final, _mean)
        ]
        lines.append([other[0], *(f"{gap:+.1f}" for gap in gaps), _episodes_gap(swept[other], base, threshold)])
    return markdown(headers, lines)


def _episodes_gap(treated: Sequence[Row], control: Sequence[Row], threshold: float) -> str:
    if any(row.episodes_to(threshold) is None for row in [*treated, *control]):
        return "not all seeds got there"
    mine, theirs = (_by_seed(rows, lambda row: row.episodes_to(threshold) or 0) for rows in (treated, control))
    return f"{paired_interval(mine, theirs):+.0f}"


def _by_seed(rows: Sequence[Row], value: Callable[[Row], float]) -> dict[int, float]:
    return {row.run.seed: value(row) for row in rows}


def _final(row: Row) -> float:
    return row.final_success


def _mean(row: Row) -> float:
    return row.mean_success
