"""The checklist of the survey of credit assignment (arXiv 2604.09459, Table 11), filled from the rows alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from benchmarks.compare.comparison import Comparison
from benchmarks.compare.records import Distribution, Row, Settings, Spent
from benchmarks.compare.suites import PERCENT, Metric
from benchmarks.harness.methods import Method
from turnenv.credit import SPECS

NOT_RECORDED = "not recorded"
_ABLATIONS = ("placebo", "grpo_mr", "gdpo")
_ENOUGH_SEEDS = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One question of the checklist, and what the rows answer.

    Attributes:
        number: 1 … 14, as in the survey.
        part: of the checklist, such as "compute".
        required: False if the survey recommends it.
        title: what is asked for.
        value: the answer; it says `NOT_RECORDED` of what the rows do not hold.
    """

    number: int
    part: str
    required: bool
    title: str
    value: str

    @property
    def recorded(self) -> bool:
        """True if nothing of the answer is missing."""
        return NOT_RECORDED not in self.value


def checklist(comparison: Comparison) -> tuple[Item, ...]:
    """The fourteen items in their order."""
    return tuple(
        Item(number, part, required, title, answer(comparison))
        for number, (part, required, title, answer) in enumerate(_QUESTIONS, start=1)
    )


def checklist_list(comparison: Comparison) -> str:
    """The items as a numbered list in Markdown."""
    return "\n".join(
        f"{item.number}. **{item.title}**{'' if item.required else ' (recommended)'}: {item.value}"
        for item in checklist(comparison)
    )


def _model(comparison: Comparison) -> str:
    settings = comparison.settings
    size = _same(f"{spent.parameters:,} parameters" for spent in _spent(comparison) if spent.parameters is not None)
    return f"{settings.model}; size: {size}; version: {settings.model_hash or NOT_RECORDED}"


def _data(comparison: Comparison) -> str:
    settings, rows = comparison.settings, _trained(comparison)
    source = f"{settings.env}{_arguments(settings.env_kwargs)}, tasks drawn by seed"
    size = f"{trained_for(settings)}, in groups of {settings.num_generations} episodes"
    return (
        f"{source}; size: {size}; filtering: {_same(map(_filtering, (row for row in rows if row.trainer_arguments)))}"
    )


def trained_for(settings: Settings) -> str:
    """The budget of a run."""
    if settings.env_turns:
        return f"{settings.env_turns:,} environment turns per run (the last step is finished)"
    episodes = settings.steps * settings.groups * settings.num_generations
    return f"{episodes:,} trained episodes per run"


def _filtering(row: Row) -> str:
    given = row.trainer_arguments
    kinds = ["faulted episodes take no part"]
    if given.get("mask_truncated_completions"):
        kinds.append("truncated episodes are masked")
    if given.get("resample_dead_groups"):
        kinds.append("groups whose advantages are all zero are replaced")
    return ", ".join(kinds)


def _granularity(comparison: Comparison) -> str:
    return _by_method(comparison, lambda method: SPECS[method.name].granularity if method.name in SPECS else "")


def _family(comparison: Comparison) -> str:
    return _by_method(comparison, lambda method: SPECS[method.name].family if method.name in SPECS else "")


def _baseline(comparison: Comparison) -> str:
    found = [method for method in comparison.methods if _is_baseline(method)]
    return f"{_titles(found)}, from the same base model" if found else "none in these rows"


def _same_compute(comparison: Comparison) -> str:
    settings = comparison.settings
    spent = "; ".join(
        f"{method.title}: {fmean(s.env_turns for s in each):,.0f} turns, "
        f"{fmean(s.sampled_tokens for s in each):,.0f} sampled tokens, {fmean(s.train_seconds for s in each):,.0f} s"
        for method, each in _spent_by_method(comparison)
    )
    return f"{trained_for(settings)} for every method; spent per run: {spent or NOT_RECORDED}"


def _ablation(comparison: Comparison) -> str:
    found = [method for method in comparison.methods if method.name in _ABLATIONS]
    return _titles(found) if found else "none in these rows"


def _benchmark(comparison: Comparison) -> str:
    settings = comparison.settings
    split = _arguments(settings.eval_kwargs) or ", other seeds than in training"
    return f"{settings.env}{split}; {settings.eval_episodes} held-out episodes per seed"


def _metrics(comparison: Comparison) -> str:
    return "; ".join(map(_definition, comparison.suite.headline))


def _definition(metric: Metric) -> str:
    share = f" ÷ {metric.best:g}" if metric.best != 1.0 else ""
    return f"{metric.label}: mean over episodes of `{metric.key}`{share}{' in %' if metric.unit == PERCENT else ''}"


def _variance(comparison: Comparison) -> str:
    seeds = len(comparison.seeds)
    few = "" if seeds >= _ENOUGH_SEEDS else f", fewer than {_ENOUGH_SEEDS}"
    return f"{seeds} seed{'s' * (seeds != 1)}{few}; 95 % interval (Student's t), differences paired by seed"


