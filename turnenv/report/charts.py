"""Charts as inline SVG: text stays text, colours come from the page's style, so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_DASHES = ("", "7 3", "2 3", "9 3 2 3", "1 4", "5 5", "12 4")
_SERIES = len(_DASHES)
_LETTER = 7.7
"""Width of a letter in a row's title, on the wide side, in units of the drawing."""
_ONE_LINE, _LONGEST = 15, 24
"""Letters of a row's title in one line, and of a line at most."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart.

    Attributes:
        title: in the legend.
        points: (x, y), a y that is NaN is left out.
        band: the lower and upper end at each point; empty for none.
        series: which of the page's colours and line styles; -1 for grey.
        marks: whether each point has a mark.
    """

    title: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]] = ()
    series: int = 0
    marks: bool = False


@dataclass(frozen=True, slots=True)
class Dots:
    """A row of a dot plot: a value per seed, their mean and its interval.

    Attributes:
        title: of the row.
        values: one per seed.
        mean: of them.
        low: end of the interval; NaN if it is not known.
        high: the other end.
        series: which of the page's colours; -1 for grey.
        bold: whether the interval leaves out 0.
        note: text at the end of the row.
    """

    title: str
    values: Sequence[float]
    mean: float
    low: float = math.nan
    high: float = math.nan
    series: int = -1
    bold: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return round(self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low), 1)


def dot_plot(rows: Sequence[Dots], *, title: str, label: str, zero: bool = False, width: int = 450) -> Markup:
    """Rows of dots with intervals.

    Args:
        rows: from the top down.
        title: of the picture, for those who cannot see it too.
        label: of the axis.
        zero: draw a line at 0, and keep it in sight.
        width: in units of the drawing.
    """
    right, top, step = 92, 14, 32
    left = max(112.0, 16 + _LETTER * max((len(line) for row in rows for line in _lines(row.title)), default=0))
    height = top + step * len(rows) + 40
    seen = [value for row in rows for value in (*row.values, row.mean, row.low, row.high) if math.isfinite(value)]
    scale = _scale([*seen, *([0.0] if zero else [])], left, width - right)
    parts = [_x_axis(scale, top - 6, top + step * len(rows), label, height)]
    if zero:
        parts.append(
            _tag("line", "", x1=scale.at(0), x2=scale.at(0), y1=top - 6, y2=top + step * len(rows), cls="zero")
        )
    for number, row in enumerate(rows):
        parts.append(_row_title(row.title, left - 12, top + step * number + step / 2))
        parts.append(_dots(row, scale, top + step * number + step / 2, width))
    return _svg(width, height, title, parts)


def line_chart(
    lines: Sequence[Line], *, title: str, x_label: str, width: int = 340, height: int = 220, whole_x: bool = False
) -> Markup:
    """Lines with bands over one x axis.

    Args:
        lines: in the order of the legend.
        title: above the picture.
        x_label: below the axis.
        width: in units of the drawing.
        height: the same.
        whole_x: marks on the x axis at whole numbers only.
    """
    left, right, top, bottom = 44, 10, 30, 40
    ys = [y for line in lines for _, y in line.points] + [end for line in lines for pair in line.band for end in pair]
    xs = [x for line in lines for x, _ in line.points]
    if not [y for y in ys if math.isfinite(y)]:
        return Markup("")
    x_scale = _Scale(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1, left, width - right)
    y_scale = _scale([y for y in ys if math.isfinite(y)], height - bottom, top)
    parts = [_tag("text", title, x=left - 34, y=16, cls="chart-title"), _y_axis(y_scale, left, width - right)]
    marks = _ticks(x_scale.low, x_scale.high, 5)
    parts += [
        _tag("text", _short(mark), x=x_scale.at(mark), y=height - bottom + 16, cls="tick middle")
        for mark in marks
        if not whole_x or mark == round(mark)
    ]
    parts.append(_tag("text", x_label, x=(left + width - right) / 2, y=height - 6, cls="axis middle"))
    parts += [_line(line, x_scale, y_scale) for line in lines]
    return _svg(width, height, title, parts)


