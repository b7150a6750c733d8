"""The tables of a comparison, made from rows alone, as Markdown."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from benchmarks.compare.answer import answer_in_markdown
from benchmarks.compare.checklist import checklist_list
from benchmarks.compare.comparison import Comparison, target_of, values_by_seed, warnings_about
from benchmarks.compare.rates import chosen_rates, success_by_rate
from benchmarks.compare.records import Row, Settings
from benchmarks.compare.suites import Metric
from benchmarks.harness.settings import option_of, options_of
from benchmarks.harness.statistics import Interval, mean_interval, paired_interval
from benchmarks.harness.tables import markdown


def render(comparison: Comparison) -> str:
    """The whole report as Markdown."""
    suite = comparison.suite
    parts = [
        f"# {comparison.settings.env}: {', '.join(method.title for method in comparison.methods)}",
        *filter(None, [answer_in_markdown(comparison)]),
        levels_caption(comparison),
        markdown(*levels(comparison, suite.headline, references=True)),
    ]
    if suite.source:
        parts.append(f"Paper: {suite.source}")
    if rest := tuple(metric for metric in suite.metrics if not metric.headline):
        parts += ["## Further metrics", markdown(*levels(comparison, rest, references=False))]
    if len(comparison.methods) > 1:
        parts += ["## Paired differences", differences_caption(), markdown(*differences(comparison))]
    if comparison.tuning:
        parts += ["## Learning rates", rates_caption(comparison), markdown(*rates_tried(comparison))]
    parts += ["## Budget", budget(comparison), "## Reproduce", _reproduce(comparison)]
    parts += ["## Checklist", checklist_caption(), checklist_list(comparison)]
    parts += [f"> **Note.** {warning}" for warning in warnings_about(comparison)]
    return "\n\n".join(parts) + "\n"


def levels_caption(comparison: Comparison) -> str:
    """What the levels were measured on, and how."""
    settings = comparison.settings
    split = ", ".join(f"{key}={value}" for key, value in settings.eval_kwargs.items()) or "other seeds than in training"
    return (
        f"Held-out tasks ({split}), {settings.eval_episodes} episodes per seed, sampled at temperature "
        f"{settings.temperature:g}; mean over seeds ± 95 % interval (Student's t). The start is the policy before "
        "training, on the same episodes."
    )


Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""The titles of the columns, and the lines; `**…**` marks a cell as bold, `*…*` as from elsewhere."""


def levels(comparison: Comparison, metrics: Sequence[Metric], *, references: bool) -> Table:
    """Each policy's metrics with intervals over seeds; with the suite's published rows if `references`."""
    named = [("start (before training)", comparison.starts)]
    named += [(method.title, comparison.trained[method.label]) for method in comparison.methods]
    lines = []
    for title, rows in named:
        columns = [values_by_seed(rows, metric) for metric in metrics]
        if columns[0]:
            cells = [_cell(mean_interval(list(c.values())), m) for c, m in zip(columns, metrics, strict=True)]
            lines.append([title, str(len(columns[0])), *cells])
    for reference in comparison.suite.references if references else ():
        values = comparison.suite.reference_values(reference)
        cells = [f"{values[m.name]:.{m.digits}f}" if m.name in values else "" for m in metrics]
        lines.append([f"*paper: {reference.label}*", "", *cells])
    return ["policy", "seeds", *(metric.title for metric in metrics)], lines


def differences_caption() -> str:
    """What the differences are, and what bold means."""
    return "Same seed, same tasks: mean of the difference ± its 95 % interval; **bold** where that excludes 0."


def differences(comparison: Comparison) -> Table:
    """What the compared method has over each other one, paired by seed."""
    target = target_of(comparison.methods)
    metrics = [metric for metric in comparison.suite.metrics if metric.headline or metric.name == "return"]
    lines = []
    for other in comparison.methods:
        if other == target:
            continue
        pairs = [
            (values_by_seed(comparison.trained[target.label], m), values_by_seed(comparison.trained[other.label], m))
            for m in metrics
        ]
        shared = pairs[0][0].keys() & pairs[0][1].keys()
        if shared:
            cells = [_difference_cell(paired_interval(*p), m) for p, m in zip(pairs, metrics, strict=True)]
            lines.append([f"{target.title} − {other.title}", str(len(shared)), *cells])
    titles = (f"{m.label} ({'points' if m.unit == '%' else m.unit})" for m in metrics)
    return ["difference", "seeds", *titles], lines


def _cell(interval: Interval, metric: Metric) -> str:
    return f"{interval:.{metric.digits}f}"


def _difference_cell(interval: Interval, metric: Metric) -> str:
    text = f"{interval:+.{metric.digits}f}"
    return f"**{text}**" if interval.excludes_zero else text


def rates_caption(comparison: Comparison) -> str:
    """What learning rates were chosen by."""
    seeds = sorted({row.run.seed for row in comparison.tuning})
    tried = comparison.tuning[0].run.settings
    where = (
        "" if chosen_here(comparison) else f" of another comparison ({tried.env}, {tried.steps} steps, {tried.model})"
    )
    return (
        f"Success (%) on validation tasks{where} by learning rate, seeds {', '.join(map(str, seeds))}, not reported; "
        f"**bold** is the method's own: the best, of equal ones the smallest.{_at_an_edge(comparison)}"
    )


