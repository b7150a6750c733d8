"""`report.html` of a comparison: the answer first, then what it rests on, and the episodes themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from benchmarks.compare import figures
from benchmarks.compare.answer import answer, question
from benchmarks.compare.checklist import checklist
from benchmarks.compare.comparison import Comparison, warnings_about
from benchmarks.compare.one_run import groups_path, transcripts_path
from benchmarks.compare.records import Row
from benchmarks.compare.table import (
    Table,
    budget,
    checklist_caption,
    code_and_policy,
    command,
    differences,
    differences_caption,
    levels,
    levels_caption,
    rates_caption,
    rates_tried,
)
from turnenv.evaluation.episode_file import read_episodes
from turnenv.groups import read_groups
from turnenv.report.columns import DEFAULT
from turnenv.report.elements import bullets, coded, command_box, paragraph, table, title, unbroken
from turnenv.report.packing import Packed
from turnenv.report.page import Section, page
from turnenv.report.plays import Play, Run, plays_of_groups, plays_of_held_out
from turnenv.report.redaction import Redactor
from turnenv.types import Episode

_TOKENS = {"turns": "Turns per episode", "turn_tokens": "Sampled tokens per turn", "faults": "Share of faults"}


def write_html(
    comparison: Comparison, folder: Path, *, max_mb: float = 15.0, redactor: Redactor | None = None
) -> tuple[Path, Packed]:
    """Write `report.html` into the folder of a comparison.

    Args:
        comparison: its rows.
        folder: where they and the kept episodes are.
        max_mb: how large the file may become.
        redactor: of the episodes' texts.

    Returns:
        The path, and what became of the episodes.
    """
    episodes = {row.run_id: _episodes(transcripts_path(folder, row.run_id)) for row in comparison.rows}
    path = folder / "report.html"
    name = f"{comparison.settings.env}: {', '.join(method.title for method in comparison.methods)}"
    methods = [(method.name, method.options) for method in comparison.methods]
    methods += [(name, {}) for name in DEFAULT if (name, {}) not in methods]
    sections = list(_sections(comparison, episodes))
    plays = list(_plays(comparison, folder, episodes))
    made = page(name, plays, methods, sections, max_mb=max_mb, redactor=redactor)
    made.write(path)
    return path, made.packed


def _plays(comparison: Comparison, folder: Path, episodes: Mapping[str, Sequence[Episode]]) -> Iterator[Play]:
    for row in comparison.rows:
        method = "start" if row.run.method is None else row.run.method.title
        run = Run(row.run_id, f"{method}, seed {row.run.seed}", method, str(row.run.seed))
        path = groups_path(folder, row.run_id)
        if path.exists():
            yield from plays_of_groups(run, read_groups(path))
        yield from plays_of_held_out(run, episodes[row.run_id])


def _episodes(path: Path) -> list[Episode]:
    return read_episodes(path) if path.exists() else []


def _sections(comparison: Comparison, episodes: Mapping[str, Sequence[Episode]]) -> Iterator[Section]:
    key, trained = figures.method_legend(comparison), figures.method_legend(comparison, start=False)
    yield Section("answer", "", _top(comparison))
    yield Section(
        "doors", "Episodes to look at", Markup('<div id="openings"><p class="quiet">This needs JavaScript.</p></div>')
    )
    if warnings := warnings_about(comparison):
        yield Section("notes", "Notes", bullets(warnings))
    yield from _results(comparison)
    if comparison.methods:
        yield Section(
            "curves", "Learning curves", key + figures.learning_curves(comparison) + _curves_caption(comparison)
        )
        yield Section("rewards", "Reward by turn and component", key + _rewards(comparison, episodes))
        profile = figures.advantage_profile(comparison)
        yield Section("credit", "Credit by turn", trained + profile + paragraph(_CREDIT_CAPTION))
        yield Section("turns", "Turns and tokens", trained + figures.columns_over_steps(comparison, _TOKENS))
        yield Section("cost", "Cost", _table(_cost(comparison), label="cost") + paragraph(budget(comparison)))
    yield Section("checklist", "Checklist", paragraph(checklist_caption()) + _checklist(comparison))
    yield Section("settings", "Settings", _table(_settings(comparison), label="settings", numbers=False))
    yield Section("provenance", "Provenance", _provenance(comparison))
    yield Section("reproduce", "Reproduce", _reproduce(comparison))


_CREDIT_CAPTION = (
    "Means over the episodes that took the turn, in the last quarter of training and over seeds. A method that gives "
    "all turns of an episode one advantage has a flat profile where episodes are equally long."
)


def _top(comparison: Comparison) -> Markup:
    sentences = unbroken(" ".join(answer(comparison)))
    levels_shown = _table(levels(comparison, comparison.suite.headline, references=False), label="levels")
    picture = figures.levels_and_differences(comparison)
    return title(question(comparison)) + paragraph(sentences, "answer") + picture + levels_shown


def _table(shown: Table, *, label: str, numbers: bool = True) -> Markup:
    return table(*shown, label=label, numbers=numbers)


def _results(comparison: Comparison) -> Iterator[Section]:
    suite = comparison.suite
    if len(comparison.methods) > 1:
        caption = paragraph(differences_caption().replace("**", ""))
        yield Section(
            "differences", "Paired differences", _table(differences(comparison), label="paired differences") + caption
        )
    body = paragraph(levels_caption(comparison))
    if rest := tuple(metric for metric in suite.metrics if not metric.headline):
        body += _table(levels(comparison, rest, references=False), label="further metrics")
    if suite.references:
        body += _table(levels(comparison, suite.headline, references=True), label="beside published rows") + paragraph(
            f"Paper: {suite.source}"
        )
    yield Section("levels", "All metrics", body)
    if comparison.tuning:
        tried = _table(rates_tried(comparison), label="learning rates")
        yield Section("rates", "Learning rates", tried + paragraph(rates_caption(comparison).replace("**", "")))


def _rewards(comparison: Comparison, episodes: Mapping[str, Sequence[Episode]]) -> Markup:
    kept = {"start": [e for row in comparison.starts.values() for e in episodes[row.run_id]]}
    for method in comparison.methods:
        rows = comparison.trained[method.label].values()
        kept[method.title] = [episode for row in rows for episode in episodes[row.run_id]]
    kept = {title: played for title, played in kept.items() if played}
    if not kept:
        return paragraph("No episodes were kept.")
    count = ", ".join(f"{title} {len(played)}" for title, played in kept.items())
    charts = figures.rewards_by_turn(kept, [method.title for method in comparison.methods])
    return charts + paragraph(f"Mean over the kept held-out episodes that took the turn ({count}).")


def _curves_caption(comparison: Comparison) -> Markup:
    return paragraph(
        "Lines: episodes on training tasks as they were sampled, a trailing mean of a thirtieth of the run; marks: "
        f"held-out episodes. Mean and 95 % t-interval over {len(comparison.seeds)} seeds."
    )


def _cost(comparison: Comparison) -> Table:
    header = [
        "method",
        "runs",
        "episodes",
        "turns",
        "sampled tokens",
        "read tokens",
        "training, s per run",
        "whole run, s",
    ]
    lines = []
    for method in comparison.methods:
        spent = [row.spent for row in comparison.trained[method.label].values()]
        runs = max(1, len(spent))
        read = [each.read_tokens for each in spent if each.read_tokens is not None]
        lines.append(
            [
                method.title,
                str(len(spent)),
                f"{sum(each.episodes for each in spent):,}",
                f"{sum(each.env_turns for each in spent):,}",
                f"{sum(each.sampled_tokens for each in spent):,}",
                f"{sum(read):,}" if read else "–",
                f"{sum(each.train_seconds for each in spent) / runs:.0f}",
                f"{sum(each.seconds for each in spent) / runs:.0f}",
            ]
        )
    return header, lines


def _checklist(comparison: Comparison) -> Markup:
    item, missing = Markup("<li{}><b>{}</b>{}: {}</li>"), Markup(' class="missing"')
    items = []
    for each in checklist(comparison):
        asked = "" if each.required else " (recommended)"
        items.append(item.format("" if each.recorded else missing, each.title, asked, coded(each.value)))
    return Markup('<ol class="checklist">{}</ol>').format(Markup("").join(items))


def _settings(comparison: Comparison) -> Table:
    given = comparison.settings.model_dump(mode="json")
    shown = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    return ["setting", "value"], [[name, value] for name, value in shown.items()]


def _provenance(comparison: Comparison) -> Markup:
    header = ["run", "began (UTC)", "seconds", "device", "source"]
    lines = [
        [
            row.run.title,
            f"{row.provenance.began:%Y-%m-%d %H:%M:%S}",
            f"{row.spent.seconds:.0f}",
            row.provenance.cpu if row.provenance.device == "cpu" else row.provenance.device,
            row.provenance.source,
        ]
        for row in _by_run(comparison)
    ]
    return paragraph(code_and_policy(comparison)) + _table((header, lines), label="runs", numbers=False)


def _by_run(comparison: Comparison) -> list[Row]:
    return sorted(comparison.rows, key=lambda row: (row.provenance.began, row.run_id))


def _reproduce(comparison: Comparison) -> Markup:
    text = command(comparison)
    return command_box(text) + paragraph(
        "The file rows.jsonl beside this page holds every row, groups/ and episodes/ the episodes."
    )
