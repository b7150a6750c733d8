"""The rows of a comparison, sorted by method and seed, and warnings about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.compare.records import Row, Settings
from benchmarks.compare.suites import Metric, Suite
from benchmarks.harness.methods import Method, in_report_order


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rows of a folder, sorted.

    Attributes:
        settings: what all rows share.
        methods: in report order.
        starts: seed → the row of the untrained policy.
        trained: method label → seed → the row of that run.
        suite: how to read them.
        tuning: the rows that learning rates were chosen by, on validation tasks and other seeds.
    """

    settings: Settings
    methods: tuple[Method, ...]
    starts: Mapping[int, Row]
    trained: Mapping[str, Mapping[int, Row]]
    suite: Suite
    tuning: tuple[Row, ...] = ()

    @classmethod
    def of(cls, rows: Sequence[Row], suite: Suite, tuning: Sequence[Row] = ()) -> Comparison:
        """Sort rows by method and seed.

        Raises:
            ValueError: if there are no rows, or they do not share their settings.
        """
        if not rows:
            raise ValueError("there are no finished runs to report")
        settings = rows[0].run.settings
        if any(row.run.settings != settings for row in rows):
            raise ValueError("the rows come from different settings and cannot be compared; report them separately")
        methods = in_report_order(row.run.method for row in rows if row.run.method is not None)
        trained: dict[str, dict[int, Row]] = {method.label: {} for method in methods}
        for row in rows:
            if row.run.method is not None:
                trained[row.run.method.label][row.run.seed] = row
        starts = {row.run.seed: row for row in rows if row.run.method is None}
        return cls(settings, tuple(methods), starts, trained, suite, tuple(tuning))

    @property
    def rows(self) -> list[Row]:
        """Every row."""
        return [*self.starts.values(), *(row for by_seed in self.trained.values() for row in by_seed.values())]

    @property
    def last_step(self) -> int:
        """The optimizer steps of the longest run: all that were asked for, fewer if a budget of turns was spent."""
        steps = (step for row in self.rows for step in row.curve.get("step", []) if step is not None)
        return self.settings.steps if not self.settings.env_turns else int(max(steps, default=0))

    @property
    def seeds(self) -> list[int]:
        """Every seed, ascending."""
        return sorted({row.run.seed for row in self.rows})


def values_by_seed(rows: Mapping[int, Row], metric: Metric) -> dict[int, float]:
    """Seed → the metric after the run; a seed whose episodes all faulted is left out."""
    return {seed: metric.value(row.evaluation.means) for seed, row in rows.items() if row.evaluation.episodes}


def target_of(methods: Sequence[Method]) -> Method:
    """The method that the others are compared with: the first MT-GRPO, or the last method if there is none."""
    return next((method for method in methods if method.name == "mt_grpo"), methods[-1])


def warnings_about(comparison: Comparison) -> list[str]:
    """One sentence for each reason why the rows are not fully comparable or complete."""
    rows, warnings = comparison.rows, list[str]()
    kinds: dict[str, set[Any]] = {
        "states of turnenv's source": {row.provenance.source for row in rows},
        "library versions": {tuple(row.provenance.versions.items()) for row in rows},
        "machines": {(row.provenance.platform, row.provenance.cpu, row.provenance.device) for row in rows},
    }
    for what, seen in kinds.items():
        if len(seen) > 1:
            warnings.append(f"The rows come from {len(seen)} different {what}; rows.jsonl says which is which.")
    for method in comparison.methods:
        codes = {row.run.code for row in comparison.trained[method.label].values()}
        if len(codes) > 1:
            warnings.append(f"The rows of {method.title} come from {len(codes)} versions of its file.")
    missing = [
        f"{method.title} seed {seed}"
        for method in comparison.methods
        for seed in comparison.seeds
        if seed not in comparison.trained[method.label]
    ]
    if missing:
        warnings.append(f"Not finished: {', '.join(missing)}.")
    if faults := sum(row.evaluation.faults for row in rows):
        warnings.append(f"{faults} evaluation episodes ended in a fault of the infrastructure and are left out.")
    return warnings
