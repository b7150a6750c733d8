"""`report.html` of an evaluation: what the model achieved on each environment, and its episodes."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from markupsafe import Markup

from turnenv.evaluation.episode_file import read_episodes
from turnenv.evaluation.folder import episodes_path, read_settings
from turnenv.evaluation.intervals import Interval, Share
from turnenv.evaluation.summary import Summary, summarise
from turnenv.report.charts import Dots, Line, dot_plot, line_chart
from turnenv.report.columns import DEFAULT
from turnenv.report.elements import bullets, charts, command_box, paragraph, table, title, unbroken
from turnenv.report.packing import Methods, Packed
from turnenv.report.page import Section, page
from turnenv.report.plays import Play, plays_of_episodes
from turnenv.report.redaction import Redactor
from turnenv.report.visible import counted
from turnenv.types import Episode

_OPTIONS = ("max_tokens", "tools", "temperature", "base_url", "sampling_seed", "price")
Played = Mapping[str, Sequence[Episode]]


def write_evaluation_page(
    folder: Path, *, max_mb: float = 15.0, redactor: Redactor | None = None
) -> tuple[Path, Packed]:
    """Write `report.html` into the folder of an evaluation.

    Args:
        folder: the `--out` of `turnenv evaluate`.
        max_mb: how large the file may become.
        redactor: of the episodes' texts and of causes of faults.

    Returns:
        Its path, and what became of the episodes.

    Raises:
        ValueError: if the folder holds no evaluation.
    """
    settings = read_settings(folder)
    files = {each["id"]: episodes_path(folder, each["id"]) for each in settings["environments"]}
    played = {env: read_episodes(file) for env, file in files.items() if file.exists()}
    if not any(played.values()):
        raise ValueError(f"{folder} holds no episodes yet")
    plays: list[Play] = [play for episodes in played.values() for play in plays_of_episodes(episodes)]
    name = f"{settings['model']}: {', '.join(played)}"
    out = folder / "report.html"
    sections = list(_sections(folder, settings, played, redactor or Redactor()))
    methods: Methods = [(each, {}) for each in DEFAULT]
    made = page(name, plays, methods, sections, max_mb=max_mb, redactor=redactor)
    made.write(out)
    return out, made.packed


def _sections(folder: Path, settings: Mapping[str, Any], played: Played, redactor: Redactor) -> Iterator[Section]:
    summaries = [summarise(env, episodes) for env, episodes in played.items()]
    yield Section("answer", "", _top(settings, summaries))
    openings = Markup('<div id="openings"><p class="quiet">This needs JavaScript.</p></div>')
    yield Section("doors", "Episodes to look at", openings)
    if faults := [summary for summary in summaries if summary.faults]:
        lines = [
            f"{each.env}: {counted(each.faults, 'episode')}, the first by {redactor.text(each.first_fault)}"
            for each in faults
        ]
        yield Section("faults", "Faults", bullets(lines) + paragraph("They are in no mean."))
    yield Section("components", "Rewards by component", _components(summaries))
    yield Section("turns-of", "Reward by turn", _by_turn(played))
    yield Section("cost", "Turns, tokens and cost", _cost(summaries))
    yield Section("settings", "Settings", _settings(settings))
    yield Section("provenance", "Provenance", _provenance(folder))
    yield Section("reproduce", "Reproduce", command_box(_command(settings)))


def _settings(settings: Mapping[str, Any]) -> Markup:
    lines = [[name, _written(value)] for name, value in settings.items() if name != "environments"]
    lines += [
        [each["id"], json.dumps({"kwargs": each["kwargs"], "episodes": len(each["seeds"])})]
        for each in settings["environments"]
    ]
    return table(["setting", "value"], lines, label="settings", numbers=False)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _top(settings: Mapping[str, Any], summaries: Sequence[Summary]) -> Markup:
    asked = f"How well does {settings['model']} do on {_listed([each.env for each in summaries])}?"
    sentences = [_success(summaries), _rewards(summaries)]
    rows = [_success_row(each.env, each.success) for each in summaries if each.success is not None]
    returns = [
        Dots(_short(each.env), [], each.total.mean, *_ends(each.total), 1, note=f"{each.total:.2f}")
        for each in summaries
        if each.total is not None
    ]
    pictures = []
    if rows:
        pictures.append(dot_plot(rows, title="Success", label="success (%), Wilson's 95 % interval"))
        pictures.append(dot_plot(returns, title="Return", label="return per episode, 95 % interval"))
    return title(asked) + paragraph(unbroken(" ".join(sentences)), "answer") + charts(pictures) + _levels(summaries)


def _success_row(env: str, share: Share) -> Dots:
    ends = (100 * share.share, 100 * share.low, 100 * share.high)
    return Dots(_short(env), [], *ends, series=0, note=_percent(share.share))


def _success(summaries: Sequence[Summary]) -> str:
    parts = [
        f"{_short(each.env)} {_percent(each.success.share)} (95 % interval {_percent(each.success.low)} … "
        f"{_percent(each.success.high)}, {counted(each.episodes, 'episode')})"
        for each in summaries
        if each.success is not None
    ]
    return f"Success: {'; '.join(parts)}." if parts else "Every episode ended in a fault."


def _rewards(summaries: Sequence[Summary]) -> str:
    parts = [
        f"{_short(each.env)} {each.turn_reward.mean:.2f} and {each.outcome.mean:.2f}"
        for each in summaries
        if each.turn_reward is not None and each.outcome is not None
    ]
    return f"Turn rewards and outcome per episode: {'; '.join(parts)}." if parts else ""


def _levels(summaries: Sequence[Summary]) -> Markup:
    header = "environment,episodes,faults,success,return,turn rewards,outcome,turns,valid actions".split(",")
    lines = []
    for each in summaries:
        means = [each.total, each.turn_reward, each.outcome, each.turns, each.valid]
        success = "–" if each.success is None else _percent(each.success.share)
        lines.append([each.env, str(each.episodes), str(each.faults), success, *map(_mean, means)])
    return table(header, lines, label="levels")


def _components(summaries: Sequence[Summary]) -> Markup:
    lines = []
    for each in summaries:
        lines += [[each.env, "turn", name, _mean(value)] for name, value in each.turn_components.items()]
        lines += [[each.env, "outcome", name, _mean(value)] for name, value in each.outcome_components.items()]
    return table(["environment", "paid for", "component", "mean per episode ± 95 %"], lines, label="components")


def _by_turn(played: Played) -> Markup:
    drawn = []
    for env, episodes in played.items():
        sound = [episode for episode in episodes if not episode.faulted]
        longest = max((len(episode.turns) for episode in sound), default=0)
        points = [
            (k + 1.0, fmean(episode.turns[k].turn_reward for episode in sound if k < len(episode.turns)))
            for k in range(longest)
        ]
        if points:
            lines = [Line(env, points, series=0, marks=longest <= 30)]
            drawn.append(line_chart(lines, title=_short(env), x_label="turn", whole_x=True))
    return charts(drawn) + paragraph("Mean reward of a turn, over the episodes that took it.")


def _cost(summaries: Sequence[Summary]) -> Markup:
    lines = []
    for each in summaries:
        cost = "–" if each.cost is None else f"{each.cost:.4g}"
        lines.append([each.env, _mean(each.turns), _count(each.tokens_read), _count(each.tokens_written), cost])
    header = ["environment", "turns per episode", "tokens read", "tokens written", "cost in all"]
    return table(header, lines, label="turns, tokens and cost")


def _provenance(folder: Path) -> Markup:
    path = folder / "provenance.json"
    if not path.exists():
        return paragraph("The evaluation has not ended.")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    lines = [[name, _written(value)] for name, value in record.items()]
    return table(["what", "value"], lines, label="provenance", numbers=False)


def _command(settings: Mapping[str, Any]) -> str:
    environments = settings["environments"]
    first = environments[0]
    given = {
        "--model": settings["model"],
        "--episodes": len(first["seeds"]),
        "--seed": first["seeds"][0],
        "--env-kwargs": json.dumps(first["kwargs"]) if first["kwargs"] else None,
        **{f"--{name.replace('_', '-')}": settings.get(name) for name in _OPTIONS},
    }
    words = ["turnenv", "evaluate", *(each["id"] for each in environments)]
    words += [word for name, value in given.items() if value is not None for word in (name, str(value))]
    return shlex.join(words)


def _short(env: str) -> str:
    return env.removeprefix("turnenv/").removesuffix("-v0")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _ends(interval: Interval) -> tuple[float, float]:
    return (interval.low, interval.high) if math.isfinite(interval.half_width) else (math.nan, math.nan)


def _mean(interval: Interval | None) -> str:
    return "–" if interval is None else f"{interval:.3f}"


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"