def legend(titles: Sequence[tuple[str, int]]) -> Markup:
    """What the colours and line styles of several charts mean."""
    items = [
        Markup('<li><svg width="34" height="12" aria-hidden="true">{}</svg> {}</li>').format(
            _tag("line", "", x1=1, x2=33, y1=6, y2=6, cls=_series(series), dash=_dash(series)), title
        )
        for title, series in titles
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


def _lines(title: str) -> list[str]:
    """A long title in two lines, its options in the second, each cut to what leaves room for the dots."""
    name, bracket, options = title.partition(" [")
    lines = [name, f"[{options}"] if bracket and len(title) > _ONE_LINE else [title]
    return [line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…" for line in lines]


def _row_title(title: str, x: float, y: float) -> Markup:
    lines = _lines(title)
    first = y + 4 - 7 * (len(lines) - 1)
    return Markup("").join(
        _tag("text", line, x=x, y=first + 14 * number, cls="row-title end") for number, line in enumerate(lines)
    )


def _dots(row: Dots, scale: _Scale, y: float, width: int) -> Markup:
    parts = []
    if math.isfinite(row.low):
        weight = "interval bold" if row.bold else "interval"
        parts.append(
            _tag(
                "line",
                "",
                x1=scale.at(row.low),
                x2=scale.at(row.high),
                y1=y,
                y2=y,
                cls=f"{weight} {_series(row.series)}",
            )
        )
    for number, value in enumerate(row.values):
        # Seeds of equal value lie beside each other and not on each other.
        shift = (number % 3 - 1) * 3.0 if list(row.values).count(value) > 1 else 0.0
        parts.append(_tag("circle", "", cx=scale.at(value), cy=y + shift, r=4, cls=f"seed {_series(row.series)}"))
    x = scale.at(row.mean)
    parts.append(_tag("path", "", d=f"M{x} {y - 9}L{x} {y + 9}", cls=f"mean {_series(row.series)}"))
    parts.append(_tag("text", row.note, x=width - 4, y=y + 4, cls="note end" + (" strong" if row.bold else "")))
    return Markup("").join(parts)


def _line(line: Line, x_scale: _Scale, y_scale: _Scale) -> Markup:
    known = [(x, y) for x, y in line.points if math.isfinite(y)]
    parts = []
    if line.band:
        ends = [
            (x, low, high) for (x, _), (low, high) in zip(line.points, line.band, strict=True) if math.isfinite(low)
        ]
        around = [f"{x_scale.at(x)},{y_scale.at(high)}" for x, _, high in ends]
        around += [f"{x_scale.at(x)},{y_scale.at(low)}" for x, low, _ in reversed(ends)]
        parts.append(_tag("polygon", "", points=" ".join(around), cls=f"band {_series(line.series)}"))
    along = " ".join(f"{x_scale.at(x)},{y_scale.at(y)}" for x, y in known)
    parts.append(_tag("polyline", "", points=along, cls=f"line {_series(line.series)}", dash=_dash(line.series)))
    if line.marks:
        parts += [
            _tag("circle", "", cx=x_scale.at(x), cy=y_scale.at(y), r=3, cls=f"seed {_series(line.series)}")
            for x, y in known
        ]
    return Markup("").join(parts)


def _x_axis(scale: _Scale, top: float, bottom: float, label: str, height: float) -> Markup:
    parts = []
    for mark in _ticks(scale.low, scale.high, 5):
        parts.append(_tag("line", "", x1=scale.at(mark), x2=scale.at(mark), y1=top, y2=bottom, cls="grid"))
        parts.append(_tag("text", _short(mark), x=scale.at(mark), y=bottom + 15, cls="tick middle"))
    parts.append(_tag("text", label, x=(scale.start + scale.end) / 2, y=height - 6, cls="axis middle"))
    return Markup("").join(parts)


def _y_axis(scale: _Scale, left: float, right: float) -> Markup:
    parts = []
    for mark in _ticks(scale.low, scale.high, 5):
        parts.append(_tag("line", "", x1=left, x2=right, y1=scale.at(mark), y2=scale.at(mark), cls="grid"))
        parts.append(_tag("text", _short(mark), x=left - 6, y=scale.at(mark) + 4, cls="tick end"))
    return Markup("").join(parts)


def _scale(values: Sequence[float], start: float, end: float) -> _Scale:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return _Scale(low - margin, high + margin, start, end)


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers between two ends."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _short(value: float) -> str:
    return f"{round(value, 10):g}".replace("-", "−")


def _series(series: int) -> str:
    return "series-none" if series < 0 else f"series-{series % _SERIES}"


def _dash(series: int) -> str:
    return "" if series < 0 else _DASHES[series % _SERIES]


def _tag(name: str, text: str, *, cls: str = "", dash: str = "", **attributes: float | str) -> Markup:
    given = {**attributes, **({"class": cls} if cls else {}), **({"stroke-dasharray": dash} if dash else {})}
    inside = Markup(" ").join(Markup('{}="{}"').format(key, value) for key, value in given.items())
    return Markup("<{0} {1}>{2}</{0}>").format(Markup(name), inside, text)


def _svg(width: float, height: float, title: str, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}" style="max-width:{}px">{}</svg>'
    ).format(escape(title), round(width), round(height), round(width), Markup("").join(parts))
