"""`credit.md`: what the lab found, cell by cell, from rows alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.credit import held_out
from benchmarks.credit.cells import Cell
from benchmarks.credit.contenders import code_hash
from benchmarks.credit.experience import CONTINUATIONS
from benchmarks.credit.records import Effort, Figure, LabRow, LabRows, LabRun
from benchmarks.credit.suites import SUITES, cells_of
from benchmarks.credit.tuning import Tuned, ratios, reached, tuned
from benchmarks.harness.methods import Method
from benchmarks.harness.statistics import median_interval
from benchmarks.harness.tables import markdown

REFERENCE = "mt_grpo"
"""Efficiency is shown as a multiple of this method's."""
UNTUNED = 0.3
"""The learning rate of the column that is not tuned."""
_READING = """\
How to read the tables. **Direction** is the cosine between an estimator's expected gradient and the exact gradient of
the outcome, and of the shaped objective (outcome plus turn rewards). **Signal/noise** is `||E g||² / tr Cov g` of one
batch that costs the turns of a plain one: VinePPO's continuations count, what a tree's branch copies does not.
**Batch cosine** is the mean cosine of a single batch's gradient with the outcome's, whatever the batch cost. **Turns to
solve** is the median over seeds of the environment turns until the policy's exact success probability reached the
threshold, from an untrained policy, with its interval; it is counted in whole batches of equally many episodes, so that
the easiest cells tell methods apart coarsely, and a method whose batch costs more turns takes fewer steps. The learning
rate of each seed is the one that was best on the *other* seeds, of a grid that all methods share ({rates}); * marks a
choice at the edge of the grid. **× {reference}** divides by that method's turns on the same seeds. **At rate 0.3** are
the turns without tuning. Direction and noise are of a partly trained policy. None of the three ranks estimators by
itself. "–" is not defined, or not reached.

Turn GAE is given exact values at no cost: that is a critic without error, which no training run has. VinePPO plays
{continuations} continuations of every state. In a tree, half of each group starts at the beginning and the others
branch off at a turn drawn uniformly; a branch trains only its own turns, so the mean over episodes weighs late turns
more. VinePPO's and the tree's moments are always sampled."""


def write_report(folder: Path, suites: Sequence[str], methods: Sequence[Method], effort: Effort) -> str:
    """Write `credit.md` and the pictures.

    Returns:
        The report without its budget, and the names of the files.

    Raises:
        ValueError: if nothing is finished.
    """
    from benchmarks.credit.pictures import draw

    found = {row.run_id: row for row in LabRows(folder).read()}
    if not found:
        raise ValueError(f"{folder / 'rows.jsonl'} holds no finished run")
    names = [name for suite in suites for name in ([*SUITES][:-1] if suite == "full" else [suite])]
    by_suite = {name: [rows_of(cell, methods, effort, found) for cell in cells_of(name)] for name in names}
    text = render(by_suite, effort)
    (folder / "credit.md").write_text(text, encoding="utf-8")
    pictures = draw(by_suite, effort, folder)
    return f"{text.partition('## Budget')[0]}in {folder}: credit.md, rows.jsonl, {', '.join(pictures)}"


def rows_of(
    cell: Cell, methods: Sequence[Method], effort: Effort, found: Mapping[str, LabRow]
) -> tuple[Cell, list[LabRow]]:
    """A cell's finished rows, in the order of the methods."""
    runs = [LabRun(cell=cell, method=m, code=code_hash(m.name), effort=effort) for m in methods]
    return cell, [found[run.run_id] for run in runs if run.run_id in found]


