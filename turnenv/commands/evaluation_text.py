"""An evaluation's summaries as a table for people and as rows for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from turnenv.commands.console import paint, visible
from turnenv.evaluation.intervals import Interval, Share
from turnenv.evaluation.summary import Summary
from turnenv.report.visible import counted

__all__ = ["as_row", "as_text"]

_NONE = "–"


def as_row(summary: Summary) -> dict[str, Any]:
    """The summary as JSON: an interval is `mean`, `low`, `high` and `count`."""
    return {name: _jsonable(getattr(summary, name)) for name in asdict(summary)}


def as_text(summaries: Sequence[Summary]) -> str:
    """A block of lines per environment; for several, a table of all of them at the end."""
    blocks = ["\n".join(_block(summary)) for summary in summaries]
    return "\n\n".join([*blocks, _table(summaries)] if len(summaries) > 1 else blocks)


def _jsonable(value: Any) -> Any:
    if isinstance(value, Interval):
        return {"mean": value.mean, "low": value.low, "high": value.high, "count": value.count}
    if isinstance(value, Share):
        return {"mean": value.share, "low": value.low, "high": value.high, "count": value.count}
    if isinstance(value, Mapping):
        return {name: _jsonable(part) for name, part in value.items()}
    return value


def _block(summary: Summary) -> Iterator[str]:
    episodes, faults = counted(summary.episodes, "episode"), counted(summary.faults, "fault")
    yield f"{paint(summary.env, 'bold')}  {episodes}, {faults}; intervals cover 95 %"
    if summary.first_fault:
        yield paint(f"  first fault        {visible(summary.first_fault)}", "red")
    if summary.success is None:
        return
    yield f"  success            {_share(summary.success)}"
    yield f"  return             {_mean(summary.total)}"
    yield f"  turn rewards, sum  {_mean(summary.turn_reward)}"
    yield from _parts(summary.turn_components)
    yield f"  outcome            {_mean(summary.outcome)}"
    yield from _parts(summary.outcome_components)
    yield f"  turns              {_mean(summary.turns, '.2f')}"
    yield f"  valid actions      {_mean(summary.valid)}"
    if summary.tokens_written is not None:
        read = "" if summary.tokens_read is None else f"{summary.tokens_read:,.0f} read, "
        yield f"  tokens             {read}{summary.tokens_written:,.0f} written per episode"
    if summary.cost is not None:
        each = summary.cost / (summary.episodes + summary.faults)
        yield f"  cost               {summary.cost:.4g} in all, {each:.3g} per episode"


def _parts(components: Mapping[str, Interval]) -> Iterator[str]:
    for name, interval in components.items():
        yield f"    {name:17}{_mean(interval)}"


def _table(summaries: Sequence[Summary]) -> str:
    header = ["environment", "success", "return", "turn rewards", "outcome", "turns", "tokens", "cost", "faults"]
    lines = [header, *(_cells(summary) for summary in summaries)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    shown = ["  ".join([line[0].ljust(widths[0]), *(map(str.rjust, line[1:], widths[1:]))]) for line in lines]
    return "\n".join([paint(shown[0], "bold"), *shown[1:]])


def _cells(summary: Summary) -> list[str]:
    written = None if summary.tokens_written is None else (summary.tokens_read or 0.0) + summary.tokens_written
    return [
        summary.env,
        _NONE if summary.success is None else _share(summary.success),
        _mean(summary.total),
        _mean(summary.turn_reward),
        _mean(summary.outcome),
        _mean(summary.turns, ".2f"),
        _NONE if written is None else f"{written:,.0f}",
        _NONE if summary.cost is None else f"{summary.cost:.4g}",
        str(summary.faults),
    ]


def _share(share: Share) -> str:
    return f"{share.share:.1%} [{share.low:.1%}, {share.high:.1%}]"


def _mean(interval: Interval | None, spec: str = ".3f") -> str:
    return _NONE if interval is None else format(interval, spec)
