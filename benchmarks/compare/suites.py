"""Suites as data: what is measured on an environment, on which held-out tasks, and what the paper reports for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from turnenv.adapters import AnyEnv

PERCENT = "%"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a group of episodes, read from what `turnenv.training.episode_metrics` reported.

    Attributes:
        name: a short name, the column of data frames.
        label: what tables and pictures call it.
        key: which recorded mean it is, e.g. `turn_reward/tool_execution`.
        best: the recorded mean at which the metric is full (100 %); 1.0 where the metric is the mean itself.
        unit: "%" (the recorded mean is shown as a share of `best`), "reward" or "turns".
        headline: True for the columns of the first table and the panels of the picture.
        digits: decimals in tables.
    """

    name: str
    label: str
    key: str
    best: float = 1.0
    unit: str = PERCENT
    headline: bool = True
    digits: int = 1

    @property
    def title(self) -> str:
        """The label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit == PERCENT or self.unit == "reward" else self.label

    def value(self, means: Mapping[str, float]) -> float:
        """The metric in its unit.

        Raises:
            ValueError: if the mean that it reads was not recorded.
        """
        if self.key not in means:
            raise ValueError(f"{self.name} reads {self.key!r}, which was not recorded; there are: {', '.join(means)}")
        share = means[self.key] / self.best
        return 100.0 * share if self.unit == PERCENT else share


@dataclass(frozen=True, slots=True)
class Reference:
    """A row that a publication reports.

    Attributes:
        label: what the table calls it.
        means: metric name → mean in the reward's own units, as printed at the source.
    """

    label: str
    means: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Suite:
    """How one environment is evaluated and reported.

    Attributes:
        metrics: in the order of the table.
        eval_kwargs: environment arguments of the held-out tasks.
        validation_kwargs: environment arguments of the tasks that settings are chosen by.
        references: rows to print beside ours.
        source: where the references come from, and what to know when reading them.
    """

    metrics: tuple[Metric, ...]
    eval_kwargs: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    validation_kwargs: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    references: tuple[Reference, ...] = ()
    source: str = ""

    @property
    def headline(self) -> tuple[Metric, ...]:
        """The metrics of the first table."""
        return tuple(metric for metric in self.metrics if metric.headline)

    def reference_values(self, reference: Reference) -> dict[str, float]:
        """A reference's row in the metrics' units, metric name → value."""
        by_name = {metric.name: metric for metric in self.metrics}
        return {name: by_name[name].value({by_name[name].key: mean}) for name, mean in reference.means.items()}


def _of_any_environment(*, headline: bool) -> tuple[Metric, ...]:
    return (
        Metric("success", "Success", "success", headline=headline),
        Metric("return", "Return", "return", unit="reward", headline=headline, digits=3),
        Metric("turn_reward", "Turn rewards, sum", "turn_reward", unit="reward", headline=headline, digits=3),
        Metric("outcome", "Outcome reward", "outcome", unit="reward", headline=headline, digits=3),
        Metric("turns", "Turns", "turns", unit="turns", headline=False, digits=2),
        Metric("valid", "Valid actions", "valid_action", headline=False),
    )


GENERIC = Suite(_of_any_environment(headline=True))

_TRIVIA_COLUMNS = ("tool_success", "answer_found", "format", "exact_match")


def _trivia_row(label: str, means: Sequence[float]) -> Reference:
    return Reference(label, MappingProxyType(dict(zip(_TRIVIA_COLUMNS, means, strict=True))))


SUITES: Mapping[str, Suite] = MappingProxyType(
    {
        "turnenv/TriviaSearch-v0": Suite(
            metrics=(
                Metric("tool_success", "Tool success", "turn_reward/tool_execution", best=0.2),
                Metric("answer_found", "Answer found", "turn_reward/answer_in_result", best=0.5),
                Metric("format", "Format", "outcome/xml_format", best=0.2),
                Metric("exact_match", "Exact match", "outcome/exact_match", best=1.0),
                *_of_any_environment(headline=False),
            ),
            eval_kwargs=MappingProxyType({"split": "test"}),
            validation_kwargs=MappingProxyType({"split": "validation"}),
            references=(
                _trivia_row("Qwen2.5-7B, base", (0.0559, 0.0934, 0.1562, 0.0469)),
                _trivia_row("Qwen2.5-7B, GRPO-OR", (0.0, 0.0, 0.04, 0.0)),
                _trivia_row("Qwen2.5-7B, GRPO-MR", (0.2, 0.3724, 0.1994, 0.3346)),
                _trivia_row("Qwen2.5-7B, MT-GRPO", (0.2, 0.3926, 0.1996, 0.5010)),
            ),
            source=(
                "arXiv 2505.11821 v2, Table 5: Qwen2.5-7B on TriviaQA with Wikipedia search, component means divided "
                "by the component's best. Another model and another question set than ours: compare directions, not "
                "levels. Its GRPO-OR row is what the paper's rewards give to any text that cannot be parsed (0.04 for "
                "format, 0 for all else): that policy stopped writing the format, it did not merely stop searching."
            ),
        ),
        "turnenv/MultiHopSearch-v0": Suite(
            metrics=(
                Metric("hops_found", "Hops found", "turn_reward/hop", best=0.5),
                Metric("format", "Format", "outcome/xml_format", best=0.2),
                Metric("exact_match", "Exact match", "outcome/exact_match", best=1.0),
                *_of_any_environment(headline=False),
            ),
            eval_kwargs=MappingProxyType({"split": "test"}),
            validation_kwargs=MappingProxyType({"split": "validation"}),
        ),
    }
)


def suite_of(env: AnyEnv) -> Suite:
    """The suite of an environment; one that has none of its own gets the metrics that every environment has."""
    return SUITES.get(env, GENERIC) if isinstance(env, str) else GENERIC