def render(by_suite: Mapping[str, Sequence[tuple[Cell, list[LabRow]]]], effort: Effort) -> str:
    """The whole report as Markdown."""
    rates = ", ".join(f"{rate:g}" for rate in effort.rates)
    parts = [
        "# Credit assignment, against exact truth",
        _READING.format(rates=rates, reference=REFERENCE, continuations=CONTINUATIONS),
    ]
    for suite, cells in by_suite.items():
        parts += [f"## {suite}"] if len(by_suite) > 1 else []
        for cell, rows in cells:
            parts += [f"### {cell.facets['setting']}", _caption(cell, rows), _triple(rows, effort), _credit(rows)]
    parts += [held_out.report([cell for cells in by_suite.values() for cell in cells], effort)]
    rows = [row for cells in by_suite.values() for _, some in cells for row in some]
    parts += [_skipped(rows), "## Budget", _budget(rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _caption(cell: Cell, rows: Sequence[LabRow]) -> str:
    kwargs = ", ".join(f"{name}={value}" for name, value in cell.env_kwargs.items())
    measured = "uniform" if cell.right is None else f"the best action has probability about {cell.right:g}"
    how = "enumerated" if any(row.exact for row in rows) else "sampled, ± standard error"
    text = (
        f"`{cell.env}` ({kwargs}); batches of {cell.groups} × {cell.group_size} episodes; measured policy: {measured}; "
        f"moments {how} where the method allows."
    )
    if cell.budget:
        kept = ", trained on to the end of the budget" if cell.keep_going else ""
        text += f" Solved at {cell.threshold:.0%} success; budget {cell.budget:,} turns{kept}."
    return text


def _triple(rows: Sequence[LabRow], effort: Effort) -> str:
    """Direction, noise and efficiency, always together."""
    trained = {row.run.method.label: tuned(row.learning, effort) for row in rows if row.learning is not None}
    header = ["estimator", "direction: outcome", "shaped", "signal/noise", "batch cosine"]
    header += ["turns to solve", f"× {REFERENCE}", "rate", "final success", "at rate 0.3"] if trained else []
    lines = []
    for row in rows:
        if not row.skipped:
            names = ("direction_outcome", "direction_shaped", "signal_to_noise", "batch_cosine")
            line = [row.run.method.title, *(_cell(row.figures[name]) for name in names)]
            if trained:
                line += _efficiency(trained[row.run.method.label], trained.get(REFERENCE))
                line.append(_untuned(row, effort))
            lines.append(line)
    return markdown(header, lines)


def _efficiency(mine: Tuned, reference: Tuned | None) -> list[str]:
    turns = median_interval(mine.turns.tolist())
    spread = f" [{_count(turns.low)}, {_count(turns.high)}]" if math.isfinite(turns.low) else ""
    times = "–"
    if reference is not None and math.isfinite(turns.median):
        ratio = median_interval(ratios(mine.turns, reference.turns).tolist())
        times = f"{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
    final = median_interval(mine.final.tolist())
    edge = "*" if mine.at_edge else ""
    return [f"{_count(turns.median)}{spread}", times, f"{mine.rate:g}{edge}", f"{final.median:.2f}"]


def _untuned(row: LabRow, effort: Effort) -> str:
    """Turns at the learning rate `UNTUNED`, whichever rate was best."""
    if row.learning is None or UNTUNED not in effort.rates:
        return "–"
    turns = reached(row.learning.turns)[effort.rates.index(UNTUNED)]
    return _count(median_interval(turns.tolist()).median)


def _credit(rows: Sequence[LabRow]) -> str:
    """What the advantages themselves look like."""
    names = ("rank_pooled", "rank_within", "sign_accuracy", "leak", "dead_groups")
    header = ["estimator", "Spearman with A^π", "within a trajectory", "sign right", "leak", "dead groups", "flags"]
    lines = [
        [row.run.method.title, *(_cell(row.figures[name]) for name in names), ", ".join(row.flags) or "–"]
        for row in rows
        if not row.skipped
    ]
    return markdown(header, lines)


def _skipped(rows: Sequence[LabRow]) -> str:
    reasons = dict.fromkeys(f"{row.run.method.title} {row.skipped}" for row in rows if row.skipped)
    return "\n".join(["## Not measured", "", *(f"* {reason}." for reason in reasons)]) if reasons else ""


def _budget(rows: Sequence[LabRow]) -> str:
    sources = {row.provenance.source for row in rows}
    machine = rows[0].provenance
    note = f" **The rows come from {len(sources)} states of turnenv's source.**" if len(sources) > 1 else ""
    return (
        f"{len(rows)} runs, {sum(row.seconds for row in rows):.0f} process seconds in all, on {machine.cpu}; Python "
        f"{machine.python}, NumPy {machine.versions.get('numpy')}, commit {(machine.commit or 'unknown')[:12]}.{note}"
    )


def _cell(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    digits = 3 if abs(figure.value) < 10 else 1
    spread = f" ± {figure.error:.{digits}f}" if figure.error else ""
    return f"{figure.value:.{digits}f}{spread}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "–"