def _device_hours(comparison: Comparison) -> str:
    rows = _trained(comparison)
    seconds = [row.spent.device_seconds for row in rows]
    known = [second for second in seconds if second is not None]
    if not known or len(known) < len(seconds):
        return NOT_RECORDED
    hours, on_cpu = sum(known) / 3600.0, comparison.settings.device == "cpu"
    machine = _same(row.provenance.cpu if on_cpu else row.provenance.device for row in rows)
    return f"{'0 GPU-hours; ' if on_cpu else ''}{hours:,.2f} {'CPU' if on_cpu else 'GPU'}-hours of training ({machine})"


def _overhead(comparison: Comparison) -> str:
    counted: Mapping[str, Callable[[Spent], int | None]] = {
        "critic forwards": lambda spent: spent.critic_forwards,
        "environment restores": lambda spent: spent.restores,
        "judge calls": lambda spent: spent.judge_calls,
    }
    methods = _spent_by_method(comparison)
    parts = [
        f"{method.title}: {', '.join(f'{name} {_mean(map(count, each))}' for name, count in counted.items())}"
        for method, each in methods
    ]
    return f"per run, {'; '.join(parts)}" if parts else NOT_RECORDED


def _average_length(comparison: Comparison) -> str:
    return _lengths(comparison, lambda each: f"{fmean(one.mean for one in each):,.1f}")


def _length_distribution(comparison: Comparison) -> str:
    return _lengths(
        comparison,
        lambda each: (
            f"{min(one.min for one in each):,} / {median(one.median for one in each):,g} / "
            f"{max(one.max for one in each):,}"
        ),
    )


_Answer = Callable[[Comparison], str]
_QUESTIONS: Sequence[tuple[str, bool, str, _Answer]] = (
    ("model and data", True, "Base model: name, size, version", _model),
    ("model and data", True, "Training data: source, size, filtering", _data),
    ("method", True, "Granularity of credit", _granularity),
    ("method", True, "Family of the method", _family),
    ("baselines", True, "A baseline at the level of episodes, on the same base model", _baseline),
    ("baselines", True, "The same compute, or compute compared", _same_compute),
    ("baselines", False, "An ablation that isolates the credit", _ablation),
    ("evaluation", True, "Benchmark and split", _benchmark),
    ("evaluation", True, "Metric with its definition", _metrics),
    ("evaluation", False, "Variance over at least 3 seeds, or intervals", _variance),
    ("compute", True, "GPU-hours of training in total", _device_hours),
    ("compute", False, "Overhead of credit: further forward passes, resets, model calls", _overhead),
    ("trajectories", True, "Average length of a training episode", _average_length),
    ("trajectories", False, "Distribution of lengths: min / median / max", _length_distribution),
)


def _lengths(comparison: Comparison, show: Callable[[Sequence[Distribution]], str]) -> str:
    parts = []
    for method, spent in _spent_by_method(comparison):
        turns = [each.turns_per_episode for each in spent]
        tokens = [each.tokens_per_episode for each in spent]
        parts.append(f"{method.title}: turns {_shown(turns, show)}, tokens {_shown(tokens, show)}")
    return "; ".join(parts) or NOT_RECORDED


def _shown(found: Sequence[Distribution | None], show: Callable[[Sequence[Distribution]], str]) -> str:
    known = [each for each in found if each is not None]
    return show(known) if known and len(known) == len(found) else NOT_RECORDED


def _trained(comparison: Comparison) -> list[Row]:
    return [row for by_seed in comparison.trained.values() for row in by_seed.values()]


def _spent(comparison: Comparison) -> list[Spent]:
    return [row.spent for row in _trained(comparison)]


def _spent_by_method(comparison: Comparison) -> list[tuple[Method, list[Spent]]]:
    by_method = [(each, [row.spent for row in comparison.trained[each.label].values()]) for each in comparison.methods]
    return [(method, spent) for method, spent in by_method if spent]


def _is_baseline(method: Method) -> bool:
    return method.name in SPECS and SPECS[method.name].granularity == "trajectory"


def _by_method(comparison: Comparison, say: Callable[[Method], str]) -> str:
    return "; ".join(f"{each.title}: {say(each) or NOT_RECORDED}" for each in comparison.methods) or NOT_RECORDED


def _titles(methods: Iterable[Method]) -> str:
    return ", ".join(method.title for method in methods)


def _arguments(given: Mapping[str, Any]) -> str:
    return f" ({', '.join(f'{name}={value}' for name, value in given.items())})" if given else ""


def _same(values: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(values)) or NOT_RECORDED


def _mean(counts: Iterable[int | None]) -> str:
    found = list(counts)
    known = [count for count in found if count is not None]
    return f"{fmean(known):,.0f}" if known and len(known) == len(found) else NOT_RECORDED
