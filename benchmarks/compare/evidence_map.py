"""The map: in which cells turn-level credit helped, made no difference that was shown, or harmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from benchmarks.compare.cells import CELLS
from benchmarks.compare.evidence_cells import Cell
from benchmarks.harness.methods import Method, parse_methods
from benchmarks.harness.statistics import Interval, paired_interval
from benchmarks.harness.tables import markdown

Verdict = Literal["helped", "harmed", "not shown"]
TARGET, OUTCOME, MERGED = (parse_methods(name)[0] for name in ("mt_grpo", "grpo_or", "grpo_mr"))
BASELINES: Mapping[str, Method] = {"the outcome alone": OUTCOME, "all rewards merged": MERGED}
"""What turn-level credit is held against, by what it learns from."""


@dataclass(frozen=True, slots=True)
class Place:
    """One cell of the map against one baseline.

    Attributes:
        cell: of its folder.
        horizon: the environment and its number of turns.
        start: the starting point.
        rewards: what the turn rewards pay for.
        baseline: what MT-GRPO is held against.
        differences: seed → success of MT-GRPO minus the baseline's, in points.
    """

    cell: str
    horizon: str
    start: str
    rewards: str
    baseline: Method
    differences: Mapping[int, float]

    @property
    def interval(self) -> Interval:
        """The mean difference with its paired 95 % t-interval."""
        return paired_interval(self.differences, dict.fromkeys(self.differences, 0.0))

    @property
    def verdict(self) -> Verdict:
        """What the interval says."""
        if not self.interval.excludes_zero:
            return "not shown"
        return "helped" if self.interval.mean > 0 else "harmed"


def places(cells: Sequence[Cell]) -> list[Place]:
    """Every cell of the plan that has rows, in the plan's order, against each baseline that it has."""
    by_name, found = {cell.name: cell for cell in cells}, []
    for name, plan in CELLS.items():
        if cell := by_name.get(name):
            target = cell.success(TARGET)
            for baseline in BASELINES.values():
                other = cell.success(baseline)
                differences = {seed: target[seed] - other[seed] for seed in sorted(target.keys() & other.keys())}
                if len(differences) > 1:
                    found.append(Place(name, plan.horizon, plan.start, plan.rewards, baseline, differences))
    return found


def map_table(found: Sequence[Place]) -> str:
    """The map as a Markdown table; empty where there is no place."""
    lines = []
    for name in dict.fromkeys(place.cell for place in found):
        own = {place.baseline.label: place for place in found if place.cell == name}
        any_place = next(iter(own.values()))
        shown = [_shown(own[method.label]) if method.label in own else "" for method in BASELINES.values()]
        seeds = " and ".join(dict.fromkeys(str(len(place.differences)) for place in own.values()))
        lines.append([any_place.horizon, any_place.start, any_place.rewards, seeds, *shown])
    titles = [f"against {what} ({method.title})" for what, method in BASELINES.items()]
    return markdown(["horizon", "start", "turn rewards", "seeds", *titles], lines) if lines else ""


def over_starts(found: Sequence[Place]) -> list[Place]:
    """For each horizon and each baseline that several of its starting points have: the mean over those starts.

    Runs of one seed play the same tasks from each start, so the seed stays the unit: its differences are averaged over
    the starts, and the interval is over the seeds that every start has. Cells whose turn rewards mislead are left out.
    """
    pooled = []
    for horizon in dict.fromkeys(place.horizon for place in found):
        for baseline in BASELINES.values():
            own = [p for p in found if (p.horizon, p.rewards, p.baseline) == (horizon, "right", baseline)]
            seeds = set[int].intersection(*(set(place.differences) for place in own)) if own else set[int]()
            if len(own) > 1 and len(seeds) > 1:
                means = {seed: fmean(place.differences[seed] for place in own) for seed in sorted(seeds)}
                starts = ", ".join(place.start for place in own)
                pooled.append(Place(horizon, horizon, starts, "right", baseline, means))
    return pooled


def _shown(place: Place) -> str:
    text = f"{place.interval:+.1f}".replace("-", "−")
    return {"helped": f"**helped** {text}", "harmed": f"**harmed** {text}", "not shown": f"not shown {text}"}[
        place.verdict
    ]