def _at_an_edge(comparison: Comparison) -> str:
    """A sentence about the methods whose best rate is the first or the last that was tried."""
    own, tried = chosen_rates(comparison.tuning), {row.run.rate for row in comparison.tuning}
    # A rate that was tried alone has nothing beside it to be the edge of.
    edges = {"smallest": min(tried), "largest": max(tried)} if len(tried) > 1 else {}
    parts = []
    for word, edge in edges.items():
        if titles := [method.title for method in comparison.methods if own.get(method.label) == edge]:
            parts.append(f"the {word} that was tried is the best for {', '.join(titles)}")
    sentence = "; ".join(parts)
    return f" {sentence[0].upper()}{sentence[1:]}: another one beyond it may be better." if parts else ""


def chosen_here(comparison: Comparison) -> bool:
    """Whether learning rates were chosen under the comparison's own settings but for the tasks."""
    tried = comparison.tuning[0].run.settings
    return tried == comparison.settings.model_copy(update={"eval_kwargs": tried.eval_kwargs})


def rates_tried(comparison: Comparison) -> Table:
    """Each method's success at each learning rate that was tried."""
    found, own = success_by_rate(comparison.tuning), chosen_rates(comparison.tuning)
    rates = sorted({row.run.rate for row in comparison.tuning})
    lines = []
    for method in comparison.methods:
        values = found.get(method.label, {})
        shown = {rate: f"{100 * values[rate]:.1f}" if rate in values else "" for rate in rates}
        lines.append([method.title, *(f"**{shown[r]}**" if r == own.get(method.label) else shown[r] for r in rates)])
    return ["method", *(f"{rate:g}" for rate in rates)], lines


def budget(comparison: Comparison) -> str:
    """What all runs took, in one sentence."""
    settings = comparison.settings
    trained = [row for by_seed in comparison.trained.values() for row in by_seed.values()]
    spent = [row.spent for row in trained]
    machine = comparison.rows[0].provenance
    device = machine.cpu if settings.device == "cpu" else machine.device
    each = sum(s.seconds for s in spent) / max(len(spent), 1)
    return (
        f"{len(trained)} training runs of {length(settings)}, {settings.groups} tasks × "
        f"{settings.num_generations} episodes per step: {sum(s.episodes for s in spent):,} episodes, "
        f"{sum(s.env_turns for s in spent):,} turns, {sum(s.sampled_tokens for s in spent):,} sampled tokens; "
        f"{each:.0f} s per run, {_wall(comparison.rows)} from the first start to the last end, on {machine.cores} "
        f"cores ({device}, {settings.device})."
    )


def length(settings: Settings) -> str:
    """How long a run trains: steps, or environment turns."""
    return f"{settings.env_turns:,} environment turns" if settings.env_turns else f"{settings.steps} steps"


def _wall(rows: Sequence[Row]) -> str:
    began, ended = min(row.provenance.began for row in rows), max(row.provenance.ended for row in rows)
    return f"{(ended - began).total_seconds() / 60:.1f} min"


def checklist_caption() -> str:
    """Where the checklist comes from."""
    return "What the survey of credit assignment, arXiv 2604.09459, asks of a comparison (its Table 11)."


def _reproduce(comparison: Comparison) -> str:
    return f"```\n{command(comparison)}\n```\n\n{code_and_policy(comparison)}"


def code_and_policy(comparison: Comparison) -> str:
    """The commit, the versions and the policy that the rows come from, in one sentence."""
    code = comparison.rows[0].provenance
    commit = f"commit {code.commit[:12]}{' with local changes' if code.dirty else ''}" if code.commit else ""
    versions = ", ".join(f"{name} {number}" for name, number in code.versions.items() if number)
    return (
        f"{', '.join(part for part in (commit, versions, f'Python {code.python}') if part)}; "
        f"policy {comparison.settings.model} ({comparison.settings.model_hash})."
    )


def command(comparison: Comparison) -> str:
    """The command that repeats a comparison."""
    given = comparison.settings.model_dump(mode="json", include=set(options_of(Settings)))
    words = ["python", "-m", "benchmarks", "compare"]
    words += [
        "--methods",
        ",".join(method.label for method in comparison.methods),
        "--seeds",
        _listed(comparison.seeds),
    ]
    if comparison.tuning and not chosen_here(comparison):
        words += ["--rates-from", "FOLDER_OF_THE_OTHER_COMPARISON"]
    elif comparison.tuning:
        rates = sorted({row.run.rate for row in comparison.tuning})
        words += ["--rates", ",".join(f"{rate:g}" for rate in rates)]
        words += ["--rate-seeds", _listed(sorted({row.run.seed for row in comparison.tuning}))]
    for name, value in given.items():
        if value != {}:
            words += [option_of(name), _word(value)]
    return shlex.join(words)


def _listed(seeds: Sequence[int]) -> str:
    return ",".join(map(str, seeds)) + "," * (len(seeds) == 1)


def _word(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)
